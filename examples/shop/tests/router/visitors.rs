//! The cart, the login, the guard and the messages.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::StatusCode;
use time::OffsetDateTime;

use crate::browser::{Browser, PASSWORD, Shop};

const DAY: i64 = 24 * 60 * 60;

async fn put_into_cart(browser: &mut Browser, fruit: &str) {
    let answer = browser.submit("/", "/cart/add", &[("fruit", fruit)]).await;
    assert_eq!((answer.status, &*answer.location), (StatusCode::SEE_OTHER, "/"));
}

#[tokio::test]
async fn a_page_without_a_cart_sets_no_session() {
    let mut ada = Shop::open().await.browser();
    let answer = ada.get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(ada.jar.keys().collect::<Vec<_>>(), ["csrftoken"]);
}

#[tokio::test]
async fn things_are_put_into_the_cart_and_removed() {
    let mut ada = Shop::open().await.browser();
    for fruit in ["pears", "pears", "figs", "melons"] {
        put_into_cart(&mut ada, fruit).await;
    }
    let page = ada.get("/").await.body;
    assert!(page.contains("2 × Pears") && page.contains("14.20\u{a0}€"), "{page}");
    assert_eq!(ada.text("/", "count").await, "3");
    ada.submit("/", "/cart/remove", &[("fruit", "pears")]).await;
    assert_eq!(ada.text("/", "count").await, "1");
}

#[tokio::test]
async fn a_login_keeps_the_cart_and_a_logout_ends_it() {
    let mut ada = Shop::open().await.browser();
    put_into_cart(&mut ada, "figs").await;
    let before = ada.jar["shop_session"].clone();
    ada.log_in("ada").await;
    assert_ne!(ada.jar["shop_session"], before);
    assert_eq!(ada.text("/", "who").await, "You are logged in as ada.");
    assert_eq!(ada.text("/", "count").await, "1");

    let mut copy = ada.clone();
    ada.submit("/account", "/logout", &[]).await;
    for browser in [&mut ada, &mut copy] {
        assert_eq!(browser.text("/", "who").await, "You are not logged in.");
        assert_eq!(browser.text("/", "count").await, "0");
    }
}

#[tokio::test]
async fn another_user_does_not_get_the_cart() {
    let mut browser = Shop::open().await.browser();
    browser.log_in("ada").await;
    put_into_cart(&mut browser, "figs").await;
    browser.log_in("grace").await;
    assert_eq!(browser.text("/", "who").await, "You are logged in as grace.");
    assert_eq!(browser.text("/", "count").await, "0");
}

#[tokio::test]
async fn only_who_asks_is_remembered_for_two_weeks() {
    let shop = Shop::open().await;
    let login = [("name", "ada"), ("password", PASSWORD)];
    let answer = shop.browser().submit("/login", "/login", &login).await;
    // Until the browser is closed.
    assert_eq!(answer.cookie("shop_session"), " HttpOnly; SameSite=Lax; Path=/");

    let mut ada = shop.browser();
    let remember = [&login[..], &[("remember", "on")]].concat();
    let answer = ada.submit("/login", "/login", &remember).await;
    let attributes = answer.cookie("shop_session");
    assert!(attributes.contains("; Max-Age=1209600; Expires="), "{attributes}");
    // It stays so in the session that begins with a new password.
    let fields = [("old", PASSWORD), ("new", "battery staple")];
    let answer = ada.submit("/account", "/password", &fields).await;
    assert!(answer.cookie("shop_session").contains("; Max-Age=1209600;"), "{:?}", answer.cookies);
}

