//! Many buyers at one moment, on a real Redis and a real Kafka: for the same few seats, and for the best seats of a hall.

use std::time::{Duration, Instant};

use boxoffice_domain::choose::best;
use boxoffice_domain::events::DomainEvent;
use boxoffice_domain::seating::TAKEN;
use boxoffice_domain::{
    Chart, CorrelationId, Definition, Envelope, SeatId, Seating, SeatingEventId, Together, UnixMillis,
};
use boxoffice_runtime::clock;
use boxoffice_tests::audit::{Answer, Audit, Request, Wish};
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::crash::stack::records;
use boxoffice_tests::crash::wishes;
use boxoffice_tests::servers::{self, Redis, Server, unique};
use boxoffice_tests::wait::until;
use futures::{StreamExt, stream};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

/// Within which the answers to a thousand requests at one moment come, on a machine that does other things too.
const SECONDS: Duration = Duration::from_secs(10);

/// A worker with one SeatingEvent on sale, on a Redis of its own.
struct Rush {
    redis: Server<Redis>,
    worker: CommandWorker,
    client: Client,
    event: SeatingEventId,
    topic: String,
}

/// A request with its answer, and what else the answer said.
struct Asked {
    request: Request,
    status: u16,
    body: Value,
}

impl Rush {
    async fn on(sections: Value) -> (Self, Definition) {
        let (redis, topic) =
            (Server::start(Redis::default()).await.unwrap(), servers::topic("seat-events", 1).await);
        let mut worker =
            CommandWorker::start("tests/rush", &redis.address(), &servers::kafka(), &topic).unwrap();
        worker.ready().await.unwrap();
        let definition = json!({
            "title": "Rush", "startsAt": 4_000_000_000_000_u64, "sections": sections,
            "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        });
        let event = unique("rush").parse().unwrap();
        worker.provision(&event, &definition).await.unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        (Self { redis, worker, client, event, topic }, serde_json::from_value(definition).unwrap())
    }

    async fn ask(&self, user: String, wish: Wish) -> Asked {
        let (correlation, user) = (CorrelationId::from(Uuid::new_v4()), user.parse().unwrap());
        let (method, path, body) = wishes::request(&self.event, &wish);
        let request = self.client.request(method, format!("{}{path}", self.worker.http));
        let request =
            request.header("x-user-id", &*format!("{user}")).header("x-correlation-id", correlation.as_str());
        let request = body.iter().fold(request, RequestBuilder::json);
        let began = clock::now();
        let answered = request.send().await.unwrap();
        let status = answered.status().as_u16();
        let body: Value = answered.json().await.unwrap();
        let answer = Answer::read(status, &body).unwrap();
        let between = (began, clock::now());
        Asked { request: Request { user, correlation, key: None, wish, answer, between }, status, body }
    }

    /// The domain events, all lawful and as everybody was told.
    async fn audited(&self, asked: &[Asked]) -> Audit {
        let (last, _) = self.worker.counts(&self.event).await.unwrap();
        let records: Vec<Envelope> = until("every domain event is on the log", async || {
            let records = records(&servers::kafka(), &self.topic).await.ok()?;
            (records.last()?.metadata.sequence == Some(last)).then_some(records)
        })
        .await;
        let requests: Vec<_> = asked.iter().map(|asked| asked.request.clone()).collect();
        let audit = Audit::of(&self.event, records, &requests, &[]);
        assert_eq!(audit.findings, Vec::<String>::new());
        audit
    }

    /// How often Redis ran a script so far.
    async fn scripts_run(&self) -> u64 {
        let client = redis::Client::open(self.redis.address()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        let (_, stats) = info.split_once("cmdstat_evalsha:calls=").unwrap();
        stats.split(',').next().unwrap().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_a_thousand_buyers_of_fifty_seats_are_fifty_winners_and_the_rest_is_told_at_once() {
    const BUYERS: usize = 1_000;
    const SEATS: usize = 50;
    let (rush, _) = Rush::on(json!([
        {"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-5", "seats": "1-10"}]}
    ]))
    .await;
    let seat = |buyer: usize| {
        let (row, number) = (buyer % SEATS / 10 + 1, buyer % 10 + 1);
        SeatId::from_chart(&rush.event, &format!("A-{row}-{number}"))
    };
    let before = rush.scripts_run().await;
    let began = Instant::now();
    let buying = (0..BUYERS).map(|buyer| rush.ask(format!("buyer-{buyer}"), Wish::Hold(vec![seat(buyer)])));
    let asked = futures::future::join_all(buying).await;
    let elapsed = began.elapsed();
    let scripts = rush.scripts_run().await - before;

    let (winners, losers): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.status == 200);
    assert_eq!(winners.len(), SEATS);
    for loser in losers {
        let Wish::Hold(seats) = &loser.request.wish else { unreachable!() };
        let conflict = json!([{"seatId": seats[0], "reason": "HELD"}]);
        assert_eq!(loser.status, 409, "{}", loser.body);
        assert_eq!(
            (&loser.body["code"], &loser.body["conflicts"]),
            (&json!("SEAT_NOT_AVAILABLE"), &conflict)
        );
    }
    println!("{BUYERS} buyers were answered within {elapsed:?}, by {scripts} scripts");
    assert!(elapsed < SECONDS, "{elapsed:?}");
    // One a buyer; leases, sweeps and watermarks take the rest.
    let others = 100 * (elapsed.as_secs() + 1);
    assert!(scripts <= BUYERS as u64 + others, "{scripts} scripts ran: a refusal is not tried again");
    rush.audited(&asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_that_asks_for_the_best_seats_gets_all_that_fit() {
    const BUYERS: u32 = 2_000;
    const AT_ONCE: usize = 100;
    let sections: Vec<_> = (1..=8)
        .map(|section| {
            json!({"id": format!("S{section}"), "priceCategory": "gold", "rows": [{"rows": "1-25", "seats": "1-40"}]})
        })
        .collect();
    let (rush, definition) = Rush::on(sections.into()).await;
    let quantity = |buyer: u32| buyer * 5 % 8 + 1;
    let buying = stream::iter(0..BUYERS)
        .map(|buyer| rush.ask(format!("buyer-{buyer}"), Wish::HoldBest(quantity(buyer))))
        .buffer_unordered(AT_ONCE);
    let asked: Vec<Asked> = buying.collect().await;

    let (served, refused): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.status == 201);
    for refused in &refused {
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (409, &json!("NOT_ENOUGH_SEATS")),
            "{}",
            refused.body
        );
    }
    let audit = rush.audited(&asked).await;
    let wanted = |asked: &[&Asked]| -> u32 { asked.iter().map(|asked| best_of(&asked.request)).sum() };
    let (seats, missed) = (wanted(&served), wanted(&refused));
    let (_, counts) = rush.worker.counts(&rush.event).await.unwrap();
    assert_eq!(u64::from(seats), counts.held);
    println!("{} served with {seats} seats, {} refused, who wanted {missed}", served.len(), refused.len());
    let wrong = wrongly_refused(&definition, &audit.facts, refused.iter().map(|asked| &asked.request));
    assert!(wrong.is_empty(), "{} were refused what there was: {wrong:#?}", wrong.len());
    assert!(!refused.is_empty(), "more was asked for than there is");
}

fn best_of(request: &Request) -> u32 {
    let Wish::HoldBest(quantity) = request.wish else { unreachable!() };
    quantity
}

/// Those who were refused although at every moment between question and answer there was what they asked for. That takes
/// the clock of the store, in the domain events, and the one here to be the same, but for a millisecond.
fn wrongly_refused<'a>(
    definition: &Definition,
    facts: &[Envelope],
    refused: impl Iterator<Item = &'a Request>,
) -> Vec<&'a Request> {
    let chart = Chart::expand(definition).unwrap();
    let seating = Seating::new(definition, &chart);
    let sections: Vec<_> = (0..definition.sections.len()).collect();
    let mut map = seating.map().to_vec();
    let mut unexplained: Vec<_> = refused.collect();
    for (at, fact) in facts.iter().enumerate() {
        if let DomainEvent::SeatHeld(e) = &fact.event {
            let place = chart.position(e.seat_id.key()).and_then(|seat| seating.place(seat)).unwrap();
            map[place] = TAKEN;
        }
        let next = facts.get(at + 1);
        if next.is_some_and(|next| next.metadata.causation_id == fact.metadata.causation_id) {
            continue;
        }
        let until = next.map_or(UnixMillis::MAX, |next| next.timestamp + 1);
        unexplained.retain(|request| {
            let (began, ended) = request.between;
            let asked_now = began <= until && ended + 1 >= fact.timestamp;
            let quantity = best_of(request) as usize;
            let gaps = definition.hold.no_single_seat_gaps;
            !asked_now || best(&seating, &map, quantity, &sections, gaps, Together::Preferred).is_some()
        });
    }
    unexplained
}
