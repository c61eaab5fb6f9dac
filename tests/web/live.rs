//! Keys, policy and tenants change while requests are served, and nobody is logged out by it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signed_session::django::AuthUser;
use signed_session::{
    CookieOptions, DecodeError, Keyring, LiveManager, Revocations, SessionCodec, SessionHandle,
    SessionManager,
};

use crate::common::{Answer, cookie, logged, manager, options};

const OLD: &str = "of the tests of live managers, the old passphrase";
const NEW: &str = "of the tests of live managers, the new passphrase";

type Handler = Arc<dyn Fn(SessionHandle) -> String + Send + Sync>;

/// A layer of each framework.
#[derive(Clone)]
enum Layer {
    Axum(signed_session::SessionLayer),
    Actix(signed_session::SessionMiddleware),
}

impl Layer {
    fn both(manager: &LiveManager) -> [Self; 2] {
        [
            Self::Axum(signed_session::SessionLayer::new(manager.clone())),
            Self::Actix(signed_session::SessionMiddleware::new(manager.clone())),
        ]
    }

    fn both_by_host(
        choose: impl Fn(&str) -> Option<LiveManager> + Clone + Send + Sync + 'static,
    ) -> [Self; 2] {
        [
            Self::Axum(signed_session::SessionLayer::by_host(choose.clone())),
            Self::Actix(signed_session::SessionMiddleware::by_host(choose)),
        ]
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Axum(_) => "axum",
            Self::Actix(_) => "actix",
        }
    }

    /// Returns the answer to a request for a URI with these headers.
    fn send(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        handler: impl Fn(SessionHandle) -> String + Send + Sync + 'static,
    ) -> Answer {
        let handler: Handler = Arc::new(handler);
        match self.clone() {
            Self::Axum(layer) => tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(through_axum(layer, uri, headers, handler)),
            Self::Actix(middleware) => actix_web::rt::System::new()
                .block_on(through_actix(middleware, uri, headers, handler)),
        }
    }

    fn ask(
        &self,
        cookie: &str,
        handler: impl Fn(SessionHandle) -> String + Send + Sync + 'static,
    ) -> Answer {
        self.send("/", &[("cookie", cookie)], handler)
    }
}

async fn through_axum(
    layer: signed_session::SessionLayer,
    uri: &str,
    headers: &[(&str, &str)],
    handler: Handler,
) -> Answer {
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing::any};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    let page = move |session: SessionHandle| async move { handler(session) };
    let app = Router::new().route("/", any(page)).layer(layer);
    let request = headers
        .iter()
        .fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let answer = Answer::new(head.status.as_u16()).body(str::from_utf8(&body).unwrap());
    head.headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name.as_str(), value.to_str().unwrap()))
}

async fn through_actix(
    middleware: signed_session::SessionMiddleware,
    uri: &str,
    headers: &[(&str, &str)],
    handler: Handler,
) -> Answer {
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, body, web};

    let page = move |session: SessionHandle| {
        let handler = Arc::clone(&handler);
        async move { handler(session) }
    };
    let app = App::new().wrap(middleware).route("/", web::get().to(page));
    let service = init_service(app).await;
    let request = headers.iter().fold(TestRequest::with_uri(uri), |request, (name, value)| {
        request.append_header((*name, *value))
    });
    let response = match try_call_service(&service, request.to_request()).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    let answer = Answer::new(response.status().as_u16());
    let answer = response.headers().iter().fold(answer, |answer, (name, value)| {
        answer.header(name.as_str(), value.to_str().unwrap())
    });
    let response: HttpResponse = response;
    answer.body(str::from_utf8(&body::to_bytes(response.into_body()).await.unwrap()).unwrap())
}

fn ring(secrets: &[&str]) -> Keyring {
    let ring = Keyring::new(secrets[0]).unwrap();
    secrets[1..].iter().fold(ring, |ring, secret| ring.fallback(secret).unwrap())
}

fn manager_of(ring: &Keyring) -> SessionManager {
    SessionManager::new(SessionCodec::new(ring), options())
}

/// Which of the two keys signed the cookie of an answer.
fn signed_by(answer: &Answer) -> usize {
    let session = manager_of(&ring(&[OLD, NEW])).load([answer.cookie().unwrap()]);
    session.key_index().unwrap()
}

fn write(session: SessionHandle) -> String {
    session.update("visits", |visits: &mut u32| *visits += 1).unwrap();
    session.get::<u32>("visits").unwrap().unwrap().to_string()
}