#[tokio::test]
async fn a_remembered_login_ends_after_two_weeks_without_a_visit() {
    static SECONDS: AtomicI64 = AtomicI64::new(1_900_000_000);
    let shop = Shop::open_at(|| {
        OffsetDateTime::from_unix_timestamp(SECONDS.load(Ordering::Relaxed)).unwrap()
    });
    let mut ada = shop.await.browser();
    let fields = [("name", "ada"), ("password", PASSWORD), ("remember", "on")];
    ada.submit("/login", "/login", &fields).await;
    let mut copy = ada.clone();
    // A visit signs it again.
    for _ in 0..2 {
        SECONDS.fetch_add(13 * DAY, Ordering::Relaxed);
        assert_eq!(ada.get("/account").await.status, StatusCode::OK);
    }
    assert_eq!(copy.get("/account").await.status, StatusCode::SEE_OTHER);
    // But everyone has to log in again after thirty days.
    SECONDS.fetch_add(5 * DAY, Ordering::Relaxed);
    assert_eq!(ada.get("/account").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_guard_asks_for_a_login_and_leads_back() {
    let mut ada = Shop::open().await.browser();
    put_into_cart(&mut ada, "quinces").await;
    let answer = ada.get("/checkout?gift=1").await;
    assert_eq!(
        (answer.status, &*answer.location),
        (StatusCode::SEE_OTHER, "/login?next=/checkout%3Fgift%3D1")
    );
    let page = ada.get(&answer.location).await.body;
    let (_, rest) = page.split_once("name=\"next\" value=\"").unwrap();
    let next = rest.split_once('"').unwrap().0.to_owned();
    let fields = [("name", "ada"), ("password", PASSWORD), ("next", &next)];
    let answer = ada.submit(&answer.location, "/login", &fields).await;
    assert_eq!(answer.location, "/checkout?gift=1");

    // The cart came along, and is ordered.
    let answer = ada.submit(&answer.location, "/checkout", &[]).await;
    assert_eq!((answer.status, &*answer.location), (StatusCode::SEE_OTHER, "/"));
    let page = ada.get("/").await.body;
    assert!(page.contains("Thank you, ada. Your order costs 11.50\u{a0}€."), "{page}");
    assert_eq!(ada.text("/", "count").await, "0");
}

#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let shop = Shop::open().await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "account", ""] {
        let fields = [("name", "ada"), ("password", PASSWORD), ("next", next)];
        let answer = shop.browser().submit("/login", "/login", &fields).await;
        assert_eq!((answer.status, &*answer.location), (StatusCode::SEE_OTHER, "/"), "{next}");
    }
}

#[tokio::test]
async fn a_form_that_needs_a_login_is_a_401_with_a_page() {
    let mut guest = Shop::open().await.browser();
    let token = crate::browser::token(&guest.get("/").await.body);
    for action in ["/checkout", "/password", "/sign-out-others", "/sign-out-everywhere"] {
        let answer = guest.post(action, &[("csrfmiddlewaretoken", &token)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{action}");
        assert!(answer.body.contains("You are not logged in any more."), "{action}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_403_and_logs_nobody_in() {
    let mut ada = Shop::open().await.browser();
    let fields = [("name", "ada"), ("password", "a guess"), ("next", "/account")];
    let answer = ada.submit("/login", "/login", &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("No such name and password."), "{}", answer.body);
    // The form has what was typed, but for the password.
    assert!(answer.body.contains("name=\"name\" value=\"ada\""), "{}", answer.body);
    assert!(answer.body.contains("name=\"next\" value=\"/account\""), "{}", answer.body);
    assert!(!ada.jar.contains_key("shop_session"));
}

#[tokio::test]
async fn a_message_is_shown_once() {
    let mut ada = Shop::open().await.browser();
    ada.log_in("ada").await;
    let answer = ada.submit("/account", "/sign-out-others", &[]).await;
    assert_eq!(answer.location, "/account");
    let message = "All your other sessions were ended.";
    assert!(ada.get("/account").await.body.contains(message));
    assert!(!ada.get("/account").await.body.contains(message));
    // Nor is it lost with a logout, which comes before it.
    ada.submit("/account", "/logout", &[]).await;
    assert!(ada.get("/").await.body.contains("You are signed out."));
    assert!(!ada.get("/").await.body.contains("You are signed out."));
}

#[tokio::test]
async fn a_browser_whose_session_ended_is_told_so() {
    let mut ada = Shop::open().await.browser();
    let page = ada.get("/login?ended").await.body;
    assert!(page.contains("Your session was ended, from elsewhere."), "{page}");
    // Not if another tab has begun a new one in the meantime.
    ada.log_in("ada").await;
    let answer = ada.get("/login?ended").await;
    assert_eq!((answer.status, &*answer.location), (StatusCode::SEE_OTHER, "/account"));
}

#[tokio::test]
async fn pages_behind_a_login_are_not_shown_again_by_back() {
    let mut root = Shop::open().await.browser();
    root.log_in("root").await;
    root.log_in_admin("root").await;
    for (path, expected) in [("/account", "no-store"), ("/admin", "no-store"), ("/", "private")] {
        assert_eq!(root.get(path).await.cache_control, expected, "{path}");
    }
}

#[tokio::test]
async fn an_account_that_was_signed_out_elsewhere_is_out_here() {
    let shop = Shop::open().await;
    let (mut one, mut other) = (shop.browser(), shop.browser());
    one.log_in("ada").await;
    other.log_in("ada").await;
    one.submit("/account", "/sign-out-everywhere", &[]).await;
    for browser in [&mut one, &mut other] {
        assert_eq!(browser.text("/", "who").await, "You are not logged in.");
    }
}
