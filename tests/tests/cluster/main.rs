//! The platform from end to end, on the cluster that `make cluster` made: resources in, seats sold, nothing lost.
//!
//! Run by `make test SUITES=cluster`, which brings the cluster up and takes it down again. Each test has a
//! SeatingEvent of its own, those that break things a namespace of their own, and removes what it made.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]

mod support;

mod sale;

mod contract;

mod lifecycle;

mod crash;

mod outage;

mod losses;

mod restarts;

mod charts;

mod refusals;

mod plan;

mod ops;

mod policies;
