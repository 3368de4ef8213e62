//! What waits for Kafka, as the status shows it, and when that is worth an Event. Pure but for [`look`].
//!
//! While sales run there is always something on its way: what is young is not shown, and what is old is rounded, so that
//! the status is written when something is wrong, and rarely even then (I12).

use boxoffice_crds::reservation_service::OutboxStatus;

use crate::admin::{AdminError, Outbox, Target};
use crate::context::Context;
use crate::notices::Notice;

/// Ages are shown in steps of so many seconds; younger than one is young.
const STEP: u64 = 10;
/// From this age on it is stuck: Kafka's own recoveries are shorter.
const STUCK: u64 = 30;

/// Asks a command worker.
pub async fn look(context: &Context, target: &Target) -> Result<Outbox, AdminError> {
    let outbox = context.admin.outbox(target).await;
    outbox.inspect_err(|error| {
        tracing::debug!(namespace = target.namespace, name = target.service, %error, "outbox not seen");
    })
}

/// What the status says about it.
pub fn shown(outbox: Outbox) -> OutboxStatus {
    let oldest_seconds = outbox.oldest_seconds - outbox.oldest_seconds % STEP;
    let depth = if oldest_seconds == 0 { 0 } else { two_digits(outbox.depth) };
    OutboxStatus { depth, oldest_seconds }
}

fn two_digits(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or_default().saturating_sub(1));
    number - number % unit
}

/// Told once when it gets stuck, and once when it moves again.
pub fn notices(before: Option<&OutboxStatus>, after: Option<&OutboxStatus>) -> Vec<Notice> {
    let is_stuck =
        |status: Option<&OutboxStatus>| status.is_some_and(|status| status.oldest_seconds >= STUCK);
    match (is_stuck(before), after) {
        (false, Some(OutboxStatus { depth, oldest_seconds })) if is_stuck(after) => vec![Notice {
            warning: true,
            reason: "OutboxStuck".to_owned(),
            note: format!(
                "the oldest of about {depth} domain events has waited for Kafka for {oldest_seconds} s: see whether the \
                 brokers answer and what the command worker's log says; above outbox.highWatermark new holds are refused"
            ),
        }],
        (true, Some(_)) if !is_stuck(after) => {
            vec![Notice::normal("OutboxMoves", "domain events reach Kafka again")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(depth: u64, oldest_seconds: u64) -> OutboxStatus {
        shown(Outbox { depth, oldest_seconds })
    }

    #[test]
    fn what_is_young_is_not_shown() {
        assert_eq!(status(73_000, 9), OutboxStatus::default());
        assert_eq!(status(0, 0), OutboxStatus::default());
    }

    #[test]
    fn what_is_old_is_rounded() {
        let shown = |depth, oldest_seconds| OutboxStatus { depth, oldest_seconds };
        assert_eq!(status(7, 10), shown(7, 10));
        assert_eq!(status(99, 39), shown(99, 30));
        assert_eq!(status(128_411, 3_599), shown(120_000, 3_590));
        assert_eq!(status(128_999, 3_599), status(128_411, 3_590));
    }

    #[test]
    fn a_stuck_outbox_is_told_once_and_its_end_too() {
        let (young, old, stuck) = (status(5, 1), status(5, 29), status(1_234, 31));
        let told = notices(Some(&old), Some(&stuck));
        assert_eq!((told.len(), told[0].reason.as_str(), told[0].warning), (1, "OutboxStuck", true));
        assert!(told[0].note.contains("about 1200 domain events"), "{}", told[0].note);
        assert_eq!(notices(None, Some(&stuck)), told);
        for (before, after) in [(&young, &old), (&stuck, &status(9_999, 400)), (&old, &young)] {
            assert!(notices(Some(before), Some(after)).is_empty(), "{before:?} {after:?}");
        }
        let moves = [Notice::normal("OutboxMoves", "domain events reach Kafka again")];
        assert_eq!(notices(Some(&stuck), Some(&old)), moves);
    }
}
