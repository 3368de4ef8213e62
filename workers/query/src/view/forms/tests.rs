use std::collections::BTreeMap;
use std::io::Read;

use boxoffice_domain::{DomainEvent, SeatMap};
use serde::{Deserialize, Serialize};

use super::*;
use crate::testing::{definition, event_id, held, map, reserved, updated};
use crate::view::{LiveMap, Rendered, Trust, Views};

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

fn reference(map: &SeatMap, sequence: u64, section: Option<&str>) -> Reference {
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
    Reference { event_id: map.id.to_string(), sequence, seats: seats.collect() }
}

/// A replica that knows one SeatingEvent, and what it shows.
struct Stage {
    views: Views,
    sequence: u64,
}

impl Stage {
    fn of(facts: &[DomainEvent]) -> Self {
        let views = Views::default();
        views.install(vec![map("arena", 1)], BTreeMap::new(), Trust::Further);
        let mut stage = Self { views, sequence: 1 };
        for fact in facts {
            stage.happens(fact);
        }
        stage
    }

    fn happens(&mut self, fact: &DomainEvent) {
        self.sequence += 1;
        self.views.apply(&event_id("arena"), self.sequence, Some(fact)).unwrap();
    }

    fn live(&self) -> Arc<LiveMap> {
        self.views.get("arena").unwrap()
    }

    async fn rendered(&self) -> Rendered {
        self.views.rendering(&self.live(), self.sequence).await.unwrap()
    }

    /// What is sent of the newest state in both encodings, which is the same.
    async fn json(&self, section: Option<&str>) -> Reference {
        let Rendered { rendering, .. } = self.rendered().await;
        let plain = rendering.json(section, Encoding::Identity).unwrap().concat();
        let compressed = rendering.json(section, Encoding::Gzip).unwrap().concat();
        let mut unpacked = vec![];
        flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
        serde_json::from_slice(&plain).unwrap()
    }

