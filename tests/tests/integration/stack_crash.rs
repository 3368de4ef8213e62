//! Command workers, Redis and Kafka are killed again and again while seats are sold, and an audit of the log, of Redis and
//! of all that buyers were told says whether the sale stayed honest: no gap (I3), no seat sold twice (I1), nothing lost
//! that was acknowledged as durable (I7), and every domain event lawful. With `appendfsync everysec` a kill of Redis also
//! takes what was not flushed, as a power cut does.
//!
//! `make soak` runs it at full length. A round prints its seed; `BOXOFFICE_CRASH_SEED` begins with that one.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use boxoffice_domain::UnixMillis;
use boxoffice_domain::state::HoldStatus;
use boxoffice_runtime::clock;
use boxoffice_tests::audit::{Answer, Audit, Loss, Request};
use boxoffice_tests::crash::buyers::{Buyer, Market, reservations, share_out};
use boxoffice_tests::crash::stack::{AREA, Stack};
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::wait::{PATIENCE, until, within};
use fastrand::Rng;
use tokio::time::{Sleep, sleep};

const BUYERS: usize = 16;
/// Rows on sale: so few that buyers meet.
const ROWS: u32 = 12;
/// Longest time between an answer and the next request of a buyer, in milliseconds.
const PACE: u64 = 20;
/// Rounds of a test where nothing else is said.
const FEW_ROUNDS: u64 = 5;
/// Most rounds of one stack: its log is read from the beginning after each.
const ROUNDS_A_STACK: usize = 10;
/// Reservations that are acknowledged after everything is back, before a round ends.
const ENOUGH: usize = 20;
/// Redis puts a write to its file off for as long as a flush is under way, at most two seconds.
const PUT_OFF: UnixMillis = 2_000;

/// What can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// One command worker.
    Worker,
    /// The other one.
    Other,
    Redis,
    Kafka,
}

use Target::{Kafka, Other, Redis as Store, Worker};

