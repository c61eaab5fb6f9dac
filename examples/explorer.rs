//! Shows you your own session cookie, and what the server makes of it when you change or break it.
//!
//! ```sh
//! cargo run --features axum --example explorer         # any free port
//! cargo run --features axum --example explorer 8000
//! ```
//!
//! axum only carries the requests. The session takes two functions, in any
//! framework: `SessionManager::load` before the answer is made, `commit` after.
//! Most programs have the `SessionLayer` call them; here the keys change while
//! the server runs, and an error of `commit` is to be shown on the page.

use std::collections::VecDeque;
use std::error::Error;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use signed_session::{
    CookieOptions, Expiry, Keyring, Revocations, Session, SessionCodec, SessionManager,
};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio::net::TcpListener;

// The path, for cargo would take `examples/page.rs` for an example of its own.
#[path = "explorer/page.rs"]
mod page;

/// Cookies are shared by all ports of a host: Django's own name, `sessionid`, may be in use there.
const COOKIE_NAME: &str = "explorer_session";

/// Names the copy that a visitor had stolen; the copy itself would be too large beside its original.
const COPY_COOKIE_NAME: &str = "explorer_copy";

/// The entry that says who is logged in: whose sessions can be ended everywhere.
const USER_KEY: &str = "user";

/// The entry that a login can keep.
const CART_KEY: &str = "cart";

/// How long a session lasts unless it says otherwise.
const COOKIE_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How many keys are kept: the one that signs, and its predecessors.
const MAX_KEYS: usize = 4;

/// How many notes wait for the page that shows them.
const MAX_NOTES: usize = 64;

/// How many stolen copies are kept, of all visitors together.
const MAX_COPIES: usize = 64;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| "the argument is a port, such as 8000")?,
        None => 0,
    };
    let explorer = Arc::new(Mutex::new(Explorer::new()?));
    let app = Router::new()
        .route("/", get(show).post(act))
        .route("/style.css", get(|| asset("text/css", include_str!("explorer/style.css"))))
        .route("/tick.js", get(|| asset("text/javascript", include_str!("explorer/tick.js"))))
        .with_state(explorer);

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("the signing key was made just now from the system's random source");
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    Ok(axum::serve(listener, app).await?)
}

async fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, media_type)], text)
}

/// What the server remembers: its keys, which sessions were ended, and nothing of its visitors but
/// notes on their way and the copies that they had stolen.
struct Explorer {
    keys: Vec<Key>,
    options: CookieOptions,
    copy_options: CookieOptions,
    revocations: Revocations,
    manager: SessionManager,
    notes: VecDeque<(String, Note)>,
    copies: VecDeque<(String, String)>,
}

type Shared = State<Arc<Mutex<Explorer>>>;

/// A key, and since when it exists.
struct Key {
    secret: [u8; 32],
    made_at: OffsetDateTime,
}

/// What the next page tells of the form that was sent.
///
/// The next page is another request, and a `Set-Cookie` line is too large for a
/// second cookie: so the note waits here, under a name that nobody can guess.
struct Note {
    text: String,
    is_error: bool,
    headers: Headers,
    /// Which of the three steps for a first visit this was.
    step: Option<Step>,
    /// What was changed behind the visitor's back.
    tampered: Option<Tampered>,
}

/// The character of a payload that was changed.
struct Tampered {
    /// Where it is, in characters.
    at: usize,
    was: char,
    is: char,
}

