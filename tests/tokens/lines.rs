//! A line says in one way what was ended, or is refused: no line ends more than it says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signed_session::{Revocation, RevocationError};

/// The last microsecond of the year 9999.
const LAST: i64 = 253_402_300_799_999_999;

fn id(began: i64) -> String {
    URL_SAFE_NO_PAD.encode([began.to_be_bytes(), [7; 8]].concat())
}

fn read(line: &str) -> Result<Revocation, RevocationError> {
    let read = line.parse();
    if line.len() <= 2_048 {
        assert_eq!(serde_json::from_str(line).ok(), read.clone().ok(), "{line}");
    }
    read
}

#[test]
fn every_good_line_is_written_as_it_was_read() {
    let longest = "x".repeat(255);
    let escaped = r"\u0000".repeat(255);
    for subject in ["42", "\\u00e9", &longest, &escaped] {
        for began in [0, 1, 1_764_158_824_123_456, LAST] {
            let line = format!(r#"{{"v":1,"subject":"{subject}","session":"{}"}}"#, id(began));
            assert_eq!(read(&line).unwrap().to_string(), line);
        }
        for by in [1, LAST] {
            let line = format!(r#"{{"v":1,"subject":"{subject}","by":{by}}}"#);
            assert_eq!(read(&line).unwrap().to_string(), line);
            let line = format!(r#"{{"v":1,"by":{by}}}"#);
            assert_eq!(read(&line).unwrap().to_string(), line);
            assert_eq!(read(&line).unwrap().subject(), None);
        }
    }
    // In any order and with space, in up to 2,048 bytes.
    let line = format!("{:2048}", r#" { "by" : 1 , "v" : 1 } "#);
    assert_eq!(read(&line).unwrap().to_string(), r#"{"v":1,"by":1}"#);
    assert_eq!(read(&format!("{line} ")), Err(RevocationError::BadLine));
}

#[test]
fn what_is_not_understood_ends_nothing() {
    let good = id(1_764_158_824_123_456);
    let session = |text: &str| format!(r#"{{"v":1,"subject":"42","session":"{text}"}}"#);
    let by = |number: &str| format!(r#"{{"v":1,"by":{number}}}"#);
    let mut lines: Vec<String> = [
        // Of these an end of everyone must not remain.
        r#"{"v":1,"subject":"","by":5}"#,
        r#"{"v":1,"subject":null,"by":5}"#,
        r#"{"v":1,"subject":42,"by":5}"#,
        r#"{"v":1,"subjects":"42","by":5}"#,
        r#"{"v":1,"session":"x","by":5}"#,
        r#"{"v":1,"subject":"42","session":"x","by":5}"#,
        r#"{"v":1}"#,
        r#"{"v":1,"subject":"42"}"#,
        r#"{"by":5}"#,
        r#"{"reason":1,"by":5}"#,
        r#"{"v":1,"by":5,"ttl":60}"#,
        r#"{"v":0,"by":5}"#,
        r#"{"v":2,"by":5}"#,
        r#"{"v":"1","by":5}"#,
        r#"{"v":1,"v":1,"by":5}"#,
        r#"{"v":1,"by":5,"by":5}"#,
        r#"{"v":1,"subject":"4","subject":"4","by":5}"#,
        r#"{"v":1,"by":5}{"v":1,"by":5}"#,
        r#"[1,"42",null,5]"#,
        r#"{"v":1,"by":5"#,
        "",
    ]
    .map(str::to_owned)
    .into();
    lines.push(format!(r#"{{"v":1,"subject":"{}","by":5}}"#, "x".repeat(256)));
    lines.push(format!(r#"{{"v":1,"session":"{good}"}}"#));
    lines.push(format!(r#"{{"v":1,"session":"{good}","by":5}}"#));
    lines.push(format!(r#"{{"v":1,"subject":"42","session":"{good}","by":5}}"#));
    let number = |number: i64| number.to_string();
    lines.extend(["0", "-1", "1.0", "1e3", "null", "true", "\"5\"", "[5]"].map(by));
    lines.extend([number(LAST + 1), number(i64::MAX)].map(|it| by(&it)));
    lines.extend(["", &good[1..], &good[..21]].map(session));
    lines.extend(
        [format!("{good}A"), format!("{good}=="), format!("{}-", &good[..21])]
            .map(|it| session(&it)),
    );
    lines.extend([id(-1), id(LAST + 1), id(i64::MAX), id(i64::MIN)].map(|it| session(&it)));
    for line in lines {
        assert_eq!(read(&line), Err(RevocationError::BadLine), "{line}");
    }
}
