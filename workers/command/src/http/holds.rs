//! The routes of holds: several seats, all or none.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{Answer, Command, HoldId, SeatingEventId};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::{OfEvent, OfHold as HoldInPath};
use boxoffice_runtime::reading::{Body, OptionalBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::{AnswerBody, Held, HeldOrReserved, Released, Reserved};
use super::caller::Caller;
use super::command_service::{CommandService, Order};
use super::hold_request::HoldRequest;
use super::idempotency_key::RequestKey;
use crate::openapi::examples::{held, released, reserved};
use crate::openapi::{HOLDS, OfAdding, OfChoosing, OfHold, OfKeepingHold};
use crate::store::{Idempotency, Outcome, hold_id};

/// Hold several seats
///
/// All or none. `seats` and `areas` go together, up to 100; `bestAvailable` stands alone and takes adjacent seats where
/// there are. Seats that one's own hold has already give that whole hold again; a hold that was made before under the same
/// Idempotency-Key is told as it is now.
#[utoipa::path(
    post,
    path = "/events/{eventId}/holds",
    operation_id = "createHold",
    tag = HOLDS,
    params(OfEvent, RequestKey),
    request_body(content = HoldRequest, examples(
        ("seats" = (
            summary = "Two seats",
            value = json!({"seats": ["arena-night.A-1-1", "arena-night.A-1-2"]})
        )),
        ("areas" = (
            summary = "Two places in a general-admission area, and a seat",
            value = json!({
                "seats": ["arena-night.A-1-1"], "areas": [{"sectionId": "FLOOR", "quantity": 2}]
            })
        )),
        ("bestAvailable" = (
            summary = "The two best seats of a section",
            value = json!({"bestAvailable": {"quantity": 2, "sectionId": "A"}})
        ))
    )),
    responses(
        (
            status = 201,
            description = "The seats are held.",
            body = Held,
            headers(("location", description = "The hold's address.")),
            example = json!(held(1_700_000_300_000, 3))
        ),
        (
            status = 200,
            description = "One's own hold has these seats already: that hold, all of it.",
            body = HeldOrReserved,
            examples(
                ("held" = (summary = "A hold", value = json!(held(1_700_000_300_000, 3)))),
                ("reserved" = (
                    summary = "The hold of this Idempotency-Key is reserved by now",
                    value = json!(reserved(1_700_000_000_000, 6))
                ))
            )
        ),
        OfChoosing
    )
)]
pub async fn create(
    State(commands): State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<HoldRequest>,
) -> Result<Response, Problem> {
    let idempotency = key.with(&request).of(&caller.user);
    let hold = hold_id(&event, idempotency.as_ref());
    let command = Command::Hold { wanted: request.wanted(&event)?, user: caller.user.clone(), hold };
    let order = Order { chain: &caller.chain, user: Some(&caller.user), idempotency };
    let outcome = commands.execute(&event, &command, order).await?;
    let location = made(&event, &outcome).map(|hold| [(header::LOCATION, format!("/holds/{hold}"))]);
    let body = AnswerBody::new(&event, None, outcome.answer, outcome.correlation)?;
    Ok(match location {
        Some(location) => (StatusCode::CREATED, location, body).into_response(),
        None => body.into_response(),
    })
}

/// The hold that a command made, where it was not there before.
pub fn made(event: &SeatingEventId, outcome: &Outcome) -> Option<HoldId> {
    match outcome.answer {
        Answer::Held { hold, .. } if outcome.changed => Some(HoldId::new(event.clone(), hold)),
        Answer::Held { .. }
        | Answer::Reserved { .. }
        | Answer::Released { .. }
        | Answer::Reinstatement { .. }
        | Answer::Provisioned { .. } => None,
    }
}

/// Add seats to a hold
///
/// All or none, as they are held at first; the deadline stays. Seats that the hold has already are no obstacle.
#[utoipa::path(
    post,
    path = "/holds/{holdId}/seats",
    operation_id = "addToHold",
    tag = HOLDS,
    params(HoldInPath, RequestKey),
    request_body(content = HoldRequest, examples(
        ("seats" = (summary = "One more seat", value = json!({"seats": ["arena-night.A-1-3"]}))),
        ("areas" = (
            summary = "A place in a general-admission area",
            value = json!({"areas": [{"sectionId": "FLOOR", "quantity": 1}]})
        )),
        ("bestAvailable" = (
            summary = "The best seat of a section",
            value = json!({"bestAvailable": {"quantity": 1, "sectionId": "A"}})
        ))
    )),
    responses(
        (
            status = 200,
            description = "The hold, all of it.",
            body = Held,
            example = json!(held(1_700_000_300_000, 4))
        ),
        OfAdding
    )
)]
pub async fn add(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(hold): Id<HoldId>,
    Body(request): Body<HoldRequest>,
) -> Result<AnswerBody, Problem> {
    let key = key.with(&request).of(&caller.user);
    let (wanted, user) = (request.wanted(hold.event_id())?, caller.user.clone());
    about(&commands, &caller, key, hold.event_id(), Command::AddToHold { hold: hold.uuid(), wanted, user })
        .await
}

