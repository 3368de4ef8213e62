use boxoffice_domain::{Answer, Command};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::NewRecord;
use boxoffice_runtime::settings::archive_topic;
use serde_json::json;
use uuid::Uuid;

use super::shelf::Shelf;
use super::*;
use crate::snapshot::PIECE;
use crate::store::SeatStore;
use crate::testing::{FakeLog, Memory, arena, cause, folded, provisioned};

const TOPIC: &str = "seat-events";
/// Where the tests' SeatingEvent is pinned.
const PARTITION: u32 = 3;

/// A sale of three seats: two stay sold, one was given back because its payment failed.
async fn sold() -> (Memory, [Uuid; 2]) {
    let store = Memory::default();
    provisioned(&store).await;
    let reservations = [Uuid::from_u128(7), Uuid::from_u128(3)];
    for (seats, user, reservation) in
        [(&["A-1-1", "A-1-2"][..], "alice", reservations[0]), (&["FLOOR-1"], "bob", reservations[1])]
    {
        let Answer::Held { hold, .. } = store.hold_for(user, &arena(), seats).await else {
            panic!("not held")
        };
        let reserve = Command::ReserveHold { hold, user: user.parse().unwrap(), reservation };
        store.execute(&arena(), &reserve, &cause()).await.unwrap().unwrap();
        store.pass(1_000);
    }
    let fail = Command::FailPayment { reservation: reservations[1] };
    store.execute(&arena(), &fail, &cause()).await.unwrap().unwrap();
    (store, reservations)
}

async fn archive() -> Archive {
    Archive::of(&folded(&sold().await.0).await).unwrap().unwrap()
}

#[tokio::test]
async fn it_tells_what_was_sold_and_for_how_much() {
    let (store, [kept, failed]) = sold().await;
    let snapshot = folded(&store).await;
    let definition = snapshot.state.sale.as_ref().unwrap().definition.clone();
    let archive = Archive::of(&snapshot).unwrap().unwrap();
    let counts = json!({"total": 6, "available": 3, "held": 0, "reserved": 2, "blocked": 1});
    let revenue = json!([{"amount": 24_000, "currency": "EUR"}]);
    let seat = |key: &str| json!({"seatId": format!("arena-night.{key}"), "amount": 12_000});
    let (begun, start) = (1_700_000_000_000_u64, 4_000_000_000_000_u64);
    let expected = json!({
        "format": 1,
        "eventId": "arena-night",
        "title": "Arena Night",
        "startsAt": start,
        "closesAt": start,
        "cancelUntil": start,
        "closed": false,
        "partition": PARTITION,
        "sequence": 11,
        "lastEventAt": begun + 2_000,
        "definitionHash": definition.digest(),
        "chartHash": definition.chart_hash(),
        "seats": counts,
        "priceCategories": [
            {"name": "gold", "amount": 12_000, "currency": "EUR", "seats": counts, "revenue": revenue}
        ],
        "revenue": revenue,
        "reservations": [{
            "reservationId": ReservationId::new(arena(), kept),
            "userId": "alice",
            "createdAt": begun,
            "seats": [seat("A-1-1"), seat("A-1-2")],
            "amount": 24_000,
            "currency": "EUR"
        }],
        "cancelled": [{
            "reservationId": ReservationId::new(arena(), failed),
            "userId": "bob",
            "cancelledAt": begun + 2_000,
            "reason": "payment_failed",
            "seats": [seat("FLOOR-1")],
            "amount": 12_000,
            "currency": "EUR",
            "paidLate": false
        }],
        "hash": archive.hash
    });
    assert_eq!(serde_json::to_value(&archive).unwrap(), expected);
}

#[tokio::test]
async fn the_same_sequence_gives_the_same_bytes() {
    let (store, _) = sold().await;
    let snapshot = folded(&store).await;
    let (head, records) = records_of(&Archive::of(&snapshot).unwrap().unwrap(), 0).unwrap();
    for offset in 1..5 {
        // Its maps are in another order each time.
        let again: Snapshot = serde_json::from_value(serde_json::to_value(&snapshot).unwrap()).unwrap();
        let again = Snapshot { offset, ..again };
        let again = records_of(&Archive::of(&again).unwrap().unwrap(), 0).unwrap();
        assert_eq!(again, (head.clone(), records.clone()));
    }
    let [NewRecord { key, timestamp, partition, .. }] = &records[..] else { panic!("{records:?}") };
    assert_eq!((key.as_str(), *timestamp, *partition), ("arena-night", snapshot.time, PARTITION));
}

