//! Holds the extractor for axum to what it gives a handler, and to what it answers in its place.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::COOKIE;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use http_body_util::BodyExt as _;
use signed_session::django::{Level, Message, MessageStorage, MessagesError};
use signed_session::{SessionHandle, SessionLayer, ValueError};
use tower::ServiceExt as _;

use crate::common::{Answer, cookie, logged, manager};

const MARK: &str = "planted";

/// Returns the answer to a request of a visitor whose session has one entry, and what was logged.
fn ask(app: Router) -> (Answer, Vec<String>) {
    send(app, Request::builder().header(COOKIE, cookie(MARK)).body(Body::empty()).unwrap())
}

fn send(app: Router, request: Request) -> (Answer, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    logged(|| {
        runtime.block_on(async {
            let (head, body) = app.oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let answer = Answer::new(head.status.as_u16()).body(str::from_utf8(&body).unwrap());
            head.headers.iter().fold(answer, |answer, (name, value)| {
                answer.header(name.as_str(), value.to_str().unwrap())
            })
        })
    })
}

fn with_sessions(app: Router) -> Router {
    app.layer(SessionLayer::new(manager()))
}

/// Asserts that the answer to whoever forgot a layer says which one, and where it goes.
fn assert_says_what_is_missing((answer, log): (Answer, Vec<String>), handle: &str, layer: &str) {
    let expected = format!(
        "no session layer is around a handler that takes a {handle}: add .layer({layer}) to the \
         Router, below its routes and below every layer that uses the session, because a layer \
         wraps only what stands above it"
    );
    assert_eq!((answer.status, answer.body.as_str()), (500, &*format!("{expected}\n")));
    assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
    for name in ["set-cookie", "cache-control"] {
        assert_eq!(answer.all(name), [""; 0], "{name}");
    }
    assert_eq!(log, [format!("ERROR a session could not be used reason={expected}")]);
}

#[test]
fn a_missing_layer_is_a_500_that_says_which_and_where() {
    struct Admin;
    let page = async |_: SessionHandle| "a page";
    let layer = || SessionLayer::new(manager());
    let (handle, new) = ("SessionHandle", "SessionLayer::new(manager)");
    assert_says_what_is_missing(ask(Router::new().route("/", get(page))), handle, new);
    // It stands above the route, which it does not wrap then.
    let above = Router::new().layer(layer()).route("/", get(page));
    assert_says_what_is_missing(ask(above), handle, new);
    // A layer that uses the session is around it.
    let around = async |_: SessionHandle, request: Request, next: Next| next.run(request).await;
    let outside = Router::new().route("/", get(page)).layer(layer()).layer(from_fn(around));
    assert_says_what_is_missing(ask(outside), handle, new);
    // It is that of another session.
    let admin = async |_: SessionHandle<Admin>| "a page";
    let other = Router::new().route("/", get(admin)).layer(layer());
    let name = std::any::type_name::<Admin>();
    let (handle, marked) =
        (format!("SessionHandle<{name}>"), format!("SessionLayer::marked::<{name}>(manager)"));
    assert_says_what_is_missing(ask(other), &handle, &marked);

    // As the message says.
    let app = Router::new()
        .route("/", get(page))
        .route("/admin", get(admin))
        .layer(from_fn(around))
        .layer(layer())
        .layer(SessionLayer::marked::<Admin>(manager()));
    assert_eq!(ask(app).0.body, "a page");
}

#[test]
fn an_optional_session_is_none_without_its_layer() {
    struct Admin;
    async fn page(visitor: Option<SessionHandle>, admin: Option<SessionHandle<Admin>>) -> String {
        let user = visitor.map(|session| session.get::<String>("user").unwrap().unwrap());
        format!("{user:?} {}", admin.is_some())
    }
    let app = Router::new().route("/", get(page));
    let (answer, log) = ask(app.clone());
    assert_eq!((answer.status, answer.body.as_str(), log.len()), (200, "None false", 0));
    let (answer, _) = ask(with_sessions(app));
    assert_eq!(answer.body, format!("Some({MARK:?}) false"));
}

#[test]
fn an_entry_of_another_type_is_a_bare_500_that_shows_nothing() {
    async fn page(session: SessionHandle) -> Result<&'static str, ValueError> {
        session.insert("late", true)?;
        session.get::<u64>("user")?;
        Ok("a page")
    }
    let (answer, log) = ask(with_sessions(Router::new().route("/", get(page))));
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!((answer.cookie(), answer.all("vary")), (None, vec!["Cookie"]));
    let reason = ValueError::WrongType { key: "user".to_owned() };
    assert_eq!(log, [format!("ERROR a session could not be used reason={reason}")]);
}

