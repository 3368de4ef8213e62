//! `GET /trace/{correlationId}`: what a request set off, as a tree. A user sees the domain events that name that user; operators
//! ask for all of them at their own port.

use std::sync::Arc;

use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use boxoffice_domain::ids::InvalidId;
use boxoffice_domain::{CorrelationId, SeatingEventId, UnixMillis, UserId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfChain;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Nothing, Query};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::headers::Headers;
use super::{Knowledge, Private};
use crate::openapi::{OfTrace, TRACES};
use crate::orders::trace_tree::{Link, tree};
use crate::orders::{MOST_EVENTS, Traced};

/// A chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trace)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TraceBody {
    /// The chain.
    #[schema(value_type = schemas::CorrelationId)]
    correlation_id: CorrelationId,
    /// Those that a command caused, or what is not shown here; oldest first.
    events: Vec<LinkBody>,
    /// Whether it has more than the 1,000 oldest, which are shown.
    is_cut: bool,
}

/// A domain event of a chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TracedEvent)]
#[serde(rename_all = "camelCase")]
struct LinkBody {
    /// The event's own id.
    #[schema(value_type = String, format = "uuid")]
    event_id: Uuid,
    /// Its type.
    event_type: String,
    /// What it is about: a seat, a hold, a reservation or a SeatingEvent.
    aggregate_id: String,
    /// Its SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    seating_event: SeatingEventId,
    /// Its number within the SeatingEvent; events of payments have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    sequence: Option<u64>,
    /// When it happened.
    timestamp: UnixMillis,
    /// The event that caused it, or the command.
    #[schema(value_type = String, format = "uuid")]
    causation_id: Uuid,
    /// Whose seats, hold, reservation or payment it is about, or who acted; absent where that is nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::UserId, required = false)]
    user_id: Option<UserId>,
    /// What it caused, oldest first.
    #[schema(no_recursion)]
    caused: Vec<LinkBody>,
}

/// The chain in an address.
pub(crate) struct PathCorrelationId(pub CorrelationId);

impl FromStr for PathCorrelationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|error| InvalidId { what: "correlationId", ..error })
    }
}

/// Trace a request
///
/// Every domain event that followed from a request, below what caused it, as far as it names you: you hold or have its
/// seats, or you acted. The request is named by the `correlationId` of its answer.
#[utoipa::path(
    get,
    path = "/trace/{correlationId}",
    operation_id = "showTrace",
    tag = TRACES,
    params(OfChain),
    security(("user" = []), ("token" = [])),
    responses(
        (
            status = 200,
            description = "The chain.",
            body = TraceBody,
            example = json!(crate::openapi::examples::trace())
        ),
        OfTrace
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(PathCorrelationId(chain)): Id<PathCorrelationId>,
    _: Query<Nothing>,
    Headers(headers): Headers,
) -> Result<Private<TraceBody>, Problem> {
    let user = known.identity.caller(&headers).await?;
    Ok(known.private(known.trace(chain, Some(&user)).await?))
}

impl Knowledge {
    /// A chain as a user sees it, or all of it.
    pub(crate) async fn trace(
        &self,
        chain: CorrelationId,
        user: Option<&UserId>,
    ) -> Result<TraceBody, Problem> {
        let mut events = self.order_service.orders().trace(&chain, user).await?;
        if events.is_empty() {
            let detail = match user {
                Some(_) => "no domain event of this chain names you",
                None => "there is no domain event of this chain, or not yet",
            };
            return Err(Problem::new(StatusCode::NOT_FOUND, code::NOT_FOUND, detail));
        }
        let is_cut = events.len() > MOST_EVENTS;
        events.truncate(MOST_EVENTS);
        let events = tree(events).into_iter().map(LinkBody::from).collect();
        Ok(TraceBody { correlation_id: chain, events, is_cut })
    }
}

impl From<Link> for LinkBody {
    fn from(Link { event, caused }: Link) -> Self {
        let Traced {
            event_id,
            causation_id,
            event_type,
            aggregate_id,
            seating_event,
            sequence,
            timestamp,
            user,
        } = event;
        let caused = caused.into_iter().map(Self::from).collect();
        Self {
            event_id,
            event_type,
            aggregate_id,
            seating_event,
            sequence,
            timestamp,
            causation_id,
            user_id: user,
            caused,
        }
    }
}
