//! Turns a Django project's settings, under Django's names, into what reads its sessions.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use cookie::SameSite;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::codec::SessionCodec;
use crate::cookie::CookieOptions;
use crate::django::messages::{Level, MessageStorage};
use crate::error::{ConfigError, sure};
use crate::expiry::DEFAULT_MAX_AGE;
use crate::json::{self, Fault};
use crate::key::Keyring;
use crate::manager::SessionManager;
use crate::wiped::wiping_stack;

const ENGINE: &str = "django.contrib.sessions.backends.signed_cookies";

/// The same class under both names.
const SERIALIZERS: [&str; 2] =
    ["django.contrib.sessions.serializers.JSONSerializer", "django.core.signing.JSONSerializer"];

/// A Django project's settings, as far as they concern what it shares with this program.
///
/// | Django's name | unless set |
/// |---|---|
/// | `SECRET_KEY` | must be set |
/// | `SECRET_KEY_FALLBACKS` | `[]` |
/// | `SESSION_COOKIE_AGE` | `1209600` |
/// | `SESSION_COOKIE_NAME` | `"sessionid"` |
/// | `SESSION_COOKIE_DOMAIN` | `None` |
/// | `SESSION_COOKIE_PATH` | `"/"` |
/// | `SESSION_COOKIE_SECURE` | `False` |
/// | `SESSION_COOKIE_HTTPONLY` | `True` |
/// | `SESSION_COOKIE_SAMESITE` | `"Lax"` |
/// | `SESSION_SAVE_EVERY_REQUEST` | `False` |
/// | `SESSION_EXPIRE_AT_BROWSER_CLOSE` | `False` |
/// | `SESSION_ENGINE` | see [`from_json`](Self::from_json) and [`new`](Self::new) |
/// | `SESSION_SERIALIZER` | `"django.contrib.sessions.serializers.JSONSerializer"` |
/// | `MESSAGE_STORAGE` | `"django.contrib.messages.storage.fallback.FallbackStorage"` |
/// | `MESSAGE_LEVEL` | `20`, which is `messages.INFO` |
/// | `MESSAGE_TAGS` | `{}` |
///
/// The defaults are Django's, `SESSION_COOKIE_SECURE` included. What this crate
/// adds, such as an absolute age, is not among them: for that build a
/// [`SessionManager`] of your own with this [`keyring`](Self::keyring).
///
/// # Examples
///
/// ```
/// use signed_session::django::DjangoSettings;
///
/// let settings = DjangoSettings::new("example-only-correct-horse-battery-staple")?
///     .set("SESSION_COOKIE_AGE", 3600)?
///     .set("SESSION_COOKIE_DOMAIN", "example.com")?
///     .set("SESSION_COOKIE_SECURE", true)?;
/// let manager = settings.session_manager()?;
///
/// let mut session = manager.load(["theme=dark"]);
/// session.insert("cart", ["apples"])?;
/// let cookie = manager.commit(&session, 200)?.set_cookie.unwrap();
/// assert_eq!(cookie.domain(), Some("example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "that is what most of the settings are")]
pub struct DjangoSettings {
    ring: Keyring,
    cookie_age: Duration,
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
    save_every_request: bool,
    expire_at_browser_close: bool,
    has_cookie_engine: bool,
    has_json_serializer: bool,
    /// Nothing for one that Django does not have.
    message_storage: Option<MessagePlace>,
    message_level: Level,
    message_tags: BTreeMap<i64, String>,
}

/// Django's three storages.
#[derive(Clone, Copy)]
enum MessagePlace {
    Cookie,
    Session,
    Fallback,
}

impl DjangoSettings {
    /// Makes the settings of a site with this secret that keeps its sessions in a signed cookie.
    ///
    /// All others are Django's defaults.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Config`] with [`ConfigError::EmptySecret`], as for [`Keyring::new`].
    pub fn new(secret_key: impl AsRef<[u8]>) -> Result<Self, SettingsError> {
        Ok(Self {
            ring: Keyring::new(secret_key)?,
            cookie_age: DEFAULT_MAX_AGE,
            name: "sessionid".to_owned(),
            domain: None,
            path: "/".to_owned(),
            secure: false,
            http_only: true,
            same_site: Some(SameSite::Lax),
            save_every_request: false,
            expire_at_browser_close: false,
            has_cookie_engine: true,
            has_json_serializer: true,
            message_storage: Some(MessagePlace::Fallback),
            message_level: Level::INFO,
            message_tags: BTreeMap::new(),
        })
    }

