//! Distinct seats, as fast as they go, in rounds: yardsticks and load take turns, and medians are told, because what else
//! the machine does comes and goes.

use anyhow::ensure;

use super::{Bench, Holders};
use crate::depth::Depths;
use crate::load::{Pace, Tally, count, median, run};
use crate::report::Figure;
use crate::stack::{Cpu, PARTITIONS, Stack};
use crate::yardsticks::{self, kafka, redis};

/// More holds a second than a machine is expected to take: so many seats are on sale.
const MOST: u32 = 40_000;
/// Calls of redis-benchmark for each second of a load.
const CALLS: u32 = 10_000;

/// What one round measured.
struct Round {
    constant: Constant,
    script: redis::Measured,
    load: Load,
}

/// What the constant answer of the same HTTP stack takes.
pub struct Constant {
    /// Answers a second.
    pub rate: f64,
    /// CPU seconds of its process for a thousand.
    pub cpu: f64,
}

/// What a load on the stack measured.
struct Load {
    tally: Tally,
    rate: f64,
    cpu: Cpu,
    depths: Depths,
    drained: f64,
    /// Domain events published a second, from the first request until nothing waits.
    published: f64,
    record: usize,
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let calls = bench.for_its_time(CALLS);
    let mut rounds = vec![];
    for _ in 0..bench.rounds {
        rounds.push(Round {
            constant: constant(bench).await?,
            script: redis::hold_script(&bench.kafka, bench.connections, calls.into()).await?,
            load: load(bench).await?,
        });
    }
    let record = rounds.first().map_or(300, |round| round.load.record);
    let records = u64::from(bench.up_to(500_000));
    let kafka = kafka::producer(&bench.kafka, records, record).await?;
    bench.most_holds = Some(of(&rounds, |round| round.load.rate));
    Ok(figures(&mut rounds, record, kafka))
}

/// The constant answer, to the requests that holds are, over as many connections.
pub async fn constant(bench: &Bench) -> anyhow::Result<Constant> {
    let (server, addr) = yardsticks::constant::start().await?;
    let (plan, before) = (bench.plan(&[addr], Pace::Closed(bench.time)), server.cpu_seconds()?);
    let (buyers, took) = run(&plan, Holders::of(bench.seats(4 * MOST))).await?;
    let cpu = (server.cpu_seconds()? - before) * 1000.0 / count(buyers.tally.done);
    Ok(Constant { rate: buyers.tally.rate(took), cpu })
}

/// Holds as many seats as possible.
async fn load(bench: &Bench) -> anyhow::Result<Load> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let seats = bench.seats(MOST);
    let shows = seats.shows.clone();
    stack.put_on_sale(&shows).await?;
    let (plan, before) = (bench.plan(&stack.buyers, Pace::Closed(bench.time)), stack.cpu()?);
    let ((buyers, took), depths) = Depths::during(&stack, &shows, run(&plan, Holders::of(seats))).await?;
    let drained = stack.drained(&shows).await?;
    let cpu = stack.cpu()?.since(before);
    let tally = buyers.tally;
    ensure!(tally.refused == 0, "{} holds of distinct seats were refused", tally.refused);
    let record = kafka::size_of_a_record(&bench.kafka, &stack.topic, PARTITIONS.cast_signed()).await?;
    Ok(Load {
        rate: tally.rate(took),
        published: tally.rate(took + drained),
        drained: drained.as_secs_f64(),
        tally,
        cpu,
        depths,
        record,
    })
}

/// The median of a number of each round.
fn of(rounds: &[Round], number: impl Fn(&Round) -> f64) -> f64 {
    median(rounds.iter().map(number))
}

fn figures(rounds: &mut [Round], record: usize, kafka: f64) -> Vec<Figure> {
    let latency = |rounds: &mut [Round], per_mille| {
        median(rounds.iter_mut().map(|round| round.load.tally.latency_ms(per_mille)))
    };
    let [p50, p99, longest] = [500, 990, 1000].map(|per_mille| latency(rounds, per_mille));
    let cost = |cpu: fn(&Cpu) -> f64| {
        of(rounds, |round| cpu(&round.load.cpu) * 1000.0 / count(round.load.tally.done))
    };
    let done = of(rounds, |round| count(round.load.tally.done));

    let script =
        Figure::new("redis-benchmark, our hold script", of(rounds, |round| round.script.rate), "1/s");
    let constant = Figure::new("HTTP, constant answer", of(rounds, |round| round.constant.rate), "1/s");
    let constant_cpu =
        Figure::new("HTTP, constant answer, CPU", of(rounds, |round| round.constant.cpu), "s/1000");
    let script_cpu = Figure::new(
        "redis-benchmark, our hold script, CPU of redis",
        of(rounds, |round| round.script.cpu),
        "s/1000",
    );
    let size = Figure::new("kafka, size of a seat.held", count(record as u64), "bytes");
    let kafka = Figure::new("kafka, ProducerPerformance with records of that size", kafka, "1/s");
    let rate = of(rounds, |round| round.load.rate);
    let worker = cost(|cpu| cpu.worker);

    let holds = vec![
        Figure::new("holds", rate, "1/s").by(&script).at_least(0.6),
        Figure::new("holds, by HTTP", rate, "1/s").by(&constant),
        Figure::new("holds, p50", p50, "ms"),
        Figure::new("holds, p99", p99, "ms"),
        Figure::new("holds, max", longest, "ms"),
        Figure::new("holds, CPU of the worker with relay", worker, "s/1000").by(&constant_cpu).at_most(3.0),
        Figure::new("holds, CPU of redis", cost(|cpu| cpu.redis), "s/1000").by(&script_cpu),
        Figure::new("holds, CPU of kafka", cost(|cpu| cpu.kafka), "s/1000"),
        Figure::new("holds, CPU of the generator", cost(|cpu| cpu.load), "s/1000"),
        Figure::new("holds, outbox, most", of(rounds, |round| round.load.depths.most()), "events"),
        Figure::new(
            "holds, outbox, growth by holds",
            of(rounds, |round| round.load.depths.growth()) / done,
            "ratio",
        )
        .at_most(0.01),
        Figure::new("holds, outbox, empty after", of(rounds, |round| round.load.drained), "s").at_most(1.0),
        Figure::new("holds, events published", of(rounds, |round| round.load.published), "1/s").by(&kafka),
    ];
    let p99 =
        Figure::new("redis-benchmark, our hold script, p99", of(rounds, |round| round.script.p99), "ms");
    [script, p99, script_cpu, constant, constant_cpu, size, kafka].into_iter().chain(holds).collect()
}
