//! Turns what the site knows of a visitor into its pages.

use std::net::SocketAddr;

use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::users::User;

/// As the session explorer is styled, and a little more.
pub const STYLE: &str =
    concat!(include_str!("../../explorer/style.css"), include_str!("style.css"));

/// What was done, for the page that follows.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    Out,
    Everywhere,
    Others,
    Password,
    User,
    Everyone,
    Ended,
    Wrong,
    Short,
}

impl Said {
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Everywhere => "everywhere",
            Self::Others => "others",
            Self::Password => "password",
            Self::User => "user",
            Self::Everyone => "everyone",
            Self::Ended => "ended",
            Self::Wrong => "wrong",
            Self::Short => "short",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Out => "You are signed out. Copies of your cookie are of no use to anyone.",
            Self::Everywhere => "You are signed out, here and on all other devices.",
            Self::Others => {
                "All your other sessions were ended. This one goes on under another id."
            }
            Self::Password => "Your password was changed, and all your other sessions were ended.",
            Self::User => "All sessions of this user were ended.",
            Self::Everyone => "Everyone's sessions were ended, and yours with them.",
            Self::Ended => "Your session was ended, from elsewhere.",
            Self::Wrong => "No such name and password.",
            Self::Short => "A new password must have at least eight characters.",
        }
    }

    fn is_error(self) -> bool {
        matches!(self, Self::Ended | Self::Wrong | Self::Short)
    }
}

/// All that the page shows.
pub struct View<'a> {
    pub user: Option<&'a User>,
    /// Whom an administrator sees.
    pub users: &'a [User],
    pub visits: u32,
    pub id: Option<String>,
    pub began: Option<OffsetDateTime>,
    pub said: Option<Said>,
    pub address: SocketAddr,
    pub carrier: &'static str,
    /// How many subjects are in the list of what was ended.
    pub subjects: usize,
    pub is_silent: bool,
}

pub fn home(view: &View<'_>) -> Markup {
    whole(
        view.user.is_some(),
        html! {
            div #notice role="status" aria-live="polite" {
                @if let Some(said) = view.said {
                    p.error[said.is_error()] tabindex="-1" autofocus { (said.text()) }
                }
            }
            div.columns {
                div {
                    @match view.user {
                        Some(user) => { (session(view, user)) (endings()) }
                        None => (log_in(view))
                    }
                    @if !view.users.is_empty() { (administration(view.users)) }
                }
                div {
                    @if view.user.is_some() { (password()) }
                    (process(view))
                }
            }
        },
    )
}

/// Returns a page that says one thing.
pub fn plain(text: &str) -> Markup {
    whole(
        false,
        html! {
            div #notice role="status" { p.error { (text) } }
            p { a href="/" { "Back to the site" } }
        },
    )
}

fn whole(watches: bool, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Sessions that can be ended" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                @if watches { script src="/watch.js" defer {} }
            }
            body {
                header {
                    h1 { "Sessions that can be ended" }
                    p {
                        "Nothing is stored of a session that lives: it is in your cookie. A short "
                        "list, the same in every process, says which were ended."
                    }
                }
                main { (main) }
            }
        }
    }
}

fn session(view: &View<'_>, user: &User) -> Markup {
    html! {
        section aria-labelledby="session-title" {
            h2 #session-title { "Your session" }
            p.verdict.good #who { strong { "You are logged in as " (user.name) "." } }
            table.facts {
                tbody {
                    tr {
                        th scope="row" { "began" }
                        td { @if let Some(began) = view.began { time #began { (moment(began)) } } }
                    }
                    tr {
                        th scope="row" { "id" }
                        td { code #id { (view.id.as_deref().unwrap_or_default()) } }
                    }
                    tr { th scope="row" { "visits" } td #visits { (view.visits) } }
                }
            }
        }
    }
}

fn endings() -> Markup {
    html! {
        section aria-labelledby="end-title" {
            h2 #end-title { "End it" }
            form method="post" action="/logout" {
                p.hint #logout-is { "Ends this session. A copy of its cookie is refused as well." }
                button.main aria-describedby="logout-is" { "Log out" }
            }
            form method="post" action="/sign-out-others" {
                p.hint #others-is {
                    "Ends all your other sessions, and copies of this one's cookie."
                }
                button aria-describedby="others-is" { "Sign out all other sessions" }
            }
            form method="post" action="/sign-out-everywhere" {
                p.hint #everywhere-is { "Ends all your sessions, on every device." }
                button.danger aria-describedby="everywhere-is" { "Sign out everywhere" }
            }
        }
    }
}

fn log_in(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="login-title" {
            h2 #login-title { "Log in" }
            p.verdict #who { strong { "You are not logged in." } }
            form method="post" action="/login" {
                div.row {
                    div.field {
                        label for="name" { "Name" }
                        input #name name="name" autocomplete="username" required;
                    }
                    div.field {
                        label for="password" { "Password" }
                        input #password name="password" type="password" required
                            autocomplete="current-password";
                    }
                }
                button.main { "Log in" }
            }
            p.hint {
                "The program printed a password when it first started. You were here "
                span #visits { (view.visits) } " times."
            }
        }
    }
}

fn password() -> Markup {
    html! {
        section aria-labelledby="password-title" {
            h2 #password-title { "Change your password" }
            form method="post" action="/password" {
                div.row {
                    div.field {
                        label for="old" { "Current password" }
                        input #old name="old" type="password" required
                            autocomplete="current-password";
                    }
                    div.field {
                        label for="new" { "New password" }
                        input #new name="new" type="password" required minlength="8"
                            autocomplete="new-password";
                    }
                }
                button { "Change it and sign out all others" }
            }
        }
    }
}

fn administration(users: &[User]) -> Markup {
    html! {
        section aria-labelledby="admin-title" {
            h2 #admin-title { "Administration" }
            table {
                thead { tr { th scope="col" { "User" } th scope="col" { span.unseen { "Action" } } } }
                tbody {
                    @for user in users {
                        tr {
                            th scope="row" { (user.name) }
                            td {
                                form method="post" action="/end" {
                                    input type="hidden" name="id" value=(user.id);
                                    button.danger.small aria-label={ "End all sessions of " (user.name) } {
                                        "End all sessions"
                                    }
                                }
                            }
                        }
                    }
                }
            }
            h3 { "After an incident" }
            form method="post" action="/end-everyone" {
                button.danger { "End everyone’s sessions" }
            }
        }
    }
}

fn process(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="process-title" {
            h2 #process-title { "This process" }
            @if view.is_silent {
                p.verdict.bad #news {
                    strong { "No news." } " The carrier cannot be read, so what other processes "
                    "ended in the meantime is not known here."
                }
            } @else {
                p.verdict.good #news {
                    strong { "Up to date." } " It knows what every process ended."
                }
            }
            table.facts {
                tbody {
                    tr { th scope="row" { "address" } td { (view.address) } }
                    tr { th scope="row" { "carrier" } td { (view.carrier) } }
                    tr { th scope="row" { "subjects" } td #subjects { (view.subjects) } }
                }
            }
            p.hint {
                "Subjects are users with a session that was ended. Start another process with the "
                "same secret and open it in this browser, which sends the same cookie to every port."
            }
        }
    }
}

/// Writes a moment as `2030-01-02 03:04:05 UTC`.
fn moment(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}
