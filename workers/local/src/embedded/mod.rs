//! What stands behind the ports when there are no servers: one data file, and memory.
//!
//! [`journal`] is the file and its one writer. On it stand [`seats`], the seat store, and [`log`], the event log;
//! [`views`] keep in memory what consumers build, and are built anew from the log at every start; [`effects`] keeps in the
//! file what is to be done outside, once.

pub mod journal;

pub mod log;

pub mod seats;

pub mod views;

pub mod effects;
