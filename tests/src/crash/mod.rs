//! What tests share that break things while seats are sold: buyers who never give up, the stack that they buy from, and
//! the settings of a long run.
//!
//! [`wishes`] puts what a buyer asks for into HTTP, [`buyers`] do this and that at random and keep all that they were
//! told; [`stack`] is Redis, Kafka and two command workers, each of which can be killed; [`sale`] has the ones buy from the
//! other while something happens. Whether that was honest is [`audit`](crate::audit)'s business.

pub mod wishes;

pub mod buyers;

pub mod stack;

pub mod sale;

use std::str::FromStr;

/// How often things are broken, where somebody wants it otherwise.
pub const ROUNDS: &str = "BOXOFFICE_ROUNDS";
/// What repeats the choices of a run.
pub const SEED: &str = "BOXOFFICE_CRASH_SEED";

/// A number in the environment.
///
/// # Panics
/// Where it is not one.
pub fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
