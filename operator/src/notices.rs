//! Kubernetes Events: what was done, and conditions that turned. Never one for each retry.

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::{READY, REDIS_SPLIT, STALLED};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder};

use crate::api::timed;
use crate::conditions::{find, progress};

/// Most bytes of an Event's note: the API server refuses more than 1,024.
const NOTE: usize = 1000;
/// What stands in place of the rest; the condition has the whole text.
const MORE: &str = " ...";

/// Something worth an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people.
    pub note: String,
}

impl Notice {
    /// A `Normal` notice.
    pub fn normal(reason: &str, note: impl Into<String>) -> Self {
        Self { warning: false, reason: reason.to_owned(), note: note.into() }
    }

    /// A `Warning`.
    pub fn warning(reason: &str, note: impl Into<String>) -> Self {
        Self { warning: true, ..Self::normal(reason, note) }
    }
}

/// The one recorder of the process; it folds repeats into a series.
#[derive(Clone)]
pub struct Notices {
    recorder: Recorder,
}

impl Notices {
    /// A recorder that reports as `boxoffice-operator`.
    pub fn new(client: Client) -> Self {
        Self { recorder: Recorder::new(client, "boxoffice-operator".into()) }
    }

    /// Publishes the notices. An Event that cannot be written is logged and dropped: it must not stop a reconcile.
    pub async fn publish(&self, regarding: &ObjectReference, notices: Vec<Notice>) {
        for Notice { warning, reason, note } in notices {
            let type_ = if warning { EventType::Warning } else { EventType::Normal };
            let action = "Reconcile".to_owned();
            let event = Event { type_, reason, note: Some(cut(note)), action, secondary: None };
            if let Err(error) = timed("write an event", self.recorder.publish(&event, regarding)).await {
                tracing::warn!(%error, reason = event.reason, "event not written");
            }
        }
    }
}

/// As much of the text as an Event takes.
fn cut(mut note: String) -> String {
    if note.len() > NOTE {
        note.truncate(note.floor_char_boundary(NOTE - MORE.len()));
        note.push_str(MORE);
    }
    note
}

/// What the change from `before` to `after` is worth telling: a new stall, a new reason not to be ready, ready again.
pub fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Notice> {
    let Some(ready) = find(after, READY) else { return Vec::new() };
    let unchanged =
        find(before, READY).is_some_and(|b| (&b.status, &b.reason) == (&ready.status, &ready.reason));
    // A split has notices of its own.
    if unchanged || progress::is(&ready.reason) || ready.reason == REDIS_SPLIT {
        return Vec::new();
    }
    let stalled = find(after, STALLED).is_some_and(|condition| condition.status == "True");
    let warning = stalled || ready.status == "False";
    vec![Notice { warning, reason: ready.reason.clone(), note: ready.message.clone() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Finding, Stall, update, with_summary};
    use boxoffice_crds::common::Time;
    use boxoffice_crds::common::condition::TOPICS_READY;

    fn conditions(step: Finding, stall: Option<&Stall>) -> Vec<Condition> {
        update(&[], with_summary(vec![step], stall), None, &Time(jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn a_failure_is_told_once_and_its_end_too() {
        let down = conditions(Finding::unmet(TOPICS_READY, "KafkaUnreachable", "down"), None);
        let up = conditions(Finding::met(TOPICS_READY, "Ready", ""), None);
        assert_eq!(transitions(&[], &down)[0].reason, "KafkaUnreachable");
        assert!(transitions(&down, &down).is_empty());
        assert_eq!(transitions(&down, &up), [Notice::normal("Ready", "everything declared is there")]);
    }

    #[test]
    fn a_note_has_at_most_a_thousand_bytes_and_whole_letters() {
        assert_eq!(cut("short".into()), "short");
        assert_eq!(cut("a".repeat(1000)).len(), 1000);
        for long in ["a".repeat(1001), "ü".repeat(900), "\u{1f39f}".repeat(900)] {
            let note = cut(long.clone());
            assert!(note.len() <= 1000 && note.len() > 990, "{}", note.len());
            assert!(long.starts_with(note.strip_suffix(" ...").unwrap()));
        }
    }

    #[test]
    fn progress_is_no_news() {
        let rolling = conditions(Finding::unmet(TOPICS_READY, progress::ROLLING_OUT, ""), None);
        assert!(transitions(&[], &rolling).is_empty());
    }

    #[test]
    fn a_stall_is_a_warning() {
        let step = Finding::met(TOPICS_READY, "Ready", "");
        let stalled = conditions(step, Some(&Stall::new("InvalidChart", "overlap")));
        assert!(transitions(&[], &stalled)[0].warning);
    }
}
