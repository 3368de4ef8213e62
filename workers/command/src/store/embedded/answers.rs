//! What the callers of one SeatingEvent were told under their idempotency keys. No IO: [`super::aggregate`] asks here before it
//! decides and says how long an answer is kept; whoever writes the journal has every answer in it.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use boxoffice_domain::{Answer, CorrelationId, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::store::{Idempotency, Outcome};

/// See the module.
#[derive(Debug, Default)]
pub struct Answers {
    by_key: HashMap<Arc<str>, Kept>,
    /// Every key with the time of its answer, oldest first.
    by_age: VecDeque<(UnixMillis, Arc<str>)>,
}

#[derive(Debug)]
struct Kept {
    fingerprint: String,
    outcome: Outcome,
}

/// What a caller was told, as it is written down.
#[derive(Serialize, Deserialize)]
pub struct Given<'a> {
    answer: Cow<'a, Answer>,
    correlation: Cow<'a, CorrelationId>,
    changed: bool,
}

impl<'a> Given<'a> {
    /// What `outcome` told.
    pub fn of(outcome: &'a Outcome) -> Self {
        let Outcome { answer, correlation, changed, .. } = outcome;
        Self { answer: Cow::Borrowed(answer), correlation: Cow::Borrowed(correlation), changed: *changed }
    }

    /// The text to keep.
    ///
    /// # Errors
    /// None is known.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads a text that was kept.
    ///
    /// # Errors
    /// A text that is none.
    pub fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// What was told then.
    pub fn at(self, at: UnixMillis) -> Outcome {
        let Self { answer, correlation, changed } = self;
        let (answer, correlation) = (answer.into_owned(), correlation.into_owned());
        Outcome { answer, at, correlation, changed, repeated: false }
    }
}

/// The key stands for another request.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherRequest;

impl Answers {
    /// What was answered under a key after `since`.
    pub fn find(&self, asked: &Idempotency, since: UnixMillis) -> Option<Result<Outcome, OtherRequest>> {
        let kept = self.by_key.get(asked.key.digest()).filter(|kept| kept.outcome.at > since)?;
        if kept.fingerprint != asked.fingerprint {
            return Some(Err(OtherRequest));
        }
        Some(Ok(Outcome { repeated: true, ..kept.outcome.clone() }))
    }

    /// Remembers an answer, in the place of a forgotten one. None is older than those that came before it.
    pub fn keep(&mut self, key: &str, fingerprint: String, outcome: Outcome) {
        let key: Arc<str> = key.into();
        self.by_age.push_back((outcome.at, Arc::clone(&key)));
        self.by_key.insert(key, Kept { fingerprint, outcome });
    }

    /// Forgets what was answered until `since`: all answers up to the time that is returned, if any.
    pub fn forget(&mut self, since: UnixMillis) -> Option<UnixMillis> {
        let mut upto = None;
        while let Some((at, key)) = self.by_age.pop_front_if(|(at, _)| *at <= since) {
            // Under the same key there may be a later one.
            if self.by_key.get(&key).is_some_and(|kept| kept.outcome.at == at) {
                self.by_key.remove(&key);
            }
            upto = Some(at);
        }
        upto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(key: &str, request: &str) -> Idempotency {
        Idempotency::new(&"alice".parse().unwrap(), key, request)
    }

    fn outcome(at: UnixMillis) -> Outcome {
        let (answer, correlation) =
            (Answer::Provisioned { refused: vec![], sequence: at }, "c-1".parse().unwrap());
        Outcome { answer, at, correlation, changed: true, repeated: false }
    }

    fn answers(given: &[(&str, UnixMillis)]) -> Answers {
        let mut answers = Answers::default();
        for (key, at) in given {
            let Idempotency { key, fingerprint } = asked(key, "hold");
            answers.keep(key.digest(), fingerprint, outcome(*at));
        }
        answers
    }

    #[test]
    fn the_same_request_gets_the_same_answer_and_another_one_none() {
        let answers = answers(&[("a", 1)]);
        let repeated = Outcome { repeated: true, ..outcome(1) };
        assert_eq!(answers.find(&asked("a", "hold"), 0), Some(Ok(repeated)));
        assert_eq!(answers.find(&asked("a", "reserve"), 0), Some(Err(OtherRequest)));
        assert_eq!(answers.find(&asked("b", "hold"), 0), None);
    }

    #[test]
    fn what_was_answered_too_long_ago_is_not_given_and_forgotten() {
        let mut answers = answers(&[("a", 1), ("b", 2)]);
        assert!(answers.find(&asked("a", "hold"), 0).is_some());
        assert_eq!(answers.find(&asked("a", "hold"), 1), None);
        assert_eq!(answers.forget(0), None);
        assert_eq!(answers.forget(1), Some(1));
        assert_eq!((answers.by_key.len(), answers.by_age.len()), (1, 1));
        assert_eq!(answers.forget(1), None);
    }

    #[test]
    fn a_later_answer_under_the_same_key_stays() {
        let mut answers = answers(&[("a", 1), ("a", 5)]);
        assert_eq!(answers.forget(1), Some(1));
        let repeated = Outcome { repeated: true, ..outcome(5) };
        assert_eq!(answers.find(&asked("a", "hold"), 1), Some(Ok(repeated)));
    }
}
