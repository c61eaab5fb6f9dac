//! Holds both middlewares, tower's and actix-web's, to the same promises.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use signed_session::{
    DecodeError, EncodeError, Expiry, Keyring, SameSite, Session, SessionCodec, SessionHandle,
    SessionManager, ValueError,
};
use time::OffsetDateTime;

use crate::common::{Answer, DEADLINE, codec, cookie, logged, manager, options, token};

/// An answer to come.
type Pending = Pin<Box<dyn Future<Output = Answer>>>;

#[derive(Clone, Copy, Debug)]
enum Middleware {
    #[cfg(feature = "tower")]
    Tower,
    #[cfg(feature = "actix")]
    Actix,
}

const MIDDLEWARES: &[Middleware] = &[
    #[cfg(feature = "tower")]
    Middleware::Tower,
    #[cfg(feature = "actix")]
    Middleware::Actix,
];

impl Middleware {
    /// Puts the session around a handler, and sends it a request with these `Cookie:` headers.
    fn begin<H>(
        self,
        manager: SessionManager,
        cookies: &[impl AsRef<[u8]>],
        handler: impl Fn(SessionHandle) -> H + Clone + 'static,
    ) -> Pending
    where
        H: Future<Output = Answer> + 'static,
    {
        let cookies = cookies.iter().map(|header| header.as_ref().to_vec()).collect();
        match self {
            #[cfg(feature = "tower")]
            Self::Tower => Box::pin(through_tower(manager, cookies, handler)),
            #[cfg(feature = "actix")]
            Self::Actix => Box::pin(through_actix(manager, cookies, handler)),
        }
    }

    /// Returns the answer to a request with these `Cookie:` headers.
    fn answer(
        self,
        manager: SessionManager,
        cookies: &[impl AsRef<[u8]>],
        handler: impl Fn(SessionHandle) -> Answer + Clone + 'static,
    ) -> Answer {
        let handler = move |session| {
            let answer = handler(session);
            async move { answer }
        };
        ready(self.begin(manager, cookies, handler))
    }
}

#[cfg(feature = "tower")]
fn through_tower<H: Future<Output = Answer>>(
    manager: SessionManager,
    cookies: Vec<Vec<u8>>,
    handler: impl Fn(SessionHandle) -> H,
) -> impl Future<Output = Answer> {
    use std::convert::Infallible;

    use axum::http::header::{COOKIE, HeaderValue};
    use axum::http::{Request, Response};
    use signed_session::SessionLayer;
    use tower::{ServiceBuilder, ServiceExt as _, service_fn};

    let handler = service_fn(move |request: Request<()>| {
        let answer = handler(request.extensions().get::<SessionHandle>().unwrap().clone());
        async move {
            let answer = answer.await;
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            Ok::<_, Infallible>(response.body(answer.body).unwrap())
        }
    });
    let service = ServiceBuilder::new().layer(SessionLayer::new(manager)).service(handler);
    let mut request = Request::new(());
    for cookie in cookies {
        request.headers_mut().append(COOKIE, HeaderValue::from_bytes(&cookie).unwrap());
    }
    async {
        let (head, body) = service.oneshot(request).await.unwrap().into_parts();
        let answer = Answer::new(head.status.as_u16()).body(body.into_inner().unwrap_or_default());
        head.headers.iter().fold(answer, |answer, (name, value)| {
            answer.header(name.as_str(), value.to_str().unwrap())
        })
    }
}

#[cfg(feature = "actix")]
fn through_actix<H: Future<Output = Answer> + 'static>(
    manager: SessionManager,
    cookies: Vec<Vec<u8>>,
    handler: impl Fn(SessionHandle) -> H + Clone + 'static,
) -> impl Future<Output = Answer> {
    use actix_web::http::StatusCode;
    use actix_web::http::header::{COOKIE, HeaderValue};
    use actix_web::{App, HttpResponse, body, test, web};
    use signed_session::SessionMiddleware;

    let handler = move |session| {
        let answer = handler(session);
        async {
            let answer = answer.await;
            let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
            for header in answer.headers {
                response.append_header(header);
            }
            response.body(answer.body)
        }
    };
    let app = App::new().wrap(SessionMiddleware::new(manager)).default_service(web::to(handler));
    let request = cookies.iter().fold(test::TestRequest::get(), |request, cookie| {
        request.append_header((COOKIE, HeaderValue::from_bytes(cookie).unwrap()))
    });
    async {
        let service = test::init_service(app).await;
        let response = match test::try_call_service(&service, request.to_request()).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            // As the server does.
            Err(error) => error.error_response(),
        };
        let answer = Answer::new(response.status().as_u16());
        let answer = response.headers().iter().fold(answer, |answer, (name, value)| {
            answer.header(name.as_str(), value.to_str().unwrap())
        });
        let body = body::to_bytes(response.into_body()).await.unwrap();
        answer.body(str::from_utf8(&body).unwrap())
    }
}

