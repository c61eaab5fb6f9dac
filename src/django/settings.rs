//! Creates this crate's types from the settings of a Django project.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use cookie::SameSite;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use crate::codec::SessionCodec;
use crate::cookie::CookieOptions;
#[cfg(feature = "random")]
use crate::django::csrf::Csrf;
use crate::django::csrf::defaults::{COOKIE_AGE, COOKIE_NAME, HEADER};
#[cfg(feature = "random")]
use crate::django::csrf::origin::Proxy;
#[cfg(feature = "random")]
use crate::django::csrf::policy::Store;
use crate::django::messages::{Level, MessageStorage};
use crate::django::signed_cookie::SignedCookie;
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

/// The class that signs messages and signed cookies, but not sessions.
const SIGNING_BACKEND: &str = "django.core.signing.TimestampSigner";

/// The Django settings that affect what a site shares with this program.
///
/// | Django's name | default | values |
/// |---|---|---|
/// | `SECRET_KEY` | must be set | a string, or bytes as `{"hex": "…"}` |
/// | `SECRET_KEY_FALLBACKS` | `[]` | a list of the same; empty secrets are reported and not used |
/// | `SESSION_COOKIE_AGE` | `1209600` | a number of seconds, which may have a fraction; a negative age counts as 0 |
/// | `SESSION_COOKIE_NAME` | `"sessionid"` | a string |
/// | `SESSION_COOKIE_DOMAIN` | `None` | a string; with `None`, `False` or `""` the attribute is omitted |
/// | `SESSION_COOKIE_PATH` | `"/"` | a string; with `None`, `False` or a value that does not begin with `/` the attribute is omitted |
/// | `SESSION_COOKIE_SECURE` | `False` | any value, read as by Python's `bool()`: `0`, `None`, `""`, `[]` and `{}` are false |
/// | `SESSION_COOKIE_HTTPONLY` | `True` | the same |
/// | `SESSION_COOKIE_SAMESITE` | `"Lax"` | `"Lax"`, `"Strict"` or `"None"`, in upper or lower case; with a false value the attribute is omitted |
/// | `SESSION_SAVE_EVERY_REQUEST` | `False` | any value, as by `bool()` |
/// | `SESSION_EXPIRE_AT_BROWSER_CLOSE` | `False` | the same |
/// | `SESSION_ENGINE` | see [`from_json`](Self::from_json) and [`new`](Self::new) | a string |
/// | `SESSION_SERIALIZER` | `"django.contrib.sessions.serializers.JSONSerializer"` | a string |
/// | `USE_TZ` | `True` | any value, as by `bool()`; see [`SessionCodec::use_tz`] |
/// | `TIME_ZONE` | `"America/Chicago"` | a string or `None`; see [`session_manager`](Self::session_manager) |
/// | `AUTHENTICATION_BACKENDS` | `["django.contrib.auth.backends.ModelBackend"]` | a list of strings |
/// | `SIGNING_BACKEND` | `"django.core.signing.TimestampSigner"` | a string |
/// | `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` | `False`; `True` for a `DJANGO_VERSION` before 6.1 | any value, as by `bool()` |
/// | `MESSAGE_STORAGE` | `"django.contrib.messages.storage.fallback.FallbackStorage"` | a string |
/// | `MESSAGE_LEVEL` | `20`, which is `messages.INFO` | a number |
/// | `MESSAGE_TAGS` | `{}` | an object whose values are strings; keys that are not whole numbers are ignored |
/// | `CSRF_USE_SESSIONS` | `False` | any value, as by `bool()` |
/// | `CSRF_COOKIE_NAME` | `"csrftoken"` | a string |
/// | `CSRF_COOKIE_AGE` | `31449600` | as `SESSION_COOKIE_AGE`; `None`, which means until the browser is closed; or a `timedelta` as `{"timedelta": seconds}` |
/// | `CSRF_COOKIE_DOMAIN`, `_PATH`, `_SECURE`, `_SAMESITE` | `None`, `"/"`, `False`, `"Lax"` | as the session's |
/// | `CSRF_COOKIE_HTTPONLY` | `False` | any value, as by `bool()` |
/// | `CSRF_HEADER_NAME` | `"HTTP_X_CSRFTOKEN"` | a string; a name that does not begin with `HTTP_` matches no header |
/// | `CSRF_TRUSTED_ORIGINS` | `[]` | a list of strings |
/// | `ALLOWED_HOSTS` | `[]` | a list of strings |
/// | `DEBUG` | `False` | any value, as by `bool()`; allows `localhost` if `ALLOWED_HOSTS` is empty |
/// | `SECURE_PROXY_SSL_HEADER` | `None` | two strings: a header as in `CSRF_HEADER_NAME`, and its value for https |
/// | `USE_X_FORWARDED_HOST`, `USE_X_FORWARDED_PORT` | `False` | any value, as by `bool()` |
///
/// `DJANGO_VERSION`, a string such as `"5.2.19"`, is not a setting of Django. It selects the format
/// in which the site reads and writes [signed cookies](Self::signed_cookie).
///
/// The defaults are Django's, including `SESSION_COOKIE_SECURE`. Options that Django does not have,
/// such as an absolute age, cannot be set here: to use them, build a [`SessionManager`] with this
/// [`keyring`](Self::keyring).
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
    /// Without a path, the browser uses the folder of the page.
    path: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
    save_every_request: bool,
    expire_at_browser_close: bool,
    has_cookie_engine: bool,
    has_json_serializer: bool,
    /// `None` for a class that is not one of Django's.
    message_storage: Option<MessagePlace>,
    message_level: Level,
    message_tags: BTreeMap<i64, String>,
    has_django_signer: bool,
    /// Without a version, the newest is assumed.
    version: Option<[u32; 3]>,
    legacy_fallback: Option<bool>,
    use_tz: bool,
    /// The offset of the site's local time, if it is always the same.
    offset: Option<UtcOffset>,
    backends: Vec<String>,
    forms: Forms,
}

