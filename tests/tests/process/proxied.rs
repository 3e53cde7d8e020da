//! The admin page in a folder of a real proxy, nginx as the manual configures it: in a browser, and
//! with what proxies and their clients add to requests.

#![allow(clippy::unwrap_used)]

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tmr_tests::browser::Browser;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, TMR, forget, missing, take, until, watch,
};
use tmr_tests::independent_client::AccessRequest;

const NGINX: &str = "/usr/sbin/nginx";

/// The folder for which the proxy asks for a password of its own.
const GUARDED: &str = "guarded";
/// The folder for which the proxy forwards bodies while it receives them.
const STREAMED: &str = "streamed";

/// An nginx with the pages of a front in its folders. It ends with the test.
struct Proxy {
    child: Child,
    at: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        forget(self.child.id());
    }
}

impl Proxy {
    /// Returns `None` if nginx is not installed.
    fn start(folder: &Path, front: SocketAddr) -> Option<Self> {
        if missing(Path::new(NGINX).exists(), "nginx") {
            return None;
        }
        let folder = folder.join("nginx");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("users"), "alice:{PLAIN}of the proxy\n").unwrap();
        // nginx cannot let the system choose a port, so nginx listens on a Unix socket.
        let socket = folder.join("socket");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        fs::write(folder.join("nginx.conf"), nginx(&folder, &socket, front)).unwrap();
        let mut command = Command::new(NGINX);
        command.arg("-c").arg(folder.join("nginx.conf")).arg("-p").arg(&folder);
        command.arg("-e").arg(folder.join("error.log")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        watch(child.id());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = relay(client, &socket);
            }
        });
        let proxy = Self { child, at };
        until("the proxy to pass something on", || {
            let (head, _) = proxy.ask("GET", "tmrd/healthz", "", "").ok()?;
            head.starts_with("HTTP/1.1 200").then_some(())
        });
        Some(proxy)
    }

    fn url(&self) -> String {
        format!("http://{}/tmrd/", self.at)
    }

    /// Returns the head and the body of an answer.
    fn ask(
        &self,
        method: &str,
        path: &str,
        head: &str,
        body: &str,
    ) -> std::io::Result<(String, String)> {
        let mut socket = TcpStream::connect(self.at)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let at = self.at;
        write!(
            socket,
            "{method} /{path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{head}\r\n{body}"
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Ok((head.to_owned(), body.to_owned()))
    }
}

/// Forwards a connection to nginx, with the client's address before the first byte.
fn relay(client: TcpStream, socket: &Path) -> std::io::Result<()> {
    let (from, to) = (client.peer_addr()?, client.local_addr()?);
    let mut nginx = UnixStream::connect(socket)?;
    // The line is written at once, because nginx expects it in one piece.
    let head = format!("PROXY TCP4 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port());
    nginx.write_all(head.as_bytes())?;
    let (mut ahead, mut back) = (client.try_clone()?, client);
    let mut answers = nginx.try_clone()?;
    thread::spawn(move || {
        let _ = std::io::copy(&mut ahead, &mut nginx);
        let _ = nginx.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// The manual's configuration, three times.
fn nginx(folder: &Path, socket: &Path, front: SocketAddr) -> String {
    let (folder, socket) = (folder.display(), socket.display());
    let place = |name: &str, more: &str| {
        format!(
            "location /{name}/ {{ {more}
               proxy_pass http://{front}/;
               proxy_set_header Host $http_host;
               proxy_set_header X-Forwarded-For $remote_addr;
               proxy_set_header X-Forwarded-Proto $scheme; }}\n"
        )
    };
    let guard = format!("auth_basic \"the proxy\"; auth_basic_user_file {folder}/users;");
    let stream = "proxy_request_buffering off; proxy_http_version 1.1;";
    let places = [place("tmrd", ""), place(GUARDED, &guard), place(STREAMED, stream)].concat();
    let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{ }}\n\
         http {{\naccess_log off;\n{scratch}server {{\nlisten unix:{socket} proxy_protocol;\n\
         set_real_ip_from unix:;\nreal_ip_header proxy_protocol;\n{places}}}\n}}\n"
    )
}