/// Returns what a future comes to that never waits.
fn ready<R>(future: impl Future<Output = R>) -> R {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn nothing(_: SessionHandle) -> Answer {
    Answer::new(200)
}

fn read(session: SessionHandle) -> Answer {
    Answer::new(200).body(session.get::<String>("user").unwrap().unwrap_or_default())
}

fn write(session: SessionHandle) -> Answer {
    session.insert("user", "ada").unwrap();
    Answer::new(200)
}

fn flush(session: SessionHandle) -> Answer {
    session.flush();
    Answer::new(200)
}

const NO_COOKIE: [&str; 0] = [];

/// A cookie that no key signed.
const TAMPERED: &str =
    "sessionid=eyJ1c2VyIjoiYWRhIn0:1r31eq:LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw";

// Untouched.

#[test]
fn a_session_that_nobody_touched_leaves_no_trace_in_the_answer() {
    let two = format!("{}; {}", cookie("ada"), cookie("eve"));
    for through in MIDDLEWARES {
        for header in ["theme=dark", &cookie("ada"), TAMPERED, &two] {
            let (answer, log) = logged(|| through.answer(manager(), &[header], nothing));
            assert_eq!(answer.status, 200);
            answer.assert_no_trace();
            assert_eq!(log, [""; 0], "{header}");
        }
        through.answer(manager(), &NO_COOKIE, nothing).assert_no_trace();
    }
}

#[test]
fn a_session_that_nobody_touched_is_not_decoded() {
    // Each key that did not sign costs an HMAC: with so many decoding takes its time.
    let mut ring = Keyring::new([0; 32]).unwrap();
    for key in 1..2000_u32 {
        ring = ring.fallback(key.to_be_bytes().repeat(8)).unwrap();
    }
    let manager = SessionManager::new(SessionCodec::new(&ring), options());
    for through in MIDDLEWARES {
        let time = |handler: fn(SessionHandle) -> Answer| {
            // Held, so that the end of so many keys is not timed, too.
            let held = Rc::new(RefCell::new(None));
            let hold = Rc::clone(&held);
            let answer = through.begin(manager.clone(), &[TAMPERED], move |session| {
                hold.replace(Some(session.clone()));
                std::future::ready(handler(session))
            });
            let start = Instant::now();
            ready(answer);
            start.elapsed()
        };
        let fastest = |handler| (0..5).map(|_| time(handler)).min().unwrap();
        let (untouched, touched) = (fastest(nothing), fastest(read));
        assert!(untouched * 10 < touched, "{through:?}: {untouched:?}, decoded {touched:?}");
    }
}

#[test]
fn an_untouched_session_is_saved_if_every_request_is_to_save() {
    for through in MIDDLEWARES {
        let every = || manager().save_every_request(true);
        let answer = through.answer(every(), &[cookie("ada")], nothing);
        assert_eq!(answer.session().unwrap().get("user"), Ok(Some("ada")));
        assert_eq!(answer.all("vary"), ["Cookie"]);
        assert_eq!(answer.all("cache-control"), ["private"]);
        through.answer(every(), &NO_COOKIE, nothing).assert_no_trace();
    }
}

// Caches.

/// What can be done with a session, by the name of the function.
type Uses = [(&'static str, fn(SessionHandle))];

const USES_OF_A_HANDLE: &Uses = &[
    ("get", |s| _ = s.get::<String>("user")),
    ("insert", |s| s.insert("a", 1).unwrap()),
    ("remove", |s| _ = s.remove("a")),
    ("pop", |s| _ = s.pop::<u8>("a")),
    ("contains_key", |s| _ = s.contains_key("a")),
    ("flush", |s| s.flush()),
    ("begin", |s| s.begin(|_| true)),
    ("id", |s| _ = s.id()),
    ("started_at", |s| _ = s.started_at()),
    ("cycle_key", |s| s.cycle_key()),
    ("set_expiry", |s| s.set_expiry(Expiry::Default)),
    ("get_json", |s| _ = s.get_json("user")),
    ("insert_json", |s| s.insert_json("a", "1").unwrap()),
    ("get_or_insert", |s| _ = s.get_or_insert("a", 1)),
    ("update", |s| s.update("a", |_: &mut u8| ()).unwrap()),
    ("get_or_discard", |s| _ = s.get_or_discard::<u8>("user")),
    ("read", |s| _ = s.read::<()>()),
    ("replace", |s| s.replace(&Entries::new()).unwrap()),
    ("keys", |s| _ = s.keys()),
    ("iter", |s| _ = s.iter()),
    ("to_json", |s| _ = s.to_json()),
    ("len", |s| _ = s.len()),
    ("is_empty", |s| _ = s.is_empty()),
    ("extend", |s| s.extend([("a", 1)]).unwrap()),
    ("clear", |s| s.clear()),
    ("expiry", |s| _ = s.expiry()),
    ("expiry_age", |s| _ = s.expiry_age(DEADLINE, OffsetDateTime::UNIX_EPOCH)),
    ("expiry_date", |s| _ = s.expiry_date(DEADLINE, OffsetDateTime::UNIX_EPOCH)),
    ("expires_at_browser_close", |s| _ = s.expires_at_browser_close(true)),
    ("set_test_cookie", |s| s.set_test_cookie()),
    ("test_cookie_worked", |s| _ = s.test_cookie_worked()),
    ("delete_test_cookie", |s| _ = s.delete_test_cookie()),
    ("signed_at", |s| _ = s.signed_at()),
    ("key_index", |s| _ = s.key_index()),
    ("refusal", |s| _ = s.refusal()),
];

type Entries = std::collections::BTreeMap<String, u8>;

const USES_OF_A_SESSION: &Uses = &[
    ("get", |s| s.with(|s| _ = s.get::<String>("user"))),
    ("get_json", |s| s.with(|s| _ = s.get_json("user").is_some())),
    ("insert", |s| s.with(|s| s.insert("a", 1).unwrap())),
    ("insert_json", |s| s.with(|s| s.insert_json("a", "1").unwrap())),
    ("remove", |s| s.with(|s| _ = s.remove("a"))),
    ("pop", |s| s.with(|s| _ = s.pop::<u8>("a"))),
    ("get_or_insert", |s| s.with(|s| _ = s.get_or_insert("a", 1))),
    ("update", |s| s.with(|s| s.update("a", |_: &mut u8| ()).unwrap())),
    ("get_or_discard", |s| s.with(|s| _ = s.get_or_discard::<u8>("user"))),
    ("read", |s| s.with(|s| _ = s.read::<()>())),
    ("replace", |s| s.with(|s| s.replace(&Entries::new()).unwrap())),
    ("contains_key", |s| s.with(|s| _ = s.contains_key("a"))),
    ("keys", |s| s.with(|s| _ = s.keys())),
    ("iter", |s| s.with(|s| _ = s.iter())),
    ("to_json", |s| s.with(|s| _ = s.to_json())),
    ("signed_at", |s| s.with(|s| _ = s.signed_at())),
    ("key_index", |s| s.with(|s| _ = s.key_index())),
    ("refusal", |s| s.with(|s| _ = s.refusal().is_some())),
    ("len", |s| s.with(|s| _ = s.len())),
    ("is_empty", |s| s.with(|s| _ = s.is_empty())),
    ("extend", |s| s.with(|s| s.extend([("a", 1)]).unwrap())),
    ("clear", |s| s.with(Session::clear)),
    ("flush", |s| s.with(Session::flush)),
    ("cycle_key", |s| s.with(Session::cycle_key)),
    ("begin", |s| s.with(|s| s.begin(|_| true))),
    ("id", |s| s.with(|s| _ = s.id())),
    ("started_at", |s| s.with(|s| _ = s.started_at())),
    ("end", |s| s.with(|s| _ = revocations().end(s))),
    ("end_at", |s| s.with(|s| _ = revocations().end_at(s, OffsetDateTime::UNIX_EPOCH))),
    ("end_others", |s| s.with(|s| _ = revocations().end_others(s))),
    ("end_others_at", |s| {
        s.with(|s| _ = revocations().end_others_at(s, OffsetDateTime::UNIX_EPOCH))
    }),
    ("has_ended_at", |s| {
        s.with(|s| _ = revocations().has_ended_at(s, OffsetDateTime::UNIX_EPOCH));
    }),
    ("has_ended", |s| s.with(|s| _ = revocations().has_ended(s))),
    ("set_expiry", |s| s.with(|s| s.set_expiry(Expiry::Default))),
    ("expiry", |s| s.with(|s| _ = s.expiry())),
    ("expiry_age", |s| s.with(|s| _ = s.expiry_age(DEADLINE, OffsetDateTime::UNIX_EPOCH))),
    ("expiry_date", |s| s.with(|s| _ = s.expiry_date(DEADLINE, OffsetDateTime::UNIX_EPOCH))),
    ("expires_at_browser_close", |s| s.with(|s| _ = s.expires_at_browser_close(true))),
    ("set_test_cookie", |s| s.with(Session::set_test_cookie)),
    ("test_cookie_worked", |s| s.with(|s| _ = s.test_cookie_worked())),
    ("delete_test_cookie", |s| s.with(|s| _ = s.delete_test_cookie())),
];

fn revocations() -> signed_session::Revocations {
    signed_session::Revocations::new(DEADLINE)
}

/// What does not ask for anything that the cookie says.
const NO_USE: &[&str] =
    &["new", "from_extensions", "with", "check", "keyring", "is_modified", "is_accessed"];

#[test]
fn any_use_of_a_session_makes_the_response_vary_by_cookie() {
    for (file, uses) in [("handle.rs", USES_OF_A_HANDLE), ("session.rs", USES_OF_A_SESSION)] {
        // So that no function is forgotten that comes later.
        let source =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file));
        let source = source.unwrap();
        let public = source.split("    pub fn ").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
        });
        let public: BTreeSet<&str> = public.filter(|name| !NO_USE.contains(name)).collect();
        assert_eq!(public, uses.iter().map(|(name, _)| *name).collect(), "{file}");

        for through in MIDDLEWARES {
            for (name, function) in uses {
                for cookie in ["theme=dark", &cookie("ada"), TAMPERED] {
                    let answer = through.answer(manager(), &[cookie], |session| {
                        function(session);
                        Answer::new(200)
                    });
                    assert_eq!(answer.all("vary"), ["Cookie"], "{through:?} {file} {name}");
                    let is_set = answer.cookie().is_some();
                    let expected = if is_set { &["private"][..] } else { &[] };
                    assert_eq!(answer.all("cache-control"), expected, "{through:?} {file} {name}");
                }
            }
        }
    }
}

