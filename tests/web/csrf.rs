//! Holds both middlewares for forms to the same promises: what passes, what is read, what is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Response;
use signed_session::django::{Csrf, CsrfError, CsrfHandle};
use signed_session::{SessionBody, SessionHandle};

use crate::common::{Answer, cookie, logged, manager};

const SECRET: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// The secret under a mask that adds nothing.
const TOKEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefghijklmnopqrstuvwxyz012345";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Clone, Copy, Debug)]
enum Middleware {
    Tower,
    Actix,
}

const MIDDLEWARES: [Middleware; 2] = [Middleware::Tower, Middleware::Actix];

/// A request, and the application that it is sent to.
#[derive(Clone)]
struct Visit {
    csrf: Csrf,
    /// The layer around the layer, if there is one.
    outer: Option<Csrf>,
    is_unchecked: bool,
    has_session: bool,
    method: &'static str,
    headers: Vec<(&'static str, String)>,
    /// The body as it comes; an empty piece is where the connection breaks.
    pieces: Vec<Vec<u8>>,
    handler: fn(&Seen) -> Answer,
}

/// What a handler sees.
struct Seen {
    csrf: CsrfHandle,
    session: Option<SessionHandle>,
    body: Vec<u8>,
    /// How many pieces of the body had been read when it was called.
    read_before: usize,
}

/// A GET of a page, by a visitor with a secret.
fn get(handler: fn(&Seen) -> Answer) -> Visit {
    Visit {
        csrf: Csrf::new("https://example.com").unwrap(),
        outer: None,
        is_unchecked: false,
        has_session: true,
        method: "GET",
        headers: vec![("cookie", format!("csrftoken={SECRET}"))],
        pieces: Vec::new(),
        handler,
    }
}

/// A POST by a page of the site, without a token.
fn post(kind: &str, pieces: &[&str]) -> Visit {
    let visit = get(|seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        Answer::new(200).body(body).header("x-read-before", &seen.read_before.to_string())
    });
    Visit {
        method: "POST",
        pieces: pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect(),
        ..visit
    }
    .header("origin", "https://example.com")
    .header("content-type", kind)
}

impl Visit {
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    /// Returns the answer, what was logged, and how many pieces of the body were read in all.
    fn send(&self, middleware: Middleware) -> (Answer, Vec<String>, usize) {
        let read = Arc::new(AtomicUsize::new(0));
        let (answer, log) = logged(|| match middleware {
            Middleware::Tower => {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(through_tower(self.clone(), Arc::clone(&read)))
            }
            Middleware::Actix => actix_web::rt::System::new()
                .block_on(through_actix(self.clone(), Arc::clone(&read))),
        });
        (answer, log, read.load(Ordering::SeqCst))
    }
}

/// The pieces of a body as a stream, which counts those that are read.
fn stream(
    pieces: Vec<Vec<u8>>,
    read: Arc<AtomicUsize>,
) -> impl futures_util::Stream<Item = Option<Vec<u8>>> {
    futures_util::StreamExt::map(futures_util::stream::iter(pieces), move |piece| {
        read.fetch_add(1, Ordering::SeqCst);
        (!piece.is_empty()).then_some(piece)
    })
}

async fn through_tower(visit: Visit, read: Arc<AtomicUsize>) -> Answer {
    use std::convert::Infallible;
    use std::io;

    use axum::body::{Body, Bytes};
    use axum::http::Request;
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use signed_session::SessionLayer;
    use signed_session::django::CsrfLayer;
    use tower::util::BoxCloneService;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    let (handler, counter) = (visit.handler, Arc::clone(&read));
    let service = service_fn(move |request: Request<Body>| {
        let csrf = CsrfHandle::from_extensions(request.extensions()).unwrap();
        let session = SessionHandle::from_extensions(request.extensions()).ok();
        let read_before = counter.load(Ordering::SeqCst);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
            let answer = handler(&Seen { csrf, session, body, read_before });
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            Ok::<_, Infallible>(response.body(answer.body).unwrap())
        }
    });
    let mut service = BoxCloneService::new(service);
    for csrf in [visit.csrf].into_iter().chain(visit.outer) {
        let layer = CsrfLayer::new(csrf);
        let layer = if visit.is_unchecked { layer.unchecked() } else { layer };
        // As axum's router does, whose body is always the same.
        let inner = service.map_request(|request: Request<_>| request.map(Body::new));
        service = BoxCloneService::new(layer.layer(inner).map_response(unwrapped));
    }
    if visit.has_session {
        let layered = SessionLayer::new(manager()).layer(service).map_response(unwrapped);
        service = BoxCloneService::new(layered);
    }
    let frames = stream(visit.pieces, read).map(|piece| match piece {
        Some(piece) => Ok(axum_frame(Bytes::from(piece))),
        None => Err(io::Error::other("the connection broke")),
    });
    let mut request = Request::builder().method(visit.method).uri("/page");
    for (name, value) in visit.headers {
        request = request.header(name, value);
    }
    let request = request.body(Body::new(StreamBody::new(frames))).unwrap();
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let answer = Answer::new(head.status.as_u16()).body(body);
    head.headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name.as_str(), value.to_str().unwrap()))
}

