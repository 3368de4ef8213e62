use std::io::Read;

use boxoffice_domain::DomainEvent;
use serde::{Deserialize, Serialize};

use super::*;
use crate::testing::{definition, held, map, reserved, updated};
use crate::view::{LiveMap, live_map::PictureError};

/// The contract's JSON by way of serde.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reference {
    event_id: String,
    sequence: u64,
    seats: Vec<ReferenceSeat>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReferenceSeat {
    seat_id: String,
    section_id: String,
    row: String,
    number: String,
    status: String,
    price_category: String,
}

fn reference(map: &SeatMap, section: Option<&str>) -> String {
    let seats = map.chart().seats().zip(map.statuses()).filter_map(|(seat, status)| {
        let of = &map.definition.sections[seat.section()];
        section.is_none_or(|id| id == of.id).then(|| ReferenceSeat {
            seat_id: format!("{}.{}", map.id, seat.key()),
            section_id: of.id.clone(),
            row: seat.row().into(),
            number: seat.number().into(),
            status: status.as_str().into(),
            price_category: of.price_category.clone(),
        })
    });
    let reference =
        Reference { event_id: map.id.to_string(), sequence: map.sequence, seats: seats.collect() };
    serde_json::to_string(&reference).unwrap()
}

async fn json(live: &Arc<LiveMap>, section: Option<&str>) -> String {
    let drawn = live.picture(section).await.unwrap();
    String::from_utf8(drawn.picture.json.to_vec()).unwrap()
}

fn live(facts: &[DomainEvent]) -> Arc<LiveMap> {
    let live = Arc::new(LiveMap::new(map("arena", 1)));
    for (fact, sequence) in facts.iter().zip(2..) {
        live.apply(Some(fact), sequence).unwrap();
    }
    live
}

#[tokio::test]
async fn a_rendering_is_byte_for_byte_what_serde_writes() {
    let live = live(&[held("arena.A-1-2"), held("arena.FLOOR-2"), reserved("arena.FLOOR-2")]);
    for section in [None, Some("A"), Some("FLOOR")] {
        assert_eq!(json(&live, section).await, live.read(|map| reference(map, section)), "{section:?}");
    }
}

#[tokio::test]
async fn seats_of_a_section_that_is_described_twice_are_all_there() {
    let mut twice = definition();
    let mut again = twice.sections[0].clone();
    again.rows[0].rows = Some("3".into());
    twice.sections.push(again);
    let live = live(&[updated("arena", twice), held("arena.A-3-1")]);
    for section in [None, Some("A")] {
        assert_eq!(json(&live, section).await, live.read(|map| reference(map, section)));
    }
}

#[tokio::test]
async fn one_state_is_rendered_once_and_compressed_once() {
    let live = live(&[]);
    let first = live.picture(None).await.unwrap();
    let second = live.picture(None).await.unwrap();
    assert_eq!((first.anew, second.anew), (true, false));
    let (one, other) = (first.picture.gzip().await.unwrap(), second.picture.gzip().await.unwrap());
    assert_eq!(one.as_ptr(), other.as_ptr());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&one[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, json(&live, None).await);
}

#[tokio::test]
async fn everybody_who_comes_at_once_shares_one_rendering() {
    let live = live(&[held("arena.A-1-2")]);
    let drawn = futures::future::join_all((0..50).map(|_| live.picture(Some("A")))).await;
    assert_eq!(drawn.iter().filter(|drawn| drawn.as_ref().unwrap().anew).count(), 1);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_request() {
    let live = live(&[]);
    assert!(
        json(&live, None).await.contains(
            r#""seatId":"arena.A-2-3","sectionId":"A","row":"2","number":"3","status":"AVAILABLE""#
        )
    );
    live.apply(Some(&held("arena.A-2-3")), 2).unwrap();
    assert_eq!(json(&live, None).await, live.read(|map| reference(map, None)));
    let mut smaller = definition();
    smaller.sections.truncate(1);
    live.apply(Some(&updated("arena", smaller)), 3).unwrap();
    assert_eq!(json(&live, None).await, live.read(|map| reference(map, None)));
    assert!(matches!(live.picture(Some("FLOOR")).await, Err(PictureError::NoSuchSection)));
}

#[tokio::test]
async fn going_back_to_another_history_forgets_what_was_rendered() {
    let live = live(&[held("arena.A-1-2"), held("arena.A-1-3")]);
    json(&live, None).await;
    live.replace(map("arena", 2));
    assert_eq!(json(&live, None).await, reference(&map("arena", 2), None));
}
