//! Hears what scripts announce in any process, and passes it on within this one.
//!
//! Announcements are hints: they get lost with a connection, so every (re)connection says [`Signal::Missed`], and
//! whoever listens then looks at everything once.

use std::time::Duration;

use futures::StreamExt;
use redis::{Client, RedisError, RedisResult};
use tokio::sync::broadcast::Sender;
use tokio::time::{sleep, timeout};

use super::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};
use crate::store::Signal;

/// Pause before connecting again.
const PAUSE: Duration = Duration::from_millis(200);
/// After so long a silence the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// Listens for ever.
pub async fn listen(client: Client, channel: String, signals: Sender<Signal>) {
    loop {
        if let Err(error) = listen_once(&client, &channel, &signals).await {
            tracing::warn!(%error, "signals of the seat store are interrupted");
        }
        sleep(PAUSE).await;
    }
}

/// Listens until the connection ends.
async fn listen_once(client: &Client, channel: &str, signals: &Sender<Signal>) -> RedisResult<()> {
    let pubsub = timeout(CONNECT_TIMEOUT, client.get_async_pubsub()).await.map_err(too_late)??;
    let (mut sink, mut messages) = pubsub.split();
    timeout(RESPONSE_TIMEOUT, sink.subscribe(channel)).await.map_err(too_late)??;
    // A channel without listeners takes nothing, which is no failure.
    let _ = signals.send(Signal::Missed);
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => {
                let text: String = message.get_payload()?;
                let _ = signals.send(read(&text).unwrap_or(Signal::Missed));
            }
            Ok(None) => {
                return Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
            }
            Err(_) => {
                timeout(RESPONSE_TIMEOUT, sink.ping::<redis::Value>()).await.map_err(too_late)?.map(drop)?
            }
        }
    }
}

/// `wrote <eventId>` or `published <eventId> <sequence>`.
fn read(text: &str) -> Option<Signal> {
    let mut words = text.split(' ');
    match (words.next()?, words.next()?.parse().ok()?) {
        ("wrote", event) => Some(Signal::Wrote(event)),
        ("published", event) => Some(Signal::Published(event, words.next()?.parse().ok()?)),
        _ => None,
    }
}

fn too_late(_: tokio::time::error::Elapsed) -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_read_and_nonsense_is_not() {
        let event: boxoffice_domain::SeatingEventId = "arena".parse().unwrap();
        assert_eq!(read("wrote arena"), Some(Signal::Wrote(event.clone())));
        assert_eq!(read("published arena 7"), Some(Signal::Published(event, 7)));
        for text in ["", "wrote", "published arena", "published arena x", "sang arena"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
