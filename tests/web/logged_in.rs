//! The guard: who gets in, who is sent where, and who is told to come back; and flash messages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signed_session::django::{Level, MessageStorage, MessagesError};
use signed_session::{
    ConfigError, FlashMessages, LoggedIn, NotLoggedIn, Revocations, SessionHandle, SessionManager,
    Silence,
};

use crate::common::{Answer, codec, logged, options};
use crate::nested::Layers;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy, Debug)]
enum Framework {
    Axum,
    Actix,
}

const FRAMEWORKS: [Framework; 2] = [Framework::Axum, Framework::Actix];

/// A request for a page, with these headers besides the cookie.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

const PAGE: Request<'_> = Request { method: "GET", path: "/in/account?a=1&b=%C3%A9", headers: &[] };

impl Framework {
    /// What comes of a request. Behind `/in` the pages `account`, for the user `id`, `any`, for
    /// anybody, and `either`, for anybody and with the reason.
    fn send(self, manager: Option<&SessionManager>, cookie: &str, request: &Request<'_>) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match self {
            Self::Axum => runtime.block_on(through_axum(manager, cookie, request)),
            Self::Actix => runtime.block_on(through_actix(manager, cookie, request)),
        }
    }
}

async fn account(LoggedIn { id, session }: LoggedIn<u64>) -> String {
    assert!(session.contains_key("user_id"));
    format!("user {id}")
}

async fn any(user: Option<LoggedIn<u64>>) -> String {
    user.map_or("nobody".to_owned(), |user| format!("user {}", user.id))
}

