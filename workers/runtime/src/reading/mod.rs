//! What people and programs write, read into types: JSON bodies, query strings, documents of files. What is wrong with it is
//! told by its field and the fix, in our own words: a type's or a parser's words are no help to who does not know the code.
//!
//! `tree` is any text as it was written, duplicates and all; `node` makes a type of it and notices what does not fit;
//! [`Wrong`] is that, in the [`words`] of people. [`Body`], [`OptionalBody`] and [`Query`] are what routes take.

mod tree;

mod node;

mod wrong;

pub mod words;

mod extract;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use extract::{Body, Nothing, OptionalBody, Query};
pub use wrong::Wrong;

use node::{Node, Source};
use tree::Tree;

/// Reads JSON.
///
/// # Errors
/// What is no JSON, or does not fit.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Wrong> {
    T::deserialize(Node::new(&Tree::of_json(bytes)?, Source::Document))
}

/// Reads the query of an address.
///
/// # Errors
/// What does not fit.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    T::deserialize(Node::new(&Tree::of_query(text), Source::Query))
}

/// Reads what was JSON or YAML.
///
/// # Errors
/// What does not fit.
pub fn value<T: DeserializeOwned>(value: &Value) -> Result<T, Wrong> {
    T::deserialize(Node::new(&Tree::of_value(value), Source::Document))
}

#[cfg(test)]
mod tests;
