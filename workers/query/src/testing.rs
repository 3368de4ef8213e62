//! Fakes of both ports, and domain events by the sentence.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_domain::definition::{HoldPolicy, Limits, PriceCategory, Rows, Sales, Section};
use boxoffice_domain::events::{
    Claim, ReleaseReason, SeatHeld, SeatReleased, SeatReserved, SeatingEventDefined, SeatingEventPurged,
    VERSION,
};
use boxoffice_domain::{
    Definition, DomainEvent, Envelope, HoldId, Metadata, ReservationId, SeatId, SeatMap, SeatingEventId,
};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::{Appender, Batch, EventLog, LogError, ReadToEnd, Subscription, Tail};
use boxoffice_runtime::record::{NewRecord, Record};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::http::Knowledge;
use crate::metrics::Metrics;
use crate::orders::OrderService;
use crate::orders::testing::FakeOrders;
use crate::view::streams::Streams;
use crate::view::{Snapshot, SnapshotError, Snapshots};

/// What a worker has to answer from that knows nothing.
pub fn knowledge() -> Knowledge {
    Knowledge {
        identity: Identity::by_header(),
        views: Arc::default(),
        stats: Arc::default(),
        streams: Arc::new(Streams::new(CancellationToken::new())),
        age: Arc::default(),
        charts: Arc::default(),
        order_service: OrderService::new(Arc::new(FakeOrders::default())),
        command_url: None,
        metrics: Metrics::register(&mut Registry::default()),
    }
}

pub const FAR: u64 = 4_000_000_000_000;

pub fn event_id(text: &str) -> SeatingEventId {
    text.parse().unwrap()
}

/// Section A has rows 1 and 2 of three seats each, FLOOR two units; A-1-1 is blocked.
pub fn definition() -> Definition {
    let category = |name: &str, amount| PriceCategory { name: name.into(), amount, currency: "EUR".into() };
    let section = |id: &str, price: &str| Section {
        id: id.into(),
        title: None,
        price_category: price.into(),
        rows: vec![],
        capacity: None,
        layout: None,
    };
    let rows = vec![Rows { row: None, rows: Some("1-2".into()), seats: "1-3".into() }];
    Definition {
        title: "Arena Night".into(),
        starts_at: FAR,
        sales: Sales::default(),
        hold: HoldPolicy::default(),
        focal_point: None,
        limits: Limits::default(),
        price_categories: vec![category("gold", 12_000), category("\"s\"", 6_000)],
        sections: vec![
            Section { rows, ..section("A", "gold") },
            Section { capacity: Some(2), ..section("FLOOR", "\"s\"") },
        ],
        blocked: vec![boxoffice_domain::definition::Blocked {
            seats: vec!["A-1-1".into()],
            reason: "camera".into(),
        }],
    }
}

pub fn map(event: &str, sequence: u64) -> SeatMap {
    SeatMap::created(&defined(event), sequence).unwrap()
}

pub fn created(event: &str) -> DomainEvent {
    DomainEvent::EventCreated(defined(event))
}

pub fn updated(event: &str, definition: Definition) -> DomainEvent {
    DomainEvent::EventUpdated(SeatingEventDefined { definition, ..defined(event) })
}

pub fn deleted(event: &str) -> DomainEvent {
    DomainEvent::EventDeleted(defined(event))
}

pub fn purged(event: &str) -> DomainEvent {
    DomainEvent::EventPurged(SeatingEventPurged { event_id: event_id(event) })
}

fn defined(event: &str) -> SeatingEventDefined {
    SeatingEventDefined {
        event_id: event_id(event),
        chart_hash: definition().chart_hash(),
        definition: definition(),
        blocks: None,
        unblocks: None,
    }
}

/// Alice holds a seat.
pub fn held(seat: &str) -> DomainEvent {
    let seat: SeatId = seat.parse().unwrap();
    DomainEvent::SeatHeld(SeatHeld {
        event_id: seat.event_id(),
        user_id: "alice".parse().unwrap(),
        section_id: seat.section().into(),
        hold_id: HoldId::new(seat.event_id(), Uuid::from_u128(1)),
        held_at: 1_000,
        expires_at: 301_000,
        amount: 12_000,
        currency: "EUR".into(),
        seat_id: seat,
    })
}

