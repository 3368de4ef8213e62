//! Payment workers, command workers, Kafka and PostgreSQL are killed again and again while reservations are charged by a
//! gateway that is not always kind. In the end every reservation has one final state with the events to show for it:
//! what was charged and not refunded is what the buyer kept, and the audit of the seats has nothing to say.
//!
//! `make soak` charges a thousand, and the gateway is away for a minute in between.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use boxoffice_domain::{DomainEvent, Envelope, ReservationId};
use boxoffice_runtime::clock;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::audit::{Audit, Request};
use boxoffice_tests::crash::buyers::{Buyer, Market};
use boxoffice_tests::crash::stack::{AREA, PARTITIONS, Stack, payment_worker, records};
use boxoffice_tests::crash::{SEED, setting};
use boxoffice_tests::doubles::gateway::{Gateway, Manner, TOKEN};
use boxoffice_tests::groups::{Begin, declare};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::servers::{Postgres, Server, free_port};
use boxoffice_tests::wait::within;
use fastrand::Rng;
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

const BUYERS: usize = 8;
/// Longest time between an answer and the next request of a buyer, in milliseconds.
const PACE: u64 = 60;
/// How often, in percent, a buyer thinks again about what is reserved: most are charged before that.
const REGRET: u8 = 25;
/// Reservations to charge, where somebody wants it otherwise, and where nobody does.
const RESERVATIONS: &str = "BOXOFFICE_RESERVATIONS";
const FEW: usize = 100;
/// Rows on sale, and one more for so many of them: what is kept has to have room.
const ROWS: usize = 12;
const A_ROW: usize = 8;
/// Fewest kills, and how many are charged for one where that are more.
const KILLS: usize = 8;
const A_KILL: usize = 20;
/// So many are charged between two kills, so that each of them interrupts something.
const BETWEEN: usize = 3;
/// Longest time until they are.
const RECOVERY: Duration = Duration::from_mins(1);
/// How long the gateway is away.
const AWAY: Duration = Duration::from_mins(1);
/// Longest time until everything is settled, once nothing is killed any more.
const SETTLING: Duration = Duration::from_mins(5);

/// The stack with what charges its reservations.
struct Shop {
    stack: Stack,
    postgres: Server<Postgres>,
    gateway: Gateway,
    payers: [Option<Process>; 2],
}

impl Shop {
    async fn open(enough: usize) -> Self {
        let mut manners = vec![
            Manner::Accepts,
            Manner::Declines,
            Manner::Pending,
            Manner::Rubbish,
            Manner::Accepts,
            Manner::Stumbles,
            Manner::Accepts,
            Manner::Hangs,
        ];
        // What it did not hear and was cancelled since is believed after a minute: too long for every run.
        manners.extend((enough > FEW).then_some(Manner::Busy));
        let turns = manners.len() as u64;
        let gateway = Gateway::start(move |number| manners[usize::try_from(number % turns).unwrap()]).await;
        let rows = u32::try_from(ROWS + enough / A_ROW).unwrap();
        let stack = Stack::start(RedisKind::always(), rows);
        let (stack, postgres) = tokio::try_join!(stack, Server::start(Postgres::default())).unwrap();
        let log = KafkaLog::new(&stack.kafka.address()).unwrap();
        let read = std::slice::from_ref(&stack.topic);
        declare(&log, "payment-service", read, PARTITIONS, Begin::First).await.unwrap();
        let mut shop = Self { stack, postgres, gateway, payers: [None, None] };
        shop.payers = [Some(shop.payer()), Some(shop.payer())];
        shop
    }

    fn database(&self) -> String {
        format!("{}/postgres", self.postgres.address())
    }

    fn payer(&self) -> Process {
        let more = [
            ("BOXOFFICE_GROUP", "payment-service".to_owned()),
            ("BOXOFFICE_DATABASE_URL", self.database()),
            ("BOXOFFICE_PAYMENT_URL", self.gateway.url()),
            ("BOXOFFICE_PAYMENT_TOKEN", TOKEN.to_owned()),
            ("BOXOFFICE_METRICS_ADDR", format!("127.0.0.1:{}", free_port().unwrap())),
        ];
        Process::start("boxoffice-consumer", payment_worker(&self.stack).into_iter().chain(more)).unwrap()
    }

