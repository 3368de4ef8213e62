//! Conditions of both kinds: each reconcile step yields a [`Finding`], three summaries follow from the steps. Pure.
//!
//! `lastTransitionTime` moves only with the status value, so an unchanged object gives an unchanged list, and the
//! caller has nothing to write (I12).

use boxoffice_crds::common::condition::{READY, RECONCILING, REDIS_SPLIT, STALLED};
use boxoffice_crds::common::{Condition, Time};

/// Reasons of a step that is under way: worth showing, not worth a warning.
pub mod progress {
    /// Whether `reason` is one of these.
    pub fn is(reason: &str) -> bool {
        [WAITING, ROLLING_OUT, KAFKA_SETTLING, SERVICE_NOT_READY, SERVICE_SILENT, DELETING].contains(&reason)
    }

    /// A step that comes before this one is not done.
    pub const WAITING: &str = "Waiting";
    /// Pods are starting or being replaced.
    pub const ROLLING_OUT: &str = "RollingOut";
    /// Kafka elects leaders or coordinators.
    pub const KAFKA_SETTLING: &str = "KafkaSettling";
    /// The command worker that provisions seats is not there yet.
    pub const SERVICE_NOT_READY: &str = "ServiceNotReady";
    /// It is deleted as soon as what the message names is done.
    pub const DELETING: &str = "Deleting";
    /// The command worker does not answer; the service says it for all its shows.
    pub const SERVICE_SILENT: &str = "ServiceSilent";
}

/// Reasons of a step that the operator cannot mend, whatever it tries again: only a person can.
pub mod person {
    use boxoffice_crds::common::condition::REDIS_SPLIT;

    /// Whether `reason` is one of these. Those of pods are the kubelet's words.
    pub fn must_act(reason: &str) -> bool {
        [
            REDIS_SPLIT,
            "KafkaAuthenticationFailed",
            "KafkaForbidden",
            "KafkaSecretUnusable",
            "KafkaTlsFailed",
            "TopicConfigDiffers",
            "DurabilityBroken",
            "ReplicationFactorDiffers",
            "PartitionStopped",
            "TokenRefused",
            "AdminTokenUnusable",
            "SecretMissing",
            "SecretKeyMissing",
            "SecretForbidden",
            "SecretUnusable",
            "ConfigMapMissing",
            "ConfigMapKeyMissing",
            "ConfigMapForbidden",
            "ConfigMapUnusable",
            "ReplicaFailure",
            "CreateContainerConfigError",
            "ErrImageNeverPull",
            "InvalidImageName",
        ]
        .contains(&reason)
    }
}

/// The state of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's `type`.
    pub kind: &'static str,
    /// Whether it is `True`.
    pub met: bool,
    /// One word for programs, in upper camel case.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

impl Finding {
    /// A step that is done.
    pub fn met(kind: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self { kind, met: true, reason: reason.to_owned(), message: message.into() }
    }

    /// A step that is not.
    pub fn unmet(kind: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self { kind, met: false, reason: reason.to_owned(), message: message.into() }
    }

    /// A step that waits for an earlier one.
    pub fn waiting(kind: &'static str, message: impl Into<String>) -> Self {
        Self::unmet(kind, progress::WAITING, message)
    }

    /// Whether everything is well as far as this one says: a split is none where it is met.
    fn is_well(&self) -> bool {
        self.met != (self.kind == REDIS_SPLIT)
    }
}

/// Why only a person can go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Stall {
    /// One word for programs.
    pub reason: &'static str,
    /// What is wrong and how to put it right.
    pub message: String,
}

