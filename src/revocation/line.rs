//! Writes a revocation as one line of JSON, and reads it.
//!
//! ```text
//! {"v":1,"subject":"42","session":"AAZEfjwKDEDdJT-cq0nM5g"}   one session
//! {"v":1,"subject":"42","by":1764158824123456}                all sessions of a subject
//! {"v":1,"by":1764158824123456}                               everyone's
//! ```

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::error::RevocationError;
use crate::expiry::LAST_MICROSECOND;
use crate::identity::{Identity, Subject};
use crate::json;

/// The version of the format, which is part of each line.
const VERSION: u64 = 1;

/// The maximum length of a line in bytes.
///
/// A subject takes at most 1,530 bytes: 255, each of them escaped.
const MAX_LINE_LEN: usize = 2_048;

const FIELDS: &[&str] = &["v", "subject", "session", "by"];

/// A record of ended sessions: one session, all of a subject, or everyone's.
///
/// Send each revocation to every process that serves the same users, as one line of JSON, with
/// [`Display`](fmt::Display) or serde. Parse each line that arrives, and pass it to
/// [`Revocations::apply`](crate::Revocations::apply). Lines can arrive in any order and any number
/// of times. Anyone who can send a line can end sessions, but nobody can start or restore a session
/// with a line.
///
/// Lines contain subjects in plain text. If that matters, use ids that reveal nothing about people.
///
/// # Examples
///
#[cfg_attr(feature = "random", doc = "```")]
#[cfg_attr(not(feature = "random"), doc = "```ignore")]
/// use std::time::Duration;
/// use signed_session::{Revocation, Revocations};
///
/// let two_weeks = Duration::from_secs(14 * 24 * 60 * 60);
/// let [here, there] = [Revocations::new(two_weeks), Revocations::new(two_weeks)];
///
/// let line = here.end_all(42)?.to_string();
/// assert!(line.starts_with(r#"{"v":1,"subject":"42","by":"#));
/// let revocation: Revocation = line.parse()?;
/// assert_eq!(there.apply(&revocation), Ok(true));
/// assert_eq!(there.apply(&revocation), Ok(false), "the revocation is already known");
/// # Ok::<(), signed_session::RevocationError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revocation(pub(crate) Ended);

/// The content of a [`Revocation`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    One { subject: Subject, id: Identity },
    All { subject: Subject, by: i64 },
    Everyone { by: i64 },
}

impl Revocation {
    /// Returns whose sessions were ended, or `None` if they were everyone's.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match &self.0 {
            Ended::One { subject, .. } | Ended::All { subject, .. } => Some(subject.as_str()),
            Ended::Everyone { .. } => None,
        }
    }
}

/// Writes the line, in ASCII and without a line feed.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json::write(self).map_err(|_| fmt::Error)?)
    }
}

/// Reads a line.
impl FromStr for Revocation {
    type Err = RevocationError;

    fn from_str(line: &str) -> Result<Self, RevocationError> {
        if line.len() > MAX_LINE_LEN {
            return Err(RevocationError::BadLine);
        }
        serde_json::from_str(line).map_err(|_| RevocationError::BadLine)
    }
}

impl Serialize for Revocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &VERSION)?;
        match &self.0 {
            Ended::One { subject, id } => {
                map.serialize_entry("subject", subject.as_str())?;
                map.serialize_entry("session", id.text().as_str())?;
            }
            Ended::All { subject, by } => {
                map.serialize_entry("subject", subject.as_str())?;
                map.serialize_entry("by", by)?;
            }
            Ended::Everyone { by } => map.serialize_entry("by", by)?,
        }
        map.end()
    }
}

/// Treats unknown fields and versions as errors.
///
/// A line that is not understood must not be mistaken for a different revocation.
impl<'de> Deserialize<'de> for Revocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Revocation", FIELDS, Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Revocation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a revocation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Revocation, A::Error> {
        let (mut version, mut subject, mut session, mut by) = (None, None, None, None);
        while let Some(field) = map.next_key::<Field>()? {
            let is_new = match field {
                Field::Version => version.replace(map.next_value::<u64>()?).is_none(),
                Field::Subject => subject.replace(map.next_value::<String>()?).is_none(),
                Field::Session => session.replace(map.next_value::<String>()?).is_none(),
                Field::By => by.replace(map.next_value::<i64>()?).is_none(),
            };
            if !is_new {
                return Err(de::Error::custom("a field occurs twice"));
            }
        }
        if version != Some(VERSION) {
            return Err(de::Error::custom("the version is not 1"));
        }
        let subject = match subject.as_deref().map(Subject::new) {
            Some(None) => {
                return Err(de::Error::custom("the subject does not have 1 to 255 bytes"));
            }
            subject => subject.flatten(),
        };
        let id = match session.as_deref().map(Identity::parse) {
            Some(None) => {
                return Err(de::Error::custom("the session is not the identity of a session"));
            }
            id => id.flatten(),
        };
        if by.is_some_and(|by| !(1..=LAST_MICROSECOND).contains(&by)) {
            return Err(de::Error::custom("the moment is not between 1970 and 9999"));
        }
        match (subject, id, by) {
            (Some(subject), Some(id), None) => Ok(Revocation(Ended::One { subject, id })),
            (Some(subject), None, Some(by)) => Ok(Revocation(Ended::All { subject, by })),
            (None, None, Some(by)) => Ok(Revocation(Ended::Everyone { by })),
            _ => Err(de::Error::custom("this combination of fields is not valid")),
        }
    }
}

enum Field {
    Version,
    Subject,
    Session,
    By,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Field, E> {
                match name {
                    "v" => Ok(Field::Version),
                    "subject" => Ok(Field::Subject),
                    "session" => Ok(Field::Session),
                    "by" => Ok(Field::By),
                    // The name is not quoted: it may be anything.
                    _ => Err(E::custom("unknown field")),
                }
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

/// Shows only the kind of revocation: a subject can be personal data.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Ended::One { .. } => "Revocation(one session)",
            Ended::All { .. } => "Revocation(all sessions of a subject)",
            Ended::Everyone { .. } => "Revocation(everyone's sessions)",
        })
    }
}