#[test]
fn what_the_handler_says_of_caching_stays_and_is_not_repeated() {
    for through in MIDDLEWARES {
        for (own, expected) in [
            (&[][..], &["Cookie"][..]),
            (&["Accept-Encoding"], &["Accept-Encoding", "Cookie"]),
            (&["Accept-Encoding", "Origin"], &["Accept-Encoding", "Origin", "Cookie"]),
            (&["X-Cookie, Cookie2, Set-Cookie"], &["X-Cookie, Cookie2, Set-Cookie", "Cookie"]),
            (&["Cookie"], &["Cookie"]),
            (&["cookie"], &["cookie"]),
            (&["Accept, Cookie"], &["Accept, Cookie"]),
            (&["Accept,COOKIE ,Origin"], &["Accept,COOKIE ,Origin"]),
            (&["Accept-Encoding", "cookie"], &["Accept-Encoding", "cookie"]),
            (&["*"], &["*"]),
            (&["Accept", "*"], &["Accept", "*"]),
        ] {
            for function in [read, write] {
                let answer = through.answer(manager(), &[cookie("eve")], move |session| {
                    own.iter().fold(function(session), |answer, own| answer.header("vary", own))
                });
                assert_eq!(answer.all("vary"), expected, "{through:?}");
            }
        }
        for own in
            [&["public"][..], &["no-store"], &["max-age=60"], &["public", "max-age=60"], &[""]]
        {
            let answer = through.answer(manager(), &NO_COOKIE, move |session| {
                own.iter().fold(write(session), |answer, own| answer.header("cache-control", own))
            });
            assert_eq!(answer.all("cache-control"), own, "{through:?}");
            assert!(answer.cookie().is_some());
        }
    }
}

