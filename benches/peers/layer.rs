//! What a layer adds to a request whose session nobody uses, and what the check of ended sessions adds.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use http::header::COOKIE;
use http::{Request, Response};
use signed_session::{Compress, CookieOptions, Revocations, SessionLayer, SessionManager};
use support::sample::{Auth, COUNT, Sample as _};
use time::OffsetDateTime;
use tower::{Layer as _, Service, service_fn};

use crate::ours;
use crate::race::{Lane, Race};

/// A request through the bare service, and through the same service with the layer around it.
pub struct Untouched {
    pub bare: Lane,
    pub layered: Lane,
}

impl Untouched {
    pub fn enter(race: &mut Race, has_cookie: bool, now: OffsetDateTime) -> Self {
        let tokens = ours::tokens(&Auth::all(), Compress::Never, now);
        let cookies: Vec<Option<String>> = tokens
            .iter()
            .map(|token| has_cookie.then(|| format!("theme=dark; sessionid={token}; csrftoken=a")))
            .collect();
        let layer = SessionLayer::new(manager());
        Self {
            bare: enter(race, service_fn(answer), cookies.clone()),
            layered: enter(race, layer.layer(service_fn(answer)), cookies),
        }
    }
}

fn manager() -> SessionManager {
    let options = CookieOptions::new("sessionid").expect("a name");
    SessionManager::new(ours::codec(Compress::Never), options)
}

fn answer(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    black_box(&request);
    ready(Ok(Response::new(())))
}

fn enter<S, B>(race: &mut Race, mut service: S, cookies: Vec<Option<String>>) -> Lane
where
    S: Service<Request<()>, Response = Response<B>> + 'static,
{
    // Requests are made before the time is taken, and dropped by the service.
    let request = move |index: usize| {
        // Other layers, such as a router, have extensions of their own.
        let mut request = Request::builder().extension(42_u32);
        if let Some(cookie) = &cookies[index] {
            request = request.header(COOKIE, cookie);
        }
        request.body(()).expect("a request")
    };
    race.enter_prepared(request, move |request| {
        let mut response = pin!(service.call(request));
        let polled = response.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(black_box(polled).is_ready());
    })
}

/// The loading of a login with an empty list of ended sessions, and with one of a million others.
pub struct Ended {
    pub empty: Lane,
    pub million: Lane,
}

impl Ended {
    pub fn enter(race: &mut Race, now: OffsetDateTime) -> Self {
        let lifetime = Duration::from_secs(30 * 24 * 60 * 60);
        let list = Revocations::new(lifetime);
        let watched = |list: &Revocations| manager().revocations(list.clone(), "user_id");
        let cookies: Vec<String> = (0..COUNT)
            .map(|user| {
                let mut session = watched(&list).load_at([""; 0], now);
                session.begin(|_| true);
                session.insert("user_id", user).expect("a number");
                let reply = watched(&list).commit_at(&session, 200, now).expect("it fits");
                reply.set_cookie.expect("it was begun").stripped().to_string()
            })
            .collect();
        let ended = |users: usize| {
            let list = Revocations::new(lifetime);
            for user in 0..users {
                list.end_all_at(format!("other-{user}"), now).expect("a short name");
            }
            list
        };
        let mut enter = |manager: SessionManager| {
            let cookies = cookies.clone();
            race.enter(move |index| {
                let session = manager.load_at([black_box(&cookies[index])], now);
                assert!(session.refusal().is_none());
                black_box(session);
            })
        };
        Self { empty: enter(watched(&ended(0))), million: enter(watched(&ended(1_000_000))) }
    }
}
