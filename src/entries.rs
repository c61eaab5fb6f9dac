//! Stores a JSON object as its original text, entry by entry.
//!
//! An entry that is not changed is written again byte for byte. This preserves integers that exceed
//! 64 bits, every digit of a float, lone surrogates, and the order of the keys.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Reverse;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use crate::error::sure;
use crate::json::{self, Fault};
use crate::kept::{self, Slot};

/// The maximum number of entries that are searched without an index.
const MAX_SEARCHED: usize = 32;

/// The entries of a JSON object: unique keys, and values as ASCII JSON.
#[derive(Clone, Default)]
pub(crate) struct Entries {
    /// The text of the object that was read.
    ///
    /// Its entries are slices of this text.
    arrived: Box<str>,
    /// The entries in order. With an index, a removed entry leaves a hole.
    slots: Vec<Option<Entry>>,
    /// Boxed, because few sessions have an index and all sessions are moved.
    index: Option<Box<Index>>,
}

#[derive(Clone)]
struct Entry {
    /// The key as JSON, in quotes.
    key: Text,
    /// The unescaped key, if its JSON has escapes.
    unescaped: Option<Box<[u8]>>,
    value: Text,
}

/// A piece of JSON: a slice of the original text, or a new text.
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

    /// Returns the text's bytes, without checking character boundaries.
    ///
    /// This is faster, and keys are compared often.
    fn bytes<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        match self {
            Self::Arrived(range) => sure(arrived.as_bytes().get(range.clone())),
            Self::Written(text) => text.as_bytes(),
        }
    }
}

impl Entry {
    /// Returns the unescaped key: UTF-8, except for lone surrogates.
    fn name<'a>(&'a self, arrived: &'a str) -> &'a [u8] {
        self.unescaped.as_deref().unwrap_or_else(|| {
            let quoted = self.key.bytes(arrived);
            sure(quoted.get(1..quoted.len().saturating_sub(1)))
        })
    }
}

/// The positions of entries, by the hashes of their keys.
///
/// Visitors may choose keys, so the hash has a random key: an attacker cannot find collisions.
#[derive(Clone)]
struct Index {
    hasher: RandomState,
    /// Positions of entries. Uses open addressing.
    ///
    /// At least half of the cells are vacant.
    cells: Vec<Option<usize>>,
    /// The number of holes among the entries, and of those at the beginning.
    holes: usize,
    first: usize,
}

impl Index {
    fn with_room_for(entries: usize) -> Self {
        let cells = entries.saturating_mul(2).next_power_of_two();
        Self { hasher: RandomState::new(), cells: vec![None; cells], holes: 0, first: 0 }
    }

    fn has_room_for(&self, entries: usize) -> bool {
        entries.saturating_mul(2) <= self.cells.len()
    }

    /// Returns the entry's position, or else the cell in which to note it.
    ///
    /// `is_named` returns whether the entry at a position has the name, or `None` for a hole.
    fn find(&self, name: &[u8], is_named: impl Fn(usize) -> Option<bool>) -> Result<usize, usize> {
        // The lower bits of a hash are as random as all of them, and there are fewer cells than
        // they can count.
        let last = self.cells.len().wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "only the lower bits count")]
        let mut cell = self.hasher.hash_one(name) as usize & last;
        // The cell of a removed entry is reused. Otherwise a key that is added and removed again
        // and again would fill many cells.
        let mut unused = None;
        while let Some(Some(position)) = self.cells.get(cell) {
            match is_named(*position) {
                Some(true) => return Ok(*position),
                Some(false) => {}
                None => {
                    unused.get_or_insert(cell);
                }
            }
            cell = cell.wrapping_add(1) & last;
        }
        Err(unused.unwrap_or(cell))
    }

    fn note(&mut self, position: usize, cell: usize) {
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell = Some(position);
        }
    }
}

thread_local! {
    /// The positions of keys and values, while an object is read.
    static PLACES: Slot<Vec<(Range<usize>, Range<usize>)>> = const { Cell::new(None) };
}

/// The maximum number of entries for which a thread keeps memory.
const MAX_KEPT: usize = 1024;