#[test]
fn other_cookies_that_the_handler_sets_stay() {
    for through in MIDDLEWARES {
        let answer = through.answer(manager(), &NO_COOKIE, |session| {
            write(session).header("set-cookie", "theme=dark").header("set-cookie", "lang=fr")
        });
        let cookies = answer.all("set-cookie");
        assert_eq!((cookies.len(), &cookies[..2]), (3, &["theme=dark", "lang=fr"][..]));
        assert_eq!(answer.session().unwrap().get("user"), Ok(Some("ada")));
    }
}

// What is saved, and what is removed.

#[test]
fn a_change_is_saved_with_any_status_below_500() {
    for through in MIDDLEWARES {
        for status in [200, 204, 302, 304, 400, 404, 499, 500, 501, 503, 599] {
            let answer = through.answer(manager(), &[cookie("eve")], move |session| Answer {
                status,
                ..write(session)
            });
            assert_eq!(answer.status, status);
            assert_eq!(answer.cookie().is_some(), status < 500, "{through:?} {status}");
            assert_eq!(answer.all("vary"), ["Cookie"]);
        }
    }
}

#[test]
fn a_flushed_session_is_removed_with_its_cookie_s_attributes() {
    let options = || options().path("/shop").unwrap().domain("example.com").unwrap();
    let other = || options().secure(false).same_site(SameSite::Strict);
    let embedded = || options().same_site(SameSite::None).partitioned(true);
    let expected = [
        (options(), "sessionid=; SameSite=Lax; Secure; Path=/shop; Domain=example.com"),
        (other(), "sessionid=; SameSite=Strict; Path=/shop; Domain=example.com"),
        (
            embedded(),
            "sessionid=; SameSite=None; Partitioned; Secure; Path=/shop; Domain=example.com",
        ),
    ];
    for through in MIDDLEWARES {
        for (options, removal) in &expected {
            let manager = || SessionManager::new(codec(), options.clone());
            for status in [200, 302, 404, 500] {
                let answer = through.answer(manager(), &[cookie("ada")], move |session| Answer {
                    status,
                    ..flush(session)
                });
                let over = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
                assert_eq!(answer.all("set-cookie"), [format!("{removal}{over}")]);
                assert_eq!(answer.all("vary"), ["Cookie"]);
                assert_eq!(answer.all("cache-control"), ["private"]);
            }
        }
    }
}

