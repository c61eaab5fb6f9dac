//! Holds the middleware and the extractor for actix-web to what is theirs alone.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use actix_web::body::{self, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::{ErrorForbidden, InternalError};
use actix_web::http::StatusCode;
use actix_web::http::header::COOKIE;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, Error, HttpResponse, web};
use signed_session::django::{Level, Message, MessageStorage, MessagesError};
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionHandle, SessionManager, SessionMiddleware,
    ValueError,
};

use crate::common::{Answer, codec, cookie, logged, manager};

const MARK: &str = "planted";

/// Returns the answer to a request of a visitor whose session has one entry, and what was logged.
fn ask<T, B>(app: App<T>, cookie: &str) -> (Result<Answer, Error>, Vec<String>)
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Future: 'static,
    B: MessageBody + 'static,
{
    logged(|| {
        actix_web::rt::System::new().block_on(async {
            let service = init_service(app).await;
            let request = TestRequest::get().append_header((COOKIE, cookie)).to_request();
            Ok(answer(try_call_service(&service, request).await?.into_parts().1).await)
        })
    })
}

async fn answer<B: MessageBody + 'static>(response: HttpResponse<B>) -> Answer {
    let answer = Answer::new(response.status().as_u16());
    let answer = response.headers().iter().fold(answer, |answer, (name, value)| {
        answer.header(name.as_str(), value.to_str().unwrap())
    });
    let response: HttpResponse<BoxBody> = response.map_into_boxed_body();
    answer.body(str::from_utf8(&body::to_bytes(response.into_body()).await.unwrap()).unwrap())
}

#[test]
fn a_missing_middleware_is_a_500_that_says_which_and_where() {
    struct Admin;
    fn assert_says_what_is_missing(
        (answer, log): (Result<Answer, Error>, Vec<String>),
        handle: &str,
        middleware: &str,
    ) {
        let expected = format!(
            "no session middleware is around a handler that takes a {handle}: add \
             .wrap({middleware}) to the App or to the handler's scope, below every middleware \
             that uses the session, because the last one is the outermost"
        );
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (500, &*format!("{expected}\n")));
        assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
        answer.assert_no_trace();
        assert_eq!(log, [format!("ERROR a session could not be used reason={expected}")]);
    }
    let page = async |_: SessionHandle| "a page";
    let (handle, new) = ("SessionHandle", "SessionMiddleware::new(manager)");
    let without = App::new().route("/", web::get().to(page));
    assert_says_what_is_missing(ask(without, &cookie(MARK)), handle, new);
    // It is around another scope.
    let elsewhere = web::scope("/elsewhere").wrap(SessionMiddleware::new(manager()));
    let beside = App::new().service(elsewhere).route("/", web::get().to(page));
    assert_says_what_is_missing(ask(beside, &cookie(MARK)), handle, new);
    // It is that of another session.
    let admin = async |_: SessionHandle<Admin>| "a page";
    let other = App::new().wrap(SessionMiddleware::new(manager())).route("/", web::get().to(admin));
    let name = std::any::type_name::<Admin>();
    let (handle, marked) =
        (format!("SessionHandle<{name}>"), format!("SessionMiddleware::marked::<{name}>(manager)"));
    assert_says_what_is_missing(ask(other, &cookie(MARK)), &handle, &marked);

    // As the message says: the last one is the outermost.
    async fn around(
        _: SessionHandle,
        request: ServiceRequest,
        next: Next<impl MessageBody>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        next.call(request).await
    }
    let app = || App::new().route("/", web::get().to(page));
    let inside = app().wrap(from_fn(around)).wrap(SessionMiddleware::new(manager()));
    assert_eq!(ask(inside, &cookie(MARK)).0.unwrap().body, "a page");
    let outside = app().wrap(SessionMiddleware::new(manager())).wrap(from_fn(around));
    let (refused, _) = ask(outside, &cookie(MARK));
    assert!(refused.unwrap_err().to_string().contains("below every middleware"));
}

