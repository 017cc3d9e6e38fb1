//! Forms of pages, accepted only with the CSRF token of their session.

use actix_web::dev::Payload;
use actix_web::error::QueryPayloadError;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::csrf::CsrfCheck;
use crate::http::error::Problem;

/// The form of a POST request, after its CSRF token was checked. A page's handler reads forms only by this.
pub struct CheckedForm<T>(pub T);

/// The hidden field that every form has.
#[derive(Deserialize)]
struct TokenField {
    #[serde(default)]
    csrf_token: String,
}

impl<T: DeserializeOwned + 'static> FromRequest for CheckedForm<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let check = request.extensions().get::<CsrfCheck>().cloned();
        let body = String::from_request(request, payload);
        Box::pin(async move {
            let unreadable = |_| Problem::BadRequest("the form cannot be read".to_owned());
            let body = body.await.map_err(unreadable)?;
            match check {
                None => return Err(Problem::Internal),
                Some(CsrfCheck::NotNeeded) => {}
                Some(CsrfCheck::Requires(token)) => {
                    let given = fields::<TokenField>(&body)?;
                    if !token.matches(&given.csrf_token) {
                        return Err(Problem::ForeignForm);
                    }
                }
            }
            Ok(Self(fields(&body)?))
        })
    }
}

/// The fields of a form, which are encoded as those of a query.
fn fields<T: DeserializeOwned>(body: &str) -> Result<T, Problem> {
    let fields = web::Query::<T>::from_query(body);
    let fields = fields.map_err(|error| match error {
        QueryPayloadError::Deserialize(error) => Problem::BadRequest(format!("the form: {error}")),
        _ => Problem::BadRequest("the form cannot be read".to_owned()),
    })?;
    Ok(fields.into_inner())
}
