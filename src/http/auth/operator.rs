//! The requirement of the scope `operate`, for handlers that append or change something.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::tokens::Scope;
use crate::http::error::Problem;

/// A client that may append or change something. A handler that takes one rejects all others.
#[derive(Debug, Clone, Copy)]
pub struct Operator;

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.extensions().get::<Scope>() {
            None => Err(Problem::Internal),
            Some(scope) if scope.may_operate => Ok(Operator),
            Some(_) => Err(Problem::MayNotOperate),
        })
    }
}
