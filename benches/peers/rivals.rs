//! The other Rust crates that a user would pick, each as its own documentation shows.
//!
//! Each goes from a session to text that a cookie can carry, and back.

use std::collections::HashMap;
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_session::storage::{CookieSessionStore, SessionKey, SessionStore as _};
use cookie::{Cookie, CookieJar, Key};
use django_signing::{Signer as _, TimedSigner as _};
use itsdangerous::{IntoTimestampSigner as _, TimedSerializer as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::django::SESSION_SALT;
use time::OffsetDateTime;
use tower_cookies::Cookies;
use tower_sessions_cookie_store::{CookieController as _, decode_record, encode_record};
use tower_sessions_core::session::{Id, Record};

use crate::child::Child;
use crate::race::{Lane, Race};
use support::sample::{SECRET, Sample};

/// A crate and its two functions.
pub struct Rival {
    pub name: &'static str,
    /// Whether a map of entries comes out, as with `Session`, and not a struct.
    pub is_map: bool,
    pub decode: Lane,
    pub encode: Lane,
}

const TWO_WEEKS: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const NAME: &str = "sessionid";
const DJANGO_SIGNING: &str = "django-signing";

/// Starts `django-signing` in a program of its own, where it has the zlib that its users get.
pub fn start_django_signing() -> Child {
    let package = "signed-session-peers-django-signing";
    Child::start(Command::new(env!("CARGO")).args(["bench", "--quiet", "--package", package]))
}

/// Enters `django-signing` on compressed tokens that Django made.
pub fn django_signing_compressed<S: Sample>(
    race: &mut Race,
    child: &Child,
    tokens: &[String],
) -> Rival {
    child.ask::<()>(&json!(["enter", S::NAME, S::NAME, tokens]));
    let decode = child.enter(race, "loads", S::NAME);
    let encode = child.enter(race, "dumps", S::NAME);
    Rival { name: DJANGO_SIGNING, is_map: false, decode, encode }
}

/// Enters `django-signing` on plain tokens that Django made.
pub fn django_signing_plain<S: Sample>(
    race: &mut Race,
    tokens: &[String],
    sessions: &[S],
) -> Rival {
    let signer =
        || django_signing::TimestampSigner::new(SECRET.as_bytes(), SESSION_SALT.as_bytes());
    let (reader, tokens) = (signer(), tokens.to_vec());
    let decode = race.enter(move |index| {
        let token = tokens[index].clone();
        let session = reader.unsign_object_with_age::<S>(token, time::Duration::WEEK * 2);
        black_box(session.expect("good"));
    });
    let (writer, sessions) = (signer(), sessions.to_vec());
    let encode = race.enter(move |index| {
        black_box(writer.sign_object(&sessions[index], false));
    });
    Rival { name: DJANGO_SIGNING, is_map: false, decode, encode }
}

/// Enters all whose format is their own: they read what they wrote, and nothing is compressed.
pub fn own_formats<S: Sample>(race: &mut Race, sessions: &[S]) -> Vec<Rival> {
    vec![
        itsdangerous(race, sessions),
        signed_jar(race, sessions),
        private_jar(race, sessions),
        actix_session(race, sessions),
        tower_sessions(race, sessions),
        jsonwebtoken(race, sessions),
    ]
}

/// Enters a writer, and a reader of what it wrote.
fn enter<I: 'static>(
    race: &mut Race,
    name: &'static str,
    is_map: bool,
    inputs: Vec<I>,
    write: impl Fn(&I) -> String + 'static,
    mut read: impl FnMut(&str) + 'static,
) -> Rival {
    let tokens: Vec<String> = inputs.iter().map(&write).collect();
    let decode = race.enter(move |index| read(black_box(&tokens[index])));
    let encode = race.enter(move |index| {
        black_box(write(black_box(&inputs[index])));
    });
    Rival { name, is_map, decode, encode }
}

fn itsdangerous<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let serializer = || {
        let signer = itsdangerous::default_builder(SECRET).build().into_timestamp_signer();
        itsdangerous::timed_serializer_with_signer(signer, itsdangerous::URLSafeEncoding)
    };
    let (writer, reader) = (serializer(), serializer());
    enter(
        race,
        "itsdangerous (SHA-1)",
        false,
        sessions.to_vec(),
        move |session| writer.sign(session).expect("JSON"),
        move |token| {
            let value = reader.unsign::<S>(token).expect("good");
            black_box(value.value_if_not_expired(TWO_WEEKS).expect("fresh"));
        },
    )
}

fn key() -> Key {
    // Two keys of 32 bytes, one to sign and one to encrypt.
    Key::from(&SECRET.as_bytes().repeat(2)[..64])
}

fn signed_jar<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let (writer, reader) = (key(), key());
    enter(
        race,
        "cookie SignedJar",
        false,
        sessions.to_vec(),
        move |session| {
            let mut jar = CookieJar::new();
            let json = serde_json::to_string(session).expect("JSON");
            jar.signed_mut(&writer).add(Cookie::new(NAME, json));
            // JSON has characters that no cookie may have.
            jar.get(NAME).expect("added").stripped().encoded().to_string()
        },
        move |token| {
            let mut jar = CookieJar::new();
            jar.add_original(Cookie::parse_encoded(token.to_owned()).expect("a cookie"));
            let cookie = jar.signed(&reader).get(NAME).expect("good");
            black_box(serde_json::from_str::<S>(cookie.value()).expect("JSON"));
        },
    )
}

