//! `licence`: what licence files, bundles and requests say, without a server.
//!
//! What never lives here: the formats and their checks (core), and what a group has installed.

use crate::commands::table::Table;
use crate::commands::{issue, stdout};
use crate::exit::{Failure, Outcome, words};
use crate::host::{container, files};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::{BUNDLE_FILE_MAX, LICENCE_FILES_LOOKED_AT};
use tmr_core::base::rfc3339;
use tmr_core::licence::{
    BoundPart, ContainerIdentity, Document, FirmItem, IssuerKey, LicenceRequest, OpenPart,
};

/// Bytes of a file by which it is known.
const HEAD: u64 = 16;

/// `licence`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tmrd licence list licences\n  \
    tmrd licence show acme.bundle\n  tmrd licence verify acme.bundle --issuer issuer.pub")]
pub struct Licence {
    /// What to do.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists licence files, bundles and requests: one line a file.
    #[command(after_help = "Example:\n  tmrd licence list /etc/tmrd/licences acme.bundle")]
    List {
        /// Files, or folders with such files; what is something else in a folder is left out.
        #[arg(value_name = "FILE|DIR", required = true)]
        files: Vec<PathBuf>,
        /// Print one JSON value.
        #[arg(long)]
        json: bool,
    },
    /// Shows everything that files say but their secrets.
    #[command(after_help = "Example:\n  tmrd licence show acme.bundle")]
    Show {
        /// The files.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Print one JSON value.
        #[arg(long)]
        json: bool,
    },
    /// Checks that files are whole and signed by an issuer, and, if asked, for whom they are.
    #[command(after_help = "Examples:\n  tmrd licence verify acme.bundle --issuer issuer.pub\n  \
        tmrd licence verify acme.bundle --issuer issuer.pub --request acme.request\n  \
        tmrd licence verify 1.cmlic --issuer issuer.pub --container /var/lib/tmrd/backend-container\n\n\
        0: all are good, 1: not all are.")]
    Verify(Verify),
    /// Takes a bundle apart: into 1.cmlic, 2.cmlic, 3.cmlic, each for its container.
    #[command(after_help = "Example:\n  tmrd licence export acme.bundle --out parts")]
    Export {
        /// The bundle.
        bundle: PathBuf,
        /// The folder for the parts, which are never overwritten; made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Verify {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Whose licences are trusted.
    #[arg(long, value_name = "ISSUER.pub", required = true, num_args = 1)]
    issuer: Vec<PathBuf>,
    /// Bundles and bound parts must be for the containers of this request.
    #[arg(long, value_name = "REQUEST")]
    request: Option<PathBuf>,
    /// They must open in the container in this folder.
    #[arg(long, value_name = "DIR")]
    container: Option<PathBuf>,
}

/// Lists, shows, checks or takes apart.
///
/// # Errors
/// A file cannot be read, or is none of these files.
pub fn run(options: &Licence) -> Outcome {
    match &options.what {
        What::List { files, json } => list(files, *json),
        What::Show { files, json } => show(files, *json),
        What::Verify(options) => verify(options),
        What::Export { bundle, out } => export(bundle, out),
    }
}

fn read(path: &Path, issuers: Option<&[IssuerKey]>) -> Result<Document, Failure> {
    let bytes = files::plain_bytes(path, BUNDLE_FILE_MAX)?;
    Document::read(&bytes, issuers).map_err(|error| files::wrong(path, error))
}

/// Returns the files that these paths mean: files, and what begins like one in folders.
fn meant(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| files::wrong(path, words(&error)))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<_> =
            paths.take(LICENCE_FILES_LOOKED_AT).filter(|it| begins(it)).collect();
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

fn begins(path: &Path) -> bool {
    let mut head = Vec::new();
    let opened = path.is_file().then(|| File::open(path).ok()).flatten();
    let read = opened.map(|file| file.take(HEAD).read_to_end(&mut head));
    matches!(read, Some(Ok(_))) && Document::begins(&head)
}

/// One line of a list.
struct Row {
    kind: &'static str,
    parts: String,
    containers: String,
    issue: String,
    date: String,
    licences: String,
}

fn list(paths: &[PathBuf], as_json: bool) -> Outcome {
    let meant = meant(paths)?;
    let mut wrong = 0;
    let mut table = Table::new(&["FILE", "KIND", "PART", "CONTAINER", "ISSUE", "DATE", "LICENCES"]);
    let mut values = Vec::new();
    for path in &meant {
        match read(path, None) {
            Ok(document) => {
                let row = row(&document);
                values.push(json!({
                    "file": path.display().to_string(), "kind": row.kind, "parts": row.parts,
                    "containers": row.containers, "issue": row.issue, "date": row.date,
                    "licences": row.licences,
                }));
                let file = files::shown(path);
                let kind = row.kind.to_owned();
                table.row([
                    file,
                    kind,
                    row.parts,
                    row.containers,
                    row.issue,
                    row.date,
                    row.licences,
                ]);
            }
            Err(failure) => {
                wrong += 1;
                note!("{failure}");
            }
        }
    }
    if as_json {
        stdout::line(format!("{:#}", Value::Array(values)))?;
    } else if meant.is_empty() {
        note!("no licence files, bundles or requests");
    } else {
        stdout::line(table.to_string().trim_end())?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::failed("one file cannot be read")),
        many => Err(Failure::failed(format!("{many} files cannot be read"))),
    }
}

