//! Does what a person does with a page, and reads what it says.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;

use serde_json::{Value, json};

use crate::devtools::DevTools;
use crate::until;

/// A person at the browser, with cookies of their own.
pub struct Visitor {
    devtools: Rc<RefCell<DevTools>>,
    session: String,
}

impl Visitor {
    pub(crate) fn new(devtools: Rc<RefCell<DevTools>>, session: String) -> Self {
        let visitor = Self { devtools, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            visitor.call(&format!("{domain}.enable"), json!({}));
        }
        // Several visitors share a browser, and each is to have a focus.
        visitor.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        visitor
    }

    // How the page is seen.

    /// Switches JavaScript off.
    pub fn forbid_javascript(&self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// Gives the screen another size, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// Asks for the colours of the night.
    pub fn prefer_dark(&self) {
        self.prefer(true);
    }

    /// Asks for the colours of the night, or of the day.
    pub fn prefer(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let scheme = json!({ "name": "prefers-color-scheme", "value": value });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [scheme] }));
    }

    // What a person does.

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.leave(|| self.call("Page.navigate", json!({ "url": url })));
    }

    /// Opens an address for which `serve` answers 204 on this thread, so that the page stays.
    ///
    /// Returns when Chromium has the head of the response and has dealt with its cookies.
    ///
    /// # Panics
    ///
    /// If Chromium gets no such answer.
    pub fn open_served<T>(&self, url: &str, serve: impl FnOnce() -> T) -> T {
        let navigate = json!({ "url": url });
        let id = self.devtools.borrow_mut().send(Some(&self.session), "Page.navigate", navigate);
        let served = serve();
        let answer = self.devtools.borrow_mut().answer(id);
        let answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(answer["errorText"], "net::ERR_ABORTED", "{url} leads to another page");
        served
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.leave(|| self.call("Page.reload", json!({})));
    }

    /// Clicks the button of this name, and waits for the page that it leads to.
    pub fn click(&self, button: &str) {
        self.leave(|| {
            self.click_at(&format!(
                "//button[@aria-label='{button}' or not(@aria-label) and \
                 normalize-space()='{button}'] | //input[@type='submit' and @value='{button}']"
            ));
        });
    }

    /// Clicks the box of this label.
    pub fn tick(&self, label: &str) {
        self.click_at(&field(label));
    }

    /// Unfolds what has this summary.
    pub fn unfold(&self, summary: &str) {
        self.click_at(&format!("//summary[normalize-space()='{summary}']"));
    }

    /// Clicks into the field of this label and types.
    pub fn fill(&self, label: &str, text: &str) {
        self.click_at(&field(label));
        self.type_text(text);
    }

    /// Clicks into the field of this label and pastes, for what nobody types.
    pub fn paste(&self, label: &str, text: &str) {
        self.click_at(&field(label));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Pastes what was copied where the focus is.
    pub fn paste_what_was_copied(&self) {
        let key = json!({ "key": "v", "code": "KeyV", "modifiers": 2, "commands": ["paste"] });
        self.press_as(key);
    }

    /// Types where the focus is.
    pub fn type_text(&self, text: &str) {
        for character in text.chars() {
            let key = character.to_string();
            self.press_as(json!({ "key": key, "text": key }));
        }
    }

    /// Presses Tab.
    pub fn press_tab(&self) {
        self.press_as(json!({ "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 }));
    }

    /// Presses Enter.
    pub fn press_enter(&self) {
        self.press_as(
            json!({ "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" }),
        );
    }

    /// Presses the space bar.
    pub fn press_space(&self) {
        self.press_as(
            json!({ "key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " " }),
        );
    }

    /// Presses Enter, and waits for the page that it leads to.
    pub fn enter(&self) {
        self.leave(|| self.press_enter());
    }

    /// Presses Tab until the focus is on what has this name.
    ///
    /// # Panics
    ///
    /// If it comes by nothing of this name.
    pub fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        while passed.len() < 60 {
            self.press_tab();
            let focused = self.focused();
            if focused == name {
                return;
            }
            passed.push(focused);
        }
        panic!("Tab does not lead to {name:?}, but to {passed:?}");
    }

    // What a person sees.

    /// Returns the name of what has the focus, as a screen reader says it.
    pub fn focused(&self) -> String {
        self.read(
            "(focused => focused.ariaLabel || focused.labels?.[0]?.innerText || focused.innerText)\
             (document.activeElement)",
        )
    }

    /// Returns role and name of all that a screen reader finds on the page, in its order.
    pub fn heard(&self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().into_iter().flatten();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        nodes
            .filter(|node| node["ignored"] != true)
            .map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    /// Returns the visible text of what a CSS selector finds first.
    ///
    /// # Panics
    ///
    /// If it finds nothing.
    pub fn text(&self, selector: &str) -> String {
        assert!(self.sees(selector), "there is no {selector} on the page");
        self.read(&format!("document.querySelector('{selector}').innerText"))
    }

    /// Returns `true` if a CSS selector finds anything.
    pub fn sees(&self, selector: &str) -> bool {
        self.read(&format!("`${{document.querySelectorAll('{selector}').length}}`")) != "0"
    }

    /// Returns what an expression says of the page, as text.
    ///
    /// # Panics
    ///
    /// If it says anything but text.
    pub fn read(&self, expression: &str) -> String {
        self.try_read(expression).unwrap_or_else(|| panic!("no text: {expression}"))
    }

    /// Returns `true` if the browser has a cookie for the page, including one that scripts cannot see.
    pub fn holds_a_cookie(&self) -> bool {
        self.cookies() != json!([])
    }

    /// Returns the page's cookie of this name as Chromium has it: `value`, `httpOnly`, …
    pub fn cookie(&self, name: &str) -> Option<Value> {
        self.cookies().as_array()?.iter().find(|cookie| cookie["name"] == name).cloned()
    }

    /// Returns what the page complained of so far: errors, warnings, and all else on its console.
    pub fn complaints(&self) -> Vec<String> {
        self.events(|event| {
            ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"]
                .contains(&event["method"].as_str()?)
                .then(|| event["params"].to_string())
        })
    }

    /// Returns the addresses that the page asked for so far.
    pub fn requests(&self) -> Vec<String> {
        self.events(|event| {
            (event["method"] == "Network.requestWillBeSent").then_some(())?;
            event["params"]["request"]["url"].as_str().map(str::to_owned)
        })
    }

    /// Returns the `Set-Cookie:` lines that came so far.
    pub fn set_cookies(&self) -> Vec<String> {
        self.events(|event| {
            (event["method"] == "Network.responseReceivedExtraInfo").then_some(())?;
            let headers = event["params"]["headers"].as_object()?;
            let mut headers = headers.iter();
            let (_, lines) = headers.find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))?;
            lines.as_str().map(str::to_owned)
        })
    }

    // How it is done.

    /// Acts, and waits until another page is there, as a whole and on the screen.
    ///
    /// Before it is painted Chromium drops clicks on it: nobody can have aimed at anything.
    fn leave<T>(&self, act: impl FnOnce() -> T) {
        let former = self.read("`${performance.timeOrigin}`");
        act();
        let is_another = format!(
            "`${{performance.timeOrigin != {former} && document.readyState == 'complete'
                && performance.getEntriesByName('first-contentful-paint').length == 1}}`"
        );
        until("another page", || (self.try_read(&is_another)? == "true").then_some(()));
    }

    /// Clicks in the middle of what an XPath finds first, if nothing lies over it.
    fn click_at(&self, path: &str) {
        let place = self.read(&format!(
            "(element => {{
                if (!element) return 'nothing is there';
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = element.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                const top = document.elementFromPoint(x, y);
                return element.contains(top) ? `${{x}} ${{y}}` : `${{top?.outerHTML}} is over it`;
            }})(document.evaluate({}, document, null, 9).singleNodeValue)",
            json!(path)
        ));
        let parse = || {
            let (x, y) = place.split_once(' ')?;
            Some((x.parse::<f64>().ok()?, y.parse::<f64>().ok()?))
        };
        let (x, y) = parse().unwrap_or_else(|| panic!("{path} cannot be clicked: {place}"));
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            self.call(
                "Input.dispatchMouseEvent",
                json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 }),
            );
        }
    }

    fn press_as(&self, key: Value) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = key.clone();
            event["type"] = kind.into();
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    fn try_read(&self, expression: &str) -> Option<String> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let answer =
            self.devtools.borrow_mut().call(Some(&self.session), "Runtime.evaluate", params);
        answer.ok()?["result"]["value"].as_str().map(str::to_owned)
    }

    fn events(&self, pick: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        // Events come with answers: one more brings what is on its way.
        self.call("Runtime.evaluate", json!({ "expression": "0" }));
        self.devtools.borrow().events(&self.session).filter_map(pick).collect()
    }

    fn cookies(&self) -> Value {
        self.call("Network.getCookies", json!({}))["cookies"].take()
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.devtools.borrow_mut().call(Some(&self.session), method, params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

/// Says what was on the screen when a test failed.
impl Drop for Visitor {
    fn drop(&mut self) {
        if thread::panicking() {
            let page = self.try_read("document.body.innerText").unwrap_or_default();
            eprintln!("--- on the screen:\n{page}\n---");
        }
    }
}

/// Sees that these words are in the visible text of what a CSS selector finds first.
///
/// # Panics
///
/// If they are not.
#[track_caller]
pub fn check_says(visitor: &Visitor, selector: &str, words: &str) {
    let text = visitor.text(selector);
    assert!(text.contains(words), "{selector} says {text:?}, and not {words:?}");
}

/// Writes how to find the field that belongs to a label.
fn field(label: &str) -> String {
    format!(
        "//*[@id=//label[normalize-space()='{label}']/@for] \
         | //label[normalize-space()='{label}']//input"
    )
}
