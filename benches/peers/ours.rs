//! This crate, as a program uses it.

use std::hint::black_box;
use std::time::Duration;

use signed_session::{Compress, Keyring, Session, SessionCodec, TimestampSigner, django};
use time::OffsetDateTime;

use crate::race::{Lane, Race};
use support::sample::{self, Auth, COUNT, Sample};

/// Everything is timed at one moment, for the parts ask no clock; `*_by_clock` does, as the peers do.
pub struct Ours {
    pub verify: Lane,
    pub decode_typed: Lane,
    pub decode_session: Lane,
    pub encode_typed: Lane,
    pub encode_session: Lane,
    pub decode_typed_by_clock: Lane,
    pub decode_session_by_clock: Lane,
    pub encode_typed_by_clock: Lane,
    pub encode_session_by_clock: Lane,
}

fn ring() -> Keyring {
    Keyring::new(sample::SECRET).expect("not empty")
}

pub fn codec(compress: Compress) -> SessionCodec {
    SessionCodec::new(&ring()).compress(compress)
}

pub fn signer() -> TimestampSigner {
    TimestampSigner::new(&ring(), django::SESSION_SALT)
}

/// Reads three entries, as a handler would.
pub fn read<S: Sample>(session: &Session) {
    for key in S::READ {
        black_box(session.get::<String>(key).expect("a text"));
    }
}

/// Returns the tokens of these sessions.
pub fn tokens<S: Sample>(sessions: &[S], compress: Compress, now: OffsetDateTime) -> Vec<String> {
    let codec = codec(compress);
    sessions.iter().map(|session| codec.encode_as_at(session, now).expect("fits")).collect()
}

impl Ours {
    pub fn enter<S: Sample>(
        race: &mut Race,
        tokens: &[String],
        sessions: &[S],
        compress: Compress,
        now: OffsetDateTime,
    ) -> Self {
        const TWO_WEEKS: Option<Duration> = Some(Duration::from_secs(14 * 24 * 60 * 60));
        let typed = || sessions.to_vec();
        let untyped = || -> Vec<Session> {
            let codec = codec(compress);
            tokens.iter().map(|token| codec.decode_at(token, now).expect("good")).collect()
        };
        macro_rules! enter {
            ($with:expr, $inputs:expr, |$tool:ident, $input:ident| $do:expr) => {{
                let ($tool, inputs) = ($with, $inputs);
                race.enter(move |index| {
                    let $input = black_box(&inputs[index]);
                    $do;
                })
            }};
        }
        Self {
            verify: enter!(signer(), tokens.to_vec(), |signer, token| {
                black_box(signer.unsign_at(token, TWO_WEEKS, now).expect("good"));
            }),
            decode_typed: enter!(codec(compress), tokens.to_vec(), |codec, token| {
                black_box(codec.decode_as_at::<S>(token, now).expect("good"));
            }),
            decode_session: enter!(codec(compress), tokens.to_vec(), |codec, token| {
                read::<S>(&codec.decode_at(token, now).expect("good"));
            }),
            encode_typed: enter!(codec(compress), typed(), |codec, session| {
                black_box(codec.encode_as_at(session, now).expect("fits"));
            }),
            encode_session: enter!(codec(compress), untyped(), |codec, session| {
                black_box(codec.encode_at(session, now).expect("fits"));
            }),
            decode_typed_by_clock: enter!(codec(compress), tokens.to_vec(), |codec, token| {
                black_box(codec.decode_as::<S>(token).expect("good"));
            }),
            decode_session_by_clock: enter!(codec(compress), tokens.to_vec(), |codec, token| {
                read::<S>(&codec.decode(token).expect("good"));
            }),
            encode_typed_by_clock: enter!(codec(compress), typed(), |codec, session| {
                black_box(codec.encode_as(session).expect("fits"));
            }),
            encode_session_by_clock: enter!(codec(compress), untyped(), |codec, session| {
                black_box(codec.encode(session).expect("fits"));
            }),
        }
    }
}

/// Tokens of 4,096 bytes that somebody else signed.
pub fn forged(now: OffsetDateTime) -> Vec<String> {
    let forger = Keyring::new("example-only-of-somebody-else").expect("not empty");
    let forger = TimestampSigner::new(&forger, django::SESSION_SALT);
    let tokens: Vec<String> =
        (0..COUNT).map(|index| forger.sign_at(&format!("{index:04045}"), now)).collect();
    assert!(tokens.iter().all(|token| token.len() == 4096));
    tokens
}

/// Enters the refusal of tokens.
pub fn enter_refusal(race: &mut Race, tokens: Vec<String>, now: OffsetDateTime) -> Lane {
    let codec = codec(Compress::Never);
    race.enter(move |index| {
        black_box(codec.decode_at(black_box(&tokens[index]), now).expect_err("bad"));
    })
}

/// Enters the refusal of garbage of about this length.
pub fn enter_oversized(race: &mut Race, len: usize, now: OffsetDateTime) -> Lane {
    let codec = codec(Compress::Never);
    let garbage = "x".repeat(len + COUNT);
    race.enter(move |index| {
        black_box(codec.decode_at(black_box(&garbage[index..]), now).expect_err("too long"));
    })
}

/// Enters the verifying of `auth` tokens under the n-th of eight secrets.
pub fn enter_rotation(race: &mut Race, nth: usize, now: OffsetDateTime) -> Lane {
    let secret = |index| format!("example-only-secret-number-{index}");
    let ring = Keyring::new(secret(1)).expect("not empty");
    let ring = (2..=8).fold(ring, |ring, index| ring.fallback(secret(index)).expect("not empty"));
    let signer = TimestampSigner::new(&ring, django::SESSION_SALT);
    let codec = SessionCodec::new(&Keyring::new(secret(nth)).expect("not empty"));
    let codec = codec.compress(Compress::Never);
    let tokens: Vec<String> =
        Auth::all().iter().map(|auth| codec.encode_as_at(auth, now).expect("fits")).collect();
    race.enter(move |index| {
        let stamped = signer.unsign_at(black_box(&tokens[index]), None, now).expect("good");
        assert_eq!(black_box(stamped).key_index, nth - 1);
    })
}
