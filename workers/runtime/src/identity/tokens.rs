//! The user of a bearer token: JSON Web Tokens (RFC 7519) that one issuer signed for one audience.
//!
//! `kid` and `alg` find a key, the key's own algorithm checks the signature, then `iss`, `aud`, `exp`, `nbf` and `sub`
//! are looked at. A [`Refusal`] says what is wrong and repeats nothing of the token.

use std::borrow::Cow;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use boxoffice_domain::UserId;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;

use super::jwks::{Jwks, Newer, Pace};
use super::keys::{Key, KeySet};
use super::metrics::Metrics;
use super::ring;
use super::settings::{InvalidSettings, JwtSettings, KeySource};
use crate::health::Readiness;
use crate::http::{Problem, sole};

/// The algorithms that are checked, each with a kind of key of its own.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::HS256];
/// Seconds that the issuer's clock may be ahead. Behind, it costs a token its last moments and nobody anything.
const LEEWAY: u64 = 30;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the Authorization header must be there once, as Bearer and a token")]
    NoBearer,
    #[error("the token is no JSON Web Token signed with RS256, ES256 or HS256")]
    Malformed,
    #[error("the token's kid and alg name no key of the issuer")]
    UnknownKey,
    #[error("the token's signature does not match")]
    Signature,
    #[error("the token has expired: its exp is past")]
    Expired,
    #[error("the token is not valid yet: its nbf is to come")]
    Early,
    #[error("the token's iss is not the issuer that is trusted here")]
    Issuer,
    #[error("the token's aud does not name this service")]
    Audience,
    #[error("the token's claim {0} is missing or malformed")]
    Claim(Cow<'static, str>),
    #[error("the token's sub is no user id: 1 to 128 bytes without control characters or outer blanks")]
    Subject,
}

impl Refusal {
    fn label(&self) -> &'static str {
        match self {
            Self::NoBearer => "no_bearer",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Claim(_) => "claim",
            Self::Subject => "subject",
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.into_kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::Early,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            // One of those that were asked for.
            ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
                Self::Claim(name.into())
            }
            _ => Self::Malformed,
        }
    }
}

/// The token of a request, where it has one.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = sole(headers, &AUTHORIZATION).map_err(|_| Refusal::NoBearer)? else {
        return Ok(None);
    };
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoBearer)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() {
        Ok(Some(token))
    } else {
        Err(Refusal::NoBearer)
    }
}

/// What is asked of the tokens of one issuer, by the algorithm of the key that they are checked with.
#[derive(Debug)]
pub(super) struct Rules([Validation; ALGORITHMS.len()]);

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
}

impl Rules {
    pub(super) fn new(issuer: &str, audience: &str) -> Self {
        ring::install();
        Self(ALGORITHMS.map(|algorithm| {
            let mut validation = Validation::new(algorithm);
            validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
            validation.set_issuer(&[issuer]);
            validation.set_audience(&[audience]);
            validation.leeway = LEEWAY;
            // The leeway is for `nbf` alone: `exp` is the first moment at which a token is not believed.
            validation.reject_tokens_expiring_in_less_than = LEEWAY + 1;
            validation.validate_nbf = true;
            validation
        }))
    }

    /// The user of a token that `key` has signed, with the key's algorithm and no other.
    pub(super) fn user(&self, token: &str, key: &Key) -> Result<UserId, Refusal> {
        let validation = self.0.iter().find(|validation| validation.algorithms == [key.algorithm]);
        let validation = validation.ok_or(Refusal::UnknownKey)?;
        let Claims { sub } = decode(token, &key.decoding, validation)?.claims;
        sub.and_then(|sub| sub.parse().ok()).ok_or(Refusal::Subject)
    }
}

/// What a token says about the key that it was signed with; nothing of it is believed yet.
fn head(token: &str) -> Result<(Option<String>, Algorithm), Refusal> {
    let Header { kid, alg, crit, .. } = decode_header(token)?;
    // It asks for extensions (RFC 7515, 4.1.11), and we know none.
    if crit.is_some() {
        return Err(Refusal::Malformed);
    }
    if ALGORITHMS.contains(&alg) { Ok((kid, alg)) } else { Err(Refusal::Malformed) }
}

enum Keys {
    Given(KeySet),
    Published(Jwks),
}

/// The tokens of one issuer.
pub(super) struct Tokens {
    rules: Rules,
    keys: Keys,
    metrics: Metrics,
}

impl Tokens {
    pub(super) fn open(
        settings: JwtSettings,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Result<Self, InvalidSettings> {
        let JwtSettings { issuer, audience, keys } = settings;
        let keys = match keys {
            KeySource::Given(text) => Keys::Given(KeySet::given(&text)?),
            KeySource::Published(url) => {
                Keys::Published(Jwks::follow(&url, Pace::default(), metrics.clone(), readiness)?)
            }
        };
        Ok(Self { rules: Rules::new(&issuer, &audience), keys, metrics })
    }

    /// The user of a token.
    pub(super) async fn user(&self, token: &str) -> Result<UserId, Problem> {
        let (id, algorithm) = head(token).map_err(|refusal| self.refuse(&refusal))?;
        let checked = |keys: &KeySet| {
            let key = keys.find(id.as_deref(), algorithm).ok_or(Refusal::UnknownKey)?;
            self.rules.user(token, key)
        };
        let outcome = match &self.keys {
            Keys::Given(keys) => checked(keys),
            Keys::Published(jwks) => {
                let keys = jwks.keys().ok_or_else(unknown_issuer)?;
                match checked(&keys) {
                    // Perhaps a key that was published since.
                    Err(Refusal::UnknownKey) => match jwks.newer().await {
                        Newer::Keys(keys) => checked(&keys),
                        Newer::None => Err(Refusal::UnknownKey),
                        Newer::Busy => return Err(busy()),
                    },
                    outcome => outcome,
                }
            }
        };
        outcome.map_err(|refusal| self.refuse(&refusal))
    }

    /// What the caller reads.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Problem {
        self.metrics.refused(refusal.label());
        Problem::unauthenticated(refusal.to_string())
    }
}

fn unknown_issuer() -> Problem {
    Problem::unavailable("tokens cannot be checked: the issuer's keys could not be fetched yet")
}

fn busy() -> Problem {
    Problem::unavailable("the token names a key that is not known yet, and many ask for it: try again")
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
