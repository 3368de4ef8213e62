//! How many requests a cluster has at once, however many connections there are to it: services with credentials of their own have
//! one each.
//!
//! A cluster is known by its id, and until it has said that by where it is asked. So connections that it does not
//! answer have a limit apart from those that it does. A request has its part for at most its time-out, which begins
//! when it has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Most requests to one cluster at once.
const AT_ONCE: usize = 4;

/// Those of all clusters that there are connections to.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<Name, Weak<Semaphore>>>);

/// What a cluster is known by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Name {
    Id(String),
    Servers(String),
}

impl Limits {
    fn of(&self, name: Name) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, permits| permits.strong_count() > 0);
        if let Some(permits) = all.get(&name).and_then(Weak::upgrade) {
            return permits;
        }
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        all.insert(name, Arc::downgrade(&permits));
        permits
    }
}

/// One connection's share of the limit of its cluster.
pub struct Share {
    limits: Arc<Limits>,
    permits: Mutex<Arc<Semaphore>>,
}

impl Share {
    /// That of a connection to these servers, which have yet to say of which cluster they are.
    pub fn new(limits: &Arc<Limits>, bootstrap_servers: &str) -> Self {
        let permits = limits.of(Name::Servers(bootstrap_servers.to_owned()));
        Self { limits: Arc::clone(limits), permits: Mutex::new(permits) }
    }

    /// The cluster said its id: from the next request on the limit is that of all connections to it.
    pub fn is_of(&self, cluster_id: &str) {
        let permits = self.limits.of(Name::Id(cluster_id.to_owned()));
        *self.permits.lock().unwrap_or_else(PoisonError::into_inner) = permits;
    }

    /// Makes a request when it may be made, and gives it up after this time. It must not begin before it is polled.
    pub async fn within<T>(
        &self,
        time_out: Duration,
        request: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let permits = Arc::clone(&self.permits.lock().unwrap_or_else(PoisonError::into_inner));
        // Nobody closes it.
        let _permit = permits.acquire_owned().await;
        timeout(time_out, request).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(10);

    /// For how many seconds as many requests of each connection take that are done within one.
    async fn seconds(shares: &[Share], each: usize) -> u64 {
        let begun = Instant::now();
        let requests = shares
            .iter()
            .flat_map(|share| (0..each).map(move |_| share.within(LONG, async { sleep(SECOND).await })));
        join_all(requests).await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_to_one_cluster_have_one_limit_once_its_id_is_known() {
        let limits = Arc::new(Limits::default());
        let shares =
            ["kafka:9092", "kafka:9093", "10.0.0.7:9092"].map(|servers| Share::new(&limits, servers));
        assert_eq!(seconds(&shares, 3).await, 1, "each for itself");
        shares.iter().take(2).for_each(|share| share.is_of("c1"));
        assert_eq!(seconds(&shares, 4).await, 2);
        shares[2].is_of("c2");
        assert_eq!(seconds(&shares, 4).await, 2, "another cluster has its own");
        shares[2].is_of("c1");
        assert_eq!(seconds(&shares, 4).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn until_then_they_have_that_of_where_they_ask() {
        let limits = Arc::new(Limits::default());
        let shares = ["kafka:9092"; 2].map(|servers| Share::new(&limits, servers));
        assert_eq!(seconds(&shares, 4).await, 2);
        drop(shares);
        let _other = Share::new(&limits, "kafka:9093");
        assert_eq!(limits.0.lock().unwrap().len(), 1, "what nobody has a connection to is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_hangs_takes_its_part_for_its_time_out_alone() {
        let limits = Arc::new(Limits::default());
        let shares = ["kafka:9092", "kafka:9093"].map(|servers| Share::new(&limits, servers));
        for share in &shares {
            share.is_of("c1");
        }
        let [hangs, works] = shares;
        let (one, seconds_beside_one) =
            tokio::join!(hangs.within(LONG, pending::<()>()), seconds(std::slice::from_ref(&works), 3));
        assert!(one.is_err());
        assert_eq!(seconds_beside_one, 1, "the others are left");
        let all = join_all((0..AT_ONCE).map(|_| hangs.within(LONG, pending::<()>())));
        let (_, seconds_behind_all) = tokio::join!(all, seconds(std::slice::from_ref(&works), 3));
        assert_eq!(seconds_behind_all, LONG.as_secs() + 1);
    }
}
