//! Values of the command line that are more than a number or a text.

use std::str::FromStr;

use boxoffice_domain::{Area, SeatId, SeatingEventId};
use clap::ValueEnum;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Begin {
    /// With the first one that there is
    Earliest,
    /// With what comes from now on
    Latest,
}

/// A seat, or the SeatingEvent where seats are chosen by the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// `arena-night.A-7-7`
    Seat(SeatId),
    /// `arena-night`
    Event(SeatingEventId),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seat = text.parse().map(Self::Seat);
        seat.or_else(|_| text.parse().map(Self::Event)).map_err(|_| {
            "expected a seat (arena-night.A-7-7) or, with --best or --area, a SeatingEvent (arena-night)"
                .to_owned()
        })
    }
}

/// `FLOOR=2`: so many units of an area.
///
/// # Errors
/// A text that says something else.
pub fn area(text: &str) -> Result<Area, String> {
    let (section_id, quantity) = text.split_once('=').unwrap_or_default();
    match quantity.parse() {
        Ok(quantity @ 1..) if !section_id.is_empty() => {
            Ok(Area { section_id: section_id.to_owned(), quantity })
        }
        _ => Err("expected an area and how many units of it, such as FLOOR=2".to_owned()),
    }
}
