//! Rows of consumers with effects outside, as the journal writes them. Does not know what they mean.

use boxoffice_consumer::effects::Lane;
use sqlx::sqlite::SqliteConnection;

/// A change of one row, or of some that go together.
#[derive(Debug)]
pub struct EffectRow {
    /// Whose.
    pub consumer: std::sync::Arc<str>,
    /// Which, and what it becomes.
    pub what: EffectChange,
}

/// See [`EffectRow`].
#[derive(Debug)]
pub enum EffectChange {
    /// A lane, as it is now.
    Lane {
        /// Which.
        lane: Lane,
        /// When it is due.
        due: Option<u64>,
        /// Attempts in a row that came to nothing.
        attempts: u32,
        /// What the handler keeps of it.
        state: Option<String>,
        /// Why it was set aside.
        parked: Option<String>,
    },
    /// A lane that is no more.
    Gone(Lane),
    /// An effect below a lane: its number, and its domain event.
    Effect(Lane, u64, String),
    /// Effects of a lane up to this number are done.
    Done(Lane, u64),
    /// A domain event to announce, behind all earlier ones.
    Announced(u64, String),
    /// Announcements up to this number are on the log.
    Published(u64),
    /// How far the consumer got in a partition of a topic.
    Checkpoint(String, u32, u64),
}

const LANE: &str = "
    INSERT OR REPLACE INTO effect_lanes (consumer, topic, aggregate, due, attempts, state, parked)
    VALUES (?, ?, ?, ?, ?, ?, ?)";
const GONE: &str = "DELETE FROM effect_lanes WHERE consumer = ? AND topic = ? AND aggregate = ?";
const EFFECT: &str =
    "INSERT OR ROLLBACK INTO effects (consumer, topic, aggregate, number, envelope) VALUES (?, ?, ?, ?, ?)";
const DONE: &str = "DELETE FROM effects WHERE consumer = ? AND topic = ? AND aggregate = ? AND number <= ?";
const ANNOUNCED: &str = "INSERT OR ROLLBACK INTO effect_outbox (consumer, number, envelope) VALUES (?, ?, ?)";
const PUBLISHED: &str = "DELETE FROM effect_outbox WHERE consumer = ? AND number <= ?";
const CHECKPOINT: &str = "
    INSERT OR REPLACE INTO effect_checkpoints (consumer, topic, partition, next_offset) VALUES (?, ?, ?, ?)";

impl EffectRow {
    /// Writes it.
    pub async fn write(self, file: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Self { consumer, what } = self;
        let statement = match &what {
            EffectChange::Lane { .. } => LANE,
            EffectChange::Gone(_) => GONE,
            EffectChange::Effect(..) => EFFECT,
            EffectChange::Done(..) => DONE,
            EffectChange::Announced(..) => ANNOUNCED,
            EffectChange::Published(_) => PUBLISHED,
            EffectChange::Checkpoint(..) => CHECKPOINT,
        };
        let query = sqlx::query(statement).bind(consumer.to_string());
        let query = match what {
            EffectChange::Lane { lane, due, attempts, state, parked } => {
                let query = query.bind(lane.topic).bind(lane.aggregate).bind(due.map(u64::cast_signed));
                query.bind(attempts).bind(state).bind(parked)
            }
            EffectChange::Gone(lane) => query.bind(lane.topic).bind(lane.aggregate),
            EffectChange::Effect(lane, number, envelope) => {
                query.bind(lane.topic).bind(lane.aggregate).bind(number.cast_signed()).bind(envelope)
            }
            EffectChange::Done(lane, upto) => {
                query.bind(lane.topic).bind(lane.aggregate).bind(upto.cast_signed())
            }
            EffectChange::Announced(number, envelope) => query.bind(number.cast_signed()).bind(envelope),
            EffectChange::Published(upto) => query.bind(upto.cast_signed()),
            EffectChange::Checkpoint(topic, partition, next_offset) => {
                query.bind(topic).bind(partition).bind(next_offset.cast_signed())
            }
        };
        query.execute(file).await.map(drop)
    }
}
