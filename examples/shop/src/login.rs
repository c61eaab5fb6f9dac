//! Logs visitors in and out.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use signed_session::django::Level;
use signed_session::{Expiry, FlashMessages, SessionHandle, local_path};

use crate::cart::CART;
use crate::oops::Oops;
use crate::page::Visitor;
use crate::sessions::{REMEMBERED, USER_ID};
use crate::site::{Shared, Site};

pub fn routes() -> Router<Arc<Site>> {
    Router::new().route("/login", get(login_page).post(log_in)).route("/logout", post(log_out))
}

#[derive(Deserialize)]
struct Where {
    /// The page to go to after the login: the guard and links name it.
    #[serde(default)]
    next: String,
    /// Set by the script that watches the session.
    ended: Option<String>,
}

async fn login_page(
    visitor: Visitor,
    Query(Where { next, ended }): Query<Where>,
) -> Result<Response, Oops> {
    if ended.is_some() && visitor.user.is_some() {
        // Another tab of this browser has begun a new one.
        return Ok(Redirect::to("/account").into_response());
    }
    let fault = ended.map(|_| "Your session was ended, from elsewhere.");
    Ok(visitor.page("Log in", login_form(&visitor, "", &next, fault))?.into_response())
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
    /// A box that is not checked is not sent.
    remember: Option<String>,
}

async fn log_in(
    State(site): Shared,
    visitor: Visitor,
    Form(login): Form<Login>,
) -> Result<Response, Oops> {
    let Some(user) = site.users.authenticate(&login.name, &login.password).await? else {
        let fault = Some("No such name and password.");
        let form = login_form(&visitor, &login.name, &login.next, fault);
        return Ok((StatusCode::FORBIDDEN, visitor.page("Log in", form)?).into_response());
    };
    site.catch_up_for_login().await?;
    let session = &visitor.session;
    let is_anonymous = !session.contains_key(USER_ID);
    // An attacker may have planted anything else, and another user's cart is not this one's.
    session.begin(|key| key == CART && is_anonymous);
    session.insert(USER_ID, user.id)?;
    session.set_expiry(match login.remember {
        Some(_) => Expiry::After(REMEMBERED),
        None => Expiry::AtBrowserClose,
    });
    // Anyone can write a link with `?next=`: it must not lead elsewhere.
    Ok(Redirect::to(local_path(&login.next).unwrap_or("/")).into_response())
}

/// Ends this session at once, whatever the status of the response; the queue passes it on.
async fn log_out(session: SessionHandle, flash: FlashMessages) -> Result<Redirect, Oops> {
    session.flush();
    // After the flush, which removes messages too.
    let text = "You are signed out. Copies of your cookie are of no use to anyone.";
    flash.add(Level::SUCCESS, text)?;
    Ok(Redirect::to("/"))
}

fn login_form(visitor: &Visitor, name: &str, next: &str, fault: Option<&str>) -> Markup {
    let fields = html! {
        input type="hidden" name="next" value=(next);
        (credentials(name))
        label.check {
            input type="checkbox" name="remember";
            "Remember me on this computer for two weeks"
        }
        button.main { "Log in" }
    };
    html! {
        section.narrow aria-labelledby="login-title" {
            h2.unseen #login-title { "Log in" }
            @if let Some(fault) = fault { p.verdict.bad role="alert" { (fault) } }
            (visitor.form("/login", fields))
            p.hint {
                "As ada, grace or root, with the password that the program printed when it first "
                "started. What is in your cart stays there."
            }
        }
    }
}

/// The fields of a login form.
pub fn credentials(name: &str) -> Markup {
    html! {
        div.row {
            div.field {
                label for="name" { "Name" }
                input #name name="name" value=(name) autocomplete="username" required;
            }
            div.field {
                label for="password" { "Password" }
                input #password name="password" type="password" required
                    autocomplete="current-password";
            }
        }
    }
}
