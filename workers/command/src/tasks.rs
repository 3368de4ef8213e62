//! The tasks of a worker in one set: any that ends unasked is known by its name.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// See the module. Dropped, it ends them all.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Begins a task.
    pub fn begin(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The name of the next task that ends, also where it panics; nothing where there are none.
    pub async fn next(&mut self) -> Option<&'static str> {
        let id = match self.set.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        self.names.remove(&id)
    }

    /// Returns when the task of this name has ended, and says which others did before; at once where it has already.
    pub async fn until(&mut self, name: &'static str) -> Vec<&'static str> {
        let mut others = vec![];
        while self.names.values().any(|running| *running == name) {
            match self.next().await {
                Some(ended) if ended != name => others.push(ended),
                _ => break,
            }
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_known_by_its_name() {
        let mut tasks = Tasks::default();
        tasks.begin("goes on", std::future::pending());
        tasks.begin("panics", async { panic!("on purpose") });
        assert_eq!(tasks.next().await, Some("panics"));
        tasks.begin("ends", async {});
        assert!(tasks.until("ends").await.is_empty());
        tasks.begin("ends first", async {});
        tasks.begin("ends last", async { tokio::task::yield_now().await });
        assert_eq!(tasks.until("ends last").await, ["ends first"]);
        assert!(tasks.until("ends last").await.is_empty(), "it has ended already");
    }
}
