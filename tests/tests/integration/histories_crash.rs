//! Redis takes on other histories under load, and owners of lanes fall asleep, while seats are sold: a replica takes over
//! and the old master comes back, also while what it lost is being read back; a master and its promoted replica sell
//! side by side, each to half of the workers; a worker freezes for longer than its lease. With durability `log` no
//! reservation is lost and no seat sold twice, and the log has no fork (I1, I3, I7).
//!
//! `make soak` runs it at full length. A round prints its seed; `BOXOFFICE_CRASH_SEED` begins with that one.

use std::ops::RangeInclusive;
use std::time::Duration;

use boxoffice_domain::UnixMillis;
use boxoffice_runtime::clock;
use boxoffice_tests::audit::{Audit, Loss, Request};
use boxoffice_tests::crash::buyers::{Buyer, Market, reservations, share_out};
use boxoffice_tests::crash::stack::{AREA, Stack};
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::proxy::Proxy;
use boxoffice_tests::servers::Server;
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::wait::{PATIENCE, within};
use fastrand::Rng;
use tokio::time::{Sleep, sleep};

const BUYERS: usize = 12;
/// Rows of ten seats.
const ROWS: u32 = 12;
/// Longest time between an answer and the next request of a buyer, in milliseconds.
const PACE: u64 = 20;
/// Rounds where nothing else is said: each kind twice.
const FEW_ROUNDS: u64 = 2 * KINDS.len() as u64;
/// Most rounds of one stack: its log is read from the beginning after each.
const ROUNDS_A_STACK: usize = 8;
/// Reservations that are acknowledged after everything is well again, before a round ends.
const ENOUGH: usize = 20;
/// What a master wrote in the last moments may not be on its replica yet.
const BEHIND: UnixMillis = 2_000;

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The replica takes over, and the old master follows it.
    Failover,
    /// The same, and back again while what was lost is being read back.
    Failback,
    /// The replica takes over for one worker, and the old master goes on for the other one.
    Split,
    /// A worker is stopped for longer than its leases last, and wakes.
    Frozen,
}

const KINDS: [Kind; 4] = [Kind::Failover, Kind::Failback, Kind::Split, Kind::Frozen];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_i7_histories_change_and_owners_freeze_under_load() {
    let rounds = setting(ROUNDS).map_or(FEW_ROUNDS, |rounds: u64| rounds * 2);
    let any = || fastrand::u64(..u64::from(u32::MAX)) * KINDS.len() as u64;
    let seed: u64 = setting(SEED).unwrap_or_else(any);
    let mut seeds = seed..seed + rounds;
    while !seeds.is_empty() {
        let of_one_stack: Vec<_> = seeds.by_ref().take(ROUNDS_A_STACK).collect();
        Sale::open(of_one_stack[0]).await.goes_through(&of_one_stack).await;
    }
}

/// A stack on which buyers buy, whose Redis has a replica; each worker reaches one of them through a proxy of its own.
struct Sale {
    stack: Stack,
    replica: Server<RedisKind>,
    routes: [Proxy; 2],
    buyers: Vec<Buyer>,
    requests: Vec<Request>,
    losses: Vec<Loss>,
}

impl Sale {
    async fn open(seed: u64) -> Self {
        let kind = RedisKind::followed_at_once();
        let (master, replica) = tokio::try_join!(Server::start(kind.clone()), Server::start(kind)).unwrap();
        replica.follow(&master.address()).await.unwrap();
        let route = || async { Proxy::start(&host(&master), Duration::ZERO).await.unwrap() };
        let routes = [route().await, route().await];
        let reached = [0, 1].map(|worker: usize| format!("redis://{}", routes[worker].address()));
        let stack = Stack::around(master, [&reached[0], &reached[1]], ROWS).await.unwrap();
        let mut random = Rng::with_seed(seed);
        let buyers = (0..BUYERS).map(|_| Buyer::new(random.fork())).collect();
        Self { stack, replica, routes, buyers, requests: vec![], losses: vec![] }
    }

