//! What a ReservationService declares, by the very functions that the operator uses (I11), and what of it one process
//! needs to know. Pure.

use boxoffice_command::durability::{Durability, Promise};
use boxoffice_crds::ReservationService;
use boxoffice_crds::durability::Durability as Declaration;
use boxoffice_operator::conditions::Stall;
use boxoffice_operator::reservation_service::build::{DesiredState, build};
use boxoffice_operator::reservation_service::unsupported::{self, Place};
use boxoffice_operator::reservation_service::validate::{ValidatedService, validate};

use crate::embedded::seats::Rules;

/// A ReservationService as one process runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The resource, checked.
    pub service: ValidatedService,
    /// What the operator would create; its topics and groups are created here too.
    pub desired: DesiredState,
    /// What acknowledged commands wait for.
    pub durability: Durability,
    /// What the seat store keeps to.
    pub rules: Rules,
}

impl Declared {
    /// Makes it, or says what a person has to change.
    ///
    /// # Errors
    /// What the operator would stall at.
    pub fn of(service: &ReservationService) -> Result<Self, Stall> {
        unsupported::refuse(&service.spec, Place::Local)?;
        let nobody: &[std::sync::Arc<ReservationService>] = &[];
        // The image of pods that are not made here.
        let service = validate(service, nobody, "boxoffice/workers")?;
        let desired = build(&service).map_err(|error| Stall::new("InvalidSpec", error.to_string()))?;
        let spec = &service.spec;
        let (hold, reserve) = (spec.durability.hold, spec.durability.reserve);
        let durability = Durability { hold: promise(hold), reserve: promise(reserve) };
        let rules = Rules {
            high_watermark: spec.outbox.high_watermark.into(),
            sync_holds: sync(hold),
            sync_reservations: sync(reserve),
        };
        Ok(Self { service, desired, durability, rules })
    }

    /// The ReservationService, as namespace/name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.service.namespace, self.service.name)
    }

    /// Topic of the seats' domain events.
    pub fn topic(&self) -> &str {
        self.desired.topics.first().map_or("", |topic| topic.name.as_str())
    }

    /// Topic of the statistics.
    pub fn stats_topic(&self) -> &str {
        self.desired.topics.get(1).map_or("", |topic| topic.name.as_str())
    }

    /// How many partitions the topic has.
    pub fn partitions(&self) -> u32 {
        self.desired.topics.first().map_or(1, |topic| topic.partitions.unsigned_abs())
    }
}

/// What the answer waits for besides the store: the log.
fn promise(declared: Declaration) -> Promise {
    if declared == Declaration::Log { Promise::Log } else { Promise::Redis }
}

/// Whether it has to survive more than the end of the process: one disk stands for whatever else was asked for.
fn sync(declared: Declaration) -> bool {
    declared != Declaration::Redis
}