fn axum_frame<D>(data: D) -> hyper::body::Frame<D> {
    hyper::body::Frame::data(data)
}

fn unwrapped(response: Response<SessionBody<String>>) -> Response<String> {
    response.map(|body| body.into_inner().unwrap_or_default())
}

async fn through_actix(visit: Visit, read: Arc<AtomicUsize>) -> Answer {
    use actix_web::dev::{Payload, Service as _};
    use actix_web::error::PayloadError;
    use actix_web::http::{Method, StatusCode};
    use actix_web::middleware::Condition;
    use actix_web::{App, FromRequest as _, HttpRequest, HttpResponse, body, test, web};
    use futures_util::StreamExt as _;
    use signed_session::SessionMiddleware;
    use signed_session::django::CsrfMiddleware;

    let (handler, counter) = (visit.handler, Arc::clone(&read));
    let page = move |request: HttpRequest, payload: web::Payload| {
        let read_before = counter.load(Ordering::SeqCst);
        async move {
            let csrf = CsrfHandle::extract(&request).await.unwrap();
            let session = SessionHandle::extract(&request).await.ok();
            let pieces: Vec<_> = payload.map(|piece| piece.unwrap().to_vec()).collect().await;
            let answer = handler(&Seen { csrf, session, body: pieces.concat(), read_before });
            let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
            for header in answer.headers {
                response.append_header(header);
            }
            response.body(answer.body)
        }
    };
    let middleware = |csrf: &Csrf| match visit.is_unchecked {
        true => CsrfMiddleware::new(csrf.clone()).unchecked(),
        false => CsrfMiddleware::new(csrf.clone()),
    };
    let (inner, pieces) = (middleware(&visit.csrf), visit.pieces);
    let (outer, is_twice) =
        (middleware(visit.outer.as_ref().unwrap_or(&visit.csrf)), visit.outer.is_some());
    let app = App::new()
        .default_service(web::to(page))
        .wrap(inner)
        .wrap(Condition::new(is_twice, outer))
        .wrap(Condition::new(visit.has_session, SessionMiddleware::new(manager())))
        .wrap_fn(move |mut request, next| {
            let payload = stream(pieces.clone(), Arc::clone(&read)).map(|piece| match piece {
                Some(piece) => Ok(piece.into()),
                None => Err(PayloadError::Incomplete(None)),
            });
            let payload: Pin<Box<dyn futures_util::Stream<Item = _>>> = Box::pin(payload);
            request.set_payload(Payload::Stream { payload });
            next.call(request)
        });
    let service = test::init_service(app).await;
    let method = Method::from_bytes(visit.method.as_bytes()).unwrap();
    let request = visit
        .headers
        .into_iter()
        .fold(test::TestRequest::with_uri("/page").method(method), |request, header| {
            request.append_header(header)
        });
    let response = match service.call(request.to_request()).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    let answer = Answer::new(response.status().as_u16());
    let answer = response.headers().iter().fold(answer, |answer, (name, value)| {
        answer.header(name.as_str(), value.to_str().unwrap())
    });
    answer.body(str::from_utf8(&body::to_bytes(response.into_body()).await.unwrap()).unwrap())
}

/// What a visit comes to: the status, and the one line of the log.
#[track_caller]
fn check(visit: &Visit, status: u16, line: &str) {
    for middleware in MIDDLEWARES {
        let (answer, log, _) = visit.send(middleware);
        assert_eq!(answer.status, status, "{middleware:?}: {log:?}");
        match line {
            "" => assert_eq!(log, [""; 0], "{middleware:?}"),
            line => {
                assert_eq!(answer.body, "", "{middleware:?}: a bare refusal");
                assert!(log.len() == 1 && log[0].contains(line), "{middleware:?}: {log:?}");
            }
        }
    }
}

