//! Buyers over HTTP/1.1: many connections that are kept, each sending one request at a time, in a closed or an open loop.
//!
//! Reading order: [`pace`] says when requests are due, [`wire`] sends them, [`tally`] sums up. What they are and what is
//! made of the answers is the business of whoever implements [`Buyers`]. All of it runs on one thread. [`listeners`] follow a
//! stream instead.

pub mod listeners;
mod pace;
mod tally;
mod wire;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::task::LocalSet;

pub use pace::Pace;
pub use tally::{Tally, median, percentile};

use pace::Turn;
use wire::Wire;

/// Who is asked, over how many connections, how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers; connections are spread over them.
    pub servers: Vec<SocketAddr>,
    /// Connections.
    pub connections: usize,
    /// How requests follow each other.
    pub pace: Pace,
}

/// What is asked for and what is made of the answers.
pub trait Buyers: 'static {
    /// The requests of job `number`, from 0, which one connection sends one after the other until one is refused; `None`
    /// when there are no more jobs.
    fn job(&mut self, number: u64) -> Option<Vec<String>>;

    /// Hears an answer.
    fn hear(&mut self, answer: &Answer<'_>);
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The job.
    pub job: u64,
    /// Which of its requests, from 0.
    pub step: usize,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
    /// When it was sent, or due, where the pace says so; from the beginning on.
    pub asked: Duration,
    /// When it was answered.
    pub answered: Duration,
}

impl Answer<'_> {
    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long it took.
    pub fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.asked)
    }
}

/// A count as a number to divide.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn count(number: u64) -> f64 {
    number as f64
}

/// What every server is called, wherever it listens.
pub const HOST: &str = "boxoffice";

/// A GET.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n")
}

/// A POST of `body`, or of nothing where it is empty.
pub fn post(path: &str, user: &str, body: &str) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: {HOST}\r\nx-user-id: {user}\r\n");
    if body.is_empty() {
        return format!("{head}content-length: 0\r\n\r\n");
    }
    format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// What the connections share.
struct Crowd<B> {
    buyers: RefCell<B>,
    next: Cell<u64>,
    over: Cell<bool>,
    pace: Pace,
    begun: Instant,
}

/// Connects, lets the buyers loose, and returns them with the time from the first request to the last answer.
///
/// # Errors
/// A server that goes away or does not speak HTTP.
pub async fn run<B: Buyers>(plan: &Plan, buyers: B) -> anyhow::Result<(B, Duration)> {
    let servers = plan.servers.iter().cycle().take(plan.connections);
    let wires = try_join_all(servers.map(|server| Wire::connect(*server))).await?;
    let crowd = Rc::new(Crowd {
        buyers: RefCell::new(buyers),
        next: Cell::new(0),
        over: Cell::new(false),
        pace: plan.pace,
        begun: Instant::now(),
    });
    let local = LocalSet::new();
    let tasks: Vec<_> =
        wires.into_iter().map(|wire| local.spawn_local(Rc::clone(&crowd).connection(wire))).collect();
    local
        .run_until(async {
            for task in tasks {
                task.await??;
            }
            anyhow::Ok(())
        })
        .await?;
    let took = crowd.begun.elapsed();
    drop(local);
    let crowd = Rc::into_inner(crowd).ok_or_else(|| anyhow::anyhow!("a connection outlived its task"))?;
    Ok((crowd.buyers.into_inner(), took))
}

/// Opens a connection for each of `requests` at one moment and sends it: the status of each, and when it was answered,
/// from that moment on. All connections stay open until the last answer, as browsers keep them.
///
/// # Errors
/// A server that goes away or does not speak HTTP.
pub async fn all_at_once(server: SocketAddr, requests: Vec<String>) -> anyhow::Result<Vec<(u16, Duration)>> {
    let begun = Instant::now();
    let buyers = requests.into_iter().map(async |request| {
        let mut wire = Wire::connect(server).await?;
        let (status, _) = wire.ask(&request).await?;
        anyhow::Ok((status, begun.elapsed(), wire))
    });
    let answered = try_join_all(buyers).await?;
    Ok(answered.into_iter().map(|(status, answered, _wire)| (status, answered)).collect())
}

impl<B: Buyers> Crowd<B> {
    async fn connection(self: Rc<Self>, mut wire: Wire) -> anyhow::Result<()> {
        while let Some((job, due, requests)) = self.take() {
            if let Some(due) = due {
                tokio::time::sleep_until((self.begun + due).into()).await;
            }
            for (step, request) in requests.iter().enumerate() {
                let asked = due.filter(|_| step == 0).unwrap_or_else(|| self.begun.elapsed());
                let (status, body) = wire.ask(request).await?;
                let answer = Answer { job, step, status, body, asked, answered: self.begun.elapsed() };
                self.buyers.borrow_mut().hear(&answer);
                if !answer.is_success() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The next job, its number and when it is due.
    fn take(&self) -> Option<(u64, Option<Duration>, Vec<String>)> {
        if self.over.get() {
            return None;
        }
        let number = self.next.get();
        let due = match self.pace.turn(number, self.begun.elapsed()) {
            Turn::Now => None,
            Turn::At(due) => Some(due),
            Turn::Over => return None,
        };
        let Some(requests) = self.buyers.borrow_mut().job(number) else {
            self.over.set(true);
            return None;
        };
        self.next.set(number + 1);
        Some((number, due, requests))
    }
}
