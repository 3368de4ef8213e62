//! What an answer waits for: `redis`, `fsync`, `log` or `replicas: <n>`.
//!
//! A string in the resource, so that CEL can read it: `hold: redis`, `hold: "replicas: 2"`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the answer to a command waits for, beyond the state change itself (invariant I7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Durability {
    /// Nothing: the answer follows the script. Up to a second of holds can be lost with Redis.
    Redis,
    /// Redis has the change on disk.
    Fsync,
    /// The event is on Kafka, acknowledged by all in-sync replicas.
    Log,
    /// So many replicas of Redis have the change, 1 to 9.
    Replicas(u8),
}

/// A text that is no [`Durability`]; it holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no durability: write redis, fsync, log or \"replicas: <n>\" with n from 1 to 9")]
pub struct InvalidDurability(pub String);

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Fsync => f.write_str("fsync"),
            Self::Log => f.write_str("log"),
            Self::Replicas(n) => write!(f, "replicas: {n}"),
        }
    }
}

impl FromStr for Durability {
    type Err = InvalidDurability;

    fn from_str(text: &str) -> Result<Self, InvalidDurability> {
        match text {
            "redis" => Ok(Self::Redis),
            "fsync" => Ok(Self::Fsync),
            "log" => Ok(Self::Log),
            _ => match text.strip_prefix("replicas:").map(|n| n.strip_prefix(' ').unwrap_or(n).as_bytes()) {
                Some([digit @ b'1'..=b'9']) => Ok(Self::Replicas(digit - b'0')),
                _ => Err(InvalidDurability(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Durability {
    type Error = InvalidDurability;

    fn try_from(text: String) -> Result<Self, InvalidDurability> {
        text.parse()
    }
}

impl From<Durability> for String {
    fn from(durability: Durability) -> Self {
        durability.to_string()
    }
}

impl JsonSchema for Durability {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Durability".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 11, "pattern": "^(redis|fsync|log|replicas: ?[1-9])$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_itself() {
        for durability in [Durability::Redis, Durability::Fsync, Durability::Log, Durability::Replicas(2)] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert_eq!("replicas:3".parse(), Ok(Durability::Replicas(3)));
    }

    #[test]
    fn anything_else_is_refused_with_the_forms() {
        for text in ["", "Log", "replicas", "replicas: 0", "replicas: 10", "replicas: +1"] {
            assert_eq!(text.parse::<Durability>(), Err(InvalidDurability(text.to_owned())));
        }
    }
}
