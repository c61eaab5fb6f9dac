//! Holds the layer for tower to what it is among other layers: nobody sees it but through a session.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use axum::http::header::COOKIE;
use axum::http::{Request, Response, StatusCode, Version};
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionFuture, SessionHandle, SessionLayer,
    SessionManager, SessionService,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};

use crate::common::{codec, cookie, logged, manager};

/// A service that is never asked before it said that it is ready, and that cannot be cloned.
struct Strict {
    readiness: Vec<Poll<Result<(), Fault>>>,
    is_ready: bool,
}

#[derive(Debug, PartialEq)]
struct Fault(&'static str);

impl Service<Request<()>> for Strict {
    type Response = Response<Vec<u8>>;
    type Error = Fault;
    type Future = Ready<Result<Self::Response, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let readiness = self.readiness.remove(0);
        self.is_ready = readiness == Poll::Ready(Ok(()));
        readiness
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called before it was ready");
        request.extensions().get::<SessionHandle>().unwrap().insert("user", "ada").unwrap();
        ready(Err(Fault("in the answer")))
    }
}

#[tokio::test]
async fn the_inner_service_says_when_it_is_ready_and_its_errors_pass() {
    let not_ready = Poll::Ready(Err(Fault("not ready")));
    let readiness = vec![Poll::Pending, not_ready, Poll::Ready(Ok(()))];
    let mut service = SessionLayer::new(manager()).layer(Strict { readiness, is_ready: false });
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(service.poll_ready(&mut context), Poll::Pending);
    assert_eq!(service.poll_ready(&mut context), Poll::Ready(Err(Fault("not ready"))));
    assert_eq!(service.poll_ready(&mut context), Poll::Ready(Ok(())));
    let (error, log) = logged(|| service.call(Request::new(())));
    assert_eq!(error.await.unwrap_err(), Fault("in the answer"));
    assert_eq!(log, [""; 0]);
}

#[tokio::test]
async fn a_response_keeps_all_that_is_not_the_session_s() {
    let body = b"a page".to_vec();
    let address = body.as_ptr();
    let mut body = Some(body);
    let handler = |request: Request<()>| {
        request.extensions().get::<SessionHandle>().unwrap().insert("user", "ada").unwrap();
        let response = Response::builder().version(Version::HTTP_2).status(StatusCode::ACCEPTED);
        let response = response.header("x-page", "1").extension("of the handler");
        ready(response.body(body.take().unwrap()))
    };
    let service = SessionLayer::new(manager()).layer(service_fn(handler));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::ACCEPTED, Version::HTTP_2));
    assert_eq!(response.extensions().get(), Some(&"of the handler"));
    assert_eq!(response.headers()["x-page"], "1");
    assert_eq!(response.headers().len(), 4);
    assert_eq!(response.body().as_ptr(), address);
}

#[tokio::test]
async fn weak_secrets_are_warned_of_once_a_layer() {
    let ring = Keyring::new("example-only-hunter2").unwrap().fallback("django-insecure-x").unwrap();
    let options = CookieOptions::new("sessionid").unwrap();
    let manager = SessionManager::new(SessionCodec::new(&ring), options);
    let (layer, log) = logged(|| SessionLayer::new(manager));
    assert_eq!(
        log,
        [
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=0 weakness=has fewer than 32 bytes, and can be guessed",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=0 weakness=begins example-only-: it is a sample that everybody knows",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=has fewer than 32 bytes, and can be guessed",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=begins django-insecure-: it was made for development",
        ]
    );
    let respond = |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(())));
    let (services, log) = logged(|| [0, 1, 2].map(|_| layer.clone().layer(service_fn(respond))));
    assert_eq!(log, [""; 0]);
    for mut service in services {
        for _ in 0..2 {
            let (response, log) = logged(|| service.call(Request::new(())));
            response.await.unwrap();
            assert_eq!(log, [""; 0]);
        }
    }
}

#[tokio::test]
async fn of_two_layers_the_inner_one_serves_and_each_writes_its_own() {
    let named = |name| SessionManager::new(codec(), CookieOptions::new(name).unwrap());
    let page = |request: Request<()>| {
        let session: SessionHandle = request.extensions().get().cloned().unwrap();
        session.insert("inner", session.get::<String>("user").unwrap()).unwrap();
        ready(Ok::<_, Infallible>(Response::new(())))
    };
    let layers = |writes_outer: bool| {
        ServiceBuilder::new()
            .layer(SessionLayer::new(named("outer")))
            .map_request(move |request: Request<()>| {
                let outer: &SessionHandle = request.extensions().get().unwrap();
                if writes_outer {
                    outer.insert("outer", outer.get::<String>("user").unwrap()).unwrap();
                }
                request
            })
            .layer(SessionLayer::new(named("inner")))
            .service_fn(page)
    };
    let cookies = cookie("ada").replace("sessionid", "outer")
        + "; "
        + &cookie("eve").replace("sessionid", "inner");
    for (writes_outer, names) in [(false, &["inner"][..]), (true, &["inner", "outer"])] {
        let request = Request::builder().header(COOKIE, &cookies).body(()).unwrap();
        let response = layers(writes_outer).oneshot(request).await.unwrap();
        let set: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(set.len(), names.len());
        for (set, name) in set.iter().zip(names) {
            let token = set.to_str().unwrap().split(['=', ';']).collect::<Vec<_>>();
            assert_eq!(token[0], *name);
            let session = codec().decode(token[1]).unwrap();
            let user = if *name == "inner" { "eve" } else { "ada" };
            assert_eq!(session.get(name), Ok(Some(user)));
        }
        for (name, value) in [("vary", "Cookie"), ("cache-control", "private")] {
            let said: Vec<_> = response.headers().get_all(name).iter().collect();
            assert_eq!(said, [value], "{name}");
        }
    }
}

#[test]
fn the_types_have_names_and_can_go_where_services_go() {
    fn shared<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}
    fn sent<F>(_: &SessionFuture<F>)
    where
        SessionFuture<F>: Debug + Send + 'static,
    {
    }
    fn cloned<S: Clone + Send + Sync + 'static>(_: &S) {}
    type Respond = fn(Request<()>) -> Ready<Result<Response<()>, Infallible>>;

    let respond: Respond = |request| {
        shared(request.extensions().get::<SessionHandle>().unwrap());
        ready(Ok(Response::new(())))
    };
    let layer = SessionLayer::new(manager());
    shared(&layer);
    let mut service: SessionService<_> = layer.layer(service_fn(respond));
    cloned(&service);
    sent(&service.call(Request::new(())));
}