#[test]
fn messages_that_cannot_be_left_are_a_bare_500_showing_nothing() {
    async fn page(session: SessionHandle) -> Result<&'static str, MessagesError> {
        session.insert("_messages", 1)?;
        let mut messages = MessageStorage::session().load(["a=b"]);
        messages.add(Message::new(Level::INFO, "planted"));
        let _ = session.with(|session| messages.commit(session))?;
        Ok("a page")
    }
    let (answer, log) = ask(with_sessions(Router::new().route("/", get(page))));
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    let reason = ValueError::WrongType { key: "_messages".to_owned() };
    assert_eq!(log, [format!("ERROR a session could not be used reason={reason}")]);
}

#[test]
fn a_middleware_and_the_handler_share_one_session() {
    async fn around(session: SessionHandle, request: Request, next: Next) -> Response {
        session.insert("before", true).unwrap();
        let response = next.run(request).await;
        session.insert("after", session.get::<String>("page").unwrap()).unwrap();
        response
    }
    async fn page(session: SessionHandle) -> Result<String, ValueError> {
        session.insert("page", "of the handler")?;
        Ok(session.get::<bool>("before")?.map_or("alone", |_| "together").to_owned())
    }
    let app = Router::new().route("/", get(page)).layer(from_fn(around));
    let (answer, log) = ask(with_sessions(app));
    assert_eq!((answer.body.as_str(), log.len()), ("together", 0));
    assert_eq!(answer.all("set-cookie").len(), 1);
    let session = answer.session().unwrap();
    assert_eq!(session.keys().collect::<Vec<_>>(), ["user", "before", "page", "after"]);
    assert_eq!(session.get("after"), Ok(Some("of the handler")));
}

#[test]
fn a_page_that_is_not_there_has_a_session_too() {
    let missing = async |session: SessionHandle| {
        session.insert("lost", true).unwrap();
        StatusCode::NOT_FOUND
    };
    let (answer, _) = ask(with_sessions(Router::new().fallback(missing)));
    assert_eq!(answer.status, 404);
    assert_eq!(answer.session().unwrap().get("lost"), Ok(Some(true)));
}

/// Releases of one program, each with a struct for all of the session, as the guide has it.
mod releases {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Default)]
    #[serde(default)]
    pub struct First {
        pub user: String,
        pub survey: bool,
    }

    #[derive(Serialize, Deserialize, Default)]
    #[serde(default)]
    pub struct Second {
        pub user: String,
        pub language: String,
    }

    /// As one writes it who has not read the guide.
    #[derive(Serialize, Deserialize)]
    pub struct Careless {
        pub user: String,
        pub language: String,
    }
}

#[test]
fn a_release_that_adds_and_drops_a_field_answers_every_visitor() {
    use releases::{Careless, First, Second};

    async fn first(session: SessionHandle) -> Result<String, ValueError> {
        let mut visitor: First = session.read()?;
        visitor.survey = true;
        session.replace(&visitor)?;
        Ok(visitor.user)
    }
    async fn second(session: SessionHandle) -> Result<String, ValueError> {
        let mut visitor: Second = session.read()?;
        visitor.language = "fr".to_owned();
        session.replace(&visitor)?;
        Ok(visitor.user)
    }
    async fn careless(session: SessionHandle) -> Result<String, ValueError> {
        session.read::<Careless>().map(|visitor| visitor.user + &visitor.language)
    }
    let app = || {
        with_sessions(
            Router::new()
                .route("/first", get(first))
                .route("/second", get(second))
                .route("/careless", get(careless)),
        )
    };
    let visit = |path: &str, cookie: &str| {
        let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        send(app(), request)
    };
    // A visitor goes to and fro between the releases while both run.
    let mut cookie = cookie(MARK);
    for path in ["/first", "/second", "/first", "/first", "/second", "/second"] {
        let (answer, log) = visit(path, &cookie);
        assert_eq!((answer.status, answer.body.as_str(), log.len()), (200, MARK, 0), "{path}");
        // The same session in the same second is not sent again.
        cookie = answer.cookie().map_or(cookie, str::to_owned);
    }
    let (answer, _) = visit("/first", &cookie);
    let (answer, log) = visit("/careless", answer.cookie().unwrap());
    assert_eq!(answer.status, 500);
    let reason = "the value of language is not of the requested type";
    assert_eq!(log, [format!("ERROR a session could not be used reason={reason}")]);
}
