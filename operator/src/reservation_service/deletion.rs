//! A ReservationService on its way out: it lets its SeatingEvents go first, while its workers can still close their sales,
//! then keeps or deletes what is on Kafka. Before the log goes, its shows are purged: their seats are nothing without it, and
//! a service of the same name begins with none of them.
//!
//! Everything in the API server goes by owner references, once the finalizer is removed. Redis is touched by workers
//! alone (I8).

use std::collections::BTreeSet;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::DeletionPolicy;
use boxoffice_crds::common::condition::{READY, TOPICS_READY, WORKERS_READY};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::attached::{self, AttachedSeatingEvent};
use super::children::Children;
use super::purge::{Purge, purge};
use super::record::Record;
use super::validate::names_of;
use super::{credentials, dereference, names, record};
use crate::api::{ApiError, beside, timed};
use crate::conditions::{Finding, progress};
use crate::context::{Context, key};
use crate::departures::ServiceKey;
use crate::kafka::topics::Knowledge;
use crate::kafka::{Kafka, KafkaError};
use crate::notices::Notice;

/// How long a service waits for SeatingEvents that are being deleted with it.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it waits for SeatingEvents that are not: whoever deletes all of a folder or of a namespace comes to them in a
/// moment.
const COMPANY: Duration = Duration::from_secs(10);
/// How often it looks again.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Most names in a message.
const NAMED: usize = 5;

/// Whether the finalizer may be removed.
#[derive(Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may, and this is to be told.
    Now(Vec<Notice>),
    /// Something has to end first; look again soon.
    Later(Finding),
    /// Something stands in the way; try again, later after each failure.
    Failed(Finding),
}

/// Does what is left to do before the service may go.
pub async fn leave(context: &Context, service: &ReservationService) -> Result<Leave, ApiError> {
    let shows = match attached::of(context, service) {
        Some(shows) => shows,
        None => attached::listed(context, service).await?,
    };
    let (departures, own) = (&context.departures, key(service));
    // Counts from when the last of them went.
    let alone = format!("{own}, alone");
    if shows.iter().any(|show| show.is_leaving) {
        departures.is_gone(&alone);
    }
    let waits = waits_for(&shows, departures.waited(&own), departures.waited(&alone));
    let mut notices = match waits {
        Waits::For(finding) => return Ok(Leave::Later(finding)),
        Waits::NoLonger(notice) => vec![notice],
        Waits::ForNone => Vec::new(),
    };
    if service.spec.kafka.topic.deletion_policy == DeletionPolicy::Delete {
        match delete_all(context, service).await? {
            Leave::Now(more) => notices.extend(more),
            other @ (Leave::Later(_) | Leave::Failed(_)) => return Ok(other),
        }
    }
    departures.is_gone(&alone);
    Ok(Leave::Now(notices))
}

/// What the SeatingEvents of a service mean for its deletion.
#[derive(Debug, PartialEq, Eq)]
enum Waits {
    ForNone,
    For(Finding),
    /// It has waited long enough.
    NoLonger(Notice),
}

/// `waited` since its deletion, `alone` since none of its SeatingEvents was being deleted.
fn waits_for(shows: &BTreeSet<AttachedSeatingEvent>, waited: Duration, alone: Duration) -> Waits {
    let leaving: Vec<_> =
        shows.iter().filter(|show| show.is_leaving).map(|show| show.name.as_str()).collect();
    let deleting = |message: String| Waits::For(Finding::unmet(READY, progress::DELETING, message));
    match (leaving.is_empty(), shows.is_empty()) {
        (false, _) if waited < PATIENCE => deleting(format!(
            "the deletion waits until the sales of SeatingEvents are closed that are deleted too, for {} s at most: {}",
            PATIENCE.as_secs(),
            named(&leaving)
        )),
        (false, _) => Waits::NoLonger(Notice::warning(
            "SalesNotClosed",
            format!(
                "deleted before the sales of these SeatingEvents were closed: {}. Applied again the service sells them \
                 until its condition UnclaimedSales closes them",
                named(&leaving)
            ),
        )),
        (true, false) if alone < COMPANY && waited < PATIENCE => deleting(format!(
            "the deletion waits {} s for SeatingEvents that are deleted with the service; those that are not stay, and \
             sell again when it is applied again",
            COMPANY.as_secs()
        )),
        (true, _) => Waits::ForNone,
    }
}