impl Entries {
    /// Reads a JSON object in ASCII.
    ///
    /// A key that occurs twice keeps its first position and its last value, as in Python.
    pub(crate) fn read(text: String) -> Result<Self, Fault> {
        let trim = |places: &mut Vec<_>| {
            places.clear();
            places.shrink_to(MAX_KEPT);
        };
        kept::with(&PLACES, Vec::new, trim, |places| {
            json::entries(&text, |key, value| places.push((key, value)))?;
            let len = places.len();
            let mut entries = Self {
                arrived: text.into_boxed_str(),
                slots: Vec::with_capacity(len),
                index: (len > MAX_SEARCHED).then(|| Box::new(Index::with_room_for(len))),
            };
            // Checked for all keys at once: few objects have an escape, and many have short keys.
            let has_escape = json::has_escape(&entries.arrived);
            for (key, value) in places.drain(..) {
                let quoted = sure(entries.arrived.get(key.clone()));
                let unescaped = if has_escape { unescaped(quoted) } else { None };
                entries.put(Entry {
                    key: Text::Arrived(key),
                    unescaped,
                    value: Text::Arrived(value),
                });
            }
            Ok(entries)
        })
    }

    /// Appends the entries to `out` as one JSON object.
    pub(crate) fn write(&self, out: &mut String) {
        out.reserve(self.arrived.len());
        out.push('{');
        for (index, entry) in self.live().enumerate() {
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
        let entry = self.slots.get(self.position(key)?)?.as_ref()?;
        Some(entry.value.get(&self.arrived))
    }

    /// Returns `true` if there is an entry with this key.
    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets an entry to a JSON text in ASCII; a new key is added at the end.
    pub(crate) fn set(&mut self, key: &str, json: String) {
        let value = Text::Written(json.into_boxed_str());
        if let Some(position) = self.position(key) {
            self.replace(position, value);
        } else {
            let key = json::quote(key);
            let unescaped = unescaped(&key);
            self.put(Entry { key: Text::Written(key.into_boxed_str()), unescaped, value });
        }
    }

    /// Removes an entry and returns `true` if there was one.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let Some(position) = self.position(key) else { return false };
        let Some(index) = &mut self.index else {
            self.slots.remove(position);
            return true;
        };
        if let Some(slot) = self.slots.get_mut(position) {
            *slot = None;
        }
        index.holes = index.holes.saturating_add(1);
        while let Some(None) = self.slots.get(index.first) {
            index.first = index.first.saturating_add(1);
        }
        // At most half of the slots are holes, so that skipping them costs no more than reading the
        // others.
        if index.holes > self.slots.len() / 2 {
            self.rebuild();
        }
        true
    }

