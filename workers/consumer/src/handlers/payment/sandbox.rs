//! A gateway that is built in: it accepts every charge and no money moves. To see the platform work, and to see what it
//! does when a gateway does not, buyers are called:
//!
//! | user id begins with | the sandbox |
//! |---|---|
//! | `decline-` | declines |
//! | `hang-` | never answers: the reservation is let go at its deadline |
//! | `slow-` | has the charge in hand for 10 s, then accepts it |
//! | `late-` | does not answer until the deadline has passed, then has accepted it |
//! | anything else | accepts |

use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::payment_view::PaymentState;
use boxoffice_runtime::clock;

use super::gateway::{Gateway, Reply};
use super::machine::{Answer, Ask, Payment};

/// How long a slow charge is in hand, in milliseconds.
const SLOW: u64 = 10_000;

/// See the module. It remembers nothing: what it says follows from the payment, so a worker that begins anew is told
/// the same.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox;

#[async_trait]
impl Gateway for Sandbox {
    async fn ask(&self, ask: Ask, payment: &Payment) -> Reply {
        Reply { answer: answer(ask, payment, clock::now()), alarm: None }
    }
}

fn answer(ask: Ask, payment: &Payment, now: u64) -> Answer {
    let is = |kind: &str| payment.user_id.as_str().starts_with(kind);
    let silence = Answer::Again { after: Some(Duration::from_secs(2)) };
    if is("decline-") {
        return Answer::Declined;
    }
    if is("hang-") {
        let is_given_up = ask == Ask::Get && payment.state != PaymentState::Requested;
        return if is_given_up { Answer::NotFound } else { silence };
    }
    if is("late-") && payment.state == PaymentState::Requested {
        return silence;
    }
    if is("slow-") && payment.first_post.is_none_or(|first| now < first.saturating_add(SLOW)) {
        return Answer::Pending;
    }
    let payment_id = format!("sandbox-{}", payment.reservation_id);
    tracing::info!(
        reservation = %payment.reservation_id,
        amount = payment.amount,
        currency = payment.currency,
        correlation_id = %payment.cause.correlation_id,
        "sandbox: charged, and no money moved"
    );
    Answer::Succeeded { payment_id }
}

#[cfg(test)]
mod tests {
    use super::super::machine::testing::payment_of;
    use super::*;

    #[test]
    fn buyers_names_say_what_it_does() {
        let said = |user: &str, state, now| {
            let mut payment = payment_of(user);
            payment.state = state;
            payment.first_post = Some(0);
            answer(Ask::Get, &payment, now)
        };
        let accepted = |answer| matches!(answer, Answer::Succeeded { .. });
        assert!(accepted(said("alice", PaymentState::Requested, 0)));
        assert_eq!(said("decline-alice", PaymentState::Requested, 0), Answer::Declined);
        assert!(matches!(said("hang-alice", PaymentState::Requested, 0), Answer::Again { .. }));
        assert_eq!(said("hang-alice", PaymentState::TimedOut, 0), Answer::NotFound);
        assert_eq!(said("slow-alice", PaymentState::Requested, SLOW - 1), Answer::Pending);
        assert!(accepted(said("slow-alice", PaymentState::Requested, SLOW)));
        assert!(matches!(said("late-alice", PaymentState::Requested, SLOW), Answer::Again { .. }));
        assert!(accepted(said("late-alice", PaymentState::TimedOut, SLOW)));
    }
}
