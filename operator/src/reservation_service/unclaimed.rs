//! What the workers sell and no SeatingEvent claims, as the condition `UnclaimedSales` and its Events tell, and the end of
//! these sales. Pure but for [`look`] and what it asks.
//!
//! It comes about where SeatingEvents went without a worker that could close their sales, or by force. Where the service was
//! created after the last thing that happened to a sale, whoever deleted it deleted the show too: such sales close at
//! once. Others are given time, for somebody may be about to apply the SeatingEvent again. What is not known closes nothing:
//! a list that failed, a watch that is not complete, a SeatingEvent that the API server does not tell about.

pub mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::UNCLAIMED_SALES;
use boxoffice_crds::{KEEP_UNCLAIMED_ANNOTATION, ReservationService};
use futures::{StreamExt, stream};
use kube::ResourceExt;
use tokio::time::Instant;

use self::memory::{Seen, unclaimed};
use super::workers::Workers;
use super::{attached, names};
use crate::admin::{Inventory, Target};
use crate::api::ApiError;
use crate::conditions::{Finding, find};
use crate::context::Context;
use crate::departures::ServiceKey;
use crate::notices::Notice;
use crate::seating_event::dereference::target;

/// Most sales that are looked up, or closed, in one go; the others are the next one's.
const AT_ONCE: usize = 50;
/// How many questions are under way at a time.
const SIDE_BY_SIDE: usize = 8;
/// Most sales that a condition names.
const NAMED: usize = 20;
/// The reason of the condition while every unclaimed sale is kept.
const KEPT: &str = "Kept";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unclaimed {
    /// On sale, until they are closed.
    pub waiting: Vec<String>,
    /// On sale, because the annotation names them.
    pub kept: Vec<String>,
    /// Closed by this process, and not claimed since.
    pub closed: Vec<String>,
    /// Closed just now.
    pub just_closed: Vec<String>,
    /// How long one waits that is younger than the service.
    pub after: Duration,
}

/// What is to become of a sale that nobody claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Closes,
    Waits,
    Stays,
}

/// Compares what the workers sell with the SeatingEvents that there are, and closes what is to be closed. `None` where it is
/// not known, or was compared just now.
pub async fn look(
    context: &Context,
    service: &ReservationService,
    workers: &Workers,
) -> Result<Option<Unclaimed>, ApiError> {
    let key: ServiceKey = (service.namespace().unwrap_or_default(), service.name_any());
    let (namespace, name) = (&key.0, &key.1);
    let ready = workers.counts(&names::worker(name, names::COMMAND)).is_some_and(|counts| counts.ready > 0);
    let Some(shows) = attached::of(context, service).filter(|_| ready) else { return Ok(None) };
    let claimed: BTreeSet<String> = shows.into_iter().map(|show| show.name).collect();
    let mut seen = context.unclaimed.of(&key);
    if !seen.is_due(&claimed, Instant::now()) {
        return Ok(None);
    }
    let Some(target) = target(context, namespace, name).await? else { return Ok(None) };
    let listing = match context.admin.inventories(&target, "").await {
        Ok(listing) => listing,
        Err(error) => {
            tracing::debug!(namespace, name, %error, "sales are not compared with seating events");
            return Ok(None);
        }
    };
    seen.compare(&listing, &claimed);
    let sales = confirmed(context, service, unclaimed(&listing.inventories, &claimed), &mut seen).await?;
    let after = context.unclaimed_sales_after;
    let fates = fates(service, &sales, &seen, (after, Instant::now()));
    let just_closed = close(context, service, &target, chosen(&fates, Fate::Closes)).await?;
    for sale in &just_closed {
        seen.unclaimed.remove(sale);
        seen.closed.insert(sale.clone());
    }
    seen.looked = Some((Instant::now(), claimed));
    let still = |fate| chosen(&fates, fate).into_iter().filter(|sale| !just_closed.contains(sale));
    let found = Unclaimed {
        waiting: still(Fate::Waits).chain(still(Fate::Closes)).collect(),
        kept: still(Fate::Stays).collect(),
        closed: seen.closed.iter().cloned().collect(),
        just_closed: just_closed.clone(),
        after,
    };
    context.unclaimed.keep(&key, seen);
    Ok(Some(found))
}

/// Those of which the API server says so too, each asked for once; so many as there is time for now.
async fn confirmed(
    context: &Context,
    service: &ReservationService,
    sales: Vec<Inventory>,
    seen: &mut Seen,
) -> Result<Vec<Inventory>, ApiError> {
    let is_new = |sale: &&Inventory| !seen.unclaimed.contains_key(&sale.event_id);
    let new: Vec<_> = sales.iter().filter(is_new).take(AT_ONCE).map(|sale| sale.event_id.clone()).collect();
    for (sale, is_claimed) in asked(context, service, new).await? {
        if !is_claimed {
            seen.unclaimed.insert(sale, Instant::now());
        }
    }
    Ok(sales.into_iter().filter(|sale| seen.unclaimed.contains_key(&sale.event_id)).collect())
}

/// Whether each has a SeatingEvent.
async fn asked(
    context: &Context,
    service: &ReservationService,
    sales: Vec<String>,
) -> Result<Vec<(String, bool)>, ApiError> {
    let asked = sales.into_iter().map(|sale| async move {
        let is_claimed = attached::is_claimed(context, service, &sale).await?;
        Ok((sale, is_claimed))
    });
    let answers: Vec<_> = stream::iter(asked.collect::<Vec<_>>()).buffered(SIDE_BY_SIDE).collect().await;
    answers.into_iter().collect()
}

