//! Answers requests that could not be done, each with a page.

use axum::body::HttpBody as _;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

use crate::{Failure, page};

/// Why a request was not done.
pub enum Oops {
    /// It is not known whether the session was ended: the cookie is kept, and the browser asks again.
    Silence,
    /// It was ended in this process, and waits until the carrier can be written.
    Unpublished(Failure),
    /// Only somebody with an account may do this, or only an administrator.
    Nobody,
    /// A fault, with the reason in the log.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Oops {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        match self {
            Self::Silence => {
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")]).into_response()
            }
            Self::Unpublished(error) => {
                tracing::error!(%error, "an explicit end could not be published");
                let text = "The sessions were ended here, but other servers may not know it yet. \
                            Please repeat it in a few seconds.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                (status, [(RETRY_AFTER, "5")], page::plain(text)).into_response()
            }
            Self::Nobody => StatusCode::FORBIDDEN.into_response(),
            Self::Failed(error) => {
                tracing::error!(%error, "a request failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Gives a page to a refusal without a body, such as those of the guard and of the CSRF layer.
pub async fn explain(response: Response) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || response.body().size_hint().exact() != Some(0) {
        return response;
    }
    let text = match status {
        StatusCode::UNAUTHORIZED => "You are not logged in any more. Please log in again.",
        StatusCode::FORBIDDEN => {
            "You may not do this, or this page was open for too long. Please load it again."
        }
        StatusCode::NOT_FOUND => "There is no such page.",
        StatusCode::SERVICE_UNAVAILABLE => {
            "It is not known at the moment which sessions were ended, so nobody can be logged in. \
             Your session is kept. Please try again in a few seconds."
        }
        _ => "Something went wrong.",
    };
    let (mut parts, _) = response.into_parts();
    let page = page::plain(text).into_response();
    parts.headers.extend(page.headers().clone());
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, page.into_body())
}
