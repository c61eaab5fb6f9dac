//! Holds the plan of the house against the code: imports point down, never up or sideways.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room with its floor, from the ground up. `lib.rs` lists the rooms in this order.
const HOUSE: &[(u32, &str)] = &[
    (0, "error"),
    (0, "base62"),
    (0, "finite"),
    (0, "scratch"),
    (1, "age"),
    (1, "json"),
    (1, "key"),
    (1, "payload"),
    (2, "signer"),
    (3, "timestamp"),
    (3, "expiry"),
    (4, "session"),
    (4, "unverified"),
    (4, "cookie_signer"),
    (5, "auth"),
    (5, "codec"),
    (5, "cookie"),
    (6, "manager"),
    (6, "signed_cookie"),
    (7, "handle"),
    (7, "messages"),
    (8, "settings"),
    (8, "tower"),
    (8, "actix"),
    (9, "axum"),
    (9, "django"),
    (9, "guide"),
];

/// The rooms of the command line, which is a crate of its own, in the same way. `cli/mod.rs` lists them.
const CLI: &[(u32, &str)] = &[
    (0, "say"),
    (0, "moment"),
    (0, "json"),
    (0, "salt"),
    (0, "lines"),
    (1, "failure"),
    (1, "args"),
    (2, "keys"),
    (2, "form"),
    (2, "pipe"),
    (3, "verify"),
    (4, "answer"),
    (4, "causes"),
    (5, "output"),
    (5, "suspects"),
    (6, "bulk"),
    (6, "make"),
    (6, "inspect"),
    (6, "explain"),
    (6, "shell"),
    (7, "check"),
];

/// Rooms that a line of code names, as `crate::room` or in braces behind `crate::`.
fn rooms_named(code: &str) -> Vec<String> {
    named_behind("crate::", code)
}

/// What a line of code names behind a path, by itself or in braces.
fn named_behind(path: &str, code: &str) -> Vec<String> {
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut named = Vec::new();
    for (at, _) in code.match_indices(path) {
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            // A group of rooms: each item begins with one, outside of inner braces.
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => named.push(word(std::mem::take(&mut item).trim())),
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                named.push(word(item.trim()));
            }
            None => named.push(word(rest)),
        }
    }
    named.retain(|room| !room.is_empty());
    named
}

/// What is wrong with the imports of one room.
fn faults(room: &str, source: &str, floors: &BTreeMap<&str, u32>) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut faults = Vec::new();
    if code.contains("super::super") || code.contains("use self::") {
        faults.push(format!("{room} names other rooms by a relative path"));
    }
    for named in rooms_named(&code) {
        match floors.get(named.as_str()) {
            None => faults.push(format!("{room} imports {named}, which is no room")),
            Some(floor) if *floor >= floors[room] => {
                faults.push(format!("{room} (floor {}) imports {named} ({floor})", floors[room]));
            }
            Some(_) => {}
        }
    }
    faults
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn source(file: &str) -> String {
    let path = path("src").join(file.trim_start_matches('/'));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn floors() -> BTreeMap<&'static str, u32> {
    HOUSE.iter().map(|(floor, room)| (*room, *floor)).collect()
}

