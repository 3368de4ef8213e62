//! `boxoffice events tail`: the domain events of a service, one JSON document a line, from the admin API's log.

use std::io::{ErrorKind, Write, stdout};

use clap::ValueEnum;
use reqwest::StatusCode;

use super::target::{Endpoint, Port, client, send};
use crate::args::Tail;
use crate::failure::Failure;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Begin {
    /// With the first one that there is
    Earliest,
    /// With what comes from now on
    Latest,
}

/// Prints until the log ends (`--no-follow`), the worker goes away or nobody reads any more.
///
/// # Errors
/// A log that cannot be read, or that broke off.
pub async fn tail(tail: Tail) -> Result<(), Failure> {
    let Tail { event, from, no_follow, target, query_url, admin_url, admin_token } = tail;
    let mut endpoint = match admin_url.or(query_url) {
        Some(url) => Endpoint::at(&url, None),
        None => target.reach(Port::Admin).await?,
    };
    endpoint.token = admin_token.or(endpoint.token);
    let from = match from {
        Begin::Earliest => "earliest",
        Begin::Latest => "latest",
    };
    let event = event.map(|event| format!("&event={event}")).unwrap_or_default();
    let url = format!("{}/admin/log?from={from}&follow={}{event}", endpoint.url, !no_follow);
    let mut request = client()?.get(url);
    if let Some(token) = &endpoint.token {
        request = request.bearer_auth(token);
    }
    let mut lines = send(request, &endpoint).await.map_err(|failure| hint(failure, &endpoint))?;
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
