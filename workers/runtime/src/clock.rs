//! The one place that reads the wall clock. Seats never ask it: their time is the store's (I6).

use std::time::{SystemTime, UNIX_EPOCH};

use boxoffice_domain::UnixMillis;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis::try_from(since.as_millis()).unwrap_or(UnixMillis::MAX)
}
