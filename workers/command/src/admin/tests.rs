//! The operator's routes, against doubles of the store and the log.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::request::Builder;
use boxoffice_domain::partition::partition_of;
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded, service};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Admin, routes};
use crate::durability::{Durability, Guarantee};
use crate::http::command_service::CommandService;
use crate::published::Published;
use crate::relay::RelayMetrics;
use crate::testing::{FakeLog, Memory, archive, arena, definition, snapshot};

pub const ARENA: &str = "/admin/events/arena-night";

/// The API of the operator and of staff, with what stands behind it.
pub struct Office {
    pub store: Arc<Memory>,
    log: Arc<FakeLog>,
    relay: RelayMetrics,
    router: Router,
}

impl Office {
    pub fn open() -> Self {
        Self::guaranteeing(Guarantee::Redis)
    }

    pub fn guaranteeing(reserve: Guarantee) -> Self {
        Self::with(reserve, true)
    }

    fn with(reserve: Guarantee, keeps_snapshots: bool) -> Self {
        let (store, log) = (Arc::new(Memory::default()), Arc::new(FakeLog::default()));
        let relay = RelayMetrics::default();
        let published = Published::new(Arc::clone(&store) as _);
        let durability = Durability { hold: Guarantee::Redis, reserve };
        let admin = Admin {
            commands: CommandService::new(Arc::clone(&store) as _, published, durability),
            store: Arc::clone(&store) as _,
            outbox: Arc::clone(&store) as _,
            relay: relay.clone(),
            log: Arc::clone(&log) as _,
            topic: "t".into(),
            stats_topic: "s".into(),
            payment_topic: "p".into(),
            changes: Arc::default(),
            keeps_snapshots,
            stop: CancellationToken::new(),
        };
        let token = AdminToken::new("secret".into()).unwrap();
        Self {
            store,
            log,
            relay,
            router: service(guarded(routes(admin), token), HttpLayer::new(&mut Registry::default())),
        }
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("authorization", token);
        self.take(request, body).await
    }

    /// The answer to a request with a body.
    pub async fn take(&self, request: Builder, body: Value) -> (u16, Value) {
        let request =
            request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.send(method, path, "Bearer secret", body).await
    }