fn row(document: &Document) -> Row {
    let licences = |items: &[FirmItem]| {
        let count: usize = items.iter().map(|item| item.products.len()).sum();
        let firms: Vec<_> = items.iter().map(|item| item.firm_code.to_string()).collect();
        format!("{count} of {}", firms.join(", "))
    };
    match document {
        Document::Open(OpenPart { container, issued, .. }) => Row {
            kind: "open part",
            parts: container.number.to_string(),
            containers: container.part.name(),
            issue: "-".into(),
            date: rfc3339::format(*issued),
            licences: licences(&container.part.firm_items),
        },
        Document::Bound { part, .. } => Row {
            kind: "bound part",
            parts: part.number.to_string(),
            containers: part.part.name(),
            issue: part.issue.issue.to_string(),
            date: rfc3339::format(part.issued),
            licences: licences(&part.part.firm_items),
        },
        Document::Bundle(bundle) => {
            let parts = bundle.parts();
            let join = |of: &dyn Fn(&BoundPart) -> String| {
                parts.iter().map(|one| of(&one.part)).collect::<Vec<_>>().join(", ")
            };
            Row {
                kind: "bundle",
                parts: join(&|part| part.number.to_string()),
                containers: join(&|part| part.part.name()),
                issue: bundle.numbers().issue.to_string(),
                date: rfc3339::format(parts[0].part.issued),
                licences: licences(&parts[0].part.part.firm_items),
            }
        }
        Document::Request(request) => {
            let serials = request.containers().each_ref().map(|one| one.keys().serial());
            Row {
                kind: "request",
                parts: "1, 2, 3".into(),
                containers: serials.map(|serial| format!("130-{serial}")).join(", "),
                issue: "-".into(),
                date: rfc3339::format(request.made),
                licences: "-".into(),
            }
        }
    }
}

fn show(paths: &[PathBuf], as_json: bool) -> Outcome {
    let mut values = Vec::new();
    for path in paths {
        let mut value = said(&read(path, None)?);
        value["file"] = path.display().to_string().into();
        values.push(value);
    }
    if as_json {
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        return stdout::line(format!("{value:#}"));
    }
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            stdout::line("")?;
        }
        stdout::line(for_people(value).trim_end())?;
    }
    Ok(())
}

/// Returns everything that a file says but its secrets.
fn said(document: &Document) -> Value {
    let bound = |part: &BoundPart| {
        json!({
            "issued": rfc3339::format(part.issued),
            "issue": part.issue.issue,
            "sharing": part.issue.sharing,
            "cm_act_id": part.part.cm_act_id,
            "containers": part.containers.each_ref().map(|keys| format!("130-{}", keys.serial())),
            "firm_items": items(&part.part.firm_items),
        })
    };
    match document {
        Document::Open(OpenPart { container, issued, issuer }) => json!({
            "kind": "open part",
            "issuer": issuer.to_string(),
            "issued": rfc3339::format(*issued),
            "parts": [container.number],
            "containers": [container.part.name()],
            "cm_act_id": container.part.cm_act_id,
            "firm_items": items(&container.part.firm_items),
        }),
        Document::Bound { part, issuer } => {
            let mut value = bound(part);
            value["kind"] = "bound part".into();
            value["issuer"] = issuer.to_string().into();
            value["parts"] = json!([part.number]);
            value
        }
        Document::Bundle(bundle) => {
            let mut value = bound(&bundle.parts()[0].part);
            value["kind"] = "bundle".into();
            value["issuer"] = bundle.issuer.to_string().into();
            value["group"] = format!("{:032x}", bundle.group.0).into();
            value["parts"] = bundle.parts().iter().map(|one| one.part.number).collect();
            value
        }
        Document::Request(request) => {
            let machines = request.containers().each_ref().map(|one| one.machine());
            let serials = request.containers().each_ref().map(|one| one.keys().serial());
            json!({
                "kind": "request",
                "group": format!("{:032x}", request.group.0),
                "made": rfc3339::format(request.made),
                "containers": serials.map(|serial| format!("130-{serial}")),
                "machines": machines,
            })
        }
    }
}

