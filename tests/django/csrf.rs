//! A request is let pass only if a page of the site sent it, as by Django's own tests of that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use signed_session::django::{AuthUser, Csrf, CsrfError, CsrfRequest, DjangoSettings};
use signed_session::{ConfigError, CookieOptions, Keyring, Session};
use time::OffsetDateTime;

const SECRET: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// The secret under a mask that adds nothing.
const TOKEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefghijklmnopqrstuvwxyz012345";

fn csrf() -> Csrf {
    Csrf::new("https://example.com").unwrap()
}

/// Reads a request with these headers.
fn read(csrf: &Csrf, method: &str, headers: &[(&str, &str)]) -> CsrfRequest {
    csrf.read(method, headers.iter().map(|(name, value)| (*name, value.as_bytes())))
}

/// Judges a form with a good cookie and token, and these headers besides.
fn judge(csrf: &Csrf, headers: &[(&str, &str)]) -> Result<(), CsrfError> {
    let cookie = format!("csrftoken={SECRET}");
    let headers = [&[("Cookie", &*cookie)], headers].concat();
    read(csrf, "POST", &headers).check(&Session::new(), Some(TOKEN))
}

// Django's own tests.

#[derive(Deserialize)]
struct Vector {
    id: String,
    settings: BTreeMap<String, Value>,
    https: bool,
    method: String,
    headers: BTreeMap<String, String>,
    secret: Option<String>,
    form_token: Option<String>,
    refused: Option<String>,
}

#[test]
fn every_request_of_django_s_own_tests_is_judged_as_there() {
    let file: Value = serde_json::from_str(include_str!("../vectors/csrf.json")).unwrap();
    let vectors: Vec<Vector> = serde_json::from_value(file["vectors"].clone()).unwrap();
    let mut refusals = BTreeMap::<String, usize>::new();
    for vector in &vectors {
        let mut settings = DjangoSettings::new("test-secret-key-0123456789").unwrap();
        for (name, value) in &vector.settings {
            settings = settings.set(name, value).unwrap();
        }
        let csrf = settings.csrf().unwrap().https(vector.https);
        let mut session = Session::new();
        let mut headers = vector.headers.clone();
        if let Some(secret) = &vector.secret {
            if vector.settings["CSRF_USE_SESSIONS"] == json!(true) {
                session.insert("_csrftoken", secret).unwrap();
            } else {
                let name = vector.settings["CSRF_COOKIE_NAME"].as_str().unwrap();
                headers.insert("cookie".to_owned(), format!("{name}={secret}"));
            }
        }
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let form_token = vector.form_token.as_deref().filter(|_| vector.method == "POST");
        let verdict = read(&csrf, &vector.method, &headers).check(&session, form_token);
        let expected = vector.refused.as_deref().map_or(Ok(()), |reason| Err(named(reason)));
        assert_eq!(verdict, expected, "{}: {:?}", vector.id, vector.refused);
        *refusals.entry(format!("{verdict:?}")).or_default() += 1;
        if let Err(error) = verdict {
            let words = error.code().split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
            assert_eq!(format!("{error:?}"), words.collect::<String>());
        }
    }
    // Each of the reasons is there, and as many requests as Django's tests make.
    assert_eq!(refusals.len(), 11, "{refusals:?}");
    assert!(vectors.len() > 100, "{}", vectors.len());
}

/// Names a reason of Django's as it is named here.
fn named(reason: &str) -> CsrfError {
    let is = |part: &str| reason.contains(part);
    match reason {
        "CSRF cookie not set." => CsrfError::NoSecret,
        "CSRF token missing." => CsrfError::NoToken,
        _ if is("Origin checking failed") => CsrfError::Origin,
        _ if is("no Referer") => CsrfError::NoReferer,
        _ if is("Referer is malformed") => CsrfError::MalformedReferer,
        _ if is("Referer is insecure") => CsrfError::InsecureReferer,
        _ if is("Referer checking failed") => CsrfError::Referer,
        _ if is("CSRF cookie has") => CsrfError::MalformedSecret,
        _ if is("incorrect length") || is("invalid characters") => CsrfError::MalformedToken,
        _ if is("incorrect") => CsrfError::WrongToken,
        _ => panic!("a reason that is not known: {reason}"),
    }
}

