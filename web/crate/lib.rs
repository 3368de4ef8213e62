//! The pages, and the routes by which a process serves them. They are made by `vite build` from the sources beside this
//! crate (`make web`); the build script puts them in, compressed.
//!
//! [`of_query`], [`of_command`], [`of_one_process`] and [`of_operators`] are the routes of the four who serve pages;
//! `asset` is how one file is answered, `policy` what a page may do in a browser, `missing` what is served by a binary
//! that was compiled without them. What pages ask for is other crates' business.

mod asset;

mod missing;

mod policy;

mod routes;

pub use routes::{of_command, of_one_process, of_operators, of_query};

#[cfg(test)]
mod tests;
