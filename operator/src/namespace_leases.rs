//! Which namespaces are this installation's: each has a Lease that names the installation, and a second one that meets
//! it leaves everything there alone and says whose it is.
//!
//! Both replicas of an installation are one here; which of them acts is `leader`'s. A claim is renewed while it is used,
//! runs out a minute and a half after its installation is gone, and is given up where nothing was reconciled for long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use boxoffice_crds::common::Time;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Namespace, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{ApiError, timed};
use crate::leader::written;
use crate::lease::{claim, free_in, holder};
use crate::metrics::Metrics;
use crate::notices::{Notice, Notices};

/// The Lease's name, in each namespace.
pub const LEASE: &str = "boxoffice-operator-owner";
/// How long a claim stands after its last renewal.
const DURATION: Duration = Duration::from_secs(90);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(30);
/// How long its installation relies on it: less than others let it stand.
const RELY: Duration = Duration::from_secs(75);
/// How often another one's claim is looked at.
pub const LOOK: Duration = Duration::from_secs(10);
/// A claim that nothing asked for in this time is given up.
const UNUSED: Duration = Duration::from_mins(15);

/// Why a namespace's objects are left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are another installation's.
    #[error(
        "namespace {namespace} belongs to the installation {owner} by the Lease {LEASE}: nothing is done here by {by}; \
         take the namespace from one of the two"
    )]
    Owned {
        /// The namespace.
        namespace: String,
        /// Whose it is.
        owner: String,
        /// Who asks.
        by: String,
    },
    /// The operator has no right to look.
    #[error(
        "the operator has no rights in namespace {namespace}, so nothing is done there: {why}. If its Role and RoleBinding went \
         with the namespace, which is being deleted, what is left there waits for its finalizers: see \"Deleting a namespace\" \
         in the chart's README"
    )]
    Forbidden {
        /// The namespace.
        namespace: String,
        /// What was refused.
        why: String,
    },
    /// It is not known whose they are.
    #[error("whose namespace {namespace} is cannot be told: {why}")]
    Unknown {
        /// The namespace.
        namespace: String,
        /// What failed.
        why: String,
    },
}

/// The claims of one installation.
pub struct NamespaceLeases {
    client: Client,
    /// `namespace/Lease` of the installation's election.
    installation: String,
    now: fn() -> Time,
    metrics: Metrics,
    notices: Notices,
    leases: std::sync::Mutex<BTreeMap<String, Arc<Mutex<NamespaceLease>>>>,
}

/// One namespace.
struct NamespaceLease {
    state: State,
    /// The Lease as it was last seen, and since when it looks like that.
    seen: Option<(LeaseSpec, Instant)>,
    used: Instant,
    /// The objects, by uid, that were told whose they are.
    told: BTreeSet<String>,
}

/// Whose it is.
enum State {
    /// Nobody looked.
    New,
    /// Ours, as of that renewal.
    Ours { renewed: Instant },
    /// Not ours when it was looked at.
    Refused { refused: Refused, looked: Instant },
}

impl NamespaceLeases {
    /// No claim yet.
    pub fn new(
        client: Client,
        installation: String,
        now: fn() -> Time,
        metrics: Metrics,
        notices: Notices,
    ) -> Self {
        Self { client, installation, now, metrics, notices, leases: std::sync::Mutex::default() }
    }

    /// Whether objects of the namespace may be acted upon. It is asked for each reconcile, and seldom costs a call.
    pub async fn admit(&self, namespace: &str) -> Result<(), Refused> {
        let lease = self.lease(namespace);
        let mut lease = lease.lock().await;
        lease.used = Instant::now();
        if let Some(known) = lease.state.known() {
            return known;
        }
        self.look(namespace, &mut lease).await
    }

    /// Says on an object whose it is, once.
    pub async fn tell(&self, object: &ObjectReference, refused: &Refused) {
        let Refused::Owned { namespace, .. } = refused else { return };
        let uid = object.uid.clone().unwrap_or_default();
        let is_news = self.lease(namespace).lock().await.told.insert(uid);
        if is_news {
            self.notices.publish(object, vec![notice(refused)]).await;
        }
    }

