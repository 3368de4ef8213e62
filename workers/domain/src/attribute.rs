//! Whose facts are: the changes of a decision, put into the envelopes that they travel in.
//!
//! Facts belong to the chain of the command that made them, except the end of a lapsed hold: that belongs to the
//! hold's own chain, whoever noticed it.

use uuid::Uuid;

use crate::events::{Claim, DomainEvent, Envelope, Metadata, ReleaseReason, VERSION};
use crate::ids::{CorrelationId, UnixMillis, UserId, event_id};
use crate::state::SeatingEventState;

/// Where a command comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The command's own id, which its events' ids derive from.
    pub command: Uuid,
    /// The chain that it belongs to.
    pub correlation: CorrelationId,
    /// Who acts; `None` where nobody does.
    pub user: Option<UserId>,
}

/// The changes that a command decided on `state` makes, in order, with the sequences that follow.
pub fn attribute(
    state: &SeatingEventState,
    changes: Vec<DomainEvent>,
    origin: &Origin,
    now: UnixMillis,
) -> Vec<Envelope> {
    let mut ended = None;
    let envelope = |(index, event): (u64, DomainEvent)| {
        // The block that comes back belongs to the end of the hold before it.
        if !matches!(event, DomainEvent::SeatBlocked(_)) {
            ended = lapsed(state, &event);
        }
        let (correlation_id, user_id) =
            ended.clone().unwrap_or_else(|| (origin.correlation.clone(), origin.user.clone()));
        let sequence = Some(state.sequence + index + 1);
        Envelope {
            event_id: event_id(origin.command, state.sequence + index + 1),
            timestamp: now,
            version: VERSION,
            metadata: Metadata { correlation_id, causation_id: origin.command, user_id, sequence },
            event,
        }
    };
    (0..).zip(changes).map(envelope).collect()
}

/// The chain and the holder of the hold that `event` ends because it has lapsed.
fn lapsed(state: &SeatingEventState, event: &DomainEvent) -> Option<(CorrelationId, Option<UserId>)> {
    match event {
        DomainEvent::SeatReleased(e) if e.reason == ReleaseReason::Expired => {
            let Claim::Hold(hold) = &e.claim else { return None };
            let hold = state.holds.get(&hold.uuid())?;
            Some((hold.correlation.clone(), Some(hold.user.clone())))
        }
        _ => None,
    }
}
