//! What people paste and how they store their keys: each cause is proved, or called a guess.
//!
//! Tokens of other systems were written by them: Django 3.0.14, Flask 3.1.3 and itsdangerous 2.2.0,
//! all with [`SECRET`] at [`NOON`]; the JSON Web Token is that of RFC 7515, A.1.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use signed_session::{Keyring, Session, SessionCodec, django};

use crate::transcript::Scratch;
use crate::{SECRET, noon, program, run};

const OLD_SESSION: &str = "N2YzMzkyMzcxMDcyZGFjMWJjMDhjMjYxZWM5ZTMwMWU1MGZiNGFkNTp7InVzZXJfaWQiOjQyLCJfYXV0aF91c2VyX2lkIjoiMSJ9";
const OLD_PICKLE: &str =
    "ZTFiNzEyZmM0NDBlY2QwYWYxYTI3MGM4M2UzOWNmMWY2N2NjOGQyYTqABZUKAAAAAAAAAH2UjAFhlEsBcy4=";
const SHA1_SESSION: &str = "eyJ1c2VyX2lkIjo0Mn0:1r31eq:GZZhOSz7vCTfUtR7_bJBFl6Fo9o";
const SHA1_DUMPS: &str = "WzEsMl0:1r31eq:zufwcP6UL7KeX55Bb7jFb8wLat8";
const SHA1_SIGNER: &str = "hello:mHWbzvwNR_kZM-dwtRzhE6U8Y5Q";
const SHA1_COOKIE: &str = "theme=dark:1r31eq:yiU5tSkLY0FL4MqJAI3bP8qCOP4";
const FLASK: &str = "eyJ1c2VyX2lkIjo0Mn0.ZVPxAA.1ZBWHo2P9NnoNaCe47HBCJigabc";
const FLASK_COMPRESSED: &str =
    ".eJyrVkpOLCpRsopWSiwoyEktVtIZZdCSEVsLAENgefU.ZVPxAA.VQtdb3D9iL9FSFA8BGtfNbJRXuk";
const STARLETTE: &str = "eyJhIjogMX0=.ZVPxAA.LoL1MPalA2JQ9ZyJ2M3NR7OcNeE";
const URL_SAFE_TIMED: &str = "eyJhIjoxfQ.ZVPxAA.of1yh3V-3DrNSicbn0PP_ZVJLu0";
/// Of other secrets than ours.
const OTHER_FLASK: &str = "eyJ1c2VyX2lkIjo0Mn0.ZVPxAA.RgUm_MlWwRc_a0tJdPpT9DDdofY";
const OTHER_FLASK_COMPRESSED: &str =
    ".eJyrVkpOLCpRsopWSiwoyEktVtIZZdCSEVsLAENgefU.ZVPxAA.mSVRJrBp7eVMb6WVpcG4SHkpOCQ";
const JWT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const AT: [&str; 2] = ["--at", "1700000010"];

/// A token whose base64 has both characters that the two alphabets spell differently.
fn token() -> String {
    let mut session = Session::new();
    session.insert("name", "????>>>").unwrap();
    SessionCodec::new(&Keyring::new(SECRET).unwrap()).encode_at(&session, noon()).unwrap()
}