    async fn goes_through(mut self, seeds: &[u64]) {
        for seed in seeds {
            let kind = KINDS[usize::try_from(*seed).unwrap() % KINDS.len()];
            println!("{SEED}={seed} {kind:?}");
            self.round(kind, &mut Rng::with_seed(*seed)).await;
            let (findings, audit) = self.audit().await;
            let asked = self.requests.len();
            assert!(
                findings.is_empty(),
                "{SEED}={seed} {kind:?}, after {asked} requests and {} domain events:\n{}\n{}",
                audit.facts.len(),
                findings.join("\n"),
                self.stack.logs()
            );
            share_out(reservations(&audit.state), &mut self.buyers);
        }
    }

    /// Everybody buys while it happens, and until seats are sold again.
    async fn round(&mut self, kind: Kind, random: &mut Rng) {
        let mut market =
            Market::new(self.stack.urls(), self.stack.event.clone(), self.stack.seats.clone(), AREA);
        (market.with_keys, market.pace) = (true, PACE);
        let Self { stack, replica, routes, buyers, .. } = self;
        let happening = async {
            moment(random, 100..=500).await;
            let from = clock::now() - BEHIND;
            happens(kind, stack, replica, routes, random).await;
            let loss = Loss { from, to: clock::now() };
            let enough = market.sold() + ENOUGH;
            let sold = within(PATIENCE, async || (market.sold() >= enough).then_some(())).await;
            assert!(sold.is_some(), "{kind:?}: seats are not sold again\n{}", stack.logs());
            market.close();
            loss
        };
        let (requests, loss) = tokio::join!(market.trade(buyers), happening);
        self.requests.extend(requests);
        self.losses.push(loss);
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
        (findings, audit)
    }
}

async fn happens(
    kind: Kind,
    stack: &mut Stack,
    replica: &mut Server<RedisKind>,
    routes: &mut [Proxy; 2],
    random: &mut Rng,
) {
    match kind {
        Kind::Failover => take_over(stack, replica, routes).await,
        Kind::Failback => {
            take_over(stack, replica, routes).await;
            moment(random, 0..=800).await;
            take_over(stack, replica, routes).await;
        }
        Kind::Split => {
            replica.promote().await.unwrap();
            let moved = &mut routes[usize::from(random.bool())];
            moved.fall_silent();
            moved.lead_to(&host(replica));
            moment(random, 2_000..=5_000).await;
            std::mem::swap(&mut stack.redis, replica);
            lead_to(routes, &stack.redis);
            replica.follow(&stack.redis.address()).await.unwrap();
        }
        Kind::Frozen => {
            let frozen = &mut stack.workers[usize::from(random.bool())].process;
            frozen.pause();
            moment(random, 2_000..=4_000).await;
            frozen.resume();
        }
    }
}

/// The replica is the master from now on, and the other way round.
async fn take_over(stack: &mut Stack, replica: &mut Server<RedisKind>, routes: &mut [Proxy; 2]) {
    replica.promote().await.unwrap();
    std::mem::swap(&mut stack.redis, replica);
    lead_to(routes, &stack.redis);
    replica.follow(&stack.redis.address()).await.unwrap();
}

fn lead_to(routes: &mut [Proxy; 2], redis: &Server<RedisKind>) {
    for route in routes {
        route.fall_silent();
        route.lead_to(&host(redis));
    }
}

/// Where it listens: host:port.
fn host(redis: &Server<RedisKind>) -> String {
    redis.address().trim_start_matches("redis://").to_owned()
}

/// A wait by the clock: when something happens is what is tried.
fn moment(random: &mut Rng, milliseconds: RangeInclusive<u64>) -> Sleep {
    sleep(Duration::from_millis(random.u64(milliseconds)))
}
