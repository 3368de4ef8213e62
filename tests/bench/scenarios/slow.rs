//! Two thousand who ask for a seat map and take nothing of it: what that costs the server, and whether others are served.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::interval;

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Plan, Tally, get, run};
use crate::memory::footprint;
use crate::replica::Replica;
use crate::report::Figure;

/// Who takes nothing.
const SLOW: u32 = 2_000;
/// Others.
const OTHERS: usize = 8;
/// Changes a second: those who come one after the other are sent different maps.
const CHANGES: u32 = 50;
/// What the slow ones' own side takes of what they are sent, where the server has no say: as little as the system allows.
const RECEIVED: u32 = 4096;
/// How often it is looked at what the server takes up.
const LOOK: Duration = Duration::from_millis(100);
const MAP: &str = "/events/hall-1/seats";

struct Others(Tally);

impl Buyers for Others {
    fn job(&mut self, _: u64) -> Option<Vec<String>> {
        Some(vec![get(MAP)])
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.0.add(answer.status, answer.latency());
    }
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let replica = Replica::start(bench, 1, true).await?;
    let _changing = replica.change(bench, CHANGES).await?;
    let pace = Pace::Closed(bench.time.max(Duration::from_secs(1)));
    let plan = Plan { servers: vec![replica.addr], connections: OTHERS, pace };
    // What serving as such takes is there before the slow ones come.
    run(&plan, Others(Tally::default())).await?;
    let before = footprint(&replica.process)?;
    let mut most = before;
    let mut slow = vec![];
    for group in 0..20 {
        let share = bench.up_to(SLOW) / 20 + u32::from(group < bench.up_to(SLOW) % 20);
        slow.extend(try_join_all((0..share).map(|_| ask(replica.addr))).await?);
        most = most.max(footprint(&replica.process)?);
    }
    let mut others = pin!(run(&plan, Others(Tally::default())));
    let mut looks = interval(LOOK);
    let (Others(mut tally), took) = loop {
        tokio::select! {
            served = &mut others => break served?,
            _ = looks.tick() => most = most.max(footprint(&replica.process)?),
        }
    };
    drop(slow);
    let refused = u32::try_from(tally.refused).context("they are few")?;
    Ok(vec![
        Figure::new("slow readers, memory of server and sockets beyond before", most - before, "MiB")
            .at_most(128.0),
        Figure::new("slow readers, others, maps", tally.rate(took), "1/s"),
        Figure::new("slow readers, others, p99", tally.latency_ms(990), "ms"),
        Figure::new("slow readers, others who were refused", f64::from(refused), "requests").at_most(0.0),
    ])
}

/// A connection that asked, and reads nothing.
async fn ask(server: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVED)?;
    let mut stream = socket.connect(server).await?;
    stream.write_all(get(MAP).as_bytes()).await?;
    Ok(stream)
}
