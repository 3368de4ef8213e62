//! What can be read, compared with what the domain events add up to.

use std::collections::BTreeMap;

use boxoffice_domain::state::{HoldStatus, Seat};
use boxoffice_domain::{HoldId, SeatId, UnixMillis};

use super::Audit;

/// A seat map as a reader was shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSeats {
    /// As of which domain event.
    pub sequence: u64,
    /// Each seat's status.
    pub seats: BTreeMap<SeatId, String>,
}

/// What the holder of a hold was answered when they asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldSeen {
    /// The hold.
    pub hold: HoldId,
    /// Just before and just after they asked.
    pub between: (UnixMillis, UnixMillis),
    /// The hold's deadline, where it was shown.
    pub expires_at: Option<UnixMillis>,
    /// The code of the refusal, where there was one.
    pub code: Option<String>,
}

impl Audit {
    /// The seats that are shown otherwise than the domain events say, as of the same sequence.
    pub fn compare(&self, shown: &ShownSeats) -> Vec<String> {
        let state = self.state_at(shown.sequence);
        if state.sequence != shown.sequence {
            return vec![format!("the map is as of {}, which has not happened", shown.sequence)];
        }
        let chart = state.sale.iter().flat_map(|sale| sale.chart().seats());
        let status = |key: &str| match state.seats.get(key) {
            None | Some(Seat::Lapsed { .. }) => "AVAILABLE",
            Some(Seat::Held { .. }) => "HELD",
            Some(Seat::Reserved { .. }) => "RESERVED",
            Some(Seat::Blocked { .. }) => "BLOCKED",
        };
        let mut unexpected = shown.seats.clone();
        let mut findings = vec![];
        for seat in chart {
            let key = seat.key();
            let id = SeatId::from_chart(&state.id, &key);
            let (shown, expected) = (unexpected.remove(&id), status(&key));
            if shown.as_deref() != Some(expected) {
                findings.push(format!("{id} is shown {shown:?}, but is {expected} as of {}", state.sequence));
            }
        }
        findings.extend(unexpected.keys().map(|id| format!("{id} is shown, but the chart has no such seat")));
        findings
    }

    /// What is wrong with what a holder was answered; a hold that nobody ended lives until its deadline (I6, I7).
    pub fn holds_as_seen(&self, seen: &HoldSeen) -> Option<String> {
        let hold = self.state.holds.get(&seen.hold.uuid());
        let code = seen.code.as_deref();
        let (may, expected) = match hold {
            Some(hold) if !matches!(hold.status, HoldStatus::Reserved(_)) => {
                let lives = seen.between.0 < hold.expires_at;
                let is_over = seen.between.1 >= hold.expires_at;
                let may = match code {
                    None => lives && seen.expires_at == Some(hold.expires_at),
                    Some("HOLD_EXPIRED") => is_over,
                    Some(_) => false,
                };
                (may, format!("it holds until {}", hold.expires_at))
            }
            _ => (code == Some("HOLD_NOT_FOUND"), "its holder ended it".to_owned()),
        };
        (!may).then(|| format!("I7: hold {}: {expected}, but this was seen: {seen:?}", seen.hold))
    }
}
