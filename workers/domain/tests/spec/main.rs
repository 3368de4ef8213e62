//! The specification, tested as sentences and as properties.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]
#![expect(clippy::needless_pass_by_value, reason = "sentences read better without borrows")]

mod given;

mod cart;
mod changing;
mod choosing;
mod decide;
mod paying;
mod properties;
