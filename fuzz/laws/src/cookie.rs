//! A cookie is read by its very name and nothing else, and what is written says what was meant.

use std::sync::LazyLock;

use signed_session::{
    Cookie, CookieOptions, DecodeError, Reply, SameSite, SessionCodec, SessionManager,
    TimestampSigner,
};
use time::{Duration, OffsetDateTime};

use super::input::Input;
use super::{NOW, RING, django, is_discreet_error};
use support::set_cookie::{Said, parse};

/// Two good tokens.
static TOKENS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let signer = TimestampSigner::new(&RING, django::SESSION_SALT);
    [r#"{"user":"ada"}"#, r#"{"user":"bob"}"#]
        .map(|json| signer.sign_at(&django::base64(json.as_bytes()), NOW))
});

/// A manager for each name, with its options.
static READERS: LazyLock<[(CookieOptions, SessionManager); 3]> = LazyLock::new(|| {
    ["sessionid", "s", "__Host-id"].map(|name| {
        let options = CookieOptions::new(name).unwrap();
        (options.clone(), SessionManager::new(SessionCodec::new(&RING), options))
    })
});

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    if input.flag() { reads(&mut input) } else { writes(&mut input) }
}

/// Reads headers in which the bytes 1 and 2 stand for cookies with two good tokens.
///
/// The bytes 3 to 6 stand for the tokens alone, as they are and with `%3A` for their colons.
fn reads(input: &mut Input<'_>) {
    let [ada, bob] = &*TOKENS;
    let (options, manager) = &READERS[input.pick(&[0, 1, 2])];
    let name = options.name();
    let headers = input.rest().split(|byte| *byte == b'\n').map(|header| {
        let mut bytes = Vec::new();
        for byte in header {
            match byte {
                1 => bytes.extend_from_slice(format!("{name}={ada}").as_bytes()),
                2 => bytes.extend_from_slice(format!("{name}={bob}").as_bytes()),
                3 => bytes.extend_from_slice(ada.as_bytes()),
                4 => bytes.extend_from_slice(bob.as_bytes()),
                5 => bytes.extend_from_slice(ada.replace(':', "%3A").as_bytes()),
                6 => bytes.extend_from_slice(bob.replace(':', "%3a").as_bytes()),
                byte => bytes.push(*byte),
            }
        }
        bytes
    });
    let headers: Vec<Vec<u8>> = headers.collect();

    for header in &headers {
        let text = String::from_utf8_lossy(header);
        assert_eq!(options.find(&text).collect::<Vec<_>>(), found(&text, name));
    }

    let texts: Vec<_> = headers.iter().map(|header| String::from_utf8_lossy(header)).collect();
    let values = texts.iter().flat_map(|text| found(text, name));
    let mut tokens: Vec<String> = values.map(unwrapped).collect();
    tokens.retain(|token| token.chars().count() >= 8);
    let good = |token: &String| tokens.iter().any(|other| other == token);
    let session = manager.load_at(&headers, NOW);
    let expected = match (good(ada), good(bob)) {
        _ if tokens.len() > 16 => Err(DecodeError::TooManyCookies { limit: 16 }),
        (true, true) => Err(DecodeError::Ambiguous),
        (true, false) => Ok(r#"{"user":"ada"}"#),
        (false, true) => Ok(r#"{"user":"bob"}"#),
        (false, false) => {
            // Nobody asked for an answer.
            assert_eq!(manager.commit_at(&session, 200, NOW), Ok(Reply::default()));
            assert_eq!(session.refusal().is_none(), tokens.is_empty());
            assert!(session.refusal().is_none_or(|reason| !reason.is_authentic()));
            assert_eq!(session.to_json(), "{}");
            return;
        }
    };
    match expected {
        Ok(json) => assert_eq!(session.to_json(), json),
        Err(error) => {
            assert_eq!((session.refusal(), &*session.to_json()), (Some(&error), "{}"));
            is_discreet_error(&error, &texts.join(";"));
            // Another program may know which is meant: it is left alone.
            let reply = manager.commit_at(&session, 200, NOW).unwrap();
            assert!(reply.set_cookie.is_none() && reply.vary_on_cookie);
        }
    }
}

/// A value without one pair of quotes and with its colons, if that leaves a token's characters.
fn unwrapped(value: &str) -> String {
    let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let inner = if is_quoted { &value[1..value.len() - 1] } else { value };
    let token = inner.split("%3A").flat_map(|part| part.split("%3a")).collect::<Vec<_>>().join(":");
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    // What no token fits in is not looked at.
    if token.chars().all(is_of_token) && value.len() <= 4102 { token } else { value.to_owned() }
}

/// The values of a cookie, once more in other words.
fn found<'h>(header: &'h str, name: &str) -> Vec<&'h str> {
    let blank = [' ', '\t'];
    let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(key, _)| key.trim_matches(blank) == name);
    ours.map(|(_, value)| value.trim_matches(blank)).collect()
}

