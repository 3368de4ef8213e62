//! What a person does from a terminal, with a `boxoffice local` that runs: buying, and following domain events.

use std::sync::{Arc, Mutex};

use axum::{Json, Router};
use boxoffice_tests::process::{Process, run};
use boxoffice_tests::servers::free_port;
use boxoffice_tests::wait::until;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::local_support::{BOXOFFICE, House, Local};

/// Runs the command against `local`; its exit code, what it printed, and its complaint.
async fn boxoffice(local: &Local, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(BOXOFFICE, [arguments, &["--command-url", &local.url]].concat()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The same where it has to succeed; the JSON that it printed.
async fn done(local: &Local, arguments: &[&str]) -> Value {
    let (code, told, complained) = boxoffice(local, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {complained}");
    serde_json::from_str(&told).unwrap()
}

#[tokio::test]
async fn a_seat_is_held_reserved_and_released_from_a_terminal() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let held = done(&local, &["hold", "arena.A-1-1", "--user", "alice"]).await;
    assert_eq!(held["seatId"], "arena.A-1-1", "{held}");
    let (code, told, complained) = boxoffice(&local, &["hold", "arena.A-1-1", "--user", "bob"]).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(complained.contains("SEAT_NOT_AVAILABLE"), "{complained}");
    assert!(complained.contains("arena.A-1-1 HELD"), "{complained}");
    let reserved = done(&local, &["reserve", "arena.A-1-1", "--user", "alice"]).await;
    assert!(reserved["reservationId"].is_string(), "{reserved}");
    done(&local, &["release", "arena.A-1-1", "--user", "alice"]).await;
    done(&local, &["hold", "arena.A-1-1", "--user", "bob"]).await;
    local.close().await;
}

#[tokio::test]
async fn several_seats_are_held_together_and_a_hold_and_a_reservation_are_given_back() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let held = done(&local, &["hold", "arena.A-1-1", "arena.A-1-2", "arena.FLOOR-7", "-u", "alice"]).await;
    assert_eq!(held["seats"].as_array().unwrap().len(), 3, "{held}");
    let reserved = done(&local, &["reserve", held["holdId"].as_str().unwrap(), "-u", "alice"]).await;
    let cancelled =
        done(&local, &["release", reserved["reservationId"].as_str().unwrap(), "-u", "alice"]).await;
    assert_eq!(cancelled["released"].as_array().unwrap().len(), 3, "{cancelled}");
    let held = done(&local, &["hold", "arena.A-1-1", "arena.A-1-2", "-u", "bob"]).await;
    done(&local, &["release", held["holdId"].as_str().unwrap(), "-u", "bob"]).await;
    local.close().await;
}

#[tokio::test]
async fn seats_are_chosen_and_a_hold_is_extended_from_a_terminal() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let best = done(&local, &["hold", "arena", "--best", "2", "--section", "A", "-u", "alice"]).await;
    let seats: Vec<_> = best["seats"].as_array().unwrap().iter().map(|seat| &seat["seatId"]).collect();
    assert_eq!(seats, ["arena.A-1-10", "arena.A-1-11"], "the middle of the first row");
    let hold = best["holdId"].as_str().unwrap();
    let longer = done(&local, &["extend", hold, "--seconds", "60", "-u", "alice"]).await;
    assert_eq!(longer["expiresAt"].as_u64(), best["expiresAt"].as_u64().map(|end| end + 60_000));
    let longest = done(&local, &["extend", hold, "-u", "alice"]).await;
    assert!(longest["expiresAt"].as_u64() > longer["expiresAt"].as_u64(), "{longest}");

    let mixed = done(&local, &["hold", "arena.A-2-1", "--area", "FLOOR=2", "-u", "bob"]).await;
    assert_eq!(mixed["seats"].as_array().unwrap().len(), 3, "{mixed}");
    let units = done(&local, &["hold", "arena", "--area", "FLOOR=3", "-u", "bob"]).await;
    assert!(units["seats"].as_array().unwrap().iter().all(|unit| unit["sectionId"] == "FLOOR"), "{units}");
    let (code, _, complained) = boxoffice(&local, &["hold", "arena", "--area", "FLOOR=46"]).await;
    assert_eq!(code, Some(1));
    assert!(complained.contains("NOT_ENOUGH_SEATS") && complained.contains("45 available"), "{complained}");
    local.close().await;
}

