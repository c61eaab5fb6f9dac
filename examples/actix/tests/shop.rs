//! The cart, "remember me", the guard and the messages of the example for actix-web.

use support::visitor::Program;

fn start() -> Program {
    Program::start(env!("CARGO_BIN_EXE_signed-session-example-actix"))
}

#[test]
fn a_login_keeps_the_cart_and_a_logout_ends_it() {
    let program = start();
    let mut ada = program.visitor();
    for thing in ["pears", "figs"] {
        let answer = ada.post("/cart", "thing", thing);
        assert_eq!((answer.status, &*answer.header("location")), (303, "/cart"));
    }
    ada.post("/note", "text", "planted");
    ada.post("/login", "name", "ada");
    assert_eq!(ada.get("/").body, "hello, ada: visit 1\n");
    assert_eq!(ada.get("/cart").body, "in your cart: pears, figs\n");
    assert_eq!(ada.get("/note").body, "");
    // Another user does not get it.
    ada.post("/login", "name", "grace");
    assert_eq!(ada.get("/cart").body, "in your cart: \n");

    ada.post("/cart", "thing", "pears");
    ada.post("/logout", "", "");
    assert!(ada.jar.is_empty());
    assert_eq!(ada.get("/cart").body, "in your cart: \n");
}

#[test]
fn only_who_asks_is_remembered_for_two_weeks() {
    let program = start();
    let answer = program.visitor().post("/login", "name", "ada");
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");

    let fields = [("name", "ada"), ("remember", "on")];
    let answer = program.visitor().post_form("/login", &fields);
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; Max-Age=1209600; Expires="), "{cookie}");
}

#[test]
fn the_guard_asks_for_a_login_and_leads_back() {
    let program = start();
    let mut ada = program.visitor();
    ada.post("/cart", "thing", "pears");
    let answer = ada.get("/checkout?gift=1");
    let login = "/login?next=/checkout%3Fgift%3D1";
    assert_eq!((answer.status, &*answer.header("location")), (303, login));
    assert!(ada.get(login).body.contains(r#"<form method="post">"#));
    // A form is not repeated after a login.
    assert_eq!(ada.post("/order", "", "").status, 401);

    let answer = ada.post(login, "name", "ada");
    assert_eq!((answer.status, &*answer.header("location")), (303, "/checkout?gift=1"));
    assert_eq!(ada.get("/checkout?gift=1").body, "ada, do you order pears?\n");
    for next in ["https://evil.example/", "//evil.example", "/%5Cevil.example", "checkout"] {
        let answer = program.visitor().post(&format!("/login?next={next}"), "name", "ada");
        assert_eq!((answer.status, &*answer.header("location")), (303, "/"), "{next}");
    }
}

#[test]
fn an_order_empties_the_cart_and_its_message_is_shown_once() {
    let program = start();
    let mut ada = program.visitor();
    ada.post("/cart", "thing", "pears");
    ada.post("/login", "name", "ada");
    let answer = ada.post("/order", "", "");
    assert_eq!((answer.status, &*answer.header("location")), (303, "/cart"));
    assert_eq!(ada.get("/cart").body, "Thank you: pears on the way.\nin your cart: \n");
    assert_eq!(ada.get("/cart").body, "in your cart: \n");
}
