//! The moments at which a show's phase changes by itself. Pure; which phase it is then says the service.

use std::time::Duration;

use jiff::Timestamp;

use super::show::Gist;

/// How long until sales open or close next, if they do.
pub fn next(gist: &Gist, now: Timestamp) -> Option<Duration> {
    let ahead = of(gist).filter(|moment| *moment > now).min()?;
    Duration::try_from(ahead.duration_since(now)).ok()
}

/// Whether sales opened or closed after `then`, up to `now`.
pub fn passed(gist: &Gist, then: Timestamp, now: Timestamp) -> bool {
    of(gist).any(|moment| then < moment && moment <= now)
}

fn of(gist: &Gist) -> impl Iterator<Item = Timestamp> {
    gist.opens_at.iter().chain([&gist.closes_at]).map(|time| time.0)
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
        let mut gist = show().spec;
        (gist.opens_at, gist.closes_at) = (Some(Time(at(100))), Time(at(200)));
        let seconds = |now| next(&gist, at(now)).map(|wait| wait.as_secs());
        assert_eq!([99, 100, 199, 200].map(seconds), [Some(1), Some(100), Some(1), None]);
        assert!(passed(&gist, at(99), at(100)) && passed(&gist, at(100), at(250)));
        assert!(!passed(&gist, at(100), at(199)) && !passed(&gist, at(200), at(250)));
        gist.opens_at = None;
        assert_eq!(next(&gist, at(0)), Some(Duration::from_secs(200)));
    }
}