/// The settings that concern forms.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "that is what most of the settings are")]
struct Forms {
    use_sessions: bool,
    name: String,
    /// `None` means until the browser is closed.
    age: Option<Duration>,
    domain: Option<String>,
    path: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
    /// `None` for a header that no request has.
    header: Option<String>,
    trusted_origins: Vec<String>,
    allowed_hosts: Vec<String>,
    debug: bool,
    https_header: Option<(String, String)>,
    use_forwarded_host: bool,
    use_forwarded_port: bool,
}

/// The same defaults as Django's.
impl Default for Forms {
    fn default() -> Self {
        Self {
            use_sessions: false,
            name: COOKIE_NAME.to_owned(),
            age: Some(COOKIE_AGE),
            domain: None,
            path: Some("/".to_owned()),
            secure: false,
            http_only: false,
            same_site: Some(SameSite::Lax),
            header: Some(HEADER.to_owned()),
            trusted_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            debug: false,
            https_header: None,
            use_forwarded_host: false,
            use_forwarded_port: false,
        }
    }
}

/// Django's three storages.
#[derive(Clone, Copy)]
enum MessagePlace {
    Cookie,
    Session,
    Fallback,
}

impl DjangoSettings {
    /// Creates settings with this secret and sessions in a signed cookie.
    ///
    /// All other settings have Django's defaults.
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
            path: Some("/".to_owned()),
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
            has_django_signer: true,
            version: None,
            legacy_fallback: None,
            use_tz: true,
            offset: None,
            backends: vec!["django.contrib.auth.backends.ModelBackend".to_owned()],
            forms: Forms::default(),
        })
    }

    /// Reads the settings from a JSON object that a Django project writes.
    ///
    /// The script below, `src/django/write_settings.py` in the package, writes this object. Run it
    /// in the folder of the project's `manage.py`:
    ///
    /// ```sh
    /// python manage.py shell -c "exec(open('write_settings.py').read())"
    /// ```
    ///
    /// Settings can depend on environment variables, so run the script in the environment in which
    /// Django serves the site. Run it as the user that runs the Rust service, because no other user
    /// can read the file.
    ///
    /// ```python
    #[doc = include_str!("write_settings.py")]
    /// ```
    ///
    /// Settings that are not in the table above are ignored, as Django ignores unknown settings.
    /// Without `SESSION_ENGINE`, sessions are in the database, as in Django.
    ///
    /// This function leaves no copy of a secret in memory outside the key ring. Wiping `text` is up
    /// to the caller.
    ///
    /// # Errors
    ///
    /// [`SettingsError::NotAnObject`]; [`SettingsError::Value`] for a value that the table does not
    /// permit, or if `SECRET_KEY` is missing; [`SettingsError::Config`] if `SECRET_KEY` is empty or
    /// blank.
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
        // Locating a syntax error leaves pieces of the text on the stack.
        wiping_stack(|| Self::read(text))
    }

    fn read(text: &str) -> Result<Self, SettingsError> {
        let entries = entries(text).map_err(|_| SettingsError::NotAnObject)?;
        let secret = entries.get(SECRET_KEY).ok_or(SettingsError::Value { name: SECRET_KEY })?;
        let mut settings = Self::new(Setting { name: SECRET_KEY, json: secret }.secret()?)?;
        settings.has_cookie_engine = false;
        for (name, json) in entries {
            if let Some((name, _, take)) = known(&name) {
                take(&mut settings, Setting { name, json })?;
            }
        }
        Ok(settings)
    }

    /// Sets a setting by its name in Django.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unknown`] for a name that is not in the table; [`SettingsError::Value`] and
    /// [`SettingsError::Config`] as for [`from_json`](Self::from_json).
    pub fn set(mut self, name: &str, value: impl Serialize) -> Result<Self, SettingsError> {
        let (name, _, take) = known(name).ok_or(SettingsError::Unknown)?;
        wiping_stack(|| {
            let fault = SettingsError::Value { name };
            let json = json::write_secret(&value).map_err(|_| fault.clone())?;
            let json = str::from_utf8(&json).map_err(|_| fault)?;
            take(&mut self, Setting { name, json })
        })?;
        Ok(self)
    }

    /// Returns the site's secrets.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.ring
    }

    /// Returns the site's `AUTHENTICATION_BACKENDS`.
    ///
    /// Django ignores a login whose [`backend`](crate::django::AuthUser::backend) is not in this
    /// list, and so must a program that reads the session.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    /// use signed_session::django::{AuthUser, DjangoSettings};
    ///
    /// let settings = DjangoSettings::new("example-only-correct-horse-battery-staple")?
    ///     .set("AUTHENTICATION_BACKENDS", ["allauth.account.auth_backends.AuthenticationBackend"])?;
    ///
    /// let mut session = Session::new();
    /// let backend = "django.contrib.auth.backends.ModelBackend";
    /// AuthUser::new(settings.keyring(), 42, backend, "pbkdf2_sha256$1000000$salt$hash")
    ///     .login(&mut session, |_| false);
    /// let user = AuthUser::from_session(&session)?.unwrap();
    /// assert!(!settings.authentication_backends().iter().any(|known| known == user.backend()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn authentication_backends(&self) -> &[String] {
        &self.backends
    }

    /// Creates the manager of the site's session cookie.
    ///
    /// With `USE_TZ = False` Django stores an expiry date without an offset, in the local time of
    /// `TIME_ZONE`. Such a date is enforced if `TIME_ZONE` is UTC or a fixed offset such as
    /// `Etc/GMT+5`, but not for any other zone, because this crate has no time zone database. With
    /// `USE_TZ = False`, [`Expiry::At`](crate::Expiry::At) is refused: see
    /// [`SessionCodec::use_tz`].
    ///
    /// # Errors
    ///
    /// [`SettingsError::SessionEngine`] and [`SettingsError::SessionSerializer`] if the site's
    /// sessions are not JSON in a signed cookie; [`SettingsError::Config`] for a cookie that
    /// browsers would refuse.
    pub fn session_manager(&self) -> Result<SessionManager, SettingsError> {
        if !self.has_cookie_engine {
            return Err(SettingsError::SessionEngine);
        }
        if !self.has_json_serializer {
            return Err(SettingsError::SessionSerializer);
        }
        let codec = SessionCodec::new(&self.ring)
            .max_age(self.cookie_age)
            .use_tz(self.use_tz)
            .naive_offset(self.offset);
        let options = self.cookie_options(&self.name)?;
        let options = match &self.path {
            Some(path) => options.path(path)?,
            None => options.without_path()?,
        };
        Ok(SessionManager::new(codec, options)
            .save_every_request(self.save_every_request)
            .expire_at_browser_close(self.expire_at_browser_close))
    }

    /// Creates a signed cookie in the format that the site's Django reads.
    ///
    /// `DJANGO_VERSION` selects the format. Django before 5.2.15, and 6.0.0 to 6.0.5, reads and
    /// writes only the old format. Other versions write the new format, and read the old one as
    /// well if `SIGNED_COOKIE_LEGACY_SALT_FALLBACK` is true.
    ///
    /// # Errors
    ///
    /// [`SettingsError::SigningBackend`] if the site signs cookies with a class other than
    /// Django's.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{CookieOptions, django::DjangoSettings};
    ///
    /// let settings = DjangoSettings::new("example-only-correct-horse-battery-staple")?
    ///     .set("DJANGO_VERSION", "4.2.30")?;
    /// // In Django: response.set_signed_cookie("theme", "dark")
    /// let theme = settings.signed_cookie(CookieOptions::new("theme")?, "")?;
    /// let cookie = theme.cookie("dark")?;
    /// assert_eq!(theme.read([&cookie.stripped().to_string()])?, Some("dark".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn signed_cookie(
        &self,
        options: CookieOptions,
        salt: &str,
    ) -> Result<SignedCookie, SettingsError> {
        if !self.has_django_signer {
            return Err(SettingsError::SigningBackend);
        }
        let is_old = self.version.is_some_and(|version| {
            version < [5, 2, 15] || ([6, 0, 0]..[6, 0, 6]).contains(&version)
        });
        let reads_old = self.version.is_some_and(|version| version < [6, 1, 0]);
        Ok(SignedCookie::new(&self.ring, options, salt)
            .legacy_fallback(self.legacy_fallback.unwrap_or(reads_old))
            .write_legacy(is_old))
    }

    /// Creates the storage of the site's messages.
    ///
    /// # Errors
    ///
    /// [`SettingsError::MessageStorage`] if the storage is not one of Django's three classes;
    /// [`SettingsError::SigningBackend`] if messages are in a cookie that the site signs with a
    /// class other than Django's; [`SettingsError::Config`] for a domain that browsers would
    /// refuse.
    pub fn message_storage(&self) -> Result<MessageStorage, SettingsError> {
        let options = self.cookie_options("messages")?;
        let place = self.message_storage.ok_or(SettingsError::MessageStorage)?;
        if !self.has_django_signer && !matches!(place, MessagePlace::Session) {
            return Err(SettingsError::SigningBackend);
        }
        let storage = match place {
            MessagePlace::Cookie => MessageStorage::cookie(&self.ring, options),
            MessagePlace::Session => MessageStorage::session(),
            MessagePlace::Fallback => MessageStorage::fallback(&self.ring, options),
        };
        let storage = storage.level(self.message_level);
        let tags = self.message_tags.iter();
        Ok(tags.fold(storage, |storage, (level, tag)| storage.level_tag(Level(*level), tag)))
    }

    /// Creates the CSRF protection of the site.
    ///
    /// Django and this program then accept each other's forms. The site's scheme and host are those
    /// that Django determines from the request's headers, so `ALLOWED_HOSTS` must list the host,
    /// and behind a proxy that terminates TLS `SECURE_PROXY_SSL_HEADER` must be set: see [`Csrf`].
    /// The secret is always written unmasked, even with `CSRF_COOKIE_MASKED`. Masked and unmasked
    /// secrets are read.
    ///
    /// Feature `random`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::CsrfCookie`] for a cookie that browsers would refuse.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::Session;
    /// use signed_session::django::DjangoSettings;
    ///
    /// let settings = DjangoSettings::new("example-only-correct-horse-battery-staple")?
    ///     .set("ALLOWED_HOSTS", ["example.com"])?
    ///     .set("SECURE_PROXY_SSL_HEADER", ["HTTP_X_FORWARDED_PROTO", "https"])?;
    /// let csrf = settings.csrf()?;
    ///
    /// // A form that Django has rendered.
    /// let headers = [
    ///     ("host", "example.com"),
    ///     ("origin", "https://example.com"),
    ///     ("x-forwarded-proto", "https"),
    ///     ("cookie", "csrftoken=abcdefghijklmnopqrstuvwxyzABCDEF"),
    /// ];
    /// let request =
    ///     csrf.read("POST", headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    /// let form = b"csrfmiddlewaretoken=\
    ///     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefghijklmnopqrstuvwxyzABCDEF";
    /// let token = signed_session::django::Csrf::token_of_form(form);
    /// assert_eq!(request.check(&Session::new(), token.as_deref()), Ok(()));
    /// # Ok::<(), signed_session::django::SettingsError>(())
    /// ```
    #[cfg(feature = "random")]
    pub fn csrf(&self) -> Result<Csrf, SettingsError> {
        let forms = &self.forms;
        let store = if forms.use_sessions {
            Store::Session
        } else {
            let options = forms.cookie_options().map_err(SettingsError::CsrfCookie)?;
            Store::Cookie { options, max_age: forms.age }
        };
        let localhost = || LOCALHOST.map(str::to_owned).into();
        let proxy = Proxy {
            is_https: false,
            https_header: forms.https_header.clone(),
            uses_forwarded_host: forms.use_forwarded_host,
            uses_forwarded_port: forms.use_forwarded_port,
            allowed_hosts: match &*forms.allowed_hosts {
                [] if forms.debug => localhost(),
                hosts => hosts.to_vec(),
            },
            cookie_domain: if forms.use_sessions { &self.domain } else { &forms.domain }.clone(),
        };
        let csrf = Csrf::behind(proxy, store);
        let mut csrf = match &forms.header {
            Some(name) => csrf.header(name),
            None => csrf.without_header(),
        };
        forms.trusted_origins.iter().for_each(|origin| csrf.trust(origin));
        Ok(csrf)
    }

    /// Returns options with the attributes of the session cookie.
    ///
    /// The path is not set.
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
}

