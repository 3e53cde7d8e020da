//! A real browser in headless mode. The WebDriver client here has only what the tests of the admin
//! page need, and drives Debian's chromedriver.
//!
//! What never lives here: expectations about the page.

mod wire;

use crate::harness::{guardian, until};
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

const DRIVER: &str = "/usr/bin/chromedriver";
const BROWSER: &str = "/usr/bin/chromium";

/// A browser with one window. Dropping this value ends the browser.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    at: SocketAddr,
    session: String,
    /// The folder for temporary files of the browser, which is removed at the end.
    folder: PathBuf,
}

impl Browser {
    /// Returns whether chromedriver and chromium are installed.
    #[must_use]
    pub fn is_there() -> bool {
        [DRIVER, BROWSER].iter().all(|path| Path::new(path).exists())
    }

    /// Starts a browser.
    ///
    /// # Panics
    /// The browser does not start.
    #[must_use]
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name =
            format!("tmr-browser-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        let mut command = Command::new(DRIVER);
        // The driver and the browser leave files in this folder.
        command.env("TMPDIR", &folder);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("chromedriver starts");
        guardian::watch(driver.id());
        let out = BufReader::new(driver.stdout.take().expect("its output is a pipe"));
        let mut lines = out.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = line.split_once("started successfully on port ")?.1;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        // The driver continues to write, and would block if its output were not read.
        thread::spawn(move || lines.for_each(drop));
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("chromedriver says its port")));
        let options = json!({
            "binary": BROWSER,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--force-prefers-reduced-motion",
                     "--window-size=1280,1000"],
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true, "goog:chromeOptions": options } } });
        let answer = wire::post(at, "/session", &wanted).expect("chromium starts");
        let session = answer["sessionId"].as_str().expect("a session has a name").to_owned();
        Self { driver, at, session, folder }
    }

    fn tell(&self, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        wire::post(self.at, &path, body).unwrap_or_else(|error| panic!("{what} {body}: {error}"))
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.tell("url", &json!({ "url": url }));
    }

    /// Runs a script in the page, and returns its result.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Returns the visible text of the element that a selector finds; `None` if there is no such
    /// element, or it is hidden.
    #[must_use]
    pub fn text(&self, selector: &str) -> Option<String> {
        let script = format!(
            "const it = document.querySelector({}); \
             return it && it.checkVisibility() ? it.innerText : null",
            json!(selector)
        );
        self.run(&script).as_str().map(ToOwned::to_owned)
    }

    /// Waits until the text of an element contains all these words.
    ///
    /// # Panics
    /// The text does not contain them within a minute.
    #[track_caller]
    pub fn shows(&self, selector: &str, words: &[&str]) {
        until(&format!("{selector} to show {words:?}"), || {
            let text = self.text(selector)?.to_lowercase();
            words.iter().all(|word| text.contains(&word.to_lowercase())).then_some(())
        });
    }

    /// Waits until an element is removed or hidden.
    ///
    /// # Panics
    /// The element is still visible after a minute.
    #[track_caller]
    pub fn hides(&self, selector: &str) {
        until(&format!("{selector} to be hidden"), || self.text(selector).is_none().then_some(()));
    }

    fn element(&self, selector: &str) -> String {
        until(&format!("{selector} to be there"), || self.text(selector));
        let found = self.tell("element", &json!({ "using": "css selector", "value": selector }));
        let name = found.as_object().and_then(|found| found.values().next()?.as_str());
        name.expect("an element has a name").to_owned()
    }

    /// Clicks on an element as a user does, so the element must be visible and not covered.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let script = format!(
            "document.querySelector({}).scrollIntoView({{block: 'center'}})",
            json!(selector)
        );
        let element = self.element(selector);
        let _ = self.run(&script);
        self.tell(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into an element; `\u{e007}` is the Enter key.
    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.tell(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Sets the size of the page, in CSS pixels.
    pub fn width(&self, width: u32, height: u32) {
        let parameters = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.develop("Emulation.setDeviceMetricsOverride", &parameters);
    }

    /// Sets the colour scheme that the browser prefers to dark or light.
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.develop("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    fn develop(&self, command: &str, parameters: &Value) {
        self.tell("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Writes a picture of the visible page into a PNG file.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn picture(&self, file: &Path) {
        let path = format!("/session/{}/screenshot", self.session);
        let answer = wire::get(self.at, &path).expect("a picture");
        let coded = answer.as_str().expect("a picture is text");
        let bytes = Base64::decode_vec(coded).expect("a picture is base64");
        fs::write(file, bytes).expect("a picture can be written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() {
            let script = "return document.body ? document.body.innerText : ''";
            let wanted = json!({ "script": script, "args": [] });
            let path = format!("/session/{}/execute/sync", self.session);
            if let Ok(Value::String(text)) = wire::post(self.at, &path, &wanted) {
                eprintln!("--- the page:\n{text}");
            }
        }
        // The session is ended first, because the browser is a child of the driver and would
        // outlive it.
        let _ = wire::delete(self.at, &format!("/session/{}", self.session));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        guardian::forget(self.driver.id());
        let _ = fs::remove_dir_all(&self.folder);
    }
}
