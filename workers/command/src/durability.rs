//! What an acknowledged command survives (I7), chosen for holds and for reservations.

use std::str::FromStr;

use boxoffice_domain::Command;

/// When a command counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// As soon as the seat script has run.
    Redis,
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
        match text {
            "redis" => Ok(Self::Redis),
            "log" => Ok(Self::Log),
            _ if text == "fsync" || text.starts_with("replicas") => {
                Err(format!("{text} comes with a later version: write redis or log"))
            }
            _ => Err("expected redis or log".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_says_so() {
        assert_eq!("log".parse(), Ok(Promise::Log));
        let later = "replicas:1".parse::<Promise>().unwrap_err();
        assert_eq!(later, "replicas:1 comes with a later version: write redis or log");
        assert!("disk".parse::<Promise>().is_err());
    }
}