/// What `explain` reports of this on standard input.
fn explain(input: &[u8], options: &[&str]) -> Value {
    let arguments = [&["explain", "--format", "json"], &AT[..], options].concat();
    let output = run(&arguments, input);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", input.escape_ascii());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The names of the causes, with a `?` behind each guess.
fn causes(report: &Value) -> Vec<String> {
    let name = |cause: &Value| {
        let mark = if cause["guess"].as_bool().unwrap() { "?" } else { "" };
        format!("{}{mark}", cause["cause"].as_str().unwrap())
    };
    report["causes"].as_array().unwrap().iter().map(name).collect()
}

fn assert_causes(input: &str, expected: &[&str]) {
    let report = explain(input.as_bytes(), &[]);
    assert_eq!(causes(&report), expected, "{input}: {report}");
}

#[test]
fn what_a_key_here_signed_in_another_way_is_proved() {
    assert_causes(OLD_SESSION, &["old_session_data"]);
    assert_causes(OLD_PICKLE, &["old_session_data"]);
    assert_causes(SHA1_SESSION, &["sha1"]);
    assert_causes(SHA1_DUMPS, &["salt", "sha1"]);
    assert_causes(SHA1_SIGNER, &["salt", "sha1"]);
    assert_causes(SHA1_COOKIE, &["cookie_name", "salt", "sha1"]);
    assert_causes(FLASK, &["flask"]);
    assert_causes(FLASK_COMPRESSED, &["flask"]);
    assert_causes(STARLETTE, &["itsdangerous"]);
    assert_causes(URL_SAFE_TIMED, &["itsdangerous"]);
    // Broken into lines, as releases before 1.6 wrote it, and without its padding.
    let lines = format!("{}\n{}\n", &OLD_PICKLE[..60], OLD_PICKLE[60..].trim_end_matches('='));
    assert_causes(&lines, &["old_session_data"]);
}

#[test]
fn what_no_key_here_signed_is_a_guess_or_taken_apart() {
    for (input, expected) in [
        (OTHER_FLASK, "flask?"),
        (OTHER_FLASK_COMPRESSED, "flask?"),
        // Taken apart: that it has this form is sure.
        (JWT, "jwt"),
        (
            "BAh7B0kiD3Nlc3Npb25faWQGOgZFVEkiJTEy--0123456789abcdef0123456789abcdef01234567",
            "rails?",
        ),
        ("aXZvdXM%2BQ29u--dGVzdGluZ2l2--dGVzdHRhZ3Rlc3R0YWc%3D", "rails?"),
        (
            "s%3AlJ2gLHgqzlGVKvMWmDrL1ZgGm5.QwXfNPEzSJvYGkxYzSdXpTHVvXkQ2vGQxWj%2BzV4x5ks",
            "express?",
        ),
        ("MTcwMDAwMDAwMHxEdi1CQkFFQ180SUFBUkFCRUFBQXxlMzB8YWJjZGVm", "gorilla?"),
        ("eyJpdiI6IngiLCJ2YWx1ZSI6InkiLCJtYWMiOiJ6In0%3D", "laravel?"),
        ("q1t8k0n3m5v7c9b2d4f6h8j0l2", "php?"),
        ("0A1B2C3D4E5F60718293A4B5C6D7E8F9", "java?"),
        ("0k3vhp2x8dgp9q7u1m5zj4c6y8n2r0ab", "session_key?"),
        ("d41d8cd98f00b204e9800998ecf8427e", "session_key?"),
        ("eyJ1c2VyIjoxfQ==", "unsigned?"),
    ] {
        assert_causes(input, &[expected]);
        let named = format!("Cookie: theme=dark; other={input}");
        let report = explain(named.as_bytes(), &[]);
        assert_eq!(causes(&report), ["cookie_name", expected], "{named}");
        assert_causes(&format!("Cookie: theme=dark; sessionid={input}"), &[expected]);
        assert_causes(&format!("> Cookie: sessionid={input}"), &[expected]);
    }
    assert_causes(&format!("Authorization: Bearer {JWT}"), &["jwt"]);
    // Old `session_data` of another secret has its form all the same.
    let other =
        explain(OLD_SESSION.as_bytes(), &["--key-file", &key_file("another", b"another").1]);
    assert_eq!(causes(&other), ["old_session_data"]);
    assert!(other["causes"][0]["says"].as_str().unwrap().contains("none of the keys signed it"));
}

#[test]
fn no_word_of_a_guess_is_said_to_be_sure() {
    for input in [OTHER_FLASK, "0k3vhp2x8dgp9q7u1m5zj4c6y8n2r0ab", &token()[..30], &token()[5..]] {
        let output = run(&[&["explain"], &AT[..]].concat(), input.as_bytes());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("\nperhaps: ") && !text.contains("\ncause: "), "{text}");
        assert!(!text.contains("\nnot: "), "{text}");
        let verbose = run(&[&["explain", "--verbose"], &AT[..]].concat(), input.as_bytes());
        let verbose = String::from_utf8(verbose.stdout).unwrap();
        assert!(verbose.starts_with(text.trim_end()) && verbose.contains("\nnot: "), "{verbose}");
    }
}

