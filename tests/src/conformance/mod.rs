//! One suite of named behaviours for each port: every implementation of it passes the same one.

pub mod effect_store;
pub mod event_log;
pub mod orders;
pub mod seat_store;
pub mod view_store;
