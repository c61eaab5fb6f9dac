//! The administration: a session of its own, which can end anybody's sessions and everybody's.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use signed_session::django::{CsrfHandle, Level};
use signed_session::{FlashMessages, LoggedIn, SessionHandle, local_path};

use crate::login;
use crate::oops::Oops;
use crate::page::{self, Frame, form};
use crate::sessions::{Admin, USER_ID};
use crate::site::{Shared, Site};
use crate::users::User;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/admin", get(overview))
        .route("/admin/login", get(login_page).post(log_in))
        .route("/admin/logout", post(log_out))
        .route("/admin/end", post(end_of_user))
        .route("/admin/end-everyone", post(end_everyone))
}

/// Returns the administrator, who may not be one any more.
async fn administrator(site: &Site, id: i64) -> Result<User, Oops> {
    site.users.by_id(id).await?.filter(|user| user.is_admin).ok_or(Oops::Nobody)
}

async fn overview(
    State(site): Shared,
    LoggedIn { id, .. }: LoggedIn<i64, Admin>,
    flash: FlashMessages<Admin>,
    csrf: CsrfHandle,
) -> Result<Markup, Oops> {
    let administrator = administrator(&site, id).await?;
    let users = site.users.all().await?;
    let main = html! {
        div.columns {
            div { (users_table(&csrf, &users)) }
            div { (list(&site)) (out(&csrf)) }
        }
    };
    let who = html! { "You are logged in as " (administrator.name) ", who administers." };
    admin_page(&site, &flash, who, main)
}

fn admin_page(
    site: &Site,
    flash: &FlashMessages<Admin>,
    who: Markup,
    main: Markup,
) -> Result<Markup, Oops> {
    Ok(page::whole(&Frame {
        title: "Administration",
        nav: html! { a href="/admin" { "Sessions" } a href="/" { "To the shop" } },
        who,
        messages: flash.take()?,
        is_watched: false,
        site: Some(site),
        main,
    }))
}

fn users_table(csrf: &CsrfHandle, users: &[User]) -> Markup {
    html! {
        section aria-labelledby="users-title" {
            h2 #users-title { "Users" }
            table.goods {
                tbody {
                    @for user in users {
                        tr {
                            th scope="row" { (user.name) }
                            td { (form(csrf, "/admin/end", html! {
                                input type="hidden" name="id" value=(user.id);
                                button.danger.small aria-label={ "End all sessions of " (user.name) } {
                                    "End all sessions"
                                }
                            })) }
                        }
                    }
                }
            }
            h3 { "After an incident" }
            (form(csrf, "/admin/end-everyone", html! {
                button.danger { "End everyone’s sessions" }
            }))
        }
    }
}

fn list(site: &Site) -> Markup {
    html! {
        section aria-labelledby="list-title" {
            h2 #list-title { "Ended sessions" }
            table.facts {
                tbody {
                    tr { th scope="row" { "process" } td { (site.address) } }
                    tr { th scope="row" { "carrier" } td { (site.carrier.name()) } }
                    tr { th scope="row" { "subjects" } td { (site.revocations.len()) } }
                }
            }
            p.hint {
                "Subjects are users with a session that was ended. Start another process with the "
                "same secret and open it in this browser, which sends the same cookies to every port."
            }
        }
    }
}

fn out(csrf: &CsrfHandle) -> Markup {
    html! {
        section aria-labelledby="out-title" {
            h2 #out-title { "Leave" }
            (form(csrf, "/admin/logout", html! {
                p.hint #out-is { "Ends this session, and not yours in the shop." }
                button.main aria-describedby="out-is" { "Log out" }
            }))
        }
    }
}

#[derive(Deserialize)]
struct Where {
    #[serde(default)]
    next: String,
}

async fn login_page(
    State(site): Shared,
    flash: FlashMessages<Admin>,
    csrf: CsrfHandle,
    Query(Where { next }): Query<Where>,
) -> Result<Markup, Oops> {
    admin_page(&site, &flash, Markup::default(), login_form(&csrf, "", &next, None))
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn log_in(
    State(site): Shared,
    session: SessionHandle<Admin>,
    flash: FlashMessages<Admin>,
    csrf: CsrfHandle,
    Form(login): Form<Login>,
) -> Result<Response, Oops> {
    let user = site.users.authenticate(&login.name, &login.password).await?;
    let Some(user) = user.filter(|user| user.is_admin) else {
        let fault = Some("No administrator of this name and password.");
        let form = login_form(&csrf, &login.name, &login.next, fault);
        let page = admin_page(&site, &flash, Markup::default(), form)?;
        return Ok((StatusCode::FORBIDDEN, page).into_response());
    };
    site.catch_up_for_login().await?;
    session.begin(|_| false);
    session.insert(USER_ID, user.id)?;
    Ok(Redirect::to(local_path(&login.next).unwrap_or("/admin")).into_response())
}

fn login_form(csrf: &CsrfHandle, name: &str, next: &str, fault: Option<&str>) -> Markup {
    let fields = html! {
        input type="hidden" name="next" value=(next);
        (login::credentials(name))
        button.main { "Log in" }
    };
    html! {
        section.narrow aria-labelledby="login-title" {
            h2.unseen #login-title { "Log in" }
            @if let Some(fault) = fault { p.verdict.bad role="alert" { (fault) } }
            (form(csrf, "/admin/login", fields))
            p.hint {
                "As root. A login in the shop is not one here, and this one ends after half an hour "
                "without a visit."
            }
        }
    }
}

async fn log_out(
    session: SessionHandle<Admin>,
    flash: FlashMessages<Admin>,
) -> Result<Redirect, Oops> {
    session.flush();
    flash.add(Level::SUCCESS, "You have left the administration.")?;
    Ok(Redirect::to("/admin/login"))
}

#[derive(Deserialize)]
struct Of {
    id: i64,
}

async fn end_of_user(
    State(site): Shared,
    LoggedIn { id, session }: LoggedIn<i64, Admin>,
    flash: FlashMessages<Admin>,
    Form(form): Form<Of>,
) -> Result<Redirect, Oops> {
    administrator(&site, id).await?;
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_all_at(form.id, (site.clock)())?;
    site.publish(&revocation).await?;
    if form.id == id {
        // A message in a session that was ended would be lost.
        session.flush();
    }
    flash.add(Level::SUCCESS, "All sessions of this user were ended.")?;
    Ok(Redirect::to("/admin"))
}

async fn end_everyone(
    State(site): Shared,
    LoggedIn { id, session }: LoggedIn<i64, Admin>,
    flash: FlashMessages<Admin>,
) -> Result<Redirect, Oops> {
    administrator(&site, id).await?;
    site.try_to_catch_up().await;
    let revocation = site.revocations.end_everyone_at((site.clock)());
    site.publish(&revocation).await?;
    session.flush();
    flash.add(Level::SUCCESS, "Everyone’s sessions were ended, and yours with them.")?;
    Ok(Redirect::to("/admin"))
}
