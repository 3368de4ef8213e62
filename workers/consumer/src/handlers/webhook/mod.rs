//! Domain events over HTTP: how a service, such as one that sends mail, attaches without Kafka code.
//!
//! The handler hangs the events that are wanted below their lanes, inside of the loop's transaction (I5); [`work`]
//! delivers them beside it, in order per aggregate and topic. [`delivery`] is one request, [`signature`] signs it,
//! [`schedule`] says when a failed one is tried again. Nothing here can be replayed: a mail is no row.

pub mod signature;

pub mod schedule;

pub mod delivery;

pub mod work;

use std::collections::BTreeSet;

use async_trait::async_trait;
use boxoffice_domain::{DomainEvent, Envelope};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::{ApplyError, Handler, Topic};
use crate::effects::postgres::{Clock, enqueue};
use crate::effects::{Refused, Setting};

/// Which events are passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(BTreeSet<String>);

/// Keeps what is to be passed on.
#[derive(Debug, Clone)]
pub struct WebhookHandler {
    /// Which events.
    pub wanted: Wanted,
    /// The time.
    pub clock: Clock,
}

impl Wanted {
    /// These types; all on the topics of seats and payments where none is named.
    ///
    /// # Errors
    /// A name that no type has.
    pub fn new(types: impl IntoIterator<Item = String>) -> Result<Self, Refused> {
        let types: BTreeSet<String> = types.into_iter().collect();
        let passed_on: Vec<_> =
            DomainEvent::TYPES.iter().copied().filter(|name| *name != "stats.updated").collect();
        match types.iter().find(|wanted| !passed_on.contains(&wanted.as_str())) {
            Some(unknown) => Err(Refused {
                setting: Setting::WebhookEvents,
                problem: format!("no event is called {unknown}: there are {}", passed_on.join(", ")),
            }),
            None => Ok(Self(types)),
        }
    }

    /// Whether an event is among them.
    pub fn has(&self, event: &DomainEvent) -> bool {
        self.0.is_empty() || self.0.contains(event.event_type())
    }
}

#[async_trait]
impl Handler for WebhookHandler {
    const NAME: &'static str = "webhook";
    const REPLAYABLE: bool = false;
    const READS: &'static [Topic] = &[Topic::Seats, Topic::Payments];

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/webhook")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let wanted: Vec<&Envelope> =
            events.iter().copied().filter(|envelope| self.wanted.has(&envelope.event)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let now = self.clock.now(connection).await?;
        enqueue(connection, now, &wanted).await
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::ReservationId;
    use boxoffice_domain::events::NotReinstated;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn types_are_asked_for_by_name_and_all_of_them_by_none() {
        let event = DomainEvent::ReservationNotReinstated(NotReinstated {
            reservation_id: ReservationId::new("arena-night".parse().unwrap(), Uuid::nil()),
            event_id: "arena-night".parse().unwrap(),
            user_id: "alice".parse().unwrap(),
            payment_id: "p-1".into(),
        });
        let wants = |types: &[&str]| {
            let wanted = Wanted::new(types.iter().map(|name| (*name).to_owned()));
            wanted.map(|wanted| wanted.has(&event)).map_err(|error| error.to_string())
        };
        assert_eq!(wants(&[]), Ok(true));
        assert_eq!(wants(&["payment.completed", "reservation.not_reinstated"]), Ok(true));
        assert_eq!(wants(&["payment.completed"]), Ok(false));
        let told = wants(&["seat.*"]).unwrap_err();
        assert!(told.contains("no event is called seat.*") && told.contains("seat.held"), "{told}");
        assert!(wants(&["stats.updated"]).is_err(), "it is on a topic that is not read");
    }
}
