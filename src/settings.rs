//! Turns a Django project's settings, under Django's names, into what reads its sessions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cookie::SameSite;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::codec::SessionCodec;
use crate::cookie::CookieOptions;
use crate::error::ConfigError;
use crate::json;
use crate::key::Keyring;
use crate::manager::SessionManager;
use crate::messages::{Level, MessageStorage};

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
    /// [`ConfigError::EmptySecret`], as for [`Keyring::new`].
    pub fn new(secret_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self {
            ring: Keyring::new(secret_key)?,
            cookie_age: Duration::from_secs(14 * 24 * 60 * 60),
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
    /// A secret that is bytes in Python is `{"hex": "…"}`. Settings that are not
    /// in the table above are ignored, as Django ignores what it does not know.
    /// Where `SESSION_ENGINE` is missing, sessions are in the database, as in Django.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SettingsJson`]; [`ConfigError::Setting`] for a value that
    /// Django does not take, and without `SECRET_KEY`;
    /// [`ConfigError::EmptySecret`] for an empty secret, also among the
    /// fallbacks, where Django would take the first for it.
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
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let entries: BTreeMap<Cow<'_, str>, &RawValue> =
            json::read(text).map_err(|_| ConfigError::SettingsJson)?;
        let secret = entries.get("SECRET_KEY").ok_or(SECRET_KEY)?;
        let mut settings = Self::new(read_secret("SECRET_KEY", secret.get())?)?;
        settings.has_cookie_engine = false;
        for (name, value) in entries {
            match settings.take(&name, value.get()) {
                Ok(()) | Err(ConfigError::UnknownSetting) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(settings)
    }

    /// Sets a setting under Django's name for it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnknownSetting`] for a name that is not in the table;
    /// [`ConfigError::Setting`] and [`ConfigError::EmptySecret`] as
    /// [`from_json`](Self::from_json).
    pub fn set(mut self, name: &str, value: impl Serialize) -> Result<Self, ConfigError> {
        // What cannot be written as JSON is no value of any of them.
        let text = Zeroizing::new(json::write(&value).unwrap_or_default());
        self.take(name, &text)?;
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
    /// [`ConfigError::SessionEngine`] and [`ConfigError::SessionSerializer`] if
    /// the site's sessions are not JSON in a signed cookie; those of
    /// [`CookieOptions`] for a cookie that no browser would take.
    pub fn session_manager(&self) -> Result<SessionManager, ConfigError> {
        if !self.has_cookie_engine {
            return Err(ConfigError::SessionEngine);
        }
        if !self.has_json_serializer {
            return Err(ConfigError::SessionSerializer);
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
    /// [`ConfigError::MessageStorage`] if that is none of Django's three classes;
    /// those of [`CookieOptions`] for a domain that no browser would take.
    pub fn message_storage(&self) -> Result<MessageStorage, ConfigError> {
        let options = self.cookie_options("messages")?;
        let storage = match self.message_storage.ok_or(ConfigError::MessageStorage)? {
            MessagePlace::Cookie => MessageStorage::cookie(&self.ring, options),
            MessagePlace::Session => MessageStorage::session(),
            MessagePlace::Fallback => MessageStorage::fallback(&self.ring, options),
        };
        let storage = storage.level(self.message_level);
        let tags = self.message_tags.iter();
        Ok(tags.fold(storage, |storage, (level, tag)| storage.level_tag(Level(*level), tag)))
    }

    /// Makes the options of a cookie with the attributes of the session's, but for the path.
    fn cookie_options(&self, name: &str) -> Result<CookieOptions, ConfigError> {
        let options = CookieOptions::new(name)?
            .secure(self.secure)
            .http_only(self.http_only)
            .same_site(self.same_site);
        match &self.domain {
            Some(domain) => options.domain(domain),
            None => Ok(options),
        }
    }

    /// Takes the value of a setting as JSON.
    fn take(&mut self, name: &str, json: &str) -> Result<(), ConfigError> {
        match name {
            "SECRET_KEY" => {
                let secret = read_secret("SECRET_KEY", json)?;
                self.ring = Keyring::new(secret)?.fallbacks_of(&self.ring);
            }
            "SECRET_KEY_FALLBACKS" => {
                let name = "SECRET_KEY_FALLBACKS";
                let mut ring = self.ring.without_fallbacks();
                for secret in read::<Vec<&RawValue>>(name, json)? {
                    ring = ring.fallback(read_secret(name, secret.get())?)?;
                }
                self.ring = ring;
            }
            "SESSION_COOKIE_AGE" => {
                self.cookie_age = Duration::from_secs(read("SESSION_COOKIE_AGE", json)?);
            }
            "SESSION_COOKIE_NAME" => self.name = read("SESSION_COOKIE_NAME", json)?,
            "SESSION_COOKIE_DOMAIN" => {
                let domain: Option<String> = read("SESSION_COOKIE_DOMAIN", json)?;
                // Django leaves out what is empty.
                self.domain = domain.filter(|domain| !domain.is_empty());
            }
            "SESSION_COOKIE_PATH" => self.path = read("SESSION_COOKIE_PATH", json)?,
            "SESSION_COOKIE_SECURE" => self.secure = read("SESSION_COOKIE_SECURE", json)?,
            "SESSION_COOKIE_HTTPONLY" => self.http_only = read("SESSION_COOKIE_HTTPONLY", json)?,
            "SESSION_COOKIE_SAMESITE" => self.same_site = read_same_site(json)?,
            "SESSION_SAVE_EVERY_REQUEST" => {
                self.save_every_request = read("SESSION_SAVE_EVERY_REQUEST", json)?;
            }
            "SESSION_EXPIRE_AT_BROWSER_CLOSE" => {
                self.expire_at_browser_close = read("SESSION_EXPIRE_AT_BROWSER_CLOSE", json)?;
            }
            "SESSION_ENGINE" => {
                self.has_cookie_engine = read::<String>("SESSION_ENGINE", json)? == ENGINE;
            }
            "SESSION_SERIALIZER" => {
                let serializer: String = read("SESSION_SERIALIZER", json)?;
                self.has_json_serializer = SERIALIZERS.contains(&serializer.as_str());
            }
            "MESSAGE_STORAGE" => {
                self.message_storage = match read::<String>("MESSAGE_STORAGE", json)?.as_str() {
                    "django.contrib.messages.storage.cookie.CookieStorage" => {
                        Some(MessagePlace::Cookie)
                    }
                    "django.contrib.messages.storage.session.SessionStorage" => {
                        Some(MessagePlace::Session)
                    }
                    "django.contrib.messages.storage.fallback.FallbackStorage" => {
                        Some(MessagePlace::Fallback)
                    }
                    _ => None,
                };
            }
            "MESSAGE_LEVEL" => self.message_level = Level(read("MESSAGE_LEVEL", json)?),
            "MESSAGE_TAGS" => self.message_tags = read("MESSAGE_TAGS", json)?,
            _ => return Err(ConfigError::UnknownSetting),
        }
        Ok(())
    }
}

const SECRET_KEY: ConfigError = ConfigError::Setting { name: "SECRET_KEY" };

fn read<'a, T: Deserialize<'a>>(name: &'static str, json: &'a str) -> Result<T, ConfigError> {
    json::read(json).map_err(|_| ConfigError::Setting { name })
}

/// Reads a secret: a text, or bytes in hexadecimal, as the line in the documentation prints them.
fn read_secret(name: &'static str, json: &str) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    if json.starts_with('"') {
        return Ok(Zeroizing::new(read::<String>(name, json)?.into_bytes()));
    }
    let fault = ConfigError::Setting { name };
    let mut spelled: BTreeMap<String, Zeroizing<String>> =
        read::<BTreeMap<String, String>>(name, json)?
            .into_iter()
            .map(|(key, value)| (key, Zeroizing::new(value)))
            .collect();
    let hex = spelled.remove("hex").filter(|_| spelled.is_empty()).ok_or(fault.clone())?;
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(fault);
    }
    let mut secret = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        let byte = str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        secret.push(byte.ok_or(fault.clone())?);
    }
    Ok(secret)
}

/// Reads `SESSION_COOKIE_SAMESITE`; whatever Python takes for false leaves it to the browser.
fn read_same_site(json: &str) -> Result<Option<SameSite>, ConfigError> {
    let name = "SESSION_COOKIE_SAMESITE";
    if matches!(json, "null" | "false") {
        return Ok(None);
    }
    match read::<String>(name, json)?.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "lax" => Ok(Some(SameSite::Lax)),
        "strict" => Ok(Some(SameSite::Strict)),
        "none" => Ok(Some(SameSite::None)),
        _ => Err(ConfigError::Setting { name }),
    }
}

/// Shows nothing: the secrets are among the settings.
impl fmt::Debug for DjangoSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoSettings").finish_non_exhaustive()
    }
}
