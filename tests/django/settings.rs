//! A Django project's settings, under Django's names, are taken whole or refused by name.

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use signed_session::django::{self, DjangoSettings, SettingsError, SignedCookie};
use signed_session::{
    ConfigError, CookieOptions, EncodeError, Expiry, Keyring, SessionCodec, TimestampSigner,
    Weakness,
};

const ENGINE: &str = "django.contrib.sessions.backends.signed_cookies";
const SECRET: &str = "planted-secret-0123456789-0123456789";

fn settings() -> DjangoSettings {
    DjangoSettings::new(SECRET).unwrap()
}

/// Prints the cookie of a session, without its token and date.
fn cookie(settings: &DjangoSettings) -> Result<String, SettingsError> {
    let manager = settings.session_manager()?;
    let mut session = manager.load(["other=cookie"]);
    session.insert("a", 1).unwrap();
    let cookie = manager.commit(&session, 200).unwrap().set_cookie.unwrap();
    let text = cookie.to_string().replace(cookie.value(), "");
    Ok(text.split("; Expires=").next().unwrap().to_owned())
}

/// Every setting with a value that it takes, and one of each kind that it does not.
fn faulty() -> Vec<(&'static str, Value, Vec<Value>)> {
    let no_text = vec![json!(null), json!(1), json!(true), json!(["a"]), json!({"a": 1})];
    vec![
        (
            "SECRET_KEY",
            json!(SECRET),
            vec![
                json!(null),
                json!(1),
                json!([SECRET]),
                json!({}),
                json!({"hex": "0"}),
                json!({"hex": "+1"}),
                json!({"hex": "0g"}),
                json!({"hex": "é"}),
                json!({"hex": 1}),
                json!({"hex": "00", "other": "00"}),
                json!({"text": "00"}),
            ],
        ),
        (
            "SECRET_KEY_FALLBACKS",
            json!([SECRET, {"hex": "00ff"}]),
            vec![json!(null), json!(SECRET), json!({"hex": "00"}), json!([1]), json!([[SECRET]])],
        ),
        (
            "SESSION_COOKIE_AGE",
            json!(0),
            vec![json!(null), json!("60"), json!([60]), json!({"timedelta": 60.0}), json!(1e12)],
        ),
        ("SESSION_COOKIE_NAME", json!("sid"), no_text.clone()),
        ("SESSION_COOKIE_DOMAIN", json!(null), no_text[1..].to_vec()),
        ("SESSION_COOKIE_PATH", json!("/"), no_text[1..].to_vec()),
        (
            "SESSION_COOKIE_SAMESITE",
            json!(false),
            vec![json!(true), json!(1), json!("planted"), json!(" Lax"), json!(["Lax"])],
        ),
        ("TIME_ZONE", json!("Europe/Paris"), no_text[1..].to_vec()),
        (
            "AUTHENTICATION_BACKENDS",
            json!(["shop.Backend"]),
            vec![json!(null), json!("shop.Backend"), json!([1]), json!({"shop.Backend": 1})],
        ),
        ("SIGNING_BACKEND", json!("shop.Signer"), no_text.clone()),
        ("DJANGO_VERSION", json!("6.1rc1"), vec![json!(6.1), json!("six"), json!(""), json!(null)]),
        ("MESSAGE_LEVEL", json!(25.5), vec![json!(null), json!("20"), json!([20])]),
        ("MESSAGE_TAGS", json!({"40": "danger", "x": "y"}), vec![json!(null), json!({"40": 1})]),
        ("SESSION_ENGINE", json!(ENGINE), no_text.clone()),
        ("SESSION_SERIALIZER", json!("django.core.signing.JSONSerializer"), no_text.clone()),
        ("CSRF_COOKIE_NAME", json!("csrf"), no_text.clone()),
        (
            "CSRF_COOKIE_AGE",
            json!({"timedelta": 60.5}),
            vec![
                json!("60"),
                json!([60]),
                json!(1e12),
                json!({"timedelta": "60"}),
                json!({"timedelta": 60, "other": 1}),
                json!({"type": "complex"}),
            ],
        ),
        ("CSRF_COOKIE_DOMAIN", json!(false), no_text[1..2].to_vec()),
        ("CSRF_COOKIE_PATH", json!(null), no_text[1..2].to_vec()),
        ("CSRF_COOKIE_SAMESITE", json!("strict"), vec![json!(true), json!("planted")]),
        ("CSRF_HEADER_NAME", json!("HTTP_X_XSRF_TOKEN"), no_text),
        (
            "CSRF_TRUSTED_ORIGINS",
            json!(["https://*.example.com", "null"]),
            vec![json!(null), json!("https://example.com"), json!([1]), json!({"a": 1})],
        ),
        ("ALLOWED_HOSTS", json!(["*"]), vec![json!(null), json!("*"), json!([null])]),
        (
            "SECURE_PROXY_SSL_HEADER",
            json!(["HTTP_X_FORWARDED_PROTO", "https"]),
            vec![
                json!("HTTP_X_FORWARDED_PROTO"),
                json!(["HTTP_X_FORWARDED_PROTO"]),
                json!(["a", "b", "c"]),
                json!(["a", 1]),
                json!(true),
            ],
        ),
    ]
}

