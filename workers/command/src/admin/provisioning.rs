//! `PUT /admin/events/{eventId}`: a definition goes in, and what took effect of it comes back.

use axum::Json;
use axum::extract::State;
use boxoffice_domain::decide::in_words;
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::{Definition, SeatingEventId, faults};
use boxoffice_runtime::http::{ConflictBody, Id, Problem, RequestContext};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Body;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{Admin, InventoryBody, LOG_TIMEOUT};
use crate::http::caller::cause;
use crate::http::refusal;
use crate::openapi::examples::{partly_provisioned, provisioned};
use crate::openapi::{OPERATOR, OfProvisioning};
use crate::store::Provisioning;

/// What became of a definition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provisioned {
    /// The SeatingEvent as it is now.
    #[serde(flatten)]
    inventory: InventoryBody,
    /// Whether all of the definition took effect.
    applied: bool,
    /// Why the seat map did not, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Refused, required = false)]
    refused: Option<Refused>,
}

/// The seat map of a definition, which is taken or refused whole; it was refused.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refused {
    /// The seats that are in the way.
    seats: Vec<ConflictBody>,
    /// What is in the way and what to do about it, for people.
    detail: String,
}

/// Provision a SeatingEvent
///
/// Creates it or changes its definition; an unchanged definition changes nothing. A seat map (sections, blocks, focal
/// point, names of price categories) that would drop or block seats that are held or sold is refused as a whole, and the
/// rest takes effect. The currency never changes.
#[utoipa::path(
    put,
    path = "/admin/events/{eventId}",
    operation_id = "provisionEvent",
    tag = OPERATOR,
    params(OfEvent),
    request_body(content = schemas::Definition, examples(
        ("definition" = (
            summary = "A row of four seats and two standing places",
            value = json!({
                "title": "Arena Night",
                "startsAt": 4_000_000_000_000_u64,
                "sales": {"opensAt": 1_600_000_000_000_u64, "paused": false},
                "hold": {"ttlSeconds": 300, "maxSeconds": 900, "noSingleSeatGaps": "prefer"},
                "limits": {"seatsPerUser": 4},
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [
                    {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
                    {"id": "FLOOR", "priceCategory": "gold", "capacity": 2}
                ],
                "blocked": [{"seats": ["A-1-4"], "reason": "camera"}]
            })
        ))
    )),
    responses(
        (
            status = 200,
            description = "It is as the definition says, or all of it but the seat map.",
            body = Provisioned,
            examples(
                ("applied" = (summary = "All of it took effect", value = json!(provisioned(1)))),
                ("refused" = (
                    summary = "Somebody has a seat that would be dropped",
                    value = json!(partly_provisioned(3))
                ))
            )
        ),
        OfProvisioning
    )
)]
pub(super) async fn provision(
    State(admin): State<Admin>,
    chain: RequestContext,
    Id(event): Id<SeatingEventId>,
    Body(definition): Body<Definition>,
) -> Result<Json<Provisioned>, Problem> {
    let partition = admin.partition(&event, &definition).await?;
    let outcome = admin.store.provision(&event, &definition, partition, &cause(&chain, None, None)).await?;
    let Provisioning { inventory, refused } =
        outcome.map_err(|rejection| refusal::refused(&event, &rejection))?;
    let refused = (!refused.is_empty()).then(|| Refused {
        detail: in_words(&refused, &definition),
        seats: refused.iter().map(|conflict| refusal::named(&event, conflict)).collect(),
    });
    Ok(Json(Provisioned { inventory: inventory.into(), applied: refused.is_none(), refused }))
}

impl Admin {
    /// The partition of `event` (I4): the pinned one, or what Kafka's own producers would choose today for what can be
    /// sold at all.
    async fn partition(&self, event: &SeatingEventId, definition: &Definition) -> Result<u32, Problem> {
        if let Some(inventory) = self.store.inventory(event).await? {
            return Ok(inventory.partition);
        }
        faults::sound(definition, "").map_err(|fault| Problem::invalid(fault.to_string()))?;
        let unavailable =
            || Problem::unavailable("the log does not answer, and a new event needs its partition from it");
        let asked = timeout(LOG_TIMEOUT, self.log.partitions(&self.topic)).await;
        let partitions =
            asked.map_err(|_| unavailable())?.map_err(|error| unavailable().because(error.to_string()))?;
        Ok(partition_of(event.as_str(), partitions))
    }
}