#[test]
fn other_keys_count_for_requests_that_arrive_afterwards() {
    let live = LiveManager::from(manager_of(&ring(&[OLD])));
    for layer in Layer::both(&live) {
        live.update(|manager| manager.keyring(&ring(&[OLD])));
        let first = layer.ask("a=b", write);
        assert_eq!(signed_by(&first), 0, "{}", layer.name());
        // The keys change while a request is handled: it keeps those that it began with.
        let updates = live.clone();
        let during = layer.ask(first.cookie().unwrap(), move |session| {
            updates.update(|manager| manager.keyring(&ring(&[NEW, OLD])));
            let signer = signed_session::Signer::new(session.keyring(), "x");
            assert!(
                signed_session::Signer::new(&ring(&[OLD]), "x").unsign(&signer.sign("y")).is_ok()
            );
            write(session)
        });
        assert_eq!((during.body.as_str(), signed_by(&during)), ("2", 0), "{}", layer.name());
        // The next one has the others.
        let after = layer.ask(during.cookie().unwrap(), write);
        assert_eq!((after.body.as_str(), signed_by(&after)), ("3", 1), "{}", layer.name());
        live.update(|manager| manager.keyring(&ring(&[NEW])));
        assert_eq!(layer.ask(after.cookie().unwrap(), write).body, "4", "{}", layer.name());
        // Who did not come meanwhile is refused.
        assert_eq!(layer.ask(during.cookie().unwrap(), write).body, "1", "{}", layer.name());
    }
}

#[test]
fn every_other_setting_can_change_too() {
    let live = LiveManager::from(manager_of(&ring(&[OLD])));
    for layer in Layer::both(&live) {
        let another = manager_of(&ring(&[OLD])).refuse_if(|session| session.contains_key("visits"));
        live.update(|_| manager_of(&ring(&[OLD])));
        let cookie = layer.ask("a=b", write).cookie().unwrap().to_owned();
        assert_eq!(layer.ask(&cookie, write).body, "2", "{}", layer.name());
        live.update(|_| another);
        assert_eq!(layer.ask(&cookie, write).body, "1", "{}", layer.name());
        // And back again, by a change of what is there.
        live.update(|manager| manager.keyring(&ring(&[NEW])));
        live.update(|_| {
            SessionManager::new(SessionCodec::new(&ring(&[OLD])).max_age(Duration::ZERO), options())
        });
        let answer = layer.ask("a=b", write);
        assert!(answer.all("set-cookie")[0].contains("; Max-Age=0;"), "{}", layer.name());
    }
}

#[test]
fn a_login_survives_a_swap_only_with_the_ring_of_its_request() {
    const PASSWORD: &str = "pbkdf2_sha256$1000000$salt$hash";
    let live = LiveManager::from(manager_of(&ring(&[OLD])));
    for layer in Layer::both(&live) {
        live.update(|manager| manager.keyring(&ring(&[OLD])));
        let login = layer.ask("a=b", |session| {
            let user = AuthUser::new(session.keyring(), 42, "backend", PASSWORD);
            session.with(|entries| user.login(entries, |_| false));
            String::new()
        });
        let who = |keys: fn(&SessionHandle) -> Keyring| {
            move |session: SessionHandle| {
                let ring = keys(&session);
                let user = session.with(|entries| AuthUser::from_session(entries)).unwrap();
                let matched = user
                    .and_then(|user| session.with(|entries| user.resume(entries, &ring, PASSWORD)));
                matched.is_some().to_string()
            }
        };
        let mut cookie = login.cookie().unwrap().to_owned();
        for secrets in [&[OLD, NEW][..], &[NEW, OLD], &[NEW]] {
            live.update(|manager| manager.keyring(&ring(secrets)));
            let answer = layer.ask(&cookie, who(|session| session.keyring().clone()));
            assert_eq!(answer.body, "true", "{} {secrets:?}", layer.name());
            cookie = answer.cookie().map_or(cookie, str::to_owned);
        }
        // The control: a handler that kept the ring of the start.
        let answer = layer.ask(&cookie, who(|_| ring(&[OLD])));
        assert_eq!(answer.body, "false", "{}", layer.name());
    }
}