/// Show a hold
///
/// One's own, as long as it holds.
#[utoipa::path(
    get,
    path = "/holds/{holdId}",
    operation_id = "showHold",
    tag = HOLDS,
    params(HoldInPath),
    responses(
        (
            status = 200,
            description = "The hold.",
            body = Held,
            example = json!(held(1_700_000_300_000, 3))
        ),
        OfHold
    )
)]
pub async fn show(
    commands: State<CommandService>,
    caller: Caller,
    Id(hold): Id<HoldId>,
) -> Result<AnswerBody, Problem> {
    let answer = commands.hold(&hold, &caller.user).await?;
    AnswerBody::new(hold.event_id(), None, answer, caller.chain.correlation)
}

/// Reserve a hold
///
/// Every seat that it still has, in one reservation. A hold that is reserved already gives its reservation again.
#[utoipa::path(
    post,
    path = "/holds/{holdId}/reserve",
    operation_id = "reserveHold",
    tag = HOLDS,
    params(HoldInPath, RequestKey),
    responses(
        (
            status = 200,
            description = "The seats are reserved.",
            body = Reserved,
            example = json!(reserved(1_700_000_000_000, 6))
        ),
        OfKeepingHold
    )
)]
pub async fn reserve(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(hold): Id<HoldId>,
) -> Result<AnswerBody, Problem> {
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ReserveHold { hold: id, user, reservation: Uuid::new_v4() };
    about(&commands, &caller, key.of(&caller.user), hold.event_id(), command).await
}

/// The body of `POST /holds/{holdId}/extend`, which may be left out.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtendRequest {
    /// By how many seconds; absent: as long as a new hold lasts.
    #[schema(minimum = 1)]
    #[serde(default)]
    seconds: Option<u32>,
}

/// Extend a hold
///
/// Its deadline moves away, as far as the SeatingEvent's `hold.maxSeconds` allows.
#[utoipa::path(
    post,
    path = "/holds/{holdId}/extend",
    operation_id = "extendHold",
    tag = HOLDS,
    params(HoldInPath, RequestKey),
    request_body(content = Option<ExtendRequest>, examples(
        ("seconds" = (summary = "Two minutes more", value = json!({"seconds": 120})))
    )),
    responses(
        (
            status = 200,
            description = "The hold with its deadline; it is the old one where there was nothing left to add.",
            body = Held,
            example = json!(held(1_700_000_420_000, 4))
        ),
        OfKeepingHold
    )
)]
pub async fn extend(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(hold): Id<HoldId>,
    OptionalBody(request): OptionalBody<ExtendRequest>,
) -> Result<AnswerBody, Problem> {
    if request.seconds == Some(0) {
        return Err(Problem::invalid("seconds: give 1 or more, or leave it out"));
    }
    let key = key.with(&request).of(&caller.user);
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ExtendHold { hold: id, user, seconds: request.seconds };
    about(&commands, &caller, key, hold.event_id(), command).await
}

/// Release a hold
///
/// All its seats are available again.
#[utoipa::path(
    delete,
    path = "/holds/{holdId}",
    operation_id = "releaseHold",
    tag = HOLDS,
    params(HoldInPath),
    responses(
        (
            status = 200,
            description = "The seats are available again.",
            body = Released,
            example = json!(released(&["A-1-1", "A-1-2"], &[], None, 5))
        ),
        OfHold
    )
)]
pub async fn release(
    commands: State<CommandService>,
    caller: Caller,
    Id(hold): Id<HoldId>,
) -> Result<AnswerBody, Problem> {
    let command = Command::ReleaseHold { hold: hold.uuid(), user: caller.user.clone() };
    about(&commands, &caller, None, hold.event_id(), command).await
}

async fn about(
    commands: &CommandService,
    Caller { user, chain }: &Caller,
    idempotency: Option<Idempotency>,
    event: &SeatingEventId,
    command: Command,
) -> Result<AnswerBody, Problem> {
    let done = commands.execute(event, &command, Order { chain, user: Some(user), idempotency }).await?;
    AnswerBody::new(event, None, done.answer, done.correlation)
}
