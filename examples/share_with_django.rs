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
use std::time::Duration;

use signed_session::{CookieOptions, DecodeError, Keyring, Session, SessionCodec};
use time::OffsetDateTime;

/// Django's `SESSION_COOKIE_AGE`, unless the site sets another.
const COOKIE_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

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

    let codec = SessionCodec::new(&Keyring::new(secret)?).max_age(COOKIE_AGE);
    let options = CookieOptions::new("sessionid")?;

    let token = options.find(header).last().ok_or("there is no cookie named sessionid")?;
    let mut session = codec.decode(token).map_err(explain)?;
    print(&session)?;

    let visits: u64 = session.get("visits_to_rust")?.unwrap_or_default();
    session.insert("visits_to_rust", visits + 1)?;

    let now = OffsetDateTime::now_utc();
    let max_age = match session.expires_at_browser_close(false)? {
        true => None,
        false => Some(session.expiry_age(COOKIE_AGE, now)?),
    };
    println!("Set-Cookie: {}", options.cookie(&codec.encode(&session)?, max_age, now)?);
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
fn explain(error: DecodeError) -> String {
    match error {
        DecodeError::BadSignature => {
            format!(
                "{error}: is DJANGO_SECRET_KEY that of the site, and its backend signed_cookies?"
            )
        }
        _ => error.to_string(),
    }
}
