//! The consumer's arguments.

use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::settings::{KafkaArgs, ServiceArgs, is_moment};
use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, ValueEnum};

use crate::effects::settings::{PaymentArgs, WebhookArgs};
use crate::handlers::Retention;

/// Keeps one view up to date from the domain events on Kafka, in PostgreSQL.
///
/// Each process runs one handler, in a consumer group and with a database of its own; several processes share the
/// partitions. The view, the dedupe rows and the checkpoint are written in one transaction, so a process may be
/// killed at any time and nothing is lost or done twice.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  boxoffice-consumer --service tickets/main --handler seat-view --group seat-view \\\n    \
    --kafka-bootstrap-servers kafka:9092 --database-url postgres://boxoffice@postgres/view"
)]
pub struct Args {
    /// Who this worker is.
    #[command(flatten)]
    pub service: ServiceArgs,
    /// Where domain events are.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Where the view is kept: a database that no other handler uses.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// What to build from the domain events.
    #[arg(long, env = "BOXOFFICE_HANDLER")]
    pub handler: HandlerName,
    /// The consumer group; it exists already, with the offsets to start from.
    #[arg(long, env = "BOXOFFICE_GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub group: String,
    /// Where the group began: "earliest", "latest", or a time (RFC 3339, or Unix milliseconds). After a start elsewhere
    /// the first event met of each SeatingEvent is taken as the baseline instead of being a gap. seat-view and stats
    /// always begin at earliest, payment and webhook never.
    #[arg(long, env = "BOXOFFICE_START_FROM", default_value = "earliest", value_parser = start)]
    pub start_from: Start,
    /// The declared reset that this generation of the view began with.
    #[arg(long, env = "BOXOFFICE_RESET_ID", default_value = "", hide = true)]
    pub reset_id: String,
    /// For how long a view keeps what is old.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Who charges.
    #[command(flatten)]
    pub payment: PaymentArgs,
    /// Who is told.
    #[command(flatten)]
    pub webhook: WebhookArgs,
}

/// For how long a view keeps what is old.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct RetentionArgs {
    /// Days for which seat-view keeps the trace, by whole months.
    #[arg(long, env = "BOXOFFICE_TRACE_DAYS", default_value_t = 30, value_name = "DAYS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub trace_days: u32,
    /// Days for which seat-view keeps reservations and payments once their show is over.
    #[arg(long, env = "BOXOFFICE_RESERVATION_DAYS", default_value_t = 400, value_name = "DAYS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub reservation_days: u32,
}

impl From<RetentionArgs> for Retention {
    fn from(args: RetentionArgs) -> Self {
        let RetentionArgs { trace_days, reservation_days } = args;
        Self { trace_days, reservation_days }
    }
}

/// A handler, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HandlerName {
    /// Every seat with its status, reservations by user, the trace: what the query worker loads
    SeatView,
    /// One row a reservation
    Persistence,
    /// Counts by section, announced as stats.updated
    Stats,
    /// Charges reservations at a gateway, announced as payment.completed and payment.failed
    Payment,
    /// Passes domain events on over HTTP
    Webhook,
}

/// A word that is misspelt must not pass for a start elsewhere: gaps would be taken for the past.
fn start(text: &str) -> Result<Start, String> {
    match text {
        "earliest" | "" => Ok(Start::Earliest),
        text if text == "latest" || is_moment(text) => Ok(Start::Elsewhere),
        _ => {
            Err("expected earliest, latest, or a time such as 2026-11-23T10:00:00Z or 1793527200000"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn any_start_but_earliest_has_a_baseline() {
        assert_eq!(start("earliest"), Ok(Start::Earliest));
        assert_eq!(start("latest"), Ok(Start::Elsewhere));
        assert_eq!(start("2026-11-23T10:00:00Z"), Ok(Start::Elsewhere));
        assert_eq!(start("1793527200000"), Ok(Start::Elsewhere));
        for misspelt in ["erliest", "Earliest", "now"] {
            assert!(start(misspelt).unwrap_err().starts_with("expected earliest, latest"), "{misspelt}");
        }
    }
}