#[tokio::test]
async fn a_hold_gets_more_seats_and_what_is_left_is_told() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let first = done(&local, &["hold", "arena.A-1-1", "-u", "alice"]).await;
    let hold = first["holdId"].as_str().unwrap();
    let grown = done(&local, &["hold", "arena.A-1-2", "arena.FLOOR-1", "--add", hold, "-u", "alice"]).await;
    assert_eq!((&grown["holdId"], &grown["total"]), (&first["holdId"], &json!(36_000)));
    let (code, _, told) = boxoffice(&local, &["release", "arena.FLOOR-1", "-u", "alice"]).await;
    assert_eq!(code, Some(0), "{told}");
    let expected = "given back: arena.FLOOR-1; left: arena.A-1-1 12000, arena.A-1-2 12000; 24000 EUR";
    assert!(told.contains(expected), "{told}");
    local.close().await;
}

#[tokio::test]
async fn the_box_office_holds_sells_and_takes_back_from_a_terminal() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    done(&local, &["block", "arena.A-1-1", "--reason", "camera"]).await;
    let staff = ["hold", "arena.A-1-1", "--staff", "-u", "alice"];
    let (code, _, complained) = boxoffice(&local, &staff).await;
    assert!(code == Some(1) && complained.contains("arena.A-1-1 BLOCKED"), "{complained}");
    let made = done(&local, &[&staff[..], &["--blocked"]].concat()).await;
    let hold = made["holdId"].as_str().unwrap();
    let back = done(&local, &["release", hold, "--staff", "--note", "no show & sorry"]).await;
    assert_eq!(back["released"], json!(["arena.A-1-1"]));
    let bobs = done(&local, &["hold", "arena.A-1-2", "-u", "bob"]).await;
    let sold = done(&local, &["reserve", bobs["holdId"].as_str().unwrap(), "--staff"]).await;
    let reservation = sold["reservationId"].as_str().unwrap();
    let (code, _, complained) = boxoffice(&local, &["cancel", reservation, "-u", "alice"]).await;
    assert!(code == Some(1) && complained.contains("NOT_HOLDER"), "{complained}");
    let cancelled = done(&local, &["cancel", reservation, "--staff", "--note", "ill"]).await;
    assert_eq!(cancelled["released"], json!(["arena.A-1-2"]));
    let (code, _, complained) = boxoffice(&local, &["release", "arena.A-1-2", "--staff"]).await;
    assert!(code == Some(2) && complained.contains("whole hold"), "{complained}");
    let tail = ["events", "tail", "arena", "--from", "earliest", "--no-follow"];
    let (_, lines, _) = boxoffice(&local, &tail).await;
    let facts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let notes: Vec<_> = facts.filter_map(|it| it["payload"]["note"].as_str().map(str::to_owned)).collect();
    assert_eq!(notes, ["no show & sorry", "ill", "ill"]);
    local.close().await;
}

#[tokio::test]
async fn seats_are_taken_off_sale_and_put_back_from_a_terminal() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let blocked = done(&local, &["block", "arena.A-1-1", "arena.A-1-2", "--reason", "camera"]).await;
    assert_eq!(blocked["seats"]["blocked"], 2, "{blocked}");
    let (code, _, complained) = boxoffice(&local, &["hold", "arena.A-1-1"]).await;
    assert_eq!(code, Some(1));
    assert!(complained.contains("arena.A-1-1 BLOCKED"), "{complained}");
    let unblocked = done(&local, &["unblock", "arena.A-1-1"]).await;
    assert_eq!(unblocked["seats"]["blocked"], 1, "{unblocked}");
    done(&local, &["hold", "arena.A-1-1"]).await;
    local.close().await;
}

/// It is restarting, say, or not yet as durable as promised: whoever waits at a terminal need not care.
#[tokio::test]
async fn a_command_is_sent_again_under_its_key_while_that_may_help() {
    let answers = Arc::new(Mutex::new(vec![
        (200, json!({"success": true})),
        (409, json!({"code": "IDEMPOTENCY_IN_FLIGHT", "detail": "not on the log yet"})),
        (503, json!({"code": "UNAVAILABLE", "detail": "repeat it"})),
    ]));
    let keys = Arc::new(Mutex::new(Vec::new()));
    let (left, seen) = (Arc::clone(&answers), Arc::clone(&keys));
    let worker = Router::new().fallback(move |headers: HeaderMap| async move {
        seen.lock().unwrap().push(headers["idempotency-key"].to_str().unwrap().to_owned());
        let (status, body) = left.lock().unwrap().pop().unwrap();
        (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], Json(body))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, worker).await.unwrap() });
    let output = run(BOXOFFICE, ["reserve", "arena.A-1-1", "--command-url", &url]).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let keys = keys.lock().unwrap().clone();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");

    // What was refused for good is not sent again, and another command has another key.
    answers.lock().unwrap().push((409, json!({"code": "SEAT_NOT_HELD", "detail": "it is not held"})));
    let output = run(BOXOFFICE, ["reserve", "arena.A-1-1", "--command-url", &url]).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    serving.abort();
}

