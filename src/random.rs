//! Provides random bytes from the operating system.

/// Returns unpredictable random bytes.
///
/// # Panics
///
/// If the operating system has no random source. The standard library's hash maps then panic, too,
/// and an attacker would know any other value.
#[allow(clippy::expect_used, reason = "a key or a mask that can be predicted is worse than none")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has no random source");
    bytes
}
