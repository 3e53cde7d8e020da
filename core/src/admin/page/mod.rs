//! The page: three files without a build step, which are part of the program and load nothing from
//! other servers. They use the same paths as any other client.

use super::http::Response;

/// A file of the page.
pub(super) struct File {
    kind: &'static str,
    text: &'static str,
}

impl File {
    pub(super) fn response(&self) -> Response {
        Response::file(self.kind, self.text)
    }
}

pub(super) const HTML: File =
    File { kind: "text/html; charset=utf-8", text: include_str!("admin.html") };
pub(super) const SCRIPT: File =
    File { kind: "text/javascript; charset=utf-8", text: include_str!("admin.js") };
pub(super) const STYLE: File =
    File { kind: "text/css; charset=utf-8", text: include_str!("admin.css") };
pub(super) const ICON: File = File { kind: "image/svg+xml", text: include_str!("icon.svg") };
