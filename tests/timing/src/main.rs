//! Shows that a forged token is refused in the same time wherever its signature is wrong, and that a
//! login is checked in the same time wherever its hash is wrong and whichever key made it.
//!
//! Three ways of looking, each with a control that must be found out. `.ci/constant-time` runs them.

mod login;
mod statistics;

use std::hint::black_box;
use std::process::ExitCode;

use crabgrind::{callgrind, count_errors, memcheck};
use signed_session::{Keyring, Session, SessionCodec, Signer, django};
use time::OffsetDateTime;

const SECRET: &str = "of-the-timing-tests-correct-horse-battery-staple";
const SIGNATURE_LEN: usize = 43;

fn main() -> ExitCode {
    let found = match std::env::args().nth(1).as_deref() {
        Some("instructions") => instructions(),
        Some("memory") => memory(),
        Some("statistics") => statistics::run(),
        _ => Err("usage: instructions | memory | statistics".to_owned()),
    };
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// What refuses tokens.
struct Subject {
    codec: SessionCodec,
    signer: Signer,
}

impl Subject {
    fn new(secret: &[u8]) -> Self {
        let ring = Keyring::new(secret).expect("a secret");
        let signer = Signer::new(&ring, django::SESSION_SALT);
        Self { codec: SessionCodec::new(&ring), signer }
    }

    fn genuine(user_id: u32) -> String {
        let mut session = Session::new();
        session.insert("user_id", user_id).expect("a number");
        Self::new(SECRET.as_bytes()).codec.encode_at(&session, noon()).expect("a token")
    }

    /// Decodes a session.
    fn decode(&self, token: &str) -> bool {
        self.codec.decode_at(token, noon()).is_ok()
    }

    /// Proves a signature.
    fn unsign(&self, token: &str) -> bool {
        self.signer.unsign(token).is_ok()
    }

    /// Does this the wrong way: stops at the first difference.
    fn unsign_with_early_exit(&self, token: &str) -> bool {
        let Some((value, signature)) = token.rsplit_once(':') else { return false };
        let signed = self.signer.sign(value);
        let right = &signed.as_bytes()[signed.len() - SIGNATURE_LEN..];
        right.iter().zip(signature.as_bytes()).all(|(a, b)| black_box(a) == black_box(b))
    }
}

/// A function of the subject that tells whether it accepts a token, by name.
type Verifier = (&'static str, fn(&Subject, &str) -> bool);

const VERIFIERS: [Verifier; 2] = [("decode", Subject::decode), ("unsign", Subject::unsign)];
const CONTROL: Verifier = ("control", Subject::unsign_with_early_exit);

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("a moment of the calendar")
}

/// Replaces one character of the signature by another of the alphabet.
fn forged(genuine: &str, at: usize) -> String {
    let at = genuine.len() - SIGNATURE_LEN + at;
    let other = if genuine.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &genuine[..at], &genuine[at + 1..])
}

/// Records with callgrind how many instructions each refusal takes; the script compares them.
fn instructions() -> Result<(), String> {
    let subject = Subject::new(SECRET.as_bytes());
    let genuine = Subject::genuine(1000);
    for (name, accepts) in VERIFIERS.into_iter().chain([CONTROL]) {
        // What is done once in a process comes first.
        assert!(accepts(&subject, &genuine), "{name}");
        for at in 0..SIGNATURE_LEN {
            let token = forged(&genuine, at);
            // All of one length: writing it down counts too.
            let label = format!("{name} {at:02}");
            callgrind::zero_stats();
            let accepted = accepts(&subject, &token);
            callgrind::dump_stats(label.as_str());
            assert!(!accepted, "{label}");
        }
    }
    login::instructions();
    Ok(())
}

/// Reports with memcheck each branch and each address that depends on a secret.
///
/// It reports what depends on memory that nobody has written: the secret is declared to be that.
fn memory() -> Result<(), String> {
    let genuine = Subject::genuine(1000);
    let mut secret = SECRET.as_bytes().to_vec();
    // Its answer is not looked at: this release takes memcheck's "done" for a refusal. If it does
    // nothing, the control is not found out.
    let _ =
        memcheck::mark_mem(secret.as_mut_ptr().cast(), secret.len(), memcheck::MemState::Undefined);
    // Whether the secret is blank is asked here, once, and not when a token comes.
    let subject = Subject::new(&secret);

    let mut reported = Vec::new();
    for (name, accepts) in VERIFIERS.into_iter().chain([CONTROL]) {
        let tokens = (0..SIGNATURE_LEN).map(|at| forged(&genuine, at)).chain([genuine.clone()]);
        let reports = tokens.map(|token| {
            let before = count_errors();
            black_box(accepts(&subject, &token));
            count_errors() - before
        });
        let reports: Vec<_> = reports.collect();
        println!("{name}: {reports:?} reports, by the place that is wrong, and for a good token");
        reported.push(reports);
    }
    // The verdict itself, which everybody may know, is the one branch.
    let [decode, unsign, control] = &*reported else { unreachable!("three were run") };
    if decode.iter().chain(unsign).any(|reports| *reports != 1) {
        return Err("more than the verdict depends on the secret".to_owned());
    }
    if control.iter().all(|reports| *reports == 1) {
        return Err("the control was not found out".to_owned());
    }
    login::memory()
}
