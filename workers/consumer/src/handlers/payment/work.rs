//! What a payment's lane means: asks the gateway, and tells the payment what it answered.

use std::sync::Arc;

use async_trait::async_trait;
use boxoffice_domain::Envelope;

use super::gateway::{Gateway, Reply};
use super::intake::Kept;
use super::machine::{Ask, Payment, Phase};
use super::{read, written};
use crate::effects::metrics::EffectMetrics;
use crate::effects::{Change, Due, Held, Moment, Verdict, Work};

/// Most questions to the gateway at once.
const QUESTIONS: usize = 64;

/// See the module.
pub struct PaymentWork {
    /// Whom to ask.
    pub gateway: Arc<dyn Gateway>,
    /// What is counted.
    pub metrics: EffectMetrics,
}

/// To ask the gateway.
#[derive(Debug)]
pub struct Question {
    ask: Ask,
    payment: Box<Payment>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answered {
    ask: Ask,
    reply: Reply,
}

#[async_trait]
impl Work for PaymentWork {
    type Job = Question;
    type Outcome = Answered;

    fn begin(&self, held: &Held, at: Moment) -> (Change, Option<Question>) {
        let mut payment = match payment(held) {
            Ok(payment) => payment,
            Err(change) => return (change, None),
        };
        let (ask, announce) = payment.begin(at);
        let change = self.change(&payment, announce);
        (change, ask.map(|ask| Question { ask, payment }))
    }

    async fn carry_out(&self, Question { ask, payment }: Question) -> Answered {
        let reply = self.gateway.ask(ask, &payment).await;
        tracing::debug!(
            reservation = %payment.reservation_id,
            correlation_id = %payment.cause.correlation_id,
            ?ask,
            answer = ?reply.answer,
            "the gateway was asked"
        );
        if let Some(alarm) = &reply.alarm {
            self.metrics.alarms.inc();
            tracing::error!(
                reservation = %payment.reservation_id,
                correlation_id = %payment.cause.correlation_id,
                ?ask,
                alarm,
                "the gateway's answer is for somebody to look at"
            );
        }
        Answered { ask, reply }
    }

    fn end(&self, held: &Held, Answered { ask, reply }: &Answered, at: Moment) -> Change {
        let mut payment = match payment(held) {
            Ok(payment) => payment,
            Err(change) => return change,
        };
        let announce = payment.answered(*ask, &reply.answer, at);
        self.change(&payment, announce)
    }

    fn verdict(&self, _: &Answered) -> Verdict {
        // Each payment has its deadline, whatever becomes of others.
        Verdict::There
    }

    fn side_by_side(&self) -> usize {
        QUESTIONS
    }
}

impl PaymentWork {
    /// What the lane of a payment becomes.
    fn change(&self, payment: &Payment, announce: Vec<Envelope>) -> Change {
        let mut parked = None;
        if payment.phase == Phase::Parked {
            self.metrics.alarms.inc();
            tracing::error!(
                reservation = %payment.reservation_id,
                correlation_id = %payment.cause.correlation_id,
                "whether this was charged the gateway did not say for a day: nobody asks any more"
            );
            parked = Some("the gateway gave no final answer for 24 hours".to_owned());
        }
        Change {
            state: Some(written(&Kept::Payment(Box::new(payment.clone())))),
            attempts: payment.tries,
            due: payment.due.into(),
            done: None,
            announce,
            parked,
        }
    }
}

/// The payment of a lane; else what becomes of the lane.
fn payment(held: &Held) -> Result<Box<Payment>, Change> {
    let aside = |reason: String| Change {
        state: held.state.clone(),
        attempts: held.attempts,
        due: Due::Never,
        parked: Some(reason),
        ..Change::default()
    };
    match read(held.state.as_deref().unwrap_or_default()) {
        Ok(Kept::Payment(payment)) => Ok(payment),
        Ok(Kept::CoveredBy(by)) => Err(Change { parked: None, ..aside(by) }),
        Err(error) => Err(aside(error.to_string())),
    }
}