#[test]
fn a_token_is_found_in_whatever_it_was_copied_from() {
    let token = token();
    let (begin, rest) = token.split_at(30);
    // Read as they stand.
    for input in [
        format!("> Cookie: theme=dark; sessionid={token}"),
        format!("< Set-Cookie: sessionid={token}; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"),
        format!("< set-cookie: sessionid={token}; Path=/"),
        format!(".example.com\tTRUE\t/\tTRUE\t1701209600\tsessionid\t{token}"),
        format!("#HttpOnly_.example.com\tTRUE\t/\tTRUE\t1701209600\tsessionid\t{token}"),
        format!("sessionid\t{token}\texample.com\t/\t2026-12-10T10:00:00.000Z\t90\t✓\t✓\tLax"),
    ] {
        let report = explain(input.as_bytes(), &[]);
        assert_eq!(report["status"], "ok", "{input}");
        assert!(report["found"].is_string());
        let decoded = run(&[&["decode"], &AT[..]].concat(), input.as_bytes());
        assert_eq!(decoded.stdout, b"{\"name\":\"????>>>\"}\n", "{input}");
    }
    // Refused, and found.
    let pretty = serde_json::to_string_pretty(&json!({"name": "sessionid", "value": token}));
    for (input, expected) in [
        (format!("curl 'https://example.com/' -H 'Cookie: a=b; sessionid={token}'"), "inside"),
        (format!("curl -b \"sessionid={token}\" https://example.com/"), "inside"),
        (json!({"name": "Cookie", "value": format!("sessionid={token}")}).to_string(), "inside"),
        (pretty.unwrap(), "inside"),
        (json!(json!({"cookies": {"sessionid": token}}).to_string()).to_string(), "inside"),
        (format!("'{{\"value\": \"{}\"}}'", token.replace(':', "\\u003a")), "inside"),
        (format!("> GET / HTTP/1.1\n> Cookie: sessionid={token}\n>\n< HTTP/1.1 200 OK"), "inside"),
        (format!("https://example.com/?next=%2F&token={}", token.replace(':', "%3A")), "inside"),
        (format!("sessionid: {token}"), "inside"),
        (format!("sessionid  {token}  example.com  /  Session"), "inside"),
        (format!("> Cookie: sid={token}"), "cookie_name"),
        (format!("{begin}\n{rest}"), "line_breaks"),
        (format!("{begin}\r\n    {rest}"), "line_breaks"),
        (format!("{begin}=\n{rest}"), "quoted_printable"),
        (format!("{token}\r"), "white_space"),
        (format!("{begin}\u{200b}{rest}"), "invisible"),
        (format!("\u{feff}{token}"), "invisible"),
        (token.replace('-', "\u{2013}"), "dashes"),
        (token.replace(':', "&#58;"), "html"),
        (token.replace(':', "&colon;"), "html"),
        (format!("&quot;{token}&quot;"), "html,quotes"),
        (token.replace(':', "\\u003a"), "json"),
    ] {
        assert_causes(&input, &[expected]);
    }
    for (open, close) in [
        ("'", "'"),
        ("`", "`"),
        ("“", "”"),
        ("„", "“"),
        ("‘", "’"),
        ("«", "»"),
        ("‹", "›"),
        ("´", "´"),
        ("<", ">"),
        ("(", ")"),
        ("[", "]"),
        ("“", "\""),
        ("\"", ""),
        ("", "'"),
        ("b'", "'"),
        ("''", "''"),
    ] {
        assert_causes(&format!("{open}{token}{close}"), &["quotes"]);
    }
    let utf16: Vec<u8> =
        format!("\u{feff}{token}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(causes(&explain(&utf16, &[])), ["utf16"]);
}

#[test]
fn a_signed_cookie_is_known_by_its_own_name() {
    let ring = Keyring::new(SECRET).unwrap();
    let new = django::signed_cookie_signer(&ring, "theme", "").sign_at("dark", noon());
    let old = django::legacy_signed_cookie_signer(&ring, "theme", "").sign_at("dark", noon());
    let salted = django::signed_cookie_signer(&ring, "theme", "x").sign_at("dark", noon());
    for value in [new, old] {
        assert_causes(&format!("theme={value}"), &["cookie_name", "salt"]);
        assert_causes(&format!("Cookie: a=b; theme={value}"), &["cookie_name", "salt"]);
        let report = explain(value.as_bytes(), &["--cookie-name", "theme"]);
        assert_eq!(causes(&report), ["salt"]);
    }
    let line = format!("theme={salted}");
    let report = explain(line.as_bytes(), &["--salt", "x", "--object"]);
    assert_eq!(causes(&report), ["cookie_name", "salt"]);
    assert!(report["causes"][1]["says"].as_str().unwrap().ends_with("theme with the salt x"));
}

fn key_file(name: &str, content: &[u8]) -> (Scratch, String) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Tests run side by side.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let scratch = Scratch::new(&format!("key-{name}-{count}"));
    let path = scratch.0.join("site.key");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (scratch, path)
}

