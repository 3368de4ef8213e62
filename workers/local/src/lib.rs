//! The command `boxoffice`: the whole platform in one process, with no server at all, and what a person does from a
//! terminal.
//!
//! Reading order: [`args`] is the command line and [`run()`] carries it out. [`resources`] reads and checks what files
//! declare; [`lint`] and [`plan`] say what is wrong with it and what the operator would make of it. [`local`] runs it:
//! [`platform`] is the workers in one process, [`embedded`] what stands behind their ports. [`terminal`] buys seats and
//! follows domain events, here or in a cluster; [`ops`] serves the operators' page of one. [`failure`] is how all of
//! them end when they do not succeed.

pub mod args;

mod run;

pub mod resources;

pub mod lint;

pub mod plan;

pub mod local;

pub mod platform;

pub mod embedded;

pub mod terminal;

pub mod ops;

pub mod failure;

mod folder;

mod tell;

pub use run::run;
