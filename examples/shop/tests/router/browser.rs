//! A browser without a window, which asks the router directly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{Request, StatusCode};
use signed_session::{Keyring, Revocations, Silence};
use signed_session_example_shop::carrier::Carrier;
use signed_session_example_shop::sessions::{Clock, LIFETIME};
use signed_session_example_shop::site::Site;
use signed_session_example_shop::sqlite::Follower;
use signed_session_example_shop::users::Users;
use tempfile::TempDir;
use time::OffsetDateTime;
use tower::ServiceExt as _;

use crate::accounts;
pub use crate::accounts::PASSWORD;

/// The site's own origin.
pub const ORIGIN_HERE: &str = "http://127.0.0.1:3000";

/// The shop, whose database is removed after its last visitor.
#[derive(Clone)]
pub struct Shop {
    router: Router,
    _folder: Arc<TempDir>,
}

/// A visitor of the shop, with their cookies.
#[derive(Clone)]
pub struct Browser {
    shop: Shop,
    pub jar: BTreeMap<String, String>,
}

/// A response.
pub struct Answer {
    pub status: StatusCode,
    /// The `Set-Cookie` headers.
    pub cookies: Vec<String>,
    /// The address of a redirect.
    pub location: String,
    /// What caches may do with it.
    pub cache_control: String,
    pub body: String,
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_at(OffsetDateTime::now_utc).await
    }

    /// Opens the shop with a clock of the test.
    pub async fn open_at(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Path::join(folder.path(), name);
        accounts::create(&path("users.sqlite3"));
        let (users, _) = Users::open(path("users.sqlite3")).await.unwrap();
        let revocations = Revocations::new(LIFETIME);
        let follower = Follower::new(path("ended.sqlite3"), revocations.clone(), LIFETIME, clock);
        follower.catch_up().await.unwrap();
        let site = Site {
            revocations,
            carrier: Carrier::Sqlite(follower),
            silence: Silence::Accept,
            users,
            address: SocketAddr::from(([127, 0, 0, 1], 3000)),
            clock,
        };
        let ring = Keyring::new("example-only-correct-horse-battery-staple").unwrap();
        Self { router: site.router(&ring).unwrap(), _folder: Arc::new(folder) }
    }

    pub fn browser(&self) -> Browser {
        Browser { shop: self.clone(), jar: BTreeMap::new() }
    }
}

impl Browser {
    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Opens a page, and submits a form of it with these fields and the hidden one.
    pub async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(page).await;
        assert!(page.body.contains(&format!("action=\"{action}\"")), "{}", page.body);
        let token = token(&page.body);
        self.post(action, &[fields, &[("csrfmiddlewaretoken", &token)]].concat()).await
    }

    /// Sends a form as a page of this site does.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(ORIGIN_HERE, path, fields).await
    }

    /// Sends a form as a page of another origin does.
    pub async fn post_from(&mut self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header(ORIGIN, origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let fields = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = fields.collect::<Vec<_>>().join("&");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    /// Logs in to the shop.
    pub async fn log_in(&mut self, name: &str) {
        let fields = [("name", name), ("password", PASSWORD)];
        let answer = self.submit("/login", "/login", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    }

    /// Logs in to the administration.
    pub async fn log_in_admin(&mut self, name: &str) -> Answer {
        let fields = [("name", name), ("password", PASSWORD)];
        self.submit("/admin/login", "/admin/login", &fields).await
    }

    /// Returns the text of an element of a page.
    pub async fn text(&mut self, path: &str, id: &str) -> String {
        let body = self.get(path).await.body;
        let (_, rest) = body.split_once(&format!("id=\"{id}\">")).expect("it is on the page");
        rest.split_once('<').unwrap().0.to_owned()
    }

    async fn ask(&mut self, mut request: Request<Body>) -> Answer {
        let jar = self.jar.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = jar.collect::<Vec<_>>().join("; ");
        request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
        let response = self.shop.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let values = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        let cookies: Vec<String> = values(SET_COOKIE).map(str::to_owned).collect();
        let (location, cache_control) =
            (values(LOCATION).collect(), values(CACHE_CONTROL).collect());
        for cookie in &cookies {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status, cookies, location, cache_control, body }
    }
}

impl Answer {
    /// Returns the attributes of the cookie of this name.
    pub fn cookie(&self, name: &str) -> &str {
        let named = self.cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
        named.expect("it is set").split_once(';').unwrap().1
    }
}

/// Returns the hidden field of the first form of a page.
pub fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrfmiddlewaretoken\" value=\"").expect("a form");
    rest.split_once('"').unwrap().0.to_owned()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