fn reason(error: CsrfError) -> String {
    format!("reason={error}")
}

// What is read.

#[test]
fn a_form_is_read_for_its_field_and_handed_on_to_the_byte() {
    let odd = format!("a=%ff+%&csrfmiddlewaretoken={TOKEN}&b=&&=\u{e9}");
    for pieces in [
        vec![&*odd],
        vec![&odd[..3], &odd[3..30], &odd[30..]],
        odd.split_inclusive(|_| true).collect::<Vec<_>>(),
    ] {
        for middleware in MIDDLEWARES {
            let (answer, log, _) = post(FORM, &pieces).send(middleware);
            assert_eq!((answer.status, answer.body.as_str()), (200, &*odd), "{log:?}");
            assert_eq!(answer.all("x-read-before"), [pieces.len().to_string()]);
            assert_eq!(answer.all("set-cookie"), [""; 0]);
        }
    }
}

#[test]
fn with_the_header_no_body_is_read_whatever_it_is() {
    let long = "x".repeat(100_000);
    for kind in [FORM, "multipart/form-data; boundary=x", "application/json", "text/plain", ""] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let pieces = ["csrfmiddlewaretoken=wrong&", &long, &long];
            let visit = Visit { method, ..post(kind, &pieces) }.header("x-csrftoken", TOKEN);
            for middleware in MIDDLEWARES {
                let (answer, log, _) = visit.send(middleware);
                assert_eq!((answer.status, answer.body.len()), (200, 200_026), "{log:?}");
                assert_eq!(answer.all("x-read-before"), ["0"]);
            }
        }
    }
}

#[test]
fn a_form_longer_than_the_limit_is_a_413() {
    let form = |len: usize| {
        let field = format!("csrfmiddlewaretoken={TOKEN}&a=");
        let rest = "x".repeat(len - field.len());
        post(FORM, &[&field, &rest])
    };
    check(&form(65_536), 200, "");
    check(&form(65_537), 413, "too long to be searched for the CSRF token limit=65536");
    let small = Csrf::new("https://example.com").unwrap().form_limit(100);
    check(&Visit { csrf: small.clone(), ..form(100) }, 200, "");
    let visit = Visit { csrf: small, ..form(101) };
    check(&visit, 413, "limit=100");
    // Not more is read than it takes to see that.
    let endless = Visit { pieces: vec![vec![b'x'; 60]; 1000], ..visit };
    for middleware in MIDDLEWARES {
        assert_eq!(endless.send(middleware).2, 2, "{middleware:?}");
    }
}

#[test]
fn a_request_that_is_refused_anyway_is_not_read() {
    let pieces = [&*format!("csrfmiddlewaretoken={TOKEN}")];
    for (visit, error) in [
        (post(FORM, &pieces).without("cookie"), CsrfError::NoSecret),
        (
            post(FORM, &pieces).without("cookie").header("cookie", "csrftoken=short"),
            CsrfError::MalformedSecret,
        ),
        (
            post(FORM, &pieces).without("origin").header("origin", "https://evil.example"),
            CsrfError::Origin,
        ),
        (post(FORM, &pieces).without("origin"), CsrfError::NoReferer),
        (post("multipart/form-data; boundary=x", &pieces), CsrfError::NoToken),
        (post("application/json", &pieces), CsrfError::NoToken),
        (post("text/plain", &pieces), CsrfError::NoToken),
        (Visit { method: "PUT", ..post(FORM, &pieces) }, CsrfError::NoToken),
        (post(FORM, &pieces).header("x-csrftoken", "short"), CsrfError::MalformedToken),
    ] {
        check(&visit, 403, &reason(error));
        for middleware in MIDDLEWARES {
            assert_eq!(visit.send(middleware).2, 0, "{middleware:?}: {error:?}");
        }
    }
    check(&post(FORM, &["a=1"]), 403, &reason(CsrfError::NoToken));
    let wrong = format!("csrfmiddlewaretoken={}", "x".repeat(64));
    check(&post(FORM, &[&wrong]), 403, &reason(CsrfError::WrongToken));
    // One that breaks off has no token.
    for middleware in MIDDLEWARES {
        let broken = post(FORM, &[pieces[0], ""]);
        assert_eq!(broken.send(middleware).0.status, 403);
    }
}

