//! `boxoffice events tail`: the domain events of a service, one JSON document a line, from the admin API's log, in the order
//! of their time.

use std::io::{self, ErrorKind, Write, stdout};

use reqwest::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::order::{Order, WINDOW};
use super::target::{Endpoint, client, send};
use crate::args::values::Begin;
use crate::args::{Admin, Tail};
use crate::failure::Failure;

/// Prints until the log ends (`--no-follow`), the worker goes away or nobody reads any more.
///
/// # Errors
/// A log that cannot be read, or that broke off.
pub async fn tail(tail: Tail) -> Result<(), Failure> {
    let Tail { event, from, no_follow, admin, query_url } = tail;
    let admin = Admin { admin_url: admin.admin_url.or(query_url), ..admin };
    let endpoint = admin.reach().await?;
    let from = match from {
        Begin::Earliest => "earliest",
        Begin::Latest => "latest",
    };
    let event = event.map(|event| format!("&event={event}")).unwrap_or_default();
    let url = format!("{}/admin/log?from={from}&follow={}{event}", endpoint.url, !no_follow);
    let request = endpoint.authorize(client()?.get(url));
    let lines = send(request, &endpoint).await;
    let mut lines = lines.map_err(|refusal| hint(refusal.into(), &endpoint))?;
    let (mut order, mut begun) = (Order::default(), Vec::new());
    let ended = loop {
        // Without an end in sight a line waits a moment for earlier ones; else all do, as far as there is room.
        let due = if no_follow { None } else { order.due() };
        tokio::select! {
            chunk = lines.chunk() => match chunk {
                Ok(Some(chunk)) => take(&mut order, &mut begun, &chunk),
                ended => break ended,
            },
            () = sleep_until(due.unwrap_or_else(|| Instant::now() + WINDOW)) => {}
        }
        let now = Instant::now();
        let next = || if no_follow && !order.is_full() { None } else { order.next(now) };
        if !printed(std::iter::from_fn(next))? {
            return Ok(());
        }
    };
    printed(std::iter::from_fn(|| order.earliest()))?;
    match ended {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Refused(format!("{} broke off: {error}", endpoint.url))),
    }
}

/// Takes the lines that `chunk` ends; the one that it begins is kept in `begun`.
fn take(order: &mut Order, begun: &mut Vec<u8>, chunk: &[u8]) {
    let now = Instant::now();
    for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
        begun.extend_from_slice(piece);
        if begun.ends_with(b"\n") {
            order.take(std::mem::take(begun), now);
        }
    }
}

/// Prints lines; whether anybody still reads them.
fn printed(mut lines: impl Iterator<Item = Vec<u8>>) -> io::Result<bool> {
    let mut out = stdout().lock();
    let written = lines.try_for_each(|line| out.write_all(&line));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Buyers' ports do not serve the log.
fn hint(failure: Failure, endpoint: &Endpoint) -> Failure {
    match failure {
        Failure::Refused(why)
            if why.starts_with("NOT_FOUND") || why.contains(StatusCode::NOT_FOUND.as_str()) =>
        {
            Failure::Refused(format!(
                "{} does not serve the log: in a cluster use --service namespace/name, or --admin-url with --admin-token",
                endpoint.url
            ))
        }
        other => other,
    }
}
