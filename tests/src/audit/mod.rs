//! Whether a sale was honest: its domain events against the rules, and what its clients were told against its domain
//! events. For tests that break things while seats are sold.
//!
//! [`log`] puts the records in order (I3). [`rules`] says of each domain event whether it may follow on those before it
//! (I1, I6), and [`money`] whether it costs what it says, without asking `decide`: what is audited was decided by that,
//! or is held to it. [`request`] is what a client asked for and was told, and [`traces`] finds what it did: the
//! [`effect`] is all of it or nothing (I2), what it was [`told`] is there (I7), and what has one key is done once
//! ([`idempotent`]). [`views`] compares what can be read, and [`stored`] what the seat store keeps, with what the
//! domain events add up to. Pure: a test brings the records and the answers, wherever they come from.

mod log;

mod rules;

mod money;

pub mod request;

mod trace;

mod traces;

mod effect;

mod told;

mod idempotent;

mod views;

mod stored;

#[cfg(test)]
mod tests;

use boxoffice_domain::{Envelope, SeatingEventId, SeatingEventState, evolve, invariants};

pub use request::{Answer, Loss, Request, Wish};
pub use views::{HoldSeen, ShownSeats};

use money::Money;
use rules::Rules;
use traces::RequestTraces;

/// What records and answers say together.
#[derive(Debug)]
pub struct Audit {
    /// Every domain event, once, in the order of the sequences.
    pub facts: Vec<Envelope>,
    /// What they add up to.
    pub state: SeatingEventState,
    /// What is wrong, a sentence each; empty where nothing is.
    pub findings: Vec<String>,
}

impl Audit {
    /// Audits one SeatingEvent: its records in the order of the log, every request of every client about it, and what the
    /// store may have lost of what was not on the log yet.
    pub fn of(event: &SeatingEventId, records: Vec<Envelope>, requests: &[Request], losses: &[Loss]) -> Self {
        let (facts, mut findings) = log::first_occurrences(event, records);
        let mut state = SeatingEventState::new(event.clone());
        if !findings.is_empty() {
            // Without an order nothing else can be said.
            return Self { facts, state, findings };
        }
        let (mut traces, mut rules) = (RequestTraces::of(requests, losses), Rules::default());
        let mut money = Money::default();
        for fact in &facts {
            let before = [rules.lawful(&state, fact), money.lawful(&state, fact)];
            evolve(&mut state, fact);
            let after = traces.take(fact, &state);
            let found = before.into_iter().chain([after]).filter_map(Result::err);
            findings.extend(found.map(|error| format!("{}: {error}", name(fact))));
        }
        findings.extend(rules.close());
        findings.extend(traces.close(&facts));
        findings.extend(invariants::violations(&state));
        Self { facts, state, findings }
    }

    /// What they added up to after the domain event with this sequence.
    fn state_at(&self, sequence: u64) -> SeatingEventState {
        let mut state = SeatingEventState::new(self.state.id.clone());
        let upto = self.facts.iter().take_while(|fact| fact.metadata.sequence <= Some(sequence));
        upto.for_each(|fact| evolve(&mut state, fact));
        state
    }
}

/// A domain event, for a person.
fn name(fact: &Envelope) -> String {
    let sequence = fact.metadata.sequence.unwrap_or_default();
    format!("{sequence} {} of {}", fact.event.event_type(), fact.event.aggregate_id())
}
