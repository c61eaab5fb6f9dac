//! One handler reads two sessions, each with its own cookie, expiry and policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use signed_session::{
    CookieOptions, Keyring, SameSite, SessionCodec, SessionHandle, SessionManager, ValueError,
};
use time::OffsetDateTime;

use crate::common::Answer;

/// The session of those who work in the shop.
struct Office;

/// What the two sessions say, and what is done to one of them.
fn page(
    path: &str,
    shop: &SessionHandle,
    office: &SessionHandle<Office>,
) -> Result<String, ValueError> {
    match path {
        "/buy" => shop.insert("cart", "pears")?,
        "/login" => {
            office.begin(|_| false);
            office.insert("admin", "grace")?;
        }
        "/logout" => office.flush(),
        _ => {}
    }
    let text = |entry: Option<String>| entry.unwrap_or_else(|| "nothing".to_owned());
    Ok(format!("{}, {}", text(shop.get("cart")?), text(office.get("admin")?)))
}

/// The two sessions of one site, under one key ring.
#[derive(Clone)]
struct Site {
    /// In Unix seconds.
    now: Arc<AtomicI64>,
    is_closed: Arc<AtomicBool>,
    shop: SessionManager,
    office: SessionManager,
}

impl Site {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000));
        let clock = || {
            let now = Arc::clone(&now);
            move || OffsetDateTime::from_unix_timestamp(now.load(Ordering::Relaxed)).unwrap()
        };
        let is_closed = Arc::new(AtomicBool::new(false));
        let is_refused = Arc::clone(&is_closed);
        let ring = Keyring::new("a passphrase of the tests of several sessions").unwrap();
        let hour = Duration::from_secs(3600);
        let shop = SessionManager::new(
            SessionCodec::named(&ring, "shop"),
            CookieOptions::new("shop").unwrap(),
        );
        let office = SessionManager::new(
            SessionCodec::named(&ring, "office").max_age(hour),
            CookieOptions::new("__Host-office").unwrap().same_site(SameSite::Strict),
        );
        let (shop, office) = (shop.clock(clock()), office.clock(clock()));
        let office = office.refuse_if(move |_| is_refused.load(Ordering::Relaxed));
        Self { now, is_closed, shop, office }
    }
}

async fn through_axum(site: Site, path: &str, cookies: &str) -> Answer {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, Uri, header::COOKIE};
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use signed_session::SessionLayer;
    use tower::ServiceExt as _;

    let handler = async |uri: Uri, shop: SessionHandle, office: SessionHandle<Office>| {
        page(uri.path(), &shop, &office)
    };
    let app: Router = Router::new()
        .route("/{page}", get(handler))
        .layer(SessionLayer::new(site.shop))
        .layer(SessionLayer::marked::<Office>(site.office));
    let request = Request::get(path).header(COOKIE, cookies).body(Body::empty()).unwrap();
    let (head, body) = app.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let answer = Answer::new(head.status.as_u16()).body(str::from_utf8(&body).unwrap());
    head.headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name.as_str(), value.to_str().unwrap()))
}

async fn through_actix(site: Site, path: &str, cookies: &str) -> Answer {
    use actix_web::http::header::COOKIE;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpRequest, web};
    use signed_session::SessionMiddleware;

    let handler =
        async |request: HttpRequest, shop: SessionHandle, office: SessionHandle<Office>| {
            page(request.path(), &shop, &office)
        };
    let app = App::new()
        .route("/{page}", web::get().to(handler))
        .wrap(SessionMiddleware::new(site.shop))
        .wrap(SessionMiddleware::marked::<Office>(site.office));
    let service = init_service(app).await;
    let request = TestRequest::with_uri(path).append_header((COOKIE, cookies)).to_request();
    let response = call_service(&service, request).await;
    let answer = Answer::new(response.status().as_u16());
    let answer = response.headers().iter().fold(answer, |answer, (name, value)| {
        answer.header(name.as_str(), value.to_str().unwrap())
    });
    answer.body(str::from_utf8(&read_body(response).await).unwrap())
}

#[test]
fn a_handler_reads_two_sessions_of_one_key_each_by_its_own_rules() {
    for framework in ["axum", "actix"] {
        let site = Site::new();
        let ask = |path: &str, cookies: &str| match framework {
            "axum" => tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(through_axum(site.clone(), path, cookies)),
            _ => {
                let system = actix_web::rt::System::new();
                system.block_on(through_actix(site.clone(), path, cookies))
            }
        };
        let only_cookie = |answer: &Answer| {
            let cookies = answer.all("set-cookie");
            assert_eq!(cookies.len(), 1, "{framework}: {cookies:?}");
            cookies[0].to_owned()
        };

        // Each sets its own cookie, with its own attributes, and leaves the other's alone.
        let answer = ask("/buy", "a=b");
        assert_eq!(answer.body, "pears, nothing", "{framework}");
        let cookie = only_cookie(&answer);
        assert!(cookie.starts_with("shop="), "{cookie}");
        assert!(cookie.contains("; Max-Age=1209600;"), "{cookie}");
        assert!(cookie.contains("; SameSite=Lax;"), "{cookie}");
        let shop = cookie.split(';').next().unwrap().to_owned();

        let answer = ask("/login", &shop);
        assert_eq!(answer.body, "pears, grace", "{framework}");
        let cookie = only_cookie(&answer);
        assert!(cookie.starts_with("__Host-office="), "{cookie}");
        assert!(cookie.contains("; Max-Age=3600;"), "{cookie}");
        assert!(cookie.contains("; SameSite=Strict;"), "{cookie}");
        let office = cookie.split(';').next().unwrap().to_owned();

        let both = format!("{shop}; {office}");
        let answer = ask("/look", &both);
        assert_eq!((answer.body.as_str(), answer.all("set-cookie").len()), ("pears, grace", 0));
        assert_eq!(answer.all("vary"), ["Cookie"], "{framework}");

        // Nobody becomes an administrator by renaming a cookie, nor the reverse.
        let value = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
        let swapped = format!("shop={}; __Host-office={}", value(&office), value(&shop));
        assert_eq!(ask("/look", &swapped).body, "nothing, nothing", "{framework}");

        // One has a rule, and an age.
        site.is_closed.store(true, Ordering::Relaxed);
        assert_eq!(ask("/look", &both).body, "pears, nothing", "{framework}");
        site.is_closed.store(false, Ordering::Relaxed);
        site.now.fetch_add(3600, Ordering::Relaxed);
        assert_eq!(ask("/look", &both).body, "pears, grace", "{framework}");
        site.now.fetch_add(1, Ordering::Relaxed);
        assert_eq!(ask("/look", &both).body, "pears, nothing", "{framework}");

        // A logout ends one of them.
        site.now.fetch_sub(1, Ordering::Relaxed);
        let answer = ask("/logout", &both);
        assert_eq!(answer.body, "pears, nothing", "{framework}");
        let cookie = only_cookie(&answer);
        assert!(cookie.starts_with("__Host-office=; "), "{cookie}");
        assert!(cookie.contains("; Max-Age=0;"), "{cookie}");
    }
}