#[test]
fn an_entry_of_another_type_is_a_bare_500_that_shows_nothing() {
    async fn page(session: SessionHandle) -> Result<&'static str, ValueError> {
        session.insert("late", true)?;
        session.get::<u64>("user")?;
        Ok("a page")
    }
    let app = App::new().wrap(SessionMiddleware::new(manager())).route("/", web::get().to(page));
    let (answer, log) = ask(app, &cookie(MARK));
    let answer = answer.unwrap();
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
    let app = App::new().wrap(SessionMiddleware::new(manager())).route("/", web::get().to(page));
    let (answer, log) = ask(app, &cookie(MARK));
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    let reason = ValueError::WrongType { key: "_messages".to_owned() };
    assert_eq!(log, [format!("ERROR a session could not be used reason={reason}")]);
}

#[test]
fn a_middleware_and_the_handler_share_one_session() {
    async fn around(
        session: SessionHandle,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        session.insert("before", true)?;
        let response = next.call(request).await;
        session.insert("after", session.get::<String>("page")?)?;
        response
    }
    async fn page(session: SessionHandle) -> Result<String, ValueError> {
        session.insert("page", "of the handler")?;
        Ok(session.get::<bool>("before")?.map_or("alone", |_| "together").to_owned())
    }
    let app = App::new()
        .wrap(from_fn(around))
        .wrap(SessionMiddleware::new(manager()))
        .route("/", web::get().to(page));
    let (answer, log) = ask(app, &cookie(MARK));
    let answer = answer.unwrap();
    assert_eq!((answer.body.as_str(), log.len()), ("together", 0));
    assert_eq!(answer.all("set-cookie").len(), 1);
    let session = answer.session().unwrap();
    assert_eq!(session.keys().collect::<Vec<_>>(), ["user", "before", "page", "after"]);
    assert_eq!(session.get("after"), Ok(Some("of the handler")));
}

#[test]
fn an_error_of_a_middleware_passes_with_the_session_s_headers() {
    let ask_with = |change: fn(&SessionHandle)| {
        let around = move |session: SessionHandle, _: ServiceRequest, _: Next<BoxBody>| {
            change(&session);
            ready(Err::<ServiceResponse, Error>(ErrorForbidden(MARK)))
        };
        let app = App::new()
            .wrap(from_fn(around))
            .wrap(SessionMiddleware::new(manager()))
            .route("/", web::get().to(HttpResponse::Ok));
        let (answer, log) = ask(app, &cookie("eve"));
        (answer.unwrap_err(), log)
    };

    // Neither a session that nobody asked for, nor one of which nothing was asked.
    for unused in [|_: &SessionHandle| (), |session: &SessionHandle| session.with(|_| ())] {
        let (error, log) = ask_with(unused);
        assert!(error.as_error::<InternalError<&str>>().is_some(), "{error:?}");
        assert!(!error.error_response().headers().contains_key("vary"));
        assert_eq!(log, [""; 0]);
    }

    let (error, _) = ask_with(|session| session.insert("user", "ada").unwrap());
    let response = error.error_response();
    assert_eq!((response.status(), error.to_string().as_str()), (StatusCode::FORBIDDEN, MARK));
    assert_eq!(response.headers().get("vary").unwrap(), "Cookie");
    let set_cookie = response.headers().get("set-cookie").unwrap().to_str().unwrap();
    let (set_cookie, _) = set_cookie.split_once(';').unwrap();
    let session = manager().load([set_cookie]);
    assert_eq!(session.get("user"), Ok(Some("ada")));

    let (error, log) = ask_with(|session| session.insert("user", "x".repeat(70_000)).unwrap());
    let response = error.error_response();
    assert_eq!(response.status(), 500);
    assert!(!response.headers().contains_key("set-cookie"));
    assert_eq!(log.len(), 1);
}