#[test]
fn a_flushed_session_without_a_cookie_needs_no_removal() {
    for through in MIDDLEWARES {
        let answer = through.answer(manager(), &["theme=dark"], flush);
        assert_eq!(answer.cookie(), None);
        assert_eq!(answer.all("vary"), ["Cookie"]);
    }
}

// What cannot be saved, and what is logged.

/// Planted wherever a visitor's or a program's data could get into a log.
const MARK: &str = "planted";

#[test]
fn a_session_too_large_is_a_bare_500_and_logged_entry_by_entry() {
    for through in MIDDLEWARES {
        let ask = |len| {
            through.answer(manager(), &[cookie(MARK)], move |session| {
                session.insert("cart", noise(len)).unwrap();
                session.insert(&format!("{MARK} by a visitor"), noise(300)).unwrap();
                Answer::new(200).header("x-page", "1").body("a page")
            })
        };
        let (answer, log) = logged(|| ask(2000));
        assert_eq!((answer.status, answer.body.as_str()), (200, "a page"));
        assert_eq!(answer.session().unwrap().len(), 3);
        assert_eq!(log, [""; 0]);
        let (answer, log) = logged(|| ask(5000));
        assert_eq!((answer.status, answer.body.as_str()), (500, ""));
        answer.assert_no_trace();
        assert_eq!(answer.all("x-page"), [""; 0]);
        let [line] = &log[..] else { panic!("{log:?}") };
        let expected = "ERROR the session could not be written reason=the encoded size would be ";
        assert!(line.starts_with(expected), "{line}");
        let entries =
            "the limit of 4096; in JSON, cart takes 5010 bytes, entry 3 takes 326 bytes, ";
        assert!(line.contains(entries), "{line}");
        assert!(line.ends_with("user takes 17 bytes"), "{line}");
    }
}

#[test]
fn a_handler_can_find_out_that_what_it_inserted_does_not_fit() {
    for through in MIDDLEWARES {
        for (len, fits) in [(2000, true), (5000, false)] {
            let answer = through.answer(manager(), &[cookie("ada")], move |session| {
                assert_eq!((session.check(), session.is_accessed()), (Ok(()), false));
                session.insert("cart", noise(len)).unwrap();
                let checked = session.check();
                assert_eq!(checked.is_ok(), fits, "{checked:?}");
                let Err(error) = checked else { return Answer::new(200) };
                assert!(matches!(error, EncodeError::TooLarge { limit: 4096, .. }), "{error}");
                session.remove("cart");
                Answer::new(413)
            });
            assert_eq!(answer.status, if fits { 200 } else { 413 });
            assert_eq!(answer.session().is_some_and(|s| s.contains_key("cart")), fits);
        }
    }
    // The check and the response agree to the byte.
    let mut session = Session::new();
    let mut fitting = 0;
    for len in (2500..4500).step_by(20) {
        session.insert("cart", noise(len)).unwrap();
        let committed = manager().commit(&session, 200).map(drop);
        assert_eq!(manager().check(&session), committed);
        fitting += usize::from(committed.is_ok());
    }
    assert!((1..100).contains(&fitting), "{fitting}");
}

#[cfg(feature = "tower")]
#[test]
fn a_missing_session_says_what_is_missing() {
    let missing = <SessionHandle>::from_extensions(&http::Extensions::new()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "no session layer is around a service that asks for a SessionHandle: put \
         SessionLayer::new(manager) around it, outside of every layer that uses the session"
    );
    let missing = SessionHandle::<u8>::from_extensions(&http::Extensions::new()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "no session layer is around a service that asks for a SessionHandle<u8>: put \
         SessionLayer::marked::<u8>(manager) around it, outside of every layer that uses the session"
    );
}

