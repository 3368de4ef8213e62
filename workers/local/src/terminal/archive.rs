//! `boxoffice archive`: what a SeatingEvent that is over came to, from the admin API; in a few lines, or whole as JSON.

use std::fmt::Write;

use serde_json::Value;

use super::snapshot::{moment, plain, show_kept};
use crate::args::Kept;
use crate::failure::Failure;

/// Prints it.
///
/// # Errors
/// The problem that the API answers.
pub async fn show(kept: Kept) -> Result<(), Failure> {
    show_kept("archive", kept, summary).await
}

/// An archive in short, a line a fact.
fn summary(archive: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| _ = writeln!(text, "{name:13} {value}");
    let all = |name: &str| archive[name].as_array().into_iter().flatten();
    line("event", plain(&archive["eventId"]));
    line("title", plain(&archive["title"]));
    line("starts", moment(&archive["startsAt"]));
    line("closed", moment(&archive["closesAt"]));
    line("sequence", format!("{} of {}", plain(&archive["sequence"]), moment(&archive["lastEventAt"])));
    line("seats", seats(&archive["seats"]));
    for category in all("priceCategories") {
        let (name, at) = (plain(&category["name"]), money(category));
        line(
            "category",
            format!("{name} at {at}: {}; {}", seats(&category["seats"]), sum(&category["revenue"])),
        );
    }
    line("revenue", sum(&archive["revenue"]));
    let cancelled = all("cancelled").count();
    line(
        "reservations",
        format!("{}, cancelled for failed payments {cancelled}", all("reservations").count()),
    );
    line("hash", plain(&archive["hash"]));
    text
}

/// Seats by status.
fn seats(counts: &Value) -> String {
    let of = |status: &str| plain(&counts[status]);
    let [total, available, held, reserved, blocked] =
        ["total", "available", "held", "reserved", "blocked"].map(of);
    format!("{total}: {available} available, {held} held, {reserved} reserved, {blocked} blocked")
}

/// Amounts of each currency; minor units, as prices are written.
fn sum(amounts: &Value) -> String {
    let amounts: Vec<_> = amounts.as_array().into_iter().flatten().map(money).collect();
    if amounts.is_empty() { "nothing".to_owned() } else { amounts.join(", ") }
}

fn money(of: &Value) -> String {
    format!("{} {} in its minor unit", plain(&of["amount"]), plain(&of["currency"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_has_a_line_a_fact() {
        let counts = json!({"total": 9, "available": 6, "held": 0, "reserved": 2, "blocked": 1});
        let none = json!({"total": 0, "available": 0, "held": 0, "reserved": 0, "blocked": 0});
        let revenue = json!([{"amount": 24_000, "currency": "EUR"}]);
        let archive = json!({
            "format": 1, "eventId": "arena-night", "title": "Arena Night", "startsAt": 3_000, "closesAt": 2_000,
            "cancelUntil": 2_000, "closed": false, "partition": 3, "sequence": 7, "lastEventAt": 1_000,
            "definitionHash": "d", "chartHash": "c", "seats": counts, "revenue": revenue,
            "priceCategories": [
                {"name": "gold", "amount": 12_000, "currency": "EUR", "seats": counts, "revenue": revenue},
                {"name": "silver", "amount": 6_000, "currency": "EUR", "seats": none, "revenue": []}
            ],
            "reservations": [{}], "cancelled": [{}, {}], "hash": "abc"
        });
        let expected = "\
event         arena-night
title         Arena Night
starts        1970-01-01T00:00:03Z
closed        1970-01-01T00:00:02Z
sequence      7 of 1970-01-01T00:00:01Z
seats         9: 6 available, 0 held, 2 reserved, 1 blocked
category      gold at 12000 EUR in its minor unit: 9: 6 available, 0 held, 2 reserved, 1 blocked; 24000 EUR in its minor unit
category      silver at 6000 EUR in its minor unit: 0: 0 available, 0 held, 0 reserved, 0 blocked; nothing
revenue       24000 EUR in its minor unit
reservations  1, cancelled for failed payments 2
hash          abc
";
        assert_eq!(summary(&archive), expected);
    }
}
