//! Keys are rotated while requests are served, by all cores, and no visitor loses anything.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use signed_session::django::AuthUser;
use signed_session::{
    CookieOptions, Keyring, LiveManager, SessionCodec, SessionHandle, SessionLayer, SessionManager,
};
use tower::{Layer as _, Service, service_fn};

const VISITORS: usize = 8;
const MIN_ROTATIONS: u64 = 20;
const PASSWORD: &str = "pbkdf2_sha256$1000000$salt$hash";

fn ring(secrets: &[String]) -> Keyring {
    let ring = Keyring::new(&secrets[0]).unwrap();
    secrets[1..].iter().fold(ring, |ring, secret| ring.fallback(secret).unwrap())
}

/// Counts a visit of somebody who stays logged in, by the keys of the request.
fn visit(request: &Request<()>) -> Response<String> {
    let session: SessionHandle = SessionHandle::from_extensions(request.extensions()).unwrap();
    assert_eq!(session.refusal(), None);
    let visits = session.update("visits", |visits: &mut u64| {
        *visits += 1;
        *visits
    });
    let ring = session.keyring();
    if visits == Ok(1) {
        let user = AuthUser::new(ring, 42, "backend", PASSWORD);
        session.with(|entries| user.login(entries, |key| key == "visits"));
    } else {
        let user = session.with(|entries| AuthUser::from_session(entries)).unwrap().unwrap();
        let matched = session.with(|entries| user.resume(entries, ring, PASSWORD));
        assert!(matched.is_some(), "a swapped key logged a visitor out");
    }
    Response::new(visits.unwrap().to_string())
}

fn now<R>(future: impl Future<Output = R>) -> R {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[test]
fn keys_are_rotated_under_load_and_nothing_is_lost() {
    let _alone = crate::alone();
    let seconds = std::env::var("SIGNED_SESSION_SOAK_SECONDS").map_or(2, |s| s.parse().unwrap());
    let secret = |number: u64| format!("of the tests of rotation, the passphrase number {number}");
    let manager = SessionManager::new(
        SessionCodec::new(&ring(&[secret(0)])),
        CookieOptions::new("sessionid").unwrap(),
    );
    let live = LiveManager::from(manager);
    let layer = SessionLayer::new(live.clone());
    let visits = [const { AtomicU64::new(0) }; VISITORS];
    let stopped = AtomicBool::new(false);

    let rotations = thread::scope(|scope| {
        let visitors: Vec<_> = visits
            .iter()
            .map(|count| {
                let layer = layer.clone();
                let stopped = &stopped;
                scope.spawn(move || {
                    let handler = service_fn(|request| ready(Ok::<_, Infallible>(visit(&request))));
                    let mut service = layer.layer(handler);
                    let mut cookie = "theme=dark".to_owned();
                    while !stopped.load(Ordering::Relaxed) {
                        let request = Request::builder().header(COOKIE, &cookie).body(()).unwrap();
                        let response = now(service.call(request)).unwrap();
                        let set = response.headers()[SET_COOKIE].to_str().unwrap();
                        cookie = set.split(';').next().unwrap().to_owned();
                        let seen: u64 = response.into_body().into_inner().unwrap().parse().unwrap();
                        assert_eq!(seen, count.load(Ordering::Relaxed) + 1, "visits are lost");
                        count.store(seen, Ordering::Relaxed);
                    }
                })
            })
            .collect();

        // A visitor that came twice since has a cookie of a request that began since.
        let all_came = || {
            let before = visits.each_ref().map(|count| count.load(Ordering::Relaxed));
            let came = || {
                let now = visits.iter().map(|count| count.load(Ordering::Relaxed));
                now.zip(before).all(|(now, before)| now >= before + 2)
            };
            while !came() && !visitors.iter().any(|visitor| visitor.is_finished()) {
                thread::sleep(Duration::from_micros(100));
            }
        };
        let start = Instant::now();
        let mut number = 0;
        while (start.elapsed() < Duration::from_secs(seconds) || number < MIN_ROTATIONS)
            && !visitors.iter().any(|visitor| visitor.is_finished())
        {
            let (old, new) = (secret(number), secret(number + 1));
            for secrets in [&[old.clone(), new.clone()][..], &[new.clone(), old], &[new]] {
                all_came();
                live.update(|manager| manager.keyring(&ring(secrets)));
            }
            number += 1;
        }
        stopped.store(true, Ordering::Relaxed);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
        number
    });
    let visits: Vec<u64> = visits.into_iter().map(AtomicU64::into_inner).collect();
    println!("{rotations} rotations, {} visits", visits.iter().sum::<u64>());
    assert!(rotations >= MIN_ROTATIONS && visits.iter().all(|count| *count >= rotations));
}