#[test]
fn the_log_says_what_to_do_about_what_is_not_a_visitor_s_fault() {
    let visit = post("multipart/form-data; boundary=x", &["--x"]);
    check(&visit, 403, "a multipart body is not read, so the token must be in the header");
    let visit = post(FORM, &[""]).without("origin").header("origin", "http://example.com");
    check(&visit, 403, "a proxy terminates TLS");
    check(&visit, 403, "sent=\"http://example.com\" own=\"https://example.com\"");
}

#[test]
fn under_an_unchecked_layer_the_handler_checks() {
    let visit = Visit {
        is_unchecked: true,
        handler: |seen| {
            let field = str::from_utf8(&seen.body).unwrap().split_once("\r\n\r\n");
            match seen.csrf.check(field.map(|(_, value)| value)) {
                Ok(()) => Answer::new(200).body(seen.csrf.token()),
                Err(error) => Answer::new(403).body(error),
            }
        },
        ..post("multipart/form-data; boundary=x", &["--x\r\n\r\n", TOKEN])
    };
    for middleware in MIDDLEWARES {
        let (answer, ..) = visit.send(middleware);
        assert_eq!((answer.status, answer.body.len()), (200, 64));
        assert_eq!(answer.all("set-cookie").len(), 1);
        for (visit, error) in [
            (visit.clone().without("cookie"), CsrfError::NoSecret),
            (visit.clone().without("origin"), CsrfError::NoReferer),
            (Visit { pieces: vec![b"--x".to_vec()], ..visit.clone() }, CsrfError::NoToken),
        ] {
            let (answer, ..) = visit.send(middleware);
            assert_eq!((answer.status, answer.body), (403, error.to_string()));
        }
    }
}

// What is sent.

#[test]
fn a_page_with_a_token_sets_the_cookie_and_no_other_page_does() {
    for middleware in MIDDLEWARES {
        let (answer, log, _) = get(|_| Answer::new(200)).send(middleware);
        answer.assert_no_trace();
        assert_eq!(log, [""; 0]);
        let visit = get(|seen| Answer::new(599).body(seen.csrf.token() + &seen.csrf.token()));
        let (answer, ..) = visit.send(middleware);
        let cookies = answer.all("set-cookie");
        let ours = format!("csrftoken={SECRET}; SameSite=Lax; Secure; Path=/; Max-Age=31449600; ");
        assert!(cookies.len() == 1 && cookies[0].starts_with(&ours), "{cookies:?}");
        assert_eq!(answer.all("vary"), ["Cookie"]);
        assert_eq!(answer.all("cache-control"), ["private"]);
        assert_ne!(answer.body[..64], answer.body[64..]);
        // The session is not looked at.
        assert_eq!(answer.session().map(|session| session.len()), None);
    }
}

#[test]
fn a_visitor_without_a_secret_gets_one_and_its_form_passes() {
    for middleware in MIDDLEWARES {
        for in_session in [false, true] {
            let mut page = get(|seen| Answer::new(200).body(seen.csrf.token())).without("cookie");
            if in_session {
                page.csrf = page.csrf.in_session();
            }
            let (answer, ..) = page.send(middleware);
            let cookies = answer.all("set-cookie");
            assert_eq!(cookies.len(), 1, "{cookies:?}");
            assert_eq!(cookies[0].starts_with("sessionid="), in_session);
            let sent = cookies[0].split(';').next().unwrap();
            let form = format!("csrfmiddlewaretoken={}", answer.body);
            let visit = post(FORM, &[&form]).without("cookie").header("cookie", sent);
            let (answer, log, _) = Visit { csrf: page.csrf, ..visit }.send(middleware);
            assert_eq!((answer.status, answer.body.clone()), (200, form), "{log:?}");
            let varies: &[&str] = if in_session { &["Cookie"] } else { &[] };
            assert_eq!(answer.all("vary"), varies, "the session decided");
        }
    }
}

