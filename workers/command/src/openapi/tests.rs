//! Both documents against the worker on doubles of its ports: every example is sent and every answer compared, those that
//! refuse included.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use boxoffice_domain::Answer::Held;
use boxoffice_domain::{Command, Definition, HoldId};
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded, service};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::openapi::{pages, text};
use boxoffice_runtime::testing::document::{Answer, Call, Document};
use boxoffice_runtime::testing::golden;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::admin::{self, Admin};
use crate::durability::{Durability, Guarantee};
use crate::http;
use crate::http::command_service::CommandService;
use crate::http::gate::Gate;
use crate::published::Published;
use crate::relay::RelayMetrics;
use crate::store::{SeatStore, StoreError};
use crate::testing::{FakeLog, Memory, archive, arena, cause, definition, provisioned, snapshot};

const ALICE: (&str, &str) = ("x-user-id", "alice");
const BOB: (&str, &str) = ("x-user-id", "bob");
const OPERATOR: (&str, &str) = ("authorization", "Bearer secret");
const NOBODY: (&str, &str) = ("accept", "application/json");
/// The ids that the examples name.
const HOLD: Uuid = Uuid::from_u128(0x5f0c_2a34_9f1e_4c58_8a53_0d7d_2e6b_9c11);
const RESERVATION: Uuid = Uuid::from_u128(0x8d1f_6c0e_2b7a_4e0d_9d55_3c1b_7a90_e2f4);
const KEY: (&str, &str) = ("idempotency-key", "0b8e3f3a-7a1d-4a35-b9f4-6c1f2d8a5e77");

/// The worker, with what stands behind it.
struct Stage {
    store: Arc<Memory>,
    log: Arc<FakeLog>,
    router: Router,
}

impl Stage {
    /// Without any SeatingEvent.
    fn empty(guarantee: Guarantee) -> Self {
        Self::behind(Gate::new(Identity::by_header(), None), guarantee)
    }

    fn behind(gate: Gate, guarantee: Guarantee) -> Self {
        let (store, log) = (Arc::new(Memory::default()), Arc::new(FakeLog::default()));
        let published = Published::new(Arc::clone(&store) as _);
        let durability = Durability { hold: guarantee, reserve: guarantee };
        let commands = CommandService::new(Arc::clone(&store) as _, published, durability);
        let admin = Admin {
            commands: commands.clone(),
            store: Arc::clone(&store) as _,
            outbox: Arc::clone(&store) as _,
            relay: RelayMetrics::default(),
            log: Arc::clone(&log) as _,
            topic: "t".into(),
            stats_topic: "s".into(),
            payment_topic: "p".into(),
            changes: Arc::default(),
            keeps_snapshots: true,
            stop: CancellationToken::new(),
        };
        let token = AdminToken::new("secret".into()).unwrap();
        let routes = http::routes(gate, commands, 1024)
            .merge(guarded(admin::routes(admin).merge(pages::of_operators(&admin::document())), token));
        Self { store, log, router: service(routes, HttpLayer::new(&mut Registry::default())) }
    }

    /// As the examples of an operation find it.
    async fn ready_for(call: &Call, guarantee: Guarantee) -> Self {
        let stage = Self::empty(guarantee);
        if call.operation == "provisionEvent" {
            return stage;
        }
        provisioned(&stage.store).await;
        match call.operation.as_str() {
            "reserveSeat" | "releaseSeat" | "showHold" | "reserveHold" | "extendHold" | "releaseHold"
            | "sellHold" | "takeHoldBack" => {
                stage.hold("alice", &["A-1-1", "A-1-2"]).await;
            }
            "showSnapshot" => {
                stage.hold("alice", &["A-1-1", "A-1-2"]).await;
                snapshot(&stage.store, &stage.log, "t").await;
            }
            "showArchive" => {
                stage.hold("alice", &["A-1-1", "A-1-2"]).await;
                stage.reserve(HOLD).await;
                archive(&stage.store, &stage.log, "t").await;
            }
            "addToHold" => stage.hold("alice", &["A-1-1"]).await,
            "cancelReservation" | "cancelForSomebody" => {
                stage.hold("alice", &["A-1-1", "A-1-2"]).await;
                stage.reserve(HOLD).await;
            }
            _ => {}
        }
        stage
    }

    async fn run(&self, command: &Command) {
        self.store.execute(&arena(), command, &cause()).await.unwrap().unwrap();
    }

    async fn hold(&self, user: &str, seats: &[&str]) {
        let wanted = seats.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>().into();
        self.run(&Command::Hold { wanted, user: user.parse().unwrap(), hold: HOLD }).await;
    }

