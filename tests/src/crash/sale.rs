//! A sale that goes on while things break, round after round: everybody buys until seats are sold again, and an audit says
//! whether it stayed honest.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use boxoffice_domain::state::HoldStatus;
use fastrand::Rng;
use tokio::time::{Sleep, sleep};

use super::SEED;
use super::buyers::{Buyer, Market, reservations, share_out};
use super::stack::{AREA, Kept, Stack};
use crate::audit::{Audit, Loss, Request};
use crate::wait::{PATIENCE, within};

/// Longest time between an answer and the next request of a buyer, in milliseconds.
const PACE: u64 = 20;
/// Reservations that are acknowledged after everything is well again, before a round ends.
const ENOUGH: usize = 20;

/// A stack on which buyers buy.
pub struct Sale {
    /// The stack.
    pub stack: Stack,
    /// All that was asked for so far, and what was told.
    pub requests: Vec<Request>,
    buyers: Vec<Buyer>,
    losses: Vec<Loss>,
}

impl Sale {
    /// So many buyers, whose choices `seed` repeats.
    pub fn open(stack: Stack, buyers: usize, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let buyers = (0..buyers).map(|_| Buyer::new(random.fork())).collect();
        Self { stack, requests: vec![], buyers, losses: vec![] }
    }

    /// Everybody buys while something `happens` to the stack, which says what it may have lost, and until seats are sold
    /// again.
    ///
    /// # Panics
    /// They are not.
    pub async fn round(&mut self, happens: impl AsyncFnOnce(&mut Stack) -> Option<Loss>) {
        let Self { stack, buyers, .. } = self;
        let mut market = Market::new(stack.urls(), stack.event.clone(), stack.seats.clone(), AREA);
        (market.with_keys, market.pace) = (true, PACE);
        let happening = async {
            let loss = happens(stack).await;
            let enough = market.sold() + ENOUGH;
            let sold = within(PATIENCE, async || (market.sold() >= enough).then_some(())).await;
            assert!(sold.is_some(), "seats are not sold again\n{}", stack.logs());
            market.close();
            loss
        };
        let (requests, loss) = tokio::join!(market.trade(buyers), happening);
        self.requests.extend(requests);
        self.losses.extend(loss);
    }

    /// Audits all rounds so far, once everything is on the log. Buyers begin the next one with what there is.
    ///
    /// # Panics
    /// Something is wrong; the message says what, and names the round.
    pub async fn is_honest(&mut self, seed: u64, round: &str) {
        let (findings, audit) = self.audit().await;
        let (asked, facts) = (self.requests.len(), audit.facts.len());
        assert!(
            findings.is_empty(),
            "{SEED}={seed} {round}, after {asked} requests and {facts} domain events:\n{}\n{}",
            findings.join("\n"),
            self.stack.logs()
        );
        share_out(reservations(&audit.state), &mut self.buyers);
    }

    async fn audit(&self) -> (Vec<String>, Audit) {
        let mut trouble = None;
        let at_rest = async || {
            self.stack.at_rest().await.inspect_err(|error| trouble = Some(format!("{error:#}"))).ok()?
        };
        let kept = within(PATIENCE, at_rest).await;
        let kept = kept.unwrap_or_else(|| panic!("what Redis has does not come to the log: {trouble:?}"));
        let records = self.stack.records().await.unwrap_or_else(|error| panic!("{error:#}"));
        let audit = Audit::of(&self.stack.event, records, &self.requests, &self.losses);
        let mut findings = audit.findings.clone();
        findings.extend(audit.compare_stored(&kept.state, kept.counts));
        findings.extend(compare_deadlines(&kept));
        (findings, audit)
    }
}

/// What is wrong with the deadlines: there is one for each hold that may end.
fn compare_deadlines(kept: &Kept) -> Option<String> {
    let may_end = kept.state.holds.iter().filter(|(_, hold)| !matches!(hold.status, HoldStatus::Reserved(_)));
    let may_end: BTreeSet<_> = may_end.map(|(id, _)| *id).collect();
    let deadlines = &kept.deadlines;
    (may_end != *deadlines).then(|| format!("I6: the holds {may_end:?} have the deadlines {deadlines:?}"))
}

/// A wait by the clock: when something happens is what is tried.
pub fn moment(random: &mut Rng, milliseconds: RangeInclusive<u64>) -> Sleep {
    sleep(Duration::from_millis(random.u64(milliseconds)))
}
