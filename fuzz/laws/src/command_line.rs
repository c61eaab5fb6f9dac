//! Whatever the program is told and fed, it prints what was verified and nothing that could do harm.

use std::sync::LazyLock;

use serde_json::Value;

use super::input::Input;
use super::{NOW, SECRET, STAMP, django};

/// What the program is told and fed.
pub struct Call {
    pub arguments: Vec<Vec<u8>>,
    pub input: Vec<u8>,
}

/// What it did.
pub struct Ran {
    pub status: u8,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

/// A token that the program may accept.
struct Genuine {
    salt: &'static str,
    token: String,
    /// The object in it, without white space, if it is a token of one.
    json: &'static str,
}

/// What stands in payloads that are never to be printed.
const PLANTED: &str = "of-nobody-here";

const OLD: i64 = NOW.unix_timestamp() - 60 * 24 * 60 * 60;

const DUMPS_SALT: &str = "django.core.signing";
const TEXT_SALT: &str = "django.core.signing.TimestampSigner";
const UNDATED_SALT: &str = "django.core.signing.Signer";

static GENUINE: LazyLock<[Genuine; 6]> = LazyLock::new(|| {
    let object = |json: &'static str, salt: &'static str, stamp: &str| Genuine {
        salt,
        token: django::sign(&django::base64(json.as_bytes()), salt, SECRET, stamp),
        json,
    };
    let text = |salt: &'static str, token: String| Genuine { salt, token, json: "" };
    let ada = r#"{"user":"ada"}"#;
    let long = r#"{"many":["words","words","words","words","words","words","words"],"n":1.50}"#;
    let zipped = format!(".{}", django::base64(&django::zlib(long.as_bytes())));
    let zipped = django::sign(&zipped, django::SESSION_SALT, SECRET, STAMP);
    let hostile = "text\u{1b}[31m:\"é\",";
    [
        object(ada, django::SESSION_SALT, STAMP),
        Genuine { salt: django::SESSION_SALT, token: zipped, json: long },
        object(r#"{"user":"old"}"#, django::SESSION_SALT, &django::stamp(OLD)),
        object(r#"["dumps",-0.0]"#, DUMPS_SALT, STAMP),
        text(TEXT_SALT, django::sign(hostile, TEXT_SALT, SECRET, STAMP)),
        text(UNDATED_SALT, format!("{ada}:{}", django::signature(ada, UNDATED_SALT, SECRET))),
    ]
});

/// Tokens that are good for nobody here: of another key, of another purpose, of nobody.
static FOREIGN: LazyLock<[String; 4]> = LazyLock::new(|| {
    let payload = django::base64(format!("{{\"user\":\"{PLANTED}\"}}").as_bytes());
    [
        django::sign(&payload, django::SESSION_SALT, "of-somebody-else", STAMP),
        django::sign(&payload, "another purpose", SECRET, STAMP),
        format!("{payload}:{STAMP}:{}", "A".repeat(43)),
        format!("{PLANTED}:{}", django::signature(PLANTED, "another purpose", SECRET)),
    ]
});

const COMMANDS: [&str; 7] = ["decode", "decode", "unsign", "explain", "inspect", "encode", "sign"];

/// The options with some of their values; of most, any other is tried as well.
const OPTIONS: [(&str, &[&str]); 17] = [
    ("--from", &["auto", "token", "cookie"]),
    ("--format", &["json", "jsonl", "pretty", "text"]),
    ("--salt", &["session", "dumps", "db-session", "messages", "text:session", "purpose"]),
    ("--max-age", &["none", "2w", "0", "3600s", "99999999999999999999w"]),
    ("--at", &["1700000000", "2023-11-14T23:13:20+01:00", "1700003600", "-1", "253402300800"]),
    ("--expiry-rule", &["enforce", "shorter", "django"]),
    ("--cookie-name", &["sessionid", "s", "__Host-id"]),
    ("--max-token-len", &["65536", "4096", "50", "0", "18446744073709551615"]),
    ("--max-payload-len", &["1048576", "50", "0", "18446744073709551615"]),
    ("--threads", &["1", "2", "0"]),
    ("--refuse-signed-before", &["1700000000", "2030-01-01T00:00:00Z"]),
    ("--object", &[]),
    ("--no-timestamp", &[]),
    ("--no-compress", &[]),
    ("--summary", &[]),
    ("--cookie", &["sessionid", "__Host-id"]),
    ("--verbose", &[]),
];

/// Runs the program, which finds the secret in this file, and judges it.
pub fn law(data: &[u8], key_file: &str, run: impl Fn(&Call) -> Ran) {
    // A fuzzer sees the secret in comparisons; what it then feeds may be shown to it.
    if holds(data, SECRET) {
        return;
    }
    let mut input = Input::new(data);
    let kind = usize::from(input.byte() % 8);
    let Some(command) = COMMANDS.get(kind) else {
        // Words of any kind, save those that name another file to read or to write.
        let words = input.rest().split(|byte| *byte == b'\n').map(without_nul);
        let names_a_file = |word: &Vec<u8>| {
            let options: [&[u8]; 5] = [b"--key", b"--o", b"-o", b"--new", b"--password"];
            options.iter().any(|option| word.starts_with(option))
        };
        let arguments = words.filter(|word| !names_a_file(word)).collect();
        let call = Call { arguments, input: Vec::new() };
        return says_no_harm(&run(&call), true);
    };
    let mut options: Vec<String> = (0..input.byte() % 4).map(|_| option(&mut input)).collect();
    if !options.iter().any(|option| option.starts_with("--at=")) {
        options.push(format!("--at={}", NOW.unix_timestamp()));
    }
    let is_argument = input.flag();
    let fed = fed(&mut input);
    let call = |command: &str, options: &[String], fed: &[u8], is_argument: bool| {
        let key = ["--key-file", key_file];
        let key = if command == "inspect" { &[][..] } else { &key };
        let options = options.iter().map(String::as_str);
        let words = std::iter::once(command).chain(key.iter().copied()).chain(options);
        let mut arguments: Vec<Vec<u8>> = words.map(|word| without_nul(word.as_bytes())).collect();
        let mut input = Vec::new();
        if is_argument {
            arguments.extend([b"--".to_vec(), without_nul(fed)]);
        } else {
            input = fed.to_vec();
        }
        run(&Call { arguments, input })
    };
    let ran = call(command, &options, &fed, is_argument);
    let has = |option: &str| options.iter().any(|other| other == option);
    let prints_text = *command == "unsign" && !has("--format=json") && !has("--format=jsonl");
    // Signed text may hold anything, and is printed as it was signed, or will be.
    says_no_harm(&ran, !prints_text && *command != "sign");
    match *command {
        "decode" | "unsign" => prints_what_is_genuine(command, &options, &fed, &ran),
        "explain" => {
            holds_nothing_planted(&ran);
            if is_argument && fed != b"-" {
                let options: Vec<String> = options
                    .iter()
                    .filter(|option| !option.starts_with("--format"))
                    .cloned()
                    .collect();
                let decoded = call("decode", &options, &fed, true);
                assert!([ran.status, decoded.status].contains(&2) || ran.status == decoded.status);
            }
        }
        "inspect" if ran.status == 0 => {
            let start = ran.out.get(..20).map(String::from_utf8_lossy).unwrap_or_default();
            assert!(
                start.contains("unverified") || start.contains("\"verified\":false"),
                "{start}"
            );
        }
        "encode" if ran.status == 0 => {
            let is_about_writing = |option: &&String| !option.starts_with("--no-compress");
            let options = options.iter().filter(is_about_writing);
            let options: Vec<String> =
                options.map(|option| option.replacen("--cookie=", "--cookie-name=", 1)).collect();
            let read = call("decode", &options, &ran.out, false);
            // Its own expiry may have ended it at once.
            assert!(matches!(read.status, 0 | 3), "{}", read.err.escape_ascii());
            let fed = if is_argument { without_nul(&fed) } else { fed };
            // A number may be beyond what is read here.
            if let (0, Some(fed)) = (read.status, values(&fed)) {
                assert_eq!(values(&read.out), Some(fed));
            }
        }
        // Before 1970 text can be signed, too, and is refused from then on.
        "sign" if ran.status == 0 && is_argument && fed != b"-" && !has("--at=-1") => {
            let token = ran.out.strip_suffix(b"\n").unwrap();
            let read = call("unsign", &options, token, true);
            assert_eq!((read.status, read.out), (0, [&*without_nul(&fed), b"\n"].concat()));
        }
        _ => {}
    }
}

/// The values in a text that is one, or of which each line is one.
fn values(text: &[u8]) -> Option<Vec<Value>> {
    if let Ok(value) = serde_json::from_slice(text) {
        return Some(vec![value]);
    }
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| serde_json::from_slice(line).ok()).collect()
}

fn without_nul(bytes: &[u8]) -> Vec<u8> {
    // No process can be given one in an argument.
    bytes.iter().copied().filter(|byte| *byte != 0).collect()
}

fn option(input: &mut Input<'_>) -> String {
    let (name, values) = OPTIONS[usize::from(input.byte()) % OPTIONS.len()];
    if values.is_empty() {
        return name.to_owned();
    }
    let is_known = name == "--salt" || input.flag();
    let value = if is_known { input.pick(values).to_owned() } else { input.text() };
    format!("{name}={value}")
}

/// Takes what the program is fed: tokens, parts of them, and what may stand around them.
fn fed(input: &mut Input<'_>) -> Vec<u8> {
    let mut fed = Vec::new();
    while !input.is_empty() {
        let token = |input: &mut Input<'_>| {
            let tokens = GENUINE.iter().map(|genuine| &genuine.token).chain(FOREIGN.iter());
            let tokens: Vec<&String> = tokens.collect();
            tokens[usize::from(input.byte()) % tokens.len()].clone().into_bytes()
        };
        match input.byte() % 6 {
            0 | 1 => fed.extend(token(input)),
            2 => {
                let mut token = token(input);
                let place = input.place(token.len());
                token[place] = input.byte();
                fed.extend(token);
            }
            3 => {
                let encode = |byte: &u8| match byte {
                    b':' | b'.' | b'{' | b'"' => format!("%{byte:02x}").into_bytes(),
                    byte => vec![*byte],
                };
                fed.extend(token(input).iter().flat_map(encode));
            }
            4 => {
                let around =
                    ["\n", "sessionid=", "Cookie: ", "Set-Cookie: ", "; ", "\"", " ", "s="];
                fed.extend(input.pick(&around).as_bytes());
            }
            _ => fed.extend(input.bytes()),
        }
    }
    fed
}

/// Holds for every call.
fn says_no_harm(ran: &Ran, is_plain: bool) {
    assert!(matches!(ran.status, 0..=3), "status {}", ran.status);
    let err = str::from_utf8(&ran.err).unwrap();
    assert!(err.is_empty() || err.ends_with('\n'));
    for line in err.lines() {
        let (kind, message) = line.split_once(": ").unwrap();
        assert!(["error", "hint", "warning", "note"].contains(&kind), "{line}");
        assert!(message.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
    }
    if is_plain {
        let harmless = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
        assert!(ran.out.iter().all(harmless), "{}", ran.out.escape_ascii());
    }
    assert!(ran.out.is_empty() || ran.out.ends_with(b"\n"));
    // What ends in a usage error or for lack of a key has printed nothing.
    assert!(ran.status != 2 || ran.out.is_empty() && err.contains("error: "));
    for printed in [&ran.out, &ran.err] {
        assert!(!holds(printed, SECRET));
    }
}

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn holds_nothing_planted(ran: &Ran) {
    assert!(!holds(&ran.out, PLANTED) && !holds(&ran.out, "ada\""));
}

/// Holds that nothing is accepted but tokens that were fed whole, and that the status says so.
fn prints_what_is_genuine(command: &str, options: &[String], fed: &[u8], ran: &Ran) {
    let spellings = spellings(&String::from_utf8_lossy(fed));
    let is_there = |token: &str| spellings.iter().any(|spelling| spelling.contains(token));
    let is_undated = options.iter().any(|option| option == "--no-timestamp");
    let salt = options.iter().find_map(|option| option.strip_prefix("--salt="));
    let salt = match salt {
        Some("session") => django::SESSION_SALT,
        Some("dumps") => DUMPS_SALT,
        // Nothing is signed for any other.
        Some(other) => other,
        None if command == "decode" => django::SESSION_SALT,
        None if is_undated => UNDATED_SALT,
        None => TEXT_SALT,
    };
    let good = GENUINE.iter().filter(|good| good.salt == salt && is_there(&good.token));
    let good = good.map(|good| {
        // Where text is asked for, the payload of an object is text as well.
        let (value, _) = good.token.rsplit_once(':').unwrap();
        match (command, value.rsplit_once(':')) {
            ("decode", _) => good.json,
            (_, Some((value, _))) if !is_undated => value,
            _ => value,
        }
    });
    let good: Vec<&str> = good.collect();
    let out = str::from_utf8(&ran.out).unwrap();
    let err = str::from_utf8(&ran.err).unwrap();
    if options.iter().any(|option| option == "--format=jsonl") {
        let value = |good: &&str| match command {
            "decode" => serde_json::from_str(good).unwrap_or_default(),
            _ => Value::from(*good),
        };
        let good: Vec<Value> = good.iter().map(value).collect();
        let records = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut statuses: Vec<String> = Vec::new();
        for record in records {
            let status = record["status"].as_str().unwrap();
            let payload = &record["payload"];
            assert_eq!(status != "ok", payload.is_null(), "{record}");
            assert!(status != "ok" || good.contains(payload), "{record}");
            statuses.push(status.to_owned());
        }
        let refused: Vec<&String> = statuses.iter().filter(|status| *status != "ok").collect();
        let expected = match (statuses.is_empty(), refused.is_empty()) {
            (true, _) => 2,
            (_, true) => 0,
            _ if refused.iter().all(|status| *status == "expired") => 3,
            _ => 1,
        };
        assert_eq!(ran.status, expected, "{out}");
        return;
    }
    let mut rest: String = out.split_whitespace().collect();
    let forms = good.iter().flat_map(|good| [(*good).to_owned(), django::quote(good)]);
    let forms: Vec<String> = forms.filter(|form| !form.is_empty()).collect();
    while !rest.is_empty() {
        let form = forms.iter().find_map(|form| rest.strip_prefix(form.as_str()));
        rest = form.unwrap_or_else(|| panic!("not verified: {rest:?}")).to_owned();
    }
    let is_refused = err.lines().any(|line| line.starts_with("error: "));
    assert_eq!(is_refused, ran.status != 0, "{err}");
    assert!(ran.status != 0 || !out.is_empty());
}

/// What a text can stand for if quotes, backslashes and percent-encoding are undone, in any order.
fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    for undo in [without_quotes, without_percents, without_quotes, without_percents] {
        let more: Vec<String> = spellings.iter().map(|text| undo(text)).collect();
        spellings.extend(more);
    }
    spellings
}

fn without_quotes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => {}
            '\\' => {
                if let Some(Ok(byte)) = rest.get(..3).map(|digits| u8::from_str_radix(digits, 8)) {
                    out.push(char::from(byte));
                    rest = &rest[3..];
                } else if let Some(next) = rest.chars().next() {
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
            character => out.push(character),
        }
    }
    out
}

fn without_percents(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                out.push(byte);
                out.extend(&part.as_bytes()[2..]);
            }
            _ => {
                out.push(b'%');
                out.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