#[test]
fn a_swap_keeps_what_was_ended_whatever_it_swaps_in() {
    let fresh = || Revocations::new(Duration::from_secs(3600));
    let login = |session: SessionHandle| {
        session.begin(|_| false);
        session.insert("user_id", 42).unwrap();
        String::new()
    };
    let anyone = |session: SessionHandle| format!("{:?}", session.refusal());
    let live = LiveManager::from(manager_of(&ring(&[OLD])).revocations(fresh(), "user_id"));
    for layer in Layer::both(&live) {
        let stolen = layer.ask("a=b", login).cookie().unwrap().to_owned();
        assert_eq!(layer.ask(&stolen, anyone).body, "None", "{}", layer.name());
        layer.ask(&stolen, |session| {
            session.flush();
            String::new()
        });
        let swaps: [fn(SessionManager) -> SessionManager; 4] = [
            |manager| manager.keyring(&ring(&[NEW, OLD])),
            |_| manager_of(&ring(&[OLD])),
            |_| manager_of(&ring(&[OLD])).subject("user_id"),
            |_| {
                let another = Revocations::new(Duration::from_secs(3600));
                manager_of(&ring(&[OLD])).revocations(another, "user_id")
            },
        ];
        for (number, swap) in swaps.into_iter().enumerate() {
            live.update(swap);
            let expected = format!("{:?}", Some(DecodeError::Revoked));
            assert_eq!(layer.ask(&stolen, anyone).body, expected, "{} {number}", layer.name());
        }
    }
    // Where there was no list, a swap brings one.
    let live = LiveManager::from(manager_of(&ring(&[OLD])));
    let list = fresh();
    let added = list.clone();
    live.update(|manager| manager.revocations(added, "user_id"));
    for layer in Layer::both(&live) {
        let cookie = layer.ask("a=b", login).cookie().unwrap().to_owned();
        list.end_all(42).unwrap();
        assert_eq!(layer.ask(&cookie, anyone).body, format!("{:?}", Some(DecodeError::Revoked)));
    }
}

#[test]
fn no_update_is_lost_and_a_panic_changes_nothing() {
    let calls: Arc<[AtomicUsize; 200]> = Arc::new([const { AtomicUsize::new(0) }; 200]);
    let live = LiveManager::from(manager());
    thread::scope(|scope| {
        for part in 0..4 {
            let (live, calls) = (live.clone(), &calls);
            scope.spawn(move || {
                for number in 0..50 {
                    let calls = Arc::clone(calls);
                    live.update(|manager| {
                        manager.refuse_if(move |_| {
                            calls[part * 50 + number].fetch_add(1, Ordering::Relaxed);
                            false
                        })
                    });
                }
            });
        }
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        live.update(|_| resume_unwind(Box::new("a fault of the program")));
    }));
    assert!(panicked.is_err());
    let before = live.get();
    live.update(|manager| manager.save_every_request(true));
    // What was handed out is not changed, and what is handed out now is all that was asked for.
    for manager in [before, live.get()] {
        assert!(manager.load([&cookie("ada")]).refusal().is_none());
    }
    assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) == 2));
}

#[test]
fn secrets_that_are_swapped_in_are_warned_of_once() {
    let live = LiveManager::from(manager());
    for layer in Layer::both(&live) {
        let warnings = |log: Vec<String>| log.iter().filter(|line| line.contains("weak")).count();
        let (_, log) = logged(|| layer.ask("a=b", |_| String::new()));
        assert_eq!(warnings(log), 0, "{}", layer.name());
        live.update(|manager| manager.keyring(&Keyring::new("hunter2").unwrap()));
        for expected in [1, 0] {
            let (_, log) = logged(|| layer.ask("a=b", |_| String::new()));
            assert_eq!(warnings(log), expected, "{}", layer.name());
        }
        live.update(|_| manager());
    }
}

// By host.

fn tenants() -> BTreeMap<&'static str, LiveManager> {
    let ring = ring(&[OLD]);
    ["pears.example", "apples.example", "[::1]", "127.0.0.1"]
        .map(|host| {
            let manager = SessionManager::new(SessionCodec::named(&ring, host), options());
            (host, LiveManager::from(manager))
        })
        .into()
}

#[test]
fn each_tenant_has_sessions_of_its_own() {
    let tenants = tenants();
    for layer in Layer::both_by_host(move |host| tenants.get(host).cloned()) {
        let visit = |host: &str, cookie: &str| {
            layer.send("/", &[("host", host), ("cookie", cookie)], write)
        };
        let pears = visit("pears.example", "a=b").cookie().unwrap().to_owned();
        assert_eq!(visit("pears.example", &pears).body, "2", "{}", layer.name());
        assert_eq!(visit("PEARS.example:8080", &pears).body, "2", "{}", layer.name());
        assert_eq!(visit("apples.example", &pears).body, "1", "{}", layer.name());
    }
}

