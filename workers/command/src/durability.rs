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
        match Kind::of(command) {
            Kind::Holding => self.hold,
            Kind::Reserving => self.reserve,
            Kind::Other => Promise::Redis,
        }
    }
}

/// What promises are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It makes a hold, or makes one larger or longer.
    Holding,
    /// It makes a reservation.
    Reserving,
    /// Anything else.
    Other,
}

impl Kind {
    /// That of a command.
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Hold { .. }
            | Command::AddToHold { .. }
            | Command::StaffHold { .. }
            | Command::ExtendHold { .. } => Self::Holding,
            Command::ReserveSeat { .. } | Command::ReserveHold { .. } | Command::StaffReserve { .. } => {
                Self::Reserving
            }
            Command::ReleaseSeat { .. }
            | Command::ReleaseHold { .. }
            | Command::CancelReservation { .. }
            | Command::Expire { .. }
            | Command::StaffRelease { .. }
            | Command::StaffCancel { .. }
            | Command::Provision { .. }
            | Command::Block { .. }
            | Command::Unblock { .. }
            | Command::Close => Self::Other,
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