#[cfg(feature = "random")]
impl Forms {
    fn cookie_options(&self) -> Result<CookieOptions, ConfigError> {
        let options = CookieOptions::new(&self.name)?
            .secure(self.secure)
            .http_only(self.http_only)
            .same_site(self.same_site);
        let options = match &self.domain {
            Some(domain) => options.domain(domain)?,
            None => options,
        };
        match &self.path {
            Some(path) => options.path(path),
            None => options.without_path(),
        }
    }
}

/// The hosts that Django allows with `DEBUG` if `ALLOWED_HOSTS` is empty.
#[cfg(feature = "random")]
const LOCALHOST: [&str; 3] = [".localhost", "127.0.0.1", "[::1]"];

/// Returns the setting with this name, if this crate uses it.
fn known(name: &str) -> Option<&'static (&'static str, &'static str, Take)> {
    SETTINGS.iter().find(|(known, ..)| *known == name)
}

/// The name of a setting and its value as JSON.
#[derive(Clone, Copy)]
struct Setting<'a> {
    name: &'static str,
    json: &'a str,
}

type Take = fn(&mut DjangoSettings, Setting<'_>) -> Result<(), SettingsError>;

/// The settings that are used: name, permitted values, and setter.
const SETTINGS: [(&str, &str, Take); 37] = [
    (SECRET_KEY, "set to a string, or to bytes as {\"hex\": \"...\"}", |site, setting| {
        site.ring = Keyring::new(setting.secret()?)?.fallbacks_of(&site.ring);
        Ok(())
    }),
    (
        "SECRET_KEY_FALLBACKS",
        "a list of strings, or of bytes as {\"hex\": \"...\"}",
        |site, setting| {
            let mut ring = site.ring.without_fallbacks();
            for json in json::items(setting.json).map_err(|_| setting.fault())? {
                ring = ring.fallback_unless_empty(&Setting { json, ..setting }.secret()?);
            }
            site.ring = ring;
            Ok(())
        },
    ),
    (
        "SESSION_COOKIE_AGE",
        "a number of seconds that does not reach the year 10000",
        |site, setting| {
            site.cookie_age = setting.seconds()?;
            Ok(())
        },
    ),
    ("SESSION_COOKIE_NAME", A_TEXT, |site, setting| {
        site.name = setting.text()?;
        Ok(())
    }),
    ("SESSION_COOKIE_DOMAIN", A_TEXT_OR_NONE, |site, setting| {
        site.domain = setting.optional_text()?;
        Ok(())
    }),
    ("SESSION_COOKIE_PATH", A_TEXT_OR_NONE, |site, setting| {
        // Django writes any path, but browsers ignore one that does not begin with a slash.
        site.path = setting.optional_text()?.filter(|path| path.starts_with('/'));
        Ok(())
    }),
    ("SESSION_COOKIE_SECURE", ANYTHING, |site, setting| {
        site.secure = setting.is_true()?;
        Ok(())
    }),
    ("SESSION_COOKIE_HTTPONLY", ANYTHING, |site, setting| {
        site.http_only = setting.is_true()?;
        Ok(())
    }),
    ("SESSION_COOKIE_SAMESITE", A_SAME_SITE, |site, setting| {
        site.same_site = setting.same_site()?;
        Ok(())
    }),
    ("SESSION_SAVE_EVERY_REQUEST", ANYTHING, |site, setting| {
        site.save_every_request = setting.is_true()?;
        Ok(())
    }),
    ("SESSION_EXPIRE_AT_BROWSER_CLOSE", ANYTHING, |site, setting| {
        site.expire_at_browser_close = setting.is_true()?;
        Ok(())
    }),
    ("SESSION_ENGINE", A_TEXT, |site, setting| {
        site.has_cookie_engine = setting.text()? == ENGINE;
        Ok(())
    }),
    ("SESSION_SERIALIZER", A_TEXT, |site, setting| {
        site.has_json_serializer = SERIALIZERS.contains(&setting.text()?.as_str());
        Ok(())
    }),
    ("USE_TZ", ANYTHING, |site, setting| {
        site.use_tz = setting.is_true()?;
        Ok(())
    }),
    ("TIME_ZONE", A_TEXT_OR_NONE, |site, setting| {
        site.offset = setting.optional_text()?.as_deref().and_then(fixed_offset);
        Ok(())
    }),
    ("AUTHENTICATION_BACKENDS", A_LIST_OF_TEXT, |site, setting| {
        site.backends = setting.read()?;
        Ok(())
    }),
    ("SIGNING_BACKEND", A_TEXT, |site, setting| {
        site.has_django_signer = setting.text()? == SIGNING_BACKEND;
        Ok(())
    }),
    ("SIGNED_COOKIE_LEGACY_SALT_FALLBACK", ANYTHING, |site, setting| {
        site.legacy_fallback = Some(setting.is_true()?);
        Ok(())
    }),
    ("DJANGO_VERSION", "a version such as \"5.2.19\"", |site, setting| {
        site.version = Some(setting.version()?);
        Ok(())
    }),
    ("MESSAGE_STORAGE", A_TEXT, |site, setting| {
        let class = setting.text()?;
        let known = MESSAGE_STORAGES.iter().find(|(known, _)| *known == class);
        site.message_storage = known.map(|(_, place)| *place);
        Ok(())
    }),
    ("MESSAGE_LEVEL", "a number", |site, setting| {
        site.message_level = Level(setting.level()?);
        Ok(())
    }),
    ("MESSAGE_TAGS", "an object whose values are strings", |site, setting| {
        site.message_tags = setting.tags()?;
        Ok(())
    }),
    ("CSRF_USE_SESSIONS", ANYTHING, |site, setting| {
        site.forms.use_sessions = setting.is_true()?;
        Ok(())
    }),
    ("CSRF_COOKIE_NAME", A_TEXT, |site, setting| {
        site.forms.name = setting.text()?;
        Ok(())
    }),
    (
        "CSRF_COOKIE_AGE",
        "a number of seconds that does not reach the year 10000, or null",
        |site, setting| {
            site.forms.age = setting.optional_seconds()?;
            Ok(())
        },
    ),
    ("CSRF_COOKIE_DOMAIN", A_TEXT_OR_NONE, |site, setting| {
        site.forms.domain = setting.optional_text()?;
        Ok(())
    }),
    ("CSRF_COOKIE_PATH", A_TEXT_OR_NONE, |site, setting| {
        site.forms.path = setting.optional_text()?.filter(|path| path.starts_with('/'));
        Ok(())
    }),
    ("CSRF_COOKIE_SECURE", ANYTHING, |site, setting| {
        site.forms.secure = setting.is_true()?;
        Ok(())
    }),
    ("CSRF_COOKIE_HTTPONLY", ANYTHING, |site, setting| {
        site.forms.http_only = setting.is_true()?;
        Ok(())
    }),
    ("CSRF_COOKIE_SAMESITE", A_SAME_SITE, |site, setting| {
        site.forms.same_site = setting.same_site()?;
        Ok(())
    }),
    ("CSRF_HEADER_NAME", A_TEXT, |site, setting| {
        site.forms.header = header_name(&setting.text()?);
        Ok(())
    }),
    ("CSRF_TRUSTED_ORIGINS", A_LIST_OF_TEXT, |site, setting| {
        site.forms.trusted_origins = setting.read()?;
        Ok(())
    }),
    ("ALLOWED_HOSTS", A_LIST_OF_TEXT, |site, setting| {
        site.forms.allowed_hosts = setting.read()?;
        Ok(())
    }),
    ("DEBUG", ANYTHING, |site, setting| {
        site.forms.debug = setting.is_true()?;
        Ok(())
    }),
    ("SECURE_PROXY_SSL_HEADER", "two strings, or null", |site, setting| {
        let pair: Option<(String, String)> =
            if setting.is_true()? { Some(setting.read()?) } else { None };
        // A header that no request has is never set.
        site.forms.https_header =
            pair.and_then(|(header, value)| Some((header_name(&header)?, value)));
        Ok(())
    }),
    ("USE_X_FORWARDED_HOST", ANYTHING, |site, setting| {
        site.forms.use_forwarded_host = setting.is_true()?;
        Ok(())
    }),
    ("USE_X_FORWARDED_PORT", ANYTHING, |site, setting| {
        site.forms.use_forwarded_port = setting.is_true()?;
        Ok(())
    }),
];

const A_TEXT: &str = "a string";
const A_TEXT_OR_NONE: &str = "a string or null";
const A_LIST_OF_TEXT: &str = "a list of strings";
const A_SAME_SITE: &str = "\"Lax\", \"Strict\", \"None\" or false";
const ANYTHING: &str = "a value that can be written as JSON";

/// The one required setting.
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

    fn text(self) -> Result<String, SettingsError> {
        self.read()
    }

    /// Reads a string that may be missing: `None`, `False` or empty.
    fn optional_text(self) -> Result<Option<String>, SettingsError> {
        match self.json {
            "null" | "false" => Ok(None),
            _ => Ok(Some(self.text()?).filter(|text| !text.is_empty())),
        }
    }

    fn is_true(self) -> Result<bool, SettingsError> {
        Ok(is_true(&self.read()?))
    }

    /// Reads a number; in Python a boolean is a number too.
    fn number(self) -> Result<f64, SettingsError> {
        match self.read()? {
            Value::Bool(value) => Ok(f64::from(u8::from(value))),
            value => value.as_f64().ok_or_else(|| self.fault()),
        }
    }

    /// Reads an age. A negative one deletes the cookie, as zero does.
    fn seconds(self) -> Result<Duration, SettingsError> {
        let seconds = self.number()?.max(0.0);
        let age = Duration::try_from_secs_f64(seconds).map_err(|_| self.fault())?;
        // Python cannot print a later date for the end of the cookie, and Django fails.
        match time::Duration::try_from(age).map(|age| OffsetDateTime::now_utc().checked_add(age)) {
            Ok(Some(_)) => Ok(age),
            _ => Err(self.fault()),
        }
    }

    /// Reads an age that may be `None` or a `timedelta`.
    fn optional_seconds(self) -> Result<Option<Duration>, SettingsError> {
        match self.json {
            "null" => return Ok(None),
            json if !json.starts_with('{') => return self.seconds().map(Some),
            _ => {}
        }
        let mut spelled = entries(self.json).map_err(|_| self.fault())?;
        let json = spelled.remove("timedelta").filter(|_| spelled.is_empty());
        Setting { json: json.ok_or_else(|| self.fault())?, ..self }.seconds().map(Some)
    }

    /// Reads a level, below which messages are dropped.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    fn level(self) -> Result<i64, SettingsError> {
        match self.read::<Value>()?.as_i64() {
            Some(level) => Ok(level),
            None => Ok(self.number()?.ceil() as i64),
        }
    }

    fn tags(self) -> Result<BTreeMap<i64, String>, SettingsError> {
        let entries = entries(self.json).map_err(|_| self.fault())?;
        let tags = entries.into_iter().map(|(level, json)| {
            let tag = Setting { json, ..self };
            let tag = if tag.is_true()? { tag.text()? } else { String::new() };
            Ok(level.parse().ok().map(|level| (level, tag)))
        });
        tags.filter_map(Result::transpose).collect()
    }

    /// Reads the first three numbers of a version.
    fn version(self) -> Result<[u32; 3], SettingsError> {
        let text = self.text()?;
        let mut numbers = text.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits).and_then(|digits| digits.parse().ok())
        });
        let mut next = || numbers.next().flatten();
        let major = next().ok_or_else(|| self.fault())?;
        Ok([major, next().unwrap_or(0), next().unwrap_or(0)])
    }

    /// Reads a secret: a string, or bytes in hexadecimal.
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

    /// Reads a `SameSite` attribute; `None` if the value is false in Python.
    fn same_site(self) -> Result<Option<SameSite>, SettingsError> {
        if !self.is_true()? {
            return Ok(None);
        }
        match self.text()?.to_ascii_lowercase().as_str() {
            "lax" => Ok(Some(SameSite::Lax)),
            "strict" => Ok(Some(SameSite::Strict)),
            "none" => Ok(Some(SameSite::None)),
            _ => Err(self.fault()),
        }
    }
}