    /// Takes `wanted` and renews what is used, for ever.
    pub async fn keep(&self, wanted: &BTreeSet<String>) {
        let mut ticks = tokio::time::interval(RENEW);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for namespace in wanted {
                // What it says is logged where it changes.
                drop(self.admit(namespace).await);
            }
            self.renew().await;
        }
    }

    /// Renews what is used, and gives up the rest.
    async fn renew(&self) {
        let known: Vec<_> = {
            let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            leases.iter().map(|(name, lease)| (name.clone(), Arc::clone(lease))).collect()
        };
        for (namespace, lease) in known {
            let mut lease = lease.lock().await;
            if lease.used.elapsed() > UNUSED {
                self.give_up(&namespace, &mut lease).await;
            } else if lease.state.is_due() {
                // What it says is logged where it changes.
                drop(self.look(&namespace, &mut lease).await);
            }
        }
    }

    fn lease(&self, namespace: &str) -> Arc<Mutex<NamespaceLease>> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Mutex::new(NamespaceLease {
                state: State::New,
                seen: None,
                used: Instant::now(),
                told: BTreeSet::new(),
            }))
        };
        Arc::clone(leases.entry(namespace.to_owned()).or_insert_with(new))
    }

    /// Takes or renews it, and tells what changed by that.
    async fn look(&self, namespace: &str, lease: &mut NamespaceLease) -> Result<(), Refused> {
        let began = Instant::now();
        let found = self.attempt(namespace, lease).await;
        let refused = match found {
            Ok(None) => None,
            Ok(Some(owner)) => {
                Some(Refused::Owned { namespace: namespace.to_owned(), owner, by: self.installation.clone() })
            }
            // What it has is relied upon for as long as nobody else can have it.
            Err(error) if lease.state.is_ours() && !error.is_forbidden() => {
                tracing::warn!(namespace, %error, "claim not renewed");
                return Ok(());
            }
            Err(error) if error.is_forbidden() => {
                Some(Refused::Forbidden { namespace: namespace.to_owned(), why: error.to_string() })
            }
            Err(error) => Some(Refused::Unknown { namespace: namespace.to_owned(), why: error.to_string() }),
        };
        self.changed(namespace, &lease.state, refused.as_ref()).await;
        if refused.is_none() {
            lease.told.clear();
        }
        lease.state = match &refused {
            None => State::Ours { renewed: began },
            Some(refused) => State::Refused { refused: refused.clone(), looked: began },
        };
        refused.map_or(Ok(()), Err)
    }

    /// Whose it is after a try to claim it, where it is not ours.
    async fn attempt(&self, namespace: &str, known: &mut NamespaceLease) -> Result<Option<String>, ApiError> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let read = timed("read the claim", api.get_opt(LEASE)).await;
        // The rights there went with it, and what is left has to be let go.
        if read.as_ref().is_err_and(ApiError::is_forbidden) && self.is_ending(namespace).await {
            return Ok(None);
        }
        let Some(mut lease) = read? else {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(None)) };
            let made = timed("create the claim", api.create(&PostParams::default(), &lease)).await;
            // Nobody can claim a namespace that is being deleted, and what is left there has to be let go.
            if made.as_ref().is_err_and(ApiError::is_terminating) {
                return Ok(None);
            }
            return Ok(written(made)?.is_none().then(|| "another one, which came first".to_owned()));
        };
        let spec = lease.spec.clone().unwrap_or_default();
        if known.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            known.seen = Some((spec.clone(), Instant::now()));
        }
        let unchanged = known.seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if !free_in(&spec, &self.installation, unchanged, DURATION).is_zero() {
            return Ok(holder(&spec).map(str::to_owned));
        }
        lease.spec = Some(self.claim(Some(&spec)));
        let parameters = PostParams::default();
        let won = written(timed("write the claim", api.replace(LEASE, &parameters, &lease)).await)?;
        Ok(won.is_none().then(|| "another one, which came first".to_owned()))
    }

    /// Whether the namespace is being deleted. It is asked where a right lacks; who may not ask does not know.
    pub async fn is_ending(&self, namespace: &str) -> bool {
        let api: Api<Namespace> = Api::all(self.client.clone());
        match timed("read the namespace", api.get_opt(namespace)).await {
            Ok(found) => found.is_some_and(|found| found.metadata.deletion_timestamp.is_some()),
            Err(error) => {
                tracing::debug!(namespace, %error, "whether the namespace is being deleted is not known");
                false
            }
        }
    }

    async fn give_up(&self, namespace: &str, known: &mut NamespaceLease) {
        if matches!(known.state, State::Ours { .. }) {
            let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
            let given_up = async {
                let Some(mut lease) = timed("read the claim", api.get_opt(LEASE)).await? else {
                    return Ok(());
                };
                let spec = lease.spec.get_or_insert_default();
                if holder(spec) == Some(self.installation.as_str()) {
                    spec.holder_identity = Some(String::new());
                    written(
                        timed("write the claim", api.replace(LEASE, &PostParams::default(), &lease)).await,
                    )?;
                }
                Ok::<_, ApiError>(())
            };
            if let Err(error) = given_up.await {
                tracing::debug!(namespace, %error, "claim not given up; it runs out");
            }
        }
        self.metrics.refused(namespace, known.state.owner(), None);
        self.metrics.without_rights(namespace, false);
        known.state = State::New;
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).remove(namespace);
    }

    /// Says whose it is, once.
    async fn changed(&self, namespace: &str, before: &State, refused: Option<&Refused>) {
        let is_same = match (before, refused) {
            (State::Refused { refused: before, .. }, Some(refused)) => before == refused,
            (State::Ours { .. }, None) => true,
            (State::New | State::Ours { .. } | State::Refused { .. }, _) => false,
        };
        if is_same {
            return;
        }
        let owner = refused.and_then(Refused::owner);
        self.metrics.refused(namespace, before.owner(), owner);
        self.metrics.without_rights(namespace, matches!(refused, Some(Refused::Forbidden { .. })));
        match refused {
            None => tracing::info!(namespace, "namespace is this installation's"),
            Some(refused) => {
                tracing::warn!(namespace, owner, "{refused}");
                if owner.is_some() {
                    self.notices.publish(&lease_in(namespace), vec![notice(refused)]).await;
                }
            }
        }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        claim(&self.installation, before, DURATION, MicroTime((self.now)().0))
    }
}

