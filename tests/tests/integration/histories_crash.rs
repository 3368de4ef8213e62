//! Redis takes on other histories under load, and owners of lanes fall asleep, while seats are sold: a replica takes
//! over and the old master comes back, also while what it lost is being read back; a master and its promoted replica
//! sell side by side, each to half of the workers, and either may be the one that stays; a worker freezes for longer
//! than its lease. With durability `log` no reservation is lost and no seat sold twice, and the log has no fork (I1,
//! I3, I7).
//!
//! `make soak` runs it at full length. A round prints its seed; `BOXOFFICE_CRASH_SEED` begins with that one.

use std::time::Duration;

use boxoffice_domain::UnixMillis;
use boxoffice_runtime::clock;
use boxoffice_tests::audit::Loss;
use boxoffice_tests::crash::sale::{Sale, moment};
use boxoffice_tests::crash::stack::Stack;
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::proxy::Proxy;
use boxoffice_tests::servers::Server;
use boxoffice_tests::servers::redis_kinds::RedisKind;
use fastrand::Rng;

const BUYERS: usize = 12;
/// Rows of ten seats.
const ROWS: u32 = 12;
/// Rounds where nothing else is said: each kind twice.
const FEW_ROUNDS: u64 = 2 * KINDS.len() as u64;
/// Most rounds of one stack: its log is read from the beginning after each.
const ROUNDS_A_STACK: usize = 8;
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
    /// The same, and the old master stays: what it sold meanwhile gives way to the log under the history that it had.
    Reunited,
    /// A worker is stopped for longer than its leases last, and wakes.
    Frozen,
}

const KINDS: [Kind; 5] = [Kind::Failover, Kind::Failback, Kind::Split, Kind::Reunited, Kind::Frozen];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_i7_histories_change_and_owners_freeze_under_load() {
    let rounds = setting(ROUNDS).map_or(FEW_ROUNDS, |rounds: u64| rounds * 2);
    let any = || fastrand::u64(..u64::from(u32::MAX)) * KINDS.len() as u64;
    let seed: u64 = setting(SEED).unwrap_or_else(any);
    let mut seeds = seed..seed + rounds;
    while !seeds.is_empty() {
        let of_one_stack: Vec<_> = seeds.by_ref().take(ROUNDS_A_STACK).collect();
        Followed::open(of_one_stack[0]).await.goes_through(&of_one_stack).await;
    }
}

/// A sale on a stack whose Redis has a replica; each worker reaches one of them through a proxy of its own.
struct Followed {
    sale: Sale,
    replica: Server<RedisKind>,
    routes: [Proxy; 2],
}

impl Followed {
    async fn open(seed: u64) -> Self {
        let kind = RedisKind::followed_at_once();
        let (master, replica) = tokio::try_join!(Server::start(kind.clone()), Server::start(kind)).unwrap();
        replica.follow(&master.address()).await.unwrap();
        let route = || async { Proxy::start(&host(&master), Duration::ZERO).await.unwrap() };
        let routes = [route().await, route().await];
        let reached = [0, 1].map(|worker: usize| format!("redis://{}", routes[worker].address()));
        let stack = Stack::around(master, [&reached[0], &reached[1]], ROWS).await.unwrap();
        Self { sale: Sale::open(stack, BUYERS, seed), replica, routes }
    }

    async fn goes_through(mut self, seeds: &[u64]) {
        for seed in seeds {
            let kind = KINDS[usize::try_from(*seed).unwrap() % KINDS.len()];
            println!("{SEED}={seed} {kind:?}");
            let (Self { sale, replica, routes }, mut random) = (&mut self, Rng::with_seed(*seed));
            let happening = async |stack: &mut Stack| {
                moment(&mut random, 100..=500).await;
                let from = clock::now() - BEHIND;
                happens(kind, stack, replica, routes, &mut random).await;
                Some(Loss { from, to: clock::now() })
            };
            sale.round(happening).await;
            sale.is_honest(*seed, &format!("{kind:?}")).await;
        }
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
        Kind::Reunited => {
            replica.promote().await.unwrap();
            let moved = &mut routes[usize::from(random.bool())];
            moved.fall_silent();
            moved.lead_to(&host(replica));
            moment(random, 3_000..=5_000).await;
            moved.fall_silent();
            moved.lead_to(&host(&stack.redis));
            replica.follow(&stack.redis.address()).await.unwrap();
            // Whoever was fenced has noticed by the end of this, and sells nothing more until it has read the log.
            moment(random, 2_000..=3_000).await;
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
