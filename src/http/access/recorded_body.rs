//! A response's body with its pending access record, which is written when the body is dropped: at its end,
//! or when its client has disconnected.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use super::recorder::Pending;

pub struct RecordedBody {
    body: BoxBody,
    _pending: Option<Pending>,
}

impl RecordedBody {
    pub(super) fn new(body: impl MessageBody + 'static, pending: Option<Pending>) -> Self {
        Self { body: BoxBody::new(body), _pending: pending }
    }
}

impl MessageBody for RecordedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