fn notice(refused: &Refused) -> Notice {
    Notice { warning: true, reason: "NamespaceClaimed".to_owned(), note: refused.to_string() }
}

fn lease_in(namespace: &str) -> ObjectReference {
    let metadata = ObjectMeta {
        name: Some(LEASE.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    };
    Lease { metadata, spec: None }.object_ref(&())
}

impl Refused {
    fn owner(&self) -> Option<&str> {
        match self {
            Self::Owned { owner, .. } => Some(owner),
            Self::Forbidden { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl State {
    fn owner(&self) -> Option<&str> {
        match self {
            Self::Refused { refused, .. } => refused.owner(),
            Self::New | Self::Ours { .. } => None,
        }
    }

    /// What is known without a look.
    fn known(&self) -> Option<Result<(), Refused>> {
        match self {
            Self::Ours { renewed } if renewed.elapsed() < RELY => Some(Ok(())),
            Self::Refused { refused, looked } if looked.elapsed() < LOOK => Some(Err(refused.clone())),
            Self::New | Self::Ours { .. } | Self::Refused { .. } => None,
        }
    }

    fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { renewed } if renewed.elapsed() < RELY)
    }

    /// Whether a renewal is due, or another look.
    fn is_due(&self) -> bool {
        match self {
            Self::New => false,
            // The ticks that call this are not exact.
            Self::Ours { renewed } => renewed.elapsed() > RENEW / 2,
            Self::Refused { .. } => true,
        }
    }
}

#[cfg(test)]
#[path = "namespace_leases_tests.rs"]
mod tests;
