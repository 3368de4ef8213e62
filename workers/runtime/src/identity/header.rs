//! The user that a gateway names. The gateway has checked it, and nobody else can reach the port.

use axum::http::{HeaderMap, HeaderName};
use boxoffice_domain::UserId;
use boxoffice_domain::ids::InvalidId;

use crate::http::{Problem, sole};

/// Header: who acts.
pub(super) static USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// The user of the header, where it is there and says something.
pub(super) fn user(headers: &HeaderMap) -> Result<Option<UserId>, Problem> {
    let malformed = |error: InvalidId| Problem::invalid(format!("{USER_ID}: {error}"));
    let named = sole(headers, &USER_ID)?.filter(|text| !text.is_empty());
    named.map(|text| text.parse().map_err(malformed)).transpose()
}
