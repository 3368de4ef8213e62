//! What a person does from a terminal, with a platform that runs here or in a cluster: over HTTP, as everybody else.
//!
//! [`target`] finds it, [`forward`] reaches into a cluster, to its [`pods`], [`wish`] reads what a hold is to have,
//! [`buy`] gives buyers' commands and those of the box office, [`told`] says in a line what came of it, [`block`] gives
//! operators' commands, [`snapshot`] shows what recovery begins with, [`archive`] what one that is over came to,
//! [`trace`] what came of a request, [`tail`] follows domain events, in [`order`].

pub mod target;

pub mod pods;

mod forward;

pub mod wish;

mod told;

pub mod buy;

pub mod block;

pub mod snapshot;

pub mod archive;

pub mod order;

pub mod tail;

pub mod trace;
