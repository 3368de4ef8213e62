//! Why a command ends with exit code 1, or 2 where it makes no sense.

use std::fmt::Write;
use std::io::ErrorKind;

use crate::plan::PlanError;
use crate::platform::PlatformError;
use crate::resources::{Finding, ReadError};

/// See the module. The message is the whole answer to whoever typed the command.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Failure {
    #[error("{}", findings(.0))]
    Findings(Vec<Finding>),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error("the files cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// Whether nobody read on, as behind `| head`: whoever typed that has what they wanted.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::BrokenPipe)
    }

    /// The exit code that tells it.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { 2 } else { 1 }
    }
}

/// A line each, and how many there are.
fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        _ = writeln!(text, "{finding}");
    }
    _ = write!(text, "{} to mend", findings.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_on_is_no_failure() {
        assert!(Failure::from(std::io::Error::from(ErrorKind::BrokenPipe)).is_unread());
        assert!(!Failure::from(std::io::Error::from(ErrorKind::AddrInUse)).is_unread());
        assert_eq!(Failure::Usage(String::new()).exit_code(), 2);
    }
}
