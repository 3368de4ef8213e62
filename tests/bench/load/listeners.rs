//! Thousands who listen to one stream: a single thread reads them all by epoll, so that it costs little beside the server, and
//! looks at what every hundredth of them is told.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use boxoffice_tests::servers::child::cpu_seconds_of_this_thread;
use boxoffice_tests::wait::within;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::{count, get};

/// Of so many one is looked at.
const LOOKED_AT: usize = 100;
/// The longest that it may take until all have heard something, or one of them a certain thing.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the thread waits for news before it looks at what it is told to do.
const TURN: Duration = Duration::from_millis(20);

/// What the thread is told to do.
const CONNECT: u8 = 0;
const COUNT: u8 = 1;
const END: u8 = 2;

/// See the module.
pub struct Listeners {
    clients: usize,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<Heard>>>,
}

#[derive(Default)]
struct Shared {
    /// How many have been told something.
    heard: AtomicUsize,
    /// The last sequence that one who is looked at was told changes up to.
    upto: AtomicU64,
    told: AtomicU8,
}

/// What was told while it was counted.
pub struct Heard {
    /// Of each of those who are looked at, the frames of changes: the sequence of each and when it came.
    pub frames: Vec<Vec<(u64, Instant)>>,
    /// Bytes that these took.
    bytes: u64,
    /// Seconds of CPU that the thread spent.
    cpu: f64,
    took: Duration,
}

impl Heard {
    /// Frames of a client and second, the most of any: how steep the line is that fits when they came best, because the first
    /// and the last one come as late as any.
    pub fn rate(&self) -> f64 {
        let steepness = |frames: &Vec<(u64, Instant)>| {
            let begun = frames.first()?.1;
            let times: Vec<_> = frames.iter().map(|(_, at)| (*at - begun).as_secs_f64()).collect();
            let mean = |sum: f64| sum / count(frames.len() as u64);
            let (middle, half) = (mean(times.iter().sum()), (count(frames.len() as u64) - 1.0) / 2.0);
            let spread = times.iter().map(|time| (time - middle).powi(2)).sum::<f64>();
            let shared =
                times.iter().zip(0_u32..).map(|(time, nth)| (time - middle) * (f64::from(nth) - half));
            Some(shared.sum::<f64>() / spread.max(f64::MIN_POSITIVE))
        };
        self.frames.iter().filter_map(steepness).fold(0.0, f64::max)
    }

    /// Frames of one client.
    pub fn each(&self) -> f64 {
        let frames: usize = self.frames.iter().map(Vec::len).sum();
        count(frames as u64) / count(self.frames.len() as u64)
    }

    /// Bytes of a frame.
    pub fn size(&self) -> u64 {
        let frames: usize = self.frames.iter().map(Vec::len).sum();
        self.bytes / (frames as u64).max(1)
    }

    /// The share of a core that the thread took, in percent.
    pub fn share(&self) -> f64 {
        self.cpu / self.took.as_secs_f64() * 100.0
    }
}

impl Listeners {
    /// So many connect to a stream.
    pub fn start(server: SocketAddr, path: &str, clients: u32) -> anyhow::Result<Self> {
        let (clients, shared) = (usize::try_from(clients)?, Arc::new(Shared::default()));
        let (its, request) = (Arc::clone(&shared), get(path));
        let listening = move || listen(server, &request, clients, &its);
        let thread = std::thread::Builder::new().name("listeners".into()).spawn(listening)?;
        Ok(Self { clients, shared, thread: Some(thread) })
    }

    /// Returns when all have been told something.
    ///
    /// # Errors
    /// Somebody who is told nothing.
    pub async fn all_heard(&mut self) -> anyhow::Result<()> {
        let all = self.clients;
        let is_so = self.until(|shared| shared.heard.load(SeqCst) == all).await?;
        ensure!(is_so, "{} of {all} hear something", self.shared.heard.load(SeqCst));
        Ok(())
    }

    /// Returns when one who is looked at has been told what changed up to a sequence, or further.
    ///
    /// # Errors
    /// It is not told.
    pub async fn told(&mut self, sequence: u64) -> anyhow::Result<()> {
        let is_so = self.until(|shared| shared.upto.load(SeqCst) >= sequence).await?;
        ensure!(is_so, "what changed is told up to {} of {sequence}", self.shared.upto.load(SeqCst));
        Ok(())
    }

