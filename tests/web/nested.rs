//! Layers around layers, gateways, and responses that are late: nobody's cookie is undone.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use signed_session::{
    Compress, CookieOptions, Session, SessionCodec, SessionHandle, SessionManager,
};
use time::OffsetDateTime;

use crate::common::{Answer, codec, cookie, logged, manager, options};

/// A second session in the same request.
struct Admin;

pub(crate) type Handler = fn(SessionHandle) -> u16;

/// What handlers are: functions of a session that return a status.
pub(crate) trait Page: Fn(SessionHandle) -> u16 + Clone + Send + Sync + 'static {}
impl<F: Fn(SessionHandle) -> u16 + Clone + Send + Sync + 'static> Page for F {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Framework {
    Tower,
    Axum,
    Actix,
}

pub(crate) const FRAMEWORKS: [Framework; 3] = [Framework::Tower, Framework::Axum, Framework::Actix];

/// Two layers around a handler, the first outside.
pub(crate) enum Layers {
    /// Clones of one layer.
    Same(SessionManager),
    /// Layers with managers of their own.
    Apart(SessionManager, SessionManager),
    /// One with a marker, inside.
    Marked(SessionManager, SessionManager),
}

impl Framework {
    pub(crate) fn answer(self, layers: Layers, cookies: &str, handler: impl Page) -> Answer {
        match self {
            Self::Tower => now(through_tower(layers, cookies, handler)),
            Self::Axum => now(through_axum(layers, cookies, handler)),
            Self::Actix => now(through_actix(layers, cookies, handler)),
        }
    }
}

async fn through_tower(layers: Layers, cookies: &str, handler: impl Page) -> Answer {
    use std::convert::Infallible;

    use axum::http::{Request, Response};
    use signed_session::SessionLayer;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    let page = move |request: Request<()>| {
        let session = SessionHandle::from_extensions(request.extensions()).unwrap();
        if let Ok(admin) = SessionHandle::<Admin>::from_extensions(request.extensions()) {
            admin.insert("admin", 1).unwrap();
        }
        let response = Response::builder().status(handler(session)).body(()).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    };
    let request = Request::get("/").header("cookie", cookies).body(()).unwrap();
    let page = service_fn(page);
    let response = match layers {
        Layers::Same(manager) => {
            let layer = SessionLayer::new(manager);
            layer.layer(layer.layer(page)).oneshot(request).await
        }
        Layers::Apart(outer, inner) => {
            SessionLayer::new(outer)
                .layer(SessionLayer::new(inner).layer(page))
                .oneshot(request)
                .await
        }
        Layers::Marked(outer, marked) => {
            let inner = SessionLayer::marked::<Admin>(marked).layer(page);
            SessionLayer::new(outer).layer(inner).oneshot(request).await
        }
    };
    let Ok(response) = response;
    collect(response.status().as_u16(), response.headers())
}

/// Returns an answer without its body.
fn collect(status: u16, headers: &axum::http::HeaderMap) -> Answer {
    headers.iter().fold(Answer::new(status), |answer, (name, value)| {
        answer.header(name.as_str(), value.to_str().unwrap())
    })
}

async fn through_axum(layers: Layers, cookies: &str, handler: impl Page) -> Answer {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::{Router, routing::any};
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let status = |status| StatusCode::from_u16(status).unwrap();
    let single = handler.clone();
    let page = move |session: SessionHandle| {
        let status = status(single(session));
        async move { status }
    };
    let inner = Router::new().route("/", any(page));
    let app = match layers {
        Layers::Same(manager) => {
            let layer = SessionLayer::new(manager);
            Router::new().nest("/in", inner.layer(layer.clone())).layer(layer)
        }
        Layers::Apart(outer, inner_manager) => Router::new()
            .nest("/in", inner.layer(SessionLayer::new(inner_manager)))
            .layer(SessionLayer::new(outer)),
        Layers::Marked(outer, marked) => {
            let page = move |session: SessionHandle, admin: SessionHandle<Admin>| {
                admin.insert("admin", 1).unwrap();
                let status = status(handler(session));
                async move { status }
            };
            let inner = Router::new().route("/", any(page));
            Router::new()
                .nest("/in", inner.layer(SessionLayer::marked::<Admin>(marked)))
                .layer(SessionLayer::new(outer))
        }
    };
    let request = Request::get("/in").header("cookie", cookies).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    collect(response.status().as_u16(), response.headers())
}

