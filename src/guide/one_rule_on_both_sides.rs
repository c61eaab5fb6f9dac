//! Shows a Django session engine that refuses the cookies that Rust refuses.
//!
//! Django's own engine accepts cookies that Rust refuses, such as one whose own expiry has passed.
//! The visitor is then logged in on one page and not on the next. With the engine below Django
//! applies the same rules as Rust:
//!
//! | | Django's own engine | this engine, and Rust |
//! |---|---|---|
//! | `set_expiry(60)`, and a copy sent after an hour | accepted (Django's tickets 19201 and 27775) | refused |
//! | `set_expiry` to 60 days | ends after `SESSION_COOKIE_AGE` | ends after 60 days |
//! | an absolute age, however often the session is written | cannot be set | `SESSION_ABSOLUTE_AGE`, and [`SessionCodec::absolute_max_age`] |
//! | the largest JSON in a cookie | unlimited | 65,536 bytes |
//! | a cookie signed with a fallback key | stays until the session is changed | is re-signed by the next response to a request that reads it; in Rust with [`SessionManager::reissue_under_primary`] |
//! | a cookie that is refused | is replaced by an empty session | stays until the session is changed, because another process may be able to read it |
//! | an authentic token in a non-canonical form, with a timestamp in the future, or that is not a JSON object | accepted, or fails later | refused |
//!
//! The cookies are the same, so the engine can be deployed and rolled back at any time. Save it as
//! `cookie_sessions.py` where Python can import it, such as next to `manage.py`. In the repository
//! it is `examples/beside_django/site/cookie_sessions.py`.
//!
//! ```python
//! """Django's signed-cookie sessions, with the rules of Rust. The cookies are the same.
//!
//! SESSION_ENGINE = "cookie_sessions"; SESSION_ABSOLUTE_AGE, in seconds, is optional.
//! """
//!
//! import json
//! import re
//! import time
//! import zlib
//! from datetime import datetime
//!
//! from django.conf import settings
//! from django.contrib.sessions.backends import signed_cookies
//! from django.core import signing
//! from django.utils.timezone import is_naive, make_aware
//!
//! SALT, STARTED = signed_cookies.__name__, "_session_started"
//! MAX_TOKEN, MAX_JSON, MAX_SKEW = 4096, 65536, 300
//! TIME = r"([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d(:\d\d)?)?"
//! DATE = re.compile(rf"\d{{4}}-\d\d-\d\d([Tt ]{TIME})?")
//!
//!
//! class SessionStore(signed_cookies.SessionStore):
//!     def load(self):
//!         try:
//!             signed, stamp, data = verified(self.session_key, time.time())
//!         except Exception:
//!             return {}  # the cookie stays as it is until something is written
//!         if absolute_age() and STARTED not in data:
//!             data[STARTED], self.modified = stamp * 1_000_000, True
//!         if signing.Signer(salt=SALT, fallback_keys=[]).sign(signed) != self.session_key:
//!             self.modified = True  # signed with a fallback key: re-sign with the first
//!         return data
//!
//!     def _get_session_key(self):
//!         if absolute_age():
//!             self._session.setdefault(STARTED, int(time.time() * 1_000_000))
//!         return super()._get_session_key()
//!
//!
//! def absolute_age():
//!     return getattr(settings, "SESSION_ABSOLUTE_AGE", None)
//!
//!
//! def check(is_good):
//!     if not is_good:
//!         raise ValueError("the cookie is refused")
//!
//!
//! def verified(token, now):
//!     check(len(token) <= MAX_TOKEN)
//!     signed = signing.Signer(salt=SALT).unsign(token)
//!     payload, _, stamp = signed.rpartition(":")
//!     check(re.fullmatch("[0-9A-Za-z]+", stamp))
//!     stamp = signing.b62_decode(stamp)
//!     check(stamp <= now + MAX_SKEW)
//!     data = json.loads(inflated(payload), parse_constant=int)  # int("NaN") raises an error
//!     check(not is_over(data.get("_session_expiry"), max(now - stamp, 0), now))
//!     if absolute_age():
//!         started = data.get(STARTED, stamp * 1_000_000)
//!         check(type(started) is int and 0 <= started <= 253402300799999999)
//!         check(now * 1_000_000 - started <= absolute_age() * 1_000_000)
//!     return signed, stamp, data
//!
//!
//! def inflated(payload):
//!     base64 = payload.removeprefix(".")
//!     text = signing.b64_decode(base64.encode())
//!     check(signing.b64_encode(text).decode() == base64)
//!     if base64 != payload:
//!         stream = zlib.decompressobj()
//!         text = stream.decompress(text, MAX_JSON + 1)
//!         check(stream.eof and not stream.unused_data)
//!     check(text.isascii() and len(text) <= MAX_JSON)
//!     return text.decode()
//!
//!
//! def is_over(expiry, age, now):
//!     if isinstance(expiry, str):
//!         check(DATE.fullmatch(expiry))
//!         date = datetime.fromisoformat(expiry)
//!         return now > (make_aware(date) if is_naive(date) else date).timestamp()
//!     if expiry in (None, False, 0):
//!         return age > settings.SESSION_COOKIE_AGE
//!     check(type(expiry) in (int, float))
//!     return age > expiry
//! ```
//!
//! In `settings.py`:
//!
//! ```python
//! SESSION_ENGINE = "cookie_sessions"
//! SESSION_ABSOLUTE_AGE = 7 * 24 * 60 * 60  # optional
//! ```
//!
//! [`DjangoSettings`] knows Django's engines by name and refuses others. Give it the name of
//! Django's own, which has the same cookies:
//!
//! ```
//! use signed_session::SessionManager;
//! use signed_session::django::{DjangoSettings, SettingsError};
//!
//! fn manager(text: &str) -> Result<SessionManager, SettingsError> {
//!     let engine = "django.contrib.sessions.backends.signed_cookies";
//!     let settings = DjangoSettings::from_json(text)?.set("SESSION_ENGINE", engine)?;
//!     Ok(settings.session_manager()?.reissue_under_primary(true))
//! }
//! # manager(r#"{"SECRET_KEY": "example-only-correct-horse-battery-staple", "SESSION_ENGINE": "cookie_sessions"}"#)?;
//! # Ok::<(), SettingsError>(())
//! ```
//!
//! With an absolute age, build the [`SessionCodec`] and the manager yourself, and repeat in them
//! what the settings say, such as `USE_TZ` and the attributes of the cookie:
//!
//! ```
//! use std::time::Duration;
//! use signed_session::{ConfigError, CookieOptions, Keyring, SessionCodec, SessionManager};
//!
//! const DAY: Duration = Duration::from_secs(24 * 60 * 60);
//!
//! /// `ring` is `DjangoSettings::keyring`.
//! fn manager(ring: &Keyring) -> Result<SessionManager, ConfigError> {
//!     let codec = SessionCodec::new(ring)
//!         .max_age(14 * DAY) // SESSION_COOKIE_AGE
//!         .absolute_max_age(7 * DAY); // SESSION_ABSOLUTE_AGE
//!     let cookie = CookieOptions::new("sessionid")?; // `Secure`, otherwise Django's defaults
//!     Ok(SessionManager::new(codec, cookie).reissue_under_primary(true))
//! }
//! # manager(&Keyring::new("example-only-correct-horse-battery-staple")?)?;
//! # Ok::<(), ConfigError>(())
//! ```
//!
//! Set the age on both sides: a side without it does not record when a session began, although it
//! preserves a recorded time.
//!
//! The two still differ where Python itself refuses what JSON allows: an integer of more than 4,300
//! digits, and nesting past Python's recursion limit. Django's middleware replaces a refused cookie
//! if `SESSION_SAVE_EVERY_REQUEST` is set, and deletes one of fewer than 8 characters. Of two
//! cookies with one name Django reads the last (D11 of [docs/differences.md]). With `USE_TZ =
//! False` Django knows every time zone, but Rust only those with a fixed offset.
//!
//! [docs/differences.md]: https://docs.rs/crate/signed-session/latest/source/docs/differences.md
//!
//! [`SessionCodec`]: crate::SessionCodec
//! [`SessionCodec::absolute_max_age`]: crate::SessionCodec::absolute_max_age
//! [`SessionManager::reissue_under_primary`]: crate::SessionManager::reissue_under_primary
//! [`DjangoSettings`]: crate::django::DjangoSettings
