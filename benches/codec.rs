//! Measures what a request costs: `cargo bench`.

use std::hint::black_box;
use std::iter::Cycle;
use std::slice::Iter;

use divan::Bencher;
use signed_session::{Compress, Keyring, Session, SessionCodec, TimestampSigner, django};
use support::sample::{self, Auth, COUNT, K1, K3, Sample, Tiny};
use time::OffsetDateTime;

fn main() {
    divan::main();
}

const FORMS: [Compress; 2] = [Compress::Never, Compress::IfShorter];

fn ring() -> Keyring {
    Keyring::new(sample::SECRET).expect("not empty")
}

fn codec(compress: Compress) -> SessionCodec {
    SessionCodec::new(&ring()).compress(compress)
}

fn tokens<S: Sample>(compress: Compress, now: OffsetDateTime) -> Vec<String> {
    let codec = codec(compress);
    S::all().iter().map(|session| codec.encode_as_at(session, now).expect("fits")).collect()
}

/// Measures a function on each input in turn.
fn rotate<I>(bencher: Bencher, inputs: &[I], mut function: impl FnMut(&I)) {
    let mut inputs: Cycle<Iter<I>> = inputs.iter().cycle();
    bencher.bench_local(move || function(black_box(inputs.next().expect("a cycle"))));
}

#[divan::bench(types = [Tiny, Auth, K1, K3], args = FORMS)]
fn verify<S: Sample>(bencher: Bencher, compress: Compress) {
    let now = OffsetDateTime::now_utc();
    let signer = TimestampSigner::new(&ring(), django::SESSION_SALT);
    rotate(bencher, &tokens::<S>(compress, now), |token| {
        black_box(signer.unsign_at(token, None, now).expect("good"));
    });
}

#[divan::bench(types = [Tiny, Auth, K1, K3], args = FORMS)]
fn decode_typed<S: Sample>(bencher: Bencher, compress: Compress) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(compress);
    rotate(bencher, &tokens::<S>(compress, now), |token| {
        black_box(codec.decode_as_at::<S>(token, now).expect("good"));
    });
}

/// Reads three entries, as a handler would.
fn read<S: Sample>(session: &Session) {
    for key in S::READ {
        black_box(session.get::<String>(key).expect("a text"));
    }
}

#[divan::bench(types = [Tiny, Auth, K1, K3], args = FORMS)]
fn decode_session_and_get_three<S: Sample>(bencher: Bencher, compress: Compress) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(compress);
    rotate(bencher, &tokens::<S>(compress, now), |token| {
        read::<S>(&codec.decode_at(token, now).expect("good"));
    });
}

#[divan::bench(types = [Tiny, Auth, K1, K3], args = [Compress::Never, Compress::IfShorter, Compress::Above(1024)])]
fn encode_typed<S: Sample>(bencher: Bencher, compress: Compress) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(compress);
    rotate(bencher, &S::all(), |session| {
        black_box(codec.encode_as_at(session, now).expect("fits"));
    });
}

#[divan::bench(types = [Tiny, Auth, K1, K3], args = FORMS)]
fn encode_session<S: Sample>(bencher: Bencher, compress: Compress) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(compress);
    let sessions: Vec<Session> = tokens::<S>(compress, now)
        .iter()
        .map(|token| codec.decode_at(token, now).expect("good"))
        .collect();
    rotate(bencher, &sessions, |session| {
        black_box(codec.encode_at(session, now).expect("fits"));
    });
}

#[divan::bench]
fn refuse_forged_4_kb(bencher: Bencher) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(Compress::Never);
    let forger = Keyring::new("example-only-of-somebody-else").expect("not empty");
    let forger = TimestampSigner::new(&forger, django::SESSION_SALT);
    let tokens: Vec<String> =
        (0..COUNT).map(|index| forger.sign_at(&format!("{index:04045}"), now)).collect();
    assert!(tokens.iter().all(|token| token.len() == 4096));
    rotate(bencher, &tokens, |token| {
        black_box(codec.decode_at(token, now).expect_err("forged"));
    });
}

#[divan::bench(args = [5_000, 1_000_000])]
fn refuse_oversized(bencher: Bencher, len: usize) {
    let now = OffsetDateTime::now_utc();
    let codec = codec(Compress::Never);
    let garbage = "x".repeat(len + COUNT);
    let tokens: Vec<&str> = (0..COUNT).map(|index| &garbage[..len + index]).collect();
    rotate(bencher, &tokens, |token| {
        black_box(codec.decode_at(token, now).expect_err("too long"));
    });
}

/// A token under the n-th of eight secrets.
#[divan::bench(args = 1..=8)]
fn rotation(bencher: Bencher, nth: usize) {
    let now = OffsetDateTime::now_utc();
    let eight =
        (2..=8).fold(ring(), |ring, index| ring.fallback(secret(index)).expect("not empty"));
    let signer = TimestampSigner::new(&eight, django::SESSION_SALT);
    let nth = if nth == 1 { ring() } else { Keyring::new(secret(nth)).expect("not empty") };
    let codec = SessionCodec::new(&nth).compress(Compress::Never);
    let tokens: Vec<String> =
        Auth::all().iter().map(|auth| codec.encode_as_at(auth, now).expect("fits")).collect();
    rotate(bencher, &tokens, |token| {
        black_box(signer.unsign_at(token, None, now).expect("good"));
    });
}

fn secret(index: usize) -> String {
    format!("example-only-secret-number-{index}")
}