    pub async fn provision(&self) -> Value {
        let (status, body) = self.call("PUT", ARENA, json!(definition())).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

#[tokio::test]
async fn an_event_is_provisioned_once_on_the_partition_of_its_id() {
    let office = Office::open();
    let inventory = office.provision().await;
    let seats = json!({"total": 6, "available": 5, "held": 0, "reserved": 0, "blocked": 1});
    let expected = json!({
        "eventId": "arena-night", "chartHash": definition().chart_hash(),
        "definitionHash": definition().digest(), "closed": false, "partition": partition_of("arena-night", 12),
        "sequence": 1, "lastEventAt": inventory["lastEventAt"], "phase": "OnSale", "seats": seats
    });
    assert!(inventory["lastEventAt"].is_u64(), "{inventory}");
    let mut applied = expected.clone();
    applied["applied"] = json!(true);
    assert_eq!(inventory, applied);
    assert_eq!(office.provision().await, applied, "an unchanged definition changes nothing");
    assert_eq!(office.call("GET", ARENA, Value::Null).await, (200, expected.clone()));
    assert_eq!(office.call("GET", "/admin/events", Value::Null).await, (200, json!([expected])));
}

#[tokio::test]
async fn a_plan_names_the_first_seats_of_each_kind_and_changes_nothing() {
    let office = Office::open();
    let path = format!("{ARENA}/plan");
    let (status, problem) = office.call("POST", &path, json!(definition())).await;
    assert_eq!((status, &problem["code"]), (404, &json!("EVENT_NOT_FOUND")));
    office.provision().await;
    office.store.hold_for("alice", &arena(), &["A-1-3"]).await;
    let mut changed = definition();
    changed.sections[0].rows[0].seats = "1-2".into();
    changed.sections[1].capacity = Some(30);
    changed.blocked.clear();
    let (status, planned) = office.call("POST", &path, json!(changed)).await;
    assert_eq!((status, &planned["added"]["count"]), (200, &json!(28)), "{planned}");
    assert_eq!(planned["added"]["seats"].as_array().map(Vec::len), Some(20));
    assert_eq!(planned["removed"], json!({"count": 2, "seats": ["arena-night.A-1-3", "arena-night.A-1-4"]}));
    assert_eq!(planned["refused"], json!([{"seatId": "arena-night.A-1-3", "reason": "HELD"}]));
    assert_eq!(office.call("GET", ARENA, Value::Null).await.1["sequence"], 2);
    changed.sections[0].rows[0].seats = "9-".into();
    assert_eq!(office.call("POST", &path, json!(changed)).await.1["code"], "INVALID_REQUEST");
}

#[tokio::test]
async fn who_comes_with_a_cursor_is_told_what_changed() {
    let office = Office::open();
    office.provision().await;
    office.call("PUT", "/admin/events/matinee", json!(definition())).await;
    let since = async |cursor: &str| {
        let path = format!("/admin/events?cursor={cursor}");
        let (status, told) = office.call("GET", &path, Value::Null).await;
        assert_eq!(status, 200, "{told}");
        let ids = |list: &Value| {
            let id = |one: &Value| one["eventId"].as_str().or(one.as_str()).unwrap().to_owned();
            list.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
        };
        let cursor = told["cursor"].as_str().unwrap().to_owned();
        (cursor, told["all"].as_bool().unwrap(), ids(&told["events"]), ids(&told["gone"]))
    };
    let (cursor, all, events, _) = since("").await;
    assert_eq!((all, events), (true, vec!["arena-night".to_owned(), "matinee".to_owned()]));
    assert_eq!(since(&cursor).await, (cursor.clone(), false, vec![], vec![]));
    office.store.hold_for("alice", &arena(), &["A-1-1"]).await;
    let (next, all, events, _) = since(&cursor).await;
    assert_eq!((all, events), (false, vec!["arena-night".to_owned()]));
    office.call("DELETE", "/admin/events/matinee?purge=true", Value::Null).await;
    let (_, _, events, gone) = since(&next).await;
    assert_eq!((events, gone), (vec![], vec!["matinee".to_owned()]));
    let whole = office.call("GET", "/admin/events", Value::Null).await.1;
    assert_eq!(whole.as_array().map(Vec::len), Some(1), "without a cursor it stays a list");
}

#[tokio::test]
async fn a_known_event_changes_while_the_log_is_away_and_a_new_one_waits() {
    let office = Office::open();
    office.provision().await;
    office.log.away(true);
    let mut changed = definition();
    changed.sales.paused = true;
    let (status, inventory) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &inventory["sequence"]), (200, &json!(2)));
    let (status, problem) = office.call("PUT", "/admin/events/other", json!(changed)).await;
    assert_eq!((status, &problem["code"]), (503, &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn a_definition_that_cannot_be_is_refused_with_the_field() {
    let office = Office::open();
    let mut changed = definition();
    changed.sections[0].rows[0].seats = "9-".into();
    let (status, problem) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")));
    assert!(problem["detail"].as_str().unwrap().starts_with("sections[0].rows[0].seats"), "{problem}");
    let mut untyped = json!(definition());
    untyped["priceCategories"][0]["amount"] = json!("12");
    let (status, problem) = office.call("PUT", ARENA, untyped).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().starts_with("priceCategories[0].amount: "), "{problem}");
    for (field, value) in [
        ("hold", json!({"ttlSeconds": 0})),
        ("hold", json!({"ttlSeconds": 901})),
        ("sales", json!({"opensAt": 4_000_000_000_000_u64})),
        ("limits", json!({"seatsPerUser": 0})),
    ] {
        let mut wish = json!(definition());
        wish[field] = value;
        for event in [ARENA, "/admin/events/other"] {
            let (status, problem) = office.call("PUT", event, wish.clone()).await;
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && detail.starts_with(&format!("{field}.")), "{event} {problem}");
        }
    }
    assert_eq!(office.call("PUT", "/admin/events/Arena", json!(definition())).await.0, 400);
}

#[tokio::test]
async fn what_the_resource_must_not_say_the_api_refuses_too() {
    let (office, selling) = (Office::open(), Office::open());
    selling.provision().await;
    let planned = format!("{ARENA}/plan");
    for (pointer, value, field) in [
        ("/title", json!(""), "title"),
        ("/limits/seatsPerUser", json!(0), "limits.seatsPerUser"),
        ("/priceCategories/0/amount", json!(u64::MAX), "priceCategories[0].amount"),
        ("/sections/1/id", json!("A"), "sections[1].id"),
        ("/sections/1/capacity", json!(0), "sections[1].capacity"),
        ("/blocked/0/seats", json!(["A-1-4", "A-1-4"]), "blocked[0].seats[1]"),
    ] {
        let mut wrong = json!(definition());
        *wrong.pointer_mut(pointer).unwrap() = value;
        for (office, method, path) in
            [(&office, "PUT", ARENA), (&selling, "PUT", ARENA), (&selling, "POST", planned.as_str())]
        {
            let (status, problem) = office.call(method, path, wrong.clone()).await;
            assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")), "{pointer}");
            let told = problem["detail"].as_str().unwrap();
            assert!(told.starts_with(&format!("{field}: ")), "{method} {pointer}: {told}");
        }
    }
    let mut euros = json!(definition());
    euros["priceCategories"][0]["currency"] = json!("ERO");
    let (status, problem) = office.call("PUT", ARENA, euros).await;
    let told = problem["detail"].as_str().unwrap_or_default();
    assert!(status == 400 && told.starts_with("priceCategories[0].currency: "), "{problem}");
    let mut backwards = json!(definition());
    backwards["hold"] = json!({"ttlSeconds": 600, "maxSeconds": 300});
    let (_, problem) = office.call("PUT", ARENA, backwards).await;
    assert!(
        problem["detail"].as_str().unwrap().starts_with("hold.ttlSeconds: must not be more"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_seat_map_that_drops_a_held_seat_is_refused_and_the_rest_takes_effect() {
    let office = Office::open();
    office.provision().await;
    office.store.hold_for("alice", &arena(), &["A-1-3"]).await;
    let mut changed = definition();
    changed.sections[0].rows[0].seats = "1-2".into();
    changed.blocked.clear();
    changed.sales.paused = true;
    let (status, body) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &body["applied"], &body["sequence"]), (200, &json!(false), &json!(3)), "{body}");
    assert_eq!(body["refused"]["seats"], json!([{"seatId": "arena-night.A-1-3", "reason": "HELD"}]));
    let detail = "seats that are held or sold would be dropped or blocked: A-1-3 HELD";
    assert_eq!(body["refused"]["detail"], detail);
    assert_eq!(body["chartHash"], definition().chart_hash(), "the seat map stays");
    let (status, again) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &again), (200, &body), "nothing more when it is wanted again");

