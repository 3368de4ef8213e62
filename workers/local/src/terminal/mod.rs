//! What a person does from a terminal, with a platform that runs here or in a cluster: over HTTP, as everybody else.
//!
//! [`target`] finds it, [`forward`] reaches into a cluster, [`buy`] gives commands, [`tail`] follows domain events.

pub mod target;

mod forward;

pub mod buy;

pub mod tail;
