//! A seat store that keeps something else than it told the log.

use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::Seat;
use uuid::Uuid;

use super::sound;

/// As of the end of the sound story: Carol holds one of five seats.
const COUNTS: SeatCounts = SeatCounts { total: 5, available: 4, held: 1, reserved: 0, blocked: 0 };

#[test]
fn a_store_that_keeps_what_the_log_says_has_no_findings() {
    let audit = sound().is_sound();
    assert_eq!(audit.compare_stored(&audit.state, COUNTS), Vec::<String>::new());
}

#[test]
fn i2_a_store_that_keeps_something_else_is_found() {
    let audit = sound().is_sound();
    let (mut lost, mut doubled, mut ahead, mut miscounted) =
        (audit.state.clone(), audit.state.clone(), audit.state.clone(), audit.state.clone());
    lost.seats.remove("A-1-3");
    doubled.seats.insert("A-1-5".into(), Seat::Held { hold: Uuid::nil(), amount: 1, blocked: None });
    ahead.sequence += 1;
    miscounted.claims.clear();
    for (stored, why) in
        [(lost, "A-1-3"), (doubled, "A-1-5"), (ahead, "not on the log"), (miscounted, "carol")]
    {
        let findings = audit.compare_stored(&stored, COUNTS);
        assert!(matches!(findings.as_slice(), [one] if one.contains(why)), "{why}: {findings:#?}");
    }
    assert_eq!(audit.compare_stored(&audit.state, SeatCounts { held: 2, ..COUNTS }).len(), 1);
}
