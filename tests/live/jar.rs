//! A browser's side of a session: the `Set-Cookie` line it gets, and the cookie it keeps.

use std::collections::BTreeMap;

use time::PrimitiveDateTime;
use time::macros::format_description;

/// A `Set-Cookie` line, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    /// Attributes by their names in lower case; one without a value has an empty one.
    pub attributes: BTreeMap<String, String>,
}

impl SetCookie {
    /// Takes a line apart; nothing if a server may not send it.
    pub fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split("; ");
        let (name, value) = parts.next()?.split_once('=')?;
        // Python quotes the empty value.
        let value = if value == r#""""# { "" } else { value };
        let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if !value.bytes().all(is_octet) {
            return None;
        }
        let mut attributes = BTreeMap::new();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.to_ascii_lowercase();
            let has_value = match name.as_str() {
                "secure" | "httponly" => false,
                "domain" | "path" | "samesite" | "max-age" | "expires" => true,
                _ => return None,
            };
            let is_legal = part.contains('=') == has_value && value.is_empty() != has_value;
            if !is_legal || attributes.insert(name, value.to_owned()).is_some() {
                return None;
            }
        }
        let cookie = Self { name: name.to_owned(), value: value.to_owned(), attributes };
        // Both are there or neither, and both can be read.
        let has = [cookie.max_age().is_some(), cookie.expires().is_some()];
        (has == ["max-age", "expires"].map(|name| cookie.has(name)) && has[0] == has[1])
            .then_some(cookie)
    }

    /// In seconds.
    pub fn max_age(&self) -> Option<i64> {
        self.attributes.get("max-age")?.parse().ok()
    }

    /// In seconds since 1970.
    pub fn expires(&self) -> Option<i64> {
        let format = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = PrimitiveDateTime::parse(self.attributes.get("expires")?, format).ok()?;
        Some(date.assume_utc().unix_timestamp())
    }

    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.contains_key(attribute)
    }

    pub fn set(&mut self, attribute: &str, value: &str) {
        self.attributes.insert(attribute.to_owned(), value.to_owned());
    }
}

/// What a browser keeps of the session's cookie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jar {
    /// The token, and when it ends in milliseconds since 1970; with the browser if nothing.
    held: Option<(String, Option<i64>)>,
    /// The last token there was: a copy that somebody has made.
    copy: Option<String>,
}

impl Jar {
    pub fn follow(&mut self, cookie: &SetCookie, now: i64) {
        let max_age = cookie.max_age();
        let lasts = max_age.is_none_or(|seconds| seconds > 0);
        let ends = max_age.map(|seconds| now + seconds * 1000);
        self.held = lasts.then(|| (cookie.value.clone(), ends));
        if !cookie.value.is_empty() {
            self.copy = Some(cookie.value.clone());
        }
    }

    /// Forgets what lasts until the browser is closed.
    pub fn close(&mut self) {
        self.held.take_if(|(_, ends)| ends.is_none());
    }

    /// Forgets what is over.
    pub fn pass_time(&mut self, now: i64) {
        self.held.take_if(|(_, ends)| ends.is_some_and(|ends| ends <= now));
    }

    pub fn token(&self) -> Option<&str> {
        self.held.as_ref().map(|(token, _)| token.as_str())
    }

    /// In whole seconds since 1970.
    pub fn ends(&self) -> Option<i64> {
        self.held.as_ref()?.1.map(|ends| ends.div_euclid(1000))
    }

    pub fn copy(&self) -> Option<&str> {
        self.copy.as_deref()
    }
}