#[test]
fn imports_point_down() {
    let floors = floors();
    let found: Vec<String> = HOUSE
        .iter()
        .flat_map(|(_, room)| faults(room, &source(&format!("{room}.rs")), &floors))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_import_that_points_up_or_sideways_or_nowhere_is_found() {
    let floors = floors();
    for (room, code) in [
        ("signer", "use crate::codec::SessionCodec;"),
        ("signer", "fn f() { crate::timestamp::age() }"),
        ("json", "use crate::payload;"),
        ("json", "use crate::{error::{DecodeError, EncodeError}, session::Session};"),
        ("cookie", "use crate::codec::SESSION_SALT;"),
        ("key", "use crate::Signer;"),
    ] {
        assert_eq!(faults(room, code, &floors).len(), 1, "{room}: {code}");
    }
    for (room, code) in [
        ("signer", "use crate::{error::{DecodeError, EncodeError}, key::Keyring};"),
        ("json", "/// See [`Signer`](crate::Signer).\nuse crate::error::DecodeError;"),
    ] {
        assert!(faults(room, code, &floors).is_empty(), "{room}: {code}");
    }
}

#[test]
fn the_library_lists_its_rooms_in_floor_order() {
    let lib = source("lib.rs");
    let listed: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod "))
        .filter_map(|line| line.strip_suffix(';'))
        .collect();
    let house: Vec<&str> = HOUSE.iter().map(|(_, room)| *room).collect();
    assert_eq!(listed, house);
    assert!(HOUSE.is_sorted_by_key(|(floor, _)| *floor));
}

#[test]
fn every_file_is_a_room_and_opens_with_one_sentence() {
    for (directory, rooms, others) in [("", HOUSE, &["lib", "main"][..]), ("cli", CLI, &["mod"])] {
        let mut files = 0;
        for entry in fs::read_dir(path("src").join(directory)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                assert_eq!((directory, name.as_str()), ("", "cli"));
                continue;
            }
            let room = name.strip_suffix(".rs").unwrap_or_else(|| panic!("{name} is no Rust file"));
            let is_room = rooms.iter().any(|(_, known)| *known == room);
            assert!(is_room || others.contains(&room), "{name} is not in the plan");
            let source = source(&format!("{directory}/{name}"));
            let first = source.lines().next().unwrap_or_default();
            let is_sentence = first.starts_with("//! ") && first.ends_with('.');
            assert!(is_sentence, "{name} opens with {first:?}");
            files += 1;
        }
        assert_eq!(files, rooms.len() + others.len());
    }
}

/// What is wrong with the imports of one room of the command line.
fn faults_of_cli(room: &str, source: &str) -> Vec<String> {
    let floor = |name: &str| CLI.iter().find(|(_, room)| *room == name).map(|(floor, _)| *floor);
    let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut faults = Vec::new();
    for (way, what) in [
        ("#[path", "a room by its path"),
        ("include!", "a file"),
        ("super::", "a relative path"),
        ("extern crate", "a crate"),
    ] {
        if code.contains(way) {
            faults.push(format!("{room} names {what}"));
        }
    }
    // From the crate only the command line itself can be named: the library is `signed_session`.
    let rooms = rooms_named(&code);
    faults.extend(
        rooms.iter().filter(|named| *named != "cli").map(|named| format!("{room}: {named}")),
    );
    for named in named_behind("crate::cli::", &code) {
        match floor(&named) {
            Some(lower) if floor(room).is_none_or(|floor| lower < floor) => {}
            _ => faults.push(format!("{room} imports {named}")),
        }
    }
    faults
}

#[test]
fn the_command_line_stands_on_the_public_library_alone_and_its_imports_point_down() {
    let faults: Vec<String> = CLI
        .iter()
        .flat_map(|(_, room)| faults_of_cli(room, &source(&format!("cli/{room}.rs"))))
        .chain(faults_of_cli("mod", &source("cli/mod.rs")))
        .chain(faults_of_cli("main", &source("main.rs")))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    for (room, code) in [
        ("say", "use crate::cli::failure::Failure;"),
        ("suspects", "use crate::cli::explain::explain;"),
        ("salt", "use crate::codec::SESSION_SALT;"),
        ("salt", "#[path = \"../codec.rs\"]"),
        ("salt", "include!(\"../codec.rs\");"),
        ("check", "use super::bulk;"),
    ] {
        assert_eq!(faults_of_cli(room, code).len(), 1, "{room}: {code}");
    }
    let listed: Vec<String> = source("cli/mod.rs")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert_eq!(listed, CLI.iter().map(|(_, room)| *room).collect::<Vec<_>>());
    assert!(CLI.is_sorted_by_key(|(floor, _)| *floor));
}
