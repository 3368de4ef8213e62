//! Which buckets this process may publish, and for how long.
//!
//! A [`Term`] ends by the local clock, counted from before the store was asked: whatever the network does, the term
//! has ended here before the store gives the bucket to somebody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{LEASE_TERM, Lease, Outbox};

/// How many buckets are asked for at once.
const AT_ONCE: usize = 16;

/// The right to publish a bucket, until a moment that renewals move.
pub struct Term {
    /// What the store knows.
    pub lease: Lease,
    ends: Mutex<Instant>,
    over: CancellationToken,
}

impl Term {
    fn new(lease: Lease, ends: Instant) -> Self {
        Self { lease, ends: Mutex::new(ends), over: CancellationToken::new() }
    }

    /// Whether at least `span` of it remains.
    pub fn lasts(&self, span: Duration) -> bool {
        !self.over.is_cancelled() && *self.ends() >= Instant::now() + span
    }

    /// Returns when the bucket is lost or given back.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    fn ends(&self) -> MutexGuard<'_, Instant> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terms of this process.
pub struct Leases {
    outbox: Arc<dyn Outbox>,
    owner: Uuid,
    terms: Mutex<HashMap<u32, Arc<Term>>>,
}

impl Leases {
    /// None yet.
    pub fn new(outbox: Arc<dyn Outbox>) -> Self {
        Self { outbox, owner: Uuid::new_v4(), terms: Mutex::default() }
    }

    /// One round over all buckets: keeps those that are ours, takes those that are free. `true` where one is new.
    pub async fn keep(&self) -> bool {
        let rounds = stream::iter(0..self.outbox.buckets()).map(|bucket| async move {
            match self.of(bucket) {
                Some(term) => {
                    self.renew(&term).await;
                    false
                }
                None => self.acquire(bucket).await,
            }
        });
        rounds.buffer_unordered(AT_ONCE).fold(false, |any, new| async move { any | new }).await
    }

    async fn renew(&self, term: &Arc<Term>) {
        let asked = Instant::now();
        match self.outbox.renew(&term.lease, self.owner).await {
            Ok(true) => *term.ends() = asked + LEASE_TERM,
            Ok(false) => self.lose(term),
            Err(error) => {
                tracing::debug!(%error, bucket = term.lease.bucket, "lease not renewed");
                if !term.lasts(Duration::ZERO) {
                    self.lose(term);
                }
            }
        }
    }

    async fn acquire(&self, bucket: u32) -> bool {
        let asked = Instant::now();
        match self.outbox.acquire(bucket, self.owner).await {
            Ok(Some(lease)) => {
                let term = Arc::new(Term::new(lease, asked + LEASE_TERM));
                self.terms().insert(bucket, term);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::debug!(%error, bucket, "lease not acquired");
                false
            }
        }
    }

    /// The term of a bucket that is ours.
    pub fn of(&self, bucket: u32) -> Option<Arc<Term>> {
        self.terms().get(&bucket).cloned()
    }

    /// Every bucket that is ours.
    pub fn buckets(&self) -> Vec<u32> {
        self.terms().keys().copied().collect()
    }

    /// Another owner has spoken, or the term ran out.
    pub fn lose(&self, term: &Arc<Term>) {
        tracing::info!(bucket = term.lease.bucket, "lease lost");
        term.over.cancel();
        let mut terms = self.terms();
        if terms.get(&term.lease.bucket).is_some_and(|current| Arc::ptr_eq(current, term)) {
            terms.remove(&term.lease.bucket);
        }
    }

    /// Gives every bucket back, so that its next owner need not wait for the term to end.
    pub async fn release_all(&self) {
        let terms: Vec<_> = self.terms().drain().map(|(_, term)| term).collect();
        let released = stream::iter(terms).for_each_concurrent(AT_ONCE, |term| async move {
            term.over.cancel();
            if let Err(error) = self.outbox.release(&term.lease, self.owner).await {
                tracing::debug!(%error, bucket = term.lease.bucket, "lease not given back: it runs out");
            }
        });
        released.await;
    }

    fn terms(&self) -> MutexGuard<'_, HashMap<u32, Arc<Term>>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
