//! Distinguishes a path of this site from an address that leads elsewhere.

/// Returns the path if a browser that is redirected there stays on this site.
///
/// Use it for `?next=` at a login: anyone can put an address into a link, and a redirect to any
/// other site would lead visitors from a page that they trust to one that they should not trust.
/// The path must begin with exactly one slash and contain neither backslashes nor control
/// characters. A query and a fragment are part of it.
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
    // Browsers read a backslash as a slash, and remove tabs and line feeds before they read the
    // rest.
    let is_plain = !path.contains(|char: char| char == '\\' || char.is_control());
    (is_rooted && is_plain).then_some(path)
}
