//! Who gives a command, and in which chain.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use boxoffice_domain::UserId;
use boxoffice_domain::ids::InvalidId;
use boxoffice_runtime::http::{Chain, Problem, sole};
use uuid::Uuid;

use super::refusal::unauthenticated;
use crate::store::{Cause, Idempotency};

/// Header: who acts. A gateway sets it; nobody else can reach this port.
const USER_ID: &str = "x-user-id";

/// Who acts, and in which chain.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The chain.
    pub chain: Chain,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let chain = Chain::from_request_parts(parts, state).await?;
        let user = sole(&parts.headers, USER_ID)?.ok_or_else(|| {
            unauthenticated(format!("the request names no user: header {USER_ID} is missing"))
        })?;
        let user =
            user.parse().map_err(|error: InvalidId| Problem::invalid(format!("{USER_ID}: {error}")))?;
        Ok(Self { user, chain })
    }
}

/// The cause of a new command that `user` gives in `chain`.
pub fn cause(chain: &Chain, user: Option<UserId>, idempotency: Option<Idempotency>) -> Cause {
    Cause {
        command: Uuid::new_v4(),
        correlation: chain.correlation.clone(),
        user,
        traceparent: chain.traceparent.clone(),
        idempotency,
    }
}
