//! Leader election by a Lease, so that one operator acts at a time.
//!
//! A holder that cannot renew gives up before its Lease runs out for others, also when the API server is silent.
//! Others measure a Lease by how long they saw it unchanged: clocks of different machines are never compared.

use std::time::Duration;

use boxoffice_crds::common::Time;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{Instant, sleep, timeout};

use crate::api::{ApiError, timed};

/// The Lease's name.
pub const LEASE: &str = "boxoffice-operator";
/// How long a Lease stands after its last renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How long a holder tries to renew before it gives up.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often a holder renews and others look.
const PERIOD: Duration = Duration::from_secs(3);

/// One candidate.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    now: fn() -> Time,
    /// The Lease of another, and since when it looks like that.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Candidate {
    /// A candidate for the Lease in `namespace`; `identity` names this process alone.
    pub fn new(client: Client, namespace: &str, identity: String, now: fn() -> Time) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, now, seen: None }
    }

    /// Returns when this process holds the Lease.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "lease not acquired"),
            }
            sleep(PERIOD).await;
        }
    }

    /// Renews, and returns when the Lease is lost.
    pub async fn hold(&mut self) {
        let mut renewed = Instant::now();
        loop {
            sleep(PERIOD).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            let began = Instant::now();
            match timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = began,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(%error, "lease not renewed"),
                Err(_) => tracing::warn!("lease not renewed in time"),
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return;
            }
        }
    }

    /// Gives the Lease to whoever asks next, if this process holds it.
    pub async fn release(&self) -> Result<(), ApiError> {
        let Some(mut lease) = timed("read the lease", self.api.get_opt(LEASE)).await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
            spec.holder_identity = Some(String::new());
            self.replace(&lease).await?;
        }
        Ok(())
    }

    /// One try to take or renew the Lease. Returns whether this process holds it.
    async fn attempt(&mut self) -> Result<bool, ApiError> {
        let Some(mut lease) = timed("read the lease", self.api.get_opt(LEASE)).await? else {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(None)) };
            return won(timed("create the lease", self.api.create(&PostParams::default(), &lease)).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec.clone(), Instant::now()));
        }
        let unchanged = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if !may_take(&spec, &self.identity, unchanged) {
            return Ok(false);
        }
        lease.spec = Some(self.claim(Some(&spec)));
        self.replace(&lease).await
    }

    /// Writes the Lease, unless somebody else did so first.
    async fn replace(&self, lease: &Lease) -> Result<bool, ApiError> {
        won(timed("write the lease", self.api.replace(LEASE, &PostParams::default(), lease)).await)
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        claim(&self.identity, before, MicroTime((self.now)().0))
    }
}

/// The Lease as `identity` writes it at `now`, after it looked like `before`.
fn claim(identity: &str, before: Option<&LeaseSpec>, now: MicroTime) -> LeaseSpec {
    let mine = before.filter(|spec| spec.holder_identity.as_deref() == Some(identity));
    let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        acquire_time: mine.map_or_else(|| Some(now.clone()), |spec| spec.acquire_time.clone()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        lease_transitions: Some(if mine.is_some() { transitions } else { transitions.saturating_add(1) }),
        renew_time: Some(now),
        ..LeaseSpec::default()
    }
}

fn won(answer: Result<Lease, ApiError>) -> Result<bool, ApiError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `identity` may write itself into the Lease: it is its own, nobody's, or was left unchanged for as long as
/// its holder promised to renew it.
fn may_take(lease: &LeaseSpec, identity: &str, unchanged: Duration) -> bool {
    match lease.holder_identity.as_deref() {
        None | Some("") => true,
        Some(holder) if holder == identity => true,
        Some(_) => {
            let promised = lease.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            unchanged >= promised.map_or(DURATION, Duration::from_secs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_free_lease_and_ones_own_may_be_taken() {
        assert!(may_take(&LeaseSpec::default(), "a", Duration::ZERO));
        assert!(may_take(&held_by(""), "a", Duration::ZERO));
        assert!(may_take(&held_by("a"), "a", Duration::ZERO));
    }

    #[test]
    fn anothers_lease_only_when_it_stood_still_for_as_long_as_promised() {
        assert!(!may_take(&held_by("b"), "a", Duration::from_secs(14)));
        assert!(may_take(&held_by("b"), "a", Duration::from_secs(15)));
    }

    #[test]
    fn a_renewal_keeps_the_time_of_acquiring_and_a_take_over_counts() {
        let at = |second| MicroTime(jiff::Timestamp::from_second(second).unwrap());
        let first = claim("a", None, at(1));
        let renewed = claim("a", Some(&first), at(2));
        assert_eq!((&renewed.acquire_time, &renewed.renew_time), (&Some(at(1)), &Some(at(2))));
        assert_eq!(renewed.lease_transitions, first.lease_transitions);
        let taken = claim("b", Some(&renewed), at(3));
        assert_eq!((taken.acquire_time, taken.lease_transitions), (Some(at(3)), Some(2)));
    }

    #[test]
    fn a_holder_gives_up_before_others_may_take_over() {
        assert!(RENEW_DEADLINE < DURATION && PERIOD < RENEW_DEADLINE);
    }
}