/// Secrets with what shells, HTML, JSON, Compose and comments change.
const SECRETS: [&str; 3] = [
    "django-in$ecure-(x)&k@#%^*y!=+<z>\"q'w_0123456789abcdefghij",
    "(x)&k@#$y!=+z_0123456789abcdefghijklmnopqrstuv",
    "pé-(x)&k@$y!=+z_0123456789abcdefghijklmnopqrstuv",
];

/// Text that must not be in any output.
const PARTS: [&str; 3] = ["(x)&k@", "0123456789abcdef", "KHgpJmtA"];

fn explain_with(secret: &str, content: &[u8]) -> Output {
    let session = SessionCodec::new(&Keyring::new(secret).unwrap());
    let token = session.encode_at(&Session::new(), noon()).unwrap();
    let (_scratch, path) = key_file("stored", content);
    let arguments = [&["explain", "--format", "json"], &AT[..], &["--key-file", &path, &token]];
    let output = program(arguments.concat()).stdin(Stdio::null()).output().unwrap();
    let printed = [output.stdout.as_slice(), &output.stderr].concat();
    for part in PARTS {
        assert!(!String::from_utf8_lossy(&printed).contains(part), "{part}");
    }
    output
}

fn quoted(secret: &str, quote: char) -> String {
    let escaped = secret.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
    format!("{quote}{escaped}{quote}")
}

#[test]
fn a_key_that_is_stored_in_other_words_is_found_by_trying() {
    use base64::Engine as _;

    for secret in SECRETS {
        let doubled = secret.replace('$', "$$");
        let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let in_json = json!(secret).to_string();
        let in_base64 = base64::engine::general_purpose::STANDARD.encode(secret);
        let percent = secret.replace('%', "%25").replace('&', "%26").replace('+', "%2B");
        let ascii_json: String = in_json
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) })
            .collect();
        for (name, stored) in [
            ("quotes", format!("\"{secret}\"")),
            ("quotes", format!("'{secret}'\n")),
            ("typographic quotes", format!("“{secret}”")),
            ("white space", format!(" {secret} \n")),
            ("two lines ends", format!("{secret}\r\n\r\n")),
            ("settings.py", format!("SECRET_KEY = {}\n", quoted(secret, '"'))),
            ("settings.py", format!("SECRET_KEY = {}  # keep it\n", quoted(secret, '\''))),
            (
                "settings.py",
                format!(
                    "import os\nDEBUG = True\n# WARNING: keep the key secret!\nSECRET_KEY = {}\n\
                     ALLOWED_HOSTS = ['example.com']\n",
                    quoted(secret, '\'')
                ),
            ),
            ("default", format!("SECRET_KEY = os.environ.get('KEY', {})\n", quoted(secret, '\''))),
            (".env", format!("SECRET_KEY={secret}\n")),
            (".env", format!("SECRET_KEY=\"{secret}\"\r\n")),
            (".env", format!("export SECRET_KEY='{secret}'\n")),
            (".env", format!("DEBUG=1\nDATABASE=postgres://u:p@h/d\nSECRET_KEY={secret}\nX=1\n")),
            ("BOM", format!("\u{feff}SECRET_KEY=\"{secret}\"\r\nX=1\r\n")),
            ("YAML", format!("SECRET_KEY: {}\n", quoted(secret, '"'))),
            ("JSON", json!({ "DEBUG": true, "SECRET_KEY": secret }).to_string()),
            ("JSON", ascii_json),
            ("Compose", format!("SECRET_KEY={doubled}\n")),
            ("Compose", format!("      - SECRET_KEY={doubled}\n")),
            ("$$", doubled),
            ("HTML", html),
            ("percent", percent),
            ("base64", in_base64.clone()),
            ("Kubernetes", format!("  SECRET_KEY: {in_base64}\n")),
            ("lines", format!("another-key-that-is-not-it-0000000\n{secret}\n")),
        ] {
            if stored.trim_end() == secret {
                continue;
            }
            let output = explain_with(secret, stored.as_bytes());
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(causes(&report), ["key"], "{name}: {stored}: {report}");
        }
        let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if secret.is_ascii() {
            let report = explain_with(secret, &utf16).stdout;
            assert_eq!(causes(&serde_json::from_slice(&report).unwrap()), ["key"]);
        }
    }
}

