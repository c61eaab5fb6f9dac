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

const MISSING: &str = "there is no session middleware around this handler";

/// Returns the answer to a request of a visitor whose session has one entry, and what was logged.
fn ask(app: Router) -> (Answer, Vec<String>) {
    let request = Request::builder().header(COOKIE, cookie(MARK)).body(Body::empty()).unwrap();
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

#[test]
fn without_a_layer_the_response_is_a_bare_500_and_logged() {
    let page = async |_: SessionHandle| "a page";
    let (answer, log) = ask(Router::new().route("/", get(page)));
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    answer.assert_no_trace();
    assert_eq!(log, [format!("ERROR a session could not be used reason={MISSING}")]);
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
    let reason = ValueError::WrongType;
    assert_eq!(log, [format!("ERROR a session could not be used reason={reason}")]);
}

#[test]
fn messages_that_cannot_be_left_are_a_bare_500_showing_nothing() {
    async fn page(mut session: SessionHandle) -> Result<&'static str, MessagesError> {
        session.insert("_messages", 1)?;
        let mut messages = MessageStorage::session().load(["a=b"]);
        messages.add(Message::new(Level::INFO, "planted"));
        let _ = session.with(|session| messages.commit(session))?;
        Ok("a page")
    }
    let (answer, log) = ask(with_sessions(Router::new().route("/", get(page))));
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    let reason = ValueError::WrongType;
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
