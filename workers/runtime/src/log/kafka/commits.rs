//! Commits that the group has yet to take.
//!
//! A commit is sent and not waited for, and the group's coordinator may refuse it, say because partitions move just then.
//! A partition of which nothing more comes would stay behind for ever, so what was refused is sent again, as long as the
//! partition is this member's and nothing later was committed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::log::{Committed, TopicPartition};

/// Time until the next try.
const PAUSE: Duration = Duration::from_secs(2);

/// What became of a commit.
pub struct Answer {
    pub partition: TopicPartition,
    pub offset: u64,
    pub is_taken: bool,
}

/// The last commit of each partition, until it is taken.
pub struct Commits {
    answers: UnboundedReceiver<Answer>,
    open: HashMap<TopicPartition, Open>,
}

struct Open {
    commit: Committed,
    /// When it is to be sent again; `None` where it is on its way.
    again: Option<Instant>,
}

impl Commits {
    /// There are none yet; answers are to be sent to the other end.
    pub fn new() -> (UnboundedSender<Answer>, Self) {
        let (sender, answers) = unbounded_channel();
        (sender, Self { answers, open: HashMap::new() })
    }

    /// Somebody has this committed now.
    pub fn sends(&mut self, partition: &TopicPartition, commit: Committed) {
        self.open.insert(partition.clone(), Open { commit, again: None });
    }

    /// It could not even be sent.
    pub fn refused(&mut self, partition: &TopicPartition) {
        if let Some(open) = self.open.get_mut(partition) {
            open.again = Some(Instant::now() + PAUSE);
        }
    }

    /// The partition is another member's: what is to be committed is for that one to say.
    pub fn ends(&mut self, partition: &TopicPartition) {
        self.open.remove(partition);
    }

    /// Those that are to be sent again now.
    pub fn due(&mut self) -> Vec<(TopicPartition, Committed)> {
        while let Ok(Answer { partition, offset, is_taken }) = self.answers.try_recv() {
            // Where another one was sent meanwhile, that one counts.
            let is_last = self.open.get(&partition).is_some_and(|open| open.commit.offset == offset);
            match (is_last, is_taken) {
                (true, true) => drop(self.open.remove(&partition)),
                (true, false) => self.refused(&partition),
                (false, _) => {}
            }
        }
        let now = Instant::now();
        let is_due = |open: &Open| open.again.is_some_and(|at| at <= now);
        let due = self.open.iter().filter(|(_, open)| is_due(open));
        due.map(|(partition, open)| (partition.clone(), open.commit.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn at(partition: u32) -> TopicPartition {
        TopicPartition { topic: "payments".to_owned(), partition }
    }

    fn commit(offset: u64) -> Committed {
        Committed { offset, log: Some("id".to_owned()) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_due_again_until_it_is_taken() {
        let (answers, mut commits) = Commits::new();
        let answer = |offset, is_taken| {
            answers.send(Answer { partition: at(0), offset, is_taken }).unwrap();
        };
        commits.sends(&at(0), commit(7));
        advance(PAUSE).await;
        assert_eq!(commits.due(), [], "it is on its way");
        answer(7, false);
        assert_eq!(commits.due(), [], "not at once");
        advance(PAUSE).await;
        assert_eq!(commits.due(), [(at(0), commit(7))]);
        commits.sends(&at(0), commit(7));
        assert_eq!(commits.due(), []);
        commits.refused(&at(0));
        advance(PAUSE).await;
        assert_eq!(commits.due(), [(at(0), commit(7))]);
        commits.sends(&at(0), commit(7));
        answer(7, true);
        assert_eq!(commits.due(), []);
        assert!(commits.open.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_one_counts_and_only_as_long_as_the_partition_is_ones_own() {
        let (answers, mut commits) = Commits::new();
        for partition in [at(0), at(1)] {
            commits.sends(&partition, commit(7));
            commits.sends(&partition, commit(9));
            answers.send(Answer { partition: partition.clone(), offset: 7, is_taken: true }).unwrap();
            answers.send(Answer { partition, offset: 9, is_taken: false }).unwrap();
        }
        assert_eq!(commits.due(), []);
        commits.ends(&at(1));
        advance(PAUSE).await;
        assert_eq!(commits.due(), [(at(0), commit(9))]);
    }
}