fn items(items: &[FirmItem]) -> Value {
    let value =
        |item: &FirmItem| serde_json::from_str::<Value>(&item.to_json()).unwrap_or_default();
    items.iter().map(value).collect()
}

fn for_people(value: &Value) -> String {
    let mut out = format!("{}\n", value["file"].as_str().unwrap_or_default());
    let mut line = |name: &str, shown: String| out.push_str(&format!("  {name:23}{shown}\n"));
    for name in ["kind", "issuer", "group", "made", "issued", "issue", "sharing", "parts"] {
        if !value[name].is_null() {
            line(name, plain(&value[name]));
        }
    }
    if value["cm_act_id"].as_u64().is_some_and(|id| id != 0) {
        line("CmActId", plain(&value["cm_act_id"]));
    }
    line("containers", plain(&value["containers"]));
    if !value["machines"].is_null() {
        line("machines", plain(&value["machines"]));
    }
    for item in value["firm_items"].as_array().into_iter().flatten() {
        line("FirmCode", format!("{} {}", plain(&item["FirmCode"]), plain(&item["FirmItemText"])));
        for product in item["Products"].as_array().into_iter().flatten() {
            line("", String::new());
            for (name, of) in product.as_object().into_iter().flatten() {
                if of != "" {
                    line(name, plain(of));
                }
            }
        }
    }
    // A line without a value would end in spaces.
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Returns a JSON value without quotes and brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, of)| format!("{key} {}", plain(of)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

fn verify(options: &Verify) -> Outcome {
    let issuers = options.issuer.iter().map(|path| files::issuer_key(path));
    let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
    let request = options.request.as_deref().map(issue::request).transpose()?;
    let folder = options.container.as_deref().map(container::key_of);
    let identity = folder.as_deref().map(container::read).transpose()?;
    let mut wrong = 0;
    for path in &options.files {
        let checked = read(path, Some(&issuers)).and_then(|document| {
            fits(&document, request.as_ref(), identity.as_ref())
                .map(|()| row(&document))
                .map_err(|what| files::wrong(path, what))
        });
        match checked {
            Ok(row) => stdout::line(format!(
                "{}: good: {} {}, container {}",
                files::shown(path),
                row.kind,
                row.parts,
                row.containers
            ))?,
            Err(failure) => {
                wrong += 1;
                note!("{failure}");
            }
        }
    }
    match (wrong, options.files.len()) {
        (0, _) => Ok(()),
        (1, 1) => Err(Failure::failed("the file is not good")),
        (wrong, all) => Err(Failure::failed(format!("{wrong} of {all} files are not good"))),
    }
}

/// Checks for whom a file is; says in words why it is for others.
fn fits(
    document: &Document,
    request: Option<&LicenceRequest>,
    identity: Option<&ContainerIdentity>,
) -> Result<(), String> {
    let open = matches!(document, Document::Open(_) | Document::Request(_));
    if open && (request.is_some() || identity.is_some()) {
        return Err("it is bound to no container; right would be a bundle or a bound part".into());
    }
    if let Some(request) = request {
        let containers = match document {
            Document::Bundle(bundle) if bundle.group != request.group => {
                return Err(
                    "it was issued for another group than the one that made the request".into()
                );
            }
            Document::Bundle(bundle) => Some(bundle.parts()[0].part.containers),
            Document::Bound { part, .. } => Some(part.containers),
            Document::Open(_) | Document::Request(_) => None,
        };
        if containers.is_some_and(|of| of != request.keys()) {
            return Err("it was issued for other containers than those of the request".into());
        }
    }
    match identity {
        Some(identity) => document.share(identity).map(drop).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

fn export(path: &Path, out: &Path) -> Outcome {
    let Document::Bundle(bundle) = read(path, None)? else {
        return Err(files::wrong(
            path,
            "this is no bundle; right would be what tmrd issue --request makes",
        ));
    };
    std::fs::create_dir_all(out).map_err(|error| files::wrong(out, words(&error)))?;
    let named = |number: u8| out.join(format!("{number}.cmlic"));
    for one in bundle.parts() {
        issue::must_be_new(&named(one.part.number))?;
    }
    for one in bundle.parts() {
        let path = named(one.part.number);
        issue::make(&path, &one.file)?;
        stdout::line(path.display())?;
        note!("part {}: for container {}", one.part.number, one.part.part.name());
    }
    Ok(())
}
