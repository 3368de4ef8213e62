//! A SeatingEvent on its way out: its sales close while anybody can close them, also when its service is deleted with it;
//! its seats stay, unless it says `deletionPolicy: Delete` and a person confirmed that.
//!
//! Whoever deletes is never kept waiting by a service that is not there: after [`PATIENCE`] without an answer the object
//! goes, and an Event says that its sales were not closed. What is sold then without a SeatingEvent is found by
//! [`unclaimed`](crate::reservation_service::unclaimed) when the service is back.

use std::time::Duration;

use boxoffice_crds::CONFIRM_DELETE_ANNOTATION;
use boxoffice_crds::common::DeletionPolicy;
use boxoffice_crds::common::condition::INVENTORY_READY;
use kube::{Resource, ResourceExt};

use super::dereference::{Inputs, doubt};
use super::outcome::Outcome;
use super::slim::SlimSeatingEvent;
use crate::admin::AdminError;
use crate::conditions::{Finding, progress};
use crate::context::{Context, key};
use crate::departures::{ServiceKey, Silence};
use crate::notices::Notice;

/// How long a service may stay silent before its SeatingEvents go without it.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often one that waits looks again.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is to become of the seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// The sales close, the seats stay.
    Close,
    /// They are forgotten.
    Purge,
    /// They were to be forgotten, but nobody confirmed it: they stay.
    Unconfirmed,
}

/// What there is to know before anybody is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    /// A worker has taken its definition, as far as its status tells.
    was_sold: bool,
    /// Its service is there, be it on its way out.
    has_service: bool,
    /// How long its deletion was seen by this process.
    waited: Duration,
    /// The service has not answered anybody.
    silence: Option<Silence>,
}

/// Whether the object may go.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It may, and this is to be told.
    Gone(Vec<Notice>),
    /// It waits for this.
    Waits(Finding),
    /// Another one is just asking.
    Soon,
}

impl End {
    /// How it looks in the status.
    pub fn outcome(step: Finding) -> Outcome {
        Outcome::of(step)
    }
}

/// Closes the sales where anybody can.
pub async fn end(context: &Context, show: &SlimSeatingEvent, inputs: &Inputs) -> End {
    let (wish, departures) = (wish(show), &context.departures);
    let service: ServiceKey = show.service();
    let waited = departures.waited(&key(show));
    let target = inputs.target.clone().or_else(|| departures.target(&service));
    let asked = match target {
        None => Some(Err(AdminError::Absent)),
        Some(_) if !departures.may_ask(&service) => None,
        Some(target) => {
            let id = show.name_any();
            let answer = match wish {
                Wish::Close | Wish::Unconfirmed => context.admin.close(&target, &id).await,
                Wish::Purge => context.admin.purge(&target, &id).await,
            };
            departures.note_answer(&service, &answer);
            if let Err(AdminError::Refused { status: 401, .. }) = answer {
                doubt(context, &service);
            }
            Some(answer)
        }
    };
    let facts = Facts {
        was_sold: show.status.as_ref().is_some_and(|status| status.chart_hash.is_some()),
        has_service: inputs.service.is_some(),
        waited,
        silence: departures.silence(&service),
    };
    judge(wish, facts, asked, &service.1)
}

fn wish(show: &SlimSeatingEvent) -> Wish {
    let confirmed = show.annotations().get(CONFIRM_DELETE_ANNOTATION) == show.meta().name.as_ref();
    match show.spec.deletion_policy {
        DeletionPolicy::Retain => Wish::Close,
        DeletionPolicy::Delete if confirmed => Wish::Purge,
        DeletionPolicy::Delete => Wish::Unconfirmed,
    }
}

/// What the answer means; there is none where another SeatingEvent is just asking for one.
fn judge(wish: Wish, facts: Facts, asked: Option<Result<(), AdminError>>, service: &str) -> End {
    let Facts { was_sold, has_service, waited, silence } = facts;
    let error = match (asked, &silence) {
        (Some(Ok(())), _) => return End::Gone(vec![done(wish)]),
        (Some(Err(error)), _) => error,
        (None, Some(silence)) => silence.error.clone(),
        (None, None) => return End::Soon,
    };
    if !error.is_silence() {
        return End::Waits(waits(&error, service));
    }
    if !was_sold {
        return End::Gone(Vec::new());
    }
    // Without a token there is nobody to be silent.
    let lasted = silence.map_or(waited, |silence| silence.lasted.min(waited));
    if !has_service || lasted >= PATIENCE {
        return End::Gone(vec![not_closed(&error, has_service, service)]);
    }
    End::Waits(waits(&error, service))
}

fn done(wish: Wish) -> Notice {
    match wish {
        Wish::Close => Notice::normal("SalesClosed", "sales closed; the seats are kept"),
        Wish::Purge => Notice::normal("SeatsPurged", "sales closed; the seats are forgotten"),
        Wish::Unconfirmed => Notice::warning(
            "SeatsKept",
            format!(
                "sales closed; the seats are kept, because deletionPolicy Delete needs the annotation \
                 {CONFIRM_DELETE_ANNOTATION} with the object's name: apply it again with that and delete it to purge them"
            ),
        ),
    }
}

fn not_closed(error: &AdminError, has_service: bool, service: &str) -> Notice {
    let why = if has_service {
        format!("{error}, for {} s", PATIENCE.as_secs())
    } else {
        format!("there is no ReservationService {service}")
    };
    Notice::warning(
        "SalesNotClosed",
        format!(
            "deleted without closing the sales: {why}. When the service is back, its condition UnclaimedSales names the \
             show until its sales are closed; apply the show again to sell it"
        ),
    )
}

/// What it waits for, and the way out.
fn waits(error: &AdminError, service: &str) -> Finding {
    let reason = match error {
        AdminError::Absent => progress::SERVICE_NOT_READY,
        AdminError::Refused { status: 401, .. } => "TokenRefused",
        AdminError::Refused { problem, .. } if problem.code == "RECOVERING" => "Recovering",
        AdminError::Unreachable { .. } => "CommandUnreachable",
        AdminError::Refused { .. } => "CommandUnavailable",
    };
    let then = if error.is_silence() {
        format!("after {} s without an answer the object goes, and an Event says so", PATIENCE.as_secs())
    } else {
        format!(
            "it is tried until the worker can. To let go without that, delete ReservationService {service} too: it waits \
             no longer than a minute"
        )
    };
    let message = format!("the deletion waits until the sales are closed: {error}; {then}");
    Finding::unmet(INVENTORY_READY, reason, message)
}

#[cfg(test)]
#[path = "deletion_tests.rs"]
mod tests;
