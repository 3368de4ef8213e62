//! What a Lease says, and who may write it. Pure.
//!
//! Others measure a Lease by how long they saw it unchanged: clocks of different machines are never compared.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// The Lease as `identity` writes it at `now` for `duration`, after it looked like `before`.
pub fn claim(identity: &str, before: Option<&LeaseSpec>, duration: Duration, now: MicroTime) -> LeaseSpec {
    let mine = before.filter(|spec| spec.holder_identity.as_deref() == Some(identity));
    let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        acquire_time: mine.map_or_else(|| Some(now.clone()), |spec| spec.acquire_time.clone()),
        lease_duration_seconds: i32::try_from(duration.as_secs()).ok(),
        lease_transitions: Some(if mine.is_some() { transitions } else { transitions.saturating_add(1) }),
        renew_time: Some(now),
        ..LeaseSpec::default()
    }
}

/// Whom it belongs to, if to anybody.
pub fn holder(lease: &LeaseSpec) -> Option<&str> {
    lease.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// In how long `identity` may write itself into the Lease, which was left unchanged for so long: at once where it is
/// its own or nobody's, else once its holder has not renewed it for as long as that promised.
pub fn free_in(lease: &LeaseSpec, identity: &str, unchanged: Duration, default: Duration) -> Duration {
    match holder(lease) {
        Some(holder) if holder != identity => {
            let promised = lease.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            promised.map_or(default, Duration::from_secs).saturating_sub(unchanged)
        }
        Some(_) | None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(8);

    fn held_by(holder: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    fn free(lease: &LeaseSpec, unchanged: u64) -> u64 {
        free_in(lease, "a", Duration::from_secs(unchanged), DURATION).as_secs()
    }

    #[test]
    fn a_free_lease_and_ones_own_may_be_taken() {
        for lease in [LeaseSpec::default(), held_by(""), held_by("a")] {
            assert_eq!(free(&lease, 0), 0);
        }
    }

    #[test]
    fn anothers_lease_only_when_it_stood_still_for_as_long_as_promised() {
        assert_eq!([free(&held_by("b"), 14), free(&held_by("b"), 15), free(&held_by("b"), 99)], [1, 0, 0]);
        let silent = LeaseSpec { lease_duration_seconds: None, ..held_by("b") };
        assert_eq!(free(&silent, 0), 8);
    }

    #[test]
    fn a_renewal_keeps_the_time_of_acquiring_and_a_take_over_counts() {
        let at = |second| MicroTime(jiff::Timestamp::from_second(second).unwrap());
        let first = claim("a", None, DURATION, at(1));
        let renewed = claim("a", Some(&first), DURATION, at(2));
        assert_eq!((&renewed.acquire_time, &renewed.renew_time), (&Some(at(1)), &Some(at(2))));
        assert_eq!(renewed.lease_transitions, first.lease_transitions);
        let taken = claim("b", Some(&renewed), DURATION, at(3));
        assert_eq!((taken.acquire_time, taken.lease_transitions), (Some(at(3)), Some(2)));
    }
}