#[test]
fn without_more_the_settings_are_django_s_own() {
    assert_eq!(
        cookie(&settings()).unwrap(),
        "sessionid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600",
    );
}

#[test]
fn each_setting_of_the_cookie_reaches_the_cookie() {
    for (name, value, expected) in [
        (
            "SESSION_COOKIE_NAME",
            json!("sid"),
            "sid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600",
        ),
        ("SESSION_COOKIE_AGE", json!(60), "sessionid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"),
        (
            "SESSION_COOKIE_DOMAIN",
            json!("example.com"),
            "sessionid=; HttpOnly; SameSite=Lax; Path=/; Domain=example.com; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_DOMAIN",
            json!(""),
            "sessionid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_PATH",
            json!("/app"),
            "sessionid=; HttpOnly; SameSite=Lax; Path=/app; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_SECURE",
            json!(true),
            "sessionid=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_HTTPONLY",
            json!(false),
            "sessionid=; SameSite=Lax; Path=/; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_SAMESITE",
            json!("strict"),
            "sessionid=; HttpOnly; SameSite=Strict; Path=/; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_SAMESITE",
            json!("Lax"),
            "sessionid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600",
        ),
        (
            "SESSION_COOKIE_SAMESITE",
            json!("None"),
            "sessionid=; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=1209600",
        ),
        ("SESSION_COOKIE_SAMESITE", json!(false), "sessionid=; HttpOnly; Path=/; Max-Age=1209600"),
        ("SESSION_COOKIE_SAMESITE", json!(null), "sessionid=; HttpOnly; Path=/; Max-Age=1209600"),
        ("SESSION_COOKIE_SAMESITE", json!(""), "sessionid=; HttpOnly; Path=/; Max-Age=1209600"),
        (
            "SESSION_EXPIRE_AT_BROWSER_CLOSE",
            json!(true),
            "sessionid=; HttpOnly; SameSite=Lax; Path=/",
        ),
    ] {
        assert_eq!(
            cookie(&settings().set(name, &value).unwrap()).unwrap(),
            expected,
            "{name}: {value}"
        );
        let mut whole = json!({"SECRET_KEY": SECRET, "SESSION_ENGINE": ENGINE});
        whole[name] = value;
        let settings = DjangoSettings::from_json(&whole.to_string()).unwrap();
        assert_eq!(cookie(&settings).unwrap(), expected, "{whole}");
    }
}

#[test]
fn a_session_that_was_only_read_is_saved_if_the_site_says_so() {
    let token = SessionCodec::new(settings().keyring())
        .encode_as_at(&json!({"a": 1}), time::OffsetDateTime::now_utc() - time::Duration::HOUR)
        .unwrap();
    for save in [true, false] {
        let settings = settings().set("SESSION_SAVE_EVERY_REQUEST", save).unwrap();
        let manager = settings.session_manager().unwrap();
        let session = manager.load([&format!("sessionid={token}")]);
        assert_eq!(session.get("a"), Ok(Some(1)));
        assert_eq!(manager.commit(&session, 200).unwrap().set_cookie.is_some(), save);
    }
}

