//! What the command line of `boxoffice hold` asks for, as a request to the HTTP API. No IO.

use boxoffice_domain::{Best, SeatId};
use serde_json::{Value, json};

use crate::args::Hold;
use crate::args::values::Named;
use crate::failure::Failure;

/// The path and the body of the request.
///
/// # Errors
/// A command line that asks for two things, or for nothing.
pub fn request(hold: &Hold) -> Result<(String, Option<Value>), Failure> {
    let Hold { what, best, section, price_category, areas, add, blocked, buyer, staff } = hold;
    let (seats, event) = split(what)?;
    if staff.staff {
        if best.is_some() || !areas.is_empty() || seats.is_empty() {
            return Err(usage("--staff holds seats that are named, such as arena-night.A-7-7"));
        }
        let body = json!({"userId": buyer.user, "seats": seats, "blocked": blocked});
        return Ok((format!("/admin/events/{event}/holds"), Some(body)));
    }
    let holds = |event: &str| match add {
        Some(hold) => format!("/holds/{hold}/seats"),
        None => format!("/events/{event}/holds"),
    };
    if let Some(hold) = add
        && hold.event_id().as_str() != event
    {
        return Err(usage(&format!("--add {hold}: that is no hold of {event}")));
    }
    if let Some(quantity) = *best {
        if !seats.is_empty() {
            return Err(usage("--best chooses the seats: name the SeatingEvent alone, such as arena-night"));
        }
        let (section_id, price_category) = (section.clone(), price_category.clone());
        let best = Best { quantity, section_id, price_category, together: None };
        return Ok((holds(event), Some(json!({ "bestAvailable": best }))));
    }
    match (seats.as_slice(), areas.as_slice()) {
        ([], []) => Err(usage(&format!(
            "{event} is a SeatingEvent: name seats of it, or add --best N or --area AREA=N"
        ))),
        ([seat], []) if add.is_none() => Ok((format!("/seats/{seat}/hold"), None)),
        (seats, []) => Ok((holds(event), Some(json!({ "seats": seats })))),
        (seats, areas) => Ok((holds(event), Some(json!({ "seats": seats, "areas": areas })))),
    }
}

/// The seats that are named, and the SeatingEvent that it is all about.
fn split(what: &[Named]) -> Result<(Vec<&SeatId>, &str), Failure> {
    let mut seats = Vec::new();
    let mut events = Vec::new();
    for named in what {
        match named {
            Named::Seat(seat) => seats.push(seat),
            Named::Event(event) => events.push(event),
        }
    }
    match (seats.first(), events.as_slice()) {
        (Some(seat), []) => Ok((seats.clone(), seat.event())),
        (None, [event]) => Ok((seats, event.as_str())),
        _ => Err(usage("name seats of one SeatingEvent, or one SeatingEvent alone")),
    }
}

fn usage(text: &str) -> Failure {
    Failure::Usage(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn asked(line: &str) -> Result<(String, Option<Value>), String> {
        let arguments = ["boxoffice", "hold"].into_iter().chain(line.split(' '));
        let args = Args::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let Command::Hold(hold) = args.command else { return Err("no hold".to_owned()) };
        request(&hold).map_err(|failure| failure.to_string())
    }

    fn posts(line: &str, path: &str, body: Option<Value>) {
        assert_eq!(asked(line), Ok((path.to_owned(), body)), "{line}");
    }

    #[test]
    fn seats_are_held_alone_or_together() {
        posts("arena.A-1-1", "/seats/arena.A-1-1/hold", None);
        let seats = json!({"seats": ["arena.A-1-1", "arena.A-1-2"]});
        posts("arena.A-1-1 arena.A-1-2", "/events/arena/holds", Some(seats));
    }

    #[test]
    fn the_choice_is_left_to_the_platform() {
        let best = json!({"bestAvailable": {"quantity": 4}});
        posts("arena --best 4", "/events/arena/holds", Some(best));
        let best = json!({"bestAvailable": {"quantity": 2, "sectionId": "A", "priceCategory": "gold"}});
        posts("arena --best 2 --section A --price-category gold", "/events/arena/holds", Some(best));
    }

    #[test]
    fn areas_stand_alone_or_beside_seats() {
        let areas = json!([{"sectionId": "FLOOR", "quantity": 2}, {"sectionId": "LAWN", "quantity": 1}]);
        let alone = json!({"seats": [], "areas": areas});
        posts("arena --area FLOOR=2 --area LAWN=1", "/events/arena/holds", Some(alone));
        let beside = json!({"seats": ["arena.A-1-1"], "areas": areas});
        posts("arena.A-1-1 --area FLOOR=2 --area LAWN=1", "/events/arena/holds", Some(beside));
    }

    #[test]
    fn a_hold_gets_more_seats() {
        let hold = "arena.12345678-9abc-4def-8123-000000000001";
        let path = format!("/holds/{hold}/seats");
        posts(&format!("arena.A-1-1 --add {hold}"), &path, Some(json!({"seats": ["arena.A-1-1"]})));
        let best = json!({"bestAvailable": {"quantity": 2}});
        posts(&format!("arena --best 2 --add {hold}"), &path, Some(best));
        let elsewhere = asked(&format!("club.A-1-1 --add {hold}")).unwrap_err();
        assert!(elsewhere.contains("no hold of club"), "{elsewhere}");
    }

    #[test]
    fn the_box_office_holds_for_somebody() {
        let body = |blocked| json!({"userId": "alice", "seats": ["arena.A-1-1"], "blocked": blocked});
        let path = "/admin/events/arena/holds";
        posts("arena.A-1-1 --staff --user alice", path, Some(body(false)));
        posts("arena.A-1-1 --staff --user alice --blocked", path, Some(body(true)));
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for (line, complaint) in [
            ("arena", "--best N or --area AREA=N"),
            ("arena.A-1-1 --best 2", "name the SeatingEvent alone"),
            ("arena arena.A-1-1", "or one SeatingEvent alone"),
            ("arena club --best 2", "or one SeatingEvent alone"),
            ("arena --best 0", "1..=100"),
            ("arena --best 2 --area FLOOR=1", "cannot be used with"),
            ("arena --section A", "--best"),
            ("arena --area FLOOR", "such as FLOOR=2"),
            ("arena --area FLOOR=0", "such as FLOOR=2"),
            ("A-1-1", "expected a seat"),
            ("arena --best 2 --staff", "--staff holds seats that are named"),
            ("arena.A-1-1 --blocked", "--staff"),
            ("arena.A-1-1 --add here", "--add"),
        ] {
            let complained = asked(line).unwrap_err();
            assert!(complained.contains(complaint), "{line}: {complained}");
        }
    }
}