#[tokio::test]
async fn a_refusal_exits_with_1_and_wrong_usage_with_2() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    for refused in [
        ["reserve", "arena.A-1-1"],
        ["release", "arena.A-1-1"],
        ["hold", "arena.NOWHERE-1"],
        ["hold", "nowhere.A-1-1"],
    ] {
        let (code, told, complained) = boxoffice(&local, &refused).await;
        assert_eq!((code, told.as_str()), (Some(1), ""), "{refused:?}: {complained}");
        assert!(!complained.is_empty(), "{refused:?}");
    }
    for wrong in [
        &["hold"][..],
        &["hold", "A-1-1"],
        &["hold", "arena"],
        &["extend", "arena"],
        &["reserve"],
        &["reserve", "A-1-1"],
        &["events"],
        &["events", "tail", "--from", "noon"],
    ] {
        let (code, _, complained) = boxoffice(&local, wrong).await;
        assert_eq!(code, Some(2), "{wrong:?}: {complained}");
    }
    local.close().await;
    let nobody = format!("http://127.0.0.1:{}", free_port().unwrap());
    let output = run(BOXOFFICE, ["hold", "arena.A-1-1", "--command-url", &nobody]).await.unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert!(complained.contains(&nobody), "{complained}");
}

#[tokio::test]
async fn domain_events_are_followed_a_line_each_without_a_gap() {
    let house = House::with(&["arena", "club"]);
    let local = house.open().await;
    let tail = ["events", "tail", "--from", "earliest", "--command-url", &local.url];
    let mut following = Process::start_with(BOXOFFICE, tail, []).unwrap();
    for (seat, user) in [("arena.A-1-1", "alice"), ("club.A-1-1", "bob"), ("arena.A-1-2", "carol")] {
        local.sell(seat, user).await;
    }
    let expected = ["event.created", "seat.held", "seat.reserved", "reservation.created"];
    let expected = expected.map(str::to_owned).to_vec();
    let arena = [&expected[..], &expected[1..]].concat();
    until("everything is told", async || {
        let log = following.log();
        (types(&log, "arena") == arena && types(&log, "club") == expected).then_some(())
    })
    .await;

    let (code, all, complained) =
        boxoffice(&local, &["events", "tail", "--from", "earliest", "--no-follow"]).await;
    assert_eq!(code, Some(0), "{complained}");
    assert_eq!((types(&all, "arena"), types(&all, "club")), (arena, expected.clone()));
    let times: Vec<_> =
        all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_u64()).collect();
    assert!(times.is_sorted(), "in the order of time: {times:?}");
    let (_, one, _) =
        boxoffice(&local, &["events", "tail", "club", "--from", "earliest", "--no-follow"]).await;
    assert_eq!((types(&one, "arena"), types(&one, "club")), (vec![], expected));
    let (_, none, _) = boxoffice(&local, &["events", "tail", "--no-follow"]).await;
    assert_eq!(none, "", "nothing came since");

    // It ends with the platform.
    local.close().await;
    let status = following.ended().await.unwrap();
    assert!(status.success(), "{status}\n{}", following.log());
}

/// The types of a SeatingEvent's domain events in what was printed; their sequences must be 1, 2, 3.
fn types(lines: &str, event: &str) -> Vec<String> {
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let its = events.filter(|it| it["payload"]["eventId"] == event && it["metadata"]["sequence"].is_u64());
    (1_u64..)
        .zip(its)
        .map(|(sequence, it)| {
            assert_eq!(it["metadata"]["sequence"], sequence, "I3: {lines}");
            it["eventType"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn what_came_of_a_request_is_drawn_in_a_terminal() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let held = done(&local, &["hold", "arena.A-1-1", "--user", "alice"]).await;
    let chain = held["correlationId"].as_str().unwrap();
    let trace = async |more: &[&str]| {
        let output =
            run(BOXOFFICE, [&["trace", chain, "--query-url", &local.url], more].concat()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let told = until("the chain is told", async || {
        let (code, told, _) = trace(&[]).await;
        (code == Some(0)).then_some(told)
    })
    .await;
    let (first, event) = told.split_once('\n').unwrap();
    assert_eq!(first, chain);
    assert!(event.starts_with("└─ ") && event.ends_with("seat.held arena.A-1-1 #2 alice\n"), "{told}");
    let (_, hers, _) = trace(&["--user", "alice"]).await;
    assert_eq!(hers, told);
    let (code, nothing, complained) = trace(&["--user", "bob"]).await;
    assert_eq!((code, nothing.as_str()), (Some(1), ""));
    assert!(complained.contains("names you"), "{complained}");
    let (_, json, _) = trace(&["--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["events"][0]["eventType"], "seat.held");
    // The one address answers commands too.
    let (code, by_command, complained) = boxoffice(&local, &["trace", chain]).await;
    assert_eq!((code, by_command), (Some(0), told), "{complained}");
    local.close().await;
}
