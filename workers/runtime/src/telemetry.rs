//! Logs: one JSON object a line on standard error. A request that failed is one line with its `correlationId`; at level
//! `debug` every line of every request is part of a span that has it.

use tracing_subscriber::EnvFilter;

/// Starts logging by `directives`, such as `info` or `info,rdkafka=warn`.
///
/// # Errors
/// Directives that do not parse, or a second call.
pub fn init(directives: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(directives)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
