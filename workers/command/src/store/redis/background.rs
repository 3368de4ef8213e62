//! What goes on beside everybody's commands: links that are confirmed, and servers that are sought again. Where one of these
//! panicked a server would be given up without a word, so whoever listens to the store hears of it, and ends.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

/// All that a store has begun.
#[derive(Debug, Clone, Default)]
pub struct Background {
    broken: CancellationToken,
}

impl Background {
    /// Begins something that ends by itself.
    pub fn begin(&self, task: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let broken = self.broken.clone();
        tokio::spawn(async move {
            // Nothing of it is used afterwards.
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(task, "it panicked: the process ends");
                broken.cancel();
            }
        });
    }

    /// Returns when something has panicked.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_heard_of_and_an_end_is_not() {
        let background = Background::default();
        let (done, ended) = oneshot::channel();
        background.begin("ends", async move { done.send(()).unwrap() });
        ended.await.unwrap();
        assert!(!background.broken.is_cancelled());
        background.clone().begin("panics", async { panic!("on purpose") });
        timeout(Duration::from_secs(20), background.broken()).await.unwrap();
    }
}