// Where a request comes from.

#[test]
fn an_origin_that_is_stated_holds_behind_any_proxy() {
    let forged_headers = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "http"),
    ];
    for (origin, verdict) in [
        ("https://example.com", Ok(())),
        ("http://example.com", Err(CsrfError::Origin)),
        ("https://example.com:443", Err(CsrfError::Origin)),
        ("https://www.example.com", Err(CsrfError::Origin)),
        ("https://evil.example", Err(CsrfError::Origin)),
        ("null", Err(CsrfError::Origin)),
        ("", Err(CsrfError::Origin)),
    ] {
        let headers = [&[("Origin", origin)], &forged_headers[..]].concat();
        assert_eq!(judge(&csrf(), &headers), verdict, "{origin}");
    }
    for (referer, verdict) in [
        ("https://example.com/a?b", Ok(())),
        ("https://example.com", Ok(())),
        ("https://example.com:8000/", Err(CsrfError::Referer)),
        ("https://evil.example/example.com", Err(CsrfError::Referer)),
        ("https://example.com.evil.example/", Err(CsrfError::Referer)),
        ("https://example.com@evil.example/", Err(CsrfError::Referer)),
        ("http://example.com/", Err(CsrfError::InsecureReferer)),
        ("example.com", Err(CsrfError::MalformedReferer)),
        ("/page", Err(CsrfError::MalformedReferer)),
        ("", Err(CsrfError::MalformedReferer)),
    ] {
        let headers = [&[("Referer", referer)], &forged_headers[..]].concat();
        assert_eq!(judge(&csrf(), &headers), verdict, "{referer}");
    }
    assert_eq!(judge(&csrf(), &forged_headers), Err(CsrfError::NoReferer));
    // An origin decides, whatever page is named beside it.
    let both = [("Origin", "https://evil.example"), ("Referer", "https://example.com/")];
    assert_eq!(judge(&csrf(), &both), Err(CsrfError::Origin));
    // On http pages may come without either, as in Django.
    let local = Csrf::new("http://localhost:3000").unwrap();
    assert_eq!(judge(&local, &[]), Ok(()));
    assert_eq!(judge(&local, &[("Origin", "http://localhost:3000")]), Ok(()));
    assert_eq!(judge(&local, &[("Origin", "http://localhost:3001")]), Err(CsrfError::Origin));
}

#[test]
fn trusted_origins_are_trusted_and_nothing_that_looks_like_them() {
    let csrf = csrf()
        .trusted_origin("https://shop.example")
        .and_then(|csrf| csrf.trusted_origin("https://*.example.org"))
        .and_then(|csrf| csrf.trusted_origin("https://*.example.net:8443"))
        .unwrap();
    for origin in [
        "https://shop.example",
        "https://example.org",
        "https://a.b.example.org",
        "https://example.net:8443",
        "https://a.example.net:8443",
    ] {
        assert_eq!(judge(&csrf, &[("Origin", origin)]), Ok(()), "{origin}");
        let page = format!("{origin}/page");
        assert_eq!(judge(&csrf, &[("Referer", &page)]), Ok(()), "{page}");
    }
    for origin in [
        "http://shop.example",
        "https://www.shop.example",
        "https://shop.example.evil.example",
        "http://a.example.org",
        "https://notexample.org",
        "https://example.org.evil.example",
        "https://a.example.net",
        "https://[a.example.org",
        "https://a.example.org]",
        "https://[::1].example.org",
        "https://é.example.org",
        "https://evil.example\t.example.org",
        "null",
    ] {
        assert_eq!(judge(&csrf, &[("Origin", origin)]), Err(CsrfError::Origin), "{origin}");
        let page = format!("{origin}/page");
        assert!(judge(&csrf, &[("Referer", &page)]).is_err(), "{page}");
    }
}

