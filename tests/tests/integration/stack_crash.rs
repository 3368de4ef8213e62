//! Command workers, Redis and Kafka are killed again and again while seats are sold, and an audit of the log, of Redis and
//! of all that buyers were told says whether the sale stayed honest: no gap (I3), no seat sold twice (I1), nothing lost
//! that was acknowledged as durable (I7), and every domain event lawful. With `appendfsync everysec` a kill of Redis also
//! takes what was not flushed, as a power cut does.
//!
//! `make soak` runs it at full length. A round prints its seed; `BOXOFFICE_CRASH_SEED` begins with that one.

use boxoffice_domain::UnixMillis;
use boxoffice_runtime::clock;
use boxoffice_tests::audit::{Answer, Loss};
use boxoffice_tests::crash::sale::{Sale, moment};
use boxoffice_tests::crash::stack::Stack;
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::servers::redis_kinds::RedisKind;
use fastrand::Rng;

const BUYERS: usize = 16;
/// Rows on sale: so few that buyers meet.
const ROWS: u32 = 12;
/// Rounds of a test where nothing else is said.
const FEW_ROUNDS: u64 = 5;
/// Most rounds of one stack: its log is read from the beginning after each.
const ROUNDS_A_STACK: usize = 10;
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
        let stack = Stack::start(redis.clone(), ROWS).await.unwrap();
        goes_through(Sale::open(stack, BUYERS, of_one_stack[0]), is_cut, &of_one_stack).await;
    }
}

async fn goes_through(mut sale: Sale, is_cut: bool, seeds: &[u64]) {
    for seed in seeds {
        let (targets, mut random) =
            (TARGETS[usize::try_from(*seed).unwrap() % TARGETS.len()], Rng::with_seed(*seed));
        println!("{SEED}={seed} kills {targets:?}");
        sale.round(async |stack: &mut Stack| breaks(stack, targets, is_cut, &mut random).await).await;
        sale.is_honest(*seed, &format!("kills {targets:?}")).await;
    }
    let count =
        |kind: fn(&Answer) -> bool| sale.requests.iter().filter(|request| kind(&request.answer)).count();
    let sold = count(|answer| matches!(answer, Answer::Reserved { .. }));
    let cut_off = count(|answer| matches!(answer, Answer::Unknown));
    println!("{} requests: {sold} sold something, {cut_off} have no answer", sale.requests.len());
    assert!(sold > 0 && cut_off > 0, "nothing was tried");
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
