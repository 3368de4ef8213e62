//! The seat logic of Box Office, without IO and without a clock (I10).
//!
//! Reading order: [`ids`] name things, [`definition`] says what is on sale, [`chart`] expands it into seats ([`faults`]
//! is what keeps one from being sold), and [`seating`] ranks them for [`choose`](mod@choose), [`events`] are the facts
//! and their envelope, [`state`] is what the facts add up to. A [`command`] is decided on that state by
//! [`decide`](mod@decide), which is the specification that the scripts in Redis are held to; [`plan`](mod@plan) says
//! what a definition would do. [`attribute`](mod@attribute) puts the facts into envelopes, [`evolve`](mod@evolve)
//! applies facts to the state, [`project`](mod@project) turns them into what views show, [`payment_view`] what they
//! show of payments, [`checkpoint`] says what a consumer does with a record, and [`invariants`] checks what must always
//! hold. Time and ids come in as arguments: nothing in this crate reads a clock, a random source or the network.

pub mod ids;

pub mod definition;

pub mod chart;

mod currency;

pub mod faults;

pub mod seating;

pub mod choose;

pub mod events;

pub mod subject;

pub mod command;

pub mod state;

pub mod decide;

pub mod plan;

pub mod attribute;

pub mod evolve;

pub mod project;

pub mod seat_map;

pub mod payment_view;

pub mod checkpoint;

pub mod partition;

pub mod invariants;

pub use attribute::{Origin, attribute};
pub use chart::{Chart, ChartError, ChartRow, ChartSeat};
pub use command::{
    Answer, Area, Best, Command, CommandKind, Conflict, Decision, PricedSeat, Rejection, Together, Wanted,
};
pub use decide::{decide, find_hold};
pub use definition::Definition;
pub use events::{DomainEvent, Envelope, Metadata};
pub use evolve::evolve;
pub use ids::{CorrelationId, HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId};
pub use payment_view::{PaymentState, PaymentView};
pub use project::{Projected, project};
pub use seat_map::SeatMap;
pub use seating::Seating;
pub use state::SeatingEventState;
