//! The shows of a service whose log is to be deleted: purged through the admin API, so that neither the stores nor the views
//! keep seats that no log tells of.

use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::WORKERS_READY;
use futures::{StreamExt, stream};
use kube::ResourceExt;

use crate::admin::{AdminError, Target};
use crate::api::ApiError;
use crate::conditions::{Finding, progress};
use crate::context::{Context, key};
use crate::departures::{ServiceKey, Silence};
use crate::notices::Notice;
use crate::seating_event::dereference::{doubt, target};

/// How long the command worker may stay silent before the log goes without it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long `event.purged` may take to reach the log, from which the views hear of it.
const PUBLISHED: Duration = Duration::from_secs(30);
/// Most shows that are purged in one go.
const AT_ONCE: usize = 200;
/// How many purges are under way at a time.
const SIDE_BY_SIDE: usize = 8;

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Purge {
    /// Nothing is left to purge, or nobody is there to do it.
    Done(Vec<Notice>),
    /// Look again soon.
    Waits(Finding),
}

/// What the command worker has left of the service's shows.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// So many of which the next one is to be purged.
    Shows(usize),
    /// So many domain events that wait for the log.
    Events(u64),
    Nothing,
}

/// Purges all that the service sells, as long as it has a command worker.
pub async fn purge(
    context: &Context,
    service: &ReservationService,
    has_command: bool,
) -> Result<Purge, ApiError> {
    let own: ServiceKey = (service.namespace().unwrap_or_default(), service.name_any());
    let (departures, uid) = (&context.departures, service.uid().unwrap_or_default());
    if departures.is_purged(&own, &uid) {
        return Ok(Purge::Done(Vec::new()));
    }
    let has_worked = service.status.as_ref().is_some_and(|status| status.command.is_some());
    if !has_command {
        return Ok(Purge::Done(if has_worked {
            vec![not_purged("it has no command worker")]
        } else {
            Vec::new()
        }));
    }
    let target = target(context, &own.0, &own.1).await?.or_else(|| departures.target(&own));
    let answer = match target {
        Some(target) => go_on(context, &target).await,
        None => Err(AdminError::Absent),
    };
    departures.note_answer(&own, &answer);
    if let Err(AdminError::Refused { status: 401, .. }) = answer {
        doubt(context, &own);
    }
    let publishing = format!("{}, published", key(service));
    let purge = match answer {
        Ok(Left::Events(_)) if departures.waited(&publishing) < PUBLISHED => judge(answer, None),
        Ok(Left::Events(_) | Left::Nothing) => {
            departures.is_gone(&publishing);
            departures.note_purged(&own, &uid);
            judge(Ok(Left::Nothing), None)
        }
        other => judge(other, departures.silence(&own)),
    };
    Ok(purge)
}

/// Purges the next ones; what is left then.
async fn go_on(context: &Context, target: &Target) -> Result<Left, AdminError> {
    let listing = context.admin.inventories(target, "").await?;
    let count = listing.inventories.len();
    // Those that cannot be read say why, and keep their log until they can.
    let shows = listing.inventories.into_iter().map(|show| show.event_id).chain(listing.unreadable);
    let shows = shows.take(AT_ONCE);
    let purging = shows.map(|show| async move { context.admin.purge(target, &show).await });
    let answers: Vec<_> = stream::iter(purging.collect::<Vec<_>>()).buffered(SIDE_BY_SIDE).collect().await;
    answers.into_iter().collect::<Result<Vec<()>, _>>()?;
    if count > 0 || listing.is_partial {
        return Ok(Left::Shows(count));
    }
    let waiting = context.admin.outbox(target).await?.depth;
    Ok(if waiting > 0 { Left::Events(waiting) } else { Left::Nothing })
}

fn judge(answer: Result<Left, AdminError>, silence: Option<Silence>) -> Purge {
    let waits = |reason, message| Purge::Waits(Finding::unmet(WORKERS_READY, reason, message));
    let error = match answer {
        Ok(Left::Nothing) => return Purge::Done(Vec::new()),
        Ok(Left::Shows(_)) => {
            return waits(progress::DELETING, "the deletion waits until the shows are purged".to_owned());
        }
        Ok(Left::Events(_)) => {
            return waits(
                progress::DELETING,
                "the deletion waits until Kafka has that the shows are purged".to_owned(),
            );
        }
        Err(error) => error,
    };
    if error.is_silence() && silence.is_some_and(|silence| silence.lasted >= PATIENCE) {
        return Purge::Done(vec![not_purged(&format!("{error}, for {} s", PATIENCE.as_secs()))]);
    }
    let reason = match &error {
        AdminError::Absent | AdminError::Unreachable { .. } => "CommandUnreachable",
        AdminError::Refused { status: 401, .. } => "TokenRefused",
        AdminError::Refused { problem, .. } if problem.code == "RECOVERING" => "Recovering",
        AdminError::Refused { .. } => "CommandUnavailable",
    };
    let message = format!(
        "the deletion waits until the shows are purged, before their log is deleted: {error}. After {} s without any answer \
         it goes on without that; to let go and keep the topics, set spec.kafka.topic.deletionPolicy to Retain",
        PATIENCE.as_secs()
    );
    waits(reason, message)
}

fn not_purged(why: &str) -> Notice {
    Notice::warning(
        "ShowsNotPurged",
        format!(
            "the topics are deleted, but not what Redis has of the shows: {why}. Before a service of this namespace and name \
             is created again, delete the keys in Redis that begin with these two, or give it a Redis without them"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Problem;

    fn unreachable() -> AdminError {
        AdminError::Unreachable { url: "http://x".into(), detail: "connection refused".into() }
    }

    fn refused(status: u16, code: &str) -> AdminError {
        let problem = Problem { code: code.into(), detail: "no".into(), conflicts: vec![] };
        AdminError::Refused { status, problem }
    }

    fn silent_for(seconds: u64) -> Silence {
        Silence { lasted: Duration::from_secs(seconds), error: unreachable() }
    }

    fn reason(purge: Purge) -> String {
        match purge {
            Purge::Done(notices) => notices.first().map_or("done".to_owned(), |notice| notice.reason.clone()),
            Purge::Waits(finding) => format!("waits: {}", finding.reason),
        }
    }

    #[test]
    fn shows_go_first_and_the_log_hears_of_it() {
        assert_eq!(reason(judge(Ok(Left::Shows(3)), None)), "waits: Deleting");
        assert_eq!(reason(judge(Ok(Left::Events(3)), None)), "waits: Deleting");
        assert_eq!(reason(judge(Ok(Left::Nothing), None)), "done");
    }

    #[test]
    fn a_silent_worker_is_waited_for_half_a_minute_and_then_it_is_told() {
        assert_eq!(reason(judge(Err(unreachable()), Some(silent_for(29)))), "waits: CommandUnreachable");
        assert_eq!(reason(judge(Err(unreachable()), Some(silent_for(30)))), "ShowsNotPurged");
    }

    #[test]
    fn a_worker_that_says_no_is_asked_again_and_the_way_out_is_told() {
        for (error, because) in [
            (refused(503, "RECOVERING"), "waits: Recovering"),
            (refused(503, "UNAVAILABLE"), "waits: CommandUnavailable"),
            (refused(401, "UNAUTHENTICATED"), "waits: TokenRefused"),
        ] {
            let purge = judge(Err(error), None);
            assert!(
                matches!(&purge, Purge::Waits(finding) if finding.message.contains("to Retain")),
                "{purge:?}"
            );
            assert_eq!(reason(purge), because);
        }
    }
}
