//! What figures are compared with, measured in the same run: the parts that the write side is made of, each alone.

pub mod captured;
pub mod constant;
pub mod kafka;
pub mod redis;
