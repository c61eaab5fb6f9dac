//! Puts the shop together: its routes, the layers around them, and what the handlers share.
//!
//! Three rules, which a program that copies this should keep:
//!
//! - A login and an explicit end catch up with the carrier first, so that they are ordered after
//!   every end that is known anywhere.
//! - An explicit end, such as "sign out everywhere", is answered with success only after it was
//!   published. Until then it may be known in this process alone.
//! - Only authentication calls `begin`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use signed_session::django::{Csrf, CsrfLayer};
use signed_session::{ConfigError, Keyring, Revocation, Revocations, SessionLayer, Silence};

use crate::carrier::Carrier;
use crate::oops::{self, Oops};
use crate::sessions::{self, Admin, Clock};
use crate::users::Users;
use crate::{account, admin, cart, login, page};

/// What the handlers share.
pub struct Site {
    pub revocations: Revocations,
    pub carrier: Carrier,
    pub silence: Silence,
    pub users: Users,
    pub address: SocketAddr,
    pub clock: Clock,
}

/// The argument by which handlers get the site.
pub type Shared = State<Arc<Site>>;

impl Site {
    /// Returns the whole shop, whose sessions are signed with these keys.
    ///
    /// # Errors
    ///
    /// None, unless a setting is changed to one that browsers do not accept.
    pub fn router(self, ring: &Keyring) -> Result<Router, ConfigError> {
        let visitors = sessions::of_visitors(ring, &self.revocations, self.clock)?;
        let administrators = sessions::of_administrators(ring, &self.revocations, self.clock)?;
        // The origin that browsers show, which forms must come from: yours is https and has a name.
        let csrf = Csrf::new(&format!("http://{}", self.address))?
            .trusted_origin(&format!("http://localhost:{}", self.address.port()))?;

        let shop = Router::new()
            .merge(cart::routes())
            .merge(login::routes())
            .merge(account::routes().layer(middleware::map_response(forget)))
            // Inside of the session's layer, so that a login replaces the secret of the forms.
            .layer(CsrfLayer::new(csrf.clone()))
            .layer(SessionLayer::new(visitors));
        let administration = admin::routes()
            .layer(middleware::map_response(forget))
            .layer(CsrfLayer::marked::<Admin>(csrf))
            .layer(SessionLayer::marked::<Admin>(administrators));
        Ok(shop
            .merge(administration)
            .with_state(Arc::new(self))
            .route("/style.css", get(|| asset("text/css", page::STYLE)))
            .route("/watch.js", get(|| asset("text/javascript", include_str!("watch.js"))))
            .layer(middleware::map_response(oops::explain))
            .layer(middleware::map_response(protect)))
    }

    /// Reads what was ended until now, before a login.
    ///
    /// A session that begins now would be refused in the next request if the list is silent.
    pub(crate) async fn catch_up_for_login(&self) -> Result<(), Oops> {
        match self.carrier.catch_up().await {
            Err(_) if self.silence == Silence::Refuse => Err(Oops::Silence),
            Err(error) => {
                warn_of_gap(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reads what was ended until now, before an explicit end. Without it this process does what it
    /// can.
    pub(crate) async fn try_to_catch_up(&self) {
        if let Err(error) = self.carrier.catch_up().await {
            warn_of_gap(&error);
        }
    }

    /// Returns once every process can know that this was ended.
    pub(crate) async fn publish(&self, revocation: &Revocation) -> Result<(), Oops> {
        // If it fails it was ended here, and waits in the queue.
        self.carrier.publish(revocation).await.map_err(Oops::Unpublished)
    }
}

fn warn_of_gap(error: &crate::Failure) {
    tracing::warn!(%error, "not everything that was ended is known");
}

async fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, media_type)], text)
}

/// After a logout, "Back" in the browser must not show the page again.
async fn forget(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}
