//! Tells a path of this site from an address that leads elsewhere.

/// Returns the path if a browser that is sent there stays on this site.
///
/// For `?next=` at a login, which anyone can put into a link: a redirect to any other address would
/// lead from a page that people trust to one that they should not. The path begins with one slash,
/// which neither another slash nor a backslash follows, and holds no backslash and no control
/// character. A query and a fragment are part of it.
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
    // Browsers read a backslash as a slash, and drop tabs and line feeds before they read the rest.
    let is_plain = !path.contains(|char: char| char == '\\' || char.is_control());
    (is_rooted && is_plain).then_some(path)
}
