//! What a store says about a batch that was not simply applied: to its member, and in the log.

use boxoffice_runtime::view::{Batch, ViewError};

use super::entry::{Body, Entry};
use super::plan::Plan;

/// For a member that was left behind: the checkpoint is `at`, not where it thought.
pub fn moved(batch: &Batch, at: Option<u64>) -> ViewError {
    ViewError::Moved {
        topic: batch.topic.clone(),
        partition: batch.partition,
        at: at.unwrap_or_default(),
        expected: batch.expected,
    }
}

/// Logs what of a batch, whose first records are `entries`, was not simply applied.
pub fn log(batch: &Batch, entries: &[Entry], plan: &Plan) {
    let (topic, partition) = (batch.topic.as_str(), batch.partition);
    for (index, reason) in &plan.park {
        let entry = &entries[*index];
        tracing::error!(
            topic,
            partition,
            offset = batch.records[*index].offset,
            aggregateId = entry.position.as_ref().map(|position| position.aggregate.as_str()),
            correlationId = entry.envelope().map(|envelope| envelope.metadata.correlation_id.as_str()),
            reason,
            "parked a record"
        );
    }
    for (entry, record) in entries.iter().zip(&batch.records) {
        if let Body::Unknown(event_type) = &entry.body {
            tracing::warn!(
                topic,
                partition,
                offset = record.offset,
                event_type,
                "skipped an event of unknown type"
            );
        }
    }
    for index in &plan.duplicates {
        let (entry, record) = (&entries[*index], &batch.records[*index]);
        tracing::info!(
            topic,
            partition,
            offset = record.offset,
            eventId =
                entry.position.as_ref().and_then(|position| position.event_id).map(tracing::field::display),
            eventType = entry.event_type(record),
            "skipped an event that was seen before"
        );
    }
    if plan.before_start > 0 {
        let events = plan.before_start;
        tracing::info!(topic, partition, events, "skipped events from before the view's start");
    }
}