#[test]
fn the_secrets_are_text_or_bytes_and_stand_in_django_s_order() {
    let token = |secret: &[u8]| {
        let codec = SessionCodec::new(&Keyring::new(secret).unwrap());
        codec.encode_as(&json!({})).unwrap()
    };
    let whole = json!({
        "SECRET_KEY_FALLBACKS": ["ключ", {"hex": "00fF"}],
        "SECRET_KEY": {"hex": "6162"},
    });
    let settings = DjangoSettings::from_json(&whole.to_string()).unwrap();
    let index = |settings: &DjangoSettings, secret: &[u8]| {
        let session = SessionCodec::new(settings.keyring()).decode(&token(secret));
        session.ok().and_then(|session| session.key_index())
    };
    for (secret, expected) in [
        (b"ab".as_slice(), Some(0)),
        ("ключ".as_bytes(), Some(1)),
        (b"\x00\xff", Some(2)),
        (b"00fF", None),
    ] {
        assert_eq!(index(&settings, secret), expected, "{secret:?}");
    }
    // Each of the two is replaced alone, and whichever is set first.
    let settings = settings.set("SECRET_KEY", "another").unwrap();
    assert_eq!(index(&settings, b"another"), Some(0));
    assert_eq!(index(&settings, "ключ".as_bytes()), Some(1));
    let settings = settings.set("SECRET_KEY_FALLBACKS", ["ab"]).unwrap();
    assert_eq!(index(&settings, b"another"), Some(0));
    assert_eq!(index(&settings, b"ab"), Some(1));
    assert_eq!(index(&settings, "ключ".as_bytes()), None);
}

#[test]
fn an_empty_first_secret_is_refused_by_its_name() {
    for value in [json!(""), json!(" \n"), json!({"hex": ""}), json!({"hex": "20"})] {
        let refused = |result: Result<DjangoSettings, SettingsError>| {
            assert_eq!(result.err(), Some(ConfigError::EmptySecret.into()), "{value}");
        };
        refused(settings().set("SECRET_KEY", &value));
        refused(DjangoSettings::from_json(&json!({ "SECRET_KEY": value }).to_string()));
    }
    let error = DjangoSettings::new("").err().unwrap();
    assert_eq!(error, ConfigError::EmptySecret.into());
    assert_eq!(
        error.to_string(),
        "the setting SECRET_KEY: a secret is empty or contains only white space"
    );
}

#[test]
fn an_empty_fallback_is_reported_and_never_becomes_a_key() {
    for empty in [json!(""), json!(" \n"), json!({"hex": ""}), json!({"hex": "20"})] {
        let settings = settings()
            .set("SECRET_KEY_FALLBACKS", [empty.clone(), json!("old-0123456789-0123456789-abcdef")])
            .unwrap();
        let weak = settings.keyring().weaknesses();
        assert_eq!(weak, [(1, Weakness::Empty)], "{empty}");
        assert!(weak[0].1.to_string().contains("SECRET_KEY_FALLBACKS"));
        // As the middlewares ask, and as when the first key is set later.
        assert_eq!(settings.session_manager().unwrap().weaknesses(), weak);
        let settings = settings.set("SECRET_KEY", SECRET).unwrap();
        assert_eq!(settings.keyring().weaknesses(), weak);

        // The prefix of Django's cookie signer, with nothing behind it, which Django accepts.
        for public in ["django.http.cookies", "django.http.cookies ", "django.http.cookies \n"] {
            let forger = Keyring::new(public).unwrap();
            let forged = TimestampSigner::new(&forger, "theme").sign("dark");
            let old = django::legacy_signed_cookie_signer(settings.keyring(), "theme", "");
            assert!(old.unsign(&forged, None).is_err(), "{empty}: {public:?}");
        }
        let none = settings.set("SECRET_KEY_FALLBACKS", json!([])).unwrap();
        assert_eq!(none.keyring().weaknesses(), []);
    }
}

#[test]
fn a_refusal_says_what_the_setting_must_be_and_nothing_of_django() {
    for (name, _, bad) in faulty() {
        let error = settings().set(name, &bad[0]).err().unwrap().to_string();
        assert!(error.starts_with(&format!("the setting {name} must be ")), "{error}");
        assert!(!error.contains("Django does not take"), "{error}");
    }
    let error = settings().set("SESSION_COOKIE_SECURE", f64::NAN).err().unwrap();
    assert_eq!(error, SettingsError::Value { name: "SESSION_COOKIE_SECURE" });
    for (name, value) in [
        ("SESSION_COOKIE_NAME", "a b"),
        ("SESSION_COOKIE_PATH", "/;"),
        ("SESSION_COOKIE_DOMAIN", "a b"),
    ] {
        let settings = settings().set(name, value).unwrap();
        let error = settings.session_manager().err().unwrap().to_string();
        assert!(error.starts_with(&format!("the setting {name}: ")), "{error}");
    }
}

