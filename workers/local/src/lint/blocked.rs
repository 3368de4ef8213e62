//! Seats that are blocked twice: which of the two reasons holds, nobody could say. Pure.

use std::collections::HashMap;

use boxoffice_crds::seating_event::Blocked;

/// The field of each seat that was blocked before, and what is wrong with it.
pub(super) fn twice(blocked: &[Blocked]) -> Vec<(String, String)> {
    let mut first: HashMap<&str, String> = HashMap::new();
    let mut found = Vec::new();
    for (group, Blocked { seats, .. }) in blocked.iter().enumerate() {
        for (index, seat) in seats.iter().enumerate() {
            let field = format!("blocked[{group}].seats[{index}]");
            match first.get(seat.as_str()) {
                Some(earlier) => {
                    let message = format!("{seat} is blocked in spec.{earlier} already: block it once");
                    found.push((field, message));
                }
                None => _ = first.insert(seat, field),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(seats: &[&str]) -> Blocked {
        Blocked { seats: seats.iter().map(ToString::to_string).collect(), reason: "camera".into() }
    }

    #[test]
    fn a_seat_is_found_within_one_group_and_across_groups_with_both_places() {
        let blocked = [group(&["A-1-1", "A-1-2", "A-1-1"]), group(&["A-1-3", "A-1-2"])];
        let told = |place: &str, seat: &str, first: &str| {
            (place.to_owned(), format!("{seat} is blocked in spec.{first} already: block it once"))
        };
        assert_eq!(
            twice(&blocked),
            [
                told("blocked[0].seats[2]", "A-1-1", "blocked[0].seats[0]"),
                told("blocked[1].seats[1]", "A-1-2", "blocked[0].seats[1]"),
            ]
        );
        assert_eq!(twice(&[group(&["A-1-1"]), group(&["A-1-2"])]), []);
    }
}
