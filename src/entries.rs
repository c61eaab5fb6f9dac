//! Keeps a JSON object as the text that arrived, entry by entry, so that nothing is lost.
//!
//! An entry that nobody sets is written back byte for byte: integers past 64 bits, every digit of
//! a float, lone surrogates, the order of the keys.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::ops::Range;

use crate::error::sure;
use crate::json::{self, Fault};
use crate::kept::{self, Slot};

/// The entries of one JSON object: each key once, and each value JSON text in ASCII.
#[derive(Clone, Default)]
pub(crate) struct Entries {
    /// The text of the object that was read; the entries that came with it are parts of it.
    arrived: String,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// The key as JSON, in quotes.
    key: Text,
    /// The key's own characters, if its JSON has escapes.
    unescaped: Option<Box<[u8]>>,
    value: Text,
}

/// A piece of JSON: a part of what arrived, or written here.
#[derive(Clone)]
enum Text {
    Arrived(Range<usize>),
    Written(Box<str>),
}

impl Text {
    fn get<'a>(&'a self, arrived: &'a str) -> &'a str {
        match self {
            Self::Arrived(range) => sure(arrived.get(range.clone())),
            Self::Written(text) => text,
        }
    }

    /// As [`get`](Self::get), without looking for the bounds of characters: keys are compared often.
    fn bytes<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        match self {
            Self::Arrived(range) => sure(arrived.as_bytes().get(range.clone())),
            Self::Written(text) => text.as_bytes(),
        }
    }
}

impl Entry {
    /// Returns the key's own characters: UTF-8, except for lone surrogates.
    fn name<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        self.unescaped.as_deref().unwrap_or_else(|| {
            let quoted = self.key.bytes(arrived);
            sure(quoted.get(1..quoted.len().saturating_sub(1)))
        })
    }
}

/// What reading an object needs for a moment.
#[derive(Default)]
struct Scratch {
    /// Where keys and values are.
    places: Vec<(Range<usize>, Range<usize>)>,
    /// The hashes of the keys.
    hashes: HashSet<u64>,
}

/// The most entries for which a thread keeps memory.
const MAX_KEPT: usize = 1024;

impl Scratch {
    fn trim(&mut self) {
        self.places.clear();
        self.places.shrink_to(MAX_KEPT);
        if !self.hashes.is_empty() {
            self.hashes.clear();
            self.hashes.shrink_to(MAX_KEPT);
        }
    }
}

thread_local! {
    static SCRATCH: Slot<Scratch> = const { Cell::new(None) };
}

impl Entries {
    /// Reads a JSON object in ASCII.
    ///
    /// A key that occurs twice keeps its first place and its last value, as in Python.
    pub(crate) fn read(text: String) -> Result<Self, Fault> {
        let entries = kept::with(&SCRATCH, Scratch::default, Scratch::trim, |scratch| {
            let Scratch { places, hashes } = scratch;
            json::entries(&text, |key, value| places.push((key, value)))?;
            // Asked of all at once: few objects have an escape, and many have short keys.
            let unescaped = if json::has_escape(&text) { unescaped } else { |_: &str| None };
            let entry = |(key, value)| Entry {
                unescaped: unescaped(sure(text.get(Range::clone(&key)))),
                key: Text::Arrived(key),
                value: Text::Arrived(value),
            };
            let entries: Vec<Entry> = places.drain(..).map(entry).collect();
            let names = entries.iter().map(|entry| entry.name(&text));
            Ok(if may_have_twice(names, hashes) { unify(entries, &text) } else { entries })
        })?;
        Ok(Self { arrived: text, entries })
    }

