//! Keeps the SeatingEvents as the files declare them: what the operator does by the admin API, in process.

use std::collections::BTreeSet;
use std::fmt;

use boxoffice_command::store::{Cause, Inventory, Provisioning, SeatStore};
use boxoffice_crds::SeatingEvent;
use boxoffice_domain::decide::in_words;
use boxoffice_domain::faults::sound;
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Command, CorrelationId, SeatId, SeatingEventId};
use boxoffice_operator::seating_event::build::build;
use kube::ResourceExt;
use uuid::Uuid;

use super::{Platform, PlatformError};

/// What became of a SeatingEvent.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is on sale as declared, newly so.
    Provisioned(Box<Inventory>),
    /// Its seat map stays as it was, because of seats that somebody has; all else is as declared.
    Partly {
        /// As it is now.
        inventory: Box<Inventory>,
        /// What stands in the way.
        why: String,
    },
    /// It is no longer declared: its sales are closed, its seats are kept.
    Closed(SeatingEventId),
    /// It stays as it was, for this reason.
    Refused(String, String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provisioned(inventory) => {
                let (event, seats) = (&inventory.event, inventory.seats);
                write!(f, "{event}: {} seats, {} of them available", seats.total, seats.available)
            }
            Self::Partly { inventory, why } => {
                let event = &inventory.event;
                write!(
                    f,
                    "{event}: all but its seat map is as declared; {why}. The seat map is tried again when one of \
                     these seats comes back"
                )
            }
            Self::Closed(event) => {
                write!(f, "{event}: no longer declared, its sales are closed and its seats kept")
            }
            Self::Refused(event, why) => write!(f, "{event}: not changed: {why}"),
        }
    }
}

impl Platform {
    /// Provisions what `events` declare and closes what they no longer do. A sale that is refused leaves the others
    /// alone.
    ///
    /// # Errors
    /// A data file that failed.
    pub async fn converge(
        &self,
        events: &[SeatingEvent],
        partitions: u32,
    ) -> Result<Vec<Change>, PlatformError> {
        let mut changes = vec![];
        let mut declared = BTreeSet::new();
        for event in events {
            let name = event.name_any();
            declared.insert(name.clone());
            match self.provision(event, partitions).await? {
                Ok(change) => changes.extend(change),
                Err(why) => changes.push(Change::Refused(name, why)),
            }
        }
        for inventory in self.seats.inventories().await?.inventories {
            if !declared.contains(inventory.event.as_str()) && !inventory.closed {
                let closed = self.seats.execute(&inventory.event, &Command::Close, &cause()).await?;
                changes.extend(closed.is_ok().then_some(Change::Closed(inventory.event)));
            }
        }
        Ok(changes)
    }

    /// Every SeatingEvent that is not closed.
    ///
    /// # Errors
    /// A data file that failed.
    pub async fn overviews(&self) -> Result<Vec<SeatingEventOverview>, PlatformError> {
        let open =
            self.seats.inventories().await?.inventories.into_iter().filter(|inventory| !inventory.closed);
        let show = |Inventory { event: id, seats, .. }| SeatingEventOverview {
            seat: self.seats.free_seat(&id),
            id,
            seats,
        };
        Ok(open.map(show).collect())
    }

    /// What changed, if anything did; or why it cannot.
    async fn provision(
        &self,
        event: &SeatingEvent,
        partitions: u32,
    ) -> Result<Result<Option<Change>, String>, PlatformError> {
        let definition = build(&event.spec);
        let id: SeatingEventId = match event.name_any().parse() {
            Ok(id) => id,
            Err(error) => return Ok(Err(format!("{error}"))),
        };
        if let Err(fault) = sound(&definition, "spec.") {
            return Ok(Err(fault.to_string()));
        }
        let before = self.seats.inventory(&id).await?.map(|inventory| inventory.sequence);
        let partition = partition_of(id.as_str(), partitions);
        let provisioned = self.seats.provision(&id, &definition, partition, &cause()).await?;
        Ok(match provisioned {
            Ok(Provisioning { inventory, refused }) if !refused.is_empty() => {
                let why = in_words(&refused, &definition);
                Ok(Some(Change::Partly { inventory: Box::new(inventory), why }))
            }
            Ok(Provisioning { inventory, .. }) if before == Some(inventory.sequence) => Ok(None),
            Ok(Provisioning { inventory, .. }) => Ok(Some(Change::Provisioned(Box::new(inventory)))),
            Err(rejection) => Err(rejection.to_string()),
        })
    }
}

/// A SeatingEvent to show to a person.
#[derive(Debug)]
pub struct SeatingEventOverview {
    /// Its id.
    pub id: SeatingEventId,
    /// Its seats by status.
    pub seats: SeatCounts,
    /// A seat that is free, if one is.
    pub seat: Option<SeatId>,
}

/// The cause of what a file says.
fn cause() -> Cause {
    let command = Uuid::new_v4();
    Cause {
        command,
        correlation: CorrelationId::from(command),
        user: None,
        traceparent: None,
        idempotency: None,
    }
}
