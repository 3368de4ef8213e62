//! The seat store on Redis.