#[test]
fn only_what_browsers_call_an_origin_is_one() {
    for origin in [
        "https://example.com",
        "http://localhost:3000",
        "https://127.0.0.1:8443",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
    ] {
        assert!(Csrf::new(origin).is_ok(), "{origin}");
    }
    for origin in [
        "",
        "null",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "https://",
        "https://example.com/",
        "https://example.com:443",
        "http://example.com:80",
        "https://Example.com",
        "HTTPS://example.com",
        "https://bücher.example",
        "https://example.com:",
        "https://example.com:a",
        "https://user@example.com",
        "https://*.example.com",
        "https://example.com https://other.example",
    ] {
        assert_eq!(Csrf::new(origin).err(), Some(ConfigError::Origin), "{origin}");
        let is_pattern = origin.contains("://*.");
        assert_eq!(csrf().trusted_origin(origin).is_ok(), is_pattern, "{origin}");
    }
    assert!(csrf().trusted_origin("https://*.*.example.com").is_err());
    assert!(csrf().trusted_origin("https://*").is_err());
}

#[test]
fn behind_tls_termination_only_the_named_header_says_https() {
    let site = DjangoSettings::new("test-secret-key-0123456789")
        .and_then(|site| site.set("ALLOWED_HOSTS", ["example.com"]))
        .unwrap();
    let from = |proto: &'static str| {
        [("Host", "example.com"), ("Origin", "https://example.com"), ("X-Forwarded-Proto", proto)]
    };
    let unaware = site.csrf().unwrap();
    assert_eq!(judge(&unaware, &from("https")), Err(CsrfError::Origin), "every form fails");
    let header = ["HTTP_X_FORWARDED_PROTO", "https"];
    let aware = site.set("SECURE_PROXY_SSL_HEADER", header).unwrap().csrf().unwrap();
    assert_eq!(judge(&aware, &from("https")), Ok(()));
    assert_eq!(judge(&aware, &from("http")), Err(CsrfError::Origin));
    // A host that is not the site's is none, whatever page it would fit.
    let evil = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(judge(&aware, &evil), Err(CsrfError::Origin));
    // A program that serves TLS itself.
    assert_eq!(judge(&unaware.https(true), &from("http")), Ok(()));
}

// The secret.

#[test]
fn a_missing_secret_is_never_a_pass() {
    let here = ("Origin", "https://example.com");
    for csrf in [csrf(), csrf().in_session()] {
        for (header, form) in [(None, None), (None, Some(TOKEN)), (Some(TOKEN), None)] {
            let header = header.map(|token| ("X-CSRFToken", token));
            let headers: Vec<_> = [here].into_iter().chain(header).collect();
            let request = read(&csrf, "POST", &headers);
            assert_eq!(request.check(&Session::new(), form), Err(CsrfError::NoSecret));
        }
    }
    // If secrets are in sessions, a cookie is not a secret, and the other way round.
    let cookie = format!("csrftoken={SECRET}");
    let headers = [here, ("Cookie", &*cookie)];
    let mut session = Session::new();
    session.insert("_csrftoken", SECRET).unwrap();
    let in_session = csrf().in_session();
    let check = |csrf: &Csrf, headers: &[(&str, &str)], session: &Session| {
        read(csrf, "POST", headers).check(session, Some(TOKEN))
    };
    assert_eq!(check(&in_session, &headers, &Session::new()), Err(CsrfError::NoSecret));
    assert_eq!(check(&in_session, &[here], &session), Ok(()));
    assert_eq!(check(&csrf(), &[here], &session), Err(CsrfError::NoSecret));
    assert_eq!(check(&csrf(), &headers, &Session::new()), Ok(()));
}

#[test]
fn every_unsafe_method_is_checked_and_no_safe_one() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        let request = read(&csrf(), method, &[("Origin", "https://evil.example")]);
        assert_eq!(request.check(&Session::new(), None), Ok(()), "{method}");
        assert!(!request.needs_form());
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get", "Get", ""] {
        let request = read(&csrf(), method, &[("Origin", "https://evil.example")]);
        assert_eq!(request.check(&Session::new(), None), Err(CsrfError::Origin), "{method}");
    }
}

