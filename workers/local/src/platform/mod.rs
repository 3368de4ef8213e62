//! One ReservationService in one process: the workers of a cluster, on one port, on the embedded store.
//!
//! [`declared`] makes of the resource what the operator would make of it (I11), [`workers`] and [`consumers`] run the roles on
//! the ports, [`inventory`] keeps the SeatingEvents as the files declare them. What lives longer than one version of the resource
//! is here: the data file, the log and the seats.

pub mod declared;

mod workers;

mod consumers;

pub mod inventory;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use boxoffice_command::app::AppError;
use boxoffice_command::store::StoreError;
use boxoffice_consumer::effects::Refused;
use boxoffice_runtime::clock;
use boxoffice_runtime::identity::settings::InvalidSettings;
use boxoffice_runtime::log::LogError;
use boxoffice_runtime::settings::snapshots_topic;

use crate::embedded::journal::{Journal, JournalError};
use crate::embedded::log::EmbeddedLog;
use crate::embedded::seats::{self, EmbeddedSeats};
use declared::Declared;

pub use workers::{Door, waiting};

/// Why the platform cannot run, or ended before it was asked to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PlatformError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Identity(#[from] InvalidSettings),
    #[error("cannot listen on {addr}: {source}: give another --port")]
    Listen { addr: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Effects(#[from] Refused),
    #[error("consumers[{0}]: its handler comes with a later version")]
    Handler(String),
    #[error("consumers: none has the handler seat-view, from which the seat maps are served: add one")]
    NoSeatView,
}

/// See the module.
pub struct Platform {
    journal: Journal,
    log: EmbeddedLog,
    seats: Arc<EmbeddedSeats>,
}

impl Platform {
    /// The platform with what is in `folder`.
    ///
    /// # Errors
    /// A folder that cannot be used, or is in use.
    pub async fn open(folder: &Path) -> Result<Self, PlatformError> {
        let journal = Journal::open(folder).await?;
        let log = EmbeddedLog::open(journal.clone()).await?;
        let seats = seats::open(journal.clone(), Arc::new(clock::now)).await?;
        Ok(Self { journal, log, seats: Arc::new(seats) })
    }

    /// Makes the topics and consumer groups that are declared, before anything runs, as the operator does.
    ///
    /// # Errors
    /// A data file that failed.
    pub async fn declare(&self, declared: &Declared) -> Result<(), PlatformError> {
        // This log forgets nothing, and its seats are worked out from all of it at each start: there are no snapshots.
        let snapshots = snapshots_topic(declared.topic());
        for topic in declared.desired.topics.iter().filter(|topic| topic.name != snapshots) {
            self.log.create_topic(&topic.name, topic.partitions.unsigned_abs()).await?;
        }
        for group in &declared.desired.groups {
            for topic in &group.topics {
                self.log.create_group(&group.name, topic, group.start).await?;
            }
        }
        self.seats.keep_to(declared.rules);
        Ok(())
    }
}