async fn through_actix(layers: Layers, cookies: &str, handler: impl Page) -> Answer {
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};
    use signed_session::SessionMiddleware;

    let respond =
        move |status: u16| HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish();
    let single = handler.clone();
    let page = move |session: SessionHandle| {
        let response = respond(single(session));
        async move { response }
    };
    let request = TestRequest::get().uri("/in").append_header(("cookie", cookies)).to_request();
    macro_rules! answer {
        ($app:expr) => {{
            let service = init_service($app).await;
            let response = match try_call_service(&service, request).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            let answer = Answer::new(response.status().as_u16());
            response.headers().iter().fold(answer, |answer, (name, value)| {
                answer.header(name.as_str(), value.to_str().unwrap())
            })
        }};
    }
    match layers {
        Layers::Same(manager) => {
            let layer = SessionMiddleware::new(manager);
            let inner = web::scope("/in").wrap(layer.clone()).default_service(web::to(page));
            answer!(App::new().wrap(layer).service(inner))
        }
        Layers::Apart(outer, inner_manager) => {
            let layer = SessionMiddleware::new(inner_manager);
            let inner = web::scope("/in").wrap(layer).default_service(web::to(page));
            answer!(App::new().wrap(SessionMiddleware::new(outer)).service(inner))
        }
        Layers::Marked(outer, marked) => {
            let page = move |session: SessionHandle, admin: SessionHandle<Admin>| {
                admin.insert("admin", 1).unwrap();
                let response = respond(handler(session));
                async move { response }
            };
            let layer = SessionMiddleware::marked::<Admin>(marked);
            let inner = web::scope("/in").wrap(layer).default_service(web::to(page));
            answer!(App::new().wrap(SessionMiddleware::new(outer)).service(inner))
        }
    }
}

