//! Checks in Chromium that no path is local that leads to another site.
//!
//! The oracle is where Chromium would go: a URL that is resolved as a redirect's is.

use std::fmt::Write as _;

use signed_session::local_path;
use signed_session_browser_tests::{Chromium, serve};

/// What browsers read in their own way: slashes, what they drop, and what begins a host.
const PARTS: [&str; 18] = [
    "/",
    "\\",
    "a",
    "..",
    ".",
    ":",
    "http:",
    "@",
    "evil.example",
    "?",
    "#",
    "%2f",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{85}",
    "\u{ff0f}",
];

/// Every path of a slash or none, and up to four parts.
fn paths() -> Vec<String> {
    let mut paths = vec![String::new(), "/".to_owned()];
    let mut last = paths.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|path| PARTS.iter().map(move |part| format!("{path}{part}")))
            .collect();
        paths.extend(last.iter().cloned());
    }
    paths
}

#[test]
fn no_local_path_leaves_the_site() {
    let chromium = Chromium::start();
    let visitor = chromium.visitor();
    visitor.open(&serve("<p>a page of this site</p>".to_owned()));
    let local: Vec<String> =
        paths().into_iter().filter(|path| local_path(path).is_some()).collect();
    let elsewhere: Vec<&str> = local
        .chunks(2_000)
        .flat_map(|chunk| {
            let mut list = String::new();
            for path in chunk {
                write!(list, "{},", serde_json::to_string(path).expect("it is text")).expect("it is a string");
            }
            let found = visitor.read(&format!(
                "[{list}].map(path => new URL(path, location.href).origin === location.origin ? 0 : 1).join('')"
            ));
            assert_eq!(found.len(), chunk.len(), "Chromium judged every path");
            let wrong = chunk.iter().zip(found.into_bytes()).filter(|(_, found)| *found == b'1');
            wrong.map(|(path, _)| path.as_str()).collect::<Vec<_>>()
        })
        .collect();
    assert!(local.len() > 10_000, "there are {} local paths", local.len());
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    // The oracle can say no.
    let found =
        visitor.read("String(new URL('//evil.example', location.href).origin === location.origin)");
    assert_eq!(found, "false");
}