    /// Removes the entries for whose keys `keep` returns `false`.
    ///
    /// A key that is not Unicode is passed to `keep` with replacement characters.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        // All entries are checked before any is removed, because `keep` may panic.
        let mut kept = self.names().map(|name| keep(&name)).collect::<Vec<_>>().into_iter();
        self.slots.retain(|slot| slot.is_some() && sure(kept.next()));
        self.rebuild();
    }

    /// Returns all keys in order.
    ///
    /// A key that is not Unicode has replacement characters.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.live().map(|entry| String::from_utf8_lossy(entry.name(&self.arrived)))
    }

    /// Removes all entries.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the keys that are Unicode, in order, and each value's JSON text.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { arrived: &self.arrived, slots: self.used_slots().iter() }
    }

    /// Returns the number of entries, including those without a Unicode key.
    pub(crate) fn len(&self) -> usize {
        let holes = self.index.as_ref().map_or(0, |index| index.holes);
        self.slots.len().saturating_sub(holes)
    }

    /// Returns `true` if there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if writing gives exactly the original text.
    pub(crate) fn are_as_they_arrived(&self) -> bool {
        kept::with_text(|json| {
            self.write(json);
            **json == *self.arrived
        })
    }

    /// Returns the name of an entry in messages: its key or its index.
    ///
    /// See [`sizes`](Self::sizes).
    pub(crate) fn label(&self, key: &str) -> String {
        if is_plain_name(key) {
            return key.to_owned();
        }
        let is_named = |entry: &Entry| entry.name(&self.arrived) == key.as_bytes();
        match self.live().position(is_named) {
            Some(index) => label_of(index),
            None => "an entry".to_owned(),
        }
    }

    /// Returns each key with the size of its entry's JSON, largest first.
    ///
    /// The size is in bytes. A key that is not a plain identifier may contain user input, so its
    /// index is reported instead.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        let size = |(index, entry): (usize, &Entry)| {
            let (quoted, value) = (entry.key.get(&self.arrived), entry.value.get(&self.arrived));
            let key = match str::from_utf8(entry.name(&self.arrived)) {
                Ok(key) if is_plain_name(key) => key.to_owned(),
                _ => label_of(index),
            };
            // The size includes the colon and the comma.
            (key, quoted.len().saturating_add(value.len()).saturating_add(2))
        };
        let mut sizes: Vec<(String, usize)> = self.live().enumerate().map(size).collect();
        sizes.sort_by_key(|(_, size)| Reverse(*size));
        sizes
    }

    /// Sets an entry; a new key is added at the end.
    fn put(&mut self, entry: Entry) {
        self.make_room();
        match self.find(entry.name(&self.arrived)) {
            Ok(position) => self.replace(position, entry.value),
            Err(cell) => {
                if let Some(index) = &mut self.index {
                    index.note(self.slots.len(), cell);
                }
                self.slots.push(Some(entry));
            }
        }
    }

    fn replace(&mut self, position: usize, value: Text) {
        if let Some(Some(entry)) = self.slots.get_mut(position) {
            entry.value = value;
        }
    }

    /// Reserves space in the index for one more entry.
    fn make_room(&mut self) {
        let len = self.slots.len().saturating_add(1);
        let has_room = match &self.index {
            Some(index) => index.has_room_for(len),
            None => len <= MAX_SEARCHED,
        };
        if !has_room {
            self.rebuild();
        }
    }

    /// Removes the holes, and creates a new index if there are many entries.
    ///
    /// The index has space for twice as many entries.
    fn rebuild(&mut self) {
        let Self { arrived, slots, index } = self;
        slots.retain(Option::is_some);
        *index = (slots.len() >= MAX_SEARCHED).then(|| {
            let mut index = Box::new(Index::with_room_for(slots.len().saturating_mul(2)));
            for (position, entry) in slots.iter().flatten().enumerate() {
                // All names are different.
                if let Err(cell) = index.find(entry.name(arrived), |_| Some(false)) {
                    index.note(position, cell);
                }
            }
            index
        });
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.find(key.as_bytes()).ok()
    }

    /// Returns the entry's position, or else the cell in which to note it.
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        let is_named = |entry: &Entry| entry.name(&self.arrived) == name;
        match &self.index {
            Some(index) => {
                index.find(name, |position| self.slots.get(position)?.as_ref().map(is_named))
            }
            None => self.live().position(is_named).ok_or(0),
        }
    }

    /// Returns the slots, without the leading holes.
    fn used_slots(&self) -> &[Option<Entry>] {
        let first = self.index.as_ref().map_or(0, |index| index.first);
        self.slots.get(first..).unwrap_or_default()
    }

    fn live(&self) -> impl Iterator<Item = &Entry> {
        self.used_slots().iter().flatten()
    }
}

/// The keys of a session in order, each with its value's JSON text.
///
/// Created by [`Session::iter`](crate::Session::iter).
#[derive(Clone)]
pub struct Iter<'a> {
    arrived: &'a str,
    slots: std::slice::Iter<'a, Option<Entry>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.slots.by_ref().flatten().find_map(|entry| {
            let key = str::from_utf8(entry.name(self.arrived)).ok()?;
            Some((key, entry.value.get(self.arrived)))
        })
    }
}

/// Returns the unescaped key, if its JSON has escapes.
fn unescaped(quoted: &str) -> Option<Box<[u8]>> {
    json::has_escape(quoted).then(|| json::unquote(quoted)).flatten().map(Vec::into_boxed_slice)
}

/// Returns the name in messages of an entry whose key must not be shown.
fn label_of(index: usize) -> String {
    format!("entry {}", index.saturating_add(1))
}

fn is_plain_name(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    (1..=64).contains(&key.len()) && key.bytes().all(is_plain)
}

/// Omits the entries, which are private data.
impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionIter").finish_non_exhaustive()
    }
}