#[tokio::test]
async fn its_hash_is_that_of_everything_else_as_it_stands_there() {
    let archive = archive().await;
    let text = archive.to_json().unwrap();
    let without = text.replace(&format!(r#""hash":"{}","#, archive.hash), "");
    assert!(without.len() < text.len() && !without.contains(": "), "{text}");
    let hash = format!("{:x}", Sha256::digest(&without));
    assert_eq!(hash, archive.hash);
    assert_eq!(Archive::read(&arena(), text.as_bytes()).unwrap(), archive);

    let refused = |text: &str| Archive::read(&arena(), text.as_bytes()).unwrap_err().to_string();
    let changed = refused(&text.replace("24000", "23000"));
    assert!(changed.contains("arena-night") && changed.contains("it says another one"), "{changed}");
    assert!(refused(&text.replace(r#""format":1"#, r#""format":2"#)).contains("format 2"));
    assert!(refused(&without).contains("its hash is"), "it has none");
    assert!(refused("no JSON").contains("arena-night"));
    let of_another = Archive::read(&"matinee".parse().unwrap(), text.as_bytes()).unwrap_err().to_string();
    assert!(of_another.contains("it is that of arena-night"), "{of_another}");
}

#[tokio::test]
async fn of_one_that_was_purged_nothing_is_told() {
    let (store, _) = sold().await;
    store.execute(&arena(), &Command::Purge, &cause()).await.unwrap().unwrap();
    assert_eq!(Archive::of(&folded(&store).await).unwrap(), None);
}

/// One with so many reservations.
async fn large(reservations: u32) -> Archive {
    let mut archive = archive().await;
    let like = archive.reservations[0].clone();
    let another = |_| {
        let reservation_id = ReservationId::new(arena(), Uuid::new_v4());
        ArchivedReservation { reservation_id, ..like.clone() }
    };
    archive.reservations = (0..reservations).map(another).collect();
    let mut value = serde_json::to_value(&archive).unwrap();
    take_hash(&mut value);
    Archive { hash: hash_of(&value), ..archive }
}

#[tokio::test]
async fn a_large_one_is_in_pieces_and_a_smaller_one_takes_off_what_is_left_over() {
    let (log, event) = (FakeLog::default(), arena());
    let newest = || shelf::read(&log, TOPIC, PARTITION, &event);
    assert_eq!(newest().await.unwrap(), None);
    let archive = large(10_000).await;
    let (head, records) = records_of(&archive, 0).unwrap();
    assert!(head.pieces > 1 && records.len() == head.pieces as usize, "{head:?}");
    let keys: Vec<_> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys[..2], ["arena-night", "arena-night/1"]);
    assert!(records.iter().all(|record| (1..=PIECE).contains(&record.value.len())));
    log.publish(&archive_topic(TOPIC), records.clone()).await.unwrap();
    assert_eq!(newest().await.unwrap(), Some(archive.clone()));
    let shelf = Shelf::read(&log, TOPIC, PARTITION).await.unwrap();
    assert!(
        shelf.has(&arena(), 11) && !shelf.has(&arena(), 10) && !shelf.has(&"matinee".parse().unwrap(), 11)
    );
    assert_eq!(shelf.pieces_of(&arena()), head.pieces);

    let smaller = large(1).await;
    let (_, records) = records_of(&smaller, head.pieces).unwrap();
    let empty = records.iter().filter(|record| record.value.is_empty()).count();
    assert_eq!((records.len(), empty), (head.pieces as usize, head.pieces as usize - 1));
    log.publish(&archive_topic(TOPIC), records).await.unwrap();
    assert_eq!(newest().await.unwrap(), Some(smaller));

    let (_, mut torn) = records_of(&archive, 0).unwrap();
    torn.pop();
    log.publish(&archive_topic(TOPIC), torn).await.unwrap();
    assert!(newest().await.unwrap_err().to_string().contains("pieces, and"));
}
