//! The middleware keeps what else is in a response, and what a handler did before it failed.

use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::StatusCode;
use poem::http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use poem::middleware::{CatchPanic, SetHeader};
use poem::{Endpoint, EndpointExt, Request, Response};
use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager};
use signed_session_example_poem::{RequestSession, with_session};

fn manager(cookie_name: &str) -> SessionManager {
    let ring = Keyring::new("example-only-correct-horse-battery-staple").unwrap();
    SessionManager::new(SessionCodec::new(&ring), CookieOptions::new(cookie_name).unwrap())
}

/// Returns the cookie of a visitor who is logged in.
fn cookie_of_ada(cookie_name: &str) -> String {
    let manager = manager(cookie_name);
    let mut session = manager.load(None::<&str>);
    session.insert("name", "ada").unwrap();
    let reply = manager.commit(&session, 200).unwrap();
    reply.set_cookie.unwrap().stripped().to_string()
}

/// Creates an endpoint that uses the session and responds with a status, as an error from 400 on.
fn endpoint(status: StatusCode, work: fn(&mut Session)) -> impl Endpoint {
    make_sync(move |request| {
        work(&mut request.extensions().get::<RequestSession>().unwrap().lock());
        if status.as_u16() < 400 { Ok(status) } else { Err(poem::Error::from(status)) }
    })
}

async fn ask(manager: SessionManager, endpoint: impl Endpoint, cookie: &str) -> Response {
    let request = Request::builder().header(COOKIE, cookie).finish();
    let response = with_session(Arc::new(manager), Arc::new(endpoint), request).await;
    response.unwrap_or_else(poem::Error::into_response)
}

/// Returns the first bytes of each `Set-Cookie`, up to the value's payload or to the attributes.
fn cookies(response: &Response) -> Vec<&str> {
    let values = response.headers().get_all(SET_COOKIE).iter();
    values.map(|value| value.to_str().unwrap().split([':', ';']).next().unwrap()).collect()
}

const ADA: &str = "sessionid=eyJuYW1lIjoiYWRhIn0";
const EVE: &str = "sessionid=eyJuYW1lIjoiZXZlIn0";

fn become_eve(session: &mut Session) {
    session.insert("name", "eve").unwrap();
}

#[tokio::test]
async fn what_else_is_in_the_response_stays() {
    let others = SetHeader::new()
        .appending(SET_COOKIE, "theme=dark; Path=/")
        .appending(SET_COOKIE, "sessionid=another; Path=/shop")
        .appending(VARY, "Accept-Encoding")
        .appending(CACHE_CONTROL, "no-store");
    let endpoint = endpoint(StatusCode::OK, become_eve).with(others);
    let response = ask(manager("sessionid"), endpoint, &cookie_of_ada("sessionid")).await;
    assert_eq!(cookies(&response), ["theme=dark", "sessionid=another", EVE]);
    let values = |name| response.headers().get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(values(VARY), ["Accept-Encoding", "Cookie"]);
    assert_eq!(values(CACHE_CONTROL), ["no-store"]);
}

#[tokio::test]
async fn a_former_cookie_is_replaced_and_removed() {
    let manager = manager("sessionid").retire(CookieOptions::new("sid").unwrap());
    let endpoint = endpoint(StatusCode::OK, |session| assert!(session.contains_key("name")));
    let response = ask(manager, endpoint, &cookie_of_ada("sid")).await;
    assert_eq!(cookies(&response), ["sid=", ADA]);
}

#[tokio::test]
async fn what_was_done_before_an_error_counts() {
    for (work, cookie) in [(become_eve as fn(&mut Session), EVE), (Session::flush, "sessionid=")] {
        let endpoint = endpoint(StatusCode::FORBIDDEN, work);
        let response = ask(manager("sessionid"), endpoint, &cookie_of_ada("sessionid")).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(cookies(&response), [cookie]);
    }
}

#[tokio::test]
async fn a_server_error_saves_nothing_but_logs_out() {
    let endpoint = |work| endpoint(StatusCode::BAD_GATEWAY, work);
    let ada = cookie_of_ada("sessionid");
    let response = ask(manager("sessionid"), endpoint(become_eve), &ada).await;
    assert_eq!((response.status(), cookies(&response)), (StatusCode::BAD_GATEWAY, vec![]));
    assert_eq!(response.headers()[VARY], "Cookie");

    let response = ask(manager("sessionid"), endpoint(Session::flush), &ada).await;
    assert_eq!(cookies(&response), ["sessionid="]);
}

#[tokio::test]
async fn a_handler_that_panics_saves_nothing_and_is_answered() {
    let endpoint = endpoint(StatusCode::OK, |session| {
        become_eve(session);
        panic!("with the session locked");
    });
    let endpoint = endpoint.with(CatchPanic::new());
    let response = ask(manager("sessionid"), endpoint, &cookie_of_ada("sessionid")).await;
    assert_eq!(
        (response.status(), cookies(&response)),
        (StatusCode::INTERNAL_SERVER_ERROR, vec![])
    );
}

#[tokio::test]
async fn a_refused_cookie_that_is_only_read_is_left_alone() {
    let endpoint = endpoint(StatusCode::OK, |session| assert!(!session.contains_key("name")));
    let tampered = cookie_of_ada("sessionid") + "x";
    let response = ask(manager("sessionid"), endpoint, &tampered).await;
    assert_eq!((response.status(), cookies(&response)), (StatusCode::OK, vec![]));
    assert_eq!(response.headers()[VARY], "Cookie");
}
