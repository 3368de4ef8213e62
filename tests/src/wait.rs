//! Waiting for a condition, with a deadline: what a test does in place of sleeping.

use std::time::{Duration, Instant};

/// How long a test waits before it counts as failed: generous, because machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// Repeats `probe` until it gives a value.
///
/// # Panics
/// When [`PATIENCE`] is over; the message says `what` did not come.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, probe).await
}

/// The same with a patience of its own.
///
/// # Panics
/// When `patience` is over; the message says `what` did not come.
pub async fn until_within<T>(patience: Duration, what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    match within(patience, probe).await {
        Some(value) => value,
        None => panic!("waited {patience:?} in vain: {what}"),
    }
}

/// Repeats `probe` until it gives a value; `None` when `patience` is over.
pub async fn within<T>(patience: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = probe().await {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}
