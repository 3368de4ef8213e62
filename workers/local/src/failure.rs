//! Why a command ends with exit code 1.

use std::fmt::Write;

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

/// A line each, and how many there are.
fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        _ = writeln!(text, "{finding}");
    }
    _ = write!(text, "{} to mend", findings.len());
    text
}
