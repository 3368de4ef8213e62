//! Effects outside where there is no server: lanes, their effects, announcements and how far a consumer got, in memory and
//! in the data file.
//!
//! Views of one process are built anew at every start; what was charged and told must not be done anew. So these
//! consumers are shown the log from where they began, as all are, and take in only what is beyond the checkpoint in the
//! file, which is written with what it brought. [`book`] is what they remember, the [`EffectStore`] of the consumer's own
//! engine; [`intake`] takes domain events in, [`relay`] publishes what is announced.
//!
//! [`EffectStore`]: boxoffice_consumer::effects::EffectStore

pub mod book;

mod file;

mod pages;

pub mod intake;

pub mod relay;
