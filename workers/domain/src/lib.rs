//! The seat logic: ids, commands, decide, events, evolve, project and the invariants. No IO, no clock.
