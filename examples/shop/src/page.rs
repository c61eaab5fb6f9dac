//! Draws what all pages have in common.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use signed_session::django::{CsrfHandle, Level, Message};
use signed_session::{DecodeError, FlashMessages, SessionHandle};
use time::OffsetDateTime;

use crate::cart::Cart;
use crate::oops::Oops;
use crate::sessions::USER_ID;
use crate::site::Site;
use crate::users::User;

/// As the session explorer is styled, and a little more.
pub const STYLE: &str =
    concat!(include_str!("../../explorer/style.css"), include_str!("style.css"));

/// The visitor of a page, who may be logged in: an argument of handlers.
///
/// While it is not known whether their session was ended the answer is 503, because what a handler
/// wrote into the session would be lost.
pub struct Visitor {
    pub user: Option<User>,
    pub session: SessionHandle,
    pub csrf: CsrfHandle,
    flash: FlashMessages,
    site: Arc<Site>,
}

impl FromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let session = SessionHandle::from_extensions(&parts.extensions)
            .map_err(IntoResponse::into_response)?;
        let csrf =
            CsrfHandle::from_extensions(&parts.extensions).map_err(IntoResponse::into_response)?;
        let user = logged_in(&session, site).await.map_err(IntoResponse::into_response)?;
        let flash = FlashMessages::new(session.clone());
        Ok(Self { user, session, csrf, flash, site: Arc::clone(site) })
    }
}

async fn logged_in(session: &SessionHandle, site: &Site) -> Result<Option<User>, Oops> {
    if session.refusal() == Some(DecodeError::Unheard) {
        return Err(Oops::Silence);
    }
    // An id of another type is one of an older release, who has to log in again.
    let Some(id) = session.get_or_discard(USER_ID) else { return Ok(None) };
    Ok(site.users.by_id(id).await?)
}

impl Visitor {
    /// Returns the user, on pages for users. An account may have been deleted meanwhile.
    pub fn user(&self) -> Result<&User, Oops> {
        self.user.as_ref().ok_or(Oops::Nobody)
    }

    /// Returns a page of the shop, with the messages that were left for it.
    pub fn page(&self, title: &str, main: Markup) -> Result<Markup, Oops> {
        let count = Cart::of(&self.session).count();
        let nav = html! {
            a href="/" { "Fruit" }
            a href="/#cart" { "Cart (" span #count { (count) } ")" }
            @match &self.user {
                Some(_) => a href="/account" { "Account" },
                None => a href="/login" { "Log in" },
            }
            @if self.user.as_ref().is_some_and(|user| user.is_admin) {
                a href="/admin" { "Administration" }
            }
        };
        let who = html! {
            @match &self.user {
                Some(user) => { "You are logged in as " (user.name) "." }
                None => "You are not logged in.",
            }
        };
        Ok(whole(&Frame {
            title,
            nav,
            who,
            messages: self.flash.take()?,
            is_watched: self.user.is_some(),
            site: Some(&self.site),
            main,
        }))
    }

    /// Returns a form with the hidden field by which it is known as one of this site.
    pub fn form(&self, action: &str, content: Markup) -> Markup {
        form(&self.csrf, action, content)
    }
}

/// Returns a form with the hidden field by which it is known as one of this site.
pub fn form(csrf: &CsrfHandle, action: &str, content: Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name="csrfmiddlewaretoken" value=(csrf.token());
            (content)
        }
    }
}

/// Returns a page that says one thing, and knows nothing of its visitor.
pub fn plain(text: &str) -> Markup {
    whole(&Frame {
        title: "The fruit shop",
        nav: html! { a href="/" { "Fruit" } },
        who: Markup::default(),
        messages: vec![Message::new(Level::ERROR, text)],
        is_watched: false,
        site: None,
        main: html! { p { a href="/" { "Back to the shop" } } },
    })
}

/// Everything around the content of a page.
pub struct Frame<'a> {
    pub title: &'a str,
    pub nav: Markup,
    pub who: Markup,
    pub messages: Vec<Message>,
    /// Whether a script watches that the session is not ended.
    pub is_watched: bool,
    /// The site, whose process is named at the foot.
    pub site: Option<&'a Site>,
    pub main: Markup,
}

/// Returns a whole page.
pub fn whole(frame: &Frame<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                @if frame.is_watched { script src="/watch.js" defer {} }
            }
            body {
                header {
                    h1 { (frame.title) }
                    p #who { (frame.who) }
                }
                nav aria-label="Pages" { (frame.nav) }
                main {
                    div #notice role="status" {
                        @for message in &frame.messages {
                            // Focused, so that it is read out.
                            p.error[message.level >= Level::ERROR] tabindex="-1" autofocus {
                                (message.text)
                            }
                        }
                    }
                    (frame.main)
                }
                @if let Some(site) = frame.site { (foot(site)) }
            }
        }
    }
}

fn foot(site: &Site) -> Markup {
    html! {
        footer {
            p {
                "Served by " (site.address) ", which learns from " (site.carrier.name())
                " which sessions were ended elsewhere. "
                @if site.revocations.is_silent() {
                    strong.bad { "No news." } " The carrier cannot be read."
                } @else {
                    strong.good { "Up to date." }
                }
            }
        }
    }
}

/// Returns a moment as `2030-01-02 03:04:05 UTC`.
pub fn moment(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}
