//! What the tests of payments share that need seats: command workers on a show of one area, its topics, and buyers.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{DomainEvent, Envelope, ReservationId, SeatingEventId};
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::conformance::event_log::read_all;
use boxoffice_tests::servers::{self, service, unique};
use boxoffice_tests::wait::until;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::effects_support::Topics;

/// A worker that sells places, and the topics.
pub struct Sale {
    pub worker: CommandWorker,
    pub client: Client,
    pub topics: Topics,
    pub event: SeatingEventId,
    redis: String,
    service: String,
}

impl Sale {
    /// A show with so many places, whose worker reads payments.
    pub async fn open(places: u32) -> Self {
        Self::on(&servers::redis_url(), places).await
    }

    /// The same on this Redis.
    pub async fn on(redis: &str, places: u32) -> Self {
        Self::with(redis, places, true).await
    }

    /// A show of a service that has no payments.
    pub async fn without_payments(places: u32) -> Self {
        Self::with(&servers::redis_url(), places, false).await
    }

    async fn with(redis: &str, places: u32, is_paid: bool) -> Self {
        let (topics, service) = (Topics::new().await, service("payments"));
        let worker = start(&service, redis, &topics, is_paid);
        let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
        let event = unique("tonight").parse().unwrap();
        let mut sale = Self { worker, client, topics, event, redis: redis.to_owned(), service };
        sale.worker.ready().await.unwrap();
        let definition = json!({
            "title": "Tonight", "startsAt": 4_000_000_000_000_u64,
            "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
            "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": places}]
        });
        sale.worker.provision(&sale.event, &definition).await.unwrap();
        sale
    }

    /// Rolls the worker, as the operator does where payment is declared: from now on payments are read.
    pub async fn reads_payments(&mut self) {
        self.worker.process.terminate().await.unwrap();
        self.worker = start(&self.service, &self.redis, &self.topics, true);
        self.worker.ready().await.unwrap();
    }

    /// Has alice ask for a place until she is answered.
    pub async fn post(&self, place: u32, verb: &str) -> Value {
        self.post_as("alice", place, verb).await
    }

    async fn post_as(&self, user: &str, place: u32, verb: &str) -> Value {
        let path = format!("seats/{}.FLOOR-{place}/{verb}", self.event);
        self.ask(user, Method::POST, &path).await
    }

    async fn ask(&self, user: &str, method: Method, path: &str) -> Value {
        until("the worker answers", async || {
            let request = self.client.request(method.clone(), format!("{}/{path}", self.worker.http));
            let answer = request.header("x-user-id", user).send().await.ok()?;
            if answer.status().is_success() { answer.json().await.ok() } else { None }
        })
        .await
    }

    /// A place that alice holds and reserves.
    pub async fn sell(&self, place: u32) -> ReservationId {
        self.sell_to("alice", place).await
    }

    /// A place that somebody holds and reserves.
    pub async fn sell_to(&self, user: &str, place: u32) -> ReservationId {
        self.post_as(user, place, "hold").await;
        let sold = self.post_as(user, place, "reserve").await;
        sold["reservationId"].as_str().unwrap().parse().unwrap()
    }

    /// Alice gives a reservation back.
    pub async fn cancel(&self, reservation: &ReservationId) {
        self.ask("alice", Method::DELETE, &format!("reservations/{reservation}")).await;
    }

    /// Everything on the topic of the seats, each once; their sequences have no gap (I3).
    pub async fn facts(&self) -> Vec<Envelope> {
        let (log, seats) = (&self.topics.log, &self.topics.seats);
        let mut facts = BTreeMap::new();
        for record in read_all(log, seats).await {
            let Incoming::Known(envelope) = parse(&record.value).unwrap() else { panic!() };
            facts.entry(envelope.metadata.sequence.unwrap()).or_insert(envelope);
        }
        assert!(facts.keys().copied().eq(1..=facts.len() as u64), "I3: {:?}", facts.keys());
        facts.into_values().collect()
    }

    /// Once an event is on the topic: it, and all before it.
    pub async fn until_fact(&self, what: &str, is: impl Fn(&DomainEvent) -> bool) -> Vec<Envelope> {
        until(what, async || {
            let facts = self.facts().await;
            facts.iter().any(|fact| is(&fact.event)).then_some(facts)
        })
        .await
    }
}

fn start(service: &str, redis: &str, topics: &Topics, is_paid: bool) -> CommandWorker {
    let payments = [
        ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", topics.payments.clone()),
        ("BOXOFFICE_PAYMENTS_GROUP", unique("command-payments")),
    ];
    let payments = payments.into_iter().filter(|_| is_paid);
    CommandWorker::start_with(service, redis, &servers::kafka(), &topics.seats, payments).unwrap()
}

/// Whether this is the end of a reservation.
pub fn is_cancelled(event: &DomainEvent, reservation: &ReservationId) -> bool {
    matches!(event, DomainEvent::ReservationCancelled(e) if e.reservation_id == *reservation)
}
