//! Shows that are over leave the seat view, as they leave the view database of a cluster, and one that is put off comes back to
//! it: with what is blocked of it, which is kept, and with the reservations and holds that there are.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::project::SeatView as Shown;
use boxoffice_domain::{SeatId, SeatingEventId, UnixMillis};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::SeatView;
use super::holds::Holds;
use super::reservations::Reservations;
use crate::embedded::seats::Clock;
use crate::embedded::views::MemoryView;

/// How often it is looked which are over.
const EVERY: Duration = Duration::from_mins(1);

impl MemoryView<SeatView> {
    /// Takes leave of the seats of SeatingEvents that are over at `now`. Reservations and payments stay.
    pub fn leave(&self, now: UnixMillis) {
        self.state().handler.maps.leave(now);
    }

    /// Does so now and then, by `clock`, until `stop`.
    pub async fn look_after(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
            self.leave(clock());
        }
    }
}

/// The seats of a SeatingEvent that somebody has, and what they are by that. What was reserved before it was purged, with that
/// sequence, is none of it.
pub(super) fn claims(
    reservations: &Reservations,
    holds: &Holds,
    event: &SeatingEventId,
    purged: u64,
) -> Vec<(SeatId, Shown)> {
    let reserved = reservations.iter().filter(|it| it.id.event_id() == event && it.sequence > purged);
    let reserved = reserved.flat_map(|it| {
        it.seats.iter().map(move |seat| {
            let (user, reservation) = (it.user.clone(), it.id.clone());
            (seat.clone(), Shown::Reserved { user, reservation })
        })
    });
    let held = holds.of_event(event).map(|(seat, user, held)| {
        let (user, hold, expires_at) = (user.clone(), held.id.clone(), held.expires_at);
        (seat.clone(), Shown::Held { user, hold, expires_at })
    });
    reserved.chain(held).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use boxoffice_domain::DomainEvent;
    use boxoffice_domain::events::SeatingEventDefined;
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_show_leaves_soon_after_it_is_over_by_the_clock() {
        let defined: SeatingEventDefined = serde_json::from_value(json!({
            "eventId": "arena-night",
            "chartHash": "",
            "title": "Arena Night",
            "startsAt": 1000,
            "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
            "sections": [{"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-3"}]}]
        }))
        .unwrap();
        let over_at = defined.definition.over_at();
        let view = Arc::new(MemoryView::new(SeatView::new("seat-events".into())));
        let created = DomainEvent::EventCreated(defined);
        view.state().handler.maps.apply(&created, 1, |_| vec![]).unwrap();
        let is_there = || view.read(|view, _| view.maps().get("arena-night").is_some());

        let now = Arc::new(AtomicU64::new(over_at - 1));
        let (its, stop) = (Arc::clone(&now), CancellationToken::new());
        let clock = Arc::new(move || its.load(SeqCst));
        let looking = tokio::spawn(Arc::clone(&view).look_after(clock, stop.clone()));
        sleep(EVERY * 2).await;
        assert!(is_there());
        now.store(over_at, SeqCst);
        sleep(EVERY * 2).await;
        assert!(!is_there());
        stop.cancel();
        looking.await.unwrap();
    }
}