#[test]
fn a_handle_shows_nothing_of_the_session() {
    for through in MIDDLEWARES {
        let answer = through.answer(manager(), &[cookie(MARK)], |session| {
            assert_eq!(session.get("user"), Ok(Some(MARK.to_owned())));
            Answer::new(200).body(format!("{session:?}"))
        });
        assert_eq!(answer.body, "SessionHandle { .. }");
    }
}

/// Text that no compression makes much shorter, and that a log must not hold.
fn noise(len: usize) -> String {
    let mut state = 1_u32;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'A' + (state >> 24) as u8 % 58)
    });
    letters.map(|letter| if letter == '\\' { '_' } else { letter }).take(len).collect()
}

#[test]
fn a_refused_cookie_is_logged_by_its_reason_alone() {
    let genuine = token(|session| session.insert(MARK, MARK).unwrap());
    let old = SessionManager::new(codec().max_age(Duration::from_secs(30)), options());
    let rows = [
        (
            manager(),
            format!("{genuine}{MARK}"),
            r#""bad_signature" reason=the signature matches no key"#,
        ),
        (manager(), genuine.replace(':', MARK), r#""malformed" reason=the token has no separator"#),
        (
            manager(),
            MARK.repeat(1000),
            r#""too_long" reason=the token has 7000 bytes, more than the limit of 4096"#,
        ),
        (old, genuine, r#""expired" reason=the token has expired: it was signed 6"#),
    ];
    for through in MIDDLEWARES {
        for (manager, token, reason) in &rows {
            let header = format!("sessionid={token}");
            let (answer, log) = logged(|| {
                through.answer(manager.clone(), &[header], |session| {
                    // Once, however often it is asked for.
                    read(session.clone());
                    read(session)
                })
            });
            assert_eq!(answer.body, "");
            let [line] = &log[..] else { panic!("{log:?}") };
            let expected = format!("DEBUG a session cookie was refused code={reason}");
            assert!(line.starts_with(&expected), "{line}");
            assert!(token.split(':').all(|part| !line.contains(part)), "{line}");
            assert!(!line.contains(MARK), "{line}");
        }
    }
}

#[test]
fn a_cookie_that_is_good_is_not_logged() {
    for through in MIDDLEWARES {
        let (answer, log) = logged(|| {
            through.answer(manager(), &[cookie("ada")], |session| {
                let answer = read(session.clone());
                session.insert("visits", 1).unwrap();
                answer
            })
        });
        assert_eq!((answer.body.as_str(), answer.cookie().is_some()), ("ada", true));
        assert_eq!(log, [""; 0]);
    }
}

// After the head of the answer.

#[test]
fn a_use_after_the_response_began_is_not_saved_and_is_warned_of() {
    let late = "WARN the session was changed after its response had begun: not saved";
    let untold = "WARN the session was read only after its response had begun: caches may share it";
    for through in MIDDLEWARES {
        for before in [nothing, read, write] {
            let kept = Rc::new(RefCell::new(None));
            let keep = Rc::clone(&kept);
            let answer = through.answer(manager(), &[cookie("eve")], move |session| {
                keep.replace(Some(session.clone()));
                before(session)
            });
            let session = kept.take().unwrap();

            let ((), log) = logged(|| session.with(|_| ()));
            assert_eq!(log, [""; 0], "nothing was done");
            let (user, log) = logged(|| session.get::<String>("user"));
            let saved = answer.session().map(|session| session.get("user").unwrap());
            assert_eq!(user, Ok(saved.unwrap_or(Some("eve".to_owned()))));
            let is_told = !answer.all("vary").is_empty();
            assert_eq!(log.concat(), if is_told { "" } else { untold });
            let (user, log) = logged(|| session.contains_key("user"));
            assert_eq!((user, log.len()), (true, 0));

            // What can fail does, and leaves the session as it is.
            let entries = session.to_json();
            let (refused, log) = logged(|| {
                [
                    session.insert("late", true),
                    session.insert_json("late", "true"),
                    session.extend([("late", true)]),
                    session.get_or_insert("late", true).map(drop),
                    session.update("late", |late: &mut bool| *late = true),
                    session.replace(&Entries::new()),
                    session.pop::<String>("user").map(drop),
                ]
            });
            assert_eq!(refused, [const { Err::<(), _>(ValueError::TooLate) }; 7]);
            assert_eq!((session.to_json(), log.len()), (entries, 0));
            // What cannot is warned of, each time.
            let uses: [fn(&SessionHandle); 7] = [
                |s| _ = s.remove("user"),
                |s| s.cycle_key(),
                |s| s.begin(|_| true),
                |s| s.set_expiry(Expiry::AtBrowserClose),
                |s| s.set_test_cookie(),
                |s| s.with(|session| session.insert("late", true).unwrap()),
                |s| s.clear(),
            ];
            for late_use in uses {
                let ((), log) = logged(|| late_use(&session));
                assert_eq!(log, [late]);
            }
            session.with(|session| session.insert("user", "eve").unwrap());
            let ((), log) = logged(|| session.flush());
            let [line] = &log[..] else { panic!("{log:?}") };
            assert!(line.starts_with("WARN the session was ended after its response"), "{line}");
            assert!(session.is_empty());
        }
    }
}

#[test]
fn a_logout_after_the_response_began_ends_the_session_all_the_same() {
    for through in MIDDLEWARES {
        let manager = manager().revocations(revocations(), "user");
        let login = through.answer(manager.clone(), &["a=b"], write);
        let cookie = login.cookie().unwrap().to_owned();
        let kept = Rc::new(RefCell::new(None));
        let keep = Rc::clone(&kept);
        through.answer(manager.clone(), &[&cookie], move |session| {
            keep.replace(Some(session.clone()));
            read(session)
        });
        let (manager, session) = (manager.clone(), kept.take().unwrap());
        assert!(manager.load([&cookie]).refusal().is_none());
        session.flush();
        assert_eq!(manager.load([&cookie]).refusal(), Some(&DecodeError::Revoked));
    }
}

// Panics, and requests that are dropped.

/// Panics as a handler might, without the noise of a real one.
fn fail() -> ! {
    resume_unwind(Box::new("a fault of the handler"))
}

/// Fails, rather than waits for ever, where a lock is not given back.
fn in_time<R: Send + 'static>(function: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(function()));
    match receiver.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it waits for ever"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(_) => panic!("it sent nothing"),
        },
    }
}

