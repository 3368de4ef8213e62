//! Takes domain events in: what the payment and webhook handlers of a cluster do inside of a transaction of their
//! database, done here on a [`Book`].

use std::collections::BTreeSet;
use std::time::Duration;

use boxoffice_consumer::effects::Lane;
use boxoffice_consumer::effects::postgres::json;
use boxoffice_consumer::handlers::ApplyError;
use boxoffice_consumer::handlers::payment::intake::{Kept, Rows, concerned, take_in};
use boxoffice_consumer::handlers::payment::{due, read, written};
use boxoffice_consumer::handlers::webhook::Wanted;
use boxoffice_domain::Envelope;

use super::book::{Book, Turn};
use crate::embedded::views::{LogPosition, MemoryHandler, Refusal};

/// Keeps payments.
#[derive(Debug)]
pub struct Payments {
    /// In here.
    pub book: Book,
    /// How long a reservation may be unpaid.
    pub timeout: Duration,
}

/// Keeps what is to be passed on.
#[derive(Debug)]
pub struct Webhooks {
    /// In here.
    pub book: Book,
    /// Which events.
    pub wanted: Wanted,
}

impl MemoryHandler for Payments {
    fn apply(&mut self, event: &Envelope, position: LogPosition<'_>) -> Result<(), Refusal> {
        let ids: BTreeSet<String> = concerned(&event.event).into_iter().collect();
        if ids.is_empty() || self.book.is_known(position) {
            return Ok(());
        }
        let at = self.book.moment();
        self.book.take_in(position, |turn| {
            let before = load(turn, ids)?;
            let mut rows = before.clone();
            let announced = take_in(&mut rows, event, self.timeout, at);
            for (id, kept) in rows.iter().filter(|(id, kept)| before.get(*id) != Some(*kept)) {
                turn.keep(&Lane::payment(id), written(kept), due(kept));
            }
            turn.announce(&announced);
            Ok(())
        })
    }
}

impl MemoryHandler for Webhooks {
    fn apply(&mut self, event: &Envelope, position: LogPosition<'_>) -> Result<(), Refusal> {
        if !self.wanted.has(&event.event) || self.book.is_known(position) {
            return Ok(());
        }
        let (lane, envelope) = (Lane::of(&event.event), json(event)?);
        let at = self.book.moment();
        self.book.take_in(position, |turn| {
            turn.enqueue(&lane, envelope, at.now);
            Ok(())
        })
    }
}

/// What is kept of these reservations and of those that cover them.
fn load(turn: &Turn<'_>, ids: BTreeSet<String>) -> Result<Rows, ApplyError> {
    let (mut rows, mut wanted) = (Rows::new(), ids);
    while let Some(id) = wanted.pop_first() {
        let page = turn.pages.lanes.get(&Lane::payment(&id));
        let Some(state) = page.and_then(|page| page.state.as_deref()) else { continue };
        let kept = read(state)?;
        if let Kept::CoveredBy(by) = &kept {
            wanted.insert(by.clone());
        }
        rows.insert(id, kept);
    }
    Ok(rows)
}
