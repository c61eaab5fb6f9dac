//! A signed cookie is good for its name and salt alone, in time, and in Django's quotes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use signed_session::django::{self, SignedCookie};
use signed_session::{CookieOptions, DecodeError, EncodeError, Keyring};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const HOUR: Duration = Duration::from_secs(3600);

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

fn cookie(name: &str, salt: &str) -> SignedCookie {
    SignedCookie::new(&ring(), CookieOptions::new(name).unwrap(), salt)
}

fn get(cookie: &SignedCookie, header: &str) -> Result<Option<String>, DecodeError> {
    cookie.read_at([header], NOW)
}

#[test]
fn the_vectors_cookies_are_written_and_read_in_both_forms() {
    #[derive(Deserialize)]
    struct Vector {
        call: String,
        secret: Value,
        now: f64,
        name: Option<String>,
        cookie_salt: Option<String>,
        text: Option<String>,
        token: String,
        token_legacy: Option<String>,
    }
    let file: Value = serde_json::from_str(include_str!("../vectors/encode.json")).unwrap();
    let mut count = 0;
    for vector in file["vectors"].as_array().unwrap() {
        if vector["call"] != "signed_cookie" || vector["secret"].get("text").is_none() {
            continue;
        }
        let vector: Vector = Deserialize::deserialize(vector).unwrap();
        assert_eq!(vector.call, "signed_cookie");
        let (name, salt, text) =
            (vector.name.unwrap(), vector.cookie_salt.unwrap(), vector.text.unwrap());
        let ring = Keyring::new(vector.secret["text"].as_str().unwrap()).unwrap();
        let Ok(options) = CookieOptions::new(&name) else { continue };
        let cookie = SignedCookie::new(&ring, options, &salt);
        let now = OffsetDateTime::from_unix_timestamp(vector.now as i64).unwrap();
        match cookie.cookie_at(&text, now) {
            Ok(made) => {
                let header = made.stripped().to_string();
                assert_eq!(cookie.read_at([&header], now), Ok(Some(text.clone())));
            }
            Err(error) => {
                assert_eq!(error, EncodeError::CookieValue);
                assert!(text.chars().any(|character| character > '\u{FF}'), "{text}");
                continue;
            }
        }
        if !vector.token.bytes().all(|byte| byte.is_ascii_graphic() && !b"\";\\,".contains(&byte)) {
            continue;
        }
        let header = format!("{name}={}", vector.token);
        assert_eq!(cookie.read_at([&header], now), Ok(Some(text.clone())));
        let header = format!("{name}={}", vector.token_legacy.unwrap());
        assert_eq!(cookie.read_at([&header], now), Err(DecodeError::BadSignature));
        let cookie = cookie.legacy_fallback(true);
        assert_eq!(cookie.read_at([&header], now), Ok(Some(text)));
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn a_value_is_quoted_where_python_does_and_comes_back() {
    for (value, quoted) in [
        ("", ""),
        ("plain-0:!#$%&'*+.^_`|~", "plain-0:!#$%&'*+.^_`|~"),
        ("a b", r#""a b"#),
        ("/=@()<>[]{}?", r#""/=@()<>[]{}?"#),
        ("a\"b\\c", r#""a\"b\\c"#),
        ("a,b;c", r#""a\054b\073c"#),
        ("\n\t\0\u{7f}", r#""\012\011\000\177"#),
        ("é\u{80}ÿ", r#""\351\200\377"#),
        ("\\101", r#""\\101"#),
    ] {
        let made = cookie("c", "").cookie_at(value, NOW).unwrap();
        let (start, end) = made.value().split_at(quoted.len());
        assert_eq!(start, quoted);
        assert_eq!(end.ends_with('"'), quoted.starts_with('"'), "{}", made.value());
        let header = format!("theme=dark; {}; a=b", made.stripped());
        assert_eq!(get(&cookie("c", ""), &header).unwrap().as_deref(), Some(value));
    }
    for value in ["€", "a\u{100}", "🦀"] {
        assert_eq!(cookie("c", "").cookie_at(value, NOW).err(), Some(EncodeError::CookieValue));
    }
}

#[test]
fn every_character_that_a_cookie_can_carry_comes_back() {
    for code in 0..=u8::MAX {
        let character = char::from(code);
        for value in [format!("{character}"), format!("a{character}1"), format!("\\{character}\"")]
        {
            let made = cookie("c", "").cookie_at(&value, NOW).unwrap();
            let inner = made.value().trim_matches('"');
            assert!(made.value().is_ascii() && !inner.contains([',', ';', '\n']), "{value:?}");
            let read = get(&cookie("c", ""), &format!("a=b; {}", made.stripped()));
            assert_eq!(read, Ok(Some(value)));
        }
    }
}

#[test]
fn other_spellings_in_quotes_are_read_as_python_reads_them() {
    let signed = django::signed_cookie_signer(&ring(), "c", "").sign_at("abc", NOW);
    let rest = signed.strip_prefix("abc").unwrap();
    for (value, is_good) in [
        (format!("abc{rest}"), true),
        (format!("\"abc{rest}\""), true),
        (format!("\"\\a\\b\\c{rest}\""), true),
        (format!("\"\\141bc{rest}\""), true),
        (format!("\"\\141\\142\\143{rest}\""), true),
        // Not in quotes, it is as it stands.
        (format!("\\abc{rest}"), false),
        (format!("\"abc{rest}"), false),
        (format!("abc{rest}\""), false),
        (format!("\"\"abc{rest}\"\""), false),
        (format!("\"abc{rest}\\\""), false),
        // No octal number of Python's.
        (format!("\"\\541bc{rest}\""), false),
        (format!("\"\\14bc{rest}\""), false),
        ("\"".to_owned(), false),
        ("\"\"".to_owned(), false),
        ("\"\\\"".to_owned(), false),
    ] {
        let read = get(&cookie("c", ""), &format!("c={value}"));
        assert_eq!(read == Ok(Some("abc".to_owned())), is_good, "{value}: {read:?}");
    }
}

#[test]
fn a_cookie_is_good_under_its_own_name_and_salt_alone() {
    let pairs = [("a", ""), ("ab", ""), ("a", "b"), ("ab", "c"), ("abc", ""), ("a", "bc")];
    for (name, salt) in pairs {
        let made = cookie(name, salt).cookie_at("value", NOW).unwrap();
        for (other, salt_of_other) in pairs {
            let is_same = (name, salt) == (other, salt_of_other);
            for legacy in [false, true] {
                let reader = cookie(other, salt_of_other).legacy_fallback(legacy);
                let read = get(&reader, &format!("{other}={}", made.value()));
                assert_eq!(read.is_ok(), is_same, "{name} {salt} as {other} {salt_of_other}");
            }
        }
    }
}

#[test]
fn the_age_is_told_the_browser_and_enforced() {
    let lasting = cookie("c", "").max_age(HOUR);
    let made = lasting.cookie_at("value", NOW).unwrap();
    assert_eq!(made.max_age(), Some(time::Duration::HOUR));
    let header = made.stripped().to_string();
    assert!(lasting.read_at([&header], NOW + HOUR).is_ok());
    let late = lasting.read_at([&header], NOW + HOUR + Duration::from_secs(1));
    assert!(matches!(late, Err(DecodeError::Expired { .. })));

    let made = cookie("c", "").cookie_at("value", NOW).unwrap();
    assert_eq!((made.max_age(), made.expires()), (None, None));
    let header = made.stripped().to_string();
    assert!(cookie("c", "").read_at([&header], NOW + HOUR * 24 * 3650).is_ok());
    // The largest age that there is overflows nothing.
    let forever = cookie("c", "").max_age(Duration::MAX).cookie_at("value", NOW).unwrap();
    assert!(forever.to_string().contains("; Max-Age="));
}

#[test]
fn the_old_form_is_not_tried_for_what_is_merely_too_old() {
    let new = django::signed_cookie_signer(&ring(), "c", "").sign_at("value", NOW);
    let old = django::legacy_signed_cookie_signer(&ring(), "c", "").sign_at("value", NOW);
    let reader = cookie("c", "").max_age(HOUR).legacy_fallback(true);
    for (token, at) in [(&new, NOW), (&old, NOW), (&old, NOW + HOUR)] {
        assert_eq!(reader.read_at([&format!("c={token}")], at), Ok(Some("value".to_owned())));
    }
    for token in [&new, &old] {
        let late = reader.read_at([&format!("c={token}")], NOW + HOUR * 2);
        assert!(matches!(late, Err(DecodeError::Expired { .. })), "{late:?}");
    }
}

#[test]
fn the_valid_cookie_is_taken_and_two_that_differ_are_refused() {
    let made = |value| cookie("c", "").cookie_at(value, NOW).unwrap().stripped().to_string();
    let (one, two) = (made("one"), made("two"));
    let read = |header: &str| get(&cookie("c", ""), header);
    assert_eq!(read("a=b"), Ok(None));
    assert_eq!(read("c=forged"), Err(DecodeError::Malformed));
    for header in [format!("c=forged; {one}"), format!("{one}; c=forged"), format!("{one}; {one}")]
    {
        assert_eq!(read(&header), Ok(Some("one".to_owned())), "{header}");
    }
    assert_eq!(read(&format!("{one}; {two}")), Err(DecodeError::Ambiguous));
    let many = vec![one.as_str(); 17].join("; ");
    assert_eq!(read(&many), Err(DecodeError::TooManyCookies { limit: 16 }));
    assert_eq!(cookie("c", "").read_at([&one, &two], NOW), Err(DecodeError::Ambiguous));
}

#[test]
fn what_no_cookie_can_hold_is_refused() {
    let long = "a".repeat(4096);
    let refused = cookie("c", "").cookie_at(&long, NOW);
    assert!(matches!(refused, Err(EncodeError::TooLarge { limit: 4096, .. })), "{refused:?}");
    // Quoted it is larger.
    let quoted = cookie("c", "").cookie_at(&",".repeat(1100), NOW);
    assert!(matches!(quoted, Err(EncodeError::TooLarge { .. })), "{quoted:?}");
    let early = cookie("c", "").cookie_at("value", datetime!(1969-12-31 23:59:59 UTC));
    assert_eq!(early.err(), Some(EncodeError::BadTimestamp));
}

#[test]
fn a_cookie_under_a_retired_key_is_read_and_can_be_removed() {
    let made = cookie("c", "s").cookie_at("value", NOW).unwrap().stripped().to_string();
    let rotated = Keyring::new("the-new-test-secret-key")
        .unwrap()
        .fallback("test-secret-key-0123456789")
        .unwrap();
    let options = CookieOptions::new("c").unwrap().domain("example.com").unwrap();
    let reader = SignedCookie::new(&rotated, options, "s");
    assert_eq!(reader.read_at([&made], NOW), Ok(Some("value".to_owned())));
    let removal = reader.removal();
    assert_eq!((removal.name(), removal.value(), removal.domain()), ("c", "", Some("example.com")));
    assert_eq!(removal.max_age(), Some(time::Duration::ZERO));
    assert_eq!(format!("{reader:?}"), "SignedCookie { .. }");
}

#[test]
fn the_short_forms_ask_the_system_s_clock() {
    let cookie = cookie("theme", "").max_age(HOUR);
    let today = cookie.cookie("dark").unwrap().stripped().to_string();
    assert_eq!(cookie.read([&today]), Ok(Some("dark".to_owned())));
    let later = OffsetDateTime::now_utc() + 2 * HOUR;
    assert!(matches!(cookie.read_at([&today], later), Err(DecodeError::Expired { .. })));
    let old = cookie.cookie_at("dark", NOW).unwrap().stripped().to_string();
    assert!(matches!(cookie.read([&old]), Err(DecodeError::Expired { .. })));
}
