//! Who gives a command, and in which chain.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use boxoffice_domain::UserId;
use boxoffice_runtime::http::{Problem, RequestContext};
use uuid::Uuid;

use super::gate::Gate;
use crate::store::{Cause, Idempotency};

/// Who acts, and in which chain.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The chain.
    pub chain: RequestContext,
}

impl<S: Sync> FromRequestParts<S> for Caller
where
    Gate: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let chain = RequestContext::from_request_parts(parts, state).await?;
        let user = Gate::from_ref(state).admit(&parts.headers).await?;
        Ok(Self { user, chain })
    }
}

/// The cause of a new command that `user` gives in `chain`.
pub fn cause(chain: &RequestContext, user: Option<UserId>, idempotency: Option<Idempotency>) -> Cause {
    Cause {
        command: Uuid::new_v4(),
        correlation: chain.correlation.clone(),
        user,
        traceparent: chain.traceparent.clone(),
        idempotency,
    }
}
