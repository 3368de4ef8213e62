//! Hears what scripts announce in any process, and passes it on within this one.
//!
//! Announcements are hints: they get lost with a connection, so every new one says [`Signal::Missed`], and whoever
//! listens then looks at everything once, as they did when they began to listen. All of a cluster is heard by one of its
//! servers; where that one hangs, another one has to be listened to before anybody misses what it did not say.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError, RedisResult};
use tokio::sync::broadcast::Sender;
use tokio::time::{sleep, timeout};

use super::link::too_late;
use super::server::Node;
use super::topology::Topology;
use super::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};
use crate::store::{History, Signal};

/// What an announcement says where somebody waits.
pub const AWAITED: &str = "awaited";
/// Pause before connecting again.
const PAUSE: Duration = Duration::from_millis(200);
/// After so long a silence the server is asked whether it is still there, and how long it may take to say so: where there
/// is no other one to listen to, and where there is.
const ALONE: Patience = (Duration::from_secs(5), RESPONSE_TIMEOUT);
const AMONG_OTHERS: Patience = (Duration::from_millis(500), Duration::from_millis(500));

type Patience = (Duration, Duration);

/// A connection that hears the channel.
pub struct Subscription {
    node: Node,
    sink: PubSubSink,
    messages: PubSubStream,
}

impl Subscription {
    /// Connects to any server and subscribes: what is announced on one, those of a cluster tell each other. The one that
    /// was heard `before`, and may be what hangs, is the last to be tried.
    pub async fn begin(topology: &Topology, channel: &str, before: Option<&Node>) -> RedisResult<Self> {
        let (mut nodes, mut failed) = (topology.nodes(), too_late());
        nodes.sort_by_key(|node| Some(node) == before);
        for node in nodes {
            match Self::to(topology.client(&node)?, node, channel).await {
                Ok(subscription) => return Ok(subscription),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn to(client: Client, node: Node, channel: &str) -> RedisResult<Self> {
        let pubsub = timeout(CONNECT_TIMEOUT, client.get_async_pubsub()).await.map_err(|_| too_late())??;
        let (mut sink, messages) = pubsub.split();
        timeout(RESPONSE_TIMEOUT, sink.subscribe(channel)).await.map_err(|_| too_late())??;
        Ok(Self { node, sink, messages })
    }

    /// Passes on what it hears until the connection ends.
    async fn pass_on(&mut self, signals: &Sender<Signal>, topology: &Topology) -> RedisError {
        let (silence, patience) = if topology.nodes().len() > 1 { AMONG_OTHERS } else { ALONE };
        loop {
            match timeout(silence, self.messages.next()).await {
                Ok(Some(message)) => {
                    let text: String = message.get_payload().unwrap_or_default();
                    announce(signals, read(&text).unwrap_or(Signal::Missed));
                }
                Ok(None) => return io::Error::from(io::ErrorKind::ConnectionReset).into(),
                Err(_) => {
                    let answer = timeout(patience, self.sink.ping::<redis::Value>()).await;
                    if let Err(error) = answer.map_err(|_| too_late()).flatten() {
                        return error;
                    }
                }
            }
        }
    }
}

/// Listens for ever, on one connection after the other.
pub async fn listen(first: Subscription, topology: Arc<Topology>, channel: String, signals: Sender<Signal>) {
    let mut subscription = first;
    loop {
        announce(&signals, Signal::Missed);
        let error = subscription.pass_on(&signals, &topology).await;
        tracing::warn!(node = %subscription.node, %error, "signals of the seat store are interrupted");
        subscription = loop {
            sleep(PAUSE).await;
            if let Ok(next) = Subscription::begin(&topology, &channel, Some(&subscription.node)).await {
                break next;
            }
        };
    }
}

/// Tells everybody who listens here, which may be nobody.
fn announce(signals: &Sender<Signal>, signal: Signal) {
    drop(signals.send(signal));
}

/// `wrote <eventId>`, with `awaited` behind it where somebody's answer waits for that, or
/// `published <eventId> <sequence> <history>`.
fn read(text: &str) -> Option<Signal> {
    let mut words = text.split(' ');
    match (words.next()?, words.next()?.parse().ok()?) {
        ("wrote", event) if words.next() == Some(AWAITED) => Some(Signal::Awaited(event)),
        ("wrote", event) => Some(Signal::Wrote(event)),
        ("published", event) => {
            let (upto, history) = (words.next()?.parse().ok()?, History::named(words.next()?));
            Some(Signal::Published(event, history, upto))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_read_and_nonsense_is_not() {
        let event: boxoffice_domain::SeatingEventId = "arena".parse().unwrap();
        assert_eq!(read("wrote arena"), Some(Signal::Wrote(event.clone())));
        assert_eq!(read("wrote arena awaited"), Some(Signal::Awaited(event.clone())));
        let published = Signal::Published(event, History::named("run:repl"), 7);
        assert_eq!(read("published arena 7 run:repl"), Some(published));
        for text in ["", "wrote", "published arena", "published arena 7", "published arena x h", "sang arena"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
