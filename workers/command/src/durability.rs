//! What an acknowledged command survives (I7), chosen for holds and for reservations.

use std::str::FromStr;

use boxoffice_domain::{Command, CommandKind};

/// What has to be so before a command is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// The seat script has run.
    Redis,
    /// Redis has it on disk.
    Fsync,
    /// So many replicas of Redis have it.
    Replicas(u8),
    /// Its domain events are on the log.
    Log,
}

/// What is guaranteed for each kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durability {
    /// For holds.
    pub hold: Guarantee,
    /// For reservations.
    pub reserve: Guarantee,
}

impl Default for Durability {
    fn default() -> Self {
        Self { hold: Guarantee::Redis, reserve: Guarantee::Log }
    }
}

impl Durability {
    /// What is guaranteed for `command`. A release that is lost leaves a seat claimed, never one sold twice; the operator
    /// repeats what it wants until it is so.
    pub fn of(&self, command: &Command) -> Guarantee {
        match command.kind() {
            CommandKind::Hold => self.hold,
            CommandKind::Reserve => self.reserve,
            CommandKind::Release | CommandKind::Operate => Guarantee::Redis,
        }
    }
}

impl FromStr for Guarantee {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Exactly what the resource takes: at most one blank, and a digit.
        let count = text.strip_prefix("replicas:").map(|count| count.strip_prefix(' ').unwrap_or(count));
        match (text, count.map(str::as_bytes)) {
            ("redis", _) => Ok(Self::Redis),
            ("fsync", _) => Ok(Self::Fsync),
            ("log", _) => Ok(Self::Log),
            (_, Some([digit @ b'1'..=b'9'])) => Ok(Self::Replicas(digit - b'0')),
            _ => Err("expected redis, fsync, log or \"replicas: <n>\" with n from 1 to 9".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_guarantee_has_its_words() {
        assert_eq!("log".parse(), Ok(Guarantee::Log));
        assert_eq!("fsync".parse(), Ok(Guarantee::Fsync));
        assert_eq!("replicas: 2".parse(), Ok(Guarantee::Replicas(2)));
        assert_eq!("replicas:9".parse(), Ok(Guarantee::Replicas(9)));
        for text in [
            "disk",
            "replicas",
            "replicas: 0",
            "replicas: 10",
            "replicas: +1",
            "replicas:  1",
            "replicas: -1",
            "",
        ] {
            assert!(text.parse::<Guarantee>().unwrap_err().starts_with("expected redis, fsync"), "{text}");
        }
    }

    #[test]
    fn what_staff_hold_and_sell_is_as_durable_as_what_buyers_do() {
        let durability = Durability { hold: Guarantee::Fsync, reserve: Guarantee::Log };
        let (user, hold, seats) = ("alice".parse().unwrap(), Uuid::nil(), vec!["A-1-1".to_owned()]);
        let holding = Command::StaffHold { seats, user, hold, blocked: true };
        assert_eq!(durability.of(&holding), Guarantee::Fsync);
        let selling = Command::StaffReserve { hold, reservation: Uuid::nil() };
        assert_eq!(durability.of(&selling), Guarantee::Log);
        assert_eq!(durability.of(&Command::StaffRelease { hold, note: None }), Guarantee::Redis);
    }
}