#[test]
fn a_token_with_any_character_changed_is_refused() {
    let here = [("Origin", "https://example.com")];
    for token in [SECRET, TOKEN] {
        for at in 0..token.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != token.as_bytes()[at]) {
                let mut changed = token.as_bytes().to_vec();
                changed[at] = byte;
                let changed = changed.iter().copied().map(char::from).collect::<String>();
                let cookie = format!("csrftoken={SECRET}");
                let headers = [&here[..], &[("Cookie", &cookie)]].concat();
                let verdict =
                    read(&csrf(), "POST", &headers).check(&Session::new(), Some(&changed));
                let expected = match byte.is_ascii_alphanumeric() {
                    true => CsrfError::WrongToken,
                    false => CsrfError::MalformedToken,
                };
                assert_eq!(verdict, Err(expected), "{at}: {byte}");
            }
        }
    }
}

#[test]
fn a_token_is_another_text_each_time_and_good_for_its_secret_only() {
    let mut session = Session::new();
    let mut request = read(&csrf(), "GET", &[]);
    let tokens: Vec<String> = (0..50).map(|_| request.token(&mut session)).collect();
    let secret = request.commit(&mut session, 200).set_cookie.unwrap().value().to_owned();
    let other = read(&csrf(), "GET", &[]).token(&mut session);
    let headers = [("Origin", "https://example.com"), ("Cookie", &*format!("csrftoken={secret}"))];
    let request = read(&csrf(), "POST", &headers);
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(request.check(&session, Some(token)), Ok(()));
        assert!(!tokens[..at].contains(token) && !token.contains(&secret));
    }
    assert_eq!(request.check(&session, Some(&other)), Err(CsrfError::WrongToken));
    assert!(!session.is_accessed(), "the secret is in its cookie");
}

#[test]
fn every_character_is_as_likely_as_the_others() {
    let mut counts = BTreeMap::<char, u32>::new();
    for _ in 0..2000 {
        let mut request = read(&csrf(), "GET", &[]);
        let token = request.token(&mut Session::new());
        let reply = request.commit(&mut Session::new(), 200);
        // The mask, what is under it, and the secret.
        let secret = reply.set_cookie.unwrap();
        token
            .chars()
            .chain(secret.value().chars())
            .for_each(|c| *counts.entry(c).or_default() += 1);
    }
    // 3,097 of each are expected; 400 are 7 standard deviations.
    assert_eq!(counts.len(), 62);
    assert!(counts.values().all(|count| count.abs_diff(3097) < 400), "{counts:?}");
}