impl Stall {
    /// A stall for `reason`.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// The steps' findings with Ready, Reconciling and Stalled before them. What only a person can mend is never
/// Reconciling: it is Stalled, whether or not it is tried again meanwhile.
pub fn with_summary(steps: Vec<Finding>, stall: Option<&Stall>) -> Vec<Finding> {
    let unmet = steps.iter().find(|step| !step.is_well() && step.reason != progress::WAITING);
    let unmet = unmet.or_else(|| steps.iter().find(|step| !step.is_well()));
    let stalled = |reason, message: &str| {
        vec![
            Finding::unmet(READY, reason, message),
            Finding::unmet(
                RECONCILING,
                "Stalled",
                "nothing more comes of it until the resource or its surroundings change",
            ),
            Finding::met(STALLED, reason, message),
        ]
    };
    let mut all = match (stall, unmet) {
        (Some(stall), _) => stalled(stall.reason, &stall.message),
        (None, Some(step)) if person::must_act(&step.reason) => stalled(&step.reason, &step.message),
        (None, Some(step)) => vec![
            Finding::unmet(READY, &step.reason, &step.message),
            Finding::met(RECONCILING, &step.reason, &step.message),
            Finding::unmet(STALLED, "Progressing", ""),
        ],
        (None, None) => vec![
            Finding::met(READY, "Ready", "everything declared is there"),
            Finding::unmet(RECONCILING, "Ready", ""),
            Finding::unmet(STALLED, "Ready", ""),
        ],
    };
    all.extend(steps);
    all
}

/// The findings as conditions of `generation`, keeping the times of those whose status is what it was.
pub fn update(
    previous: &[Condition],
    findings: Vec<Finding>,
    generation: Option<i64>,
    now: &Time,
) -> Vec<Condition> {
    findings
        .into_iter()
        .map(|finding| {
            let status = if finding.met { "True" } else { "False" };
            let before = find(previous, finding.kind).filter(|condition| condition.status == status);
            Condition {
                last_transition_time: before.map_or_else(|| now.clone(), |b| b.last_transition_time.clone()),
                message: finding.message,
                observed_generation: generation,
                reason: finding.reason,
                status: status.to_owned(),
                type_: finding.kind.to_owned(),
            }
        })
        .collect()
}

/// Puts a condition in its place, or takes it away where there is no finding. Its time is that of `previous` while its
/// status is what it was there.
pub fn set(
    conditions: &mut Vec<Condition>,
    previous: &[Condition],
    kind: &str,
    finding: Option<Finding>,
    generation: Option<i64>,
    now: &Time,
) {
    conditions.retain(|condition| condition.type_ != kind);
    conditions.extend(update(previous, finding.into_iter().collect(), generation, now));
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of that type is `True`.
pub fn is_met(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_crds::common::condition::{TOPICS_READY, WORKERS_READY};

    fn at(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn all_steps_done_is_ready() {
        let all = with_summary(vec![Finding::met(TOPICS_READY, "Ready", "")], None);
        let met: Vec<_> = all.iter().map(|finding| (finding.kind, finding.met)).collect();
        assert_eq!(met, [(READY, true), (RECONCILING, false), (STALLED, false), (TOPICS_READY, true)]);
    }

    #[test]
    fn the_step_that_failed_is_named_before_the_steps_that_wait_for_it() {
        let steps = vec![
            Finding::waiting(WORKERS_READY, "after the topics"),
            Finding::unmet(TOPICS_READY, "KafkaUnreachable", "no broker answered"),
        ];
        let all = with_summary(steps, None);
        assert_eq!((all[0].met, all[0].reason.as_str()), (false, "KafkaUnreachable"));
        assert_eq!((all[1].kind, all[1].met), (RECONCILING, true));
    }

    #[test]
    fn a_stall_is_neither_ready_nor_reconciling() {
        let all = with_summary(Vec::new(), Some(&Stall::new("InvalidChart", "two ranges overlap")));
        let met: Vec<_> = all.iter().map(|finding| finding.met).collect();
        assert_eq!(met, [false, false, true]);
        assert_eq!(all[0].reason, "InvalidChart");
    }

    #[test]
    fn a_split_is_no_step_and_stalls_though_all_steps_are_done() {
        let split = Finding::met(REDIS_SPLIT, REDIS_SPLIT, "a:6379 and b:6379");
        let all = with_summary(vec![split, Finding::met(TOPICS_READY, "Ready", "")], None);
        assert_eq!((all[0].met, all[0].reason.as_str()), (false, REDIS_SPLIT));
        let met: Vec<_> = all.iter().map(|finding| finding.met).collect();
        assert_eq!(met, [false, false, true, true, true]);
    }

    #[test]
    fn what_only_a_person_can_mend_is_not_reconciling() {
        let summary = |reason| {
            let all = with_summary(vec![Finding::unmet(TOPICS_READY, reason, "why")], None);
            assert_eq!(all[0].message, "why");
            [all[0].met, all[1].met, all[2].met]
        };
        assert_eq!(summary("KafkaAuthenticationFailed"), [false, false, true]);
        assert_eq!(summary("KafkaUnreachable"), [false, true, false]);
    }

    #[test]
    fn a_condition_set_apart_keeps_its_time_and_goes_without_a_trace() {
        let finding = || Some(Finding::met(STALLED, "A", "a"));
        let mut now = update(&[], vec![Finding::met(READY, "A", "")], Some(1), &at(1));
        set(&mut now, &[], STALLED, finding(), Some(1), &at(1));
        let before = now.clone();
        set(&mut now, &before, STALLED, finding(), Some(1), &at(2));
        assert_eq!(now, before);
        set(&mut now, &before, STALLED, None, Some(1), &at(3));
        assert_eq!(now.len(), 1);
    }

    #[test]
    fn the_time_moves_only_with_the_status_value() {
        let first = update(&[], vec![Finding::unmet(READY, "A", "a")], Some(1), &at(1));
        let second = update(&first, vec![Finding::unmet(READY, "B", "b")], Some(2), &at(2));
        assert_eq!((second[0].last_transition_time.clone(), second[0].reason.as_str()), (at(1), "B"));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = update(&second, vec![Finding::met(READY, "C", "")], Some(2), &at(3));
        assert_eq!(third[0].last_transition_time, at(3));
    }
}
