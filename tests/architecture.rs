//! Holds the plan of the house against the code: imports point down, never up or sideways.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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
    (5, "codec"),
    (5, "cookie"),
    (6, "django"),
    (6, "manager"),
    (7, "handle"),
    (8, "tower"),
    (8, "actix"),
    (9, "axum"),
];

/// Rooms that a line of code names, as `crate::room` or in braces behind `crate::`.
fn rooms_named(code: &str) -> Vec<String> {
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
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

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
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
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.strip_suffix(".rs").unwrap_or_else(|| panic!("{name} is no Rust file"));
        assert!(room == "lib" || floors().contains_key(room), "{name} is not in the plan");
        let source = source(&name);
        let first = source.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.ends_with('.'), "{name} opens with {first:?}");
        files += 1;
    }
    assert_eq!(files, HOUSE.len() + 1);
}
