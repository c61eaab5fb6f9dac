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

/// The layers of the command line, which is a crate of its own, from the lowest to the highest.
///
/// A directory's name stands for its `mod.rs`, and for those of its files that are not listed.
const CLI: &[&[&str]] = &[
    &["json", "moment", "say", "signature", "check/lines"],
    &["failure"],
    &["salt", "stdio"],
    &["args", "usage"],
    &["form", "keys", "verdict"],
    &["tally", "verify"],
    &["check/answers", "explain/causes", "explain/repairs"],
    &["check/output", "explain/guess", "explain/report", "explain/suspects"],
    &["check/workers", "explain/search"],
    &["check", "explain"],
    &["commands"],
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
    let others = ["lib", "main"];
    let mut files = 0;
    for entry in fs::read_dir(path("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            assert_eq!(name, "cli");
            continue;
        }
        let room = name.strip_suffix(".rs").unwrap_or_else(|| panic!("{name} is no Rust file"));
        let is_room = HOUSE.iter().any(|(_, known)| *known == room);
        assert!(is_room || others.contains(&room), "{name} is not in the plan");
        assert_opens_with_one_sentence(&name);
        files += 1;
    }
    assert_eq!(files, HOUSE.len() + others.len());
}

fn assert_opens_with_one_sentence(file: &str) {
    let source = source(file);
    let first = source.lines().next().unwrap_or_default();
    assert!(first.starts_with("//! ") && first.ends_with('.'), "{file} opens with {first:?}");
}

/// A module of the command line: `form`, `check/lines`, or nothing for `cli/mod.rs` itself.
struct Module {
    name: String,
    /// Its file beneath `src`.
    file: String,
}

/// Lists the modules of the command line, as the files are.
fn modules_of_cli() -> Vec<Module> {
    let mut modules = Vec::new();
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(path("src/cli").join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let name = directory.clone() + &entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(name + "/");
                continue;
            }
            let module = name.strip_suffix(".rs").unwrap_or_else(|| panic!("{name} is not Rust"));
            let module = module.strip_suffix("mod").unwrap_or(module).trim_end_matches('/');
            modules.push(Module { name: module.to_owned(), file: format!("cli/{name}") });
        }
    }
    modules
}

/// Returns the layer of a module of the command line. `cli/mod.rs` and `main.rs` are above all.
fn layer_of_cli(module: &str) -> Option<usize> {
    let listed = |name: &str| CLI.iter().position(|layer| layer.contains(&name));
    match module {
        "" => Some(CLI.len()),
        "main" => Some(CLI.len() + 1),
        _ => listed(module).or_else(|| listed(module.rsplit_once('/')?.0)),
    }
}

/// Lists the paths that a text begins with: several, if there is a group in braces.
fn paths(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (head, rest) = text.split_at(text.find(|c| !is_path(c)).unwrap_or(text.len()));
    let Some(group) = rest.strip_prefix('{') else { return vec![head.to_owned()] };
    let mut depth = 0;
    let mut start = 0;
    let mut paths_found = Vec::new();
    for (at, c) in group.char_indices() {
        if depth == 0 && matches!(c, ',' | '}') {
            let item = paths(group[start..at].trim());
            paths_found.extend(item.iter().map(|path| format!("{head}{path}")));
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths_found
}

/// What is wrong with the imports of a module of the command line.
fn faults_of_cli(module: &str, source: &str, modules: &[Module]) -> Vec<String> {
    let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut faults = Vec::new();
    for (way, what) in [
        ("#[path", "a module by its path"),
        ("include!", "a file"),
        ("super::", "a relative path"),
        ("extern crate", "a crate"),
    ] {
        if code.contains(way) {
            faults.push(format!("{module} names {what}"));
        }
    }
    for (at, _) in code.match_indices("crate::") {
        for path in paths(&code[at + "crate::".len()..]) {
            // From the crate only the command line itself can be named: the library is
            // `signed_session`.
            let Some(path) = path.strip_prefix("cli::") else {
                faults.push(format!("{module} imports {path}"));
                continue;
            };
            // An item belongs to the longest part of its path that is a module.
            let path = path.replace("::", "/");
            let has = |name: &str| path == name || path.starts_with(&format!("{name}/"));
            let named = modules.iter().map(|module| module.name.as_str());
            let named = named.filter(|name| has(name)).max_by_key(|name| name.len());
            let named = named.unwrap_or_default();
            if layer_of_cli(named) >= layer_of_cli(module) {
                faults.push(format!("{module} imports {path}"));
            }
        }
    }
    faults
}

#[test]
fn the_command_line_imports_downwards_and_the_public_api_alone() {
    let modules = modules_of_cli();
    let faults: Vec<String> = modules
        .iter()
        .flat_map(|module| faults_of_cli(&module.name, &source(&module.file), &modules))
        .chain(faults_of_cli("main", &source("main.rs"), &modules))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn another_import_of_the_command_line_is_found() {
    let modules = modules_of_cli();
    for (module, code) in [
        ("say", "use crate::cli::failure::Failure;"),
        ("say", "fn f() { crate::cli::failure::Failure::new(0) }"),
        ("failure", "use crate::cli::{say, run};"),
        ("say", "use crate::cli::*;"),
        ("keys", "use crate::cli::{failure::{self, Failure}, form::Found};"),
        ("explain/suspects", "use crate::cli::explain::search::Search;"),
        ("explain/suspects", "use crate::cli::explain::{causes, guess::guess};"),
        ("check/answers", "use crate::cli::check::run;"),
        ("commands/decode", "use crate::cli::commands::unsign::Args;"),
        ("commands/decode", "use crate::cli::Cli;"),
        ("salt", "use crate::codec::SESSION_SALT;"),
        ("salt", "#[path = \"../codec.rs\"]"),
        ("salt", "include!(\"../codec.rs\");"),
        ("check", "use super::explain;"),
    ] {
        assert_eq!(faults_of_cli(module, code, &modules).len(), 1, "{module}: {code}");
    }
    for (module, code) in [
        ("keys", "use crate::cli::{failure::{self, Failure}, say};"),
        ("explain/search", "use crate::cli::explain::causes::{Cause, Findings};"),
        ("commands/decode", "use crate::cli::check::{self, answers::Layout};"),
    ] {
        assert!(faults_of_cli(module, code, &modules).is_empty(), "{module}: {code}");
    }
}

#[test]
fn every_module_of_the_command_line_has_a_layer_and_is_listed() {
    let modules = modules_of_cli();
    for listed in CLI.concat() {
        assert!(modules.iter().any(|module| module.name == listed), "there is no {listed}");
    }
    for Module { name, file } in &modules {
        assert!(layer_of_cli(name).is_some(), "{file} has no layer");
        assert_opens_with_one_sentence(file);
        let source = source(file);
        let children = source.lines().filter_map(|line| {
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            let child = line.strip_prefix("mod ")?.strip_suffix(';')?;
            Some(if name.is_empty() { child.to_owned() } else { format!("{name}/{child}") })
        });
        assert!(children.is_sorted_by_key(|child| layer_of_cli(&child)), "{file}");
    }
}
