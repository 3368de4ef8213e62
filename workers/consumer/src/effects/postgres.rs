//! Lanes in the handler's database: `FOR UPDATE SKIP LOCKED` takes them, one transaction settles many.
//!
//! A lane's lease is its `due`, moved on by [`LEASE`], with a token: who was killed leaves it due again by itself, and who
//! was only slow finds another token. Rows are locked in the order of their keys wherever several are, here and inside
//! of the handlers' transactions, so nobody waits in a circle. [`Clock`] is the database's, so that members agree.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use boxoffice_domain::{Envelope, UnixMillis};
use boxoffice_runtime::postgres::{self, Lent};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::{
    Change, Due, EFFECTS, Effect, EffectError, EffectStore, Held, LEASE, Lane, Lease, Moment, Settled, Taken,
    Work,
};
use crate::handlers::ApplyError;

/// Connections of one worker for effects: it takes and settles by turns.
const CONNECTIONS: u32 = 2;
/// Longest time for a turn.
const TURN: Duration = Duration::from_secs(20);

/// The time of a database.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// What its server says.
    #[default]
    Server,
    /// That, moved on by so many milliseconds, for tests.
    Moved(Arc<AtomicI64>),
}

impl Clock {
    /// The time now.
    pub async fn now(&self, connection: &mut PgConnection) -> Result<UnixMillis, sqlx::Error> {
        let now: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            .fetch_one(connection)
            .await?;
        let moved = match self {
            Self::Server => 0,
            Self::Moved(by) => by.load(Ordering::SeqCst),
        };
        Ok((now + moved).cast_unsigned())
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct PgEffectStore {
    pool: PgPool,
    clock: Clock,
}

impl PgEffectStore {
    /// The lanes in a database that has their tables.
    pub fn new(options: PgConnectOptions, clock: Clock) -> Self {
        Self { pool: postgres::pool(options, CONNECTIONS), clock }
    }

    async fn take_turn<W: Work>(&self, work: &W, limit: usize) -> Result<Taken<W::Job>, sqlx::Error> {
        let mut connection = Lent::from(&self.pool).await?;
        let mut transaction = connection.begin().await?;
        let now = self.clock.now(&mut transaction).await?;
        let held = due(&mut transaction, now, limit).await?;
        let mut taken = Taken { looked_at: held.len(), ..Taken::default() };
        let mut changes = vec![];
        for held in held {
            let ticket = Uuid::new_v4();
            let (mut change, job) = work.begin(&held, Moment::new(now, ticket));
            taken.announced |= !change.announce.is_empty();
            let lane = held.lane;
            let leased = job.map(|job| {
                change.due = Due::At(now.saturating_add(LEASE));
                taken.jobs.push((Lease { lane: lane.clone(), token: ticket }, job));
                ticket
            });
            changes.push((lane, leased, change));
        }
        if !changes.is_empty() {
            write(&mut transaction, now, &changes).await?;
        }
        let next: Option<i64> =
            sqlx::query_scalar("SELECT min(due) FROM effect_lanes").fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        connection.give_back();
        taken.next = next.map(|due| Duration::from_millis(due.cast_unsigned().saturating_sub(now)));
        Ok(taken)
    }

    async fn settle_turn<W: Work>(
        &self,
        work: &W,
        ended: &[(Lease, W::Outcome)],
    ) -> Result<Settled, sqlx::Error> {
        let mut connection = Lent::from(&self.pool).await?;
        let mut transaction = connection.begin().await?;
        let now = self.clock.now(&mut transaction).await?;
        let held = leased(&mut transaction, ended.iter().map(|(lease, _)| lease)).await?;
        let mut settled = Settled::default();
        let mut changes = vec![];
        for (lease, outcome) in ended {
            let Some(held) = held.get(&lease.token) else {
                settled.lost += 1;
                continue;
            };
            let change = work.end(held, outcome, Moment::new(now, lease.token));
            settled.announced |= !change.announce.is_empty();
            settled.parked += usize::from(change.parked.is_some());
            changes.push((lease.lane.clone(), None, change));
        }
        write(&mut transaction, now, &changes).await?;
        transaction.commit().await?;
        connection.give_back();
        Ok(settled)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn failed(error: impl ToString) -> EffectError {
    EffectError(error.to_string())
}

impl EffectStore for PgEffectStore {
    async fn take<W: Work>(&self, work: &W, limit: usize) -> Result<Taken<W::Job>, EffectError> {
        let turn = self.take_turn(work, limit);
        tokio::time::timeout(TURN, turn).await.map_err(failed)?.map_err(failed)
    }

    async fn settle<W: Work>(&self, work: &W, ended: &[(Lease, W::Outcome)]) -> Result<Settled, EffectError> {
        let turn = self.settle_turn(work, ended);
        tokio::time::timeout(TURN, turn).await.map_err(failed)?.map_err(failed)
    }
}

/// Lanes that are due, locked, with the first effects of each.
async fn due(connection: &mut PgConnection, now: UnixMillis, limit: usize) -> Result<Vec<Held>, sqlx::Error> {
    let rows: Vec<(String, String, i32, Option<String>)> = sqlx::query_as(
        "SELECT topic, aggregate, attempts, state::text FROM effect_lanes WHERE due <= $1
         ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(now.cast_signed())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    let mut held: Vec<Held> = rows.into_iter().map(held).collect();
    if held.is_empty() {
        return Ok(held);
    }
    let effects: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT lane.topic, lane.aggregate, effect.id, effect.envelope
         FROM UNNEST($1::text[], $2::text[]) AS lane (topic, aggregate),
              LATERAL (SELECT id, envelope FROM effects
                       WHERE effects.topic = lane.topic AND effects.aggregate = lane.aggregate
                       ORDER BY id LIMIT $3) AS effect
         ORDER BY effect.id",
    )
    .bind(held.iter().map(|held| held.lane.topic.as_str()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.lane.aggregate.as_str()).collect::<Vec<_>>())
    .bind(i64::try_from(EFFECTS).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut below: HashMap<Lane, Vec<Effect>> = HashMap::new();
    for (topic, aggregate, id, envelope) in effects {
        let effect = Effect { number: id.cast_unsigned(), envelope };
        below.entry(Lane { topic, aggregate }).or_default().push(effect);
    }
    for held in &mut held {
        held.effects = below.remove(&held.lane).unwrap_or_default();
    }
    Ok(held)
}

fn held((topic, aggregate, attempts, state): (String, String, i32, Option<String>)) -> Held {
    Held { lane: Lane { topic, aggregate }, attempts: attempts.cast_unsigned(), state, effects: vec![] }
}

/// Of lanes that were taken those that still are, locked, by token.
async fn leased(
    connection: &mut PgConnection,
    leases: impl Iterator<Item = &Lease> + Clone,
) -> Result<HashMap<Uuid, Held>, sqlx::Error> {
    let rows: Vec<(Uuid, String, String, i32, Option<String>)> = sqlx::query_as(
        "SELECT lane.token, topic, aggregate, attempts, state::text
         FROM effect_lanes AS lane JOIN UNNEST($1::text[], $2::text[], $3::uuid[]) AS lease (topic, aggregate, token)
              USING (topic, aggregate)
         WHERE lane.token = lease.token ORDER BY topic, aggregate FOR UPDATE OF lane",
    )
    .bind(leases.clone().map(|lease| lease.lane.topic.as_str()).collect::<Vec<_>>())
    .bind(leases.clone().map(|lease| lease.lane.aggregate.as_str()).collect::<Vec<_>>())
    .bind(leases.map(|lease| lease.token).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let by_token =
        |(token, topic, aggregate, attempts, state)| (token, held((topic, aggregate, attempts, state)));
    Ok(rows.into_iter().map(by_token).collect())
}

/// Writes what lanes, all of them locked, become, and with which lease.
async fn write(
    connection: &mut PgConnection,
    now: UnixMillis,
    changes: &[(Lane, Option<Uuid>, Change)],
) -> Result<(), sqlx::Error> {
    let done: Vec<_> = changes.iter().filter_map(|(lane, _, change)| Some((lane, change.done?))).collect();
    if !done.is_empty() {
        sqlx::query(
            "DELETE FROM effects USING UNNEST($1::text[], $2::text[], $3::bigint[]) AS done (topic, aggregate, upto)
             WHERE effects.topic = done.topic AND effects.aggregate = done.aggregate AND id <= upto",
        )
        .bind(done.iter().map(|(lane, _)| lane.topic.as_str()).collect::<Vec<_>>())
        .bind(done.iter().map(|(lane, _)| lane.aggregate.as_str()).collect::<Vec<_>>())
        .bind(done.iter().map(|(_, upto)| upto.cast_signed()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    let due = |change: &Change| match change.due {
        Due::Queue => Some(now.cast_signed()),
        Due::At(at) => Some(i64::try_from(at).unwrap_or(i64::MAX)),
        Due::Never => None,
    };
    let column = |of: fn(&Lane) -> &str| changes.iter().map(|(lane, ..)| of(lane)).collect::<Vec<_>>();
    sqlx::query(
        "UPDATE effect_lanes AS lane SET attempts = change.attempts, state = change.state::jsonb, due = change.due,
                token = change.token, parked = change.parked
         FROM UNNEST($1::text[], $2::text[], $3::integer[], $4::text[], $5::bigint[], $6::uuid[], $7::text[])
              AS change (topic, aggregate, attempts, state, due, token, parked)
         WHERE lane.topic = change.topic AND lane.aggregate = change.aggregate",
    )
    .bind(column(|lane| &lane.topic))
    .bind(column(|lane| &lane.aggregate))
    .bind(changes.iter().map(|(.., change)| change.attempts.cast_signed()).collect::<Vec<_>>())
    .bind(changes.iter().map(|(.., change)| change.state.as_deref()).collect::<Vec<_>>())
    .bind(changes.iter().map(|(.., change)| due(change)).collect::<Vec<_>>())
    .bind(changes.iter().map(|(_, token, _)| *token).collect::<Vec<_>>())
    .bind(changes.iter().map(|(.., change)| change.parked.as_deref()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let queues = changes.iter().filter(|(.., change)| change.due == Due::Queue).map(|(lane, ..)| lane);
    sqlx::query(
        "DELETE FROM effect_lanes AS lane USING UNNEST($1::text[], $2::text[]) AS queue (topic, aggregate)
         WHERE lane.topic = queue.topic AND lane.aggregate = queue.aggregate
               AND NOT EXISTS (SELECT FROM effects
                               WHERE effects.topic = queue.topic AND effects.aggregate = queue.aggregate)",
    )
    .bind(queues.clone().map(|lane| lane.topic.as_str()).collect::<Vec<_>>())
    .bind(queues.map(|lane| lane.aggregate.as_str()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let announced: Vec<&Envelope> = changes.iter().flat_map(|(.., change)| &change.announce).collect();
    announce(connection, &announced).await
}

/// Puts domain events into the outbox.
pub async fn announce(connection: &mut PgConnection, announced: &[&Envelope]) -> Result<(), sqlx::Error> {
    if announced.is_empty() {
        return Ok(());
    }
    let json = announced.iter().map(|envelope| envelope.to_json()).collect::<Result<Vec<_>, _>>();
    let json = json.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query("INSERT INTO outbox (envelope) SELECT * FROM UNNEST($1::bytea[])")
        .bind(json)
        .execute(connection)
        .await
        .map(drop)
}

/// Hangs events below their lanes, in order; lanes that nobody knew are due at once.
pub async fn enqueue(
    connection: &mut PgConnection,
    now: UnixMillis,
    events: &[&Envelope],
) -> Result<(), ApplyError> {
    if events.is_empty() {
        return Ok(());
    }
    let lanes: Vec<Lane> = events.iter().map(|envelope| Lane::of(&envelope.event)).collect();
    let column = |of: fn(&Lane) -> &str| lanes.iter().map(of).collect::<Vec<_>>();
    // Locks the lanes that are there: none of them goes before this is committed.
    sqlx::query(
        "INSERT INTO effect_lanes (topic, aggregate, due)
         SELECT DISTINCT topic, aggregate, $3::bigint FROM UNNEST($1::text[], $2::text[]) AS event (topic, aggregate)
         ORDER BY topic, aggregate
         ON CONFLICT (topic, aggregate) DO UPDATE SET topic = EXCLUDED.topic",
    )
    .bind(column(|lane| &lane.topic))
    .bind(column(|lane| &lane.aggregate))
    .bind(now.cast_signed())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO effects (topic, aggregate, envelope)
         SELECT topic, aggregate, envelope
         FROM UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS event (topic, aggregate, envelope, place)
         ORDER BY place",
    )
    .bind(column(|lane| &lane.topic))
    .bind(column(|lane| &lane.aggregate))
    .bind(events.iter().map(|envelope| json(envelope)).collect::<Result<Vec<_>, _>>()?)
    .execute(connection)
    .await?;
    Ok(())
}

/// The envelope's JSON as text.
pub fn json(envelope: &Envelope) -> Result<String, ApplyError> {
    let json = envelope.to_json().map_err(|error| ApplyError::Refused(error.to_string()))?;
    String::from_utf8(json).map_err(|error| ApplyError::Refused(error.to_string()))
}
