//! Modules import from the layers below their own only, never upwards or sideways.

use std::fs;
use std::path::Path;

/// A tree of modules: the library, or the command line, which is a crate of its own.
struct Tree {
    /// Its directory.
    directory: &'static str,
    /// The file at its root, which is above all layers, and those that are above even that.
    root: &'static str,
    above: &'static [&'static str],
    /// What a path within it begins with.
    prefix: &'static str,
    /// From the lowest layer to the highest. A directory's name stands for its `mod.rs`, and for
    /// those of its files that are not listed.
    layers: &'static [&'static [&'static str]],
}

const LIBRARY: Tree = Tree {
    directory: "src",
    root: "lib.rs",
    above: &["main.rs", "cli"],
    prefix: "crate::",
    layers: &[
        &["environment", "error", "finite", "kept", "plain_string", "random", "wiped"],
        &["age", "base62", "cookie", "json", "key", "local_path", "payload"],
        &["entries", "expiry", "reply", "signer", "typed"],
        &["identity", "timestamp"],
        &["revocation/state"],
        &["revocation/line", "revocation/table"],
        &["revocation"],
        &["ending"],
        &["session", "unverified"],
        &["candidates", "codec"],
        &["manager"],
        &["live"],
        &["handle", "source"],
        &["logged_in"],
        &["actix", "tower"],
        &["axum"],
        &["django/csrf/defaults", "django/csrf/error", "django/csrf/form", "django/csrf/secret"],
        &["django/auth", "django/csrf/origin", "django/signed_cookie"],
        &["django/csrf/policy"],
        &["django/csrf/request"],
        &["django/csrf/handle"],
        &["django/csrf/actix", "django/csrf/axum", "django/csrf/tower"],
        &["django/csrf", "django/messages"],
        &["django/settings"],
        &["django"],
        &["flash"],
        &[
            "guide/coming_from",
            "guide/forms",
            "guide/from_django",
            "guide/log_in_and_out",
            "guide/one_rule_on_both_sides",
            "guide/sessions_in_the_database",
            "guide/testing",
        ],
        &["guide"],
    ],
};

const COMMAND_LINE: Tree = Tree {
    directory: "src/cli",
    root: "mod.rs",
    above: &[],
    prefix: "crate::cli::",
    layers: &[
        &["bulk/lines", "json", "mac", "moment", "say", "shell", "signature", "text"],
        &["failure", "old_session"],
        &["salt", "stdio"],
        &["args", "ended", "usage"],
        &["form", "header", "keys", "verdict"],
        &["tally", "verify"],
        &["bulk/answers", "explain/causes", "explain/repairs", "explain/spellings"],
        &["bulk/output", "explain/report", "explain/suspects"],
        &["bulk/workers", "explain/foreign"],
        &["bulk", "explain/guess"],
        &["check", "explain/search"],
        &["explain"],
        &["commands"],
    ],
};

/// A file of a tree.
struct Module {
    /// Such as `codec` or `django/auth`; empty for the root.
    name: String,
    source: String,
}

