//! HTTP/1.1 on a bare socket: one request out, one answer in. Just enough of it for the workers' answers, because the
//! generator shares the machine with what it measures.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub struct Wire {
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
        let stream = TcpStream::connect(addr).await.with_context(|| format!("connecting to {addr}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends `request` and waits for its answer: status and body.
    ///
    /// # Errors
    /// A server that goes away or does not speak HTTP.
    pub async fn ask(&mut self, request: &str) -> anyhow::Result<(u16, &[u8])> {
        self.buffer.clear();
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some(Extent { status, body, length }) = whole(&self.buffer)? {
                if self.buffer.len() > length {
                    bail!("more bytes than the answer has");
                }
                return Ok((status, &self.buffer[body..]));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
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
    let length = body + text.lines().find_map(length).context("no content-length")?;
    Ok((buffer.len() >= length).then_some(Extent { status, body, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let text = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}";
        let all = Extent { status: 409, body: text.len() - 2, length: text.len() };
        assert_eq!(whole(text).unwrap(), Some(all));
        assert_eq!(whole(&text[..text.len() - 1]).unwrap(), None);
        assert_eq!(whole(&text[..10]).unwrap(), None);
    }
}