    /// Returns when it is so: whether it came to that.
    async fn until(&mut self, is_so: impl Fn(&Shared) -> bool) -> anyhow::Result<bool> {
        let waited = within(PATIENCE, async || {
            let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            (ended || is_so(&self.shared)).then_some(ended)
        });
        match waited.await {
            Some(true) => self.end().await.and_then(|_| bail!("the listeners ended")),
            told => Ok(told.is_some()),
        }
    }

    /// What is told from now on counts.
    pub fn count(&self) {
        self.shared.told.store(COUNT, SeqCst);
    }

    /// All go away: what they were told.
    ///
    /// # Errors
    /// Somebody who was cut off.
    pub async fn end(&mut self) -> anyhow::Result<Heard> {
        self.shared.told.store(END, SeqCst);
        let thread = self.thread.take().context("the listeners have ended")?;
        tokio::task::spawn_blocking(move || thread.join())
            .await?
            .map_err(|_| anyhow!("the listeners panicked"))?
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.shared.told.store(END, SeqCst);
    }
}

/// One who listens.
struct Client {
    stream: TcpStream,
    /// Whether it was told something.
    heard: bool,
    /// What it was told, where that is looked at.
    lines: Option<Lines>,
}

fn listen(server: SocketAddr, request: &str, clients: usize, shared: &Shared) -> anyhow::Result<Heard> {
    let mut poll = Poll::new()?;
    let mut all = Vec::with_capacity(clients);
    for number in 0..clients {
        let mut stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        let lines = number.is_multiple_of(LOOKED_AT).then(Lines::default);
        all.push(Client { stream, heard: false, lines });
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 65_536]);
    let mut counting = None;
    loop {
        match (shared.told.load(SeqCst), counting) {
            (CONNECT, _) | (COUNT, Some(_)) => {}
            (COUNT, None) => {
                counting = Some((Instant::now(), cpu_seconds_of_this_thread()?));
                for lines in all.iter_mut().filter_map(|client| client.lines.as_mut()) {
                    lines.count_anew();
                }
            }
            (_, counting) => {
                let (since, before) = counting.context("nothing was counted")?;
                let lines: Vec<_> = all.into_iter().filter_map(|client| client.lines).collect();
                return Ok(Heard {
                    bytes: lines.iter().map(|lines| lines.bytes).sum(),
                    frames: lines.into_iter().map(|lines| lines.frames).collect(),
                    cpu: cpu_seconds_of_this_thread()? - before,
                    took: since.elapsed(),
                });
            }
        }
        poll.poll(&mut events, Some(TURN))?;
        for event in &events {
            let Some(client) = all.get_mut(event.token().0) else { continue };
            client.read(&mut buffer, shared)?;
        }
    }
}

impl Client {
    /// Reads what there is.
    fn read(&mut self, buffer: &mut [u8], shared: &Shared) -> anyhow::Result<()> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => bail!("a listener was cut off"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a listener was cut off"),
            };
            if !self.heard {
                ensure!(
                    buffer.starts_with(b"HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(&buffer[..length])
                );
                self.heard = true;
                shared.heard.fetch_add(1, SeqCst);
            }
            if let Some(lines) = &mut self.lines {
                lines.take(&buffer[..length]);
                if let Some((id, _)) = lines.frames.last() {
                    shared.upto.fetch_max(*id, SeqCst);
                }
            }
            // What comes after this is told anew.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }
}

/// What a client was told, line by line. Between frames stand the lengths of the pieces that they are sent in.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    id: u64,
    frames: Vec<(u64, Instant)>,
    bytes: u64,
}

impl Lines {
    fn count_anew(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    fn take(&mut self, told: &[u8]) {
        self.bytes += told.len() as u64;
        let mut parts = told.split(|byte| *byte == b'\n');
        let rest = parts.next_back().unwrap_or_default();
        for part in parts {
            self.line.extend_from_slice(part);
            match std::str::from_utf8(&self.line) {
                Ok("event: changes") => self.frames.push((self.id, Instant::now())),
                Ok(line) => {
                    if let Some(id) = line.strip_prefix("id: ") {
                        self.id = id.parse().unwrap_or_default();
                    }
                }
                Err(_) => {}
            }
            self.line.clear();
        }
        self.line.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_they_are_cut_into_pieces() {
        let told = b"1b\r\nid: 7\nevent: changes\ndata: {}\n\n\r\n3\r\n:\n\n\r\n1b\r\nid: 9\nevent: changes\ndata: {}\n\n\r\n";
        for cut in 0..told.len() {
            let mut lines = Lines::default();
            lines.take(&told[..cut]);
            lines.take(&told[cut..]);
            assert_eq!(lines.frames.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [7, 9]);
            assert_eq!(lines.bytes, told.len() as u64);
        }
    }
}
