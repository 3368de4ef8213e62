//! Who owns which lane: the rule of a round, for stores without a server. `scripts/lease_round.lua` says the same
//! in Redis, and one conformance suite holds both to it. Pure: the time is an argument.

use std::collections::{BTreeMap, HashMap};

use boxoffice_domain::UnixMillis;
use uuid::Uuid;

use super::{LEASE_LIFE, Lease, Round};

/// The relays that stay, and the leases of all lanes.
#[derive(Debug, Default)]
pub struct LeaseTable {
    /// Until when each counts as alive.
    relays: HashMap<Uuid, UnixMillis>,
    leases: BTreeMap<u32, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    owner: Uuid,
    token: u64,
    ends: UnixMillis,
}

impl LeaseTable {
    /// A round of `owner` over the first `lanes` lanes, at `now`: see [`Outbox::round`](super::Outbox::round).
    pub fn round(
        &mut self,
        lanes: u32,
        owner: Uuid,
        stays: bool,
        give_back: &[u32],
        now: UnixMillis,
    ) -> Round {
        let life = u64::try_from(LEASE_LIFE.as_millis()).unwrap_or(u64::MAX);
        let ends = now.saturating_add(life);
        self.relays.retain(|_, ends| *ends > now);
        if stays {
            self.relays.insert(owner, ends);
        } else {
            self.relays.remove(&owner);
        }
        let share = share(lanes as usize, self.relays.len(), stays);

        let (mut leases, mut free) = (vec![], vec![]);
        for lane in 0..lanes {
            let entry = self.leases.entry(lane).or_default();
            let (given, is_live) = (give_back.contains(&lane), entry.ends > now);
            if is_live && entry.owner == owner {
                entry.ends = if given { 0 } else { ends };
                if !given {
                    leases.push(Lease { lane, token: entry.token });
                }
            } else if !is_live && !given {
                free.push(lane);
            }
        }
        for lane in free.into_iter().take(share.saturating_sub(leases.len())) {
            let entry = self.leases.entry(lane).or_default();
            // No lower than the time: higher than every token before, also where a crash took back the last ones.
            *entry = Entry { owner, token: now.max(entry.token + 1), ends };
            leases.push(Lease { lane, token: entry.token });
        }
        Round { leases, share }
    }
}

/// How many of `lanes` lanes a relay should have where `staying` relays stay. One that is leaving leaves all to them; where
/// nobody stays, whoever is still there does what there is to do.
fn share(lanes: usize, staying: usize, stays: bool) -> usize {
    match (staying, stays) {
        (0, _) => lanes,
        (staying, true) => lanes.div_ceil(staying),
        (_, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_shared_out_among_those_who_stay() {
        assert_eq!([1, 2, 3, 5, 16, 20].map(|staying| share(16, staying, true)), [16, 8, 6, 4, 1, 1]);
    }

    #[test]
    fn whoever_leaves_leaves_all_to_those_who_stay_and_goes_on_alone() {
        assert_eq!([0, 1, 2].map(|staying| share(16, staying, false)), [16, 0, 0]);
    }
}
