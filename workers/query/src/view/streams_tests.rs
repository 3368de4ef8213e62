use std::collections::BTreeMap;

use super::*;
use crate::testing::{created, definition, deleted, event_id, held, map, purged, reserved, updated};
use crate::view::Trust;

fn views() -> Arc<Views> {
    let views = Arc::new(Views::default());
    views.install(vec![map("arena", 1)], BTreeMap::new(), Trust::Further);
    views
}

fn apply(views: &Views, sequence: u64, fact: &boxoffice_domain::DomainEvent) {
    views.apply(&event_id("arena"), sequence, Some(fact)).unwrap();
}

async fn heard(listener: &mut Listener) -> String {
    String::from_utf8(listener.frames.recv().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tick_is_one_frame_for_all_who_listen() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let live = views.get("arena").unwrap();
    let mut listeners: Vec<_> = (0..3).map(|_| streams.listen(&views, &live).unwrap()).collect();
    tokio::task::yield_now().await;
    apply(&views, 2, &held("arena.A-1-2"));
    apply(&views, 3, &held("arena.FLOOR-2"));
    apply(&views, 4, &reserved("arena.A-1-2"));
    let expected = "id: 4\nevent: changes\n\
                    data: {\"sequence\":4,\"epoch\":0,\"changes\":[[1,\"RESERVED\"],[7,\"HELD\"]]}\n\n";
    let mut frames = vec![];
    for listener in &mut listeners {
        frames.push(listener.frames.recv().await.unwrap());
    }
    assert!(frames.iter().all(|frame| frame == expected), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.as_ptr() == frames[0].as_ptr()), "shared");
}

#[tokio::test(start_paused = true)]
async fn another_chart_is_told_with_what_it_changed() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let live = views.get("arena").unwrap();
    let mut listener = streams.listen(&views, &live).unwrap();
    tokio::task::yield_now().await;
    let mut dearer = definition();
    dearer.price_categories[0].amount += 1;
    apply(&views, 2, &updated("arena", dearer));
    let hashes = live.hashes();
    let expected = format!(
        "event: definition\ndata: {{\"chartHash\":\"{}\",\"seatsHash\":\"{}\"}}\n\n",
        hashes.chart, hashes.seats
    );
    assert_eq!(heard(&mut listener).await, expected);
    assert!(heard(&mut listener).await.starts_with("id: 2\nevent: changes\n"));
    let mut other = definition();
    other.sections.truncate(1);
    apply(&views, 3, &updated("arena", other));
    assert!(heard(&mut listener).await.starts_with("event: definition\n"));
    assert_eq!(heard(&mut listener).await, "id: 3\nevent: reset\ndata: {\"sequence\":3}\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_has_a_heartbeat_and_ends_with_the_process() {
    let (views, stop) = (views(), CancellationToken::new());
    let streams = Arc::new(Streams::new(stop.clone()));
    let mut listener = streams.listen(&views, &views.get("arena").unwrap()).unwrap();
    let begun = Instant::now();
    assert_eq!(heard(&mut listener).await, ":\n\n");
    assert!(begun.elapsed() >= HEARTBEAT && begun.elapsed() < HEARTBEAT * 2);
    stop.cancel();
    assert!(listener.frames.recv().await.is_err(), "the teller is gone");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_show_and_one_of_the_same_name_has_its_own() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let mut listener = streams.listen(&views, &views.get("arena").unwrap()).unwrap();
    tokio::task::yield_now().await;
    apply(&views, 2, &purged("arena"));
    assert!(listener.frames.recv().await.is_err());
    apply(&views, 3, &created("arena"));
    let mut anew = streams.listen(&views, &views.get("arena").unwrap()).unwrap();
    tokio::task::yield_now().await;
    apply(&views, 4, &held("arena.A-1-2"));
    assert!(heard(&mut anew).await.starts_with("id: 4\nevent: changes\n"));
    apply(&views, 5, &deleted("arena"));
    assert!(anew.frames.recv().await.is_err(), "what is closed for good is not shown");
}

#[tokio::test(start_paused = true)]
async fn frames_are_never_closer_than_a_tick_however_late_one_was() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let live = views.get("arena").unwrap();
    let mut listener = streams.listen(&views, &live).unwrap();
    let mut last = Instant::now();
    for (sequence, late) in (2..).zip([0, 3, 40, 250, 0]) {
        apply(&views, sequence, &held("arena.A-1-2"));
        // Nothing else has its turn in that time.
        tokio::time::advance(TICK + Duration::from_millis(late)).await;
        heard(&mut listener).await;
        assert!(last.elapsed() >= TICK, "{late}");
        last = Instant::now();
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_before_a_teller_has_its_first_turn_is_told() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let live = views.get("arena").unwrap();
    let mut listener = streams.listen(&views, &live).unwrap();
    apply(&views, 2, &held("arena.A-1-2"));
    assert!(heard(&mut listener).await.starts_with("id: 2\nevent: changes\n"));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_too_far_behind_is_cut_off() {
    let (views, streams) = (views(), Arc::new(Streams::new(CancellationToken::new())));
    let mut listener = streams.listen(&views, &views.get("arena").unwrap()).unwrap();
    for sequence in 2..=u64::try_from(BEHIND).unwrap() + 10 {
        apply(&views, sequence, &held("arena.A-1-2"));
        sleep(TICK).await;
    }
    assert!(listener.frames.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_places_and_no_more_and_nobody_is_told_when_nobody_listens() {
    let (views, streams) = (views(), Arc::new(Streams::of(2, CancellationToken::new())));
    let live = views.get("arena").unwrap();
    let (first, second) = (streams.listen(&views, &live).unwrap(), streams.listen(&views, &live).unwrap());
    assert!(matches!(streams.listen(&views, &live), Err(Full)));
    drop(first);
    assert_eq!(streams.count(), 1);
    let again = streams.listen(&views, &live).unwrap();
    drop((second, again));
    while !streams.tellers.lock().unwrap().is_empty() {
        sleep(TICK).await;
    }
    assert_eq!(streams.count(), 0);
}

#[test]
fn an_id_has_the_epoch_where_there_is_one() {
    assert_eq!(reset(0, 7), "id: 7\nevent: reset\ndata: {\"sequence\":7}\n\n");
    assert_eq!(reset(2, 7), "id: 2-7\nevent: reset\ndata: {\"sequence\":7}\n\n");
}