/// Returns what a future comes to that never waits.
fn now<R>(future: impl Future<Output = R>) -> R {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn nothing(_: SessionHandle) -> u16 {
    200
}

fn read(session: SessionHandle) -> u16 {
    let _ = session.get::<String>("user");
    200
}

fn log_in(session: SessionHandle) -> u16 {
    session.flush();
    session.insert("user", "grace").unwrap();
    200
}

fn log_out(session: SessionHandle) -> u16 {
    session.flush();
    200
}

/// Every setting that sends a cookie unasked, at once.
fn eager(manager: SessionManager) -> SessionManager {
    manager
        .save_every_request(true)
        .refresh_after(Duration::from_secs(1))
        .reissue_under_primary(true)
        .retire(CookieOptions::new("sid").unwrap())
}

const COOKIES: [&str; 3] = ["sessionid=1234567", "sessionid=forged:1r31eq:forged", "sessionid="];

// Layers.

#[test]
fn the_same_layer_twice_is_one_session() {
    for framework in FRAMEWORKS {
        for header in [&cookie("ada")[..], COOKIES[0], COOKIES[1], COOKIES[2], "a=b"] {
            let answer = |handler: Handler| {
                framework.answer(Layers::Same(eager(manager())), header, handler)
            };
            let session = answer(log_in).session().unwrap();
            assert_eq!(session.get("user"), Ok(Some("grace")), "{framework:?} {header}");
            let is_there = header != "a=b";
            let removed = is_there.then_some("sessionid=");
            assert_eq!(answer(log_out).cookie(), removed, "{framework:?} {header}");
            let is_kept = header.starts_with("sessionid=e");
            assert_eq!(answer(nothing).cookie().is_some(), is_kept, "{framework:?} {header}");
            assert_eq!(answer(|_| 500).cookie(), None);
        }
    }
}

#[test]
fn a_layer_inside_of_another_speaks_for_both() {
    for framework in FRAMEWORKS {
        for header in [&cookie("ada")[..], COOKIES[0], COOKIES[1], COOKIES[2]] {
            // The outer one has the same ring and cookie, but it is another one.
            for inner in [manager(), eager(manager())] {
                let answer = |handler: Handler| {
                    let layers = Layers::Apart(eager(manager()), inner.clone());
                    framework.answer(layers, header, handler)
                };
                let session = answer(log_in).session().unwrap();
                assert_eq!(session.get("user"), Ok(Some("grace")), "{framework:?} {header}");
                assert_eq!(answer(log_out).cookie(), Some("sessionid="), "{framework:?} {header}");
            }
            let silent = Layers::Apart(eager(manager()), manager());
            assert_eq!(framework.answer(silent, header, read).cookie(), None);
        }
        // It is silent under another name, too: the handlers cannot reach its session.
        let other = SessionManager::new(codec(), CookieOptions::new("other").unwrap());
        let token = cookie("ada").replace("sessionid", "other");
        let answer = framework.answer(Layers::Apart(eager(other), manager()), &token, read);
        assert_eq!(answer.all("set-cookie"), [""; 0], "{framework:?}");
    }
}

#[test]
fn layers_with_markers_serve_the_same_handler() {
    for framework in FRAMEWORKS {
        let office = SessionManager::new(codec(), CookieOptions::new("office").unwrap());
        let answer = framework.answer(Layers::Marked(manager(), office), "a=b", log_in);
        let cookies = answer.all("set-cookie");
        assert_eq!(cookies.len(), 2, "{framework:?}: {cookies:?}");
        let token = |name: &str| {
            let ours = cookies.iter().find_map(|cookie| cookie.strip_prefix(name)).unwrap();
            codec().decode(ours.split(';').next().unwrap()).unwrap()
        };
        assert_eq!(token("sessionid=").get("user"), Ok(Some("grace")));
        assert_eq!(token("office=").get("admin"), Ok(Some(1)));
    }
}

/// A glob of this crate leaves the names of others alone.
mod glob {
    use axum::Router;
    use signed_session::*;
    use tower::ServiceBuilder;

    #[test]
    fn the_whole_crate_can_be_imported() {
        let manager = super::manager();
        let _: Router = axum::Router::new().layer(SessionLayer::new(manager.clone()));
        let _ = ServiceBuilder::new().layer(SessionLayer::new(manager));
        let _ = actix_web::web::scope("/");
    }
}

#[test]
fn a_layer_is_shared_past_another_between() {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    use axum::{Router, routing::any};
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let (a, b) = (SessionLayer::new(eager(manager())), SessionLayer::new(eager(manager())));
    let between = |session: SessionHandle, request: Request, next: Next| async move {
        session.insert("between", 1).unwrap();
        next.run(request).await
    };
    let app = Router::new()
        .route("/", any(|session: SessionHandle| async move { _ = log_in(session) }))
        .layer(a.clone())
        .layer(b)
        .layer(from_fn(between))
        .layer(a);
    let request = Request::get("/").header("cookie", cookie("ada")).body(Body::empty()).unwrap();
    let response = now(app.oneshot(request)).unwrap();
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    let token = cookie.to_str().unwrap().strip_prefix("sessionid=").unwrap();
    let session = codec().decode(token.split(';').next().unwrap()).unwrap();
    assert_eq!(session.get("user"), Ok(Some("grace")));
}

#[test]
fn an_error_of_an_actix_middleware_keeps_its_response() {
    use actix_web::dev::ServiceResponse;
    use actix_web::error::InternalError;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, Error, HttpMessage as _, HttpResponse};
    use signed_session::SessionMiddleware;

    let office = || SessionManager::new(codec(), CookieOptions::new("office").unwrap());
    for (handler, cookie_is_removed) in
        [(nothing as Handler, false), (read, false), (log_out, true)]
    {
        let answer = now(async {
            let app = App::new()
                .wrap_fn(move |request, _| {
                    let session = request.extensions().get::<SessionHandle>().unwrap().clone();
                    handler(session);
                    let refused = HttpResponse::Unauthorized().body("log in first");
                    let error: Error = InternalError::from_response("no", refused).into();
                    async move { Err::<ServiceResponse, _>(error) }
                })
                .wrap(SessionMiddleware::new(manager()))
                .wrap(SessionMiddleware::marked::<Admin>(office()));
            let service = init_service(app).await;
            let request = TestRequest::get().append_header(("cookie", cookie("ada"))).to_request();
            let error = try_call_service(&service, request).await.unwrap_err();
            let response = error.error_response();
            response
                .headers()
                .iter()
                .fold(Answer::new(response.status().as_u16()), |answer, (name, value)| {
                    answer.header(name.as_str(), value.to_str().unwrap())
                })
        });
        assert_eq!(answer.status, 401);
        assert_eq!(answer.cookie(), cookie_is_removed.then_some("sessionid="));
    }
}

// Gateways.

