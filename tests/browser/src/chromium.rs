//! Finds Chromium on this machine and starts it, with an empty profile and without a window.

use std::cell::RefCell;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use crate::Visitor;
use crate::devtools::DevTools;

/// The variable that names another Chromium than the one on the `PATH`.
const VARIABLE: &str = "SIGNED_SESSION_CHROMIUM";

/// The names under which systems install it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

const FLAGS: [&str; 13] = [
    "--headless",
    // Containers give it none of what its sandbox is made of; it sees nothing but our own pages.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    // How dates are typed depends on the language.
    "--lang=en-US",
    // It chooses a free port of 127.0.0.1.
    "--remote-debugging-port=0",
    "about:blank",
];

/// The browser.
pub struct Chromium {
    devtools: Rc<RefCell<DevTools>>,
    browser: Child,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is none on this machine, or if it does not start.
    pub fn start() -> Self {
        let path = find();
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let mut browser = Command::new(&path)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(FLAGS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", path.display()));
        let mut lines = BufReader::new(browser.stderr.take().expect("it is piped")).lines();
        let mut said = Vec::new();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.strip_prefix("DevTools listening on ").map(str::to_owned);
            said.push(line);
            url
        });
        let Some(url) = url else {
            let _ = browser.kill();
            let _ = browser.wait();
            panic!("{} ended at once:\n{}", path.display(), said.join("\n"));
        };
        // It must not be stopped by a full pipe.
        thread::spawn(move || lines.for_each(drop));
        let devtools = Rc::new(RefCell::new(DevTools::connect(&url)));
        Self { devtools, browser, _profile: profile }
    }

    /// Lets a person in, who shares nothing with the others.
    ///
    /// # Panics
    ///
    /// If Chromium opens no tab.
    pub fn visitor(&self) -> Visitor {
        let call = |method, params| {
            let answer = self.devtools.borrow_mut().call(None, method, params);
            answer.unwrap_or_else(|error| panic!("{method}: {error}"))
        };
        let context = call("Target.createBrowserContext", json!({}));
        let tab = call(
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        );
        let session =
            call("Target.attachToTarget", json!({ "targetId": tab["targetId"], "flatten": true }));
        let session = session["sessionId"].as_str().expect("a session has a name").to_owned();
        Visitor::new(Rc::clone(&self.devtools), session)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

fn find() -> PathBuf {
    if let Some(path) = env::var_os(VARIABLE) {
        return path.into();
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
    NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "the browser tests need Chromium: `apt-get install chromium`, or set {VARIABLE} \
                 to the path of a Chromium or Chrome"
            )
        })
}
