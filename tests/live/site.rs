//! The settings of a site: as Django's, and as this crate is told them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use signed_session::{
    Compress, CookieOptions, DecodeError, ExpiryRule, Keyring, SameSite, Session, SessionCodec,
    SessionManager, Signer, TimestampSigner, django,
};
use time::OffsetDateTime;

use crate::clock::moment;
use crate::random::Random;
use crate::step::Setting;

#[derive(Clone, Debug)]
pub struct Site {
    pub name: &'static str,
    /// In seconds.
    pub age: u64,
    pub domain: Option<&'static str>,
    pub path: &'static str,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: Option<&'static str>,
    pub save_every_request: bool,
    pub browser_close: bool,
    /// The first signs.
    pub secrets: Vec<String>,
    pub rule: ExpiryRule,
}

/// As Django's settings are before a site changes them.
impl Default for Site {
    fn default() -> Self {
        Self {
            name: "sessionid",
            age: 1_209_600,
            domain: None,
            path: "/",
            secure: false,
            http_only: true,
            same_site: Some("Lax"),
            save_every_request: false,
            browser_close: false,
            secrets: ["first", "second", "third"].map(|name| format!("a-{name}-test-key")).into(),
            rule: ExpiryRule::Django,
        }
    }
}

/// What a token says that some key of the site signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub json: String,
    /// In whole seconds since 1970.
    pub stamp: i64,
    pub key_index: usize,
}

impl Site {
    pub fn random(random: &mut Random) -> Self {
        let names = [
            "sessionid",
            "sessionid",
            "sid!#$%&'*+-.^_`|~0",
            "__Host-sessionid",
            "__Secure-sessionid",
            "__host-sessionid",
            "__Http-sessionid",
            "__Host-Http-sessionid",
        ];
        let name = *random.pick(&names);
        let for_one_host = name.to_ascii_lowercase().starts_with("__host-");
        let domains = [None, None, Some("example.com"), Some(".example.com"), Some("localhost")];
        let count = random.below(3) + 1;
        Self {
            name,
            age: *random.pick(&[1_209_600, 1_209_600, 3600, 60, 1, 0, 34_560_000]),
            domain: if for_one_host { None } else { *random.pick(&domains) },
            path: if for_one_host { "/" } else { *random.pick(&["/", "/", "/app", "/a b/=,c"]) },
            secure: random.once_in(2),
            http_only: !random.once_in(3),
            same_site: *random.pick(&[Some("Lax"), Some("Strict"), Some("None"), None]),
            save_every_request: random.once_in(4),
            browser_close: random.once_in(4),
            secrets: (0..count).map(|_| format!("a-test-key-{:016x}", random.next())).collect(),
            rule: *random.pick(&[ExpiryRule::Django, ExpiryRule::Enforce]),
        }
    }

    // As Django is told it.

    pub fn settings(&self, save_every_request: bool) -> Value {
        json!({
            "SESSION_COOKIE_NAME": self.name,
            "SESSION_COOKIE_DOMAIN": self.domain,
            "SESSION_COOKIE_PATH": self.path,
            "SESSION_COOKIE_SECURE": self.secure,
            "SESSION_COOKIE_HTTPONLY": self.http_only,
            "SESSION_COOKIE_SAMESITE": self.same_site,
            "SESSION_SAVE_EVERY_REQUEST": save_every_request,
            "SESSION_EXPIRE_AT_BROWSER_CLOSE": self.browser_close,
        })
    }

    pub fn secrets(&self) -> Vec<Value> {
        self.secrets.iter().map(|secret| json!({ "text": secret })).collect()
    }

    // As this crate is told it.

    pub fn ring(&self) -> Keyring {
        let (first, rest) = self.secrets.split_first().expect("a site has a secret");
        let ring = Keyring::new(first).expect("usable");
        rest.iter().fold(ring, |ring, secret| ring.fallback(secret).expect("usable"))
    }

