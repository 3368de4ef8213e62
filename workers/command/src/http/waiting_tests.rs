//! Many who wait for the log at once.

use std::sync::Arc;

use boxoffice_runtime::http::MAX_IN_FLIGHT;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::command_service::MAX_WAITING;
use super::tests::{HOLD, House, RESERVE};
use crate::durability::Guarantee;
use crate::store::{History, Outbox};
use crate::testing::arena;

#[tokio::test(start_paused = true)]
async fn more_reserves_than_requests_may_be_at_work_leave_room_for_holds() {
    let house = House::guaranteeing(Guarantee::Log).await;
    house.post("alice", HOLD).await.done(200);
    let count = MAX_IN_FLIGHT + 100;
    let mut crowd: FuturesUnordered<_> = (0..count).map(|_| house.post("alice", RESERVE)).collect();
    for _ in MAX_WAITING..count {
        let told = crowd.next().await.unwrap();
        assert!(told.refused(503, "UNAVAILABLE").detail().contains("the reservation stands"));
    }
    house.hold("bob", &["A-1-2"]).await.done(201);

    let listening = tokio::spawn(Arc::clone(&house.published).listen());
    let event = arena();
    let announced = house.published.reached(&event, History::default(), 5);
    let publishing = async {
        tokio::task::yield_now().await;
        house.store.published(&event, 5, 0).await.unwrap();
    };
    tokio::join!(announced, publishing).0.unwrap();
    house.post("alice", RESERVE).await.done(200);
    assert_eq!(crowd.len(), MAX_WAITING);
    while let Some(told) = crowd.next().await {
        told.done(200);
    }
    listening.abort();
}
