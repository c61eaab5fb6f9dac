//! Shows users their session, ends their sessions elsewhere, and changes their password.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use signed_session::django::Level;
use signed_session::{FlashMessages, LoggedIn, SessionHandle};

use crate::oops::Oops;
use crate::page::{self, Visitor};
use crate::site::{Shared, Site};

/// How long a browser that watches its session waits for an answer, and how often it is looked up.
const WATCH: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(250);

const SHORTEST_PASSWORD: usize = 8;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/account", get(account))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .route("/sign-out-others", post(sign_out_others))
        .route("/password", post(change_password))
        .route("/watch", get(watch))
}

async fn account(
    LoggedIn { session, .. }: LoggedIn<i64>,
    visitor: Visitor,
) -> Result<Markup, Oops> {
    let at_browser_close = session.expires_at_browser_close(false)?;
    let facts = html! {
        section aria-labelledby="session-title" {
            h2 #session-title { "Your session" }
            table.facts {
                tbody {
                    tr {
                        th scope="row" { "began" }
                        td {
                            @if let Some(began) = session.started_at() { (page::moment(began)) }
                        }
                    }
                    tr {
                        th scope="row" { "ends" }
                        td {
                            @if at_browser_close { "when you close the browser" }
                            @else { "two weeks after your last visit" }
                        }
                    }
                    tr { th scope="row" { "id" } td { code #id { (session.id().unwrap_or_default()) } } }
                }
            }
        }
    };
    let user = visitor.user()?;
    visitor.page(
        "Your account",
        html! {
            div.columns {
                div { (facts) (password(&visitor, &user.name)) }
                div { (endings(&visitor)) }
            }
        },
    )
}

fn endings(visitor: &Visitor) -> Markup {
    html! {
        section aria-labelledby="end-title" {
            h2 #end-title { "Log out" }
            (visitor.form("/logout", html! {
                p.hint #logout-is { "Ends this session. A copy of its cookie is refused as well." }
                button.main aria-describedby="logout-is" { "Log out" }
            }))
            (visitor.form("/sign-out-others", html! {
                p.hint #others-is {
                    "Ends all your other sessions, and copies of this one's cookie."
                }
                button aria-describedby="others-is" { "Sign out all other sessions" }
            }))
            (visitor.form("/sign-out-everywhere", html! {
                p.hint #everywhere-is { "Ends all your sessions, on every device." }
                button.danger aria-describedby="everywhere-is" { "Sign out everywhere" }
            }))
        }
    }
}

fn password(visitor: &Visitor, name: &str) -> Markup {
    let fields = html! {
        // Password managers read it.
        input.unseen name="name" value=(name) autocomplete="username" readonly tabindex="-1"
            aria-hidden="true";
        div.row {
            div.field {
                label for="old" { "Current password" }
                input #old name="old" type="password" required autocomplete="current-password";
            }
            div.field {
                label for="new" { "New password" }
                input #new name="new" type="password" required minlength=(SHORTEST_PASSWORD)
                    autocomplete="new-password";
            }
        }
        button { "Change it and sign out all others" }
    };
    html! {
        section aria-labelledby="password-title" {
            h2 #password-title { "Change your password" }
            (visitor.form("/password", fields))
        }
    }
}

async fn sign_out_everywhere(
    State(site): Shared,
    LoggedIn { id, session }: LoggedIn<i64>,
    flash: FlashMessages,
) -> Result<Redirect, Oops> {
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_all_at(id, (site.clock)())?;
    site.publish(&revocation).await?;
    session.flush();
    flash.add(Level::SUCCESS, "You are signed out, here and on all other devices.")?;
    Ok(Redirect::to("/"))
}

async fn sign_out_others(
    State(site): Shared,
    LoggedIn { session, .. }: LoggedIn<i64>,
    flash: FlashMessages,
) -> Result<Redirect, Oops> {
    site.end_others(&session).await?;
    let text = "All your other sessions were ended. This one goes on under another id.";
    flash.add(Level::SUCCESS, text)?;
    Ok(Redirect::to("/account"))
}

impl Site {
    /// Ends all sessions of a user but this one, which goes on under another id.
    async fn end_others(&self, session: &SessionHandle) -> Result<(), Oops> {
        // A response of 503 after the end would not bring the cookie of the new session: then this
        // browser is signed out, too. So the carrier is asked before.
        self.carrier.catch_up().await.map_err(|_| Oops::Silence)?;
        let ended = session.with(|session| self.revocations.end_others(session));
        match ended {
            Some(revocation) => self.publish(&revocation).await,
            None => Err(Oops::Nobody),
        }
    }
}

#[derive(Deserialize)]
struct NewPassword {
    old: String,
    new: String,
}

async fn change_password(
    State(site): Shared,
    LoggedIn { id, session }: LoggedIn<i64>,
    flash: FlashMessages,
    Form(form): Form<NewPassword>,
) -> Result<Redirect, Oops> {
    let user = site.users.by_id(id).await?.ok_or(Oops::Nobody)?;
    let fault = if form.new.len() < SHORTEST_PASSWORD {
        Some("A new password must have at least eight characters.")
    } else if site.users.authenticate(&user.name, &form.old).await?.is_none() {
        Some("That is not your current password.")
    } else {
        None
    };
    if let Some(fault) = fault {
        flash.add(Level::ERROR, fault)?;
        return Ok(Redirect::to("/account"));
    }
    site.carrier.catch_up().await.map_err(|_| Oops::Silence)?;
    site.users.set_password(id, form.new).await?;
    // After the password was changed: who logs in between the two with the former one is out again.
    site.end_others(&session).await?;
    let text = "Your password was changed, and all your other sessions were ended.";
    flash.add(Level::SUCCESS, text)?;
    Ok(Redirect::to("/account"))
}

/// Answers as soon as the session has ended, as a WebSocket would be closed.
async fn watch(State(site): Shared, session: SessionHandle) -> &'static str {
    let session = session.with(|session| session.clone());
    for _ in 0..WATCH.as_millis() / LOOK.as_millis() {
        if site.revocations.has_ended(&session) {
            return "ended";
        }
        tokio::time::sleep(LOOK).await;
    }
    "there"
}
