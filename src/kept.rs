//! Provides buffers that a thread reuses, so that JSON and zlib need no allocation.

use std::cell::Cell;
use std::thread::LocalKey;

/// A slot for one value of a thread.
///
/// A cell, so that it can never be borrowed twice; a box, so that little is moved.
pub(crate) type Slot<T> = Cell<Option<Box<T>>>;

/// The most bytes that a buffer keeps: one huge session must not stay in every thread.
pub(crate) const MAX_LEN: usize = 64 * 1024;

/// Runs `function` with this thread's value, or with a `new` one if there is none.
///
/// There is none at a thread's first use, inside another use, and while the thread ends. Afterwards
/// `trim` empties the value and releases memory beyond the limit.
pub(crate) fn with<T, R>(
    slot: &'static LocalKey<Slot<T>>,
    new: impl FnOnce() -> T,
    trim: impl FnOnce(&mut T),
    function: impl FnOnce(&mut T) -> R,
) -> R {
    let kept = slot.try_with(Cell::take).ok().flatten();
    let mut kept = kept.unwrap_or_else(|| Box::new(new()));
    let result = function(&mut kept);
    trim(&mut kept);
    // A thread that is ending has no slot any more, and the value is dropped.
    let _ = slot.try_with(|slot| slot.set(Some(kept)));
    result
}

/// Runs `function` with an empty text that has the capacity of earlier uses.
pub(crate) fn with_text<R>(function: impl FnOnce(&mut String) -> R) -> R {
    thread_local! {
        static TEXT: Slot<String> = const { Cell::new(None) };
    }
    let trim = |text: &mut String| {
        text.clear();
        text.shrink_to(MAX_LEN);
    };
    with(&TEXT, String::new, trim, function)
}