    office.store.pass(300_000);
    office.store.expire_due().await.unwrap();
    let (status, body) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &body["applied"], &body["refused"]), (200, &json!(true), &Value::Null));
    assert_eq!(body["chartHash"], changed.chart_hash());
}

#[tokio::test]
async fn the_currency_never_changes() {
    let office = Office::open();
    office.provision().await;
    let mut changed = definition();
    changed.price_categories[0].currency = "CHF".into();
    let (status, problem) = office.call("PUT", ARENA, json!(changed)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("DEFINITION_CONFLICT")));
    assert!(problem["detail"].as_str().unwrap().starts_with("priceCategories: "), "{problem}");
    let another = changed.price_categories[0].clone();
    let mut mixed = definition();
    mixed
        .price_categories
        .push(boxoffice_domain::definition::PriceCategory { name: "tin".into(), ..another });
    let (status, problem) = office.call("PUT", ARENA, json!(mixed)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("DEFINITION_CONFLICT")), "one price in francs");
    let (status, problem) = office.call("PUT", "/admin/events/other", json!(mixed)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")), "two currencies from the start");
    assert!(problem["detail"].as_str().unwrap().starts_with("priceCategories[1].currency: "), "{problem}");
    assert_eq!(office.call("GET", "/admin/events/other", Value::Null).await.0, 404);
}

