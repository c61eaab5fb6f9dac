//! Keys come from the environment whole: nothing is split or trimmed, and nothing empty is a key.

use std::process::Command;

use signed_session::{ConfigError, Keyring, TimestampSigner};

const KEY: &str = "SIGNED_SESSION_KEY";
const FALLBACK_KEYS: &str = "SIGNED_SESSION_FALLBACK_KEYS";

/// Set where this test runs itself: no process can change its own environment safely.
const TOKENS: &str = "SIGNED_SESSION_TEST_TOKENS";

/// Returns which key of the ring signed each of the tokens, or why there is no ring.
fn report(tokens: &str) -> String {
    let ring = match Keyring::from_env() {
        Ok(ring) => ring,
        Err(error) => return error.to_string(),
    };
    let signer = TimestampSigner::new(&ring, "environment");
    let index = |token| match signer.unsign(token, None) {
        Ok(stamped) => stamped.key_index.to_string(),
        Err(error) => error.to_string(),
    };
    tokens.split(' ').map(index).collect::<Vec<_>>().join(", ")
}

/// Runs [`report`] in a process with this environment, for tokens of these secrets.
fn in_environment(key: Option<&[u8]>, fallbacks: Option<&[u8]>, secrets: &[&[u8]]) -> String {
    let token = |secret: &&[u8]| {
        TimestampSigner::new(&Keyring::new(secret).unwrap(), "environment").sign("ada")
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "environment::keys_come_from_the_environment_whole", "--nocapture"])
        .env(TOKENS, secrets.iter().map(token).collect::<Vec<_>>().join(" "));
    for (name, value) in [(KEY, key), (FALLBACK_KEYS, fallbacks)] {
        match value {
            Some(value) => command.env(name, os_str(value)),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report = text.split_once("report(").and_then(|(_, rest)| rest.split_once(")report"));
    report.unwrap_or_else(|| panic!("{text}")).0.to_owned()
}

#[cfg(unix)]
fn os_str(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

#[cfg(not(unix))]
fn os_str(bytes: &[u8]) -> &std::ffi::OsStr {
    str::from_utf8(bytes).unwrap().as_ref()
}

#[test]
fn keys_come_from_the_environment_whole() {
    if let Ok(tokens) = std::env::var(TOKENS) {
        println!("report({})report", report(&tokens));
        return;
    }
    let missing = ConfigError::MissingKey { variable: "SIGNED_SESSION_KEY" }.to_string();
    let empty = |variable| ConfigError::EmptyKey { variable }.to_string();
    type Case<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [&'a [u8]], &'a str);
    let cases: [Case<'_>; 16] = [
        (Some(b"new"), None, &[b"new"], "0"),
        (Some(b"new"), Some(b""), &[b"new"], "0"),
        (Some(b"new"), Some(b"old\nolder"), &[b"new", b"old", b"older"], "0, 1, 2"),
        (Some(b"new\n"), Some(b"old\r\n\r\nolder\n"), &[b"new", b"old", b"older"], "0, 1, 2"),
        (Some(b"\xEF\xBB\xBFnew\r\n"), Some(b"\xEF\xBB\xBFold"), &[b"new", b"old"], "0, 1"),
        // Whatever else is in a line is part of the secret.
        (Some(b" a,b;c d=\"e\"\t"), None, &[b" a,b;c d=\"e\"\t"], "0"),
        (Some(b"new"), Some(b" o,l d \t"), &[b"new", b" o,l d \t"], "0, 1"),
        (Some(b"new\n\n"), None, &[b"new\n"], "0"),
        (Some(b"ne\nw"), None, &[b"ne\nw"], "0"),
        (Some("néw".as_bytes()), None, &["néw".as_bytes()], "0"),
        (None, None, &[], &missing),
        (None, Some(b"old"), &[], &missing),
        (Some(b""), None, &[], &empty(KEY)),
        (Some(b"\n"), Some(b"old"), &[], &empty(KEY)),
        (Some(b" \t"), None, &[], &empty(KEY)),
        (Some(b"new"), Some(b"old\n \nolder"), &[], &empty(FALLBACK_KEYS)),
    ];
    for (key, fallbacks, secrets, expected) in cases {
        let found = in_environment(key, fallbacks, secrets);
        assert_eq!(found, expected, "{key:?} {fallbacks:?}");
    }
    #[cfg(unix)]
    assert_eq!(in_environment(Some(b"n\xFF\xFE"), None, &[b"n\xFF\xFE", b"n"]), {
        "0, the signature matches no key"
    });
    // Another secret is not accepted: without this the tokens above would prove nothing.
    assert!(in_environment(Some(b"new"), None, &[b"other"]).contains("matches no key"));
}

#[cfg(feature = "random")]
#[test]
fn a_generated_key_is_strong_and_never_the_same() {
    let rings: Vec<Keyring> = (0..64).map(|_| Keyring::generate()).collect();
    for (index, ring) in rings.iter().enumerate() {
        assert_eq!(ring.weaknesses(), []);
        let token = TimestampSigner::new(ring, "generated").sign("ada");
        for (other, ring) in rings.iter().enumerate() {
            let is_valid = TimestampSigner::new(ring, "generated").unsign(&token, None).is_ok();
            assert_eq!(is_valid, index == other);
        }
    }
}