#[test]
fn a_session_can_be_used_after_a_panic_poisoned_its_lock() {
    for through in MIDDLEWARES {
        let answer = in_time(|| {
            through.answer(manager(), &[cookie("eve")], |session| {
                // Another task holds it, too.
                let other = session.clone();
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    session.with(|session| {
                        session.insert("half", true).unwrap();
                        fail()
                    })
                }));
                assert!(caught.is_err());
                assert_eq!(session.get("half"), Ok(Some(true)));
                let other = thread::spawn(move || {
                    other.insert("other", true).unwrap();
                    other.remove("half")
                });
                assert!(other.join().unwrap());
                session.cycle_key();
                Answer::new(200)
            })
        });
        let session = answer.session().unwrap();
        assert_eq!(session.keys().collect::<Vec<_>>(), ["user", "other"]);
    }
}

/// Returns what a function panics with.
fn panic_of(function: impl FnOnce()) -> String {
    let caught = catch_unwind(AssertUnwindSafe(function)).expect_err("there was no panic");
    match caught.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => caught.downcast_ref::<String>().expect("a message").clone(),
    }
}

#[test]
fn a_session_used_inside_with_panics_with_a_message_and_hangs_nothing() {
    // Each of these waited for ever. With a clone the compiler cannot see it.
    let uses: [fn(&SessionHandle, &SessionHandle); 5] = [
        |one, other| one.with(|_| _ = other.get::<String>("user")),
        |one, other| one.with(|_| other.insert("user", 1).unwrap()),
        |one, other| one.with(|_| other.with(|_| ())),
        |one, other| one.update("a", |_: &mut u8| other.flush()).unwrap(),
        |one, other| one.with(|_| _ = other.is_modified()),
    ];
    for through in MIDDLEWARES {
        for misuse in uses {
            let answer = in_time(move || {
                through.answer(manager(), &[cookie("eve")], move |session| {
                    for other in [&session, &session.clone()] {
                        let message = panic_of(|| misuse(&session, other));
                        assert!(message.contains("inside `SessionHandle::with`"), "{message}");
                    }
                    // It can be used again.
                    session.insert("user", "ada").unwrap();
                    Answer::new(200)
                })
            });
            assert_eq!(answer.session().unwrap().get("user"), Ok(Some("ada")));
        }
    }
}

#[test]
fn another_thread_waits_for_with_and_does_not_panic() {
    for through in MIDDLEWARES {
        let answer = in_time(move || {
            through.answer(manager(), &[cookie("eve")], |session| {
                let (other, (begun, began)) = (session.clone(), mpsc::channel());
                let thread = session.with(|session| {
                    let thread = thread::spawn(move || {
                        begun.send(()).unwrap();
                        other.update("count", |count: &mut u8| *count += 1)
                    });
                    began.recv().unwrap();
                    thread::sleep(Duration::from_millis(20));
                    session.insert("count", 1).unwrap();
                    thread
                });
                assert_eq!(thread.join().unwrap(), Ok(()));
                Answer::new(200)
            })
        });
        assert_eq!(answer.session().unwrap().get("count"), Ok(Some(2)));
    }
}

