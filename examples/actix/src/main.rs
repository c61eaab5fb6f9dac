//! Counts visits, keeps a cart, and logs visitors in, with actix-web.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-actix 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d thing=pears http://127.0.0.1:3000/cart
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! curl -b jar -c jar -L -d '' http://127.0.0.1:3000/order
//! ```
//!
//! In a browser, `/checkout` asks for a login. Forms that a browser sends need the protection of
//! [`signed_session::guide::forms`], which is left out here for the sake of curl; the shop has it.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use actix_web::web::{Form, Html, Query, Redirect};
use actix_web::{App, HttpServer, get, post};
use serde::Deserialize;
use signed_session::django::{Level, MessagesError};
use signed_session::{
    CookieOptions, Expiry, FlashMessages, Keyring, LoggedIn, SessionCodec, SessionHandle,
    SessionManager, SessionMiddleware, ValueError, local_path,
};

/// How long a login lasts that the visitor asked to be remembered.
const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

#[derive(Deserialize)]
struct Login {
    name: String,
    /// A box that is not checked is not sent.
    remember: Option<String>,
}

/// The page to go to after the login.
#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Choice {
    thing: String,
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

#[get("/")]
async fn index(session: SessionHandle) -> Result<String, ValueError> {
    let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    let name = session.get("name")?.unwrap_or("stranger".to_owned());
    Ok(format!("hello, {name}: visit {visits}\n"))
}

/// Leaves the session alone: caches may keep this page for everybody.
#[get("/about")]
async fn about() -> &'static str {
    "a counter of visits\n"
}

/// Its form is sent to the address of the page, with the same `?next=`.
#[get("/login")]
async fn login_page() -> Html {
    Html::new(
        r#"<!doctype html><title>Log in</title>
<form method="post">
<input name="name" aria-label="Name" required>
<label><input type="checkbox" name="remember"> Remember me for two weeks</label>
<button>Log in</button>
</form>"#,
    )
}

#[post("/login")]
async fn login(
    session: SessionHandle,
    Query(Next { next }): Query<Next>,
    Form(login): Form<Login>,
) -> Result<Redirect, ValueError> {
    // A stranger's cart is carried into ada's session, and nothing else; grace's cart is not.
    let is_anonymous = !session.contains_key("name");
    session.begin(|key| key == "cart" && is_anonymous);
    session.insert("name", login.name)?;
    session.set_expiry(match login.remember {
        Some(_) => Expiry::After(REMEMBERED),
        None => Expiry::AtBrowserClose,
    });
    // Anyone can write a link with `?next=`: it must not lead elsewhere.
    Ok(Redirect::to(local_path(&next).unwrap_or("/").to_owned()).see_other())
}

#[post("/logout")]
async fn logout(session: SessionHandle) -> Redirect {
    session.flush();
    Redirect::to("/").see_other()
}

/// Shows the messages that were left for this page, and what is in the cart.
#[get("/cart")]
async fn show_cart(session: SessionHandle, flash: FlashMessages) -> Result<String, MessagesError> {
    let messages = flash.take()?;
    let mut page: String = messages.iter().map(|message| format!("{}\n", message.text)).collect();
    let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
    page += &format!("in your cart: {}\n", cart.join(", "));
    Ok(page)
}

#[post("/cart")]
async fn add_to_cart(
    session: SessionHandle,
    Form(choice): Form<Choice>,
) -> Result<Redirect, ValueError> {
    session.update("cart", |cart: &mut Vec<String>| cart.push(choice.thing))?;
    Ok(Redirect::to("/cart").see_other())
}

/// The guard sends strangers to the login page, from where they come back.
#[get("/checkout")]
async fn checkout(user: LoggedIn<String>) -> Result<String, ValueError> {
    let cart: Vec<String> = user.session.get("cart")?.unwrap_or_default();
    Ok(format!("{}, do you order {}?\n", user.id, cart.join(", ")))
}

#[post("/order")]
async fn order(user: LoggedIn<String>, flash: FlashMessages) -> Result<Redirect, MessagesError> {
    let cart: Vec<String> = user.session.pop("cart")?.unwrap_or_default();
    flash.add(Level::SUCCESS, format!("Thank you: {} on the way.", cart.join(", ")))?;
    Ok(Redirect::to("/cart").see_other())
}

#[get("/note")]
async fn read_note(session: SessionHandle) -> Result<String, ValueError> {
    Ok(session.get("note")?.unwrap_or_default())
}

/// Answers 500 to a note too long for a cookie, and the session stays as it was.
#[post("/note")]
async fn write_note(
    session: SessionHandle,
    Form(note): Form<Note>,
) -> Result<Redirect, ValueError> {
    session.insert("note", note.text)?;
    Ok(Redirect::to("/note").see_other())
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    Ok(SessionManager::new(codec, options).subject("name").login_page("/login")?)
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let sessions = SessionMiddleware::new(session_manager()?);
    let app = move || {
        let pages = (index, about, login_page, login, logout, read_note, write_note);
        let shop = (show_cart, add_to_cart, checkout, order);
        App::new().wrap(sessions.clone()).service(pages).service(shop)
    };

    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let server = HttpServer::new(app).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}

#[actix_web::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
