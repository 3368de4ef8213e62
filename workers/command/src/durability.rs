//! What an acknowledged command survives (I7), chosen for holds and for reservations.

use std::str::FromStr;

use boxoffice_domain::Command;

/// When a command counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// As soon as the seat script has run.
    Redis,
    /// When Redis has it on disk.
    Fsync,
    /// When so many replicas of Redis have it.
    Replicas(u8),
    /// When its domain events are on the log.
    Log,
}

/// What is promised for each kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durability {
    /// For holds.
    pub hold: Promise,
    /// For reservations.
    pub reserve: Promise,
}

impl Default for Durability {
    fn default() -> Self {
        Self { hold: Promise::Redis, reserve: Promise::Log }
    }
}

impl Durability {
    /// What is promised for `command`. A release that is lost leaves a seat claimed, never one sold twice.
    pub fn of(&self, command: &Command) -> Promise {
        match command {
            Command::Hold { .. } | Command::ExtendHold { .. } => self.hold,
            Command::ReserveSeat { .. } | Command::ReserveHold { .. } => self.reserve,
            _ => Promise::Redis,
        }
    }
}

impl FromStr for Promise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let replicas = |text: &str| text.trim().parse().ok().filter(|count| (1..=9).contains(count));
        match (text, text.strip_prefix("replicas:").and_then(replicas)) {
            ("redis", _) => Ok(Self::Redis),
            ("fsync", _) => Ok(Self::Fsync),
            ("log", _) => Ok(Self::Log),
            (_, Some(count)) => Ok(Self::Replicas(count)),
            _ => Err("expected redis, fsync, log or \"replicas: <n>\" with n from 1 to 9".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_has_its_words() {
        assert_eq!("log".parse(), Ok(Promise::Log));
        assert_eq!("fsync".parse(), Ok(Promise::Fsync));
        assert_eq!("replicas: 2".parse(), Ok(Promise::Replicas(2)));
        assert_eq!("replicas:9".parse(), Ok(Promise::Replicas(9)));
        for text in ["disk", "replicas", "replicas: 0", "replicas: 10", ""] {
            assert!(text.parse::<Promise>().unwrap_err().starts_with("expected redis, fsync"), "{text}");
        }
    }
}