    /// Appends the entries to `out` as one JSON object.
    pub(crate) fn write(&self, out: &mut String) {
        out.reserve(self.arrived.len());
        out.push('{');
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(entry.key.get(&self.arrived));
            out.push(':');
            out.push_str(entry.value.get(&self.arrived));
        }
        out.push('}');
    }

    /// Returns the JSON text of an entry's value.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries.get(self.position(key)?)?;
        Some(entry.value.get(&self.arrived))
    }

    /// Returns `true` if there is an entry with this key.
    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets an entry to a JSON text in ASCII; a new key comes last.
    pub(crate) fn set(&mut self, key: &str, json: String) {
        let value = Text::Written(json.into_boxed_str());
        if let Some(entry) = self.position(key).and_then(|index| self.entries.get_mut(index)) {
            entry.value = value;
        } else {
            let key = json::quote(key);
            let unescaped = unescaped(&key);
            let key = Text::Written(key.into_boxed_str());
            self.entries.push(Entry { key, unescaped, value });
        }
    }

    /// Removes an entry and returns `true` if there was one.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let position = self.position(key);
        if let Some(index) = position {
            self.entries.remove(index);
        }
        position.is_some()
    }

    /// Removes the entries for whose keys `keep` returns `false`.
    ///
    /// A key that is not Unicode is asked for with replacement characters in it.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        // All are asked before any goes: `keep` may panic.
        let mut kept = self.names().map(|name| keep(&name)).collect::<Vec<_>>().into_iter();
        self.entries.retain(|_| sure(kept.next()));
    }

    /// Returns all keys in order, with replacement characters where one is not Unicode.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.entries.iter().map(|entry| String::from_utf8_lossy(entry.name(&self.arrived)))
    }

    /// Removes all entries.
    pub(crate) fn clear(&mut self) {
        self.arrived.clear();
        self.entries.clear();
    }

    /// Returns the keys that are Unicode, in order, and each value's JSON text.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { arrived: &self.arrived, entries: self.entries.iter() }
    }

    /// Returns the number of entries, with those whose keys are not Unicode.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns `true` if writing gives the text that arrived, to the byte.
    pub(crate) fn are_as_they_arrived(&self) -> bool {
        kept::with_text(|json| {
            self.write(json);
            *json == self.arrived
        })
    }

    /// Returns each key with the bytes of JSON that its entry takes, the largest first.
    ///
    /// A key that is not a plain identifier may contain user input, so its index is given instead.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        let size = |(index, entry): (usize, &Entry)| {
            let (quoted, value) = (entry.key.get(&self.arrived), entry.value.get(&self.arrived));
            let key = match str::from_utf8(entry.name(&self.arrived)) {
                Ok(key) if is_plain_name(key) => key.to_owned(),
                _ => format!("entry {}", index.saturating_add(1)),
            };
            // The colon and the comma count, too.
            (key, quoted.len().saturating_add(value.len()).saturating_add(2))
        };
        let mut sizes: Vec<(String, usize)> = self.entries.iter().enumerate().map(size).collect();
        sizes.sort_by_key(|(_, size)| Reverse(*size));
        sizes
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name(&self.arrived) == key.as_bytes())
    }
}

/// The keys of a session in order, each with its value's JSON text.
///
/// Created by [`Session::iter`](crate::Session::iter).
#[derive(Clone)]
pub struct Iter<'a> {
    arrived: &'a str,
    entries: std::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.find_map(|entry| {
            let key = str::from_utf8(entry.name(self.arrived)).ok()?;
            Some((key, entry.value.get(self.arrived)))
        })
    }
}

/// Returns a key's own characters, if its JSON has escapes.
fn unescaped(quoted: &str) -> Option<Box<[u8]>> {
    json::has_escape(quoted).then(|| json::unquote(quoted)).flatten().map(Vec::into_boxed_slice)
}

fn is_plain_name(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    (1..=64).contains(&key.len()) && key.bytes().all(is_plain)
}

/// Leaves one entry per key, with its first place and its last value.
fn unify(entries: Vec<Entry>, arrived: &str) -> Vec<Entry> {
    let mut unified: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut places = HashMap::new();
    for entry in entries {
        let place = *places.entry(entry.name(arrived).to_vec()).or_insert(unified.len());
        match unified.get_mut(place) {
            Some(first) => first.value = entry.value,
            None => unified.push(entry),
        }
    }
    unified
}

/// Returns `true` if a name occurs twice, or has the hash of another.
fn may_have_twice<'a>(
    mut names: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    hashes: &mut HashSet<u64>,
) -> bool {
    // Comparing each with each is the fastest for few; hashing stays linear for many.
    if names.len() > 16 {
        return !names.all(|name| hashes.insert(hashes.hasher().hash_one(name)));
    }
    while let Some(name) = names.next() {
        if names.clone().any(|other| other == name) {
            return true;
        }
    }
    false
}