#[test]
fn the_service_inside_says_when_it_is_ready() {
    struct Strict(Cell<u8>);

    impl Service<ServiceRequest> for Strict {
        type Response = ServiceResponse;
        type Error = Error;
        type Future = Ready<Result<ServiceResponse, Error>>;

        fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            match self.0.replace(self.0.get() + 1) {
                0 => Poll::Pending,
                1 => Poll::Ready(Err(ErrorForbidden("not ready"))),
                _ => Poll::Ready(Ok(())),
            }
        }

        fn call(&self, request: ServiceRequest) -> Self::Future {
            ready(Ok(request.into_response(HttpResponse::Ok())))
        }
    }

    let middleware = SessionMiddleware::new(manager());
    let Ok(service) = middleware.new_transform(Strict(Cell::new(0))).into_inner() else { panic!() };
    let mut context = Context::from_waker(Waker::noop());
    let said = [(); 3].map(|()| match service.poll_ready(&mut context) {
        Poll::Pending => "not yet".to_owned(),
        Poll::Ready(Ok(())) => "ready".to_owned(),
        Poll::Ready(Err(error)) => error.to_string(),
    });
    assert_eq!(said, ["not yet", "not ready", "ready"]);
}

#[test]
fn weak_secrets_are_warned_of_once_for_any_number_of_workers() {
    let ring = Keyring::new("example-only-hunter2").unwrap().fallback("django-insecure-x").unwrap();
    let options = CookieOptions::new("sessionid").unwrap();
    let manager = SessionManager::new(SessionCodec::new(&ring), options);
    let (middleware, log) = logged(|| SessionMiddleware::new(manager));
    assert_eq!(
        log,
        [
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=0 weakness=has fewer than 32 bytes, and can be guessed",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=0 weakness=begins with example-only-, so it is a publicly known sample",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=has fewer than 32 bytes, and can be guessed",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=begins with django-insecure-, so it was generated for development",
        ]
    );
    for _worker in 0..3 {
        let page = async |session: SessionHandle| session.insert("user", "ada").map(|()| "a page");
        let app = App::new().wrap(middleware.clone()).route("/", web::get().to(page));
        let (answer, log) = ask(app, "theme=dark");
        assert_eq!(answer.unwrap().body, "a page");
        assert_eq!(log, [""; 0]);
    }
}

#[test]
fn of_two_the_inner_middleware_serves_and_each_writes_its_own() {
    async fn around(
        session: SessionHandle,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        if request.headers().get(COOKIE).is_some_and(|it| it.as_bytes().starts_with(b"both")) {
            session.insert("outer", session.get::<String>("user")?)?;
        }
        next.call(request).await
    }
    async fn page(session: SessionHandle) -> Result<&'static str, ValueError> {
        session.insert("inner", session.get::<String>("user")?)?;
        Ok("a page")
    }
    let named = |name| {
        let options = CookieOptions::new(name).unwrap();
        SessionMiddleware::new(SessionManager::new(codec(), options))
    };
    let (ada, eve) = (cookie("ada"), cookie("eve"));
    let cookies = [ada.replace("sessionid", "outer"), eve.replace("sessionid", "inner")].join("; ");
    for (first, names) in [("inner", &["inner"][..]), ("both", &["inner", "outer"])] {
        let app = App::new()
            .wrap(named("inner"))
            .wrap(from_fn(around))
            .wrap(named("outer"))
            .route("/", web::get().to(page));
        let (answer, _) = ask(app, &format!("{first}=1; {cookies}"));
        let answer = answer.unwrap();
        let set = answer.all("set-cookie");
        assert_eq!(set.len(), names.len());
        for (set, name) in set.iter().zip(names) {
            let token = set.split(['=', ';']).collect::<Vec<_>>();
            assert_eq!(token[0], *name);
            let session = codec().decode(token[1]).unwrap();
            let user = if *name == "inner" { "eve" } else { "ada" };
            assert_eq!(session.get(name), Ok(Some(user)));
        }
        assert_eq!(answer.all("vary"), ["Cookie"]);
        assert_eq!(answer.all("cache-control"), ["private"]);
    }
}

#[test]
fn the_types_can_go_where_those_of_actix_web_go() {
    fn sent<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}
    sent(&SessionMiddleware::new(manager()));
}
