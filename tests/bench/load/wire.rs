//! HTTP/1.1 on a bare socket: one request out, one answer in. Just enough of it for the workers' answers, because the
//! generator shares the machine with what it measures.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub struct Wire {
    addr: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Where the parts of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    status: u16,
    body: usize,
    length: usize,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(addr: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { addr, stream: open(addr).await?, buffer: Vec::with_capacity(4096) })
    }

    /// Sends `request` and waits for its answer: status and body.
    ///
    /// Over a new connection, where the server has closed this one while nothing was asked, as servers may: nothing of
    /// the request was sent. What was sent is never sent again, because nobody knows what became of it.
    ///
    /// # Errors
    /// A server that goes away with a request unanswered, or does not speak HTTP.
    pub async fn ask(&mut self, request: &str) -> anyhow::Result<(u16, &[u8])> {
        self.buffer.clear();
        if is_closed(&self.stream)? {
            self.stream = open(self.addr).await?;
        }
        let what = || format!("{} of {}", request.lines().next().unwrap_or_default(), self.addr);
        self.stream.write_all(request.as_bytes()).await.with_context(what)?;
        loop {
            if let Some(Extent { status, body, length }) = whole(&self.buffer)? {
                if self.buffer.len() > length {
                    bail!("{}: more bytes than the answer has", what());
                }
                return Ok((status, &self.buffer[body..]));
            }
            if self.stream.read_buf(&mut self.buffer).await.with_context(what)? == 0 {
                bail!("{}: the server closed the connection without an answer", what());
            }
        }
    }
}

async fn open(addr: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await.with_context(|| format!("connecting to {addr}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether the server has closed a connection on which nothing was asked.
fn is_closed(stream: &TcpStream) -> anyhow::Result<bool> {
    match stream.try_read(&mut [0]) {
        Ok(0) => Ok(true),
        Ok(_) => bail!("an answer that nobody asked for"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The answer in `buffer`, once all of it is there.
fn whole(buffer: &[u8]) -> anyhow::Result<Option<Extent>> {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&buffer[..head])?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    let body = head + 4;
    let length = match status {
        // It has no body, and need not say so.
        304 => body,
        _ => body + text.lines().find_map(length).context("no content-length")?,
    };
    Ok((buffer.len() >= length).then_some(Extent { status, body, length }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    /// Reads a request and answers it.
    async fn answer(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        stream.write_all(ANSWER).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_while_nothing_was_asked_is_replaced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (closed, is_closed) = oneshot::channel();
        let server = tokio::spawn(async move {
            drop(answer(&listener).await);
            closed.send(()).unwrap();
            answer(&listener).await
        });
        let mut wire = Wire::connect(addr).await.unwrap();
        assert_eq!(wire.ask("GET / HTTP/1.1\r\n\r\n").await.unwrap(), (200, &b"{}"[..]));
        is_closed.await.unwrap();
        wire.stream.readable().await.unwrap();
        assert_eq!(wire.ask("GET / HTTP/1.1\r\n\r\n").await.unwrap(), (200, &b"{}"[..]));
        server.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_told_with_its_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            listener
        });
        let mut wire = Wire::connect(addr).await.unwrap();
        let error = wire.ask("POST /seats/a.A-1-1/hold HTTP/1.1\r\n\r\n").await.unwrap_err();
        let told = format!("{error:#}");
        assert!(told.starts_with("POST /seats/a.A-1-1/hold HTTP/1.1"), "{told}");
        assert!(told.ends_with("closed the connection without an answer"), "{told}");
        server.await.unwrap();
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let text = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}";
        let all = Extent { status: 409, body: text.len() - 2, length: text.len() };
        assert_eq!(whole(text).unwrap(), Some(all));
        assert_eq!(whole(&text[..text.len() - 1]).unwrap(), None);
        assert_eq!(whole(&text[..10]).unwrap(), None);
    }
}
