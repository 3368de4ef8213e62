//! `boxoffice events tail`: the domain events of a service, one JSON document a line, from the admin API's log.

use std::io::{ErrorKind, Write, stdout};

use reqwest::StatusCode;

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
    let mut out = stdout().lock();
    loop {
        let chunk = lines.chunk().await;
        let chunk =
            chunk.map_err(|error| Failure::Refused(format!("{} broke off: {error}", endpoint.url)))?;
        let Some(chunk) = chunk else { return Ok(()) };
        match out.write_all(&chunk).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
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