impl Tree {
    /// Reads the modules, as the files are.
    fn modules(&self) -> Vec<Module> {
        let mut modules = Vec::new();
        let mut directories = vec![String::new()];
        while let Some(directory) = directories.pop() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.directory).join(&directory);
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                let name = directory.clone() + &entry.file_name().into_string().unwrap();
                if self.above.contains(&name.as_str()) {
                    continue;
                }
                if entry.file_type().unwrap().is_dir() {
                    directories.push(name + "/");
                    continue;
                }
                // A file that the documentation includes is not a module.
                if !name.ends_with(".rs") {
                    continue;
                }
                let module = if name == self.root { "" } else { name.strip_suffix(".rs").unwrap() };
                let module = module.strip_suffix("/mod").unwrap_or(module).to_owned();
                let source = fs::read_to_string(entry.path()).unwrap();
                modules.push(Module { name: module, source });
            }
        }
        modules
    }

    fn layer(&self, module: &str) -> Option<usize> {
        let listed = |name: &str| self.layers.iter().position(|layer| layer.contains(&name));
        if module.is_empty() {
            return Some(self.layers.len());
        }
        listed(module).or_else(|| listed(module.rsplit_once('/')?.0))
    }

    /// What is wrong with the imports of a module.
    fn faults(&self, module: &str, source: &str, modules: &[Module]) -> Vec<String> {
        let code: String =
            source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let mut faults = Vec::new();
        for (way, what) in [
            ("#[path", "a module by its path"),
            ("include!", "a file"),
            ("super::super", "a relative path"),
            ("use super::", "a relative path"),
            ("use self::", "a relative path"),
            ("extern crate", "a crate"),
        ] {
            // A module's own tests are above it.
            let code = code.split("#[cfg(test)]").next().unwrap();
            if !module.is_empty() && code.contains(way) {
                faults.push(format!("{module} names {what}"));
            }
        }
        for (at, _) in code.match_indices("crate::") {
            let begins_a_path = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            for path in paths(&code[at..]).iter().filter(|_| begins_a_path) {
                let Some(path) = path.strip_prefix(self.prefix) else {
                    faults.push(format!("{module} imports {path}"));
                    continue;
                };
                // An item belongs to the longest part of its path that is a module.
                let path = path.replace("::", "/");
                let has = |name: &str| path == name || path.starts_with(&format!("{name}/"));
                let named = modules.iter().map(|module| module.name.as_str());
                let named = named.filter(|name| has(name)).max_by_key(|name| name.len());
                let named = named.unwrap_or_default();
                if self.layer(named) >= self.layer(module) {
                    faults.push(format!("{module} imports {path}"));
                }
            }
        }
        faults
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

#[test]
fn modules_import_from_lower_layers_only() {
    for tree in [LIBRARY, COMMAND_LINE] {
        let modules = tree.modules();
        let faults = modules.iter().flat_map(|m| tree.faults(&m.name, &m.source, &modules));
        assert_eq!(faults.collect::<Vec<_>>(), [""; 0]);
    }
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs"));
    assert!(!main.unwrap().replace("crate::cli::", "").contains("crate::"));
}

#[test]
fn every_other_import_is_found() {
    for (tree, module, code) in [
        (LIBRARY, "signer", "use crate::codec::SessionCodec;"),
        (LIBRARY, "signer", "fn f() { crate::timestamp::age() }"),
        (LIBRARY, "json", "use crate::payload;"),
        (LIBRARY, "json", "use crate::{error::{DecodeError, EncodeError}, session::Session};"),
        (LIBRARY, "cookie", "use crate::codec::SESSION_SALT;"),
        (LIBRARY, "key", "use crate::Signer;"),
        (LIBRARY, "key", "use crate::cli::say;"),
        (LIBRARY, "axum", "use crate::django::MessagesError;"),
        (LIBRARY, "django/messages", "use crate::django::settings::DjangoSettings;"),
        (LIBRARY, "django/auth", "use crate::django::signed_cookie::SignedCookie;"),
        (LIBRARY, "django/auth", "use super::messages::Level;"),
        (LIBRARY, "django/csrf/policy", "use crate::django::csrf::request::CsrfRequest;"),
        (LIBRARY, "django/csrf/tower", "use crate::django::csrf::actix::CsrfMiddleware;"),
        (LIBRARY, "django/csrf/handle", "use crate::django::csrf::CsrfHandle;"),
        (COMMAND_LINE, "say", "use crate::cli::failure::Failure;"),
        (COMMAND_LINE, "say", "fn f() { crate::cli::failure::Failure::new(0) }"),
        (COMMAND_LINE, "failure", "use crate::cli::{say, run};"),
        (COMMAND_LINE, "say", "use crate::cli::*;"),
        (COMMAND_LINE, "keys", "use crate::cli::{failure::{self, Failure}, form::Found};"),
        (COMMAND_LINE, "explain/suspects", "use crate::cli::explain::search::Search;"),
        (COMMAND_LINE, "explain/suspects", "use crate::cli::explain::{causes, guess::guess};"),
        (COMMAND_LINE, "bulk/answers", "use crate::cli::bulk::Run;"),
        (COMMAND_LINE, "commands/decode", "use crate::cli::commands::unsign::Args;"),
        (COMMAND_LINE, "commands/decode", "use crate::cli::Cli;"),
        (COMMAND_LINE, "salt", "use crate::codec::SESSION_SALT;"),
        (COMMAND_LINE, "salt", "#[path = \"../codec.rs\"]"),
        (COMMAND_LINE, "salt", "include!(\"../codec.rs\");"),
        (COMMAND_LINE, "check", "use super::explain;"),
    ] {
        assert_eq!(tree.faults(module, code, &tree.modules()).len(), 1, "{module}: {code}");
    }
    for (tree, module, code) in [
        (LIBRARY, "signer", "use crate::{error::{DecodeError, EncodeError}, key::Keyring};"),
        (LIBRARY, "json", "/// See [`Signer`](crate::Signer).\nuse crate::error::DecodeError;"),
        (LIBRARY, "django/messages", "use crate::django::signed_cookie::cookie_signer;"),
        (LIBRARY, "django/csrf/policy", "use crate::django::csrf::origin::{self, Site};"),
        (COMMAND_LINE, "keys", "use crate::cli::{failure::{self, Failure}, say};"),
        (COMMAND_LINE, "explain/search", "use crate::cli::explain::causes::{Cause, Findings};"),
        (COMMAND_LINE, "commands/decode", "use crate::cli::bulk::{self, answers::Layout};"),
    ] {
        let faults = tree.faults(module, code, &tree.modules());
        assert!(faults.is_empty(), "{module}: {code}: {faults:?}");
    }
}

#[test]
fn every_file_has_a_layer_and_is_listed_in_its_order() {
    for tree in [LIBRARY, COMMAND_LINE] {
        let modules = tree.modules();
        for listed in tree.layers.concat() {
            assert!(modules.iter().any(|module| module.name == listed), "there is no {listed}");
        }
        for Module { name, source } in &modules {
            assert!(tree.layer(name).is_some(), "{name} has no layer");
            let first = source.lines().next().unwrap_or_default();
            let is_sentence = first.starts_with("//! ") && first.ends_with('.');
            assert!(is_sentence, "{name} opens with {first:?}");
            let children = source.lines().filter_map(|line| {
                let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
                let child = line.strip_prefix("mod ")?.strip_suffix(';')?;
                Some(if name.is_empty() { child.to_owned() } else { format!("{name}/{child}") })
            });
            assert!(children.is_sorted_by_key(|child| tree.layer(&child)), "{name}");
        }
    }
}
