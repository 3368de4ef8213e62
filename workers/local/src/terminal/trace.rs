//! `boxoffice trace`: what came of a request, as a tree: each domain event below the one that caused it.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::time::Duration;

use boxoffice_domain::CorrelationId;
use serde_json::Value;

use super::buy::{print, read};
use super::target::{Endpoint, Port, client, reach, send_patiently};
use crate::args::Trace;
use crate::failure::Failure;

/// Longest wait for an answer: the worker itself gives up after 2 s.
const ANSWER: Duration = Duration::from_secs(15);

/// Prints it.
///
/// # Errors
/// The problem that the API answers.
pub async fn show(trace: Trace) -> Result<(), Failure> {
    let Trace { id, json, query_url, command_url, service, user, token, admin_token } = trace;
    let is_users = user.is_some() || token.is_some();
    let endpoint = match service {
        Some(service) => reach(&service, if is_users { Port::Queries } else { Port::Figures }).await?,
        None => Endpoint::at(&query_url.unwrap_or(command_url), None),
    };
    let endpoint = endpoint.with_token(admin_token);
    let path = if is_users { "/trace" } else { "/admin/trace" };
    let request = client()?.get(format!("{}{path}/{}", endpoint.url, in_path(&id)));
    let request = match (user, token) {
        (_, Some(token)) => request.bearer_auth(token),
        (Some(user), None) => request.header("x-user-id", user.as_str()),
        (None, None) => endpoint.authorize(request),
    };
    let answer = read(send_patiently(request.timeout(ANSWER), &endpoint).await, &endpoint).await;
    let answer = answer.map_err(|failure| hint(failure, &endpoint))?;
    if json {
        return print(&answer);
    }
    Ok(stdout().write_all(tree(&answer).as_bytes())?)
}

/// An id as one segment of a path: whatever is no letter or digit is escaped.
fn in_path(id: &CorrelationId) -> String {
    id.as_str().bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

/// Readers' ports tell each user what names that user, and nothing else.
fn hint(failure: Failure, endpoint: &Endpoint) -> Failure {
    match failure {
        Failure::Refused(why) if why.contains("nothing at this address") => Failure::Refused(format!(
            "{} does not serve operators: in a cluster use --service namespace/name, or the query worker's port 8082 with \
             --admin-token; or ask as a user, with --user",
            endpoint.url
        )),
        other => other,
    }
}

/// The chain, a line a domain event.
fn tree(answer: &Value) -> String {
    let mut text = format!("{}\n", answer["correlationId"].as_str().unwrap_or_default());
    draw(&mut text, "", &answer["events"]);
    if answer["isCut"] == true {
        text.push_str("and more: these are the oldest\n");
    }
    text
}

fn draw(text: &mut String, before: &str, events: &Value) {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, event) in events.iter().enumerate() {
        let (branch, below) =
            if index + 1 == events.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        _ = writeln!(text, "{before}{branch}{}", line(event));
        draw(text, &format!("{before}{below}"), &event["caused"]);
    }
}

fn line(event: &Value) -> String {
    let word = |name: &str| event[name].as_str().unwrap_or_default();
    let time = event["timestamp"].as_i64().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    let time = time.map(|time| format!("{time:.3}")).unwrap_or_default();
    let sequence = event["sequence"].as_u64().map(|sequence| format!(" #{sequence}")).unwrap_or_default();
    let user = event["userId"].as_str().map(|user| format!(" {user}")).unwrap_or_default();
    format!("{time} {} {}{sequence}{user}", word("eventType"), word("aggregateId"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chain_is_drawn_as_a_tree() {
        let event = |kind: &str, sequence: Value, caused: Value| {
            json!({
                "eventType": kind, "aggregateId": "arena.A-1-1", "timestamp": 1_000, "sequence": sequence,
                "userId": "alice", "caused": caused
            })
        };
        let requested = event(
            "payment.requested",
            Value::Null,
            json!([event("payment.completed", Value::Null, json!([]))]),
        );
        let answer = json!({
            "correlationId": "order-17",
            "events": [event("seat.held", json!(2), json!([requested])), event("seat.reserved", json!(3), json!([]))],
            "isCut": true
        });
        let expected = "\
order-17
├─ 1970-01-01T00:00:01.000Z seat.held arena.A-1-1 #2 alice
│  └─ 1970-01-01T00:00:01.000Z payment.requested arena.A-1-1 alice
│     └─ 1970-01-01T00:00:01.000Z payment.completed arena.A-1-1 alice
└─ 1970-01-01T00:00:01.000Z seat.reserved arena.A-1-1 #3 alice
and more: these are the oldest
";
        assert_eq!(tree(&answer), expected);
    }

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        assert_eq!(in_path(&"order-17_a".parse().unwrap()), "order-17_a");
        assert_eq!(in_path(&"a/b?c 100%".parse().unwrap()), "a%2Fb%3Fc%20100%25");
        assert_eq!(in_path(&"..".parse().unwrap()), "%2E%2E");
    }
}