/// Answers as a gateway does: it uses the session, and passes the request on to a site that
/// answers with these headers.
fn gateway(
    framework: Framework,
    manager: SessionManager,
    header: &str,
    handler: Handler,
    site: &'static [(&'static str, &'static str)],
) -> Answer {
    use axum::body::Body;
    use axum::http::{Request, Response};
    use signed_session::SessionLayer;
    use tower::{ServiceBuilder, ServiceExt as _, service_fn};

    match framework {
        Framework::Tower | Framework::Axum => now(async {
            let service = service_fn(|request: Request<Body>| async move {
                handler(SessionHandle::from_extensions(request.extensions()).unwrap());
                let response = site.iter().fold(Response::builder(), |r, (n, v)| r.header(*n, *v));
                Ok::<_, std::convert::Infallible>(response.body(Body::empty()).unwrap())
            });
            let service = ServiceBuilder::new().layer(SessionLayer::new(manager)).service(service);
            let request = Request::get("/").header("cookie", header).body(Body::empty()).unwrap();
            let response = service.oneshot(request).await.unwrap();
            response.headers().iter().fold(Answer::new(200), |answer, (name, value)| {
                answer.header(name.as_str(), value.to_str().unwrap())
            })
        }),
        Framework::Actix => now(async {
            use actix_web::test::{TestRequest, call_service, init_service};
            use actix_web::{App, HttpResponse, web};

            let page = move |session: SessionHandle| async move {
                handler(session);
                let mut response = HttpResponse::Ok();
                site.iter().for_each(|header| _ = response.append_header(*header));
                response.finish()
            };
            let layer = signed_session::SessionMiddleware::new(manager);
            let app = App::new().wrap(layer).default_service(web::to(page));
            let service = init_service(app).await;
            let request = TestRequest::get().append_header(("cookie", header)).to_request();
            let response = call_service(&service, request).await;
            response.headers().iter().fold(Answer::new(200), |answer, (name, value)| {
                answer.header(name.as_str(), value.to_str().unwrap())
            })
        }),
    }
}

#[test]
fn a_gateway_leaves_the_login_of_the_site_alone() {
    for framework in FRAMEWORKS {
        for header in [&cookie("ada")[..], COOKIES[0], COOKIES[1], COOKIES[2]] {
            for site in [
                &[("Set-Cookie", "sessionid=eyJ9:1r31eq:sig; HttpOnly; Path=/")][..],
                &[("set-cookie", "theme=dark"), ("set-cookie", " sessionid =\"\"; Max-Age=0")],
            ] {
                let answer = gateway(framework, eager(manager()), header, read, site);
                let of_the_site: Vec<&str> = site.iter().map(|(_, value)| value.trim()).collect();
                let found: Vec<&str> =
                    answer.all("set-cookie").iter().map(|value| value.trim()).collect();
                assert_eq!(found, of_the_site, "{framework:?} {header}");
                assert_eq!(answer.all("vary"), ["Cookie"]);
            }
        }
        // A cookie with another name does not suppress it.
        let site = &[("set-cookie", "sessionid2=1"), ("set-cookie", "Sessionid=2")];
        let answer = gateway(framework, eager(manager()), &cookie("ada"), read, site);
        assert!(answer.session().is_some(), "{framework:?}");
        // What the gateway itself asks for comes last, and counts.
        let site = &[("set-cookie", "sessionid=theirs")];
        let answer = gateway(framework, eager(manager()), "a=b", log_in, site);
        let [theirs, ours] = answer.all("set-cookie")[..] else { panic!("{answer:?}") };
        assert!(theirs == "sessionid=theirs" && ours.starts_with("sessionid=e"), "{ours}");
    }
}

#[test]
fn a_cookie_in_a_response_for_everybody_is_warned_about() {
    for framework in FRAMEWORKS {
        for (says, is_warned) in [
            ("public", true),
            ("max-age=60, Public", true),
            ("s-maxage=60 ,public", true),
            ("private", false),
            ("no-store", false),
            ("x-public", false),
        ] {
            let site: &'static [(&str, &str)] = vec![("cache-control", says)].leak();
            let refreshed = manager().refresh_after(Duration::from_secs(1));
            let (answer, log) =
                logged(|| gateway(framework, refreshed, &cookie("ada"), read, site));
            assert!(answer.session().is_some());
            assert_eq!(answer.all("cache-control"), [says]);
            let warned = log.iter().filter(|line| line.contains("`Cache-Control: public`"));
            assert_eq!(warned.count(), usize::from(is_warned), "{framework:?} {says}: {log:?}");
            // Without a cookie there is nothing for others to get.
            let (_, log) = logged(|| gateway(framework, manager(), &cookie("ada"), read, site));
            assert_eq!(log, [""; 0]);
        }
    }
}

// Sessions at the limit.