async fn either(user: Result<LoggedIn<u64>, NotLoggedIn>) -> String {
    match user {
        Ok(user) => format!("user {}", user.id),
        Err(error) if error.is_anonymous() => "nobody".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

/// Shows the messages, and leaves another.
async fn flash(flash: FlashMessages) -> Result<String, MessagesError> {
    let shown = flash.take()?;
    flash.add(Level::INFO, "hello again")?;
    Ok(shown.iter().map(|message| message.text.as_str()).collect())
}

async fn through_axum(
    manager: Option<&SessionManager>,
    cookie: &str,
    request: &Request<'_>,
) -> Answer {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::any as route;
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let pages = Router::new()
        .route("/account", route(account))
        .route("/any", route(any))
        .route("/either", route(either))
        .route("/flash", route(flash));
    // The router takes `/in` away from what the handlers see.
    let mut app = Router::new().nest("/in", pages);
    if let Some(manager) = manager {
        app = app.layer(SessionLayer::new(manager.clone()));
    }
    let mut sent = axum::http::Request::builder().method(request.method).uri(request.path);
    for (name, value) in request.headers.iter().chain(&[("cookie", cookie)]) {
        sent = sent.header(*name, *value);
    }
    let response = app.oneshot(sent.body(Body::empty()).unwrap()).await.unwrap();
    let mut answer = Answer::new(response.status().as_u16());
    for (name, value) in response.headers() {
        answer = answer.header(name.as_str(), value.to_str().unwrap());
    }
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    answer.body(String::from_utf8(body.to_vec()).unwrap())
}

async fn through_actix(
    manager: Option<&SessionManager>,
    cookie: &str,
    request: &Request<'_>,
) -> Answer {
    use actix_web::middleware::Condition;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, web};
    use signed_session::SessionMiddleware;

    let pages = web::scope("/in")
        .route("/account", web::to(account))
        .route("/any", web::to(any))
        .route("/either", web::to(either))
        .route("/flash", web::to(flash));
    let layer = SessionMiddleware::new(
        manager.cloned().unwrap_or_else(|| SessionManager::new(codec(), options())),
    );
    let app = App::new().wrap(Condition::new(manager.is_some(), layer)).service(pages);
    let service = init_service(app).await;
    let mut sent = TestRequest::default().method(request.method.parse().unwrap()).uri(request.path);
    for header in request.headers.iter().chain(&[("cookie", cookie)]) {
        sent = sent.append_header(*header);
    }
    let response = call_service(&service, sent.to_request()).await;
    let mut answer = Answer::new(response.status().as_u16());
    for (name, value) in response.headers() {
        answer = answer.header(name.as_str(), value.to_str().unwrap());
    }
    answer.body(String::from_utf8(read_body(response).await.to_vec()).unwrap())
}

fn manager() -> SessionManager {
    SessionManager::new(codec(), options()).subject("user_id")
}

fn with_page() -> SessionManager {
    manager().login_page("/login?lang=fr").unwrap()
}

fn cookie(json: &str) -> String {
    format!("sessionid={}", codec().encode_json(json).unwrap())
}

#[test]
fn whoever_is_logged_in_gets_the_page() {
    for framework in FRAMEWORKS {
        for (json, user) in [
            (r#"{"user_id":42}"#, "user 42"),
            (r#"{"user_id":"42"}"#, "user 42"),
            (r#"{"user_id":18446744073709551615}"#, "user 18446744073709551615"),
        ] {
            for page in ["/in/account", "/in/any", "/in/either"] {
                let request = Request { path: page, ..PAGE };
                let answer = framework.send(Some(&with_page()), &cookie(json), &request);
                assert_eq!((answer.status, &*answer.body), (200, user), "{framework:?} {page}");
                assert_eq!(answer.all("vary"), ["Cookie"]);
            }
        }
    }
}

#[test]
fn whoever_is_not_is_sent_to_log_in_or_told_so() {
    for framework in FRAMEWORKS {
        let expired = codec().max_age(Duration::ZERO);
        let expired = SessionManager::new(expired, options()).subject("user_id");
        for (manager, cookie) in [
            (manager(), String::new()),
            (manager(), "sessionid=forged:1r31eq:signature".to_owned()),
            (manager(), cookie(r#"{"cart":[]}"#)),
            (manager(), cookie(r#"{"user_id":null}"#)),
            (expired, crate::common::cookie("ada")),
        ] {
            // Without a page to log in on.
            let answer = framework.send(Some(&manager), &cookie, &PAGE);
            assert_eq!((answer.status, answer.all("location")), (401, vec![]), "{framework:?}");
            for (path, body) in [("/in/any", "nobody"), ("/in/either", "nobody")] {
                let answer = framework.send(Some(&manager), &cookie, &Request { path, ..PAGE });
                assert_eq!((answer.status, &*answer.body), (200, body), "{framework:?}");
            }
            let manager = manager.login_page("/login?lang=fr").unwrap();
            let to_login = "/login?lang=fr&next=/in/account%3Fa%3D1%26b%3D%25C3%25A9";
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
                let is_page = ["GET", "HEAD"].contains(&method);
                let answer = framework.send(Some(&manager), &cookie, &Request { method, ..PAGE });
                let location = if is_page { vec![to_login] } else { vec![] };
                let status = if is_page { 303 } else { 401 };
                assert_eq!((answer.status, answer.all("location")), (status, location), "{method}");
                assert_eq!(answer.all("vary"), ["Cookie"]);
                assert!(answer.body.is_empty());
            }
            for (is_page, headers) in [
                (true, &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")][..]),
                (true, &[("accept", "*/*"), ("sec-fetch-mode", "navigate")]),
                (false, &[("accept", "*/*"), ("sec-fetch-mode", "cors")]),
                (false, &[("accept", "application/json")]),
                (false, &[("x-requested-with", "XMLHttpRequest")]),
            ] {
                let answer = framework.send(Some(&manager), &cookie, &Request { headers, ..PAGE });
                assert_eq!(answer.status == 303, is_page, "{headers:?}");
                assert!([303, 401].contains(&answer.status));
            }
        }
    }
}

/// What a browser makes of the address, and the login of `next`.
#[test]
fn the_address_to_come_back_to_arrives_as_it_was() {
    let plain = manager().login_page("/login").unwrap();
    for framework in FRAMEWORKS {
        for path in [
            "/in/account",
            "/in/account?",
            "/in/account?next=//evil.example&x=%2F#",
            "/in/account?a+b",
        ] {
            let answer = framework.send(Some(&plain), "", &Request { path, ..PAGE });
            let [location] = answer.all("location")[..] else { panic!("{answer:?}") };
            let query = location.strip_prefix("/login?").unwrap().as_bytes();
            let fields: Vec<_> = form_urlencoded::parse(query).collect();
            // A fragment is not sent; axum's tests do not parse it either.
            let path = path.split('#').next().unwrap();
            assert_eq!(fields, [("next".into(), path.into())], "{framework:?}");
            assert_eq!(signed_session::local_path(&fields[0].1), Some(path));
        }
    }
}

#[test]
fn a_subject_of_another_type_is_not_nobody() {
    for framework in FRAMEWORKS {
        for json in [r#"{"user_id":"ada"}"#, r#"{"user_id":-1}"#, r#"{"user_id":4.5}"#] {
            let answer = framework.send(Some(&with_page()), &cookie(json), &PAGE);
            assert_eq!(answer.status, 303, "log in again");
            let request = Request { path: "/in/either", ..PAGE };
            let answer = framework.send(Some(&with_page()), &cookie(json), &request);
            assert_eq!(
                answer.body,
                "error: the session's subject does not fit the type of LoggedIn"
            );
            let (_, log) = logged(|| framework.send(Some(&with_page()), &cookie(json), &PAGE));
            let warned = log.iter().filter(|line| line.starts_with("WARN ")).count();
            assert_eq!(warned, 1, "{framework:?}: {log:?}");
        }
        // With axum, `Option` is for anonymous visitors only.
        let request = Request { path: "/in/any", ..PAGE };
        let answer = framework.send(Some(&manager()), &cookie(r#"{"user_id":"ada"}"#), &request);
        assert_eq!(answer.status, if matches!(framework, Framework::Axum) { 401 } else { 200 });
    }
}

#[test]
fn a_revoked_session_is_not_logged_in_and_an_unknown_one_comes_back_later() {
    for framework in FRAMEWORKS {
        let cookie = cookie(r#"{"user_id":42}"#);
        let list = Revocations::new(DAY);
        list.end_all(42).unwrap();
        let revoked = with_page().revocations(list, "user_id");
        let answer = framework.send(Some(&revoked), &cookie, &PAGE);
        assert_eq!((answer.status, answer.cookie()), (303, Some("sessionid=")));

        let list = Revocations::new(DAY).expect_news_within(DAY, Silence::Refuse);
        let silent = with_page().revocations(list, "user_id");
        let answer = framework.send(Some(&silent), &cookie, &PAGE);
        assert_eq!((answer.status, answer.cookie()), (503, None), "{framework:?}");
        assert_eq!(answer.all("retry-after"), ["5"]);
        let any = Request { path: "/in/any", ..PAGE };
        let answer = framework.send(Some(&silent), &cookie, &any);
        assert_eq!(answer.status, if matches!(framework, Framework::Axum) { 503 } else { 200 });
        // Visitors of whom there is nothing to know see the page.
        assert_eq!(framework.send(Some(&silent), "", &any).body, "nobody");
    }
}

#[test]
fn a_mistake_of_the_program_is_a_500_that_says_what_to_do() {
    for framework in FRAMEWORKS {
        let nameless = SessionManager::new(codec(), options());
        let django = nameless.clone().subject("_auth_user_id");
        for (manager, advice) in [
            (None, "no session"),
            (Some(&nameless), "SessionManager::subject"),
            (Some(&django), "django::AuthUser"),
        ] {
            let cookie = cookie(r#"{"_auth_user_id":"42","user_id":42}"#);
            let (answer, log) = logged(|| framework.send(manager, &cookie, &PAGE));
            assert_eq!(answer.status, 500, "{framework:?}");
            assert!(answer.body.contains(advice), "{}", answer.body);
            assert_eq!(log.iter().filter(|line| line.contains(advice)).count(), 1, "{log:?}");
        }
    }
}

#[test]
fn a_login_page_is_a_path_of_this_site() {
    for page in [
        "//evil.example",
        "https://evil.example",
        "login",
        "",
        "/\\evil",
        "/a\r\nb: c",
        "/é",
        "/a b",
    ] {
        assert_eq!(manager().login_page(page).unwrap_err(), ConfigError::LoginPage, "{page:?}");
    }
    for page in ["/", "/login", "/login/?a=b&c=%20"] {
        assert!(manager().login_page(page).is_ok(), "{page}");
    }
}

#[test]
fn messages_are_an_argument_of_handlers() {
    for framework in FRAMEWORKS {
        let page = Request { path: "/in/flash", ..PAGE };
        let first = framework.send(Some(&manager()), "", &page);
        let second = framework.send(Some(&manager()), first.cookie().unwrap(), &page);
        assert_eq!((&*first.body, &*second.body), ("", "hello again"), "{framework:?}");
        assert_eq!(framework.send(None, "", &page).status, 500);
    }
}

#[test]
fn a_message_is_shown_once_on_the_next_page_that_shows_them() {
    for framework in [crate::nested::Framework::Axum, crate::nested::Framework::Actix] {
        tell_the_story_of_messages(framework);
    }
}

fn tell_the_story_of_messages(framework: crate::nested::Framework) {
    let manager = manager();
    let visit = |cookie: &mut String, page: fn(FlashMessages, SessionHandle) -> String| {
        let shown: Arc<Mutex<String>> = Arc::default();
        let kept = Arc::clone(&shown);
        let handler = move |session: SessionHandle| {
            *kept.lock().unwrap() = page(FlashMessages::new(session.clone()), session);
            200
        };
        let answer = framework.answer(Layers::Same(manager.clone()), cookie, handler);
        if let Some(set) = answer.cookie() {
            set.clone_into(cookie);
        }
        shown.lock().unwrap().clone()
    };
    let show = |flash: FlashMessages, _: SessionHandle| {
        let shown = flash.take().unwrap();
        shown.iter().map(|it| format!("{}:{} ", it.level.0, it.text)).collect()
    };
    let mut cookie = cookie(r#"{"user_id":42}"#);
    visit(&mut cookie, |flash, _| {
        flash.add(Level::SUCCESS, "Saved.").unwrap();
        flash.add(Level(1), "Zo\u{eb}").unwrap();
        String::new()
    });
    // Django's storage reads the same entry.
    let mut session = manager.load([&cookie]);
    let mut django = MessageStorage::session().load([] as [&str; 0]);
    let texts: Vec<_> = django.show(&session).unwrap().into_iter().map(|it| it.text).collect();
    assert_eq!(texts, ["Saved.", "Zo\u{eb}"]);
    assert_eq!(visit(&mut cookie, show), "25:Saved. 1:Zo\u{eb} ");
    assert_eq!(visit(&mut cookie, show), "");
    session = manager.load([&cookie]);
    assert_eq!(session.keys().collect::<Vec<_>>(), ["user_id"]);
    // A logout takes with it what was left before, and not what is left after it.
    visit(&mut cookie, |flash, session| {
        flash.add(Level::INFO, "before").unwrap();
        session.flush();
        flash.add(Level::INFO, "after").unwrap();
        String::new()
    });
    assert_eq!(visit(&mut cookie, show), "20:after ");
    session.insert("_messages", 5).unwrap();
    let broken = format!("sessionid={}", codec().encode(&session).unwrap());
    assert_eq!(
        visit(&mut broken.clone(), |flash, _| {
            let errors = [flash.take().map(drop), flash.add(Level::INFO, "x")];
            assert!(errors.iter().all(|it| matches!(it, Err(MessagesError::Value(_)))));
            String::new()
        }),
        ""
    );
}