/// What an answer carries on behalf of the session.
type Headers = Vec<(&'static str, String)>;

impl Explorer {
    fn new() -> Result<Self, Failure> {
        // Not every browser keeps a `Secure` cookie that came over http, even from its own machine.
        let options = CookieOptions::new(COOKIE_NAME)?.secure(false);
        let copy_options = CookieOptions::new(COPY_COOKIE_NAME)?.secure(false);
        let keys = vec![Key::random()?];
        let revocations = Revocations::new(COOKIE_AGE);
        let manager = manager(&keys, &options, &revocations)?;
        Ok(Self {
            keys,
            options,
            copy_options,
            revocations,
            manager,
            notes: VecDeque::new(),
            copies: VecDeque::new(),
        })
    }

    /// Puts a new key in front. The former ones still verify what they signed.
    fn rotate(&mut self) -> Result<(), Failure> {
        self.keys.insert(0, Key::random()?);
        self.keys.truncate(MAX_KEYS);
        self.manager = manager(&self.keys, &self.options, &self.revocations)?;
        Ok(())
    }

    /// Forgets all keys but the first, and with them every session that they signed.
    fn drop_fallbacks(&mut self) -> Result<(), Failure> {
        self.keys.truncate(1);
        self.manager = manager(&self.keys, &self.options, &self.revocations)?;
        Ok(())
    }

    /// Returns the token in the request, to show it as it came.
    fn token<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        find(&self.options, headers)
    }

    /// Returns the copy that this visitor had stolen.
    fn copy(&self, headers: &HeaderMap) -> Option<&str> {
        let name = find(&self.copy_options, headers)?;
        self.copies.iter().find(|(kept, _)| kept == name).map(|(_, token)| token.as_str())
    }

    /// Keeps a copy of the visitor's token, as a thief would.
    fn steal(&mut self, token: Option<&str>) -> Result<Note, Failure> {
        let Some(token) = token else {
            return Ok(note("There is no cookie to copy: add an entry first.", vec![]));
        };
        let name = hex(&random::<16>()?);
        let cookie = self.copy_options.cookie(&name, None, OffsetDateTime::now_utc())?;
        self.copies.push_back((name, token.to_owned()));
        if self.copies.len() > MAX_COPIES {
            self.copies.pop_front();
        }
        let text = "Somebody has a copy of your cookie now. Yours was not touched.";
        Ok(note(text, set_cookie(cookie.to_string())))
    }

    /// Forgets the copy.
    fn discard(&mut self, headers: &HeaderMap) -> Note {
        let name = find(&self.copy_options, headers).unwrap_or_default();
        self.copies.retain(|(kept, _)| kept != name);
        note("The copy is thrown away.", set_cookie(self.copy_options.removal().to_string()))
    }

    /// Does one of the steps for a first visit.
    fn guide(&mut self, step: Step, headers: &HeaderMap) -> Result<Note, Failure> {
        if step == Step::Tamper {
            return tamper(self, self.token(headers));
        }
        let mut session = self.manager.load(headers.get_all(COOKIE));
        // Nothing is left of the cart that was tampered with: what rotates is to have signed one.
        let is_lost = session.signed_at().is_none();
        if step == Step::Fill || is_lost {
            session.insert(CART_KEY, ["apples", "bread"])?;
        }
        let reply = self.manager.commit(&session, StatusCode::SEE_OTHER.as_u16())?;
        let text = match step {
            Step::Rotate => {
                self.rotate()?;
                if is_lost {
                    "The cart was filled and signed again. Then a new key was made, which signs \
                     from now on."
                } else {
                    "A new key signs from now on. Your cookie was not touched."
                }
            }
            _ => "The cart is filled: the server signed it, and your browser holds it.",
        };
        Ok(note(text, reply.headers([])))
    }

    fn keep(&mut self, note: Note) -> Result<String, Failure> {
        let name = hex(&random::<16>()?);
        self.notes.push_back((name.clone(), note));
        if self.notes.len() > MAX_NOTES {
            self.notes.pop_front();
        }
        Ok(name)
    }

    fn take(&mut self, name: &str) -> Option<Note> {
        let index = self.notes.iter().position(|(kept, _)| kept == name)?;
        self.notes.remove(index).map(|(_, note)| note)
    }
}

impl Key {
    fn random() -> Result<Self, Failure> {
        Ok(Self { secret: random()?, made_at: OffsetDateTime::now_utc() })
    }
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Creates the key ring: the first key signs, all verify.
fn ring(keys: &[Key]) -> Result<Keyring, Failure> {
    let (first, rest) = keys.split_first().ok_or("there is always a key")?;
    let ring = Keyring::new(first.secret)?;
    Ok(rest.iter().try_fold(ring, |ring, key| ring.fallback(key.secret))?)
}

/// Creates a manager for these keys. What was ended stays ended when the keys change.
fn manager(
    keys: &[Key],
    options: &CookieOptions,
    revocations: &Revocations,
) -> Result<SessionManager, Failure> {
    let codec = SessionCodec::new(&ring(keys)?).max_age(COOKIE_AGE);
    Ok(SessionManager::new(codec, options.clone()).revocations(revocations.clone(), USER_KEY))
}

/// Returns the last value of a cookie in the request.
fn find<'h>(options: &CookieOptions, headers: &'h HeaderMap) -> Option<&'h str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    texts.flat_map(|header| options.find(header)).last()
}

