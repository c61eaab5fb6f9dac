//! The administration, which has a session of its own.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::StatusCode;
use time::OffsetDateTime;

use crate::browser::{Browser, Shop};

async fn is_in_administration(browser: &mut Browser) -> bool {
    let answer = browser.get("/admin").await;
    if answer.status != StatusCode::OK {
        assert_eq!(answer.location, "/admin/login?next=/admin");
    }
    answer.status == StatusCode::OK
}

#[tokio::test]
async fn its_cookie_is_strict_short_and_sent_there_only() {
    let mut root = Shop::open().await.browser();
    let answer = root.log_in_admin("root").await;
    assert_eq!((answer.status, &*answer.location), (StatusCode::SEE_OTHER, "/admin"));
    assert_eq!(answer.cookie("shop_admin"), " HttpOnly; SameSite=Strict; Path=/admin");
    assert!(is_in_administration(&mut root).await);
}

#[tokio::test]
async fn a_login_in_the_shop_is_not_one_there_and_conversely() {
    let shop = Shop::open().await;
    let mut visitor = shop.browser();
    visitor.log_in("root").await;
    assert!(!is_in_administration(&mut visitor).await);

    let mut root = shop.browser();
    root.log_in_admin("root").await;
    assert_eq!(root.text("/", "who").await, "You are not logged in.");
}

#[tokio::test]
async fn the_shops_cookie_under_the_other_name_is_refused() {
    let mut root = Shop::open().await.browser();
    root.log_in("root").await;
    root.log_in_admin("root").await;
    assert!(is_in_administration(&mut root).await);
    let [visitors, administrators] = ["shop_session", "shop_admin"].map(|name| &root.jar[name]);
    let (visitors, administrators) = (visitors.clone(), administrators.clone());
    root.jar.insert("shop_admin".to_owned(), visitors.clone());
    assert!(!is_in_administration(&mut root).await);
    root.jar.insert("shop_session".to_owned(), administrators);
    assert_eq!(root.text("/", "who").await, "You are not logged in.");
    root.jar.insert("shop_session".to_owned(), visitors);
    assert_eq!(root.text("/", "who").await, "You are logged in as root.");
}

#[tokio::test]
async fn only_administrators_get_in() {
    let mut ada = Shop::open().await.browser();
    let answer = ada.log_in_admin("ada").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("No administrator of this name and password."));
    assert!(!is_in_administration(&mut ada).await);
}

#[tokio::test]
async fn it_ends_somebodys_sessions_and_everyones() {
    let shop = Shop::open().await;
    let [mut ada, mut grace, mut root] = [(); 3].map(|()| shop.browser());
    ada.log_in("ada").await;
    grace.log_in("grace").await;
    root.log_in_admin("root").await;

    root.submit("/admin", "/admin/end", &[("id", "1")]).await;
    assert!(root.get("/admin").await.body.contains("All sessions of this user were ended."));
    assert_eq!(ada.text("/", "who").await, "You are not logged in.");
    assert_eq!(grace.text("/", "who").await, "You are logged in as grace.");

    root.submit("/admin", "/admin/end-everyone", &[]).await;
    assert_eq!(grace.text("/", "who").await, "You are not logged in.");
    assert!(!is_in_administration(&mut root).await);
    let page = root.get("/admin/login").await.body;
    assert!(page.contains("Everyone’s sessions were ended"), "{page}");
}

#[tokio::test]
async fn who_signs_out_everywhere_leaves_the_administration() {
    let mut root = Shop::open().await.browser();
    root.log_in("root").await;
    root.log_in_admin("root").await;
    root.submit("/account", "/sign-out-everywhere", &[]).await;
    assert!(!is_in_administration(&mut root).await);
}

#[tokio::test]
async fn leaving_it_does_not_end_the_session_in_the_shop() {
    let mut root = Shop::open().await.browser();
    root.log_in("root").await;
    root.log_in_admin("root").await;
    root.submit("/admin", "/admin/logout", &[]).await;
    assert!(!is_in_administration(&mut root).await);
    assert_eq!(root.text("/", "who").await, "You are logged in as root.");
}

#[tokio::test]
async fn it_ends_after_half_an_hour_without_a_visit() {
    static SECONDS: AtomicI64 = AtomicI64::new(1_900_000_000);
    let shop = Shop::open_at(|| {
        OffsetDateTime::from_unix_timestamp(SECONDS.load(Ordering::Relaxed)).unwrap()
    });
    let mut root = shop.await.browser();
    root.log_in("root").await;
    root.log_in_admin("root").await;
    for minutes in [29, 29] {
        SECONDS.fetch_add(minutes * 60, Ordering::Relaxed);
        assert!(is_in_administration(&mut root).await);
    }
    SECONDS.fetch_add(31 * 60, Ordering::Relaxed);
    assert!(!is_in_administration(&mut root).await);
    assert_eq!(root.text("/", "who").await, "You are logged in as root.");
}
