//! Wipes copies of secrets from memory before it is released.

use std::hint::black_box;
use std::io;

use zeroize::{Zeroize as _, Zeroizing};

/// A buffer that is wiped when it is dropped and when it grows.
///
/// A vector that grows leaves its contents in its former memory, which this wipes.
#[derive(Default)]
pub(crate) struct Wiped(pub(crate) Zeroizing<Vec<u8>>);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.0.len().saturating_add(bytes.len());
        if len > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(len.saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The maximum stack that deriving a key needs, in words.
///
/// Unoptimized builds need the most.
const STACK: usize = if cfg!(debug_assertions) { 2048 } else { 512 };

/// Runs a function that handles secrets, and wipes the stack that it used.
///
/// Values that are moved leave copies on the stack, and so do hash functions. The function's result
/// is moved too, so secrets in it should be in a box.
pub(crate) fn wiping_stack<R>(function: impl FnOnce() -> R) -> R {
    // Both are called from the same place, so the second uses the same stack as the first.
    #[inline(never)]
    fn run<R>(function: impl FnOnce() -> R) -> R {
        function()
    }

    #[inline(never)]
    fn wipe() {
        let mut stack = [0_u64; STACK];
        stack.zeroize();
        black_box(&stack);
    }

    let result = run(function);
    wipe();
    result
}