/// A cluster whose front trusts the proxy, and has a password for operators.
fn cluster() -> Cluster {
    let mut cluster = Cluster::start(Runtime::Smol);
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |config| {
        config["WebAdmin"]["TrustedProxies"] = json!(["127.0.0.1"]);
    });
    cluster.activate(0);
    cluster.wait_whole(0);
    cluster.set_password(0, "operator", PASSWORD);
    cluster
}

fn basic(name: &str, password: &str) -> String {
    format!(
        "Authorization: Basic {}\r\n",
        Base64::encode_string(format!("{name}:{password}").as_bytes())
    )
}

#[test]
fn an_operator_works_at_the_page_in_a_folder_of_a_proxys() {
    if missing(Browser::is_there(), "chromium and chromium-driver") {
        return;
    }
    let cluster = cluster();
    let folder = cluster.workshop().folder().to_owned();
    let Some(proxy) = Proxy::start(&folder, cluster.front().admin()) else { return };
    let mut client = cluster.client();
    let handle =
        take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().expect("a seat is free");
    let browser = Browser::start();
    browser.open(&proxy.url());
    browser.shows("#machines", &["this front", "backend 3"]);
    browser.click("#sign");
    browser.write("#ask-password [name=password]", PASSWORD);
    browser.click("#ask-password .main");
    browser.shows("#who", &["operator"]);
    browser.shows("#seats", &[&handle.to_string()]);
    browser.click("#seats button");
    browser.click("#ask-sure .main");
    browser.shows("#seats", &["nobody holds a seat"]);

    let file = folder.join("tmrconf-0.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    config["CmServer"]["NetworkRetryIntervalInSeconds"] = 3.into();
    let script = format!(
        "const area = document.querySelector('#config textarea'); area.value = {}; \
         area.dispatchEvent(new Event('input'))",
        json!(format!("{config:#}"))
    );
    let _ = browser.run(&script);
    browser.click("#config .actions .main");
    browser.shows("#config-said", &["stored, and in force"]);
    browser.shows("#audit", &["change the configuration", "take back handle", "127.0.0.1"]);
    browser.click("#sign");
    browser.shows("#sign", &["sign in"]);
}

#[test]
fn a_password_of_the_proxys_is_not_compared_with_those_of_the_front() {
    let cluster = cluster();
    let folder = cluster.workshop().folder().to_owned();
    let Some(proxy) = Proxy::start(&folder, cluster.front().admin()) else { return };
    let path = |name: &str, page: &str| format!("{name}/{page}");
    for _ in 0..20 {
        for page in ["metrics", "api/status", "", "api/session"] {
            let alice = basic("alice", "of the proxy");
            let (head, _) = proxy.ask("GET", &path(GUARDED, page), &alice, "").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 "), "{page}: {head}");
        }
    }
    let (head, _) = proxy.ask("GET", &path(GUARDED, "metrics"), "", "").unwrap();
    assert!(head.starts_with("HTTP/1.1 401 ") && head.contains("the proxy"), "{head}");
    // The password does not make anyone an operator either.
    let change =
        format!("X-Tmr-Admin: 1\r\nContent-Length: 0\r\n{}", basic("alice", "of the proxy"));
    let (head, _) = proxy.ask("POST", &path(GUARDED, "api/activate"), &change, "").unwrap();
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let change = format!("X-Tmr-Admin: 1\r\nContent-Length: 0\r\n{}", basic("operator", PASSWORD));
    let (head, _) = proxy.ask("POST", "tmrd/api/activate", &change, "").unwrap();
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
}

#[test]
fn a_body_in_chunks_is_taken_whole_from_a_proxy_and_refused_in_words_as_it_is() {
    let cluster = cluster();
    let folder = cluster.workshop().folder().to_owned();
    let Some(proxy) = Proxy::start(&folder, cluster.front().admin()) else { return };
    let head =
        format!("X-Tmr-Admin: 1\r\nTransfer-Encoding: chunked\r\n{}", basic("operator", PASSWORD));
    let body = "10\r\n{\"handle\": 12345\r\n1\r\n}\r\n0\r\n\r\n";
    let (answer, said) = proxy.ask("POST", "tmrd/api/release", &head, body).unwrap();
    assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}\n{said}");
    let path = format!("{STREAMED}/api/release");
    // The head reaches the front before the body exists.
    let (answer, said) = proxy.ask("POST", &path, &head, "").unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 411 ") && said.contains("Content-Length"),
        "{answer}\n{said}"
    );
}
