//! Asks Django whether a path that may follow `?next=` leads elsewhere.

use signed_session::local_path;

use crate::random::Random;
use crate::run::BESIDE;

/// What browsers, Django or this crate read in their own way.
const PARTS: &[&str] = &[
    "/",
    "/",
    "/",
    "\\",
    "//",
    "a",
    "..",
    ":",
    "http:",
    "javascript:",
    "@",
    "evil.example",
    "?",
    "#",
    "%2f",
    "%5c",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "\u{1f}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{e9}",
    "\u{ff0f}",
    "\u{feff}",
    "[",
    "]",
    "[::1]",
];

pub fn path(random: &mut Random) -> String {
    let slash = if random.once_in(4) { "" } else { "/" };
    let parts = (0..random.below(6)).map(|_| *random.pick(PARTS));
    slash.chars().map(String::from).chain(parts.map(str::to_owned)).collect()
}

#[test]
fn no_path_is_local_that_leads_elsewhere_by_django() {
    BESIDE.on_every_django(9, |worker, cases| {
        let paths: Vec<String> = cases.iter_mut().map(|case| path(&mut case.random)).collect();
        let verdicts: Vec<bool> = worker.ask("is_local", &paths);
        let mut both = 0;
        for ((case, path), is_local) in cases.iter().zip(&paths).zip(verdicts) {
            match (local_path(path).is_some(), is_local) {
                (true, false) => case.fail(format_args!("{path:?} leads elsewhere")),
                (true, true) => both += 1,
                // Django also takes relative ones, refuses fewer characters, and takes an empty host.
                (false, true) => {
                    let is_odd = |char: char| char == '\\' || char.is_control();
                    let is_plain = path.starts_with('/') && !path.starts_with("//");
                    if is_plain && !path.contains(is_odd) {
                        case.fail(format_args!("{path:?} stays here"));
                    }
                }
                (false, false) => {}
            }
        }
        assert!(both * 20 >= cases.len(), "only {both} of {} paths are local", cases.len());
    });
}
