//! Requests that wait for a change of a reservation: one task looks for all of them, at most four times a second and only while
//! somebody waits, so that a crowd of waiting buyers costs the database as much as one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::{ReservationId, UserId};
use boxoffice_runtime::http::Problem;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::{Orders, OrdersError, Reservation};

/// Most requests that wait at once.
pub const MAX_WAITING: usize = 1_000;
/// Shortest time from one look to the next.
const LOOK: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub(super) struct Waiting {
    permits: Semaphore,
    /// How many wait for each.
    wanted: Mutex<HashMap<ReservationId, usize>>,
    more: Notify,
    /// How many looks have begun.
    begun: AtomicU64,
    looks: watch::Sender<Look>,
}

/// What a look came to.
#[derive(Debug, Clone)]
enum Look {
    /// None yet.
    Nothing,
    /// These were there when the look of that number had begun.
    Found(u64, Arc<HashMap<ReservationId, Reservation>>),
    /// None could be read.
    Failed(OrdersError),
    /// There will be no other.
    Last,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(MAX_WAITING),
            wanted: Mutex::default(),
            more: Notify::new(),
            begun: AtomicU64::default(),
            looks: watch::Sender::new(Look::Nothing),
        }
    }
}

/// Somebody who waits, until dropped.
struct Wanted<'a>(&'a Waiting, &'a ReservationId);

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut wanted = self.0.wanted();
        if let Some(count) = wanted.get_mut(self.1) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(self.1);
            }
        }
    }
}

impl Waiting {
    /// See [`OrderService::after`](super::OrderService::after).
    pub(super) async fn change(
        &self,
        before: Option<Reservation>,
        id: &ReservationId,
        user: &UserId,
        until: Instant,
    ) -> Result<Option<Reservation>, Problem> {
        let Ok(_permit) = self.permits.try_acquire() else {
            return Err(Problem::unavailable("too many requests wait already: ask again, or without wait"));
        };
        let mut looks = self.looks.subscribe();
        let _wanted = self.want(id);
        // A look that is under way may have read before the one who waits did, and would tell the past as a change.
        let begun = self.begun.load(SeqCst);
        let mut failed = None;
        let mut is_last = matches!(*looks.borrow(), Look::Last);
        while !is_last && matches!(timeout_at(until, looks.changed()).await, Ok(Ok(()))) {
            match &*looks.borrow_and_update() {
                Look::Found(number, _) if *number <= begun => {}
                Look::Nothing => {}
                // One that is not in it was not looked for yet, or is not there.
                Look::Found(_, found) => {
                    failed = None;
                    let now = found.get(id).filter(|found| found.user == *user);
                    if now.is_some() && now != before.as_ref() {
                        return Ok(now.cloned());
                    }
                }
                Look::Failed(error) => failed = Some(error.clone()),
                Look::Last => is_last = true,
            }
        }
        failed.map_or(Ok(before), |error| Err(error.into()))
    }

    /// Looks as long as somebody waits, for ever.
    pub(super) async fn look(&self, orders: &dyn Orders) -> Infallible {
        let mut turn = interval(LOOK);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while self.wanted().is_empty() {
                self.more.notified().await;
            }
            turn.tick().await;
            let number = self.begun.fetch_add(1, SeqCst) + 1;
            let ids: Vec<_> = self.wanted().keys().cloned().collect();
            let look = match orders.reservations(&ids).await {
                Ok(found) => {
                    let found = found.into_iter().map(|found| (found.id.clone(), found)).collect();
                    Look::Found(number, Arc::new(found))
                }
                Err(error) => Look::Failed(error),
            };
            self.tell(look);
        }
    }

    pub(super) fn close(&self) {
        self.tell(Look::Last);
    }

    fn tell(&self, look: Look) {
        self.looks.send_if_modified(|told| {
            let goes_on = !matches!(told, Look::Last);
            if goes_on {
                *told = look;
            }
            goes_on
        });
    }

    fn want<'a>(&'a self, id: &'a ReservationId) -> Wanted<'a> {
        *self.wanted().entry(id.clone()).or_default() += 1;
        self.more.notify_one();
        Wanted(self, id)
    }

    fn wanted(&self) -> MutexGuard<'_, HashMap<ReservationId, usize>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
