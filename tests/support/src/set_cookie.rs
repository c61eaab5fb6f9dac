//! A strict reader of `Set-Cookie`, with nothing of the library in it.

/// What a `Set-Cookie` header says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub name: String,
    pub value: String,
    pub path: Option<String>,
    pub domain: Option<String>,
    pub secure: bool,
    pub http_only: bool,
    pub partitioned: bool,
    pub same_site: Option<String>,
    pub max_age: Option<i64>,
    pub expires: Option<i64>,
}

/// Reads a header by the grammar that RFC 6265 gives to servers; `None` for anything else.
pub fn parse(header: &str) -> Option<Said> {
    if !header.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut parts = header.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let is_name = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) || !value.bytes().all(is_value) {
        return None;
    }
    let mut said = Said { name: name.to_owned(), value: value.to_owned(), ..Said::default() };
    let mut seen = Vec::new();
    for part in parts {
        // One space, and no attribute twice.
        let part = part.strip_prefix(' ')?;
        let (key, value) = part.split_once('=').map_or((part, None), |(k, v)| (k, Some(v)));
        if seen.contains(&key) || value.is_some_and(|value| value.len() > 1024) {
            return None;
        }
        seen.push(key);
        match (key, value) {
            ("Secure", None) => said.secure = true,
            ("HttpOnly", None) => said.http_only = true,
            ("Partitioned", None) => said.partitioned = true,
            ("SameSite", Some(site @ ("Strict" | "Lax" | "None"))) => {
                said.same_site = Some(site.to_owned());
            }
            // A browser trims white space around a value.
            ("Path", Some(path)) if path.starts_with('/') && path.trim() == path => {
                said.path = Some(path.to_owned());
            }
            ("Domain", Some(domain)) if !domain.is_empty() && !domain.contains(' ') => {
                said.domain = Some(domain.to_owned());
            }
            ("Max-Age", Some(seconds)) if !seconds.starts_with('+') => {
                said.max_age = Some(seconds.parse().ok()?);
            }
            ("Expires", Some(date)) => said.expires = Some(parse_date(date)?),
            _ => return None,
        }
    }
    Some(said)
}

/// Reads `Thu, 01 Jan 1970 00:00:00 GMT`, in this spelling alone, as Unix seconds.
pub fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |from: usize, len: usize| -> Option<i64> {
        let digits = text.get(from..from + len)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (day, year) = (number(5, 2)?, number(12, 4)?);
    let (hour, minute, second) = (number(17, 2)?, number(20, 2)?, number(23, 2)?);
    let month = MONTHS.iter().position(|name| Some(*name) == text.get(8..11))?;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1..=lengths[month]).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before = year - 1;
    let days = before * 365 + before / 4 - before / 100 + before / 400 - 719_162
        + lengths[..month].iter().sum::<i64>()
        + day
        - 1;
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let weekday = weekday[usize::try_from(days.rem_euclid(7)).ok()?];
    let spelled = format!(
        "{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        MONTHS[month]
    );
    (text == spelled).then_some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}