    /// Another hold than that of the examples.
    async fn hold_other(&self, seats: &[&str]) -> HoldId {
        let Held { hold, .. } = self.store.hold_for("bob", &arena(), seats).await else { panic!("not held") };
        HoldId::new(arena(), hold)
    }

    async fn reserve(&self, hold: Uuid) {
        let user = "alice".parse().unwrap();
        self.run(&Command::ReserveHold { hold, user, reservation: RESERVATION }).await;
    }

    async fn redefine(&self, change: impl FnOnce(&mut Definition)) {
        let mut changed = definition();
        change(&mut changed);
        self.store.provision(&arena(), &changed, 0, &cause()).await.unwrap().unwrap();
    }

    async fn send(&self, call: &Call, who: (&str, &str)) -> Answer {
        Answer::read(self.router.clone().oneshot(call.request(who)).await.unwrap()).await
    }
}

fn whose(call: &Call) -> (&'static str, &'static str) {
    if call.path.starts_with("/admin") { OPERATOR } else { ALICE }
}

fn rewritten(call: &Call, from: &str, to: &str) -> Call {
    let body = call.body.as_ref().map(|body| body.to_string().replace(from, to).parse::<Value>().unwrap());
    Call { path: call.path.replace(from, to), body, ..call.clone() }
}

fn with_key(call: &Call) -> Call {
    let mut call = call.clone();
    call.headers.push((KEY.0.to_owned(), KEY.1.to_owned()));
    call
}

