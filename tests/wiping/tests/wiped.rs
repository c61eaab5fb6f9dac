//! Secrets, and what is derived from them, are wiped whichever way they came in.

use std::fmt::Write as _;
use std::hint::black_box;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use signed_session::django::{AuthUser, DjangoSettings, MessageStorage, SignedCookie};
use signed_session::{
    Algorithm, CookieOptions, Keyring, Session, SessionCodec, SessionManager, Signer,
    TimestampSigner,
};
#[cfg(target_os = "linux")]
use signed_session_wiping_tests::in_process;
use signed_session_wiping_tests::{Needle, Searching, freed};

#[global_allocator]
static ALLOCATOR: Searching = Searching;

const LEN: usize = 48;

/// A secret that nothing else in the process has: created again, character by character.
#[derive(Clone, Copy)]
struct Secret {
    seed: u64,
    /// Whether its first and last characters need an escape in JSON, or more than a byte.
    is_odd: bool,
}

impl Secret {
    fn characters(self) -> impl Iterator<Item = char> {
        let mut state = self.seed;
        (0..LEN).map(move |at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040);
            match at {
                0 if self.is_odd => '"',
                _ if self.is_odd && at == LEN - 1 => 'é',
                _ => char::from(b'a' + (state >> 33) as u8 % 26),
            }
        })
    }

    /// All but its first and last characters, as bytes and as hexadecimal digits.
    fn needles(self) -> [Needle; 2] {
        let inner = || self.characters().skip(1).take(LEN - 2).map(|c| c as u8);
        let hex =
            |byte: u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[digit as usize]);
        [Needle::new(inner()), Needle::new(inner().flat_map(hex))]
    }

    fn text(self) -> Text {
        Text::new(|out| out.extend(self.characters()))
    }

    fn json(self, spelling: Spelling) -> Text {
        Text::new(|out| self.write(out, spelling))
    }

    fn write(self, out: &mut String, spelling: Spelling) {
        out.push_str(if matches!(spelling, Spelling::Hex) { "{\"hex\":\"" } else { "\"" });
        for (at, c) in self.characters().enumerate() {
            let is_escaped = match spelling {
                Spelling::Plain => c == '"',
                Spelling::EscapedFirst => at == 0,
                Spelling::EscapedLast => at == LEN - 1 || c == '"',
                Spelling::Escaped => true,
                Spelling::Hex => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        write!(out, "{byte:02x}").unwrap();
                    }
                    continue;
                }
            };
            if is_escaped {
                write!(out, "\\u{:04x}", u32::from(c)).unwrap();
            } else {
                out.push(c);
            }
        }
        out.push_str(if matches!(spelling, Spelling::Hex) { "\"}" } else { "\"" });
    }

    /// What a signer's key is, with this salt: SHA-256, alone and as an HMAC pads it.
    fn derived(self, salt: &[u8]) -> [Needle; 3] {
        #[inline(never)]
        fn derive(secret: Secret, salt: &[u8], pad: u8) -> Needle {
            let mut hash = Sha256::new();
            hash.update(salt);
            secret.characters().for_each(|c| hash.update([c as u8]));
            Needle::new(hash.finalize().into_iter().map(move |byte| byte ^ pad))
        }

        /// What the test itself has left on its stack is not to be found.
        #[inline(never)]
        fn scrub() {
            let mut stack = [0_u8; 64 * 1024];
            black_box(&mut stack);
        }

        [0, 0x36, 0x5C].map(|pad| {
            let needle = derive(self, salt, pad);
            scrub();
            needle
        })
    }
}

/// How a secret is written in JSON.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Plain,
    EscapedFirst,
    EscapedLast,
    Escaped,
    Hex,
}

const SPELLINGS: [Spelling; 5] = [
    Spelling::Plain,
    Spelling::EscapedFirst,
    Spelling::EscapedLast,
    Spelling::Escaped,
    Spelling::Hex,
];

/// The caller's own text, which the caller wipes.
struct Text(String);

impl Text {
    fn new(write: impl FnOnce(&mut String)) -> Self {
        let mut text = String::with_capacity(4096);
        write(&mut text);
        // It has not grown.
        assert_eq!(text.capacity(), 4096);
        Self(text)
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.iter_mut().for_each(|byte| *byte = black_box(0));
        black_box(&bytes);
    }
}

