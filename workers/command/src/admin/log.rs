//! `GET /admin/log`: the service's domain events, one JSON document a line, in the order of the log; for people at a
//! terminal and for tools. It belongs to no consumer group and moves nothing.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::log::{EventLog, LogError, Tail, UntilEnd};
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use boxoffice_runtime::record::Record;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{Admin, LOG_TIMEOUT};
use crate::openapi::{LOG, OfLog};

/// Records taken at once.
const BATCH: usize = 500;

/// What is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Where to begin: `earliest`, with the first record that there is, or `latest`, with what comes from now on;
    /// absent: `latest`.
    #[param(inline, required = false, example = "earliest")]
    from: Begin,
    /// Whether to go on with what comes, or to end where the log ends now.
    #[param(required = false, default = true, example = false)]
    follow: bool,
    /// Only the domain events of this SeatingEvent.
    #[param(value_type = Option<schemas::SeatingEventId>, required = false, example = "arena-night")]
    event: Option<SeatingEventId>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { from: Begin::Latest, follow: true, event: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Begin {
    /// With the first record that there is.
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// A topic that is being read.
enum Reading {
    /// For ever.
    On(Box<dyn Tail>),
    /// Up to where it ended when it was opened.
    UntilEnd(UntilEnd),
    /// Nothing: neither what there is nor what comes is asked for.
    Nothing,
}

/// Read the log
///
/// The domain events of all SeatingEvents, with their payments and statistics: a JSON document a line, in the order of
/// the log. The answer goes on until the caller goes away, the worker stops or, without `follow`, all is read.
#[utoipa::path(
    get,
    path = "/admin/log",
    operation_id = "readLog",
    tag = LOG,
    params(Asked),
    responses(
        (
            status = 200,
            description = "Domain events in their envelopes, one a line.",
            body = String,
            content_type = "application/x-ndjson"
        ),
        OfLog
    )
)]
pub(super) async fn tail(
    State(admin): State<Admin>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let mut topics = vec![];
    for topic in [&admin.topic, &admin.stats_topic, &admin.payment_topic] {
        let opened = timeout(LOG_TIMEOUT, open(&admin.log, topic, &asked)).await;
        let unavailable =
            |cause: String| Problem::unavailable("the log does not answer: try again").because(cause);
        match opened.map_err(|late| unavailable(late.to_string()))? {
            Ok(reading) => topics.push(lines(reading, asked.event.clone())),
            // Statistics and payments are published only where a consumer for them was declared.
            Err(LogError::Missing(_)) if *topic != admin.topic => {}
            Err(error) => return Err(unavailable(error.to_string())),
        }
    }
    let ended = admin.stop.clone().cancelled_owned();
    let body = Body::from_stream(stream::select_all(topics).take_until(ended));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn open(log: &Arc<dyn EventLog>, topic: &str, asked: &Asked) -> Result<Reading, LogError> {
    match (asked.from, asked.follow) {
        (Begin::Latest, false) => log.partitions(topic).await.map(|_| Reading::Nothing),
        (Begin::Earliest, false) => UntilEnd::open(log.as_ref(), topic).await.map(Reading::UntilEnd),
        (from, true) => {
            let mut offsets = vec![];
            for partition in 0..log.partitions(topic).await? {
                let (begin, end) = log.bounds(topic, partition).await?;
                offsets.push((partition, if from == Begin::Earliest { begin } else { end }));
            }
            log.tail(topic, offsets).await.map(Reading::On)
        }
    }
}

fn lines(
    reading: Reading,
    event: Option<SeatingEventId>,
) -> stream::BoxStream<'static, Result<Bytes, LogError>> {
    batches(reading)
        .map(move |batch| {
            let mut text = Vec::new();
            for record in batch? {
                if event.as_ref().is_none_or(|event| record.key == event.as_str()) {
                    write_line(&mut text, &record);
                }
            }
            Ok(text.into())
        })
        .boxed()
}

/// The records of a topic, batch by batch; an error is the last item.
fn batches(reading: Reading) -> impl Stream<Item = Result<Vec<Record>, LogError>> {
    stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        let records = match &mut reading {
            Reading::On(tail) => tail.next(BATCH).await.map(|batch| Some(batch.records)),
            Reading::UntilEnd(reading) => reading.next(BATCH).await,
            Reading::Nothing => Ok(None),
        };
        match records {
            Ok(records) => records.map(|records| (Ok(records), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// A body that is no JSON document of one line would break the lines after it: only its place is told.
fn write_line(text: &mut Vec<u8>, record: &Record) {
    let is_json = serde_json::from_slice::<&RawValue>(&record.value).is_ok();
    if is_json && !record.value.contains(&b'\n') {
        text.extend_from_slice(&record.value);
    } else {
        let place =
            serde_json::json!({"unreadable": {"partition": record.partition, "offset": record.offset}});
        text.extend_from_slice(place.to_string().as_bytes());
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_one_line() {
        let record = |value: &str| Record::new(3, 7, "arena-night".into(), value.into(), vec![]);
        let mut text = Vec::new();
        for value in [r#"{"a":1}"#, "}{", "{\n}"] {
            write_line(&mut text, &record(value));
        }
        let unreadable = r#"{"unreadable":{"offset":7,"partition":3}}"#;
        assert_eq!(String::from_utf8(text).unwrap(), format!("{{\"a\":1}}\n{unreadable}\n{unreadable}\n"));
    }
}