/// Alice reserves a seat.
pub fn reserved(seat: &str) -> DomainEvent {
    let seat: SeatId = seat.parse().unwrap();
    DomainEvent::SeatReserved(SeatReserved {
        event_id: seat.event_id(),
        user_id: "alice".parse().unwrap(),
        section_id: seat.section().into(),
        hold_id: HoldId::new(seat.event_id(), Uuid::from_u128(1)),
        reservation_id: ReservationId::new(seat.event_id(), Uuid::from_u128(2)),
        reserved_at: 2_000,
        amount: 12_000,
        currency: "EUR".into(),
        seat_id: seat,
    })
}

/// Alice's hold of a seat expires.
pub fn released(seat: &str) -> DomainEvent {
    let seat: SeatId = seat.parse().unwrap();
    DomainEvent::SeatReleased(SeatReleased {
        event_id: seat.event_id(),
        user_id: "alice".parse().unwrap(),
        section_id: seat.section().into(),
        claim: Claim::Hold(HoldId::new(seat.event_id(), Uuid::from_u128(1))),
        reason: ReleaseReason::Expired,
        released_at: 3_000,
        note: None,
        seat_id: seat,
    })
}

/// A log in memory whose topics grow, vanish and forget as a test tells them to.
#[derive(Debug, Clone, Default)]
pub struct FakeLog(Arc<Mutex<HashMap<String, Vec<Partition>>>>, Changes, Arc<Mutex<Option<String>>>);

#[derive(Debug, Clone)]
struct Changes(watch::Sender<()>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

#[derive(Debug, Default)]
struct Partition {
    begin: u64,
    /// Offset of the next record to come.
    end: u64,
    records: Vec<Record>,
}

impl FakeLog {
    pub fn with_topics(topics: &[(&str, u32)]) -> Self {
        let log = Self::default();
        for (topic, partitions) in topics {
            log.grow(topic, *partitions);
        }
        log
    }

    pub fn grow(&self, topic: &str, partitions: u32) {
        let mut topics = self.0.lock().unwrap();
        topics.entry(topic.into()).or_default().resize_with(partitions as usize, Partition::default);
    }

    /// Deletes every topic and makes it again with that id and nothing on it.
    pub fn replace(&self, identity: &str) {
        *self.2.lock().unwrap() = Some(identity.to_owned());
        for partition in self.0.lock().unwrap().values_mut().flatten() {
            *partition = Partition::default();
        }
        self.1.0.send_replace(());
    }

    /// Appends a domain event of the topic `seats`.
    pub fn event(&self, partition: u32, sequence: u64, event: DomainEvent) {
        let key = event.seating_event().to_string();
        self.append("seats", partition, &key, &envelope(Some(sequence), event).to_json().unwrap(), None);
    }

    pub fn append(&self, topic: &str, partition: u32, key: &str, value: &[u8], sequence: Option<u64>) {
        let mut topics = self.0.lock().unwrap();
        let on = &mut topics.get_mut(topic).unwrap()[partition as usize];
        let headers = sequence.map(|sequence| ("ce_sequence".into(), sequence.to_string().into()));
        let headers = headers.into_iter().collect();
        on.records.push(Record::new(partition, on.end, key.into(), value.into(), headers));
        on.end += 1;
        self.1.0.send_replace(());
    }

    /// Takes an offset that no record has, as the end of a transaction does.
    pub fn mark(&self, topic: &str, partition: u32) {
        self.0.lock().unwrap().get_mut(topic).unwrap()[partition as usize].end += 1;
        self.1.0.send_replace(());
    }

    /// Forgets everything before `begin`, as a retention does.
    pub fn forget_before(&self, topic: &str, partition: u32, begin: u64) {
        self.0.lock().unwrap().get_mut(topic).unwrap()[partition as usize] =
            Partition { begin, end: begin, records: vec![] };
        self.1.0.send_replace(());
    }

    fn bounds_of(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let topics = self.0.lock().unwrap();
        let found = topics.get(topic).and_then(|partitions| partitions.get(partition as usize));
        let found = found.ok_or_else(|| LogError::Missing(format!("{topic}[{partition}]")))?;
        Ok((found.begin, found.end))
    }
}

pub fn envelope(sequence: Option<u64>, event: DomainEvent) -> Envelope {
    Envelope {
        event_id: Uuid::from_u128(u128::from(sequence.unwrap_or_default())),
        timestamp: 1_000,
        version: VERSION,
        metadata: Metadata {
            correlation_id: "c-1".parse().unwrap(),
            causation_id: Uuid::from_u128(9),
            user_id: None,
            sequence,
        },
        event,
    }
}

#[async_trait]
impl EventLog for FakeLog {
    async fn publish(&self, _: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        Err(LogError::Unavailable("readers do not publish".into()))
    }

    async fn appender(&self, _: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Unavailable("readers do not append".into()))
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        let count = self.0.lock().unwrap().get(topic).map(|partitions| partitions.len().try_into().unwrap());
        count.ok_or_else(|| LogError::Missing(format!("topic {topic}")))
    }

    async fn identity(&self, _: &str) -> Result<Option<String>, LogError> {
        Ok(self.2.lock().unwrap().clone())
    }

    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        self.bounds_of(topic, partition)
    }

    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(FakeTail { log: self.clone(), topic: topic.into(), next: from, told: HashMap::new() }))
    }

    async fn subscribe(&self, _: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Unavailable("readers join no group".into()))
    }
}

