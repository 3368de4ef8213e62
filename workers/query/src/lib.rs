//! The query worker: seat maps from memory, live.