/// What is to become of each that is known to be unclaimed. One that a partial list leaves out waits.
fn fates(
    service: &ReservationService,
    sales: &[Inventory],
    seen: &Seen,
    (after, now): (Duration, Instant),
) -> Vec<(String, Fate)> {
    let kept = service.annotations().get(KEEP_UNCLAIMED_ANNOTATION).map(String::as_str).unwrap_or_default();
    let kept: BTreeSet<_> = kept.split(',').map(str::trim).collect();
    let created = service.creation_timestamp().and_then(|at| u64::try_from(at.0.as_millisecond()).ok());
    let fate = |sale: &Inventory| {
        let is_of_a_life_before =
            sale.last_event_at.zip(created).is_some_and(|(happened, created)| happened < created);
        let is_due = seen.unclaimed_for(&sale.event_id, now).is_some_and(|time| time >= after);
        match (kept.contains(sale.event_id.as_str()), is_of_a_life_before || is_due) {
            (true, _) => Fate::Stays,
            (false, true) => Fate::Closes,
            (false, false) => Fate::Waits,
        }
    };
    let listed = sales.iter().map(|sale| (sale.event_id.clone(), fate(sale)));
    let mut fates: BTreeMap<_, _> = listed.collect();
    for sale in seen.unclaimed.keys().filter(|sale| sales.iter().all(|listed| listed.event_id != **sale)) {
        let fate = if kept.contains(sale.as_str()) { Fate::Stays } else { Fate::Waits };
        fates.insert(sale.clone(), fate);
    }
    fates.into_iter().collect()
}

fn chosen(fates: &[(String, Fate)], wanted: Fate) -> Vec<String> {
    fates.iter().filter(|(_, fate)| *fate == wanted).map(|(sale, _)| sale.clone()).collect()
}

/// Closes as many as there is time for now, unless they have a SeatingEvent by now; those that are closed.
async fn close(
    context: &Context,
    service: &ReservationService,
    target: &Target,
    sales: Vec<String>,
) -> Result<Vec<String>, ApiError> {
    let sales = asked(context, service, sales.into_iter().take(AT_ONCE).collect()).await?;
    let unclaimed = sales.into_iter().filter(|(_, is_claimed)| !is_claimed).map(|(sale, _)| sale);
    let closing = unclaimed.map(|sale| async move {
        let closed = context.admin.close(target, &sale).await;
        (sale, closed)
    });
    let closing: Vec<_> = stream::iter(closing.collect::<Vec<_>>()).buffered(SIDE_BY_SIDE).collect().await;
    let mut closed = Vec::new();
    for (sale, answer) in closing {
        match answer {
            Ok(()) => {
                // Whoever applies it again finds nothing that was provisioned.
                context.inventories.forget(&(target.namespace.clone(), sale.clone()));
                closed.push(sale);
            }
            Err(error) => tracing::warn!(sale, %error, "an unclaimed sale is not closed yet"),
        }
    }
    Ok(closed)
}

/// The condition: `True` while something is on sale that nobody claims, then `False` with what was closed, until that is
/// claimed again. What is not known now is as it was.
pub fn finding(found: Option<&Unclaimed>, before: &[Condition]) -> Option<Finding> {
    let Some(Unclaimed { waiting, kept, closed, just_closed: _, after }) = found else {
        let last = find(before, UNCLAIMED_SALES)?;
        let said = if last.status == "True" { Finding::met } else { Finding::unmet };
        return Some(said(UNCLAIMED_SALES, &last.reason, last.message.clone()));
    };
    let mut sentences = Vec::new();
    if !waiting.is_empty() {
        sentences.push(format!(
            "sold, and no SeatingEvent claims it: {}. Apply its SeatingEvent again, or name it in the annotation \
             {KEEP_UNCLAIMED_ANNOTATION} to keep it on sale; otherwise its sales are closed after {} s",
            named(waiting),
            after.as_secs()
        ));
    }
    if !kept.is_empty() {
        sentences
            .push(format!("kept on sale by the annotation {KEEP_UNCLAIMED_ANNOTATION}: {}", named(kept)));
    }
    if !closed.is_empty() {
        sentences.push(format!("closed, because no SeatingEvent claimed it: {}", named(closed)));
    }
    let message = sentences.join(". ");
    match (waiting.is_empty(), kept.is_empty(), closed.is_empty()) {
        (false, _, _) => Some(Finding::met(UNCLAIMED_SALES, UNCLAIMED_SALES, message)),
        (true, false, _) => Some(Finding::met(UNCLAIMED_SALES, KEPT, message)),
        (true, true, false) => Some(Finding::unmet(UNCLAIMED_SALES, "Closed", message)),
        (true, true, true) => None,
    }
}

/// The first of them, and how many more there are.
fn named(sales: &[String]) -> String {
    let first = sales.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match sales.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Unclaimed {
    /// What was done.
    pub fn deeds(&self) -> Option<Notice> {
        let note = format!(
            "sales closed, because no SeatingEvent claims them: {}. Their seats are kept; apply the SeatingEvent to sell them",
            named(&self.just_closed)
        );
        (!self.just_closed.is_empty()).then(|| Notice::warning("UnclaimedSalesClosed", note))
    }
}

/// Told when something is found for the first time.
pub fn notices(before: &[Condition], after: &[Condition]) -> Option<Notice> {
    let waits = |conditions| find(conditions, UNCLAIMED_SALES).filter(|one| one.reason == UNCLAIMED_SALES);
    let found = waits(after).filter(|_| waits(before).is_none())?;
    Some(Notice::warning(UNCLAIMED_SALES, found.message.clone()))
}

#[cfg(test)]
#[path = "unclaimed_tests.rs"]
mod tests;