/// `GET /`: reads the session and shows it. The note's name, if any, is the query.
async fn show(State(explorer): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Oops> {
    let mut explorer = explorer.lock().unwrap_or_else(PoisonError::into_inner);
    let note = uri.query().and_then(|name| explorer.take(name));

    let session = explorer.manager.load(headers.get_all(COOKIE));
    let token = explorer.token(&headers);
    // The thief sends the copy in a request of their own.
    let copy = explorer.copy(&headers).map(|token| page::StolenCopy {
        token,
        session: explorer.manager.load([&format!("{COOKIE_NAME}={token}")]),
    });
    let view = page::View {
        token,
        session: &session,
        copy,
        keys: &explorer.keys,
        note,
        // The page shows entries and expiry, so it depends on them: touched before the commit.
        entries: session.iter().collect(),
        now: OffsetDateTime::now_utc(),
    };
    // A page that only reads leaves the cookie as it is, even one that was refused, unless its
    // session was ended: that cookie is removed.
    let answer = explorer.manager.commit(&session, 200).map(|reply| reply.headers([]));
    let body = Html(page::render(&view, &answer).into_string());
    let mut response = (StatusCode::OK, body).into_response();
    append(response.headers_mut(), answer.unwrap_or_default())?;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    Ok(response)
}

/// What a form asks for: its button is named `do`, its fields as here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Action {
    Session(Change),
    Server(Trick),
    Tour(Step),
}

/// What a first visit has to try, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(tag = "do")]
enum Step {
    #[serde(rename = "try_fill")]
    Fill,
    #[serde(rename = "try_tamper")]
    Tamper,
    #[serde(rename = "try_rotate")]
    Rotate,
}

/// What can be done to one's session.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Change {
    Set { key: String, value: String },
    Remove { key: String },
    EndAfter { seconds: String, keep: Option<String> },
    EndAt { at: String },
    EndWithBrowser,
    EndByDefault,
    LogIn { user: String, keep_cart: Option<String> },
    LogOut,
    LogOutEverywhere,
    Cycle,
    Flush,
}

/// What can be done behind its back.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Trick {
    Tamper,
    Steal,
    Discard,
    Rotate,
    DropFallbacks,
}

/// `POST /`: does what a form asks for, and sends the browser back to the page.
async fn act(
    State(explorer): Shared,
    headers: HeaderMap,
    Form(action): Form<Action>,
) -> Result<Response, Oops> {
    if is_from_elsewhere(&headers) {
        return Ok((StatusCode::FORBIDDEN, "This form was sent by another site.").into_response());
    }
    let mut explorer = explorer.lock().unwrap_or_else(PoisonError::into_inner);
    let note = match action {
        Action::Session(change) => {
            let session = explorer.manager.load(headers.get_all(COOKIE));
            apply(change, session, &explorer).unwrap_or_else(|error| Note {
                text: format!("Nothing was saved, and you keep what you had: {error}."),
                is_error: true,
                ..note("", vec![])
            })
        }
        Action::Tour(step) => Note { step: Some(step), ..explorer.guide(step, &headers)? },
        Action::Server(Trick::Tamper) => tamper(&explorer, explorer.token(&headers))?,
        Action::Server(Trick::Steal) => {
            let token = explorer.token(&headers);
            explorer.steal(token)?
        }
        Action::Server(Trick::Discard) => explorer.discard(&headers),
        Action::Server(Trick::Rotate) => {
            explorer.rotate()?;
            note("A new key signs from now on. Your cookie was not touched.", vec![])
        }
        Action::Server(Trick::DropFallbacks) => {
            explorer.drop_fallbacks()?;
            note("All keys but the first are forgotten. Your cookie was not touched.", vec![])
        }
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    append(response.headers_mut(), note.headers.clone())?;
    let location = format!("/?{}", explorer.keep(note)?);
    response.headers_mut().insert(LOCATION, location.try_into()?);
    Ok(response)
}

/// Changes the session, has it written if that is due, and says what became of the cookie.
fn apply(change: Change, mut session: Session, explorer: &Explorer) -> Result<Note, Failure> {
    let outlives = matches!(change, Change::EndAfter { keep: Some(_), .. });
    let text = perform(change, &mut session, &explorer.revocations)?;
    let mut reply = explorer.manager.commit(&session, StatusCode::SEE_OTHER.as_u16())?;
    let fate = match &mut reply.set_cookie {
        None => "No cookie was sent: it would say what the browser already has.",
        Some(cookie) if cookie.value().is_empty() => "The browser was told to delete the cookie.",
        Some(cookie) if outlives => {
            // The browser would drop the cookie in time. Somebody who copied it would not.
            cookie.set_max_age(None);
            cookie.unset_expires();
            "The browser got a new cookie and was not told when it ends."
        }
        Some(_) => "The browser got a new cookie.",
    };
    Ok(note(format!("{text} {fate}"), reply.headers([])))
}

/// Changes the session, and says what was done.
fn perform(
    change: Change,
    session: &mut Session,
    revocations: &Revocations,
) -> Result<String, Failure> {
    Ok(match change {
        Change::Set { key, value } => match session.insert_json(&key, &value) {
            Ok(()) => format!("“{key}” is set, as the JSON that you typed."),
            Err(_) => {
                session.insert(&key, &value)?;
                format!("“{key}” is set, as text: what you typed is not JSON.")
            }
        },
        Change::Remove { key } => {
            let was_there = session.remove(&key);
            format!("“{key}” {}.", if was_there { "is removed" } else { "was not there" })
        }
        Change::EndAfter { seconds, .. } => {
            let seconds = seconds.trim().parse().map_err(|_| "that is not a number of seconds")?;
            session.set_expiry(Expiry::After(Duration::from_secs(seconds)));
            format!("The session ends {seconds} seconds after it was last written.")
        }
        Change::EndAt { at } => {
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]");
            let at = PrimitiveDateTime::parse(&at, &format)
                .map_err(|_| "that is not a date and time")?
                .assume_utc();
            session.set_expiry(Expiry::At(at));
            format!("The session ends at {}.", page::moment(at))
        }
        Change::EndWithBrowser => {
            session.set_expiry(Expiry::AtBrowserClose);
            "The session ends when the browser is closed.".to_owned()
        }
        Change::EndByDefault => {
            session.set_expiry(Expiry::Default);
            "The session ends when all do: two weeks after it was last written.".to_owned()
        }
        Change::LogIn { user, keep_cart } => {
            // What an anonymous visitor, or somebody for them, had put in stays behind.
            session.begin(|key| keep_cart.is_some() && key == CART_KEY);
            session.insert(USER_KEY, &user)?;
            let kept = if session.contains_key(CART_KEY) { " but the cart" } else { "" };
            format!("{user} is logged in, with a session that holds nothing from before{kept}.")
        }
        Change::LogOut => {
            session.flush();
            "You are logged out.".to_owned()
        }
        Change::LogOutEverywhere => match revocations.end_others(session) {
            Some(_) => {
                session.flush();
                "You are logged out everywhere: every session of yours has ended, and every copy \
                 of its cookie is refused from now on."
                    .to_owned()
            }
            None => "Nobody is logged in, so there is nothing to end.".to_owned(),
        },
        Change::Cycle => {
            session.cycle_key();
            "The session is signed again, with another timestamp.".to_owned()
        }
        Change::Flush => {
            session.flush();
            "The session is deleted.".to_owned()
        }
    })
}

