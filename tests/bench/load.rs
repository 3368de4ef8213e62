//! A closed loop of requests over HTTP/1.1: each connection sends its next request when it has the answer to the last.
//!
//! Written on bare sockets, because it shares the machine with what it measures: what it spends itself is missing there.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Answers of status 2xx.
    pub done: u64,
    /// Other answers, by status.
    pub refused: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Time to each answer, in microseconds, sorted.
    latencies: Vec<u32>,
}

impl Outcome {
    /// Successful answers a second.
    pub fn rate(&self) -> f64 {
        count(self.done) / self.took.as_secs_f64()
    }

    /// The latency that so many of a thousand answers did not exceed, in milliseconds.
    pub fn latency_ms(&self, per_mille: usize) -> f64 {
        let place = (self.latencies.len() * per_mille).div_ceil(1000).saturating_sub(1);
        self.latencies.get(place).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// A count as a number to divide.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn count(number: u64) -> f64 {
    number as f64
}

/// Sends requests over `connections` connections for `time`, or until `request` gives no more.
///
/// # Errors
/// A server that goes away or does not speak HTTP.
pub async fn run(
    addr: SocketAddr,
    connections: usize,
    time: Duration,
    request: impl FnMut() -> Option<String> + 'static,
) -> anyhow::Result<Outcome> {
    let (request, left) = (Rc::new(RefCell::new(request)), Rc::new(Cell::new(true)));
    let begun = Instant::now();
    let local = LocalSet::new();
    let mut tasks = vec![];
    for _ in 0..connections {
        let (request, left) = (Rc::clone(&request), Rc::clone(&left));
        let next = move || {
            if begun.elapsed() >= time || !left.get() {
                return None;
            }
            let next = (request.borrow_mut())();
            left.set(next.is_some());
            next
        };
        tasks.push(local.spawn_local(connection(addr, next)));
    }
    let mut outcome = Outcome { done: 0, refused: 0, took: Duration::ZERO, latencies: vec![] };
    local
        .run_until(async {
            for task in tasks {
                let (done, refused, latencies) = task.await??;
                outcome.done += done;
                outcome.refused += refused;
                outcome.latencies.extend(latencies);
            }
            anyhow::Ok(())
        })
        .await?;
    outcome.took = begun.elapsed();
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

async fn connection(
    addr: SocketAddr,
    mut next: impl FnMut() -> Option<String>,
) -> anyhow::Result<(u64, u64, Vec<u32>)> {
    let mut stream = TcpStream::connect(addr).await.with_context(|| format!("connecting to {addr}"))?;
    stream.set_nodelay(true)?;
    let (mut done, mut refused, mut latencies) = (0, 0, Vec::with_capacity(1 << 14));
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = next() {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        if (200..300).contains(&status) {
            done += 1;
        } else {
            refused += 1;
        }
    }
    Ok((done, refused, latencies))
}

/// Reads one answer: its status. `buffer` is empty before and after.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    loop {
        if let Some((status, length)) = whole(buffer)? {
            if buffer.len() > length {
                bail!("more bytes than the answer has");
            }
            buffer.clear();
            return Ok(status);
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
    }
}

/// Status and length of the answer in `buffer`, once all of it is there.
fn whole(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&buffer[..head])?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    let body = text.lines().find_map(length).context("no content-length")?;
    let length = head + 4 + body;
    Ok((buffer.len() >= length).then_some((status, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let text = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(whole(text).unwrap(), Some((409, text.len())));
        assert_eq!(whole(&text[..text.len() - 1]).unwrap(), None);
        assert_eq!(whole(&text[..10]).unwrap(), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let latencies = (1..=100).map(|millis| millis * 1000).collect();
        let outcome = Outcome { done: 100, refused: 0, took: Duration::from_secs(2), latencies };
        assert_eq!(
            (outcome.latency_ms(500), outcome.latency_ms(990), outcome.latency_ms(1000)),
            (50.0, 99.0, 100.0)
        );
        assert!((outcome.rate() - 50.0).abs() < 1e-9);
    }
}
