//! Provides buffers that a thread reuses, to avoid allocation.

use std::cell::Cell;
use std::thread::LocalKey;

/// A slot for one value of a thread.
///
/// It is a cell, so that the value is never borrowed twice, and a box, so that little is moved.
pub(crate) type Slot<T> = Cell<Option<Box<T>>>;

/// The maximum number of bytes that a buffer keeps.
///
/// The memory of one huge session must not stay in every thread.
pub(crate) const MAX_LEN: usize = 64 * 1024;

/// Runs `function` with this thread's value, or a `new` one if none exists.
///
/// There is none at a thread's first call, in a nested call, and while the thread ends. Afterwards
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
    // A thread that is ending no longer has a slot, so the value is dropped.
    let _ = slot.try_with(|slot| slot.set(Some(kept)));
    result
}

/// Runs `function` with an empty string that this thread reuses.
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
