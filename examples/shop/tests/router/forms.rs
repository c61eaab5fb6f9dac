//! Forms that the shop refuses.

use axum::http::StatusCode;

use crate::browser::{Browser, ORIGIN_HERE, PASSWORD, Shop, token};

const FIELDS: [(&str, &str); 2] = [("name", "ada"), ("password", PASSWORD)];

async fn log_in(browser: &mut Browser, origin: &str, token: &str) -> StatusCode {
    let fields = [&FIELDS[..], &[("csrfmiddlewaretoken", token)]].concat();
    browser.post_from(origin, "/login", &fields).await.status
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let mut ada = Shop::open().await.browser();
    let token = token(&ada.get("/login").await.body);
    for origin in ["http://evil.example", "https://127.0.0.1:3000", "http://127.0.0.1:3001", "null"]
    {
        assert_eq!(log_in(&mut ada, origin, &token).await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(!ada.jar.contains_key("shop_session"));
    assert_eq!(log_in(&mut ada, ORIGIN_HERE, &token).await, StatusCode::SEE_OTHER);
    assert!(ada.jar.contains_key("shop_session"));
}

#[tokio::test]
async fn the_other_name_of_this_machine_is_accepted() {
    let mut ada = Shop::open().await.browser();
    let token = token(&ada.get("/login").await.body);
    assert_eq!(log_in(&mut ada, "http://localhost:3000", &token).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_without_its_token_is_refused_with_a_page() {
    let mut ada = Shop::open().await.browser();
    ada.get("/login").await;
    let answer = ada.post("/login", &FIELDS).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("Please load it again."), "{}", answer.body);
    assert!(!ada.jar.contains_key("shop_session"));
}

#[tokio::test]
async fn the_token_of_another_visitor_is_refused() {
    let shop = Shop::open().await;
    let (mut ada, mut eve) = (shop.browser(), shop.browser());
    ada.get("/login").await;
    let token = token(&eve.get("/login").await.body);
    assert_eq!(log_in(&mut ada, ORIGIN_HERE, &token).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_login_replaces_the_secret_of_the_forms() {
    let mut ada = Shop::open().await.browser();
    let before = token(&ada.get("/").await.body);
    ada.log_in("ada").await;
    let fields = [("csrfmiddlewaretoken", &*before)];
    assert_eq!(ada.post("/logout", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ada.text("/", "who").await, "You are logged in as ada.");
}

#[tokio::test]
async fn the_administration_is_protected_too() {
    let mut root = Shop::open().await.browser();
    root.log_in_admin("root").await;
    let token = token(&root.get("/admin").await.body);
    let fields = [("csrfmiddlewaretoken", &*token), ("id", "1")];
    for (origin, fields) in
        [("http://evil.example", &fields[..]), (ORIGIN_HERE, &fields[1..]), (ORIGIN_HERE, &[])]
    {
        let answer = root.post_from(origin, "/admin/end", fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(root.post("/admin/end", &fields).await.status, StatusCode::SEE_OTHER);
}
