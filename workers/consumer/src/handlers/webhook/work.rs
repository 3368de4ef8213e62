//! What a webhook's lane means: its effects are delivered in order.

use async_trait::async_trait;

use super::delivery::Receiver;
use super::schedule::{Failure, Outcome, after};
use crate::effects::metrics::EffectMetrics;
use crate::effects::{Change, Due, Effect, Held, Lane, Moment, Verdict, Work};

/// Most lanes delivered at once.
const DELIVERIES: usize = 64;

/// See the module.
pub struct WebhookWork {
    /// Whom to tell.
    pub receiver: Receiver,
    /// What is counted.
    pub metrics: EffectMetrics,
}

/// To deliver effects in order.
#[derive(Debug)]
pub struct Delivery {
    lane: Lane,
    effects: Vec<Effect>,
}

#[async_trait]
impl Work for WebhookWork {
    type Job = Delivery;
    type Outcome = Outcome;

    fn begin(&self, held: &Held, at: Moment) -> (Change, Option<Delivery>) {
        let change = Change { state: held.state.clone(), attempts: held.attempts, ..Change::default() };
        if held.effects.is_empty() {
            return (change, None);
        }
        let delivery = Delivery { lane: held.lane.clone(), effects: held.effects.clone() };
        (Change { due: Due::At(at.now), ..change }, Some(delivery))
    }

    async fn carry_out(&self, Delivery { lane, effects }: Delivery) -> Outcome {
        let outcome = self.receiver.deliver(&effects).await;
        if let Some(failure) = &outcome.failure {
            tracing::info!(topic = lane.topic, aggregate = lane.aggregate, ?failure, "a delivery failed");
        }
        outcome
    }

    fn end(&self, held: &Held, outcome: &Outcome, at: Moment) -> Change {
        let change = after(held, outcome, at);
        if let Some(reason) = &change.parked {
            self.metrics.alarms.inc();
            let Lane { topic, aggregate } = &held.lane;
            tracing::error!(topic, aggregate, reason, "events are set aside: they and later ones wait");
        }
        change
    }

    fn verdict(&self, outcome: &Outcome) -> Verdict {
        match (&outcome.failure, outcome.delivered) {
            (Some(Failure::Gone), _) => Verdict::Gone,
            (Some(Failure::Trouble { .. }), None) => Verdict::Troubled,
            _ => Verdict::There,
        }
    }

    fn side_by_side(&self) -> usize {
        DELIVERIES
    }
}