#[test]
fn handles_of_two_sessions_can_be_used_inside_of_each_other() {
    for through in MIDDLEWARES {
        let answer = in_time(move || {
            through.answer(manager(), &[cookie("eve")], |session| {
                let inner = through.answer(manager(), &[cookie("ada")], move |other| {
                    let name = other.with(|other| {
                        session.with(|_| other.get::<String>("user").unwrap().unwrap())
                    });
                    Answer::new(200).body(name)
                });
                Answer::new(200).body(inner.body)
            })
        });
        assert_eq!(answer.body, "ada");
    }
}

#[test]
fn a_handler_that_panics_saves_nothing() {
    for through in MIDDLEWARES {
        let answer = in_time(|| {
            through.answer(manager(), &[cookie("eve")], |session| {
                // What a layer that catches panics does.
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    session.with(|session| {
                        session.insert("half", true).unwrap();
                        fail()
                    })
                }));
                caught.unwrap_or_else(|_| Answer::new(500).body("caught"))
            })
        });
        assert_eq!((answer.status, answer.body.as_str()), (500, "caught"));
        assert_eq!(answer.cookie(), None);
        assert_eq!(answer.all("vary"), ["Cookie"]);
    }
}

#[test]
fn a_panic_passes_through_the_session_s_layer() {
    for through in MIDDLEWARES {
        let held = Rc::new(RefCell::new(None));
        let hold = Rc::clone(&held);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            through.answer(manager(), &[cookie("eve")], move |session| {
                hold.replace(Some(session.clone()));
                session.with(|_| fail())
            })
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"a fault of the handler"));
        // Whoever still holds it can use it.
        let session = held.take().unwrap();
        assert_eq!(in_time(move || session.get("user")), Ok(Some("eve".to_owned())));
    }
}

#[test]
fn a_request_that_is_dropped_midway_holds_up_nobody() {
    for through in MIDDLEWARES {
        let held = Rc::new(RefCell::new(None));
        let hold = Rc::clone(&held);
        let mut request = through.begin(manager(), &[cookie("eve")], move |session| {
            let hold = Rc::clone(&hold);
            async move {
                session.insert("half", true).unwrap();
                hold.replace(Some(session));
                std::future::pending().await
            }
        });
        assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(request);

        // The browser has what it had, and a task that outlives the request what it made of it.
        let session = held.take().unwrap();
        let (half, log) = logged(|| session.get("half"));
        assert_eq!((half, log.len()), (Ok(Some(true)), 0));
        let answer = through.answer(manager(), &[cookie("eve")], read);
        assert_eq!((answer.body.as_str(), answer.cookie()), ("eve", None));
    }
}

// The cookies of a request.

#[test]
fn several_cookie_headers_are_read_as_one() {
    let cookie = cookie("ada");
    for through in MIDDLEWARES {
        for headers in [
            ["theme=dark", &cookie],
            [&cookie, "theme=dark"],
            ["theme=dark;", &format!(" {cookie} ;")],
            ["sessionid=", &cookie],
            [&cookie, TAMPERED],
            [&cookie, &cookie],
        ] {
            let answer = through.answer(manager(), &headers, read);
            assert_eq!(answer.body, "ada", "{through:?} {headers:?}");
        }
    }
}

#[test]
fn two_valid_cookies_that_differ_are_refused_in_any_headers() {
    let (ada, eve) = (cookie("ada"), cookie("eve"));
    let one = [format!("{ada}; {eve}")];
    let two = [ada, eve];
    for through in MIDDLEWARES {
        for headers in [&one[..], &two] {
            let (answer, log) = logged(|| through.answer(manager(), headers, read));
            // One of the two is the visitor's: neither is overwritten for being read.
            assert_eq!((answer.body.as_str(), answer.cookie()), ("", None));
            let [warning] = &log[..] else { panic!("{log:?}") };
            assert!(warning.starts_with("WARN a session cookie was refused"), "{warning}");
            assert!(warning.contains("`SessionManager::retire`"), "{warning}");
            assert!(warning.contains(&DecodeError::Ambiguous.to_string()), "{warning}");
        }
    }
}

#[test]
fn bytes_that_are_not_text_elsewhere_do_not_hide_the_session() {
    let ada = cookie("ada");
    let one = [[b"theme=\xff\xfe; ", ada.as_bytes(), b"; \xe9=\x80"].concat()];
    let two = [b"theme=\xff\xfe".to_vec(), ada.into_bytes()];
    for through in MIDDLEWARES {
        for headers in [&one[..], &two] {
            let answer = through.answer(manager(), headers, read);
            assert_eq!(answer.body, "ada", "{through:?}");
        }
    }
}
