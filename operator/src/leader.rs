//! Leader election by a Lease, so that one operator acts at a time.
//!
//! Candidates watch the Lease: one that is released is taken at once. A holder that cannot renew gives up before its
//! Lease runs out for others, also when the API server is silent; what it began by then has two seconds to end.

use std::pin::Pin;
use std::time::Duration;

use boxoffice_crds::common::Time;
use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object};
use tokio::time::{Instant, sleep, timeout};

use crate::api::{ApiError, timed};
use crate::lease::{claim, free_in};
use crate::watch::retry::Retry;

/// The Lease's name.
pub const LEASE: &str = "boxoffice-operator";
/// How long a Lease stands after its last renewal.
const DURATION: Duration = Duration::from_secs(8);
/// How long a holder tries to renew before it gives up.
const RENEW_DEADLINE: Duration = Duration::from_secs(6);
/// How often a holder renews: the only writes of an operator at rest.
const PERIOD: Duration = Duration::from_secs(2);
/// How long one try to take or renew the Lease may take.
const TRY: Duration = Duration::from_secs(2);

/// One candidate.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    now: fn() -> Time,
    /// The Lease as it was last seen, and since when it looks like that.
    seen: Option<(LeaseSpec, Instant)>,
    /// The Lease as this process wrote it last: the next renewal needs no read.
    own: Option<Lease>,
    /// When the write that was answered last began, once there was one.
    renewed: Option<Instant>,
}

impl Candidate {
    /// A candidate for the Lease in `namespace`; `identity` names this process alone.
    pub fn new(client: Client, namespace: &str, identity: String, now: fn() -> Time) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, now, seen: None, own: None, renewed: None }
    }

    /// Returns when this process holds the Lease.
    pub async fn acquire(&mut self) {
        let mut changes = Box::pin(watch_object(self.api.clone(), LEASE).backoff(Retry::default()));
        loop {
            let began = Instant::now();
            match timeout(TRY, self.attempt()).await {
                Ok(Ok(true)) => {
                    self.renewed = Some(began);
                    return;
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "lease not acquired");
                    sleep(PERIOD).await;
                }
                Err(_) => tracing::warn!("lease not acquired in time"),
            }
            self.wait(changes.as_mut()).await;
        }
    }

    /// Returns when the Lease may be free: by what its watch tells, or because nothing was told for so long. Then it is
    /// read, whatever the watch has missed.
    async fn wait(&mut self, mut changes: Pin<&mut (impl Stream<Item = Told> + Send)>) {
        while !self.free_in().is_zero() {
            tokio::select! {
                () = sleep(self.free_in()) => {}
                told = changes.next() => match told {
                    Some(Ok(lease)) => self.see(lease.and_then(|lease| lease.spec).unwrap_or_default()),
                    Some(Err(error)) => tracing::debug!(%error, "watch of the lease interrupted"),
                    None => return,
                },
            }
        }
    }

    /// Renews, and returns when the Lease is lost.
    pub async fn hold(&mut self) {
        let mut renewed = self.renewed.unwrap_or_else(Instant::now);
        loop {
            sleep(PERIOD.min(RENEW_DEADLINE.saturating_sub(renewed.elapsed()))).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed()).min(TRY);
            let began = Instant::now();
            match timeout(left, self.renew()).await {
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
        if self.renewed.is_none() {
            return Ok(());
        }
        // A renewal that was on its way may come between reading and writing; there is no more than one.
        for _ in 0..3 {
            let Some(mut lease) = timed("read the lease", self.api.get_opt(LEASE)).await? else { break };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
                break;
            }
            spec.holder_identity = Some(String::new());
            if written(timed("release the lease", self.replace(&lease)).await)?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Writes what was written last with another time, and reads the Lease only when that does not fit any more.
    async fn renew(&mut self) -> Result<bool, ApiError> {
        if let Some(mut lease) = self.own.take() {
            lease.spec = Some(self.claim(lease.spec.as_ref()));
            if let Some(lease) = written(timed("renew the lease", self.replace(&lease)).await)? {
                self.own = Some(lease);
                return Ok(true);
            }
        }
        self.attempt().await
    }

    /// One try to take or renew the Lease. Returns whether this process holds it.
    async fn attempt(&mut self) -> Result<bool, ApiError> {
        let answer = match timed("read the lease", self.api.get_opt(LEASE)).await? {
            None => {
                let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.claim(None)) };
                timed("create the lease", self.api.create(&PostParams::default(), &lease)).await
            }
            Some(mut lease) => {
                let spec = lease.spec.clone().unwrap_or_default();
                self.see(spec.clone());
                if !self.free_in().is_zero() {
                    return Ok(false);
                }
                lease.spec = Some(self.claim(Some(&spec)));
                timed("write the lease", self.replace(&lease)).await
            }
        };
        self.own = written(answer)?;
        Ok(self.own.is_some())
    }

    fn see(&mut self, spec: LeaseSpec) {
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec, Instant::now()));
        }
    }

    /// In how long the Lease may be taken, as far as was seen.
    fn free_in(&self) -> Duration {
        self.seen
            .as_ref()
            .map_or(Duration::ZERO, |(spec, since)| free_in(spec, &self.identity, since.elapsed(), DURATION))
    }

    /// Writes the Lease, unless somebody else did so since it was read.
    async fn replace(&self, lease: &Lease) -> Result<Lease, kube::Error> {
        self.api.replace(LEASE, &PostParams::default(), lease).await
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        claim(&self.identity, before, DURATION, MicroTime((self.now)().0))
    }
}

