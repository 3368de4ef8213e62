//! A connection whose client has to take what it asked for at a minimum rate: whoever does not pins what was rendered for
//! it, and there may be thousands of those.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a client that has bytes waiting for it is watched, and how many it has to take in that time.
const WINDOW: Duration = Duration::from_secs(10);
const LEAST: usize = 64 * 1024;

/// See the module. It ends with an error where the client is slower.
pub(super) struct MinimumRate<S> {
    stream: S,
    /// Since when bytes wait, and how many were taken since.
    waiting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> MinimumRate<S> {
    /// Watches a connection.
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, waiting: None }
    }

    /// What became of a write.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Ready(Ok(count)) => {
                if let Some((_, taken)) = &mut self.waiting {
                    *taken += count;
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.wait(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Ready when the client was too slow.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let (window, taken) = self.waiting.get_or_insert_with(|| (Box::pin(sleep(WINDOW)), 0));
            ready!(window.as_mut().poll(context));
            if *taken < LEAST {
                return Poll::Ready(());
            }
            self.waiting = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MinimumRate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MinimumRate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for when everything was written: nothing waits any more.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_cut_off_after_ten_seconds() {
        let (server, _client) = duplex(1024);
        let begun = Instant::now();
        let error = MinimumRate::new(server).write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= WINDOW && begun.elapsed() < WINDOW + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_enough_may_take_long_and_whoever_takes_too_little_may_not() {
        for (every, is_fast_enough) in [(100, true), (200, false)] {
            let (server, mut client) = duplex(1024);
            let reading = tokio::spawn(async move {
                let mut some = [0; 1024];
                while client.read_exact(&mut some).await.is_ok() {
                    sleep(Duration::from_millis(every)).await;
                }
            });
            let wrote = MinimumRate::new(server).write_all(&vec![0; 1024 * 1024]).await;
            assert_eq!(wrote.is_ok(), is_fast_enough, "{every}");
            reading.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_watched_for_whom_nothing_waits() {
        let (server, mut client) = duplex(1024);
        let mut server = MinimumRate::new(server);
        let mut some = [0; 2048];
        let (wrote, _) = tokio::join!(server.write_all(&[0; 2048]), client.read_exact(&mut some));
        wrote.unwrap();
        server.flush().await.unwrap();
        sleep(WINDOW * 3).await;
        let (wrote, _) = tokio::join!(server.write_all(&[0; 2048]), async {
            sleep(WINDOW / 2).await;
            client.read_exact(&mut some).await
        });
        wrote.unwrap();
    }
}
