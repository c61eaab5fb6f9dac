//! Holds the layer for tower to what it is among other layers: nobody sees it but through a session.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum::body::{Bytes, HttpBody};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, SizeHint};
use signed_session::{
    CookieOptions, Keyring, SessionCodec, SessionFuture, SessionHandle, SessionLayer,
    SessionManager, SessionService,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::trace::TraceLayer;

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
    let body = response.into_body().into_inner().unwrap();
    assert_eq!(body.as_ptr(), address);
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
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=0 weakness=begins with example-only-, so it is a publicly known sample",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=has fewer than 32 bytes, and can be guessed",
            "WARN a session secret is weak: `openssl rand -base64 48` prints a good one index=1 weakness=begins with django-insecure-, so it was generated for development",
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

/// A body as another crate may have it: it has no default, and no `Clone`.
struct Page(Full<Bytes>);

impl HttpBody for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[tokio::test]
async fn the_layer_stands_anywhere_among_those_of_tower_http() {
    async fn page<B: HttpBody>(request: Request<B>) -> Result<Response<Page>, Infallible>
    where
        B::Error: Debug,
    {
        let session: SessionHandle = SessionHandle::from_extensions(request.extensions()).unwrap();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        session.insert("sent", body.len()).unwrap();
        Ok(Response::new(Page(Full::new(Bytes::from_static(b"a page")))))
    }
    async fn ask<S, R>(service: S, len: usize) -> (StatusCode, Option<usize>, Bytes)
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>>,
        S::Error: Debug,
        R: HttpBody,
        R::Error: Debug,
    {
        let body = Full::new(Bytes::from(vec![b'x'; len]));
        let response = service.oneshot(Request::new(body)).await.unwrap();
        let cookie = response.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap());
        let session = cookie.map(|cookie| manager().load([cookie.split(';').next().unwrap()]));
        let sent = session.map(|session| session.get("sent").unwrap().unwrap());
        let status = response.status();
        assert_eq!(response.body().size_hint().exact().is_some(), status.is_success());
        (status, sent, response.into_body().collect().await.unwrap().to_bytes())
    }

    let outside = ServiceBuilder::new()
        .layer(SessionLayer::new(manager()))
        .layer(TraceLayer::new_for_http())
        .layer(RequestBodyLimitLayer::new(100))
        .service_fn(page);
    let between = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SessionLayer::new(manager()))
        .layer(RequestBodyLimitLayer::new(100))
        .service_fn(page);
    let inside = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(RequestBodyLimitLayer::new(100))
        .layer(SessionLayer::new(manager()))
        .service_fn(page);
    let twice = ServiceBuilder::new()
        .layer(SessionLayer::marked::<Page>(manager()))
        .layer(SessionLayer::new(manager()))
        .service_fn(page);
    let page = (StatusCode::OK, Some(7), Bytes::from_static(b"a page"));
    assert_eq!(ask(outside, 7).await, page);
    assert_eq!(ask(between, 7).await, page);
    assert_eq!(ask(inside, 7).await, page);
    assert_eq!(ask(twice, 7).await, page);
}

#[tokio::test]
async fn a_response_that_cannot_be_saved_has_an_empty_body() {
    let service = SessionLayer::new(manager()).layer(service_fn(|request: Request<()>| {
        let session: SessionHandle = SessionHandle::from_extensions(request.extensions()).unwrap();
        session.insert("large", Vec::from_iter(0..5000)).unwrap();
        let page = Response::new(Page(Full::new(Bytes::from_static(b"a page"))));
        ready(Ok::<_, Infallible>(page))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.into_body();
    assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

#[test]
fn a_reply_is_appended_to_headers_as_the_layer_does_it() {
    for (present, expected) in [
        (vec![], vec!["set-cookie", "vary", "cache-control"]),
        (vec![("vary", "Cookie"), ("cache-control", "no-store")], vec!["set-cookie"]),
        (vec![("set-cookie", "theme=dark"), ("vary", "accept")], {
            vec!["set-cookie", "vary", "cache-control"]
        }),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in &present {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let mut session = manager().load(["a=b"]);
        session.insert("user", "ada").unwrap();
        manager().commit(&session, 200).unwrap().append_to(&mut headers);
        assert_eq!(headers.len(), present.len() + expected.len());
        for (name, value) in present {
            assert_eq!(headers.get_all(name).iter().next().unwrap(), value);
        }
        let cookie = headers.get_all(SET_COOKIE).iter().next_back().unwrap().to_str().unwrap();
        assert!(cookie.starts_with("sessionid="), "{cookie}");
        assert!(headers.contains_key("cache-control"));
    }
}