/// A way to derive keys from a ring, by name.
type Use = (&'static str, fn(&Keyring));

/// All that there are; each wipes what another may have left, so that each is tried alone, too.
const USES: [Use; 11] = [
    ("weaknesses", |ring| drop(black_box(ring.clone().weaknesses()))),
    // No more than a key: to sign with it would take the place of what is left behind.
    ("only SHA-256", |ring| drop(black_box(Signer::new(ring, "wiping")))),
    ("only SHA-384", |ring| {
        drop(black_box(Signer::new(ring, "wiping").algorithm(Algorithm::Sha384)));
    }),
    ("only SHA-512", |ring| {
        drop(black_box(Signer::new(ring, "wiping").algorithm(Algorithm::Sha512)));
    }),
    ("only a hash", |ring| drop(black_box(AuthUser::new(ring, 1, "backend", "password")))),
    ("SHA-256", |ring| sign(Signer::new(ring, "wiping"))),
    ("SHA-384", |ring| sign(Signer::new(ring, "wiping").algorithm(Algorithm::Sha384))),
    ("SHA-512", |ring| sign(Signer::new(ring, "wiping").algorithm(Algorithm::Sha512))),
    ("cookies", |ring| {
        let options = || CookieOptions::new("sessionid").unwrap();
        black_box(SignedCookie::new(ring, options(), "x").cookie("x").unwrap());
        black_box(MessageStorage::fallback(ring, options()));
    }),
    ("a login", |ring| {
        black_box(AuthUser::new(ring, 1, "backend", "password").verify(ring, "password"));
    }),
    ("sessions", |ring| {
        black_box(TimestampSigner::new(ring, "wiping").sign("x"));
        let options = CookieOptions::new("sessionid").unwrap();
        let manager = SessionManager::new(SessionCodec::new(ring).salt("wiping"), options);
        let mut session = Session::new();
        session.insert("x", 1).unwrap();
        let _ = black_box(manager.clone().commit(&session, 200).unwrap());
    }),
];

fn sign(signer: Signer) {
    let signed = signer.clone().sign("x");
    assert_eq!(signer.unsign(&signed), Ok("x"));
}

fn use_ring(ring: &Keyring) {
    USES.iter().for_each(|(_, using)| using(ring));
}

/// Every way in which a program hands over a secret, and a fallback.
fn ways_in(secret: Secret, old: Secret) -> Vec<(String, Box<dyn Fn() + Send + Sync>)> {
    let mut ways: Vec<(String, Box<dyn Fn() + Send + Sync>)> = Vec::new();
    ways.push((
        "Keyring".into(),
        Box::new(move || {
            let (secret, old) = (secret.text(), old.text());
            use_ring(&Keyring::new(&secret.0).unwrap().fallback(&old.0).unwrap());
        }),
    ));
    ways.push((
        "DjangoSettings".into(),
        Box::new(move || {
            let (secret, old) = (secret.text(), old.text());
            let settings = DjangoSettings::new(&secret.0).unwrap();
            use_ring(settings.set("SECRET_KEY_FALLBACKS", [&old.0]).unwrap().keyring());
        }),
    ));
    ways.push((
        "set".into(),
        Box::new(move || {
            let (secret, old) = (secret.text(), old.text());
            let settings = DjangoSettings::new("another-secret").unwrap();
            let settings = settings.set("SECRET_KEY", &secret.0).unwrap();
            use_ring(settings.set("SECRET_KEY_FALLBACKS", ["x", &old.0]).unwrap().keyring());
        }),
    ));
    ways.push((
        "set, in hexadecimal".into(),
        Box::new(move || {
            #[derive(Serialize)]
            struct Hex<'a> {
                hex: &'a str,
            }
            let (secret, old) = (secret.json(Spelling::Hex), old.json(Spelling::Hex));
            fn hex(text: &Text) -> Hex<'_> {
                Hex { hex: &text.0["{\"hex\":\"".len()..text.0.len() - 2] }
            }
            let settings = DjangoSettings::new("another-secret").unwrap();
            let settings = settings.set("SECRET_KEY", hex(&secret)).unwrap();
            use_ring(settings.set("SECRET_KEY_FALLBACKS", [hex(&old)]).unwrap().keyring());
        }),
    ));
    ways.push((
        "set, refused".into(),
        Box::new(move || {
            let text = secret.text();
            let settings = DjangoSettings::new("another-secret").unwrap();
            assert!(settings.clone().set("SECRET_KEY", [&text.0]).is_err());
            assert!(settings.set("SECRET_KEY_FALLBACKS", &text.0).is_err());
        }),
    ));
    for spelling in SPELLINGS {
        ways.push((
            format!("from_json, {spelling:?}"),
            Box::new(move || {
                let text = Text::new(|out| {
                    out.push_str("{\"A\": 1, \"SECRET_KEY\": ");
                    secret.write(out, spelling);
                    out.push_str(", \"SECRET_KEY_FALLBACKS\": [ ");
                    old.write(out, spelling);
                    out.push_str(" ] }");
                });
                use_ring(DjangoSettings::from_json(&text.0).unwrap().keyring());
                // Nor where it is refused.
                let cut = &text.0[..text.0.len() - 3];
                assert!(DjangoSettings::from_json(cut).is_err());
            }),
        ));
    }
    ways
}