    /// Reads the settings from a JSON object, such as a Django project prints of itself.
    ///
    /// This line, in the project's folder, writes them into a file that nobody
    /// else can read; one that is there already must be of that kind:
    ///
    /// ```sh
    /// (umask 077 && python manage.py shell -v 0 -c 'import json; from django.conf import settings as s; print(json.dumps({n: getattr(s, n) for n in "SECRET_KEY SECRET_KEY_FALLBACKS SESSION_COOKIE_AGE SESSION_COOKIE_NAME SESSION_COOKIE_DOMAIN SESSION_COOKIE_PATH SESSION_COOKIE_SECURE SESSION_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE SESSION_SAVE_EVERY_REQUEST SESSION_EXPIRE_AT_BROWSER_CLOSE SESSION_ENGINE SESSION_SERIALIZER MESSAGE_STORAGE MESSAGE_LEVEL MESSAGE_TAGS".split() if hasattr(s, n)}, default=lambda key: {"hex": key.hex()}))' > django-settings.json)
    /// ```
    ///
    /// Nothing of a secret remains in memory but in the ring: `text` itself is yours to wipe.
    ///
    /// A secret that is bytes in Python is `{"hex": "…"}`. Settings that are not
    /// in the table above are ignored, as Django ignores what it does not know.
    /// Where `SESSION_ENGINE` is missing, sessions are in the database, as in Django.
    ///
    /// # Errors
    ///
    /// [`SettingsError::NotAnObject`]; [`SettingsError::Value`] for a value that
    /// Django does not take, and without `SECRET_KEY`;
    /// [`SettingsError::Config`] for an empty secret, also among the fallbacks,
    /// where Django would take the first for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::django::DjangoSettings;
    ///
    /// let settings = DjangoSettings::from_json(
    ///     r#"{
    ///         "SECRET_KEY": "example-only-summer-a-wholly-different-passphrase",
    ///         "SECRET_KEY_FALLBACKS": ["example-only-winter-correct-horse-battery-staple"],
    ///         "SESSION_COOKIE_SAMESITE": "Strict",
    ///         "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"
    ///     }"#,
    /// )?;
    /// let manager = settings.session_manager()?;
    /// # Ok::<(), signed_session::django::SettingsError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, SettingsError> {
        // Looking for where a text is no JSON leaves pieces of it on the stack.
        wiping_stack(|| Self::read(text))
    }

    fn read(text: &str) -> Result<Self, SettingsError> {
        let entries = entries(text).map_err(|_| SettingsError::NotAnObject)?;
        let secret = entries.get(SECRET_KEY).ok_or(SettingsError::Value { name: SECRET_KEY })?;
        let secret = Setting { name: SECRET_KEY, json: secret }.secret()?;
        let mut settings = Self::new(secret)?;
        settings.has_cookie_engine = false;
        for (name, value) in entries {
            match settings.take(&name, value) {
                Ok(()) | Err(SettingsError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(settings)
    }

    /// Sets a setting under Django's name for it.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unknown`] for a name that is not in the table;
    /// [`SettingsError::Value`] and [`SettingsError::Config`] as
    /// [`from_json`](Self::from_json).
    pub fn set(mut self, name: &str, value: impl Serialize) -> Result<Self, SettingsError> {
        // What cannot be written as JSON is no value of any of them.
        wiping_stack(|| {
            let json = json::write_secret(&value).unwrap_or_default();
            self.take(name, str::from_utf8(&json).unwrap_or_default())
        })?;
        Ok(self)
    }

    /// Returns the site's secrets.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.ring
    }

    /// Makes what reads and writes the site's session cookie.
    ///
    /// # Errors
    ///
    /// [`SettingsError::SessionEngine`] and [`SettingsError::SessionSerializer`] if
    /// the site's sessions are not JSON in a signed cookie; those of
    /// [`CookieOptions`] for a cookie that no browser would take.
    pub fn session_manager(&self) -> Result<SessionManager, SettingsError> {
        if !self.has_cookie_engine {
            return Err(SettingsError::SessionEngine);
        }
        if !self.has_json_serializer {
            return Err(SettingsError::SessionSerializer);
        }
        let codec = SessionCodec::new(&self.ring).max_age(self.cookie_age);
        let options = self.cookie_options(&self.name)?.path(&self.path)?;
        Ok(SessionManager::new(codec, options)
            .save_every_request(self.save_every_request)
            .expire_at_browser_close(self.expire_at_browser_close))
    }

    /// Makes what keeps the site's messages.
    ///
    /// # Errors
    ///
    /// [`SettingsError::MessageStorage`] if that is none of Django's three classes;
    /// those of [`CookieOptions`] for a domain that no browser would take.
    pub fn message_storage(&self) -> Result<MessageStorage, SettingsError> {
        let options = self.cookie_options("messages")?;
        let storage = match self.message_storage.ok_or(SettingsError::MessageStorage)? {
            MessagePlace::Cookie => MessageStorage::cookie(&self.ring, options),
            MessagePlace::Session => MessageStorage::session(),
            MessagePlace::Fallback => MessageStorage::fallback(&self.ring, options),
        };
        let storage = storage.level(self.message_level);
        let tags = self.message_tags.iter();
        Ok(tags.fold(storage, |storage, (level, tag)| storage.level_tag(Level(*level), tag)))
    }

    /// Makes the options of a cookie with the attributes of the session's, but for the path.
    fn cookie_options(&self, name: &str) -> Result<CookieOptions, SettingsError> {
        let options = CookieOptions::new(name)?
            .secure(self.secure)
            .http_only(self.http_only)
            .same_site(self.same_site);
        match &self.domain {
            Some(domain) => Ok(options.domain(domain)?),
            None => Ok(options),
        }
    }

    /// Takes the value of a setting as JSON.
    fn take(&mut self, name: &str, json: &str) -> Result<(), SettingsError> {
        let known = SETTINGS.iter().find(|(known, _)| *known == name);
        let (name, take) = known.ok_or(SettingsError::Unknown)?;
        take(self, Setting { name, json })
    }
}

/// A value on its way into the settings.
#[derive(Clone, Copy)]
struct Setting<'a> {
    name: &'static str,
    json: &'a str,
}

