//! The moments at which a show's phase changes by itself. Pure; which phase it is then says the service.

use std::time::Duration;

use jiff::Timestamp;

use super::slim::SlimSpec;

/// How long until sales open or close next, if they do.
pub fn next(spec: &SlimSpec, now: Timestamp) -> Option<Duration> {
    let ahead = of(spec).filter(|moment| *moment > now).min()?;
    Duration::try_from(ahead.duration_since(now)).ok()
}

/// Whether sales opened or closed after `then`, up to `now`.
pub fn passed(spec: &SlimSpec, then: Timestamp, now: Timestamp) -> bool {
    of(spec).any(|moment| then < moment && moment <= now)
}

fn of(spec: &SlimSpec) -> impl Iterator<Item = Timestamp> {
    spec.opens_at.iter().chain([&spec.closes_at]).map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use boxoffice_crds::common::Time;

    use super::*;
    use crate::seating_event::fixtures::show;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn sales_open_and_close() {
        let mut spec = show().spec;
        (spec.opens_at, spec.closes_at) = (Some(Time(at(100))), Time(at(200)));
        let seconds = |now| next(&spec, at(now)).map(|wait| wait.as_secs());
        assert_eq!([99, 100, 199, 200].map(seconds), [Some(1), Some(100), Some(1), None]);
        assert!(passed(&spec, at(99), at(100)) && passed(&spec, at(100), at(250)));
        assert!(!passed(&spec, at(100), at(199)) && !passed(&spec, at(200), at(250)));
        spec.opens_at = None;
        assert_eq!(next(&spec, at(0)), Some(Duration::from_secs(200)));
    }
}