#[test]
fn the_cookie_lasts_a_year_from_each_page_that_shows_a_token() {
    let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let cookie = format!("csrftoken={SECRET}");
    let mut request = read(&csrf(), "GET", &[("Cookie", &cookie)]);
    let session = &mut Session::new();
    assert!(request.commit_at(session, 200, now).set_cookie.is_none(), "nobody asked");
    let _ = request.token(session);
    let reply = request.commit_at(session, 500, now);
    assert_eq!(
        reply.set_cookie.unwrap().to_string(),
        format!(
            "{cookie}; SameSite=Lax; Secure; Path=/; Max-Age=31449600; \
             Expires=Tue, 12 Nov 2024 22:13:20 GMT"
        )
    );
    assert!(reply.vary_on_cookie);

    let options = CookieOptions::new("__Host-csrf").unwrap();
    let csrf = csrf().cookie(options, None).header("X-XSRF-Token");
    let mut request = read(&csrf, "GET", &[]);
    let token = request.token(session);
    let cookie = request.commit_at(session, 200, now).set_cookie.unwrap();
    assert_eq!(
        (cookie.name(), cookie.max_age(), cookie.http_only()),
        ("__Host-csrf", None, Some(true))
    );
    let cookie = cookie.stripped().to_string();
    let headers = |name: &'static str| {
        [("Origin", "https://example.com"), ("Cookie", &*cookie), (name, &*token)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    for (name, verdict) in [("x-xsrf-token", Ok(())), ("X-CSRFToken", Err(CsrfError::NoToken))] {
        let headers = headers(name);
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        assert_eq!(csrf.read("DELETE", headers).check(session, None), verdict, "{name}");
    }
    let lasting = csrf.cookie(CookieOptions::new("c").unwrap(), Duration::from_secs(60));
    let mut request = read(&lasting, "GET", &[]);
    let _ = request.token(session);
    let cookie = request.commit_at(session, 200, now).set_cookie.unwrap();
    assert_eq!(cookie.max_age(), Some(time::Duration::MINUTE));
}

#[test]
fn an_invalid_secret_is_refused_and_the_next_page_replaces_it() {
    let not_text = [json!(1), json!([SECRET]), json!({ "a": SECRET }), json!(true)];
    let texts = ["", "short", &TOKEN[1..], &SECRET.replace('c', "-"), &TOKEN.replace('c', "é")];
    let odd = not_text.into_iter().chain(texts.map(|text| json!(text)));
    let csrf = csrf().in_session();
    let here = [("Origin", "https://example.com")];
    for value in odd {
        let mut session = Session::new();
        session.insert("_csrftoken", &value).unwrap();
        let mut request = read(&csrf, "POST", &here);
        let verdict = request.check(&session, Some(TOKEN));
        assert_eq!(verdict, Err(CsrfError::MalformedSecret), "{value}");
        let token = request.token(&mut session);
        let written: String = session.get("_csrftoken").unwrap().unwrap();
        assert_eq!(written.len(), 32);
        assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(read(&csrf, "POST", &here).check(&session, Some(&token)), Ok(()));
    }
    // One that is masked, as before Django 4, is good and is written bare by the next page.
    let mut session = Session::new();
    session.insert("_csrftoken", TOKEN).unwrap();
    let mut request = read(&csrf, "POST", &here);
    assert_eq!(request.check(&session, Some(SECRET)), Ok(()));
    let _ = request.token(&mut session);
    assert_eq!(session.get("_csrftoken"), Ok(Some(SECRET.to_owned())));
}

#[test]
fn of_two_cookies_the_last_one_counts_as_in_django() {
    let other = SECRET.replace('a', "b");
    for (cookies, verdict) in [
        (vec![format!("csrftoken={other}; csrftoken={SECRET}")], Ok(())),
        (vec![format!("csrftoken={SECRET}; csrftoken={other}")], Err(CsrfError::WrongToken)),
        (vec![format!("csrftoken={other}"), format!("csrftoken={SECRET}; a=b")], Ok(())),
        (vec![format!("csrftoken={SECRET}"), "a=b".to_owned()], Ok(())),
        (vec![format!("csrftoken=\"{SECRET}\"")], Ok(())),
        (vec![format!("CSRFTOKEN={SECRET}")], Err(CsrfError::NoSecret)),
    ] {
        let headers = cookies.iter().map(|cookie| ("cookie", cookie.as_bytes()));
        let headers = headers.chain([("origin", &b"https://example.com"[..])]);
        let verdict_here = csrf().read("POST", headers).check(&Session::new(), Some(TOKEN));
        assert_eq!(verdict_here, verdict, "{cookies:?}");
    }
}

// Rotation.

type Login = (&'static str, fn(&mut Session));

/// Each way to log somebody in, or to make the session another one.
fn logins() -> [Login; 3] {
    [
        ("begin", |session| session.begin(|_| false)),
        ("begin, all kept", |session| session.begin(|_| true)),
        ("login", |session| {
            let ring = Keyring::new("test-secret-key-0123456789").unwrap();
            let backend = "django.contrib.auth.backends.ModelBackend";
            AuthUser::new(&ring, 42, backend, "pbkdf2_sha256$1$a$b").login(session, |_| true);
        }),
    ]
}

#[test]
fn a_login_replaces_the_secret_by_itself() {
    let here = ("Origin", "https://example.com");
    for (how, login) in logins() {
        for csrf in [csrf(), csrf().in_session()] {
            let mut session = Session::new();
            session.insert("_csrftoken", SECRET).unwrap();
            let cookie = format!("csrftoken={SECRET}");
            let mut request = read(&csrf, "POST", &[here, ("Cookie", &cookie)]);
            assert_eq!(request.check(&session, Some(TOKEN)), Ok(()));
            let before = request.token(&mut session);
            login(&mut session);
            let after = request.token(&mut session);
            let reply = request.commit(&mut session, 302);
            let cookie = reply.set_cookie.map(|cookie| cookie.stripped().to_string());
            let cookie = cookie.unwrap_or_default();
            let next = read(&csrf, "POST", &[here, ("Cookie", &cookie)]);
            for token in [TOKEN, SECRET, &before] {
                let verdict = next.check(&session, Some(token));
                assert_eq!(verdict, Err(CsrfError::WrongToken), "{how}");
            }
            assert_eq!(next.check(&session, Some(&after)), Ok(()), "{how}");
        }
    }
}

#[test]
fn a_login_without_a_page_ends_the_secret_all_the_same() {
    let here = ("Origin", "https://example.com");
    for (how, login) in logins() {
        let mut session = Session::new();
        let cookie = format!("csrftoken={SECRET}");
        let mut request = read(&csrf(), "POST", &[here, ("Cookie", &cookie)]);
        login(&mut session);
        let secret = request.commit(&mut session, 200).set_cookie.unwrap();
        assert_ne!(secret.value(), SECRET, "{how}");

        session.insert("_csrftoken", SECRET).unwrap();
        let mut request = read(&csrf().in_session(), "POST", &[here]);
        assert!(request.commit(&mut session, 200).set_cookie.is_none());
        assert!(!session.contains_key("_csrftoken"), "{how}");
    }
    // A login that failed, and is not saved, changes nothing.
    let mut session = Session::new();
    let mut request = read(&csrf(), "POST", &[here]);
    session.begin(|_| false);
    assert!(request.commit(&mut session, 500).set_cookie.is_none());
    // Neither does anything else.
    let mut session = Session::new();
    let mut request = read(&csrf(), "POST", &[here]);
    session.insert("cart", ["apples"]).unwrap();
    assert!(request.commit(&mut session, 200).set_cookie.is_none());
    session.flush();
    assert!(request.commit(&mut session, 200).set_cookie.is_none());
}

#[test]
fn a_secret_is_replaced_by_hand() {
    for csrf in [csrf(), csrf().in_session()] {
        let mut session = Session::new();
        let mut request = read(&csrf, "GET", &[]);
        let before = request.token(&mut session);
        request.rotate(&mut session);
        let after = request.token(&mut session);
        let cookie = request.commit(&mut session, 200).set_cookie;
        let cookie = cookie.map_or_else(String::new, |cookie| cookie.stripped().to_string());
        let headers = [("Origin", "https://example.com"), ("Cookie", &*cookie)];
        let request = read(&csrf, "POST", &headers);
        assert_eq!(request.check(&session, Some(&before)), Err(CsrfError::WrongToken));
        assert_eq!(request.check(&session, Some(&after)), Ok(()));
    }
}

// The form.

#[test]
fn the_token_of_a_form_is_its_last_field_of_that_name() {
    for (body, token) in [
        ("csrfmiddlewaretoken=abc", Some("abc")),
        ("a=1&csrfmiddlewaretoken=abc&b=2", Some("abc")),
        ("csrfmiddlewaretoken=abc&csrfmiddlewaretoken=def", Some("def")),
        ("csrfmiddlewaretoken=abc&csrfmiddlewaretoken=", None),
        ("%63srfmiddlewaretoken=%61b%63", Some("abc")),
        ("csrfmiddlewaretoken=a+b%20c", Some("a b c")),
        ("csrfmiddlewaretoken=a=b", Some("a=b")),
        ("csrfmiddlewaretoken=100%&x", Some("100%")),
        ("csrfmiddlewaretoken=%zz%4", Some("%zz%4")),
        ("csrfmiddlewaretoken", None),
        ("CSRFMIDDLEWARETOKEN=abc", None),
        ("csrfmiddlewaretoken2=abc", None),
        ("x=csrfmiddlewaretoken=abc", None),
        ("x;csrfmiddlewaretoken=abc", None),
        ("", None),
        ("&&==", None),
    ] {
        assert_eq!(Csrf::token_of_form(body.as_bytes()).as_deref(), token, "{body}");
    }
    assert!(Csrf::token_of_form(b"csrfmiddlewaretoken=\xff\x00%ff").is_some());
}
