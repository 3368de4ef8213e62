//! Workers of two versions sell the same seats: while a release is rolled out, and while it is rolled back. One is killed, so
//! that all lanes pass to the other version, comes back, and the other one is killed: each goes on with what the other
//! wrote (entries, records, stored answers, snapshots), and the audit says that the sale stayed honest: no gap (I3), no
//! seat sold twice (I1), no reservation lost (I7).
//!
//! `make soak` builds the worker of the version before and runs this. A round prints its seed; `BOXOFFICE_CRASH_SEED` begins
//! with that one.

use std::ops::RangeInclusive;
use std::time::Duration;

use boxoffice_tests::audit::{Answer, Audit, Request};
use boxoffice_tests::command_worker::BINARY;
use boxoffice_tests::crash::buyers::{Buyer, Market, reservations, share_out};
use boxoffice_tests::crash::stack::{AREA, Stack};
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::wait::{PATIENCE, until, within};
use fastrand::Rng;
use tokio::time::{Sleep, sleep};

/// Where the command worker of the version before is.
const BEFORE: &str = "BOXOFFICE_COMMAND_BEFORE";

const BUYERS: usize = 12;
/// Rows of ten seats.
const ROWS: u32 = 12;
/// Longest time between an answer and the next request of a buyer, in milliseconds.
const PACE: u64 = 20;
/// Rounds where nothing else is said.
const FEW_ROUNDS: u64 = 4;
/// Most rounds of one stack: its log is read from the beginning after each.
const ROUNDS_A_STACK: usize = 8;
/// Reservations that are acknowledged before the next thing happens.
const ENOUGH: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the worker of the version before: make soak builds it"]
async fn i1_i3_i7_two_versions_go_on_with_what_the_other_wrote() {
    let before = std::env::var(BEFORE).unwrap_or_else(|_| panic!("{BEFORE}: say where the worker is"));
    let rounds = setting(ROUNDS).unwrap_or(FEW_ROUNDS);
    let seed: u64 = setting(SEED).unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
    let mut seeds = seed..seed + rounds;
    while !seeds.is_empty() {
        let of_one_stack: Vec<_> = seeds.by_ref().take(ROUNDS_A_STACK).collect();
        let mut sale = Sale::open(&before, of_one_stack[0]).await;
        for seed in of_one_stack {
            sale.goes_through(seed).await;
        }
        let is = |kind: fn(&Answer) -> bool| sale.requests.iter().filter(|it| kind(&it.answer)).count();
        let sold = is(|answer| matches!(answer, Answer::Reserved { .. }));
        println!("{} requests: {sold} sold something", sale.requests.len());
    }
}

/// A stack with a worker of each version, on which buyers buy.
struct Sale {
    stack: Stack,
    buyers: Vec<Buyer>,
    requests: Vec<Request>,
}

impl Sale {
    /// What is on sale is put there by the version before or by this one, by seed, and all of that version's lanes pass to
    /// the other one when it comes.
    async fn open(before: &str, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut binaries = [before, BINARY];
        if random.bool() {
            binaries.reverse();
        }
        let redis = RedisKind::always();
        let mut stack = Stack::of_one_version(redis, binaries[0], ROWS).await.unwrap();
        stack.workers[1].becomes(binaries[1]).unwrap();
        stack.ready().await.unwrap();
        println!("workers: {binaries:?}");
        let buyers = (0..BUYERS).map(|_| Buyer::new(random.fork())).collect();
        Self { stack, buyers, requests: vec![] }
    }

    async fn goes_through(&mut self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let first = random.usize(..2);
        println!("{SEED}={seed} kills worker {first} first");
        let mut market =
            Market::new(self.stack.urls(), self.stack.event.clone(), self.stack.seats.clone(), AREA);
        (market.with_keys, market.pace) = (true, PACE);
        let stack = &mut self.stack;
        let passing = async {
            for worker in [first, 1 - first] {
                moment(&mut random, 50..=450).await;
                stack.workers[worker].process.kill();
                sells(&market).await;
                stack.workers[worker].restart().unwrap();
                stack.ready().await.unwrap();
                sells(&market).await;
            }
            market.close();
        };
        let (requests, ()) = tokio::join!(market.trade(&mut self.buyers), passing);
        self.requests.extend(requests);
        let (findings, audit) = self.audit().await;
        assert!(
            findings.is_empty(),
            "{SEED}={seed}, after {} requests and {} domain events:\n{}\n{}",
            self.requests.len(),
            audit.facts.len(),
            findings.join("\n"),
            self.stack.logs()
        );
        share_out(reservations(&audit.state), &mut self.buyers);
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
        let audit = Audit::of(&self.stack.event, records, &self.requests, &[]);
        let mut findings = audit.findings.clone();
        findings.extend(audit.compare_stored(&kept.state, kept.counts));
        (findings, audit)
    }
}

/// Waits until more is sold.
async fn sells(market: &Market) {
    let enough = market.sold() + ENOUGH;
    until("seats are sold again", async || (market.sold() >= enough).then_some(())).await;
}

/// A wait by the clock: when something happens is what is tried.
fn moment(random: &mut Rng, milliseconds: RangeInclusive<u64>) -> Sleep {
    sleep(Duration::from_millis(random.u64(milliseconds)))
}