    pub fn manager(&self) -> SessionManager {
        let codec = SessionCodec::new(&self.ring())
            .max_age(Duration::from_secs(self.age))
            .expiry_rule(self.rule);
        let same_site = self.same_site.map(|site| match site {
            "Lax" => SameSite::Lax,
            "Strict" => SameSite::Strict,
            _ => SameSite::None,
        });
        let options = CookieOptions::new(self.name).and_then(|options| options.path(self.path));
        let options = match self.domain {
            Some(domain) => options.and_then(|options| options.domain(domain)),
            None => options,
        };
        let options = options.expect("the options of a site are legal");
        let options = options.secure(self.secure).http_only(self.http_only).same_site(same_site);
        SessionManager::new(codec, options)
            .save_every_request(self.save_every_request)
            .expire_at_browser_close(self.browser_close)
    }

    pub fn setting(&self, now: i64) -> Setting {
        let cookie_age = Duration::from_secs(self.age);
        Setting { now, cookie_age, browser_close: self.browser_close }
    }

    /// Reads a token that was made in this second.
    pub fn read(&self, token: &str, now: i64) -> Result<Session, DecodeError> {
        let codec = SessionCodec::new(&self.ring()).expiry_rule(ExpiryRule::Django);
        codec.max_age(Duration::from_secs(self.age)).decode_at(token, moment(now / 1000 * 1000))
    }

    // Tokens, made and read below the session: `tokens.rs` holds these parts to Django.

    /// Signs a session with one of the keys, or with none of them.
    pub fn sign(&self, json: &str, key: usize, at: i64) -> String {
        let signer = TimestampSigner::new(&self.ring_of(key), django::SESSION_SALT);
        signer.sign_json_at(json, Compress::IfShorter, moment(at)).expect("can be written")
    }

    /// Signs any text where a session should be.
    pub fn sign_payload(&self, payload: &str, at: i64) -> String {
        TimestampSigner::new(&self.ring(), django::SESSION_SALT).sign_at(payload, moment(at))
    }

    /// Signs any text where a session and its stamp should be.
    pub fn sign_body(&self, body: &str) -> String {
        Signer::new(&self.ring(), django::SESSION_SALT).sign(body)
    }

    fn ring_of(&self, key: usize) -> Keyring {
        let secret = self.secrets.get(key).map_or("the-key-of-another-site", String::as_str);
        Keyring::new(secret).expect("usable")
    }

    /// Returns `true` if one of the keys signed a value, whatever it contains.
    pub fn is_authentic(&self, value: &str) -> bool {
        Signer::new(&self.ring(), django::SESSION_SALT).unsign(value).is_ok()
    }

    /// Reads when a value was signed.
    pub fn stamp(&self, value: &str) -> Option<i64> {
        let signer = TimestampSigner::new(&self.ring(), django::SESSION_SALT);
        let stamped = signer.unsign_at(value, None, OffsetDateTime::UNIX_EPOCH).ok()?;
        Some(stamped.signed_at.unix_timestamp())
    }

    /// Reads a token whatever its age; nothing if it is not one of a session.
    pub fn content(&self, token: &str) -> Option<Content> {
        let signer = TimestampSigner::new(&self.ring(), django::SESSION_SALT);
        let stamped = signer.unsign_at(token, None, OffsetDateTime::UNIX_EPOCH).ok()?;
        let (stamp, key_index) = (stamped.signed_at.unix_timestamp(), stamped.key_index);
        let json = signer.unsign_json_at(token, None, OffsetDateTime::UNIX_EPOCH).ok()?;
        json.starts_with('{').then_some(Content { json, stamp, key_index })
    }
}

/// A request as the worker takes it.
#[derive(Serialize)]
pub struct Request<'a> {
    pub secrets: Vec<Value>,
    /// In milliseconds, as the next.
    pub now: i64,
    pub max_age: u64,
    pub settings: Value,
    pub cookies: Option<String>,
    /// Whether nothing becomes of a cookie whose session the steps do not change.
    pub left_alone: bool,
    pub steps: &'a [crate::step::Step],
    pub status: u16,
    pub headers: Value,
}
