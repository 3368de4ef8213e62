//! What an answer about a hold or a reservation says, in a line for the person who asked: what they have, what it costs,
//! until when, and what is left. Pure.

use serde_json::Value;

/// The line; `None` for what is about something else.
pub fn line(answer: &Value) -> Option<String> {
    let seats = named(&answer["seats"])?;
    let cost = format!("{} {} in its minor unit", answer["total"].as_u64()?, answer["currency"].as_str()?);
    if let Some(released) = answer["released"].as_array() {
        let released: Vec<_> = released.iter().filter_map(Value::as_str).collect();
        let left =
            if seats.is_empty() { "nothing is left".to_owned() } else { format!("left: {seats}; {cost}") };
        return Some(format!("given back: {}; {left}", released.join(", ")));
    }
    if answer["reservationId"].is_string() {
        return Some(format!("reserved: {seats}; {cost}"));
    }
    let until = jiff::Timestamp::from_millisecond(answer["expiresAt"].as_i64()?).ok()?;
    let together = if answer["together"] == true { "; all are neighbours" } else { "" };
    Some(format!("held until {until}: {seats}; {cost}{together}"))
}

/// Seats with their prices.
fn named(seats: &Value) -> Option<String> {
    let named = |seat: &Value| Some(format!("{} {}", seat["seatId"].as_str()?, seat["price"].as_u64()?));
    let seats: Option<Vec<_>> = seats.as_array()?.iter().map(named).collect();
    Some(seats?.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_there_is_and_what_it_costs() {
        let seats = json!([{"seatId": "arena.A-1-1", "price": 100}, {"seatId": "arena.A-1-2", "price": 200}]);
        let cost = json!({"seats": seats, "total": 300, "currency": "EUR"});
        let with = |more: Value| {
            let mut answer = cost.clone();
            answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            line(&answer)
        };
        let all = "arena.A-1-1 100, arena.A-1-2 200; 300 EUR in its minor unit";
        let held = with(json!({"holdId": "h", "expiresAt": 1_000, "together": true}));
        assert_eq!(held, Some(format!("held until 1970-01-01T00:00:01Z: {all}; all are neighbours")));
        assert_eq!(with(json!({"reservationId": "r"})), Some(format!("reserved: {all}")));
        let part = with(json!({"released": ["arena.A-1-3"]}));
        assert_eq!(part, Some(format!("given back: arena.A-1-3; left: {all}")));
        let whole = json!({"released": ["arena.A-1-3"], "seats": [], "total": 0, "currency": "EUR"});
        assert_eq!(line(&whole).as_deref(), Some("given back: arena.A-1-3; nothing is left"));
        assert_eq!(line(&json!({"success": true})), None);
    }
}