#[test]
fn a_signer_of_the_site_s_own_refuses_messages_and_cookies_only() {
    let own = settings().set("SIGNING_BACKEND", "shop.signing.Signer").unwrap();
    let theme = || CookieOptions::new("theme").unwrap();
    let error = own.message_storage().err().unwrap();
    assert_eq!(error, SettingsError::SigningBackend);
    assert!(error.to_string().contains("set SIGNING_BACKEND to django.core.signing"));
    assert_eq!(own.signed_cookie(theme(), "").err(), Some(SettingsError::SigningBackend));
    assert!(own.session_manager().is_ok());
    // Messages in the session are not signed by it.
    let storage = "django.contrib.messages.storage.session.SessionStorage";
    assert!(own.clone().set("MESSAGE_STORAGE", storage).unwrap().message_storage().is_ok());
    let djangos = own.set("SIGNING_BACKEND", "django.core.signing.TimestampSigner").unwrap();
    assert!(djangos.message_storage().is_ok() && djangos.signed_cookie(theme(), "").is_ok());
}

#[test]
fn signed_cookies_are_in_the_form_of_the_site_s_django() {
    let theme = || CookieOptions::new("theme").unwrap();
    let old = SignedCookie::new(settings().keyring(), theme(), "").write_legacy(true);
    let old = format!("theme={}", old.cookie("dark").unwrap().value());
    let new = SignedCookie::new(settings().keyring(), theme(), "");
    // Which of the two forms the site's Django writes, and whether it reads the old one.
    for (version, fallback, writes_old, reads_old) in [
        (Some("4.2.30"), None, true, true),
        (Some("5.2.14"), None, true, true),
        (Some("5.2.15"), None, false, true),
        (Some("5.2.15"), Some(json!(false)), false, false),
        (Some("6.0"), None, true, true),
        (Some("6.0.5"), None, true, true),
        (Some("6.0.6"), None, false, true),
        (Some("6.1a1"), None, false, false),
        (Some("6.1.3"), Some(json!(1)), false, true),
        (None, None, false, false),
        (None, Some(json!(true)), false, true),
    ] {
        let mut settings = settings();
        if let Some(version) = version {
            settings = settings.set("DJANGO_VERSION", version).unwrap();
        }
        if let Some(fallback) = &fallback {
            settings = settings.set("SIGNED_COOKIE_LEGACY_SALT_FALLBACK", fallback).unwrap();
        }
        let cookie = settings.signed_cookie(theme(), "").unwrap();
        let header = format!("theme={}", cookie.cookie("dark").unwrap().value());
        assert_eq!(new.read([&header]).is_err(), writes_old, "{version:?} {fallback:?}");
        assert_eq!(cookie.read([&header]), Ok(Some("dark".to_owned())));
        assert_eq!(cookie.read([&old]).is_ok(), reads_old, "{version:?} {fallback:?}");
    }
}

#[test]
fn a_date_without_an_offset_counts_only_in_a_zone_without_summer_time() {
    let now = time::macros::datetime!(2026-01-02 12:00 UTC);
    // For each zone the hour, in UTC, after which a local noon is over.
    for (zone, over_after) in [
        (json!("UTC"), Some(12)),
        (json!("Etc/UTC"), Some(12)),
        (json!("GMT"), Some(12)),
        (json!("Etc/GMT0"), Some(12)),
        (json!("Etc/Greenwich"), Some(12)),
        (json!("Zulu"), Some(12)),
        (json!("Etc/GMT+5"), Some(17)),
        (json!("Etc/GMT+12"), Some(24)),
        (json!("Etc/GMT-1"), Some(11)),
        (json!("Etc/GMT-14"), Some(-2)),
        (json!("Etc/GMT+13"), None),
        (json!("Etc/GMT+05"), None),
        (json!("GMT+5"), None),
        (json!("Europe/London"), None),
        (json!("America/Chicago"), None),
        (json!("Africa/Abidjan"), None),
        (json!(null), None),
        (json!(""), None),
    ] {
        let settings = settings().set("USE_TZ", false).unwrap();
        let settings = settings.set("TIME_ZONE", &zone).unwrap();
        let noon = json!({"_session_expiry": "2026-01-02T12:00:00"});
        let manager = settings.session_manager().unwrap();
        let read = |hours: i64| {
            let at = now + time::Duration::hours(hours - 12);
            let codec = SessionCodec::new(settings.keyring());
            let token = codec.encode_as_at(&noon, at - time::Duration::HOUR).unwrap();
            manager.load_at([&format!("sessionid={token}")], at).refusal().is_none()
        };
        match over_after {
            Some(hours) => assert!(read(hours) && !read(hours + 1), "{zone}"),
            None => assert!(read(12) && read(48) && read(72), "{zone}"),
        }
    }
}

