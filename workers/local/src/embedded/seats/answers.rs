//! What the callers of one SeatingEvent were told under their idempotency keys, for a day. No IO: `room` asks here before
//! it decides, and `journal` has every answer in the file.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use boxoffice_command::store::{ANSWER_MEMORY, Idempotency, Outcome};
use boxoffice_domain::{Answer, CorrelationId, UnixMillis};
use serde::{Deserialize, Serialize};

/// The same, in milliseconds.
const MEMORY: UnixMillis = ANSWER_MEMORY.as_secs() * 1000;

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
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads a text that was kept.
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
    /// What was answered under a key, if that is remembered.
    pub fn find(&self, asked: &Idempotency, now: UnixMillis) -> Option<Result<Outcome, OtherRequest>> {
        let kept = self.by_key.get(asked.key.digest()).filter(|kept| now < kept.outcome.at + MEMORY)?;
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

    /// Forgets what is a day old: all answers up to the time that is returned, if any.
    pub fn forget(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        let mut upto = None;
        while let Some((at, key)) = self.by_age.pop_front_if(|(at, _)| *at + MEMORY <= now) {
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
        let (answer, correlation) = (Answer::Provisioned { sequence: at }, "c-1".parse().unwrap());
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
        assert_eq!(answers.find(&asked("a", "hold"), 2), Some(Ok(repeated)));
        assert_eq!(answers.find(&asked("a", "reserve"), 2), Some(Err(OtherRequest)));
        assert_eq!(answers.find(&asked("b", "hold"), 2), None);
    }

    #[test]
    fn an_answer_is_remembered_for_a_day() {
        let mut answers = answers(&[("a", 1), ("b", 2)]);
        assert!(answers.find(&asked("a", "hold"), MEMORY).is_some());
        assert_eq!(answers.find(&asked("a", "hold"), MEMORY + 1), None);
        assert_eq!(answers.forget(MEMORY), None);
        assert_eq!(answers.forget(MEMORY + 1), Some(1));
        assert_eq!((answers.by_key.len(), answers.by_age.len()), (1, 1));
        assert_eq!(answers.forget(MEMORY + 1), None);
    }

    #[test]
    fn a_later_answer_under_the_same_key_stays() {
        let mut answers = answers(&[("a", 1), ("a", MEMORY + 1)]);
        assert_eq!(answers.forget(MEMORY + 1), Some(1));
        let repeated = Outcome { repeated: true, ..outcome(MEMORY + 1) };
        assert_eq!(answers.find(&asked("a", "hold"), MEMORY + 2), Some(Ok(repeated)));
    }
}