    async fn shows_all(&self) {
        let expected = self.live().read(|map| reference(map, self.sequence, None));
        assert_eq!(self.json(None).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rendering_is_what_serde_writes_but_for_blanks_behind_the_status() {
    let stage = Stage::of(&[held("arena.A-1-2"), held("arena.FLOOR-2"), reserved("arena.FLOOR-2")]);
    stage.shows_all().await;
    let Rendered { rendering, .. } = stage.rendered().await;
    for (section, changed) in [("A", 2), ("FLOOR", 4)] {
        let expected = stage.live().read(|map| reference(map, 4, Some(section)));
        assert_eq!(stage.json(Some(section)).await, expected, "{section}");
        assert_eq!(rendering.tag_of(section).unwrap().sequence, changed);
    }
    let text = rendering.json(Some("A"), Encoding::Identity).unwrap().concat();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains(r#""number":"2","status":"HELD"     ,"priceCategory":"gold"}"#), "{text}");
    assert!(rendering.json(Some("B"), Encoding::Identity).is_none() && rendering.tag_of("B").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_follows_is_what_would_be_rendered_anew() {
    let mut stage = Stage::of(&[]);
    for fact in [held("arena.A-2-3"), reserved("arena.A-2-3"), held("arena.FLOOR-1"), held("arena.A-1-3")] {
        let before = stage.rendered().await.rendering;
        stage.happens(&fact);
        stage.shows_all().await;
        let after = stage.rendered().await.rendering;
        let is_shared = |nth: usize| Arc::ptr_eq(&before.sections[nth].form, &after.sections[nth].form);
        assert_eq!(is_shared(0), fact.seating_event().as_str() == "arena" && is_of_floor(&fact), "{fact:?}");
        assert_eq!(is_shared(1), !is_of_floor(&fact), "{fact:?}");
    }
    let mut smaller = definition();
    smaller.sections.truncate(1);
    stage.happens(&updated("arena", smaller));
    stage.shows_all().await;
    let mut dearer = definition();
    dearer.sections[0].price_category = dearer.sections[1].price_category.clone();
    stage.happens(&updated("arena", dearer));
    stage.shows_all().await;
}

fn is_of_floor(fact: &DomainEvent) -> bool {
    matches!(fact, DomainEvent::SeatHeld(held) if held.section_id == "FLOOR")
}

#[tokio::test(start_paused = true)]
async fn seats_of_a_section_that_is_described_twice_are_all_there() {
    let mut twice = definition();
    let mut again = twice.sections[0].clone();
    again.rows[0].rows = Some("3".into());
    twice.sections.push(again);
    let stage = Stage::of(&[updated("arena", twice), held("arena.A-3-1")]);
    stage.shows_all().await;
    let expected = stage.live().read(|map| reference(map, 3, Some("A")));
    assert_eq!(stage.json(Some("A")).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_state_is_rendered_once_and_compressed_once_whoever_asks() {
    let stage = Stage::of(&[held("arena.A-1-2")]);
    let live = stage.live();
    let all = futures::future::join_all((0..50).map(|_| stage.views.rendering(&live, 0))).await;
    assert_eq!(all.iter().filter(|one| one.as_ref().unwrap().anew).count(), 1);
    let pointers = all.iter().map(|one| {
        let pieces = one.as_ref().unwrap().rendering.json(Some("A"), Encoding::Gzip).unwrap();
        pieces[2].as_ptr()
    });
    assert_eq!(pointers.collect::<std::collections::HashSet<_>>().len(), 1);
    assert!(all[0].as_ref().unwrap().rendering.is_deflated(Some("A")));
}

#[tokio::test(start_paused = true)]
async fn a_map_is_at_most_a_tick_old_and_whoever_changed_something_waits_for_the_next() {
    let mut stage = Stage::of(&[]);
    let begun = Instant::now();
    assert!(stage.rendered().await.anew);
    stage.happens(&held("arena.A-1-2"));
    let old = stage.views.rendering(&stage.live(), 0).await.unwrap();
    assert_eq!((old.anew, old.rendering.tag.sequence), (false, 1), "in between everybody has the last one");
    assert!(begun.elapsed() < TICK);
    assert_eq!(stage.rendered().await.rendering.tag.sequence, 2);
    assert!(begun.elapsed() >= TICK && begun.elapsed() < TICK * 2);
    // While nothing changes nothing is rendered, however long that is.
    tokio::time::advance(TICK * 100).await;
    assert!(!stage.rendered().await.anew);
}

#[tokio::test(start_paused = true)]
async fn another_history_forgets_what_was_rendered() {
    let stage = Stage::of(&[held("arena.A-1-2"), held("arena.A-1-3")]);
    stage.shows_all().await;
    stage.views.install(vec![map("arena", 2)], BTreeMap::new(), Trust::Snapshot);
    let expected = reference(&map("arena", 2), 2, None);
    let Rendered { rendering, .. } = stage.views.rendering(&stage.live(), 0).await.unwrap();
    let shown = rendering.json(None, Encoding::Identity).unwrap().concat();
    assert_eq!(serde_json::from_slice::<Reference>(&shown).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn renderings_have_a_budget_and_those_that_nobody_asked_for_go_first() {
    let renderings = Renderings::default();
    let large = |event: &str| {
        let map = map(event, 1);
        let chart = Arc::clone(map.chart());
        let moment = Moment {
            tag: Tag { seats_hash: "ab".into(), epoch: 0, sequence: 1 },
            event: event_id(event),
            definition: map.definition.clone(),
            chart,
            defined: 1,
            sections: vec![1, 1],
            statuses: vec![SeatStatus::Available; BUDGET / 5],
        };
        Arc::new(Rendering::new(moment, None))
    };
    for event in ["a", "b"] {
        renderings.keep(&event_id(event), large(event));
        tokio::time::advance(TICK).await;
    }
    assert!(renderings.get(&event_id("a")).is_some());
    tokio::time::advance(TICK).await;
    renderings.keep(&event_id("c"), large("c"));
    assert!(renderings.get(&event_id("b")).is_none());
    assert!(renderings.get(&event_id("a")).is_some() && renderings.get(&event_id("c")).is_some());
}