    /// Kills one or two of all that can be, starts it again, and says what it was.
    async fn breaks(&mut self, random: &mut Rng) -> &'static str {
        let one = usize::from(random.bool());
        match random.u8(..6) {
            0 | 1 => {
                self.payers[one] = None;
                self.payers[one] = Some(self.payer());
                "a payment worker"
            }
            2 => {
                self.payers = [None, None];
                sleep(Duration::from_millis(random.u64(..1000))).await;
                self.payers = [Some(self.payer()), Some(self.payer())];
                "both payment workers"
            }
            3 => {
                self.stack.workers[one].restart().unwrap();
                "a command worker"
            }
            4 => {
                self.stack.kafka.kill();
                sleep(Duration::from_millis(random.u64(..1000))).await;
                self.stack.kafka.restart().await.unwrap();
                "Kafka"
            }
            _ => {
                self.postgres.kill();
                sleep(Duration::from_millis(random.u64(..1000))).await;
                self.postgres.restart().await.unwrap();
                "PostgreSQL"
            }
        }
    }

    /// Waits until some more are charged than these.
    async fn charges_on(&self, before: usize) {
        let charged = within(RECOVERY, async || (self.gateway.count() >= before + BETWEEN).then_some(()));
        assert_eq!(charged.await, Some(()), "nothing more is charged\n{}", self.logs());
    }

    /// What still has to be done about payments; `None` where the database does not say.
    async fn unsettled(&self) -> Option<i64> {
        let mut connection = PgConnection::connect(&self.database()).await.ok()?;
        let count =
            "SELECT (SELECT count(*) FROM payments WHERE due IS NOT NULL) + (SELECT count(*) FROM outbox)";
        sqlx::query_scalar(count).fetch_one(&mut connection).await.ok()
    }

    /// What still has to be done, for people.
    async fn left(&self) -> String {
        let Ok(mut connection) = PgConnection::connect(&self.database()).await else {
            return "PostgreSQL does not answer".to_owned();
        };
        let open = "SELECT concat_ws(' ', due, token, attempts, state) FROM effect_lanes WHERE due IS NOT NULL \
                    UNION ALL SELECT convert_from(envelope, 'UTF8') FROM outbox";
        let open: Vec<String> = sqlx::query_scalar(open).fetch_all(&mut connection).await.unwrap_or_default();
        format!("{} are open at {}:\n{}", open.len(), clock::now(), open.join("\n"))
    }

    /// What the payment workers keep: of each reservation its state, what was charged, and what of it is asked back.
    async fn kept(&self) -> Vec<(String, String, i64, i64)> {
        let mut connection = PgConnection::connect(&self.database()).await.unwrap();
        let kept = "SELECT reservation_id, state, charged, refunded FROM payments";
        sqlx::query_as(kept).fetch_all(&mut connection).await.unwrap()
    }

    async fn parked(&self) -> i64 {
        let mut connection = PgConnection::connect(&self.database()).await.unwrap();
        let parked = "SELECT (SELECT count(*) FROM effect_lanes WHERE parked IS NOT NULL) \
                      + (SELECT count(*) FROM parked_events)";
        sqlx::query_scalar(parked).fetch_one(&mut connection).await.unwrap()
    }

    /// The facts of seats and of payments, once they answer each other.
    async fn settled(&self) -> (Vec<Envelope>, Vec<Envelope>) {
        let mut trouble = String::new();
        let settled = within(SETTLING, async || {
            if self.unsettled().await != Some(0) {
                trouble = self.left().await;
                return None;
            }
            let read = async {
                ensure!(self.stack.at_rest().await?.is_some(), "Redis has what is not on the log");
                let payments = records(&self.stack.kafka.address(), &self.stack.payment_topic).await?;
                anyhow::Ok((self.stack.records().await?, payments))
            };
            let (seats, payments) = read.await.inspect_err(|error| trouble = format!("{error:#}")).ok()?;
            let books = Books::of(&seats, &payments);
            trouble = books.open().join("\n");
            (trouble.is_empty() && self.unsettled().await == Some(0)).then_some((seats, payments))
        });
        let settled = settled.await;
        settled.unwrap_or_else(|| panic!("it does not settle: {trouble}\n{}", self.logs()))
    }

    fn logs(&self) -> String {
        let payers = self.payers.iter().flatten().map(Process::log);
        let last = |log: String| log.chars().rev().take(4000).collect::<Vec<_>>().into_iter().rev().collect();
        payers.map(last).collect::<Vec<String>>().join("\n\n")
    }
}

/// What a reservation was, and what became of its money. In the currency's minor unit.
#[derive(Debug, Default)]
struct Account {
    created: u64,
    paid_by: Option<String>,
    /// What was cancelled, by whom or what.
    cancelled: u64,
    payment_failed: bool,
    requested: bool,
    charged: Option<u64>,
    failed: bool,
    refunded: u64,
}

/// All of them, each fact once.
#[derive(Debug, Default)]
struct Books(BTreeMap<ReservationId, Account>);

impl Books {
    fn of(seats: &[Envelope], payments: &[Envelope]) -> Self {
        let mut books = Self::default();
        let mut seen = std::collections::HashSet::new();
        let facts = seats.iter().chain(payments).filter(|fact| seen.insert(fact.event_id));
        for fact in facts {
            books.take(&fact.event);
        }
        books
    }