#[test]
fn a_key_that_the_site_stores_in_other_words_is_found_too() {
    let secret = SECRETS[0];
    for (name, used) in [
        ("newline", format!("{secret}\n")),
        ("CR LF", format!("{secret}\r\n")),
        ("BOM", format!("\u{feff}{secret}")),
        ("quotes", format!("\"{secret}\"")),
        ("$$", secret.replace('$', "$$")),
        ("shell", secret.replace("$ecure", "")),
        ("HTML", secret.replace('&', "&amp;")),
        ("JSON", json!(secret).to_string().trim_matches('"').to_owned()),
        ("comment", secret.split('#').next().unwrap().to_owned()),
    ] {
        let report: Value =
            serde_json::from_slice(&explain_with(&used, secret.as_bytes()).stdout).unwrap();
        assert_eq!(causes(&report), ["key"], "{name}: {report}");
    }
}

#[test]
fn neither_a_byte_order_mark_nor_a_line_end_is_part_of_a_key() {
    for secret in SECRETS {
        let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{secret}\r\n").encode_utf16().flat_map(unit).collect()
        };
        for (content, is_told) in [
            (secret.as_bytes().to_vec(), false),
            (format!("{secret}\n").into_bytes(), false),
            (format!("{secret}\r\n").into_bytes(), false),
            (format!("{secret}\r").into_bytes(), false),
            (format!("\u{feff}{secret}").into_bytes(), true),
            (format!("\u{feff}{secret}\r\n").into_bytes(), true),
            (utf16(u16::to_le_bytes), true),
            (utf16(u16::to_be_bytes), true),
        ] {
            let output = explain_with(secret, &content);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["status"], "ok", "{}", content.escape_ascii());
            assert_eq!(report["key"].is_string(), is_told);
            assert_eq!(!output.stderr.is_empty(), is_told, "{}", content.escape_ascii());
        }
    }
    // The environment is read in the same way.
    let session = SessionCodec::new(&Keyring::new(SECRETS[1]).unwrap());
    let token = session.encode_at(&Session::new(), noon()).unwrap();
    for (key, retired) in [
        (format!("\u{feff}{}\r\n", SECRETS[1]), String::new()),
        (format!("{}\r", SECRETS[1]), String::new()),
        (SECRET.to_owned(), format!("\u{feff}{}\r\n{}\r\n", SECRETS[0], SECRETS[1])),
    ] {
        let mut decode = program([&["decode"], &AT[..], &[&token]].concat());
        decode.env("SIGNED_SESSION_KEY", key).env("SIGNED_SESSION_FALLBACK_KEYS", retired);
        assert_eq!(decode.output().unwrap().status.code(), Some(0));
    }
}
