//! Who may come in, and how often: everything that happens to a request of a buyer before its route.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::HeaderMap;
use boxoffice_domain::UserId;
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::identity::Identity;

use super::buckets::Buckets;

/// The way in. Clones count together.
#[derive(Clone)]
pub struct Gate(Arc<Rules>);

struct Rules {
    identity: Identity,
    buckets: Option<Buckets>,
}

impl Gate {
    /// A gate for users as `identity` knows them, each with so many requests a second at most.
    pub fn new(identity: Identity, requests_per_user_per_second: Option<NonZeroU32>) -> Self {
        Self(Arc::new(Rules { identity, buckets: requests_per_user_per_second.map(Buckets::new) }))
    }

    /// The user of a request that may go on.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<UserId, Problem> {
        let Rules { identity, buckets } = &*self.0;
        let user = identity.caller(headers).await?;
        match buckets {
            Some(buckets) if !buckets.take(user.as_str()) => {
                let rate = buckets.rate();
                Err(Problem::rate_limited(format!(
                    "more than {rate} requests a second: wait, then go on slower"
                )))
            }
            Some(_) | None => Ok(user),
        }
    }
}
