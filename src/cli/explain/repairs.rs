//! Undoes the accidents that happen to a token on its way: quotes, percent-encoding, line breaks.

use crate::cli::form;

/// A repair: its name, what it finds, and the repair itself.
pub(crate) type Repair = (&'static str, &'static str, fn(&str) -> String);

/// In the order in which accidents are undone, the outermost first.
pub(crate) const REPAIRS: [Repair; 10] = [
    ("white_space", "white space around it", |text| text.trim().to_owned()),
    ("quotes", "quotes around it", unquote),
    ("percent_encoding", "percent-encoding", percent_decode),
    ("percent_encoding", "percent-encoding a second time", percent_decode),
    ("quotes", "quotes inside the encoding", unquote),
    ("line_breaks", "white space or line breaks inside it", |text| {
        text.split_whitespace().collect()
    }),
    ("backslashes", "backslashes", |text| text.replace('\\', "")),
    ("punctuation", "punctuation after it", |text| {
        text.trim_end_matches([';', ',', '.']).to_owned()
    }),
    ("padding", "the padding of base64", |text| text.replace('=', "")),
    ("alphabet", "the + and / of the other base64", |text| {
        text.replace('+', "-").replace('/', "_")
    }),
];

fn unquote(text: &str) -> String {
    let pairs = [("\"", "\""), ("'", "'"), ("`", "`"), ("\u{201c}", "\u{201d}"), ("b'", "'")];
    let inner = |(open, close): (&str, &str)| text.strip_prefix(open)?.strip_suffix(close);
    match form::unquote(text) {
        Some(inner) => inner,
        None => pairs.into_iter().find_map(inner).unwrap_or(text).to_owned(),
    }
}

fn percent_decode(text: &str) -> String {
    form::percent_decode(text).unwrap_or_else(|| text.to_owned())
}