struct FakeTail {
    log: FakeLog,
    topic: String,
    next: Vec<(u32, u64)>,
    /// The end that was told last.
    told: HashMap<u32, u64>,
}

#[async_trait]
impl Tail for FakeTail {
    async fn next(&mut self, max: usize) -> Result<Batch, LogError> {
        let mut changes = self.log.1.0.subscribe();
        loop {
            for (partition, next) in &mut self.next {
                let (begin, end) = self.log.bounds_of(&self.topic, *partition)?;
                if *next < begin || *next > end {
                    let (topic, partition, offset) = (self.topic.clone(), *partition, *next);
                    return Err(LogError::OutOfRange { topic, partition, offset, begin, end });
                }
                let on = &self.log.0.lock().unwrap()[&self.topic][*partition as usize];
                let records: Vec<_> =
                    on.records.iter().filter(|record| record.offset >= *next).take(max).cloned().collect();
                if let Some(last) = records.last() {
                    *next = last.offset + 1;
                    return Ok(Batch { records, ended: vec![] });
                }
                if self.told.insert(*partition, end) != Some(end) {
                    return Ok(Batch { records, ended: vec![*partition] });
                }
            }
            changes.changed().await.unwrap();
        }
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Always
    }
}

/// Snapshots that a test gives, in order; the last one again and again.
#[derive(Debug, Default)]
pub struct FakeSnapshots {
    given: Mutex<Vec<Result<Vec<SeatMap>, &'static str>>>,
    next_offsets: BTreeMap<u32, u64>,
    /// The id of the topic of which these are.
    log: Mutex<Option<String>>,
    pub loads: watch::Sender<u32>,
}

impl FakeSnapshots {
    /// Each of `given` is a load; all are of the log before `next_offsets`.
    pub fn new(given: Vec<Result<Vec<SeatMap>, &'static str>>, next_offsets: &[(u32, u64)]) -> Self {
        Self {
            given: Mutex::new(given),
            next_offsets: next_offsets.iter().copied().collect(),
            ..Self::default()
        }
    }

    /// They are of the topic with that id from now on.
    pub fn of(&self, log: &str) {
        *self.log.lock().unwrap() = Some(log.to_owned());
    }
}

#[async_trait]
impl Snapshots for FakeSnapshots {
    async fn load(&self) -> Result<Snapshot, SnapshotError> {
        let mut given = self.given.lock().unwrap();
        let load = if given.len() > 1 { given.remove(0) } else { given[0].clone() };
        self.loads.send_modify(|loads| *loads += 1);
        let maps = load.map_err(|error| SnapshotError(error.into()))?;
        let next_offsets = self.next_offsets.clone();
        let logs = self.log.lock().unwrap().clone().into_iter().collect();
        Ok(Snapshot { maps, next_offsets, logs, ..Snapshot::default() })
    }

    async fn load_one(&self, event: &SeatingEventId) -> Result<Option<SeatMap>, SnapshotError> {
        Ok(self.load().await?.maps.into_iter().find(|map| map.id == *event))
    }
}
