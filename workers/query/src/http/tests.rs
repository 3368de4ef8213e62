use std::collections::BTreeMap;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use boxoffice_domain::DomainEvent;
use boxoffice_domain::events::{SectionStats, StatsUpdated};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::identity::settings::Settings;
use boxoffice_runtime::identity::testing::{SECRET, Signer, trusting};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::orders::testing::FakeOrders;
use crate::testing::{created, definition, deleted, event_id, held, knowledge, map, reserved, updated};
use crate::view::Trust;
use crate::view::forms::packed;

/// Two SeatingEvents; Alice holds arena.A-1-2 and has arena.A-1-3.
fn known() -> Knowledge {
    let views = Views::default();
    views.install(vec![map("arena", 1), map("club", 1)], BTreeMap::new(), Trust::Further);
    let order_service = OrderService::new(Arc::new(FakeOrders::of_examples()));
    let known = Knowledge { views: Arc::new(views), order_service, ..knowledge() };
    happen(&known, 2, &held("arena.A-1-2"));
    happen(&known, 3, &reserved("arena.A-1-3"));
    known
}

fn happen(known: &Knowledge, sequence: u64, fact: &DomainEvent) {
    known.views.apply(fact.seating_event(), sequence, Some(fact)).unwrap();
}

async fn get_with(known: &Knowledge, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let layer = boxoffice_runtime::http::HttpLayer::new(&mut Registry::default());
    let layer = viewed::aged(layer, Arc::clone(&known.age));
    let service = boxoffice_runtime::http::service(routes(known.clone()), layer);
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn said<'a>(response: &'a Response<Body>, header: &str) -> &'a str {
    response.headers()[header].to_str().unwrap()
}

async fn body(response: Response<Body>) -> Bytes {
    to_bytes(response.into_body(), 1 << 24).await.unwrap()
}

async fn get_json(known: &Knowledge, path: &str) -> Value {
    let response = get_with(known, path, &[]).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    serde_json::from_slice(&body(response).await).unwrap()
}