type Take = fn(&mut DjangoSettings, Setting<'_>) -> Result<(), SettingsError>;

/// Every setting that is used here, with what takes its value.
const SETTINGS: [(&str, Take); 16] = [
    (SECRET_KEY, |site, setting| {
        site.ring = Keyring::new(setting.secret()?)?.fallbacks_of(&site.ring);
        Ok(())
    }),
    ("SECRET_KEY_FALLBACKS", |site, setting| {
        let mut ring = site.ring.without_fallbacks();
        for json in json::items(setting.json).map_err(|_| setting.fault())? {
            ring = ring.fallback(Setting { json, ..setting }.secret()?)?;
        }
        site.ring = ring;
        Ok(())
    }),
    ("SESSION_COOKIE_AGE", |site, setting| {
        site.cookie_age = Duration::from_secs(setting.read()?);
        Ok(())
    }),
    ("SESSION_COOKIE_NAME", |site, setting| setting.read_into(&mut site.name)),
    ("SESSION_COOKIE_DOMAIN", |site, setting| {
        // Django leaves out the attribute if it is empty.
        site.domain = setting.read::<Option<String>>()?.filter(|domain| !domain.is_empty());
        Ok(())
    }),
    ("SESSION_COOKIE_PATH", |site, setting| setting.read_into(&mut site.path)),
    ("SESSION_COOKIE_SECURE", |site, setting| setting.read_into(&mut site.secure)),
    ("SESSION_COOKIE_HTTPONLY", |site, setting| setting.read_into(&mut site.http_only)),
    ("SESSION_COOKIE_SAMESITE", |site, setting| {
        site.same_site = setting.same_site()?;
        Ok(())
    }),
    ("SESSION_SAVE_EVERY_REQUEST", |site, setting| setting.read_into(&mut site.save_every_request)),
    ("SESSION_EXPIRE_AT_BROWSER_CLOSE", |site, setting| {
        setting.read_into(&mut site.expire_at_browser_close)
    }),
    ("SESSION_ENGINE", |site, setting| {
        site.has_cookie_engine = setting.read::<String>()? == ENGINE;
        Ok(())
    }),
    ("SESSION_SERIALIZER", |site, setting| {
        let serializer: String = setting.read()?;
        site.has_json_serializer = SERIALIZERS.contains(&serializer.as_str());
        Ok(())
    }),
    ("MESSAGE_STORAGE", |site, setting| {
        let class: String = setting.read()?;
        let known = MESSAGE_STORAGES.iter().find(|(known, _)| *known == class);
        site.message_storage = known.map(|(_, place)| *place);
        Ok(())
    }),
    ("MESSAGE_LEVEL", |site, setting| {
        site.message_level = Level(setting.read()?);
        Ok(())
    }),
    ("MESSAGE_TAGS", |site, setting| setting.read_into(&mut site.message_tags)),
];

/// The one setting that must be there.
const SECRET_KEY: &str = "SECRET_KEY";

const MESSAGE_STORAGES: [(&str, MessagePlace); 3] = [
    ("django.contrib.messages.storage.cookie.CookieStorage", MessagePlace::Cookie),
    ("django.contrib.messages.storage.session.SessionStorage", MessagePlace::Session),
    ("django.contrib.messages.storage.fallback.FallbackStorage", MessagePlace::Fallback),
];

impl<'a> Setting<'a> {
    fn fault(self) -> SettingsError {
        SettingsError::Value { name: self.name }
    }

    fn read<T: Deserialize<'a>>(self) -> Result<T, SettingsError> {
        json::read(self.json).map_err(|_| self.fault())
    }

    fn read_into<T: Deserialize<'a>>(self, place: &mut T) -> Result<(), SettingsError> {
        *place = self.read()?;
        Ok(())
    }

    /// Reads a secret: a text, or bytes in hexadecimal, as the line in the documentation prints them.
    fn secret(self) -> Result<Zeroizing<Vec<u8>>, SettingsError> {
        let text = |json| json::read_secret(json).map_err(|_| self.fault());
        if self.json.starts_with('"') {
            return text(self.json);
        }
        let mut spelled = entries(self.json).map_err(|_| self.fault())?;
        let hex = spelled.remove("hex").filter(|_| spelled.is_empty());
        let hex = text(hex.ok_or_else(|| self.fault())?)?;
        let (pairs, rest) = hex.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.fault());
        }
        let mut secret = Zeroizing::new(Vec::with_capacity(pairs.len()));
        for pair in pairs {
            let byte = str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|pair| u8::from_str_radix(pair, 16).ok());
            secret.push(byte.ok_or_else(|| self.fault())?);
        }
        Ok(secret)
    }

    /// Reads a `SameSite` attribute; what is false in Python leaves it to the browser.
    fn same_site(self) -> Result<Option<SameSite>, SettingsError> {
        if matches!(self.json, "null" | "false") {
            return Ok(None);
        }
        match self.read::<String>()?.to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "lax" => Ok(Some(SameSite::Lax)),
            "strict" => Ok(Some(SameSite::Strict)),
            "none" => Ok(Some(SameSite::None)),
            _ => Err(self.fault()),
        }
    }
}