    fn take(&mut self, fact: &DomainEvent) {
        match fact {
            DomainEvent::ReservationCreated(e) => {
                let account = self.0.entry(e.reservation_id.clone()).or_default();
                account.created = e.amount;
                account.paid_by = e.paid_by.clone().map(String::from);
            }
            DomainEvent::ReservationCancelled(e) => {
                let account = self.0.entry(e.reservation_id.clone()).or_default();
                account.cancelled += e.amount;
                account.payment_failed |= e.reason.is_some_and(|reason| reason.as_str() == "payment_failed");
            }
            DomainEvent::PaymentRequested(e) => {
                self.0.entry(e.reservation_id.clone()).or_default().requested = true;
            }
            DomainEvent::PaymentCompleted(e) => {
                let account = self.0.entry(e.reservation_id.clone()).or_default();
                assert_eq!(account.charged.replace(e.amount), None, "{} is charged twice", e.reservation_id);
            }
            DomainEvent::PaymentFailed(e) => {
                self.0.entry(e.reservation_id.clone()).or_default().failed = true;
            }
            DomainEvent::PaymentRefundRequested(e) => {
                self.0.entry(e.reservation_id.clone()).or_default().refunded += e.amount;
            }
            _ => {}
        }
    }

    /// What the buyers still have that was paid by the payment of `id`.
    fn kept(&self, id: &ReservationId) -> u64 {
        let is_its = |(other, account): &(&ReservationId, &Account)| {
            *other == id || account.paid_by.as_deref() == Some(id.to_string().as_str())
        };
        self.0.iter().filter(is_its).map(|(_, account)| account.created - account.cancelled).sum()
    }

    /// What is not answered yet, or does not add up.
    fn open(&self) -> Vec<String> {
        let mut open = vec![];
        for (id, account) in &self.0 {
            let kept = self.kept(id);
            let is_final = match (account.charged, &account.paid_by) {
                (_, Some(_)) => true,
                (Some(charged), None) => charged.checked_sub(account.refunded) == Some(kept),
                // Failed, or given back before anything was posted: nothing is kept.
                (None, None) => kept == 0 && account.refunded == 0,
            };
            if !is_final {
                open.push(format!("{id} keeps {kept}: {account:?}"));
            }
        }
        open
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reservation_is_paid_for_or_given_back_whatever_is_killed() {
    let enough = setting(RESERVATIONS).unwrap_or(FEW);
    let seed: u64 = setting(SEED).unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
    println!("{SEED}={seed}");
    let mut random = Rng::with_seed(seed);
    let mut shop = Shop::open(enough).await;
    let mut buyers: Vec<_> = (0..BUYERS).map(|_| Buyer::new(random.fork())).collect();
    let urls = shop.stack.urls();
    let mut market = Market::new(urls, shop.stack.event.clone(), shop.stack.seats.clone(), AREA);
    (market.with_keys, market.pace, market.regret) = (true, PACE, REGRET);
    let breaking = async {
        let (begun, least) = (Instant::now(), KILLS.max(enough / A_KILL));
        let (mut kills, mut away) = (0, None);
        loop {
            sleep(Duration::from_millis(random.u64(300..1500))).await;
            let (what, charged) = (shop.breaks(&mut random).await, shop.gateway.count());
            kills += 1;
            println!("{:?}: {what} killed, {} sold, {charged} charged", begun.elapsed(), market.sold());
            match away {
                None if enough > FEW && charged > enough / 2 => {
                    shop.gateway.away(true);
                    away = Some(Instant::now());
                }
                // Nothing is charged meanwhile.
                Some(since) if since.elapsed() < AWAY => {}
                Some(_) | None => {
                    shop.gateway.away(false);
                    shop.charges_on(charged).await;
                    if charged >= enough && kills >= least {
                        break;
                    }
                }
            }
        }
        market.close();
    };
    let (requests, ()): (Vec<Request>, ()) = tokio::join!(market.trade(&mut buyers), breaking);
    shop.stack.ready().await.unwrap();

    let (seats, payments) = shop.settled().await;
    let audit = Audit::of(&shop.stack.event, seats.clone(), &requests, &[]);
    assert!(audit.findings.is_empty(), "{SEED}={seed}:\n{}", audit.findings.join("\n"));
    assert_eq!(shop.gateway.wrongs(), Vec::<String>::new());
    assert_eq!(shop.parked().await, 0, "nothing is parked");
    let books = Books::of(&seats, &payments);
    for (key, charge) in shop.gateway.charges() {
        let account = &books.0[&key.parse().unwrap()];
        assert!(account.requested, "{key} was charged without a word");
        assert_eq!(charge.charged, account.charged.is_some(), "{key}: {charge:?}, {account:?}");
    }
    for (reservation, state, charged, refunded) in shop.kept().await {
        let account = &books.0[&reservation.parse().unwrap()];
        let told = (account.charged.unwrap_or_default(), account.refunded);
        assert_eq!((charged.cast_unsigned(), refunded.cast_unsigned()), told, "{reservation}: {account:?}");
        assert_ne!(state, "REQUESTED", "{reservation}: {account:?}");
    }
    let count = |is: fn(&Account) -> bool| books.0.values().filter(|account| is(account)).count();
    let (paid, failed) =
        (count(|account| account.charged.is_some()), count(|account| account.payment_failed));
    let refunded = count(|account| account.refunded > 0);
    println!("{} reservations: {paid} paid, {failed} failed, {refunded} refunded", books.0.len());
    assert!(shop.gateway.count() >= enough);
    assert!(paid > 0 && failed > 0 && refunded > 0, "nothing was tried");
}