#[tokio::test]
async fn deleting_closes_and_keeps_and_a_purge_forgets_at_once() {
    let office = Office::open();
    assert_eq!(office.call("DELETE", ARENA, Value::Null).await.1["code"], "EVENT_NOT_FOUND");
    office.provision().await;
    let (status, inventory) = office.call("DELETE", ARENA, Value::Null).await;
    assert_eq!((status, &inventory["phase"], &inventory["sequence"]), (200, &json!("Closed"), &json!(2)));
    assert_eq!(inventory["closed"], true);

    let purge = format!("{ARENA}?purge=true");
    assert_eq!(office.call("DELETE", &purge, Value::Null).await, (204, Value::Null));
    for (method, path) in [("GET", ARENA), ("DELETE", ARENA), ("DELETE", &purge)] {
        let (status, problem) = office.call(method, path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (404, &json!("EVENT_NOT_FOUND")), "{method} {path}");
    }
    assert_eq!(office.call("GET", "/admin/events", Value::Null).await, (200, json!([])));
    assert_eq!(office.provision().await["sequence"], 4);
    let story = ["event.created", "event.deleted", "event.purged", "event.created"];
    assert_eq!(office.store.types(&arena()), story);
}

#[tokio::test]
async fn what_waits_for_the_log_is_counted_over_all_events() {
    let office = Office::open();
    let servers = json!([{"address": "memory:1", "history": "only"}]);
    let none = json!({"events": 0, "depth": 0, "oldestSeconds": 0, "splits": 0, "servers": servers});
    assert_eq!(office.call("GET", "/admin/outbox", Value::Null).await, (200, none));
    office.provision().await;
    office.store.pass(7_500);
    office.store.hold_for("alice", &arena(), &["A-1-1", "A-1-2"]).await;
    let waiting = json!({"events": 1, "depth": 3, "oldestSeconds": 7, "splits": 0, "servers": servers});
    assert_eq!(office.call("GET", "/admin/outbox", Value::Null).await, (200, waiting));
    let split = office.relay.split();
    assert_eq!(office.call("GET", "/admin/outbox", Value::Null).await.1["splits"], 1);
    drop(split);
    assert_eq!(office.call("GET", "/admin/outbox", Value::Null).await.1["splits"], 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_snapshot_is_shown_and_where_there_is_none_when_there_will_be_one() {
    let (office, path) = (Office::open(), format!("{ARENA}/snapshot"));
    let look = || office.call("GET", &path, Value::Null);
    assert_eq!(look().await.1["code"], "EVENT_NOT_FOUND");
    office.provision().await;
    let (status, problem) = look().await;
    assert_eq!((status, &problem["code"]), (404, &json!("SNAPSHOT_NOT_FOUND")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("no snapshot of arena-night yet") && detail.contains("50000 records"),
        "{detail}"
    );

    for (seats, sequence) in [(["A-1-1", "A-1-2"], 3), (["A-1-3", "FLOOR-1"], 5)] {
        office.store.hold_for("alice", &arena(), &seats).await;
        snapshot(&office.store, &office.log, "t").await;
        let (status, body) = look().await;
        assert_eq!((status, &body["sequence"]), (200, &json!(sequence)), "{body}");
        assert_eq!(body["claims"], json!({"alice": sequence - 1}));
        assert_eq!(body["seats"][seats[0]]["status"], "HELD");
    }
    office.log.away(true);
    let (status, problem) = look().await;
    assert_eq!((status, &problem["code"]), (503, &json!("UNAVAILABLE")));
    assert!(problem["detail"].as_str().unwrap().starts_with("the snapshots of partition "), "{problem}");
}

#[tokio::test]
async fn where_none_are_kept_that_is_told() {
    let office = Office::with(Guarantee::Redis, false);
    office.provision().await;
    let (status, problem) = office.call("GET", &format!("{ARENA}/snapshot"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (404, &json!("SNAPSHOT_NOT_FOUND")));
    assert!(problem["detail"].as_str().unwrap().starts_with("no snapshots are kept here"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn the_newest_archive_is_shown_and_where_there_is_none_when_there_will_be_one() {
    let (office, path) = (Office::open(), format!("{ARENA}/archive"));
    let look = || office.call("GET", &path, Value::Null);
    assert_eq!(look().await.1["code"], "EVENT_NOT_FOUND");
    office.provision().await;
    let (status, problem) = look().await;
    assert_eq!((status, &problem["code"]), (404, &json!("ARCHIVE_NOT_FOUND")));
    assert!(problem["detail"].as_str().unwrap().contains("50 h after both sales.closesAt"), "{problem}");

    for (seats, sequence) in [(["A-1-1", "A-1-2"], 3), (["A-1-3", "FLOOR-1"], 5)] {
        office.store.hold_for("alice", &arena(), &seats).await;
        archive(&office.store, &office.log, "t").await;
        let (status, body) = look().await;
        assert_eq!((status, &body["sequence"]), (200, &json!(sequence)), "{body}");
        assert_eq!(body["seats"]["held"], sequence - 1);
    }
    office.log.away(true);
    let (status, problem) = look().await;
    assert_eq!((status, &problem["code"]), (503, &json!("UNAVAILABLE")));
    assert!(problem["detail"].as_str().unwrap().starts_with("the archives of partition "), "{problem}");
}

#[tokio::test]
async fn only_the_token_opens() {
    let office = Office::open();
    for token in ["", "Bearer ", "Bearer secre", "Bearer secrets", "secret", "Basic secret"] {
        let (status, problem) = office.send("GET", "/admin/events", token, Value::Null).await;
        assert_eq!((status, &problem["code"]), (401, &json!("UNAUTHENTICATED")), "{token}");
    }
    assert!(AdminToken::new(String::new()).is_err());
}

#[tokio::test]
async fn seats_are_blocked_and_unblocked() {
    let office = Office::open();
    office.call("PUT", ARENA, serde_json::to_value(definition()).unwrap()).await;
    let blocks = format!("{ARENA}/blocks");
    let available = |body: &Value| body["seats"]["available"].as_u64().unwrap();
    let (_, before) = office.call("GET", ARENA, json!({})).await;
    let wish = json!({"seats": ["A-1-1", "arena-night.A-1-2", "A-1-1"], "reason": "sight line"});
    let (status, blocked) = office.call("POST", &blocks, wish).await;
    assert_eq!((status, available(&blocked)), (200, available(&before) - 2));
    let (status, unblocked) = office.call("DELETE", &blocks, json!({"seats": ["A-1-1", "A-1-2"]})).await;
    assert_eq!((status, available(&unblocked)), (200, available(&before)));

    office.store.hold_for("alice", &arena(), &["A-1-1"]).await;
    let (status, refused) = office.call("POST", &blocks, json!({"seats": ["A-1-1"], "reason": "x"})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("DEFINITION_CONFLICT")));
    for (wish, wrong) in [
        (json!({"seats": ["A-1-1"], "reason": " "}), "reason: "),
        (json!({"seats": [], "reason": "x"}), "seats: name 1 to 10000"),
        (
            json!({"seats": vec!["A-1-1"; 10_001], "reason": "x"}),
            "seats: name 1 to 10000 seats at once, not 10001",
        ),
        (json!({"seats": ["A-1-1"], "reason": 7}), "reason: must be a text, in quotes, but is 7"),
        (json!({"seats": ["A-1-1"], "why": "x"}), "why: unknown field: remove it, or write seats or reason"),
        (json!({"seats": ["A-1-1", "other.A-1-1"], "reason": "x"}), "seats[1]: "),
    ] {
        let (status, refused) = office.call("POST", &blocks, wish).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(status == 400 && detail.starts_with(wrong), "{detail}");
    }
}

#[tokio::test]
async fn blocking_again_under_a_key_blocks_nothing_more() {
    let (office, blocks) = (Office::open(), format!("{ARENA}/blocks"));
    office.provision().await;
    let keyed = async |body: Value| {
        let request = Request::post(&blocks).header("authorization", "Bearer secret");
        office.take(request.header("idempotency-key", "k-1"), body).await
    };
    let wish = json!({"seats": ["A-1-1"], "reason": "camera"});
    let (status, blocked) = keyed(wish.clone()).await;
    assert_eq!((status, &blocked["seats"]["blocked"]), (200, &json!(2)));
    let (_, unblocked) = office.call("DELETE", &blocks, json!({"seats": ["A-1-1"]})).await;
    assert_eq!(keyed(wish).await, (200, unblocked), "it was put back meanwhile, and stays so");
    let (status, problem) = keyed(json!({"seats": ["A-1-2"], "reason": "camera"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("IDEMPOTENCY_MISMATCH")));
}

#[tokio::test]
async fn seats_that_there_are_not_are_named_as_far_as_one_reads() {
    let office = Office::open();
    office.provision().await;
    let blocks = format!("{ARENA}/blocks");
    let many: Vec<_> = (1..=5_000).map(|n| format!("A-7-{n}")).collect();
    for (seats, others) in
        [(&many[..], "nor 4999 others"), (&many[..2], "nor another one"), (&many[..1], "A-7-1:")]
    {
        for (method, body) in
            [("POST", json!({"seats": seats, "reason": "x"})), ("DELETE", json!({"seats": seats}))]
        {
            let (status, problem) = office.call(method, &blocks, body).await;
            assert_eq!((status, &problem["code"]), (404, &json!("SEAT_NOT_FOUND")), "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains(others), "{problem}");
            let named = problem["conflicts"].as_array().unwrap();
            assert_eq!(named.len(), seats.len().min(20));
            assert_eq!(named[0], json!({"seatId": "arena-night.A-7-1", "reason": "NOT_FOUND"}));
        }
    }
    let (status, problem) =
        office.call("POST", "/admin/events/other/blocks", json!({"seats": ["A-1-1"], "reason": "x"})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("EVENT_NOT_FOUND")));
}

#[tokio::test]
async fn a_short_text_that_stands_for_too_many_seats_is_refused_before_they_are_made() {
    let office = Office::open();
    let mut huge = definition();
    let field = |seats: &str, definition: &mut boxoffice_domain::Definition| {
        definition.sections[0].rows[0].seats = seats.into();
    };
    for seats in
        ["1-999999999999999", "1-150000,000000000000001-000000000150000", "999999999999999-1/4000000000"]
    {
        field(seats, &mut huge);
        let (status, problem) = office.call("PUT", ARENA, json!(huge)).await;
        assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")));
        assert!(
            problem["detail"].as_str().unwrap().starts_with("sections: more than 200000 seats"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn parameters_that_there_are_not_are_refused_by_name() {
    let office = Office::open();
    office.provision().await;
    for (method, path, told) in [
        ("DELETE", format!("{ARENA}?purged=true"), "purged: unknown parameter: did you mean purge?"),
        ("DELETE", format!("{ARENA}?purge=yes"), "purge: must be true or false, but is \"yes\""),
        (
            "GET",
            "/admin/log?from=begin".to_owned(),
            "from: \"begin\" is not allowed: write earliest or latest",
        ),
        (
            "GET",
            "/admin/log?since=7".to_owned(),
            "since: unknown parameter: remove it, or write from, follow or event",
        ),
    ] {
        let (status, problem) = office.call(method, &path, Value::Null).await;
        assert_eq!((status, &problem["detail"]), (400, &json!(told)), "{path}");
    }
}