#[test]
fn a_site_without_time_zones_takes_no_moment_as_expiry() {
    for (use_tz, accepted) in
        [(json!(false), false), (json!(0), false), (json!(null), false), (json!(true), true)]
    {
        let manager = settings().set("USE_TZ", &use_tz).unwrap().session_manager().unwrap();
        let mut session = manager.load(None::<&str>);
        session.insert("a", 1).unwrap();
        session.set_expiry(Expiry::At(time::OffsetDateTime::now_utc() + time::Duration::HOUR));
        let reply = manager.commit(&session, 200);
        if accepted {
            assert!(reply.unwrap().set_cookie.is_some());
        } else {
            let error = reply.unwrap_err();
            assert_eq!(error, EncodeError::AwareExpiry);
            assert!(error.to_string().contains("USE_TZ = False"), "{error}");
        }
        for expiry in
            [Expiry::Default, Expiry::AtBrowserClose, Expiry::After(Duration::from_secs(60))]
        {
            session.set_expiry(expiry);
            assert!(manager.commit(&session, 200).unwrap().set_cookie.is_some(), "{expiry:?}");
        }
    }
}

#[test]
fn a_value_of_another_type_is_refused_by_the_setting_s_name() {
    for (name, good, bad) in faulty() {
        settings().set(name, good).unwrap();
        for value in bad {
            let expected = SettingsError::Value { name };
            assert_eq!(
                settings().set(name, &value).err(),
                Some(expected.clone()),
                "{name}: {value}"
            );
            let mut whole = json!({ "SECRET_KEY": SECRET });
            whole[name] = value.clone();
            let error = DjangoSettings::from_json(&whole.to_string()).err();
            assert_eq!(error, Some(expected), "{name}: {value}");
        }
    }
    let missing = DjangoSettings::from_json("{}").err();
    assert_eq!(missing, Some(SettingsError::Value { name: "SECRET_KEY" }));
    // A lone surrogate has no UTF-8: not even Django could sign with it.
    let surrogate = DjangoSettings::from_json(r#"{"SECRET_KEY": "\ud800"}"#).err();
    assert_eq!(surrogate, Some(SettingsError::Value { name: "SECRET_KEY" }));
    let endless = r#"{"SECRET_KEY": "a", "SESSION_COOKIE_AGE": 1e999, "OF_NO_USE": 1e999}"#;
    let endless = DjangoSettings::from_json(endless).err();
    assert_eq!(endless, Some(SettingsError::Value { name: "SESSION_COOKIE_AGE" }));
    let nan = settings().set("SESSION_COOKIE_AGE", f64::NAN).err();
    assert_eq!(nan, Some(SettingsError::Value { name: "SESSION_COOKIE_AGE" }));
}

#[test]
fn anything_but_a_json_object_is_refused() {
    for text in ["", "[]", "null", "1", "{", r#"{"SECRET_KEY": "a"} x"#, r#"{"SECRET_KEY": }"#] {
        let refused = DjangoSettings::from_json(text).err();
        assert_eq!(refused, Some(SettingsError::NotAnObject), "{text}");
    }
}

#[test]
fn an_unknown_setting_is_refused_from_code_and_else_ignored() {
    let whole = json!({"SECRET_KEY": SECRET, "SESSION_ENGINE": ENGINE, "CACHES": {"a": [1]}});
    assert!(DjangoSettings::from_json(&whole.to_string()).unwrap().session_manager().is_ok());
    for name in ["CACHES", "session_cookie_age", "SESSION_COOKIE_AGE ", ""] {
        let refused = settings().set(name, 1).err();
        assert_eq!(refused, Some(SettingsError::Unknown), "{name}");
    }
}

#[test]
fn sessions_elsewhere_or_pickled_are_refused_with_what_to_do() {
    for engine in [
        "django.contrib.sessions.backends.db",
        "django.contrib.sessions.backends.cached_db",
        "django.contrib.sessions.backends.cache",
        "django.contrib.sessions.backends.file",
        "django.contrib.sessions.backends.signed_cookies.SessionStore",
        "shop.sessions.signed_cookies",
        "",
    ] {
        let settings = settings().set("SESSION_ENGINE", engine).unwrap();
        let error = settings.session_manager().err().unwrap();
        assert_eq!(error, SettingsError::SessionEngine, "{engine}");
        assert!(
            error.to_string().contains("set Django's SESSION_ENGINE to django.contrib.sessions.backends.signed_cookies, or read")
        );
    }
    for serializer in
        ["django.contrib.sessions.serializers.PickleSerializer", "shop.Serializer", ""]
    {
        let settings = settings().set("SESSION_SERIALIZER", serializer).unwrap();
        let error = settings.session_manager().err().unwrap();
        assert_eq!(error, SettingsError::SessionSerializer, "{serializer}");
        assert!(error.to_string().contains("set Django's SESSION_SERIALIZER to"));
    }
    // Where it is not said, Django's are in the database; the secrets are of use all the same.
    let whole = json!({ "SECRET_KEY": SECRET });
    let settings = DjangoSettings::from_json(&whole.to_string()).unwrap();
    assert_eq!(settings.session_manager().err(), Some(SettingsError::SessionEngine));
    assert_eq!(settings.keyring().weaknesses(), []);
}

#[test]
fn a_cookie_that_no_browser_takes_is_refused() {
    for (name, value, expected) in [
        ("SESSION_COOKIE_NAME", "a b", ConfigError::CookieName),
        ("SESSION_COOKIE_NAME", "", ConfigError::CookieName),
        ("SESSION_COOKIE_PATH", "/;", ConfigError::CookiePath),
        ("SESSION_COOKIE_DOMAIN", "a b", ConfigError::CookieDomain),
    ] {
        let settings = settings().set(name, value).unwrap();
        assert_eq!(settings.session_manager().err(), Some(expected.into()), "{name}: {value}");
    }
    let host = settings().set("SESSION_COOKIE_NAME", "__Host-sessionid").unwrap();
    assert!(host.session_manager().is_ok());
    for (name, value) in [
        ("SESSION_COOKIE_PATH", "/app"),
        ("SESSION_COOKIE_PATH", ""),
        ("SESSION_COOKIE_DOMAIN", "example.com"),
    ] {
        let settings = host.clone().set(name, value).unwrap();
        assert_eq!(
            settings.session_manager().err(),
            Some(ConfigError::HostPrefix.into()),
            "{name}"
        );
    }
}

#[test]
fn neither_errors_nor_debug_show_what_was_set() {
    let shown = |text: String| {
        assert!(!text.contains("planted") && !text.contains("706c"), "{text}");
    };
    shown(format!("{:?}", settings().set("SESSION_COOKIE_NAME", "planted").unwrap()));
    assert_eq!(format!("{:?}", settings()), "DjangoSettings { .. }");
    let error = |error: SettingsError| {
        shown(format!("{error:?} {error} {:?}", error.source()));
    };
    for (name, _, _) in faulty() {
        for value in [json!(["planted"]), json!({"planted": "706c"}), json!("planted\u{0}; ")] {
            match settings().set(name, &value) {
                Ok(settings) => drop(settings.session_manager().map_err(error)),
                Err(refused) => error(refused),
            }
        }
    }
    error(DjangoSettings::from_json("planted").unwrap_err());
    error(settings().set("planted", 1).unwrap_err());
}

#[test]
fn a_number_that_json_does_not_know_is_not_taken_for_none() {
    for number in [f64::NAN, f64::INFINITY] {
        let settings = DjangoSettings::new("example-only-any").unwrap();
        let refused = settings.set("SESSION_COOKIE_DOMAIN", number).map(drop);
        assert_eq!(refused, Err(SettingsError::Value { name: "SESSION_COOKIE_DOMAIN" }));
    }
}
