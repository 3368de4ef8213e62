//! The document against the worker: every example is sent and every answer compared, those that refuse included.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use boxoffice_domain::definition::{Layout, Point};
use boxoffice_domain::events::{SectionStats, StatsUpdated};
use boxoffice_domain::project::SeatView;
use boxoffice_domain::{DomainEvent, SeatMap};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded, service};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::identity::settings::Settings;
use boxoffice_runtime::identity::testing::{SECRET, Signer, trusting};
use boxoffice_runtime::openapi::text;
use boxoffice_runtime::testing::document::{Answer, Call, Document};
use boxoffice_runtime::testing::golden;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::admin;
use crate::http::{Knowledge, LASTING, document, routes};
use crate::orders::OrderService;
use crate::orders::testing::FakeOrders;
use crate::testing::{definition, event_id, held, knowledge, reserved};
use crate::view::Trust;
use crate::view::streams::Streams;

const ALICE: (&str, &str) = ("x-user-id", "alice");
const OPERATOR: (&str, &str) = ("authorization", "Bearer secret");
const NOBODY: (&str, &str) = ("accept", "application/json");

/// A worker that knows of nothing that is on sale.
fn ignorant() -> Knowledge {
    let streams = Arc::new(Streams::new(over()));
    let knowledge = knowledge();
    knowledge.views.install(vec![], BTreeMap::new(), Trust::Further);
    Knowledge { streams, command_url: Some("https://tickets.example.com".into()), ..knowledge }
}

/// Streams end with their first frame: what is answered is read to its end.
fn over() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}

/// A worker that knows the SeatingEvent of the examples.
fn knowing() -> Knowledge {
    let mut knowledge = ignorant();
    knowledge.order_service = OrderService::new(Arc::new(FakeOrders::of_examples()));
    let mut definition = definition();
    definition.limits.seats_per_user = Some(8);
    definition.focal_point = Some(Point { x: 0.0, y: -4.0 });
    definition.sections[0].layout = Some(Layout { x: 0.0, y: 2.0, angle: 0.0 });
    definition.blocked[0].seats = vec!["A-2-3".into()];
    let mut map = SeatMap::new(event_id("arena-night"), definition, 1).unwrap();
    map.set("A-2-3", &SeatView::Blocked);
    knowledge.views.install(vec![map], BTreeMap::new(), Trust::Further);
    let happen = |sequence, fact: DomainEvent| {
        knowledge.views.apply(fact.seating_event(), sequence, Some(&fact)).unwrap();
    };
    happen(2, held("arena-night.A-1-1"));
    happen(3, reserved("arena-night.A-1-2"));
    let section = SectionStats { section_id: "A".into(), ..SectionStats::default() };
    let event_id = event_id("arena-night");
    knowledge.stats.keep(StatsUpdated { event_id, as_of_sequence: 3, epoch: 0, sections: vec![section] });
    knowledge
}

async fn send(knowledge: Knowledge, call: &Call, who: (&str, &str)) -> Answer {
    let operators = guarded(admin::routes(knowledge.clone()), AdminToken::new("secret".into()).unwrap());
    let both = routes(knowledge).merge(operators);
    let router: Router = service(both, HttpLayer::new(&mut Registry::default()).lasting(LASTING));
    Answer::read(router.oneshot(call.request(who)).await.unwrap()).await
}

/// What an operation answers where `code` is due; `None` where nothing here leads to that.
async fn refused(call: &Call, code: &str) -> Option<Answer> {
    let is_operators = call.path.starts_with("/admin");
    let (mut call, mut knowledge, mut who) =
        (call.clone(), knowing(), if is_operators { OPERATOR } else { ALICE });
    match code {
        "INVALID_REQUEST" => call.headers.push(("x-correlation-id".to_owned(), String::new())),
        "UNAUTHENTICATED" if is_operators => who = NOBODY,
        "UNAUTHENTICATED" => {
            let settings = Settings::Jwt(trusting(&Signer::secret(SECRET)));
            let (mut registry, readiness) = (Registry::default(), Readiness::default());
            knowledge.identity = Identity::open(settings, &mut registry, &readiness).unwrap();
            who = ("authorization", "Bearer nonsense");
        }
        "SEQUENCE_GONE" if !call.path.contains("epoch=") => call.path = asking(&call.path, "epoch=9"),
        "NOT_FOUND" if call.path.contains("hash=") => return None,
        "NOT_FOUND" if call.operation == "showChart" => call.path = asking(&call.path, "hash=0"),
        "EVENT_NOT_FOUND" => knowledge = ignorant(),
        "NOT_FOUND" | "RESERVATION_NOT_FOUND" => {
            knowledge.order_service = ignorant().order_service;
            call.path = call.path.replace("alice", "bob");
        }
        "SEAT_NOT_FOUND" if call.path.contains("section=A") => {
            call.path = call.path.replace("section=A", "section=Z");
        }
        "SEAT_NOT_FOUND" if call.operation == "showSeatMap" => call.path = asking(&call.path, "section=Z"),
        "SEAT_NOT_FOUND" => call.path = call.path.replace("A-1-1", "Z-1-1"),
        _ => return None,
    }
    Some(send(knowledge, &call, who).await)
}

fn asking(path: &str, parameter: &str) -> String {
    format!("{path}{}{parameter}", if path.contains('?') { '&' } else { '?' })
}

/// A worker that is going away, or has too much to do.
const NEVER_HERE: [&str; 1] = ["UNAVAILABLE"];

/// Sends everything that a document shows, by each of these.
async fn met(document: &Document, by: &[(&str, &str)]) {
    for call in document.calls() {
        let is_own = document.codes(&call.operation).iter().any(|(_, code)| is_own(code));
        for who in by.iter().filter(|who| !is_own || **who != NOBODY) {
            let answer = send(knowing(), &call, *who).await;
            assert!(answer.status == 200 || answer.status == 304, "{call:?} {answer:?}");
            document.take(&call, &answer);
        }
        for (status, code) in document.codes(&call.operation) {
            if let Some(answer) = refused(&call, &code).await {
                assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(&*code)), "{call:?}");
                document.take(&call, &answer);
            }
        }
    }
    document.all_seen(&NEVER_HERE);
}

/// A code of what users alone are told.
fn is_own(code: &str) -> bool {
    ["NOT_FOUND", "RESERVATION_NOT_FOUND"].contains(&code)
}

#[tokio::test(start_paused = true)]
async fn every_example_of_the_readers_document_is_what_the_worker_does() {
    let document = Document::new(&document());
    document.sound();
    met(&document, &[ALICE, NOBODY]).await;
}

#[tokio::test(start_paused = true)]
async fn every_example_of_the_operators_document_is_what_the_worker_does() {
    let document = Document::new(&admin::document());
    document.sound();
    met(&document, &[OPERATOR]).await;
}

#[test]
fn readers_are_told_nothing_of_the_operators_routes_nor_of_revenue() {
    let text = text(&document());
    assert!(!text.contains("/admin") && !text.contains("revenue"));
}

#[test]
fn golden_documents_are_those_of_the_routes() {
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &text(&document()));
    golden(concat!(env!("CARGO_MANIFEST_DIR"), "/admin-openapi.json"), &text(&admin::document()));
}
