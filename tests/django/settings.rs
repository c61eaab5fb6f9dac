//! A Django project's settings, under Django's names, are taken whole or refused by name.

use std::error::Error;

use serde_json::{Value, json};
use signed_session::django::{DjangoSettings, SettingsError};
use signed_session::{ConfigError, Keyring, SessionCodec};

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
    let no_flag = vec![json!(null), json!(1), json!(0), json!("True"), json!([])];
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
            vec![json!(null), json!(-1), json!(1.5), json!("60"), json!(true)],
        ),
        ("SESSION_COOKIE_NAME", json!("sid"), no_text.clone()),
        ("SESSION_COOKIE_DOMAIN", json!(null), no_text[1..].to_vec()),
        ("SESSION_COOKIE_PATH", json!("/"), no_text.clone()),
        ("SESSION_COOKIE_SECURE", json!(true), no_flag.clone()),
        ("SESSION_COOKIE_HTTPONLY", json!(true), no_flag.clone()),
        (
            "SESSION_COOKIE_SAMESITE",
            json!(false),
            vec![json!(true), json!(0), json!("planted"), json!(" Lax"), json!(["Lax"])],
        ),
        ("SESSION_SAVE_EVERY_REQUEST", json!(true), no_flag.clone()),
        ("SESSION_EXPIRE_AT_BROWSER_CLOSE", json!(true), no_flag),
        ("SESSION_ENGINE", json!(ENGINE), no_text.clone()),
        ("SESSION_SERIALIZER", json!("django.core.signing.JSONSerializer"), no_text),
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
fn an_empty_secret_is_refused_wherever_it_stands() {
    for value in [json!(""), json!(" \n"), json!({"hex": ""}), json!({"hex": "20"})] {
        let refused = |result: Result<DjangoSettings, SettingsError>| {
            assert_eq!(result.err(), Some(ConfigError::EmptySecret.into()), "{value}");
        };
        refused(settings().set("SECRET_KEY", &value));
        refused(settings().set("SECRET_KEY_FALLBACKS", [json!("good"), value.clone()]));
        refused(DjangoSettings::from_json(&json!({ "SECRET_KEY": value }).to_string()));
    }
    assert_eq!(DjangoSettings::new("").err(), Some(ConfigError::EmptySecret.into()));
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
    let nan = settings().set("SESSION_COOKIE_AGE", f64::NAN).err();
    assert_eq!(nan, Some(SettingsError::Value { name: "SESSION_COOKIE_AGE" }));
}

#[test]
fn what_is_no_json_object_is_refused() {
    for text in ["", "[]", "null", "1", "{", r#"{"SECRET_KEY": "a"} x"#, r#"{"SECRET_KEY": }"#] {
        let refused = DjangoSettings::from_json(text).err();
        assert_eq!(refused, Some(SettingsError::NotAnObject), "{text}");
    }
}

#[test]
fn an_unknown_setting_is_refused_from_code_and_else_ignored() {
    let whole = json!({"SECRET_KEY": SECRET, "SESSION_ENGINE": ENGINE, "DEBUG": {"a": [1]}});
    assert!(DjangoSettings::from_json(&whole.to_string()).unwrap().session_manager().is_ok());
    for name in ["DEBUG", "session_cookie_age", "SESSION_COOKIE_AGE ", ""] {
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
        ("SESSION_COOKIE_PATH", "", ConfigError::CookiePath),
        ("SESSION_COOKIE_DOMAIN", "a b", ConfigError::CookieDomain),
    ] {
        let settings = settings().set(name, value).unwrap();
        assert_eq!(settings.session_manager().err(), Some(expected.into()), "{name}: {value}");
    }
    let host = settings().set("SESSION_COOKIE_NAME", "__Host-sessionid").unwrap();
    assert!(host.session_manager().is_ok());
    for (name, value) in [("SESSION_COOKIE_PATH", "/app"), ("SESSION_COOKIE_DOMAIN", "example.com")]
    {
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