fn writes(input: &mut Input<'_>) {
    let prefix = input.pick(&["", "", "__Host-", "__Secure-", "__Http-", "__hOST-hTTP-"]);
    let name = prefix.to_owned() + &input.text();
    let mut options = match CookieOptions::new(&name) {
        Ok(options) => options,
        Err(error) => return is_discreet_error(&error, &name),
    };
    assert_eq!(options.name(), name);
    let (mut path, mut domain) = ("/".to_owned(), None);
    if input.flag() {
        path = input.text();
        options = match options.path(&path) {
            Ok(options) => options,
            Err(error) => return is_discreet_error(&error, &path),
        };
    }
    if input.flag() {
        let text = input.text();
        options = match options.domain(&text) {
            Ok(options) => options,
            Err(error) => return is_discreet_error(&error, &text),
        };
        domain = Some(text.strip_prefix('.').unwrap_or(&text).to_owned());
    }
    let [secure, http_only, partitioned] = [(); 3].map(|()| input.flag());
    let same_site =
        input.pick(&[None, Some(SameSite::Lax), Some(SameSite::Strict), Some(SameSite::None)]);
    options = options.secure(secure).http_only(http_only).partitioned(partitioned);
    options = options.same_site(same_site);
    let max_age = input.flag().then(|| input.number());
    let Ok(now) = OffsetDateTime::from_unix_timestamp(input.number()) else { return };
    let value = input.rest_as_text();
    let cookie = match options.cookie(&value, max_age.map(Duration::seconds), now) {
        Ok(cookie) => cookie,
        Err(error) => {
            let is_octet = |c: char| c.is_ascii_graphic() && !"\",;\\".contains(c);
            assert!(!value.chars().all(is_octet) || name.len() + value.len() > 4096);
            return is_discreet_error(&error, &value);
        }
    };
    assert!(name.len() + value.len() <= 4096);

    let begins = |prefix: &str| name.to_ascii_lowercase().starts_with(prefix);
    let is_prefixed = ["__host-", "__secure-", "__http-"].into_iter().any(begins);
    assert!(!begins("__host-") || path == "/" && domain.is_none());
    let expires = |max_age| now.unix_timestamp().saturating_add(max_age).clamp(0, 253_402_300_799);
    let meant = Said {
        name: name.clone(),
        value,
        path: Some(path),
        domain,
        secure: secure || partitioned || same_site == Some(SameSite::None) || is_prefixed,
        http_only: http_only || begins("__http-") || begins("__host-http-"),
        partitioned,
        same_site: same_site.map(|site| site.to_string()),
        max_age,
        expires: max_age.map(expires),
    };
    let removal = Said {
        value: String::new(),
        http_only: begins("__http-") || begins("__host-http-"),
        max_age: Some(0),
        expires: Some(0),
        ..meant.clone()
    };
    // Who writes the attributes out by other means is told the same.
    assert_eq!((cookie.secure(), cookie.http_only()), (Some(meant.secure), Some(meant.http_only)));
    assert_eq!(said(&cookie), meant);
    assert_eq!(said(&options.removal()), removal);
    // What comes back is found.
    let header = format!("=b; {}", cookie.stripped());
    assert_eq!(options.find(&header).collect::<Vec<_>>(), [meant.value]);
}

fn said(cookie: &Cookie<'_>) -> Said {
    let header = cookie.to_string();
    parse(&header).unwrap_or_else(|| panic!("not a legal cookie: {header:?}"))
}