/// A header with a session whose cookie has just the 4,096 bytes that browsers keep.
fn at_the_limit() -> String {
    let plain = codec().compress(Compress::Never);
    let signed_at = OffsetDateTime::now_utc() - Duration::from_secs(60);
    (2900..3100)
        .rev()
        .find_map(|len| {
            let mut session = Session::new();
            session.insert("user", "x".repeat(len)).unwrap();
            let token = plain.encode_at(&session, signed_at).ok()?;
            (token.len() + "sessionid".len() <= 4096).then(|| format!("sessionid={token}"))
        })
        .unwrap()
}

/// A header with a session that only fits because Django, or this, compresses it.
fn compressed() -> String {
    let mut session = Session::new();
    session.insert("user", "x".repeat(20_000)).unwrap();
    let signed_at = OffsetDateTime::now_utc() - Duration::from_secs(60);
    let token = codec().encode_at(&session, signed_at).unwrap();
    assert!(token.len() < 200);
    format!("sessionid={token}")
}

#[test]
fn reading_a_session_at_the_limit_is_never_an_error() {
    let of = |codec: SessionCodec| SessionManager::new(codec, options());
    let plain = || codec().compress(Compress::Never);
    let grows = |codec: SessionCodec| of(codec.absolute_max_age(Duration::from_secs(1 << 30)));
    for (header, manager, handler) in [
        (at_the_limit(), grows(plain()).refresh_after(Duration::from_secs(1)), read as Handler),
        (at_the_limit(), grows(plain()).save_every_request(true), nothing),
        (compressed(), of(plain()).refresh_after(Duration::from_secs(1)), read),
        (compressed(), of(plain()).save_every_request(true), nothing),
        (
            compressed(),
            of(codec().max_payload_len(30_000).compress(Compress::Above(30_000)))
                .save_every_request(true),
            nothing,
        ),
    ] {
        for framework in FRAMEWORKS {
            let layers = || Layers::Same(manager.clone());
            let (answer, log) = logged(|| framework.answer(layers(), &header, handler));
            assert_eq!((answer.status, answer.cookie()), (200, None), "{framework:?}");
            let [warning] = &log[..] else { panic!("{log:?}") };
            assert!(warning.starts_with("WARN the session could not be renewed"), "{warning}");
            assert!(warning.contains("more than the limit of 4096"), "{warning}");
            // What the program changed must not be lost in silence.
            let write: Handler = |session| {
                session.insert("page", 1).unwrap();
                200
            };
            let (answer, log) = logged(|| framework.answer(layers(), &header, write));
            assert_eq!((answer.status, answer.cookie()), (500, None), "{framework:?}");
            assert!(log[0].starts_with("ERROR the session could not be written"), "{log:?}");
            assert_eq!(framework.answer(layers(), &header, log_out).cookie(), Some("sessionid="));
        }
    }
}

// Late responses.

#[test]
fn a_late_answer_does_not_undo_what_was_done_meanwhile() {
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing::get};
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let expired = {
        let mut session = Session::new();
        session.insert("user", "ada").unwrap();
        let long_ago = OffsetDateTime::now_utc() - Duration::from_secs(15 * 24 * 60 * 60);
        format!("sessionid={}", codec().encode_at(&session, long_ago).unwrap())
    };
    for header in [&expired[..], COOKIES[0], COOKIES[1], COOKIES[2]] {
        let may_answer = Arc::new(AtomicBool::new(false));
        let slow = {
            let may_answer = Arc::clone(&may_answer);
            move |session: SessionHandle| async move {
                let _ = session.get::<String>("user");
                std::future::poll_fn(|_| match may_answer.load(Ordering::Relaxed) {
                    true => Poll::Ready("a page"),
                    false => Poll::Pending,
                })
                .await
            }
        };
        let app = Router::new()
            .route("/slow", get(slow))
            .route("/login", get(|s: SessionHandle| async move { _ = log_in(s) }))
            .layer(SessionLayer::new(eager(manager())));
        let request =
            |path: &str| Request::get(path).header("cookie", header).body(Body::empty()).unwrap();
        let mut slow = pin!(app.clone().oneshot(request("/slow")));
        let mut context = Context::from_waker(Waker::noop());
        assert!(slow.as_mut().poll(&mut context).is_pending());
        // The visitor logs in, and then the first page arrives.
        let login = now(app.oneshot(request("/login"))).unwrap();
        assert!(login.headers().contains_key("set-cookie"));
        may_answer.store(true, Ordering::Relaxed);
        let Poll::Ready(late) = slow.as_mut().poll(&mut context) else { panic!("it waits") };
        assert_eq!(late.unwrap().headers().get("set-cookie"), None, "{header}");
    }
}
