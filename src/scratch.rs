//! Lends buffers that the thread keeps, so that JSON on its way costs no allocation.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;

/// Empty, with the room that earlier uses needed.
#[derive(Default)]
pub(crate) struct Scratch {
    /// JSON on its way.
    pub(crate) json: String,
    /// Where the keys and values of an object stand.
    pub(crate) places: Vec<(Range<usize>, Range<usize>)>,
    /// The hashes of its keys.
    pub(crate) hashes: HashSet<u64>,
}

thread_local! {
    // In a cell, so that nothing can find it borrowed; in a box, so that little is moved.
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// What is larger is given back to the system: one huge session must not stay in every thread.
const MAX_JSON: usize = 64 * 1024;
const MAX_ENTRIES: usize = 1024;

/// Has a function use the buffers.
pub(crate) fn with<R>(function: impl FnOnce(&mut Scratch) -> R) -> R {
    // Where the thread's own are lent already, or the thread ends, new ones serve.
    let mut scratch = KEPT.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = function(&mut scratch);
    let Scratch { json, places, hashes } = &mut *scratch;
    json.clear();
    json.shrink_to(MAX_JSON);
    places.clear();
    places.shrink_to(MAX_ENTRIES);
    if !hashes.is_empty() {
        hashes.clear();
        hashes.shrink_to(MAX_ENTRIES);
    }
    let _ = KEPT.try_with(|kept| kept.set(Some(scratch)));
    result
}