/// Returns an object's entries, each value as its JSON text.
///
/// No secret is copied. An error can name the setting whose value cannot be read.
fn entries(text: &str) -> Result<BTreeMap<String, &str>, Fault> {
    let mut entries = BTreeMap::new();
    json::entries(text, |key, value| {
        // A name that is not Unicode is never one of the settings.
        let name = text.get(key).and_then(|key| json::read(key).ok());
        entries.insert(name.unwrap_or_default(), sure(text.get(value)));
    })?;
    Ok(entries)
}

/// Returns the name of the header for a key of `request.META`, if there is one.
fn header_name(key: &str) -> Option<String> {
    Some(key.strip_prefix("HTTP_")?.replace('_', "-").to_ascii_lowercase())
}

/// Returns `true` if Python considers a value true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// Returns the offset of a time zone in the tz database, if it is fixed.
///
/// `Etc/GMT+5` is west of UTC, as in POSIX.
fn fixed_offset(time_zone: &str) -> Option<UtcOffset> {
    let name = time_zone.strip_prefix("Etc/").unwrap_or(time_zone);
    if UTC_NAMES.contains(&name) {
        return Some(UtcOffset::UTC);
    }
    let (sign, hours) = match time_zone.strip_prefix("Etc/GMT")?.split_at_checked(1)? {
        ("+", hours) => (-1, hours),
        ("-", hours) => (1, hours),
        _ => return None,
    };
    let furthest = if sign < 0 { 12 } else { 14 };
    let hours = (1..=furthest).find(|known: &i8| known.to_string() == hours)?;
    UtcOffset::from_hms(hours.saturating_mul(sign), 0, 0).ok()
}