/// Sends the visitor's own token back with one character of the payload changed.
fn tamper(explorer: &Explorer, token: Option<&str>) -> Result<Note, Failure> {
    let Some(token) = token else {
        return Ok(note("There is no cookie to change: add an entry first.", vec![]));
    };
    let (payload, _, _) = page::parts(token);
    let middle = payload.chars().count() / 2;
    let Some(was) = token.chars().nth(middle) else {
        return Ok(note("The cookie is empty: there is no character to change.", vec![]));
    };
    let is = if was == 'A' { 'B' } else { 'A' };
    let swap = |(at, character)| if at == middle { is } else { character };
    let forged: String = token.chars().enumerate().map(swap).collect();
    let cookie = explorer.options.cookie(&forged, None, OffsetDateTime::now_utc())?;
    let text = format!("Character {} of your cookie's payload was changed.", middle + 1);
    Ok(Note {
        tampered: Some(Tampered { at: middle, was, is }),
        ..note(text, set_cookie(cookie.to_string()))
    })
}

/// Returns what an answer carries that sets a cookie of the example's own.
fn set_cookie(cookie: String) -> Headers {
    vec![("set-cookie", cookie), (VARY.as_str(), "Cookie".to_owned())]
}

fn note(text: impl Into<String>, headers: Headers) -> Note {
    Note { text: text.into(), is_error: false, headers, step: None, tampered: None }
}

fn append(to: &mut HeaderMap, headers: Headers) -> Result<(), Failure> {
    for (name, value) in headers {
        to.append(HeaderName::from_static(name), value.try_into()?);
    }
    Ok(())
}

/// Returns `true` if a form came from another site, which must not act for the visitor.
///
/// The cookie is `SameSite=Lax`, but to a browser every port of this host is
/// the same site; and keys can be changed without a cookie.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin";
    }
    // An older browser names the page's origin; curl, which acts for nobody, does not.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    headers.get(ORIGIN).is_some_and(|origin| origin != format!("http://{host}").as_str())
}

/// What should not happen: a 500, with the reason on the console.
struct Oops(Failure);

impl<E: Into<Failure>> From<E> for Oops {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        eprintln!("error: {}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
