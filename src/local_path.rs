//! Checks that the target of a redirect is a path on this site.

/// Returns `path` if a redirect to it stays on this site, or else `None`.
///
/// Use this to check `?next=` at a login. Anyone can create a link with the address of a different
/// site in `?next=`, and a redirect there would lead visitors from a page that they trust to one
/// that they should not trust. The path must begin with exactly one slash and contain neither
/// backslashes nor control characters. It may include a query and a fragment.
///
/// # Examples
///
/// ```
/// use signed_session::local_path;
///
/// assert_eq!(local_path("/orders?page=2"), Some("/orders?page=2"));
/// for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example/", "orders", ""] {
///     assert_eq!(local_path(elsewhere), None);
/// }
/// ```
#[must_use]
pub fn local_path(path: &str) -> Option<&str> {
    let is_rooted = path.starts_with('/') && !path.starts_with("//");
    // Browsers treat a backslash as a slash, and remove tabs and line feeds first.
    let is_plain = !path.contains(|char: char| char == '\\' || char.is_control());
    (is_rooted && is_plain).then_some(path)
}
