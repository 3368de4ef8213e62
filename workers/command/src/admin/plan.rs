//! `POST /admin/events/{eventId}/plan`: what a definition would do to the seats, and nothing done.

use axum::Json;
use axum::extract::State;
use boxoffice_domain::plan::Plan;
use boxoffice_domain::{Definition, SeatId, SeatingEventId, faults};
use boxoffice_runtime::http::{ConflictBody, Id, Problem};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Body;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use crate::http::refusal;
use crate::openapi::{OPERATOR, OfPlanning};

/// Most seats that a plan names of each kind.
const NAMED_SEATS: usize = 20;

/// What a definition would do to the seats.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub(super) struct PlanBody {
    /// Seats that there are not yet.
    added: PlannedSeats,
    /// Seats that there would not be any more.
    removed: PlannedSeats,
    /// Seats that it would take off sale.
    blocked: PlannedSeats,
    /// Seats that it would put back on sale.
    unblocked: PlannedSeats,
    /// The seats that somebody has and that are in the way; none of the above happens while there is one.
    refused: Vec<ConflictBody>,
}

/// Seats of which the first are named.
#[derive(Serialize, ToSchema)]
pub(super) struct PlannedSeats {
    /// How many there are.
    count: usize,
    /// The first 20 of them.
    #[schema(value_type = Vec<schemas::SeatId>)]
    seats: Vec<SeatId>,
}

impl PlannedSeats {
    fn of(event: &SeatingEventId, keys: &[String]) -> Self {
        let seats = keys.iter().take(NAMED_SEATS).map(|key| SeatId::from_chart(event, key)).collect();
        Self { count: keys.len(), seats }
    }
}

/// Plan a definition
///
/// What giving it would do to the seats, as of now: which would be added, removed, blocked and unblocked, and which are
/// in the way. Nothing is done.
#[utoipa::path(
    post,
    path = "/admin/events/{eventId}/plan",
    operation_id = "planEvent",
    tag = OPERATOR,
    params(OfEvent),
    request_body(content = schemas::Definition, examples(
        ("another" = (
            summary = "A row of three seats and three standing places",
            value = json!({
                "title": "Arena Night",
                "startsAt": 4_000_000_000_000_u64,
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [
                    {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-3"}]},
                    {"id": "FLOOR", "priceCategory": "gold", "capacity": 3}
                ],
                "blocked": [{"seats": ["A-1-3"], "reason": "camera"}]
            })
        ))
    )),
    responses(
        (
            status = 200,
            description = "What it would do.",
            body = PlanBody,
            example = json!({
                "added": {"count": 1, "seats": ["arena-night.FLOOR-3"]},
                "removed": {"count": 1, "seats": ["arena-night.A-1-4"]},
                "blocked": {"count": 1, "seats": ["arena-night.A-1-3"]},
                "unblocked": {"count": 0, "seats": []},
                "refused": []
            })
        ),
        OfPlanning
    )
)]
pub(super) async fn plan(
    State(admin): State<Admin>,
    Id(event): Id<SeatingEventId>,
    Body(definition): Body<Definition>,
) -> Result<Json<PlanBody>, Problem> {
    faults::sound(&definition, "").map_err(|fault| Problem::invalid(fault.to_string()))?;
    let planned = admin.store.plan(&event, &definition).await?;
    let Plan { added, removed, blocked, unblocked, refused } =
        planned.map_err(|rejection| refusal::refused(&event, &rejection))?;
    let [added, removed, blocked, unblocked] =
        [added, removed, blocked, unblocked].map(|keys| PlannedSeats::of(&event, &keys));
    let refused = refused.iter().map(|conflict| refusal::named(&event, conflict)).collect();
    Ok(Json(PlanBody { added, removed, blocked, unblocked, refused }))
}
