//! Logs: one JSON object a line on standard error. Spans' fields, `correlationId` among them, are part of each line.

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
