//! Reads the session cookie of a Django site, changes an entry, and writes it back.
//!
//! ```sh
//! DJANGO_SECRET_KEY='the site'"'"'s SECRET_KEY' \
//!     cargo run --example share_with_django 'sessionid=eyJ1c2...'
//! ```
//!
//! The argument is a `Cookie:` header, as a browser sends it to the site. The
//! answer is what is in the session, and a `Set-Cookie:` that the site accepts.
//! `share_with_django.py` shows both sides with a Django that it sets up.

use std::error::Error;
use std::process::ExitCode;

use signed_session::{CookieOptions, DecodeError, Keyring, Session, SessionCodec, SessionManager};
use time::OffsetDateTime;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let secret = std::env::var("DJANGO_SECRET_KEY")
        .map_err(|_| "the environment variable DJANGO_SECRET_KEY holds no secret")?;
    let header = std::env::args().nth(1).ok_or("the argument is a Cookie: header")?;
    let header = header.strip_prefix("Cookie:").unwrap_or(&header);

    let codec = SessionCodec::new(&Keyring::new(secret)?);
    let manager = SessionManager::new(codec, CookieOptions::new("sessionid")?);

    let mut session = manager.load([header]);
    match session.refusal() {
        Some(reason) => return Err(explain(reason).into()),
        None if session.signed_at().is_none() => Err("there is no cookie named sessionid")?,
        None => print(&session)?,
    }

    let visits: u64 = session.get("visits_to_rust")?.unwrap_or_default();
    session.insert("visits_to_rust", visits + 1)?;

    if let Some(cookie) = manager.commit(&session, 200)?.set_cookie {
        println!("Set-Cookie: {cookie}");
    }
    Ok(())
}

fn print(session: &Session) -> Result<(), Box<dyn Error>> {
    match session.get::<String>("_auth_user_id")? {
        Some(user) => println!("user {} is logged in", user.escape_debug()),
        None => println!("nobody is logged in"),
    }
    if let Some(signed_at) = session.signed_at() {
        println!("signed {} seconds ago", (OffsetDateTime::now_utc() - signed_at).whole_seconds());
    }
    for (key, json) in session.iter() {
        // Text may hold what a terminal would obey; JSON has it escaped.
        println!("  {} = {json}", key.escape_debug());
    }
    Ok(())
}

/// Says what to do about a refusal, where there is something to do.
fn explain(error: &DecodeError) -> String {
    match error {
        DecodeError::BadSignature => {
            format!(
                "{error}: is DJANGO_SECRET_KEY that of the site, and its backend signed_cookies?"
            )
        }
        _ => error.to_string(),
    }
}