#[test]
fn no_memory_is_freed_that_has_a_secret_in_it() {
    for is_odd in [false, true] {
        let (secret, old) = (Secret { seed: 1, is_odd }, Secret { seed: 2, is_odd });
        for (name, way) in ways_in(secret, old) {
            way();
            for needle in secret.needles().into_iter().chain(old.needles()) {
                assert_eq!(freed(&needle, &way), 0, "{name}, odd: {is_odd}");
            }
            for needle in secret.derived(b"wipingsigner") {
                assert_eq!(freed(&needle, &way), 0, "{name}, derived");
            }
        }
    }
}

#[test]
fn the_allocator_finds_what_is_freed_unwiped() {
    let secret = Secret { seed: 3, is_odd: false };
    let [needle, hex] = secret.needles();
    assert_eq!(freed(&needle, || drop(secret.characters().collect::<String>())), 1);
    // A vector that grows, as one does that a secret is pushed to.
    let grow = || {
        let mut text = secret.text().0.clone();
        text.reserve(1000);
        text.clear();
        text.extend(std::iter::repeat_n('x', 1000));
    };
    assert!(freed(&needle, grow) >= 1);
    assert_eq!(freed(&hex, || drop(secret.json(Spelling::Hex).0.clone())), 1);
    assert_eq!(freed(&needle, || drop(secret.text())), 0);
}

/// Runs a function far down the stack of a thread, and counts needles while that still stands.
#[cfg(target_os = "linux")]
fn remains(needles: &[Needle], function: impl FnOnce() + Send) -> Vec<usize> {
    use std::sync::mpsc;
    use std::thread;

    #[inline(never)]
    fn far_down(function: impl FnOnce()) {
        let room = [0_u8; 32 * 1024];
        black_box(&room);
        call(function);
        black_box(&room);
    }

    // A frame of its own, or it could lie above the room.
    #[inline(never)]
    fn call(function: impl FnOnce()) {
        function();
    }

    let (done, is_done) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            far_down(function);
            done.send(()).unwrap();
            may_go.recv().unwrap();
        });
        is_done.recv().unwrap();
        let counts = in_process(needles);
        go.send(()).unwrap();
        counts
    })
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_secret_remains_in_the_process() {
    for (seed, is_odd) in [(10, false), (12, true)] {
        let (secret, old) = (Secret { seed, is_odd }, Secret { seed: seed + 1, is_odd });
        let mut needles: Vec<Needle> = Vec::new();
        for secret in [secret, old] {
            needles.extend(secret.needles());
            if !is_odd {
                needles.extend(secret.derived(b"wipingsigner"));
            }
        }
        for (name, way) in ways_in(secret, old) {
            let counts = remains(&needles, way);
            assert!(counts.iter().all(|count| *count == 0), "{name}, odd: {is_odd}: {counts:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_way_to_derive_a_key_leaves_anything_on_the_stack() {
    let secret = Secret { seed: 40, is_odd: false };
    const LOGIN: &[u8] = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";
    let mut needles = secret.needles().to_vec();
    needles.extend(secret.derived(b"wipingsigner"));
    needles.extend(secret.derived(LOGIN));
    for (name, using) in USES {
        let counts = remains(&needles, || {
            let ring = Keyring::new(&secret.text().0).unwrap();
            using(&ring);
        });
        assert!(counts.iter().all(|count| *count == 0), "{name}: {counts:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_scan_finds_what_remains_on_the_heap_and_on_the_stack() {
    let secret = Secret { seed: 20, is_odd: false };
    let needles = [secret.needles(), secret.needles()].concat();
    assert_eq!(in_process(&needles), [0; 4]);
    let kept = secret.text();
    assert_eq!(in_process(&needles)[0], 1);
    drop(kept);
    let on_the_stack = || {
        let mut bytes = [0_u8; LEN];
        bytes.iter_mut().zip(secret.characters()).for_each(|(to, c)| *to = c as u8);
        black_box(&bytes);
    };
    assert!(remains(&needles, on_the_stack)[0] >= 1);
    // A ring that is alive has its secret once, and its signers have no other.
    let ring = Keyring::new(&secret.text().0).unwrap();
    let signer = Signer::new(&ring, "wiping");
    assert_eq!(in_process(&needles)[0], 1);
    drop((ring, signer));
    assert_eq!(in_process(&needles), [0; 4]);
}