async fn refused(known: &Knowledge, path: &str) -> (u16, String) {
    let response = get_with(known, path, &[("x-correlation-id", "c-1")]).await;
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    let problem: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!((&problem["status"], &problem["correlationId"]), (&json!(status), &json!("c-1")));
    (status, problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn events_are_listed_with_phase_and_counts() {
    let counts = json!({"total": 8, "available": 5, "held": 1, "reserved": 1, "blocked": 1});
    let untouched = json!({"total": 8, "available": 7, "held": 0, "reserved": 0, "blocked": 1});
    let event = |id: &str, seats: &Value| json!({"eventId": id, "title": "Arena Night", "startsAt": crate::testing::FAR, "phase": "OnSale", "sales": {"closesAt": crate::testing::FAR, "cancelUntil": crate::testing::FAR, "paused": false}, "seats": seats});
    assert_eq!(
        get_json(&known(), "/events").await,
        json!([event("arena", &counts), event("club", &untouched)])
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_that_there_is_nothing_before_it_is_known_what_there_is() {
    let known = knowledge();
    for path in [
        "/events",
        "/events/arena",
        "/events/arena/seats?after=1",
        "/seats/arena.A-1-1",
        "/events/arena/stream",
    ] {
        assert_eq!(refused(&known, path).await, (503, "UNAVAILABLE".to_owned()), "{path}");
    }
    known.views.install(vec![], BTreeMap::new(), Trust::Further);
    assert_eq!(get_json(&known, "/events").await, json!([]));
    assert_eq!(refused(&known, "/events/arena").await.0, 404);
}

#[tokio::test]
async fn events_are_listed_as_they_start() {
    let known = known();
    let mut sooner = definition();
    sooner.starts_at = 1_000;
    happen(&known, 2, &updated("club", sooner));
    let events = get_json(&known, "/events").await;
    assert_eq!((&events[0]["eventId"], &events[0]["phase"]), (&json!("club"), &json!("Closed")));
}

#[tokio::test]
async fn an_event_is_shown_with_its_sections() {
    let event = get_json(&known(), "/events/arena").await;
    assert_eq!(
        (&event["eventId"], &event["sequence"], &event["seats"]["total"]),
        (&json!("arena"), &json!(3), &json!(8))
    );
    assert_eq!(
        event["sales"],
        json!({"closesAt": crate::testing::FAR, "cancelUntil": crate::testing::FAR, "paused": false})
    );
    assert_eq!(event["priceCategories"][0], json!({"name": "gold", "amount": 12_000, "currency": "EUR"}));
    let sections = json!([
        {"sectionId": "A", "priceCategory": "gold", "generalAdmission": false,
         "seats": {"total": 6, "available": 3, "held": 1, "reserved": 1, "blocked": 1}},
        {"sectionId": "FLOOR", "priceCategory": "\"s\"", "generalAdmission": true,
         "seats": {"total": 2, "available": 2, "held": 0, "reserved": 0, "blocked": 0}},
    ]);
    assert_eq!(event["sections"], sections);
}

#[tokio::test]
async fn a_seat_shows_its_status_and_to_its_holder_what_is_theirs() {
    let known = known();
    let as_user = async |path: &str, user: &str| -> Value {
        let response = get_with(&known, path, &[("x-user-id", user)]).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "private, no-store");
        serde_json::from_slice(&body(response).await).unwrap()
    };
    let seat = json!({"seatId": "arena.A-1-2", "eventId": "arena", "sectionId": "A", "row": "1", "number": "2", "status": "HELD"});
    assert_eq!(get_json(&known, "/seats/arena.A-1-2").await, seat);
    assert_eq!(as_user("/seats/arena.A-1-2", "bob").await, seat);
    let mut theirs = seat;
    (theirs["mine"], theirs["expiresAt"]) = (json!(true), json!(301_000));
    assert_eq!(as_user("/seats/arena.A-1-2", "alice").await, theirs);
    let sold = as_user("/seats/arena.A-1-3", "alice").await;
    assert_eq!(
        (&sold["status"], &sold["mine"], sold.get("expiresAt")),
        (&json!("RESERVED"), &json!(true), None)
    );
    assert_eq!(get_json(&known, "/seats/arena.A-1-1").await["status"], "BLOCKED");
    let unit = as_user("/seats/arena.FLOOR-2", "alice").await;
    assert_eq!(
        (&unit["row"], &unit["number"], &unit["status"], unit.get("mine")),
        (&json!(""), &json!("2"), &json!("AVAILABLE"), None)
    );
}

#[tokio::test]
async fn a_holder_is_known_by_a_token_where_tokens_are_checked() {
    let signer = Signer::secret(SECRET);
    let settings = Settings::Jwt(trusting(&signer));
    let identity = Identity::open(settings, &mut Registry::default(), &Readiness::default()).unwrap();
    let known = Knowledge { identity, ..known() };
    let asked_by = async |headers: &[(&str, &str)]| {
        let response = get_with(&known, "/seats/arena.A-1-2", headers).await;
        let (status, vary) = (response.status(), response.headers().get(header::VARY).cloned());
        let seat: Value = serde_json::from_slice(&body(response).await).unwrap();
        (status.as_u16(), vary, seat)
    };
    let bearing = |token: &str| format!("Bearer {token}");
    let (alice, bob) = (signer.token_of(None, "alice"), signer.token_of(None, "bob"));
    let (status, vary, seat) = asked_by(&[("authorization", &bearing(&alice))]).await;
    assert_eq!((status, &seat["mine"], &seat["expiresAt"]), (200, &json!(true), &json!(301_000)));
    assert_eq!(vary.unwrap(), "authorization");
    for headers in
        [&[("x-user-id", "alice")][..], &[("authorization", &bearing(&bob)), ("x-user-id", "alice")]]
    {
        let (status, _, seat) = asked_by(headers).await;
        assert_eq!((status, seat.get("mine"), seat.get("expiresAt")), (200, None, None));
    }
    let forged = Signer::secret("another").token_of(None, "alice");
    let (status, _, problem) = asked_by(&[("authorization", &bearing(&forged))]).await;
    assert_eq!((status, &problem["code"]), (401, &json!("UNAUTHENTICATED")));
}

#[tokio::test]
async fn a_map_never_says_who() {
    let seats = body(get_with(&known(), "/events/arena/seats", &[("x-user-id", "alice")]).await).await;
    assert!(!String::from_utf8(seats.to_vec()).unwrap().contains("alice"));
}

#[tokio::test(start_paused = true)]
async fn a_map_has_a_tag_and_is_not_sent_again_while_nothing_changes() {
    let known = known();
    let first = get_with(&known, "/events/arena/seats", &[]).await;
    let cached = "public, max-age=0, s-maxage=1, stale-while-revalidate=1";
    assert_eq!(first.headers()[header::CACHE_CONTROL], cached);
    assert_eq!(first.headers()[header::VARY], "accept, accept-encoding");
    assert_eq!((said(&first, "x-view-sequence"), first.headers().get("x-view-epoch")), ("3", None));
    assert_eq!(first.headers()[header::CONTENT_TYPE], "application/json");
    let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    let seats: Value = serde_json::from_slice(&body(first).await).unwrap();
    assert_eq!(
        (&seats["eventId"], &seats["sequence"], seats["seats"].as_array().unwrap().len()),
        (&json!("arena"), &json!(3), 8)
    );

    let again = get_with(&known, "/events/arena/seats", &[("if-none-match", &tag)]).await;
    assert_eq!(
        (again.status(), again.headers()[header::ETAG].to_str().unwrap()),
        (StatusCode::NOT_MODIFIED, &*tag)
    );
    assert!(body(again).await.is_empty());

    happen(&known, 4, &held("arena.A-2-1"));
    // A map may be 100 ms old, and its tag says which one it is; who changed something asks for what comes after it.
    let tagged = [("if-none-match", &*tag)];
    assert_eq!(get_with(&known, "/events/arena/seats", &tagged).await.status(), StatusCode::NOT_MODIFIED);
    let changed = get_with(&known, "/events/arena/seats?after=4", &tagged).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.headers()[header::ETAG].to_str().unwrap(), tag);
}

#[tokio::test]
async fn replicas_agree_on_the_tag_however_they_got_there() {
    let tag = async |known: &Knowledge| {
        get_with(known, "/events/arena/seats", &[]).await.headers()[header::ETAG].clone()
    };
    let followed = known();
    let restarted = known();
    let snapshot = followed.views.get("arena").unwrap().read(Clone::clone);
    restarted.views.install(vec![snapshot], BTreeMap::new(), Trust::Snapshot);
    assert_eq!(tag(&followed).await, tag(&restarted).await);
}

#[tokio::test]
async fn a_map_is_sent_compressed_to_those_who_take_it() {
    let known = known();
    let plain = get_with(&known, "/events/arena/seats?section=A", &[]).await;
    let packed = get_with(&known, "/events/arena/seats?section=A", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
    assert_ne!(packed.headers()[header::ETAG], plain.headers()[header::ETAG]);
    let mut unpacked = String::new();
    let packed = body(packed).await;
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked.as_bytes(), body(plain).await);
    assert!(unpacked.contains("arena.A-2-3") && !unpacked.contains("FLOOR"));
}

#[tokio::test]
async fn what_changed_since_a_map_leads_from_it_to_the_next() {
    let known = known();
    let changes = get_json(&known, "/events/arena/seats?since=1").await;
    assert_eq!(changes, json!({"sequence": 3, "epoch": 0, "changes": [[1, "HELD"], [2, "RESERVED"]]}));
    let section = get_json(&known, "/events/arena/seats?since=1&section=A").await;
    assert_eq!(section["changes"], changes["changes"]);
    let area = get_json(&known, "/events/arena/seats?since=1&section=FLOOR").await;
    assert_eq!(area, json!({"sequence": 3, "epoch": 0, "changes": []}));
    let none = json!({"sequence": 3, "epoch": 0, "changes": []});
    assert_eq!(get_json(&known, "/events/arena/seats?since=3&epoch=0").await, none);
    let gone = get_with(&known, "/events/arena/seats?since=0", &[]).await;
    let problem: Value = serde_json::from_slice(&body(gone).await).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("/events/arena/seats"), "{problem}");
}

#[tokio::test]
async fn whoever_is_ahead_of_the_replica_waits_until_it_knows() {
    let known = known();
    for path in ["/events/arena", "/events/arena/seats", "/events/arena/seats?since=4", "/seats/arena.A-2-1"]
    {
        let next = known.views.get("arena").unwrap().tag().sequence + 1;
        let path = path.replace("since=4", &format!("since={next}"));
        let path = if path.contains('?') { path } else { format!("{path}?after={next}") };
        let happens = async {
            tokio::task::yield_now().await;
            happen(&known, next, &held("arena.A-2-1"));
            known.views.announce();
        };
        let (answer, ()) = tokio::join!(get_with(&known, &path, &[]), happens);
        assert_eq!((answer.status(), said(&answer, "x-view-sequence")), (StatusCode::OK, &*next.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_of_another_epoch_is_gone_at_once_however_far_it_is() {
    let known = known();
    for query in
        ["since=99&epoch=1", "after=99&epoch=1", "since=2&after=99&epoch=1", "since=2&epoch=7&section=A"]
    {
        let begun = tokio::time::Instant::now();
        let gone = get_with(&known, &format!("/events/arena/seats?{query}"), &[]).await;
        assert_eq!(
            (gone.status(), begun.elapsed()),
            (StatusCode::GONE, std::time::Duration::ZERO),
            "{query}"
        );
        assert_eq!((said(&gone, "x-view-sequence"), said(&gone, "cache-control")), ("3", "no-store"));
        assert_eq!(said(&gone, "content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(&body(gone).await).unwrap();
        assert_eq!(problem["code"], "SEQUENCE_GONE");
        assert!(problem["detail"].as_str().unwrap().contains("/events/arena/seats"), "{problem}");
    }
    assert_eq!(refused(&known, "/events/arena/seats?since=99&epoch=0").await.0, 503, "it may come");
}

#[tokio::test]
async fn a_map_is_sent_in_the_form_that_the_client_likes_best() {
    let known = known();
    for (accept, encoding, kind, coding) in [
        (
            "application/vnd.boxoffice.seatmap;q=0.5, application/json",
            "gzip",
            "application/json",
            Some("gzip"),
        ),
        ("application/json;q=0.5, application/vnd.boxoffice.seatmap", "gzip", packed::MEDIA_TYPE, None),
        ("text/html", "identity, gzip;q=0.5", "application/json", None),
        ("*/*", "identity;q=0, *", "application/json", Some("gzip")),
    ] {
        let headers = [("accept", accept), ("accept-encoding", encoding)];
        let answer = get_with(&known, "/events/arena/seats", &headers).await;
        let sent = answer.headers().get(header::CONTENT_ENCODING).map(|coding| coding.to_str().unwrap());
        assert_eq!((said(&answer, "content-type"), sent), (kind, coding), "{accept} {encoding}");
    }
}

#[tokio::test]
async fn whoever_asks_for_the_head_alone_is_told_what_the_body_would_be() {
    let known = known();
    let whole = get_with(&known, "/events/arena/seats", &[]).await;
    let layer = boxoffice_runtime::http::HttpLayer::new(&mut Registry::default());
    let service = boxoffice_runtime::http::service(routes(known), layer);
    let head = service.oneshot(Request::head("/events/arena/seats").body(Body::empty()).unwrap());
    let head = head.await.unwrap();
    assert_eq!(
        (head.status(), &head.headers()[header::ETAG]),
        (StatusCode::OK, &whole.headers()[header::ETAG])
    );
    let length = body(whole).await.len().to_string();
    assert_eq!(said(&head, "content-length"), length);
    assert!(body(head).await.is_empty());
}

#[tokio::test]
async fn the_packed_form_says_each_seat_in_two_bits_as_the_chart_has_them() {
    let known = known();
    let accept = ("accept", "application/vnd.boxoffice.seatmap");
    let packed = get_with(&known, "/events/arena/seats", &[accept]).await;
    assert_eq!(packed.headers()[header::CONTENT_TYPE], "application/vnd.boxoffice.seatmap");
    let tag = packed.headers()[header::ETAG].to_str().unwrap().to_owned();
    let chart = get_json(&known, "/events/arena/chart").await;
    let seats_hash = u64::from_str_radix(chart["seatsHash"].as_str().unwrap(), 16).unwrap();
    let bytes = body(packed).await;
    assert_eq!(bytes[8..16], seats_hash.to_be_bytes());
    assert_eq!(bytes[36..], [0b_00_10_01_11, 0]);
    let again = get_with(&known, "/events/arena/seats", &[accept, ("if-none-match", &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let section = get_with(&known, "/events/arena/seats?section=A", &[accept]).await;
    assert_eq!(section.status(), StatusCode::BAD_REQUEST);
    let both = ("accept", "application/vnd.boxoffice.seatmap, application/json;q=0.5");
    let section = get_with(&known, "/events/arena/seats?section=A", &[both]).await;
    assert_eq!((section.status(), said(&section, "content-type")), (StatusCode::OK, "application/json"));
}

#[tokio::test]
async fn a_section_keeps_its_tag_while_others_change() {
    let known = known();
    let tag = async |section: &str, after: u64| {
        let path = format!("/events/arena/seats?section={section}&after={after}");
        get_with(&known, &path, &[]).await.headers()[header::ETAG].clone()
    };
    let (a, floor) = (tag("A", 3).await, tag("FLOOR", 3).await);
    happen(&known, 4, &held("arena.FLOOR-1"));
    assert_eq!(tag("A", 4).await, a);
    assert_ne!(tag("FLOOR", 4).await, floor);
}

#[tokio::test]
async fn a_chart_is_sent_by_brotli_to_those_who_name_it_and_made_once() {
    let known = known();
    let plain = body(get_with(&known, "/events/arena/chart", &[]).await).await;
    for made in [false, true] {
        let hash = known.views.get("arena").unwrap().hashes().chart;
        assert_eq!(known.charts.get(&hash).is_some(), made);
        let packed = get_with(&known, "/events/arena/chart", &[("accept-encoding", "gzip, br")]).await;
        assert_eq!((said(&packed, "content-encoding"), said(&packed, "vary")), ("br", "accept-encoding"));
        let mut unpacked = vec![];
        brotli::BrotliDecompress(&mut &*body(packed).await, &mut unpacked).unwrap();
        assert!(plain == unpacked);
    }
    let gzip = get_with(&known, "/events/arena/chart", &[("accept-encoding", "gzip, br;q=0")]).await;
    assert_eq!(said(&gzip, "content-encoding"), "gzip");
}

#[tokio::test(start_paused = true)]
async fn a_chart_under_its_hash_is_kept_for_ever_and_another_hash_is_told_the_current_one() {
    let known = known();
    let chart = get_json(&known, "/events/arena/chart").await;
    let row = |row: &str| json!({"row": row, "seats": ["1", "2", "3"]});
    let expected = json!([
        {"sectionId": "A", "priceCategory": "gold", "rows": [row("1"), row("2")]},
        {"sectionId": "FLOOR", "priceCategory": "\"s\"", "capacity": 2, "rows": []}
    ]);
    assert_eq!(chart["sections"], expected);
    let hash = chart["chartHash"].as_str().unwrap();
    let kept = get_with(&known, &format!("/events/arena/chart?hash={hash}"), &[]).await;
    assert_eq!(kept.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    // No chart will ever have one of the first.
    for (other, waits) in [("0", 0), ("-1", 0), ("", 0), ("0123456789abcdef", 2)] {
        let begun = tokio::time::Instant::now();
        let answer = get_with(&known, &format!("/events/arena/chart?hash={other}"), &[]).await;
        assert_eq!((answer.status(), said(&answer, "x-chart-hash")), (StatusCode::NOT_FOUND, hash));
        assert_eq!((said(&answer, "cache-control"), said(&answer, "x-view-sequence")), ("no-store", "3"));
        assert_eq!(begun.elapsed().as_secs(), waits, "{other}");
    }
    // One that the replica does not know yet is waited for.
    let mut dearer = definition();
    dearer.price_categories[0].amount += 1;
    let path = format!("/events/arena/chart?hash={}", dearer.chart_hash());
    let changes = async {
        tokio::task::yield_now().await;
        happen(&known, 4, &updated("arena", dearer));
        known.views.announce();
    };
    let (answer, ()) = tokio::join!(get_with(&known, &path, &[]), changes);
    assert_eq!((answer.status(), said(&answer, "x-view-sequence")), (StatusCode::OK, "4"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_from_what_its_client_had() {
    let known = known();
    let first = async |headers: &[(&str, &str)]| {
        let answer = get_with(&known, "/events/arena/stream", headers).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let frame = futures::StreamExt::next(&mut answer.into_body().into_data_stream()).await;
        String::from_utf8(frame.unwrap().unwrap().to_vec()).unwrap()
    };
    let reset = "id: 3\nevent: reset\ndata: {\"sequence\":3}\n\n";
    assert_eq!(first(&[]).await, format!("retry: 1000\n\n{reset}"));
    assert!(first(&[("last-event-id", "0")]).await.ends_with(reset), "the ring begins at 1");
    assert!(first(&[("last-event-id", "1-3")]).await.ends_with(reset), "of another epoch");
    let resumed = first(&[("last-event-id", "2")]).await;
    let changes =
        "id: 3\nevent: changes\ndata: {\"sequence\":3,\"epoch\":0,\"changes\":[[2,\"RESERVED\"]]}\n\n";
    assert!(resumed.contains("event: definition") && resumed.ends_with(changes), "{resumed}");
    assert_eq!(first(&[("last-event-id", "3")]).await, "retry: 1000\n\n");
    // Of a replica that is further: what this one tells from 3 on would lead back behind that.
    assert!(first(&[("last-event-id", "5")]).await.ends_with(reset));
    let happens = async {
        tokio::task::yield_now().await;
        happen(&known, 4, &held("arena.A-2-1"));
        happen(&known, 5, &held("arena.A-2-2"));
        known.views.announce();
    };
    let (caught_up, ()) = tokio::join!(first(&[("last-event-id", "5")]), happens);
    assert_eq!(caught_up, "retry: 1000\n\n");
    for id in ["x", "1-", "-1", "+5", "0-+5", "18446744073709551616", ""] {
        let refused = get_with(&known, "/events/arena/stream", &[("last-event-id", id)]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{id}");
    }
}

#[tokio::test]
async fn whoever_finds_no_place_to_follow_is_told_to_come_again() {
    let known = known();
    let live = known.views.get("arena").unwrap();
    let listening = std::iter::from_fn(|| known.streams.listen(&known.views, &live).ok());
    let mut listening: Vec<_> = listening.collect();
    assert_eq!(listening.len(), 10_000);
    let full = get_with(&known, "/events/arena/stream", &[]).await;
    assert_eq!((full.status().as_u16(), said(&full, "retry-after")), (503, "1"));
    assert_eq!(get_with(&known, "/events/arena/seats", &[]).await.status(), StatusCode::OK);
    drop(listening.pop());
    assert_eq!(get_with(&known, "/events/arena/stream", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn statistics_are_what_was_published_with_most_events_in_it() {
    let known = known();
    let unread = refused(&known, "/events/arena/stats").await;
    assert_eq!(unread, (503, "UNAVAILABLE".into()), "what was not read is not nothing");
    let section = |reserved| SectionStats {
        section_id: "A".into(),
        reserved,
        revenue: 12_000 * reserved,
        ..SectionStats::default()
    };
    let keep = |epoch, (as_of_sequence, reserved)| {
        let (event_id, sections) = (event_id("arena"), vec![section(reserved)]);
        known.stats.keep(StatsUpdated { event_id, as_of_sequence, epoch, sections });
    };
    let expected = |as_of_sequence: u64, reserved: u64| {
        json!({"eventId": "arena", "asOfSequence": as_of_sequence, "sections": [
            {"sectionId": "A", "available": 0, "held": 0, "reserved": reserved, "released": 0}
        ]})
    };
    for published in [(2, 1), (9, 3), (4, 2)] {
        keep(0, published);
    }
    assert_eq!(get_json(&known, "/events/arena/stats").await, expected(9, 3));
    // It was created anew on another log, whose sequences begin anew.
    for published in [(3, 1), (2, 2)] {
        keep(1, published);
    }
    assert_eq!(get_json(&known, "/events/arena/stats").await, expected(3, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_malformed_is_a_problem_with_a_code() {
    let known = known();
    happen(&known, 2, &deleted("club"));
    let expected = [
        ("/events/nowhere", 404, "EVENT_NOT_FOUND"),
        ("/events/club", 404, "EVENT_NOT_FOUND"),
        ("/events/club/seats", 404, "EVENT_NOT_FOUND"),
        ("/events/club/stats", 404, "EVENT_NOT_FOUND"),
        ("/seats/club.A-1-2", 404, "EVENT_NOT_FOUND"),
        ("/seats/arena.A-9-9", 404, "SEAT_NOT_FOUND"),
        ("/seats/A-1-1", 400, "INVALID_REQUEST"),
        ("/events/Not%20one", 400, "INVALID_REQUEST"),
        ("/events/arena/seats?section=B", 404, "SEAT_NOT_FOUND"),
        ("/events/arena/seats?since=1&section=B", 404, "SEAT_NOT_FOUND"),
        ("/events/arena/seats?since=one", 400, "INVALID_REQUEST"),
        ("/events/arena/seats?since=-1", 400, "INVALID_REQUEST"),
        ("/events/arena/seats?epoch=1", 410, "SEQUENCE_GONE"),
        ("/events/arena/seats?after=", 400, "INVALID_REQUEST"),
        ("/events/arena/seats?since=0", 410, "SEQUENCE_GONE"),
        ("/events/arena/seats?since=3&epoch=1", 410, "SEQUENCE_GONE"),
        ("/events/arena/chart?hash=1", 404, "NOT_FOUND"),
        ("/events/arena/chart?nonce=1", 400, "INVALID_REQUEST"),
        ("/events/arena?after=99", 503, "UNAVAILABLE"),
        ("/events/arena/seats?since=99", 503, "UNAVAILABLE"),
        ("/seats/arena.A-1-1?after=99", 503, "UNAVAILABLE"),
        ("/events/nowhere?after=1", 404, "EVENT_NOT_FOUND"),
        ("/events?nonce=1", 400, "INVALID_REQUEST"),
        ("/events/arena?nonce=1", 400, "INVALID_REQUEST"),
        ("/events/arena/stats?nonce=1", 400, "INVALID_REQUEST"),
        ("/seats/arena.A-1-1?nonce=1", 400, "INVALID_REQUEST"),
        ("/events/nowhere/stream", 404, "EVENT_NOT_FOUND"),
        ("/events/arena/stream?nonce=1", 400, "INVALID_REQUEST"),
        ("/", 404, "NOT_FOUND"),
    ];
    for (path, status, code) in expected {
        assert_eq!(refused(&known, path).await, (status, code.to_owned()), "{path}");
    }
    assert_eq!(get_json(&known, "/events").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_seating_event_that_comes_is_shown() {
    let known = known();
    happen(&known, 1, &created("theatre"));
    assert_eq!(get_json(&known, "/events/theatre").await["sequence"], 1);
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_how_old_it_may_be_by_its_partition() {
    use boxoffice_runtime::log::ReadToEnd;
    let known = known();
    known.views.lies_on(&event_id("club"), 1);
    let age = async |path: &str| said(&get_with(&known, path, &[]).await, "x-view-age").to_owned();
    let second = std::time::Duration::from_secs(1);
    known.age.learn(0..2, ReadToEnd::Known([(0, tokio::time::Instant::now())].into()));
    tokio::time::advance(second).await;
    known.age.learn(0..2, ReadToEnd::Known([(1, tokio::time::Instant::now())].into()));
    tokio::time::advance(second).await;
    assert_eq!((age("/events").await, age("/events/club").await), ("2000".into(), "1000".into()));
    assert_eq!(
        (age("/events/arena/seats").await, age("/events/nowhere").await),
        ("2000".into(), "2000".into())
    );
    // Also where nothing answers by itself.
    assert_eq!((age("/nowhere").await, age("/events?nonce=1").await), ("2000".into(), "2000".into()));
    known.age.learn(0..2, ReadToEnd::Always);
    assert_eq!(age("/events").await, "0");
}

#[tokio::test]
async fn a_page_learns_where_commands_go_and_how_buyers_are_known() {
    let version = env!("CARGO_PKG_VERSION");
    let expected = json!({"auth": {"mode": "header"}, "version": version});
    assert_eq!(get_json(&known(), "/web.json").await, expected);
    let settings = Settings::Jwt(trusting(&Signer::secret(SECRET)));
    let identity = Identity::open(settings, &mut Registry::default(), &Readiness::default()).unwrap();
    let elsewhere = Some("https://tickets.example.com".to_owned());
    let known = Knowledge { identity, command_url: elsewhere, ..known() };
    let expected =
        json!({"commandUrl": "https://tickets.example.com", "auth": {"mode": "jwt"}, "version": version});
    assert_eq!(get_json(&known, "/web.json").await, expected);
}
