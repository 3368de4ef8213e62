//! `boxoffice snapshot`: the newest snapshot of a SeatingEvent, from the admin API; in a few lines, or whole as JSON.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::time::Duration;

use boxoffice_domain::{Chart, Definition};
use serde_json::Value;

use super::buy::{print, read};
use super::target::{client, send_patiently};
use crate::args::Kept;
use crate::failure::Failure;

/// Longest wait for an answer: the worker itself gives up after 8 s.
const ANSWER: Duration = Duration::from_secs(15);

/// Prints it.
///
/// # Errors
/// The problem that the API answers.
pub async fn show(kept: Kept) -> Result<(), Failure> {
    show_kept("snapshot", kept, summary).await
}

/// Prints what is kept of a SeatingEvent under this name: a summary, or all of it.
pub(super) async fn show_kept(
    name: &str,
    Kept { event, json, admin }: Kept,
    summary: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    let endpoint = admin.reach().await?;
    let url = format!("{}/admin/events/{event}/{name}", endpoint.url);
    let request = endpoint.authorize(client()?.get(url)).timeout(ANSWER);
    let answer = read(send_patiently(request, &endpoint).await, &endpoint).await?;
    if json {
        return print(&answer);
    }
    Ok(stdout().write_all(summary(&answer).as_bytes())?)
}

/// A field as it is printed: a text without its quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A moment, which JSON has in Unix milliseconds.
pub(super) fn moment(value: &Value) -> String {
    let time = value.as_i64().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.map_or_else(|| plain(value), |time| time.to_string())
}

/// A snapshot in short, a line a fact.
fn summary(snapshot: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| _ = writeln!(text, "{name:13} {value}");
    let plain = |name: &str| plain(&snapshot[name]);
    let count = |name: &str| snapshot[name].as_object().map_or(0, serde_json::Map::len);
    line("event", plain("eventId"));
    line("sequence", plain("sequence"));
    line("time", moment(&snapshot["time"]));
    line("partition", plain("partition"));
    line("offset", plain("offset"));
    match snapshot["sale"].as_object() {
        None => line("sales", "none: it was purged".to_owned()),
        Some(sale) => {
            let closed = sale.get("closed") == Some(&Value::Bool(true));
            line("sales", if closed { "closed for good" } else { "not closed" }.to_owned());
            line("seats", seats(snapshot));
        }
    }
    line("holds", states(snapshot));
    line("reservations", format!("{}, of failed payments {}", count("reservations"), count("failed")));
    line("size", format!("{} bytes of JSON, format {}", snapshot.to_string().len(), plain("format")));
    text
}

/// Seats by status.
fn seats(snapshot: &Value) -> String {
    let of = |status: &str| {
        let seats = snapshot["seats"].as_object().into_iter().flatten();
        seats.filter(|(_, seat)| seat["status"] == status).count()
    };
    let [held, reserved, blocked] = ["HELD", "RESERVED", "BLOCKED"].map(of);
    let definition = serde_json::from_value::<Definition>(snapshot["sale"]["definition"].clone()).ok();
    let chart = definition.and_then(|definition| Chart::expand(&definition).ok());
    let taken = format!("{held} held, {reserved} reserved, {blocked} blocked");
    match chart.map(|chart| chart.len()) {
        Some(total) => {
            let available = total.saturating_sub(held + reserved + blocked);
            format!("{total}: {available} available, {taken}")
        }
        // A later version says more of a definition than this one knows.
        None => taken,
    }
}

/// Holds by what became of them.
fn states(snapshot: &Value) -> String {
    let holds: Vec<_> = snapshot["holds"].as_object().into_iter().flat_map(|holds| holds.values()).collect();
    let of = |status: &str| holds.iter().filter(|hold| hold["status"] == status).count();
    let (active, expired) = (of("ACTIVE"), of("EXPIRED"));
    format!("{active} active, {expired} expired, {} reserved", holds.len() - active - expired)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_has_a_line_a_fact() {
        let hold = |status: Value| json!({"user": "alice", "status": status});
        let snapshot = json!({
            "eventId": "arena-night", "format": 1, "partition": 3, "offset": 7, "sequence": 6, "time": 1_000,
            "sale": {"closed": false, "definition": {
                "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [{"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-9"}]}]
            }},
            "seats": {
                "A-1-1": {"status": "HELD"}, "A-1-2": {"status": "HELD"}, "A-1-3": {"status": "RESERVED"},
                "A-1-4": {"status": "BLOCKED"}, "A-1-5": {"status": "LAPSED"}
            },
            "holds": {"a": hold(json!("ACTIVE")), "b": hold(json!("EXPIRED")), "c": hold(json!({"RESERVED": "r"}))},
            "reservations": {"r": {}}, "failed": {}, "claims": {}
        });
        let text = summary(&snapshot);
        let (facts, size) = text.rsplit_once("size").unwrap();
        let expected = "\
event         arena-night
sequence      6
time          1970-01-01T00:00:01Z
partition     3
offset        7
sales         not closed
seats         9: 5 available, 2 held, 1 reserved, 1 blocked
holds         1 active, 1 expired, 1 reserved
reservations  1, of failed payments 0
";
        assert_eq!(facts, expected);
        assert!(size.trim().ends_with("bytes of JSON, format 1"), "{size}");
        let purged = json!({"eventId": "arena-night", "format": 1, "sequence": 9});
        assert!(summary(&purged).contains("sales         none: it was purged\nholds         0 active"));
    }
}
