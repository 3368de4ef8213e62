//! Ten o'clock: two thousand connections opened at one moment, with a request each, to a command worker, to a query worker
//! and to `boxoffice local`. Told is when the last of them was answered: whoever finds no room in a listener's backlog
//! tries again after a second.

use std::net::SocketAddr;

use anyhow::ensure;
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::migrate;
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Postgres, Server, free_port, service, topic_on};
use tempfile::TempDir;

use super::{Bench, embedded};
use crate::load::{all_at_once, get, median, post};
use crate::report::Figure;
use crate::shows::Seats;
use crate::stack::Stack;

const CROWD: u32 = 2000;
/// SeatingEvents on sale at once, and the size of each.
const SHOWS: u32 = 4;
const ROWS: u32 = 50;
const WIDTH: u32 = 100;
/// Milliseconds until everybody has an answer.
const GOAL: f64 = 300.0;

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or somebody who was refused.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let crowd = bench.up_to(CROWD);
    let crowds = u32::try_from(bench.rounds)?;
    let seats = || Seats::new(crowd * crowds, SHOWS, ROWS, WIDTH);
    let hold = |seat: String, user: u32| post(&format!("/seats/{seat}/hold"), &format!("user-{user}"), "");

    let mut stack = Stack::start(&bench.kafka, 1).await?;
    let on_sale = seats();
    stack.put_on_sale(&on_sale.shows).await?;
    let (_postgres, query, reading) = query(bench, &stack.topic, &on_sale).await?;
    let [writing] = stack.buyers[..] else { anyhow::bail!("there is not one command worker") };
    let command = slowest(crowd, bench.rounds, writing, on_sale, hold).await?;
    let show = |seat: String, _| get(&format!("/seats/{seat}"));
    let read = slowest(crowd, bench.rounds, reading, seats(), show).await?;
    drop(query);

    let folder = TempDir::new()?;
    embedded::declare(folder.path(), "redis", &seats().shows)?;
    let (_process, addr) = embedded::local(folder.path()).await?;
    let local = slowest(crowd, bench.rounds, addr, seats(), hold).await?;

    let figure = |server: &str, slowest: f64| {
        let name = format!("door, {crowd} connections at once to {server}, last answer");
        Figure::new(name, slowest, "ms").at_most(GOAL)
    };
    Ok(vec![
        figure("a command worker", command),
        figure("a query worker", read),
        figure("boxoffice local", local),
    ])
}

/// Milliseconds until the last of a crowd is answered: the median of so many crowds.
async fn slowest(
    crowd: u32,
    crowds: usize,
    server: SocketAddr,
    mut seats: Seats,
    request: impl Fn(String, u32) -> String,
) -> anyhow::Result<f64> {
    let mut each = vec![];
    for _ in 0..crowds {
        let requests = (0..crowd).zip(std::iter::from_fn(|| seats.next_seat()));
        let requests: Vec<_> = requests.map(|(user, seat)| request(seat, user)).collect();
        let answers = all_at_once(server, requests).await?;
        let refused = answers.iter().filter(|(status, _)| *status != 200).count();
        ensure!(refused == 0, "{refused} of {crowd} were refused by {server}");
        let last = answers.iter().map(|(_, answered)| *answered).max().unwrap_or_default();
        each.push(last.as_secs_f64() * 1000.0);
    }
    Ok(median(each))
}

/// A query worker that shows what is on sale, on an empty view: it reads all of it from the log.
async fn query(
    bench: &Bench,
    topic: &str,
    seats: &Seats,
) -> anyhow::Result<(Server<Postgres>, Process, SocketAddr)> {
    let postgres = Server::start(Postgres::default()).await?;
    let database_url = format!("{}/postgres", postgres.address());
    migrate::<SeatViewHandler>(&DatabaseArgs::at(&database_url).options("bench")?).await?;
    let stats_topic = topic_on(&bench.kafka.address(), "stats-events", 1).await?;
    let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let environment = [
        ("BOXOFFICE_SERVICE", service("bench")),
        ("BOXOFFICE_HTTP_ADDR", addr.to_string()),
        ("BOXOFFICE_ADMIN_ADDR", format!("127.0.0.1:{}", free_port()?)),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
        ("BOXOFFICE_METRICS_ADDR", format!("127.0.0.1:{}", free_port()?)),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", bench.kafka.address()),
        ("BOXOFFICE_KAFKA_TOPIC", topic.to_owned()),
        ("BOXOFFICE_KAFKA_STATS_TOPIC", stats_topic),
        ("BOXOFFICE_DATABASE_URL", database_url),
    ];
    let mut process = Process::start("boxoffice-query", environment)?;
    for show in &seats.shows {
        process.ready(&format!("http://{addr}/events/{}", show.id)).await?;
    }
    Ok((postgres, process, addr))
}