/// Returns the entries of an object, each value as its JSON text: no secret is copied.
fn entries(text: &str) -> Result<BTreeMap<String, &str>, Fault> {
    let mut places = Vec::new();
    json::entries(text, |key, value| places.push((key, value)))?;
    let entry = |(key, value): (Range<usize>, Range<usize>)| {
        Ok((json::read(sure(text.get(key)))?, sure(text.get(value))))
    };
    places.into_iter().map(entry).collect()
}

/// Why the settings of a Django project cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// The settings are not one JSON object.
    NotAnObject,
    /// The name is not among the settings that are used here.
    Unknown,
    /// A setting is missing, or Django does not take its value.
    Value {
        /// The setting's name.
        name: &'static str,
    },
    /// The site does not keep its sessions in a signed cookie.
    ///
    /// Without `SESSION_ENGINE` Django keeps them in its database. A class derived
    /// from the one in `signed_cookies` may read and write anything, so it is
    /// refused too: set up a [`SessionCodec`](crate::SessionCodec) for it by hand.
    SessionEngine,
    /// The site's sessions are not JSON, but pickled or in a format of their own.
    SessionSerializer,
    /// The site's class for messages is not one of Django's three.
    MessageStorage,
    /// A secret is empty, or no browser would keep a cookie with these attributes.
    Config(ConfigError),
}

impl From<ConfigError> for SettingsError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "the settings are not a JSON object",
            Self::Unknown => "the name is not among the settings that are used here",
            Self::Value { name } => {
                return write!(
                    f,
                    "the setting {name} is missing, or Django does not take its value"
                );
            }
            Self::SessionEngine => {
                "the sessions are not in a signed cookie: set Django's SESSION_ENGINE to \
                 django.contrib.sessions.backends.signed_cookies, or read what is stored with \
                 django::stored_session_codec"
            }
            Self::SessionSerializer => {
                "the sessions are not JSON: set Django's SESSION_SERIALIZER to \
                 django.contrib.sessions.serializers.JSONSerializer, because only Python reads \
                 what is pickled"
            }
            Self::MessageStorage => {
                "the messages are not in one of Django's storages: set its MESSAGE_STORAGE to \
                 django.contrib.messages.storage.fallback.FallbackStorage"
            }
            Self::Config(error) => return error.fmt(f),
        })
    }
}

impl Error for SettingsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            _ => None,
        }
    }
}

/// Shows nothing: the secrets are among the settings.
impl fmt::Debug for DjangoSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoSettings").finish_non_exhaustive()
    }
}
