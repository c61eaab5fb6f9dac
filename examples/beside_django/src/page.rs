//! Turns what the shop knows of a visitor into its one page, as `site/templates/home.html` does.

use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::cookie::{Shown, Verdict};

/// All that the page shows.
pub struct View<'a> {
    pub user: Option<&'a str>,
    /// The tags and the text of each.
    pub messages: &'a [(String, &'a str)],
    pub cart: &'a [String],
    pub cookie: Option<&'a Shown>,
    pub keys: &'a [String],
    /// Of `ada`, as it was when the program started.
    pub password: &'a str,
    /// Called for each form, as Django's `{% csrf_token %}`.
    pub token: &'a dyn Fn() -> String,
}

fn csrf(view: &View<'_>) -> Markup {
    html! { input type="hidden" name="csrfmiddlewaretoken" value=((view.token)()); }
}

pub fn render(view: &View<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "The shop, by Rust" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/static/style.css";
            }
            body.rust {
                div.stripe {
                    h1 #stripe { strong { "Rust" } " answered." }
                    nav {
                        a href="/" { "by Django" } " "
                        strong aria-current="page" { "by Rust" } " "
                        a href="/admin/" { "the admin" }
                    }
                }
                div.content {
                    main {
                        @if !view.messages.is_empty() {
                            ul #messages role="status" {
                                @for (tags, text) in view.messages { li class=(tags) { (text) } }
                            }
                        }
                        div.columns {
                            div { (cookie(view)) (keys(view)) }
                            div { (who(view)) (cart(view)) (message(view)) }
                        }
                    }
                }
            }
        }
    }
}

fn cookie(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="cookie-title" {
            h2 #cookie-title { "The cookie that your browser sent" }
            @if let Some(cookie) = view.cookie {
                @let is_refused = matches!(cookie.verdict, Verdict::Refused);
                (verdict(cookie))
                p.token.refused[is_refused] #token {
                    span.name { "sessionid=" }
                    span.payload { (cookie.payload) } ":" span.stamp { (cookie.stamp) } ":"
                    span.signature { (cookie.signature) }
                }
                p.hint {
                    "Who has sent it is known to the program in front of both. The cookie itself "
                    "does not say: whoever has the key can sign."
                }
            } @else {
                p.verdict #verdict { strong { "None." } " Your session is empty." }
            }
        }
    }
}

fn verdict(cookie: &Shown) -> Markup {
    let Verdict::Verified { key, signed_at } = cookie.verdict else {
        return html! {
            p.verdict.bad #verdict { strong { "Refused." } " To Rust you are a stranger." }
        };
    };
    html! {
        p.verdict.good[key == 0].late[key > 0] #verdict {
            strong { "Signed by " (cookie.signed_by) " under key " (key) "," }
            " at " (moment(signed_at)) ". "
            @if key == 0 {
                "That is the key with which Rust signs."
            } @else {
                "That is a fallback: this answer writes it again under key 0."
            }
        }
    }
}

fn keys(view: &View<'_>) -> Markup {
    let used = view.cookie.and_then(|cookie| match cookie.verdict {
        Verdict::Verified { key, .. } => Some(key),
        Verdict::Refused => None,
    });
    html! {
        section aria-labelledby="keys-title" {
            h2 #keys-title { "Rust's keys" }
            ol #keys start="0" {
                @for (index, name) in view.keys.iter().enumerate() {
                    li.used[used == Some(index)] {
                        "Key " (index) ", " code { (name) } ": "
                        @if index == 0 { "signs and verifies" } @else { "fallback, verifies" }
                        @if used == Some(index) { " " strong { "your cookie" } }
                    }
                }
            }
            p.hint {
                "Change the file of the secrets, which the program named when it started. Then type "
                code { "rust" } " there: Rust takes the new ones while it runs, Django does not."
            }
        }
    }
}

fn who(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="who-title" {
            h2 #who-title { "Who you are" }
            @if let Some(name) = view.user {
                p #who { "Rust greets " (name) "." }
                form method="post" action="/rust/logout" { (csrf(view)) button { "Log out in Rust" } }
            } @else {
                p #who { "Rust knows nobody." }
                form method="post" action="/rust/login" {
                    (csrf(view))
                    div.line {
                        label.field { "Name " input name="username" autocomplete="username" required; }
                        label.field {
                            "Password "
                            input name="password" type="password" autocomplete="current-password"
                                required;
                        }
                        button.main { "Log in in Rust" }
                    }
                }
                p.hint #password {
                    "The name is " code { "ada" } ", and the password " code { (view.password) }
                    ", unless you have changed it."
                }
            }
        }
    }
}

fn cart(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="cart-title" {
            h2 #cart-title { "Cart" }
            ul #cart { @for thing in view.cart { li { (thing) } } }
            @if view.cart.is_empty() { p.hint { "Nothing yet." } }
            form method="post" action="/rust/add" {
                    (csrf(view))
                div.line {
                    label.field { "Thing " input name="thing" required; }
                    button.main { "Put into the cart" }
                    button formaction="/add" { "Have Django put it there" }
                }
            }
        }
    }
}

fn message(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="message-title" {
            h2 #message-title { "Messages" }
            form method="post" action="/rust/leave" {
                    (csrf(view))
                div.line {
                    label.field { "Message " input name="text" required; }
                    button.main { "Leave it for Django to show" }
                }
            }
        }
    }
}

/// Writes a moment as `2030-01-02 03:04:05 UTC`.
fn moment(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}
