//! How long the best-available script keeps Redis busy, by Redis' own slow log, which tells it in microseconds: in a hall
//! that is empty, half full, and nearly full, with holes at random; and in the worst of halls, `nearly_full`. While a
//! script runs nobody else is served.

use anyhow::{bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, nearly_full};
use crate::load::percentile;
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::{Stack, answer};
use crate::yardsticks::captured::capture;

/// Seats of a hall, and the most milliseconds that are good enough.
const HALLS: [(u32, f64); 2] = [(20_000, 1.0), (80_000, 3.0)];
const WIDTH: u32 = 80;
/// Per cent of the seats that are taken.
const FULL: [usize; 3] = [0, 50, 95];
/// Holds measured at each; then they are released.
const SAMPLES: u32 = 400;
/// Microseconds below which the log has no command. Those inside of a script are hundreds for a hold of a hundred seats, and
/// logging each would count as time of the script; no script is that short.
const TOO_SHORT: u32 = 20;
/// Seats blocked by one request.
const SEATS_A_BLOCK: usize = 1000;
/// So that every run has the same holes.
const SEED: u64 = 17;

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![];
    for (seats, goal) in HALLS {
        let seats = bench.up_to(seats) / WIDTH * WIDTH;
        let mut stack = Stack::start(&bench.kafka, 1).await?;
        let show = SeatGrid::new("stadium", seats / WIDTH, WIDTH);
        stack.put_on_sale(std::slice::from_ref(&show)).await?;
        let mut keys: Vec<String> = (0..seats).map(|seat| show.key(seat)).collect();
        fastrand::Rng::with_seed(SEED).shuffle(&mut keys);
        let mut blocked = 0;
        for full in FULL {
            let until = keys.len() * full / 100;
            for some in keys[blocked..until].chunks(SEATS_A_BLOCK) {
                stack.block(&show, some).await?;
            }
            blocked = until;
            stack.drained(std::slice::from_ref(&show)).await?;
            let times = sample(&stack, &show, bench.up_to(SAMPLES).max(8), |number| number % 8 + 1).await?;
            figures.extend(told(
                &format!("best-available script, {seats} seats, {full} % full"),
                &times,
                goal,
            ));
        }
    }
    figures.extend(nearly_full::measure(bench).await?);
    Ok(figures)
}

/// The figures of sorted microseconds, and the most milliseconds that are good enough.
pub(super) fn told(name: &str, times: &[u32], goal: f64) -> [Figure; 2] {
    let time = |per_mille| f64::from(percentile(times, per_mille).unwrap_or_default()) / 1000.0;
    let p50 = Figure::new(format!("{name}, p50"), time(500), "ms");
    [p50, Figure::new(format!("{name}, p99"), time(990), "ms").at_most(goal)]
}

/// Holds as many of the best seats as `asked` says, and releases what it got, one after the other: microseconds of the
/// script, sorted. Where there are not so many, that is an answer too.
pub(super) async fn sample(
    stack: &Stack<'_>,
    show: &SeatGrid,
    samples: u32,
    asked: impl Fn(u32) -> u32,
) -> anyhow::Result<Vec<u32>> {
    let path = format!("/events/{}/holds", show.id);
    let hold = async |user: &str, quantity: u32| {
        let body = json!({"bestAvailable": {"quantity": quantity}});
        let answered = stack.buyer(Method::POST, &path, user)?.json(&body).send().await?;
        let told: Value = answered.json().await?;
        match told["holdId"].as_str() {
            Some(hold) => {
                answer(stack.buyer(Method::DELETE, &format!("/holds/{hold}"), user)?).await.map(drop)
            }
            None if told["code"] == "NOT_ENOUGH_SEATS" => Ok(()),
            None => bail!("{told}"),
        }
    };
    // The first call is not measured: Redis may have to be given the script.
    hold("first", asked(0)).await?;
    let ((), call) = capture(&stack.redis.address(), "captured", hold("captured", asked(0))).await?;

    let mut redis = stack.connection();
    // Some commands inside of a script are not short either: the log is read after each.
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("slowlog-log-slower-than").arg(TOO_SHORT).arg("slowlog-max-len").arg(10_000);
    set.query_async::<()>(&mut redis).await?;
    let mut times = vec![];
    for number in 0..samples {
        redis::cmd("SLOWLOG").arg("RESET").query_async::<()>(&mut redis).await?;
        hold(&format!("user-{number}"), asked(number)).await?;
        let log: Vec<Vec<redis::Value>> =
            redis::cmd("SLOWLOG").arg("GET").arg(-1).query_async(&mut redis).await?;
        times.extend(log.iter().filter_map(|entry| time_of(entry, call.sha())));
    }
    ensure!(times.len() == samples as usize, "redis logged {} of {samples} scripts", times.len());
    times.sort_unstable();
    Ok(times)
}

/// Microseconds of an entry of the slow log (id, when, microseconds, words, client), where it is a call of `script`.
fn time_of(entry: &[redis::Value], script: &str) -> Option<u32> {
    let [_, _, micros, words, ..] = entry else { return None };
    let words: Vec<String> = redis::from_redis_value_ref(words).ok()?;
    (words.get(1)? == script).then(|| redis::from_redis_value_ref(micros).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::Value;

    #[test]
    fn only_calls_of_the_script_count() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let words = Value::Array(vec![text("EVALSHA"), text("4e6d"), text("10")]);
        let entry = [Value::Int(1), Value::Int(1_700_000_000), Value::Int(420), words, text("127.0.0.1:1")];
        assert_eq!(time_of(&entry, "4e6d"), Some(420));
        assert_eq!(time_of(&entry, "77aa"), None);
        assert_eq!(time_of(&entry[..2], "4e6d"), None);
    }
}
