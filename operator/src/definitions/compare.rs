//! Compares the API server's definitions with the operator's own, by its OpenAPI document.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use http::Request;
use serde_json::Value;
use tokio::time::timeout;

use super::{hash, listed, own, published};
use crate::api::{ApiError, timed};
use crate::context::Context;

/// Names the documents of all versions, each with a hash.
const INDEX: &str = "/openapi/v3";
/// The one of both kinds.
const DOCUMENT: &str = "apis/boxoffice.dev/v1alpha1";
/// How often the index is looked at.
const LOOK: Duration = Duration::from_mins(1);
/// How soon again after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Compares them now and whenever they change, for ever.
pub async fn compare(context: Arc<Context>) {
    let mut seen = None;
    loop {
        let wait = match look(&context, &mut seen).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::debug!(%error, "definitions not compared");
                AGAIN
            }
        };
        if timeout(wait, context.definitions.doubt.notified()).await.is_ok() {
            seen = None;
        }
    }
}

/// Reads the document if the index names another one than was `seen`.
async fn look(context: &Context, seen: &mut Option<String>) -> Result<(), ApiError> {
    let index = get(context, INDEX).await?;
    let address = index["paths"][DOCUMENT]["serverRelativeURL"].as_str().map(str::to_owned);
    let Some(address) = address.filter(|address| seen.as_ref() != Some(address)) else { return Ok(()) };
    let document = get(context, &address).await?;
    for (kind, ours) in [own::<ReservationService>(), own::<SeatingEvent>()] {
        let Some(theirs) = published(&document, kind) else { continue };
        let lacking: BTreeSet<_> = ours.difference(&theirs).cloned().collect();
        let (own, live) = (hash(&ours), hash(&theirs));
        context.metrics.outdated(kind, !lacking.is_empty());
        if !lacking.is_empty() {
            tracing::warn!(
                kind,
                own,
                live,
                lacking = listed(&lacking),
                "definition is older than the operator"
            );
        } else if ours == theirs {
            tracing::info!(kind, own, "definition is the operator's own");
        } else {
            tracing::warn!(
                kind,
                own,
                live,
                "definition is newer than the operator: what it adds is unreadable here"
            );
        }
        context.definitions.note(kind, &ours, theirs);
    }
    *seen = Some(address);
    Ok(())
}

async fn get(context: &Context, address: &str) -> Result<Value, ApiError> {
    let request = Request::get(address).body(Vec::new()).map_err(kube::Error::HttpError);
    timed("read the definitions", async { context.client.request(request?).await }).await
}