fn private_jar<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let (writer, reader) = (key(), key());
    enter(
        race,
        "cookie PrivateJar",
        false,
        sessions.to_vec(),
        move |session| {
            let mut jar = CookieJar::new();
            let json = serde_json::to_string(session).expect("JSON");
            jar.private_mut(&writer).add(Cookie::new(NAME, json));
            jar.get(NAME).expect("added").value().to_owned()
        },
        move |token| {
            let mut jar = CookieJar::new();
            jar.add_original(Cookie::new(NAME, token.to_owned()));
            let cookie = jar.private(&reader).get(NAME).expect("good");
            black_box(serde_json::from_str::<S>(cookie.value()).expect("JSON"));
        },
    )
}

/// Returns each session's entries.
fn entries<S: Sample>(sessions: &[S]) -> Vec<HashMap<String, Value>> {
    let entries = |session| serde_json::from_value(serde_json::to_value(session)?);
    let entries = sessions.iter().map(entries).collect::<Result<_, serde_json::Error>>();
    entries.expect("an object")
}

/// Enters what actix-session's middleware does with a signed cookie, with its store and its jar.
fn actix_session<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let sessions = entries(sessions);
    // It keeps each entry as a text of JSON.
    let states: Vec<HashMap<String, String>> = sessions
        .into_iter()
        .map(|session| session.into_iter().map(|(name, value)| (name, value.to_string())).collect())
        .collect();
    let (writer, reader) = (key(), key());
    enter(
        race,
        "actix-session, signed cookie",
        true,
        states,
        move |state| {
            // The store takes the state that the requests filled; this clone stands for the filling.
            let store = CookieSessionStore::default();
            let saved = now(store.save(state.clone(), &time::Duration::WEEK)).expect("fits");
            let mut jar = CookieJar::new();
            jar.signed_mut(&writer).add(Cookie::new(NAME, String::from(saved)));
            jar.delta().next().expect("added").stripped().encoded().to_string()
        },
        move |token| {
            let mut jar = CookieJar::new();
            jar.add_original(Cookie::parse_encoded(token.to_owned()).expect("a cookie"));
            let cookie = jar.signed(&reader).get(NAME).expect("good");
            let key = SessionKey::try_from(cookie.value().to_owned()).expect("fits");
            let store = CookieSessionStore::default();
            let state = now(store.load(&key)).expect("JSON").expect("a state");
            for name in S::READ {
                black_box(serde_json::from_str::<String>(&state[name]).expect("a text"));
            }
        },
    )
}

/// Returns the result of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a cookie store never waits"),
    }
}

fn tower_sessions<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let sessions = entries(sessions);
    let expiry_date = OffsetDateTime::now_utc() + TWO_WEEKS;
    let records: Vec<Record> = sessions
        .into_iter()
        .zip(1..)
        .map(|(data, id)| Record { id: Id(id), data, expiry_date })
        .collect();
    let controller = || {
        let key = tower_sessions_cookie_store::Key::from(key().master());
        tower_sessions_cookie_store::SignedCookie::new(key)
    };
    let (writer, reader) = (controller(), controller());
    enter(
        race,
        "tower-sessions-cookie-store",
        true,
        records,
        move |record| {
            let cookies = Cookies::default();
            let value = encode_record(record).expect("JSON");
            writer.add(&cookies, Cookie::new(NAME, value));
            cookies.get(NAME).expect("added").value().to_owned()
        },
        move |token| {
            let cookies = Cookies::default();
            cookies.add(Cookie::new(NAME, token.to_owned()));
            let cookie = reader.get(&cookies, NAME).expect("good");
            let mut record = decode_record(cookie.value()).expect("a record");
            for name in S::READ {
                let value = record.data.remove(name).expect("an entry");
                black_box(serde_json::from_value::<String>(value).expect("a text"));
            }
        },
    )
}

/// What a JWT says: a session, and when it ends.
#[derive(Deserialize, Serialize)]
struct Claims<S> {
    exp: i64,
    session: S,
}

fn jsonwebtoken<S: Sample>(race: &mut Race, sessions: &[S]) -> Rival {
    let exp = (OffsetDateTime::now_utc() + TWO_WEEKS).unix_timestamp();
    let claims: Vec<Claims<S>> =
        sessions.iter().map(|session| Claims { exp, session: session.clone() }).collect();
    let (writer, header) = (EncodingKey::from_secret(SECRET.as_bytes()), Header::default());
    let reader = DecodingKey::from_secret(SECRET.as_bytes());
    let validation = Validation::new(Algorithm::HS256);
    enter(
        race,
        "jsonwebtoken, HS256",
        false,
        claims,
        move |claims| jsonwebtoken::encode(&header, claims, &writer).expect("JSON"),
        move |token| {
            let claims = jsonwebtoken::decode::<Claims<S>>(token, &reader, &validation);
            black_box(claims.expect("good").claims.session);
        },
    )
}