/// What an operation answers where `code` is due; `None` where nothing here leads to that.
async fn refused(call: &Call, code: &str) -> Option<Answer> {
    let stage = match code {
        "EVENT_NOT_FOUND" => Stage::empty(Guarantee::Redis),
        "RATE_LIMITED" => {
            Stage::behind(Gate::new(Identity::by_header(), NonZeroU32::new(1)), Guarantee::Redis)
        }
        "IDEMPOTENCY_IN_FLIGHT" => Stage::ready_for(call, Guarantee::Log).await,
        "SEAT_NOT_HELD"
        | "HOLD_NOT_FOUND"
        | "RESERVATION_NOT_FOUND"
        | "SNAPSHOT_NOT_FOUND"
        | "ARCHIVE_NOT_FOUND"
        | "DEFINITION_CONFLICT" => {
            let stage = Stage::empty(Guarantee::Redis);
            provisioned(&stage.store).await;
            stage
        }
        _ => Stage::ready_for(call, Guarantee::Redis).await,
    };
    let (mut call, mut who) = (call.clone(), whose(call));
    match code {
        "INVALID_REQUEST" => call.headers.push(("x-correlation-id".to_owned(), String::new())),
        "PAYLOAD_TOO_LARGE" => call.body = Some("x".repeat(2 << 20).into()),
        "UNAUTHENTICATED" => who = NOBODY,
        "NOT_HOLDER" => who = BOB,
        "SEAT_NOT_FOUND" => call = rewritten(&call, "A-1-", "Z-1-"),
        "SEAT_NOT_AVAILABLE" => {
            stage.hold_other(if call.operation == "addToHold" { &["A-1-3"] } else { &["A-1-1"] }).await;
        }
        "NOT_ENOUGH_SEATS" => {
            stage.hold_other(&["FLOOR-1", "FLOOR-2"]).await;
        }
        "HOLD_EXPIRED" => stage.store.pass(300_000),
        "LIMIT_EXCEEDED" => {
            stage.store.hold_for("alice", &arena(), &["FLOOR-1"]).await;
            stage.redefine(|it| it.limits.seats_per_user = Some(1)).await;
        }
        "SALES_NOT_OPEN" => stage.redefine(|it| it.sales.opens_at = Some(1_700_000_000_001)).await,
        "SALES_PAUSED" => stage.redefine(|it| it.sales.paused = true).await,
        "SALES_CLOSED" => stage.run(&Command::Close).await,
        "CANCELLATION_CLOSED" => {
            stage.reserve(HOLD).await;
            stage.redefine(|it| it.sales.cancel_until = Some(1_600_000_000_000)).await;
        }
        "DEFINITION_CONFLICT" => {
            stage.hold("alice", &["A-1-1"]).await;
            call = rewritten(&call, r#""EUR""#, r#""CHF""#);
        }
        "IDEMPOTENCY_MISMATCH" => {
            call = with_key(&call);
            let other = match call.operation.as_str() {
                "holdForSomebody" | "blockSeats" => rewritten(&call, "A-1-1", "A-1-3"),
                "sellHold" => {
                    let hold = HoldId::new(arena(), HOLD).to_string();
                    rewritten(&call, &hold, &stage.hold_other(&["A-1-3"]).await.to_string())
                }
                _ => Call { path: "/seats/arena-night.A-1-3/hold".to_owned(), body: None, ..call.clone() },
            };
            let status = stage.send(&other, who).await.status;
            assert!(matches!(status, 200 | 201), "{other:?}: {status}");
        }
        "IDEMPOTENCY_IN_FLIGHT" => {
            call = with_key(&call);
            assert_eq!(stage.send(&call, who).await.body["code"], "UNAVAILABLE", "{call:?}");
        }
        "RATE_LIMITED" => {
            // Until no more tokens have come than were taken.
            while stage.send(&call, who).await.status != 429 {}
        }
        "INTERNAL" => stage.store.fail_by(|| StoreError::Corrupt("a seat without a holder".into())),
        "RECOVERING" => stage.store.fail_by(|| StoreError::Recovering),
        "OUTBOX_FULL" => stage.store.fill(true),
        "UNAVAILABLE" => {
            stage.store.fail(true);
            stage.log.away(true);
        }
        "EVENT_NOT_FOUND"
        | "SEAT_NOT_HELD"
        | "HOLD_NOT_FOUND"
        | "RESERVATION_NOT_FOUND"
        | "SNAPSHOT_NOT_FOUND"
        | "ARCHIVE_NOT_FOUND" => {}
        _ => return None,
    }
    Some(stage.send(&call, who).await)
}

/// What an operation answers besides where it succeeds, now that it was done once.
async fn met_again(stage: &Stage, call: &Call) -> Vec<Answer> {
    if call.parameter.is_some()
        || call.example.as_deref().is_some_and(|it| !["seats", "definition"].contains(&it))
    {
        return vec![];
    }
    match call.operation.as_str() {
        "createHold" => vec![stage.send(call, whose(call)).await, reserved_by_now(call).await],
        "holdSeat" | "holdForSomebody" => vec![reserved_by_now(call).await],
        "provisionEvent" => {
            stage.hold("alice", &["A-1-1"]).await;
            vec![stage.send(&rewritten(call, r#""1-4""#, r#""2-4""#), whose(call)).await]
        }
        _ => vec![],
    }
}

/// What a hold is told under its key when it was reserved long ago.
async fn reserved_by_now(call: &Call) -> Answer {
    let stage = Stage::ready_for(call, Guarantee::Redis).await;
    let call = with_key(call);
    let held = stage.send(&call, whose(&call)).await;
    stage.reserve(held.body["holdId"].as_str().unwrap().parse::<HoldId>().unwrap().uuid()).await;
    stage.store.pass(25 * 3_600_000);
    stage.send(&call, whose(&call)).await
}

/// Sends everything that a document shows.
async fn met(document: &Document) {
    for call in document.calls() {
        let stage = Stage::ready_for(&call, Guarantee::Redis).await;
        let answer = stage.send(&call, whose(&call)).await;
        assert!((200..300).contains(&answer.status), "{call:?} {answer:?}");
        document.take(&call, &answer);
        for again in met_again(&stage, &call).await {
            assert_eq!(again.status, 200, "{call:?} {again:?}");
            document.take(&call, &again);
        }
    }
    for call in document.calls().iter().filter(|call| call.parameter.is_none()) {
        for (status, code) in document.codes(&call.operation) {
            let Some(answer) = refused(call, &code).await else { continue };
            // What stands in the way of one example need not stand in the way of the next.
            if answer.body["code"] == code.as_str() && answer.status == status {
                document.take(call, &answer);
            }
        }
    }
    document.all_seen(&[]);
}

#[tokio::test(start_paused = true)]
async fn every_example_of_the_buyers_document_is_what_the_worker_does() {
    let document = Document::new(&http::document());
    document.sound();
    met(&document).await;
}

#[tokio::test(start_paused = true)]
async fn every_example_of_the_operators_document_is_what_the_worker_does() {
    let document = Document::new(&admin::document());
    document.sound();
    met(&document).await;
}

#[tokio::test]
async fn the_operators_document_is_for_the_operator_alone() {
    let stage = Stage::empty(Guarantee::Redis);
    let path = "/admin/openapi.json";
    let request = |who: (&str, &str)| {
        axum::http::Request::get(path).header(who.0, who.1).body(axum::body::Body::empty()).unwrap()
    };
    let read = async |who| Answer::read(stage.router.clone().oneshot(request(who)).await.unwrap()).await;
    assert_eq!(read(NOBODY).await.body["code"], "UNAUTHENTICATED");
    assert_eq!(read(OPERATOR).await.body, serde_json::to_value(admin::document()).unwrap());
    assert!(!text(&http::document()).contains("/admin"), "buyers are told nothing of it");
}

#[test]
fn golden_documents_are_those_of_the_routes() {
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &text(&http::document()));
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/admin-openapi.json"), &text(&admin::document()));
}
