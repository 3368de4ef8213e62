//! The operator on a real API server whose nodes and pods are played, with a real Kafka and command workers that do what a
//! test tells them: run by `make test SUITES=operator`, one module a subject, each test with an operator of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also what tests share fails by a panic"
)]

mod support;

mod workers;

mod basics;

mod closing;

mod life;

mod definitions;

mod outages;

mod hands;

mod objects;

mod drifts;

mod changed_back;

mod policies;

mod secrets;

mod bad_input;

mod security;

mod shows;

mod apart;

mod bereft;

mod scale;

mod rights;
