//! Lends a buffer that the thread keeps, so that JSON on its way costs no allocation.

use std::cell::Cell;

thread_local! {
    // In a cell, so that nothing can find it borrowed.
    static KEPT: Cell<String> = const { Cell::new(String::new()) };
}

/// A larger buffer is given back to the system: one huge session must not stay in every thread.
const MAX_KEPT: usize = 64 * 1024;

/// Has a function use an empty buffer.
pub(crate) fn with<R>(function: impl FnOnce(&mut String) -> R) -> R {
    // Where the thread's own is lent already, or the thread ends, a new one serves.
    let mut buffer = KEPT.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = function(&mut buffer);
    if buffer.capacity() <= MAX_KEPT {
        let _ = KEPT.try_with(|kept| kept.set(buffer));
    }
    result
}