/// The names of UTC in the tz database, with or without the prefix `Etc/`.
const UTC_NAMES: [&str; 9] =
    ["UTC", "UCT", "Zulu", "Universal", "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich"];

/// The error if the settings of a Django project cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// The settings are not one JSON object.
    NotAnObject,
    /// The name is not a setting that this crate uses.
    Unknown,
    /// A required setting is missing, or a value is not permitted.
    Value {
        /// The setting's name.
        name: &'static str,
    },
    /// The site does not keep its sessions in a signed cookie.
    ///
    /// Without `SESSION_ENGINE` Django keeps them in its database. A class derived from the one in
    /// `signed_cookies` may read and write anything, so it is refused too. If you know that it
    /// writes the same tokens, add
    /// `.set("SESSION_ENGINE", "django.contrib.sessions.backends.signed_cookies")`.
    SessionEngine,
    /// The site's sessions are not JSON, but pickled or in a custom format.
    ///
    /// A class derived from Django's `JSONSerializer` is refused too, because it may write
    /// anything. If you know that it writes the same JSON, add
    /// `.set("SESSION_SERIALIZER", "django.contrib.sessions.serializers.JSONSerializer")`.
    SessionSerializer,
    /// The class of the site's `MESSAGE_STORAGE` is not one of Django's three.
    MessageStorage,
    /// The site's `SIGNING_BACKEND` is a class other than Django's.
    ///
    /// It signs messages and signed cookies, but not sessions.
    SigningBackend,
    /// A secret is empty, or browsers would refuse the cookie.
    Config(ConfigError),
    /// Browsers would refuse the cookie of the CSRF secret.
    CsrfCookie(ConfigError),
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
            Self::Unknown => "the name is not a setting that signed-session uses",
            Self::Value { name } => {
                let kind = known(name).map_or("of another type", |(_, kind, _)| *kind);
                return write!(f, "the setting {name} must be {kind}");
            }
            Self::SessionEngine => {
                "the sessions are not in a signed cookie: set Django's SESSION_ENGINE to \
                 django.contrib.sessions.backends.signed_cookies, or read stored sessions with \
                 django::stored_session_codec"
            }
            Self::SessionSerializer => {
                "the sessions are not JSON: set Django's SESSION_SERIALIZER to \
                 django.contrib.sessions.serializers.JSONSerializer, because only Python can \
                 read pickles"
            }
            Self::MessageStorage => {
                "the messages are not in one of Django's storages: set MESSAGE_STORAGE to \
                 django.contrib.messages.storage.fallback.FallbackStorage"
            }
            Self::SigningBackend => {
                "the messages and signed cookies are not signed by Django's own class: set \
                 SIGNING_BACKEND to django.core.signing.TimestampSigner"
            }
            Self::Config(error) => {
                let name = match error {
                    ConfigError::EmptySecret => SECRET_KEY,
                    ConfigError::CookiePath => "SESSION_COOKIE_PATH",
                    ConfigError::CookieDomain => "SESSION_COOKIE_DOMAIN",
                    _ => "SESSION_COOKIE_NAME",
                };
                return write!(f, "the setting {name}: {error}");
            }
            Self::CsrfCookie(error) => {
                let name = match error {
                    ConfigError::CookiePath => "CSRF_COOKIE_PATH",
                    ConfigError::CookieDomain => "CSRF_COOKIE_DOMAIN",
                    _ => "CSRF_COOKIE_NAME",
                };
                return write!(f, "the setting {name}: {error}");
            }
        })
    }
}

impl Error for SettingsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) | Self::CsrfCookie(error) => Some(error),
            _ => None,
        }
    }
}

/// Omits the settings, which include the secrets.
impl fmt::Debug for DjangoSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoSettings").finish_non_exhaustive()
    }
}