#[test]
fn a_login_replaces_the_secret_and_a_login_that_fails_does_not() {
    let login = |status: u16| -> fn(&Seen) -> Answer {
        match status {
            200 => |seen| {
                let before = seen.csrf.token();
                seen.session.as_ref().unwrap().begin(|_| true);
                Answer::new(200).body(before + &seen.csrf.token())
            },
            302 => |seen| {
                seen.session.as_ref().unwrap().begin(|_| true);
                Answer::new(302)
            },
            _ => |seen| {
                seen.session.as_ref().unwrap().begin(|_| true);
                Answer::new(500)
            },
        }
    };
    for middleware in MIDDLEWARES {
        for status in [200, 302, 500] {
            let visit = Visit { handler: login(status), ..post(FORM, &[]) };
            let visit = visit.header("x-csrftoken", TOKEN);
            let (answer, ..) = visit.send(middleware);
            assert_eq!(answer.status, status);
            let cookies = answer.all("set-cookie");
            let ours: Vec<_> = cookies.iter().filter(|it| it.starts_with("csrftoken=")).collect();
            if status == 500 {
                assert_eq!(ours.len(), 0);
                continue;
            }
            assert!(ours.len() == 1 && !ours[0].contains(SECRET), "{ours:?}");
            assert_eq!(answer.all("vary"), ["Cookie"]);
            if status == 200 {
                let cookie = ours[0].split(';').next().unwrap();
                for (token, expected) in [(&answer.body[..64], 403), (&answer.body[64..], 200)] {
                    let visit = post(FORM, &[]).without("cookie").header("cookie", cookie);
                    let (answer, ..) = visit.header("x-csrftoken", token).send(middleware);
                    assert_eq!(answer.status, expected);
                }
            }
        }
        // A session that is only written stays with its secret.
        let visit = get(|seen| {
            seen.session.as_ref().unwrap().insert("cart", 1).unwrap();
            Answer::new(200)
        });
        let (answer, ..) = visit.send(middleware);
        assert_eq!(answer.all("set-cookie").len(), 1);
        // By hand.
        let visit = get(|seen| {
            seen.csrf.rotate();
            Answer::new(200)
        });
        let (answer, ..) = visit.send(middleware);
        assert!(
            answer.all("set-cookie").len() == 1 && !answer.all("set-cookie")[0].contains(SECRET)
        );
    }
}

#[test]
fn in_sessions_the_secret_ends_with_the_session_it_is_in() {
    let secret_of = |answer: &Answer| answer.session()?.get::<String>("_csrftoken").unwrap();
    for middleware in MIDDLEWARES {
        let mut page = get(|seen| Answer::new(200).body(seen.csrf.token())).without("cookie");
        page.csrf = page.csrf.in_session();
        let page = page.header("cookie", cookie("ada"));
        let (answer, ..) = page.send(middleware);
        let first = secret_of(&answer).unwrap();
        assert_eq!(answer.all("set-cookie").len(), 1);
        let session = answer.cookie().unwrap().to_owned();

        let form = Visit { csrf: page.csrf.clone(), ..post(FORM, &[]) };
        let form = form.without("cookie").header("cookie", &session);
        let form = form.header("x-csrftoken", &answer.body);
        for (handler, expected) in [
            ((|_| Answer::new(200)) as fn(&Seen) -> Answer, None),
            (
                |seen| {
                    seen.session.as_ref().unwrap().begin(|_| true);
                    Answer::new(200)
                },
                Some(false),
            ),
            (
                |seen| {
                    seen.session.as_ref().unwrap().begin(|_| true);
                    Answer::new(200).body(seen.csrf.token())
                },
                Some(true),
            ),
        ] {
            let (answer, log, _) = Visit { handler, ..form.clone() }.send(middleware);
            assert_eq!(answer.status, 200, "{log:?}");
            assert_eq!(answer.session().is_some(), expected.is_some());
            let second = secret_of(&answer);
            assert_eq!(second.is_some(), expected == Some(true));
            assert_ne!(second, Some(first.clone()));
            let user = answer.session().map(|session| session.get::<String>("user").unwrap());
            assert_eq!(user, expected.map(|_| Some("ada".to_owned())));
        }
    }
}