/// What is killed together, by seed.
const TARGETS: [&[Target]; 6] =
    [&[Worker], &[Store], &[Kafka], &[Store, Worker], &[Kafka, Other], &[Worker, Other]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_i7_kill_9_under_load_with_a_redis_that_flushes_once_a_second() {
    survives(RedisKind::every_second(), true, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_i7_kill_9_under_load_with_a_redis_that_flushes_always() {
    survives(RedisKind::always(), false, 3).await;
}

/// Rounds from the target at `first` on, on stacks with such a Redis, which loses what it has not flushed where that
/// `is_cut`.
async fn survives(redis: RedisKind, is_cut: bool, first: u64) {
    let rounds = setting(ROUNDS).unwrap_or(FEW_ROUNDS);
    let any = || fastrand::u64(..u64::from(u32::MAX)) * TARGETS.len() as u64 + first;
    let seed: u64 = setting(SEED).unwrap_or_else(any);
    let mut seeds = seed..seed + rounds;
    while !seeds.is_empty() {
        let of_one_stack: Vec<_> = seeds.by_ref().take(ROUNDS_A_STACK).collect();
        Sale::open(redis.clone(), is_cut, of_one_stack[0]).await.goes_through(&of_one_stack).await;
    }
}

/// A stack on which buyers buy.
struct Sale {
    stack: Stack,
    /// Whether Redis loses what it has not flushed.
    is_cut: bool,
    buyers: Vec<Buyer>,
    requests: Vec<Request>,
    losses: Vec<Loss>,
}

impl Sale {
    async fn open(redis: RedisKind, is_cut: bool, seed: u64) -> Self {
        let stack = Stack::start(redis, ROWS).await.unwrap();
        let mut random = Rng::with_seed(seed);
        let buyers = (0..BUYERS).map(|_| Buyer::new(random.fork())).collect();
        Self { stack, is_cut, buyers, requests: vec![], losses: vec![] }
    }

    async fn goes_through(mut self, seeds: &[u64]) {
        for seed in seeds {
            let targets = TARGETS[usize::try_from(*seed).unwrap() % TARGETS.len()];
            println!("{SEED}={seed} kills {targets:?}");
            self.round(targets, &mut Rng::with_seed(*seed)).await;
            let (findings, audit) = self.audit().await;
            let asked = self.requests.len();
            assert!(
                findings.is_empty(),
                "{SEED}={seed}, after {asked} requests and {} domain events:\n{}\n{}",
                audit.facts.len(),
                findings.join("\n"),
                self.stack.logs()
            );
            share_out(reservations(&audit.state), &mut self.buyers);
        }
        let count =
            |kind: fn(&Answer) -> bool| self.requests.iter().filter(|request| kind(&request.answer)).count();
        let sold = count(|answer| matches!(answer, Answer::Reserved { .. }));
        let cut_off = count(|answer| matches!(answer, Answer::Unknown));
        println!("{} requests: {sold} sold something, {cut_off} have no answer", self.requests.len());
        assert!(sold > 0 && cut_off > 0, "nothing was tried");
    }

    /// Everybody buys while `targets` are killed and come back, and until seats are sold again.
    async fn round(&mut self, targets: &[Target], random: &mut Rng) {
        let mut market =
            Market::new(self.stack.urls(), self.stack.event.clone(), self.stack.seats.clone(), AREA);
        (market.with_keys, market.pace) = (true, PACE);
        let (stack, is_cut) = (&mut self.stack, self.is_cut);
        let breaking = async {
            let loss = breaks(stack, targets, is_cut, random).await;
            let enough = market.sold() + ENOUGH;
            until("seats are sold again", async || (market.sold() >= enough).then_some(())).await;
            market.close();
            loss
        };
        let (requests, loss) = tokio::join!(market.trade(&mut self.buyers), breaking);
        self.requests.extend(requests);
        self.losses.extend(loss);
    }

    /// What is wrong, once everything is on the log.
    async fn audit(&self) -> (Vec<String>, Audit) {
        let mut trouble = None;
        let at_rest = async || {
            self.stack.at_rest().await.inspect_err(|error| trouble = Some(format!("{error:#}"))).ok()?
        };
        let kept = within(PATIENCE, at_rest).await;
        let kept = kept.unwrap_or_else(|| panic!("what Redis has does not come to the log: {trouble:?}"));
        let records = self.stack.records().await.unwrap();
        let audit = Audit::of(&self.stack.event, records, &self.requests, &self.losses);
        let mut findings = audit.findings.clone();
        findings.extend(audit.compare_stored(&kept.state, kept.counts));
        let may_end =
            kept.state.holds.iter().filter(|(_, hold)| !matches!(hold.status, HoldStatus::Reserved(_)));
        let may_end: BTreeSet<_> = may_end.map(|(id, _)| *id).collect();
        if may_end != kept.deadlines {
            findings.push(format!("I6: the holds {may_end:?} have the deadlines {:?}", kept.deadlines));
        }
        (findings, audit)
    }
}

/// Kills `targets` at some moment, cuts what Redis has not flushed where that `is_cut`, and starts them again.
async fn breaks(stack: &mut Stack, targets: &[Target], is_cut: bool, random: &mut Rng) -> Option<Loss> {
    moment(random, 50..=150).await;
    let (flushed, from) = (stack.redis.appended().unwrap(), clock::now() - PUT_OFF);
    let (one, other) = if random.bool() { (0, 1) } else { (1, 0) };
    moment(random, 50..=450).await;
    let mut killed = vec![];
    for target in targets {
        match target {
            Worker => killed.push(one),
            Other => killed.push(other),
            Store => stack.redis.kill(),
            Kafka => stack.kafka.kill(),
        }
    }
    for worker in &killed {
        stack.workers[*worker].process.kill();
    }
    let loss = Loss { from, to: clock::now() };

    let (redis_comes, kafka_comes) = (moment(random, 0..=800), moment(random, 0..=800));
    let worker_comes = [moment(random, 0..=800), moment(random, 0..=800)];
    let has_lost = is_cut && targets.contains(&Store);
    if has_lost {
        let appended = stack.redis.appended().unwrap();
        // A rewrite began with everything before it on disk.
        let flushed = if flushed.file == appended.file { flushed.length } else { 0 };
        let left = stack.redis.cut(random.u64(flushed..=appended.length)).unwrap();
        println!("Redis loses {} bytes", appended.length - left);
    }
    let redis = async {
        redis_comes.await;
        if targets.contains(&Store) {
            stack.redis.restart().await.unwrap();
        }
    };
    let kafka = async {
        kafka_comes.await;
        if targets.contains(&Kafka) {
            stack.kafka.restart().await.unwrap();
        }
    };
    let workers = async {
        for (worker, comes) in killed.into_iter().zip(worker_comes) {
            comes.await;
            stack.workers[worker].restart().unwrap();
        }
    };
    tokio::join!(redis, kafka, workers);
    stack.ready().await.unwrap();
    has_lost.then_some(loss)
}

/// A wait by the clock: when something happens is what is tried.
fn moment(random: &mut Rng, milliseconds: RangeInclusive<u64>) -> Sleep {
    sleep(Duration::from_millis(random.u64(milliseconds)))
}
