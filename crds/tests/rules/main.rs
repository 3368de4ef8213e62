//! Every rule of both kinds with what it accepts and what it refuses, offline; and the generated files.
//!
//! The API server has the last word: the cluster suite applies the same fixtures to a real one.

#[cfg(test)]
mod generated;
#[cfg(test)]
mod reservation_service;
#[cfg(test)]
mod seating_event;
#[cfg(test)]
mod support;