/// What the watch of the Lease tells.
type Told = Result<Option<Lease>, watcher::Error>;

/// The Lease as it is now, unless somebody else wrote first.
pub fn written(answer: Result<Lease, ApiError>) -> Result<Option<Lease>, ApiError> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fake_api::FakeApi;

    fn at_the_start() -> Time {
        Time(jiff::Timestamp::UNIX_EPOCH)
    }

    fn candidate(api: &FakeApi, name: &str) -> Candidate {
        Candidate::new(api.client(), "system", name.to_owned(), at_the_start)
    }

    #[tokio::test]
    async fn one_that_is_released_is_taken_at_once() {
        let api = FakeApi::default();
        let (first, second) = (&mut candidate(&api, "a"), &mut candidate(&api, "b"));
        first.acquire().await;
        let released = async {
            // By then the second one waits: it has read whose it is, and lists and watches.
            while !api.calls().iter().any(|call| call.starts_with("WATCH")) {
                tokio::task::yield_now().await;
            }
            first.release().await.unwrap();
            Instant::now()
        };
        let ((), released) = tokio::join!(second.acquire(), released);
        assert!(released.elapsed() < Duration::from_secs(2), "{:?}", released.elapsed());
        assert_eq!(api.holder("system", LEASE).as_deref(), Some("b"));
    }

    #[tokio::test]
    async fn one_that_was_killed_is_followed_when_it_has_not_renewed_for_so_long() {
        let api = FakeApi::default();
        candidate(&api, "a").acquire().await;
        let mut second = candidate(&api, "b");
        assert!(!second.attempt().await.unwrap());
        assert!(second.free_in() <= DURATION && !second.free_in().is_zero());
        second.seen = second.seen.map(|(spec, since)| (spec, since - DURATION));
        assert!(second.attempt().await.unwrap());
        assert!(DURATION + TRY <= Duration::from_secs(10), "take-over within ten seconds");
    }

    #[tokio::test]
    async fn a_renewal_is_one_call_and_a_stranger_ends_it() {
        let api = FakeApi::default();
        let mut leader = candidate(&api, "a");
        leader.acquire().await;
        api.calls();
        for _ in 0..3 {
            assert!(leader.renew().await.unwrap());
        }
        assert_eq!(api.calls(), vec![format!("PUT system/{LEASE}"); 3]);
        let mut stranger = candidate(&api, "b");
        stranger.attempt().await.unwrap();
        stranger.seen = stranger.seen.map(|(spec, since)| (spec, since - DURATION));
        assert!(stranger.attempt().await.unwrap());
        assert!(!leader.renew().await.unwrap());
    }

    fn an_hour_later() -> Time {
        Time(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1))
    }

    #[tokio::test]
    async fn clocks_that_differ_neither_take_a_lease_from_the_living_nor_keep_it_with_the_dead() {
        let clocks: [fn() -> Time; 2] = [at_the_start, an_hour_later];
        for (of_holder, of_other) in [(clocks[0], clocks[1]), (clocks[1], clocks[0])] {
            let api = FakeApi::default();
            let candidate =
                |name: &str, clock| Candidate::new(api.client(), "system", name.to_owned(), clock);
            let (mut holder, mut other) = (candidate("a", of_holder), candidate("b", of_other));
            holder.acquire().await;
            assert!(!other.attempt().await.unwrap());
            assert!(holder.renew().await.unwrap());
            assert!(!other.attempt().await.unwrap(), "it was renewed");
            assert!(other.free_in() <= DURATION && !other.free_in().is_zero());
            other.seen = other.seen.map(|(spec, since)| (spec, since - DURATION));
            assert!(other.attempt().await.unwrap(), "it stood still");
        }
    }

    #[test]
    fn a_holder_gives_up_before_others_may_take_over() {
        assert!(RENEW_DEADLINE + TRY <= DURATION && PERIOD < RENEW_DEADLINE);
    }

    #[tokio::test]
    async fn a_renewal_on_its_way_does_not_keep_it_from_being_released() {
        let api = FakeApi::default();
        let mut leader = candidate(&api, "a");
        leader.acquire().await;
        leader.own = None;
        leader.release().await.unwrap();
        assert_eq!(api.holder("system", LEASE).as_deref(), Some(""));
        assert!(candidate(&api, "b").attempt().await.unwrap());
    }
}