#[test]
fn a_request_without_one_known_host_is_a_bad_request() {
    let is_called = Arc::new(AtomicUsize::new(0));
    let tenants = tenants();
    for layer in Layer::both_by_host(move |host| tenants.get(host).cloned()) {
        let cases: &[(&str, &[&str], bool)] = &[
            ("/", &["pears.example"], true),
            ("/", &["Pears.EXAMPLE"], true),
            ("/", &["pears.example:80"], true),
            ("/", &["pears.example:"], true),
            ("/", &[" pears.example\t"], true),
            ("/", &["[::1]:3000"], true),
            ("/", &["[::1]"], true),
            ("/", &["127.0.0.1:3000"], true),
            ("http://pears.example/", &[], true),
            ("http://pears.example:8080/", &["elsewhere.example"], true),
            ("http://elsewhere.example/", &["pears.example"], false),
            ("/", &[], false),
            ("/", &[""], false),
            ("/", &["elsewhere.example"], false),
            ("/", &["pears.example", "pears.example"], false),
            ("http://pears.example/", &["pears.example", "apples.example"], false),
            ("/", &["pears.example,apples.example"], false),
            ("/", &["ada@pears.example"], false),
            ("http://ada@pears.example/", &[], false),
            ("/", &["pears.example:80:80"], false),
            ("/", &["pears.example:http"], false),
            ("/", &["pears.example/path"], false),
            ("/", &["pears.example."], false),
            ("/", &["x.pears.example"], false),
            ("/", &["::1"], false),
            ("/", &["[::1"], false),
            ("/", &["[pears.example]"], false),
            ("/", &["[::1]x"], false),
        ];
        for (uri, hosts, is_known) in cases {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let called = Arc::clone(&is_called);
            let before = is_called.load(Ordering::Relaxed);
            let (answer, log) = logged(|| {
                layer.send(uri, &headers, move |_| {
                    called.fetch_add(1, Ordering::Relaxed);
                    "a page".to_owned()
                })
            });
            let expected = if *is_known { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{} {uri} {hosts:?}", layer.name());
            let calls = is_called.load(Ordering::Relaxed) - before;
            assert_eq!(calls, usize::from(*is_known), "{uri} {hosts:?}");
            answer.assert_no_trace();
            let told = r#"DEBUG there is no session manager for a host code="unknown_host""#;
            assert_eq!(log, vec![told; usize::from(!is_known)]);
        }
    }
}

#[test]
fn a_layer_by_host_shares_the_session_of_its_clone_and_of_no_other() {
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing::any};
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let tenants = tenants();
    let layer = SessionLayer::by_host(move |host| tenants.get(host).cloned());
    let other = self::tenants();
    let other = SessionLayer::by_host(move |host| other.get(host).cloned());
    for (outer, cookies) in [(layer.clone(), 1), (other, 2)] {
        let page = |session: SessionHandle| async { write(session) };
        let app: Router = Router::new()
            .route("/", any(page))
            .layer(layer.clone())
            .layer(axum::middleware::from_fn(
                async |session: SessionHandle, request, next: axum::middleware::Next| {
                    session.insert("outer", true).unwrap();
                    next.run(request).await
                },
            ))
            .layer(outer);
        let request = Request::get("/").header("host", "pears.example").body(Body::empty());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(app.oneshot(request.unwrap())).unwrap();
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), cookies);
    }
}

#[test]
fn tenants_come_and_go_without_a_restart() {
    let tenants = Arc::new(std::sync::RwLock::new(tenants()));
    let known = Arc::clone(&tenants);
    for layer in Layer::both_by_host(move |host| known.read().unwrap().get(host).cloned()) {
        let visit = || layer.send("/", &[("host", "plums.example")], write).status;
        assert_eq!(visit(), 400, "{}", layer.name());
        let options = CookieOptions::new("plums").unwrap();
        let manager = SessionManager::new(SessionCodec::named(&ring(&[OLD]), "plums"), options);
        tenants.write().unwrap().insert("plums.example", manager.into());
        assert_eq!(visit(), 200, "{}", layer.name());
        tenants.write().unwrap().remove("plums.example");
        assert_eq!(visit(), 400, "{}", layer.name());
    }
}
