//! Thousands who follow a seat map as it changes, beside as many who are sent the same bytes by the same HTTP stack.

use std::net::SocketAddr;
use std::time::Duration;

use boxoffice_tests::process::Process;
use tokio::time::{Instant, interval, sleep};

use super::Bench;
use crate::load::listeners::{Heard, Listeners};
use crate::load::{Tally, count};
use crate::memory::footprint;
use crate::replica::{Changing, Replica};
use crate::report::Figure;
use crate::yardsticks::constant;

/// Who follows.
const CLIENTS: u32 = 5_000;
/// Changes a second.
const CHANGES: u32 = 500;
/// How often it is looked at what the server takes up.
const LOOK: Duration = Duration::from_millis(100);

/// What was measured of a server.
struct Measured {
    heard: Heard,
    /// CPU seconds for 100,000 frames.
    cpu: f64,
    /// The most that was taken up beyond what it took before they came, by process and sockets, in KiB a client.
    memory: f64,
}

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or a client that was cut off.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let replica = Replica::start(bench, 1, false).await?;
    let path = "/events/hall-1/stream";
    let before = footprint(&replica.process)?;
    let mut listeners = Listeners::start(replica.addr, path, bench.up_to(CLIENTS))?;
    listeners.all_heard().await?;
    let changing = replica.change(bench, CHANGES).await?;
    let told = followed(bench, &replica.process, listeners, before).await?;
    let latency = latency(&told.heard, &changing);
    drop((changing, replica));

    let (server, addr) = constant::start().await?;
    let bare = broadcast(bench, &server, addr, told.heard.size()).await?;
    let yardstick = Figure::new("streams, constant broadcast, CPU", bare.cpu, "s/100,000");
    Ok(vec![
        yardstick.clone(),
        Figure::new("streams, CPU of the server for 100,000 frames", told.cpu, "s")
            .by(&yardstick)
            .at_most(2.0),
        Figure::new("streams, frames of a client", told.heard.rate(), "1/s").at_most(10.0),
        Figure::new("streams, bytes of a frame", count(told.heard.size()), "bytes"),
        Figure::new("streams, p99 from a change to its frame", latency, "ms").at_most(500.0),
        Figure::new("streams, the reading thread, of a core", told.heard.share(), "%").at_most(80.0),
        Figure::new("streams, memory of server and sockets, a client", told.memory, "KiB").at_most(32.0),
    ])
}

/// The same by a server that knows nothing.
async fn broadcast(bench: &Bench, server: &Process, addr: SocketAddr, size: u64) -> anyhow::Result<Measured> {
    let before = footprint(server)?;
    let mut listeners = Listeners::start(addr, &format!("/stream/{size}"), bench.up_to(CLIENTS))?;
    listeners.all_heard().await?;
    followed(bench, server, listeners, before).await
}

/// Counts for a while what listeners are told.
async fn followed(
    bench: &Bench,
    server: &Process,
    mut listeners: Listeners,
    before: f64,
) -> anyhow::Result<Measured> {
    let time = bench.time.max(Duration::from_secs(1));
    sleep(time / 5).await;
    let (begun, spent) = (Instant::now(), server.cpu_seconds()?);
    listeners.count();
    let (mut looks, mut most) = (interval(LOOK), before);
    while begun.elapsed() < time {
        looks.tick().await;
        most = most.max(footprint(server)?);
    }
    let spent = server.cpu_seconds()? - spent;
    let heard = listeners.end().await?;
    let clients = f64::from(bench.up_to(CLIENTS));
    Ok(Measured {
        cpu: spent / (heard.each() * clients) * 100_000.0,
        memory: (most - before) * 1024.0 / clients,
        heard,
    })
}

/// How many ms after it was about to be published a change was told, to 99 of 100.
fn latency(heard: &Heard, changing: &Changing) -> f64 {
    let mut tally = Tally::default();
    for frames in &heard.frames {
        for pair in frames.windows(2) {
            let [(before, _), (upto, came)] = pair else { continue };
            for published in (before + 1..=*upto).filter_map(|sequence| changing.published(sequence)) {
                tally.add(200, came.saturating_duration_since(published));
            }
        }
    }
    tally.latency_ms(990)
}