#[test]
fn layers_around_each_other_set_one_cookie_and_each_checks() {
    let csrf = Csrf::new("https://example.com").unwrap();
    let strict = Csrf::new("https://other.example").unwrap();
    for middleware in MIDDLEWARES {
        for outer in [csrf.clone(), csrf.clone().form_limit(1000)] {
            let around =
                |visit: Visit| Visit { csrf: csrf.clone(), outer: Some(outer.clone()), ..visit };
            let login = get(|seen| {
                seen.session.as_ref().unwrap().begin(|_| false);
                Answer::new(200).body(seen.csrf.token())
            });
            let (answer, ..) = around(login).send(middleware);
            let cookies = answer.all("set-cookie");
            let ours: Vec<_> = cookies.iter().filter(|it| it.starts_with("csrftoken=")).collect();
            assert_eq!(ours.len(), 1, "{cookies:?}");
            let sent = ours[0].split(';').next().unwrap();
            let form = format!("csrfmiddlewaretoken={}&a=1", answer.body);
            let visit = post(FORM, &[&form[..9], &form[9..]]).without("cookie");
            let visit = around(visit.header("cookie", sent));
            let (answer, log, _) = visit.send(middleware);
            assert_eq!((answer.status, answer.body), (200, form), "{log:?}");
            // Either refuses, whatever the other allows.
            for (csrf, outer) in [(&strict, &outer), (&csrf, &strict)] {
                let (csrf, outer) = (csrf.clone(), Some(outer.clone()));
                let (answer, ..) = Visit { csrf, outer, ..visit.clone() }.send(middleware);
                assert_eq!(answer.status, 403);
            }
        }
    }
}

#[test]
fn a_page_without_a_form_does_not_look_at_the_session() {
    for middleware in MIDDLEWARES {
        for in_session in [false, true] {
            let mut visit = get(|_| Answer::new(200)).header("cookie", "sessionid=forged:a:b");
            if in_session {
                visit.csrf = visit.csrf.in_session();
            }
            let (answer, log, _) = visit.send(middleware);
            answer.assert_no_trace();
            // A session that is looked at and refused is logged.
            assert_eq!(log, [""; 0]);
            visit.handler = |seen| Answer::new(200).body(seen.csrf.token());
            assert_eq!(visit.send(middleware).1.len(), usize::from(in_session));
        }
    }
}

#[test]
fn without_a_session_secrets_in_sessions_are_a_500_that_says_why() {
    let visit = get(|_| Answer::new(200));
    let alone = Visit { has_session: false, ..visit.clone() };
    check(&alone, 200, "");
    let visit = Visit { csrf: visit.csrf.in_session(), has_session: false, ..visit };
    check(&visit, 500, "no session middleware is around");
}

#[test]
fn without_a_layer_the_response_says_which_one_and_where_it_goes() {
    use actix_web::{App, test, web};
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn page(csrf: CsrfHandle) -> String {
        csrf.token()
    }
    async fn checked(csrf: CsrfHandle) -> Result<String, CsrfError> {
        csrf.check(None).map(|()| csrf.token())
    }
    let ((), log) = logged(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let app = axum::Router::new().route("/", get(page));
            let request = axum::http::Request::<axum::body::Body>::default();
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains(".layer(CsrfLayer::new(csrf)) to the Router"), "{body}");

            // A check in a handler that fails is a bare 403.
            let csrf = Csrf::new("https://example.com").unwrap();
            let layer = signed_session::django::CsrfLayer::new(csrf).unchecked();
            let app = axum::Router::new().route("/", axum::routing::post(checked)).layer(layer);
            let mut request = axum::http::Request::<axum::body::Body>::default();
            *request.method_mut() = axum::http::Method::POST;
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(response.status(), 403);
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        });
        actix_web::rt::System::new().block_on(async {
            let app = App::new().route("/", web::get().to(page));
            let request = test::TestRequest::get().to_request();
            let response = test::call_service(&test::init_service(app).await, request).await;
            assert_eq!(response.status(), 500);
            let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
            assert!(body.contains(".wrap(CsrfMiddleware::new(csrf)) to the App"), "{body}");
        });
    });
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log[1].contains("code=\"no_referer\""), "{log:?}");
}

#[test]
fn a_token_after_the_head_of_the_response_is_warned_of() {
    use std::sync::Mutex;
    static KEPT: Mutex<Option<CsrfHandle>> = Mutex::new(None);
    for middleware in MIDDLEWARES {
        let visit = get(|seen| {
            *KEPT.lock().unwrap() = Some(seen.csrf.clone());
            Answer::new(200)
        });
        let _ = visit.send(middleware);
        let late = KEPT.lock().unwrap().take().unwrap();
        let (_, log) = logged(|| late.token());
        assert!(log.len() == 1 && log[0].starts_with("WARN a CSRF token was requested after"));
    }
}