fn named(names: &[&str]) -> String {
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Purges the shows, stops the workers, then deletes the topics that are the service's own, the groups and the record itself.
async fn delete_all(context: &Context, service: &ReservationService) -> Result<Leave, ApiError> {
    let children = match Children::list(&context.client, service).await {
        Ok(children) => Some(children),
        // They go with it, as its Roles did.
        Err(error) if error.is_forbidden() && is_ending(context, service).await => None,
        Err(error) => return Err(error),
    };
    let command = names::worker(&service.name_any(), names::COMMAND);
    let may_have_command = children.as_ref().is_none_or(|all| all.has_deployment(&command));
    let notices = match purge(context, service, may_have_command).await? {
        Purge::Done(notices) => notices,
        Purge::Waits(finding) => return Ok(Leave::Later(finding)),
    };
    let is_bereft = children.is_none();
    if let Some(mut children) = children
        && (children.stop_workloads().await? || has_pods(context, service).await?)
    {
        let message = "the deletion waits until the workers' pods have ended; then the topics are deleted";
        return Ok(Leave::Later(Finding::unmet(WORKERS_READY, progress::DELETING, message)));
    }
    let deleted = delete_topics(context, service, is_bereft).await?;
    Ok(deleted.map_or_else(|error| Leave::Failed(without_kafka(&error)), |()| Leave::Now(notices)))
}

/// Whether the service goes because its namespace does.
async fn is_ending(context: &Context, service: &ReservationService) -> bool {
    context.namespace_leases.is_ending(&service.namespace().unwrap_or_default()).await
}

/// `is_bereft`: the operator has no right to the record any more, which goes with its namespace.
async fn delete_topics(
    context: &Context,
    service: &ReservationService,
    is_bereft: bool,
) -> Result<Result<(), KafkaError>, ApiError> {
    let own: ServiceKey = (service.namespace().unwrap_or_default(), service.name_any());
    // Where all of a namespace is deleted, Secrets are gone before what needs them.
    let connection = match credentials::read(context, service).await? {
        Ok(credentials) => credentials.connection,
        Err(error) => match context.departures.kafka(&own) {
            Some(connection) => connection,
            None => return Ok(Err(error)),
        },
    };
    let recorded = if is_bereft { Record::new() } else { record::read(&context.client, service).await? };
    let known = dereference::knowledge(service, recorded);
    let on_kafka = async {
        let kafka = context.kafka.get(&connection)?;
        let owned = owned(kafka.as_ref(), &known).await?;
        if !owned.is_empty() {
            for group in groups(service) {
                kafka.delete_group(&group).await?;
            }
        }
        for topic in &owned {
            kafka.delete_topic(topic).await?;
        }
        Ok(())
    };
    if let Err(error) = on_kafka.await {
        return Ok(Err(error));
    }
    if !is_bereft {
        record::delete(&context.client, service).await?;
    }
    Ok(Ok(()))
}

/// The topics that are the service's own and there: what has another id than the one that is known was made by somebody
/// else, or is on another cluster. The record of them goes with a namespace, before the service does: then the status says
/// which they are. One of the record that is not there counts where it was: it may have been deleted just now, and its groups
/// not.
async fn owned(kafka: &dyn Kafka, known: &Knowledge) -> Result<BTreeSet<String>, KafkaError> {
    let names: BTreeSet<_> = known.record.keys().chain(known.seen.keys()).cloned().collect();
    if names.is_empty() {
        return Ok(names);
    }
    let is_here = known.elsewhere(kafka.cluster_id().await?.as_deref()).is_none();
    let names: Vec<_> = names.into_iter().collect();
    let mut owned = BTreeSet::new();
    for (name, facts) in kafka.topics(&names).await? {
        let is_own = match facts? {
            Some(facts) => known.may_delete(&name, &facts) && (is_here || known.pinned(&name).is_some()),
            None => is_here && known.record.contains_key(&name),
        };
        if is_own {
            owned.insert(name);
        }
    }
    Ok(owned)
}

/// Those of the spec, and those of consumers that were removed from it and are still there.
fn groups(service: &ReservationService) -> BTreeSet<String> {
    let known = service.status.iter().flat_map(|status| &status.consumer_groups);
    names_of(service).groups.into_iter().chain(known.map(|group| group.name.clone())).collect()
}

/// What Kafka failed in, and how to go without it.
fn without_kafka(error: &KafkaError) -> Finding {
    let message = format!(
        "the deletion waits until the topics are deleted: {error}. To let go and keep them, set \
         spec.kafka.topic.deletionPolicy to Retain"
    );
    Finding::unmet(TOPICS_READY, error.reason(), message)
}

async fn has_pods(context: &Context, service: &ReservationService) -> Result<bool, ApiError> {
    let api: Api<Pod> = beside(&context.client, service);
    let parameters = ListParams::default().labels(&names::owned_by(&service.name_any())).limit(1);
    Ok(!timed("list the workers' pods", api.list_metadata(&parameters)).await?.items.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kafka::Topic;
    use crate::kafka::fake::Fake;
    use crate::kafka::topics::Seen;
    use crate::reservation_service::fixtures::main_service;
    use boxoffice_crds::reservation_service::ConsumerGroupStatus;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn topics_go_that_have_the_ids_of_record_or_status_and_no_others() {
        let kafka = Fake::default();
        for name in ["recorded", "known", "anew", "own", "replaced", "observed", "another"] {
            let (name, config) = (name.to_owned(), BTreeMap::new());
            let topic = Topic { name, partitions: 1, replication_factor: 1, config };
            kafka.create_topic(&topic).await.unwrap();
        }
        let id = |name: &str| kafka.facts(name).id;
        let seen = |id, own| Seen { id, own };
        let known = Knowledge {
            record: [
                ("recorded".to_owned(), None),
                ("known".to_owned(), id("known")),
                ("anew".to_owned(), Some("before".to_owned())),
                ("deleted".to_owned(), Some("deleted".to_owned())),
            ]
            .into(),
            seen: [
                ("own".to_owned(), seen(id("own"), true)),
                ("replaced".to_owned(), seen(Some("before".to_owned()), true)),
                ("observed".to_owned(), seen(id("observed"), false)),
                ("gone".to_owned(), seen(Some("gone".to_owned()), true)),
            ]
            .into(),
            ..Knowledge::default()
        };
        let found = owned(&kafka, &known).await.unwrap();
        assert_eq!(found, ["deleted", "known", "own", "recorded"].map(str::to_owned).into());
        let led_away = Knowledge { cluster: Some("c0".to_owned()), ..known };
        let found = owned(&kafka, &led_away).await.unwrap();
        assert_eq!(
            found,
            ["known", "own"].map(str::to_owned).into(),
            "by their ids alone on another cluster"
        );
    }

    #[test]
    fn groups_of_removed_consumers_go_with_the_service() {
        let mut service = main_service();
        let removed = ConsumerGroupStatus {
            name: "staging.old".into(),
            removed: true,
            ..ConsumerGroupStatus::default()
        };
        service.status.get_or_insert_default().consumer_groups = vec![removed];
        let groups = groups(&service);
        assert!(groups.contains("staging.old") && groups.contains("staging.seat-view"), "{groups:?}");
    }

    fn shows(some: &[(&str, bool)]) -> BTreeSet<AttachedSeatingEvent> {
        let show = |(name, is_leaving): &(&str, bool)| AttachedSeatingEvent {
            name: (*name).to_owned(),
            is_leaving: *is_leaving,
        };
        some.iter().map(show).collect()
    }

    fn message(waits: Waits) -> String {
        match waits {
            Waits::For(finding) => finding.message,
            Waits::NoLonger(notice) => notice.note,
            Waits::ForNone => String::new(),
        }
    }

    #[test]
    fn waits_for_its_seating_events_that_leave_too_and_names_them() {
        let leaving = shows(&[("opera", true), ("arena", true), ("stays", false)]);
        let waits = waits_for(&leaving, Duration::from_secs(59), Duration::ZERO);
        assert!(matches!(waits, Waits::For(_)), "{waits:?}");
        assert!(message(waits).ends_with("at most: arena, opera"));
    }

    #[test]
    fn waits_no_longer_than_a_minute_and_tells_what_is_not_closed() {
        let waits = waits_for(&shows(&[("opera", true)]), PATIENCE, Duration::ZERO);
        assert!(matches!(&waits, Waits::NoLonger(notice) if notice.warning), "{waits:?}");
        assert!(message(waits).contains("closed: opera."));
    }

    #[test]
    fn a_service_that_is_deleted_first_waits_a_moment_for_its_seating_events_to_follow() {
        let staying = shows(&[("opera", false)]);
        assert!(matches!(waits_for(&staying, SOON, SOON), Waits::For(_)));
        assert!(
            matches!(waits_for(&staying, Duration::from_secs(59), Duration::from_secs(9)), Waits::For(_)),
            "the last one just went"
        );
        assert_eq!(waits_for(&staying, COMPANY, COMPANY), Waits::ForNone);
        assert_eq!(waits_for(&staying, PATIENCE, SOON), Waits::ForNone, "a minute in all");
        assert_eq!(
            waits_for(&BTreeSet::new(), Duration::ZERO, Duration::ZERO),
            Waits::ForNone,
            "nobody is to follow"
        );
    }

    #[test]
    fn names_are_bounded() {
        let many: Vec<_> = (0..5000).map(|number| format!("show-{number:04}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(named(&many).ends_with("show-0004 and 4995 more"));
    }

    #[test]
    fn what_kafka_fails_in_names_the_way_out() {
        let error = KafkaError::SecretUnusable("Secret tickets/kafka-user does not exist".into());
        let finding = without_kafka(&error);
        assert_eq!((finding.kind, finding.reason.as_str()), (TOPICS_READY, "KafkaSecretUnusable"));
        for said in ["Secret tickets/kafka-user", "deletionPolicy to Retain"] {
            assert!(finding.message.contains(said), "{}", finding.message);
        }
    }
}
