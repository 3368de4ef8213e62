//! Who a caller is: the user that a gateway names in `x-user-id`, or the `sub` of a token that is checked here. The
//! command and the query worker ask the same [`Identity`], so that a user is the same one on both sides.
//!
//! Reading order: [`settings`] is what a worker is told ([`key_text`] a part of it), `header` and `tokens` are the two
//! ways to know a user, `keys` are what signatures are checked with, `jwks` keeps those that an issuer publishes,
//! `ring` does the arithmetic. What a user may do is none of this module's business, nor how much of it.

pub mod key_text;

pub mod settings;

mod header;

mod tokens;

mod keys;

mod jwks;

mod ring;

mod metrics;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use boxoffice_domain::UserId;
use prometheus_client::registry::Registry;

use crate::health::Readiness;
use crate::http::Problem;
use header::USER_ID;
use metrics::Metrics;
use settings::{InvalidSettings, Settings};
use tokens::{Tokens, bearer};

/// Readiness part: the issuer's keys are known.
pub const JWKS: &str = "jwks";

/// How callers are known. Clones share what they know.
#[derive(Clone)]
pub struct Identity(Way);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(by {})", self.header())
    }
}

#[derive(Clone)]
enum Way {
    Header,
    Tokens(Arc<Tokens>),
}

impl Identity {
    /// By the header alone: whoever reaches the port is believed.
    pub fn by_header() -> Self {
        Self(Way::Header)
    }

    /// As `settings` say. Published keys are fetched from now on, as long as there is a clone of this; until the first
    /// ones are there, the part [`JWKS`] is not ready.
    ///
    /// # Errors
    /// A key or an address that cannot be right.
    pub fn open(
        settings: Settings,
        registry: &mut Registry,
        readiness: &Readiness,
    ) -> Result<Self, InvalidSettings> {
        Ok(match settings {
            Settings::Header => Self::by_header(),
            Settings::Jwt(settings) => {
                let metrics = Metrics::register(registry);
                Self(Way::Tokens(Arc::new(Tokens::open(settings, metrics, readiness)?)))
            }
        })
    }

    /// The user that acts, where the request names one.
    ///
    /// # Errors
    /// A user that is malformed or not believed.
    pub async fn user(&self, headers: &HeaderMap) -> Result<Option<UserId>, Problem> {
        match &self.0 {
            Way::Header => header::user(headers),
            Way::Tokens(tokens) => match bearer(headers).map_err(|refusal| tokens.refuse(&refusal))? {
                Some(token) => tokens.user(token).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// The user that acts.
    ///
    /// # Errors
    /// A request that names none, or as [`Self::user`].
    pub async fn caller(&self, headers: &HeaderMap) -> Result<UserId, Problem> {
        let missing = || match &self.0 {
            Way::Header => format!("the request names no user: header {USER_ID} is missing"),
            Way::Tokens(_) => "the request names no user: send a token as Authorization: Bearer".to_owned(),
        };
        self.user(headers).await?.ok_or_else(|| Problem::unauthenticated(missing()))
    }

    /// The header by which answers differ from user to user, for `Vary`.
    pub fn header(&self) -> &'static str {
        match &self.0 {
            Way::Header => USER_ID.as_str(),
            Way::Tokens(_) => AUTHORIZATION.as_str(),
        }
    }
}

#[cfg(test)]
mod tests;
