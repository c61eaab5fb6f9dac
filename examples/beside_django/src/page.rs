//! Turns what the shop knows of a visitor into its one page, as `site/templates/home.html` does.

use maud::{DOCTYPE, Markup, html};

/// Renders the page; of a message, the tags come before the text, and `token` is called for each form.
pub fn render<'m>(
    user: Option<String>,
    messages: impl ExactSizeIterator<Item = (String, &'m str)>,
    cart: &[String],
    token: impl Fn() -> String,
) -> Markup {
    // As Django's `{% csrf_token %}`.
    let csrf = || html! { input type="hidden" name="csrfmiddlewaretoken" value=(token()); };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "The shop, by Rust" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/static/style.css";
            }
            body {
                nav { a href="/" { "by Django" } strong { "by Rust" } a href="/admin/" { "the admin" } }
                @if messages.len() > 0 {
                    ul #messages { @for (tags, text) in messages { li class=(tags) { (text) } } }
                }
                @if let Some(name) = user {
                    p #who { "Rust greets " (name) "." }
                    form method="post" action="/rust/logout" { (csrf()) button { "Log out in Rust" } }
                } @else {
                    p #who { "Rust knows nobody." }
                    form method="post" action="/rust/login" {
                        (csrf())
                        label { "Name " input name="username" autocomplete="username" required; }
                        label {
                            "Password "
                            input name="password" type="password" autocomplete="current-password"
                                required;
                        }
                        button { "Log in in Rust" }
                    }
                }
                h2 { "Cart" }
                ul #cart { @for thing in cart { li { (thing) } } }
                form method="post" action="/rust/add" {
                    (csrf())
                    label { "Thing " input name="thing" required; }
                    button { "Put into the cart" }
                    button formaction="/add" { "Have Django put it there" }
                }
                h2 { "Messages" }
                form method="post" action="/rust/leave" {
                    (csrf())
                    label { "Message " input name="text" required; }
                    button { "Leave it for Django to show" }
                }
            }
        }
    }
}
