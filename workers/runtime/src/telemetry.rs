//! Logs: one JSON object a line on standard error. A request that failed is one line with its `correlationId`; at level
//! `debug` every line of every request is part of a span that has it.

use tracing_subscriber::EnvFilter;

/// What is logged by these directives.
///
/// # Errors
/// Directives that do not parse.
pub fn filter(directives: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(directives).map_err(|_| {
        format!(
            "--log {directives:?} is none: give a level (error, warn, info, debug, trace, off), or directives such as \
             info,rdkafka=warn"
        )
    })
}

/// Starts logging by `directives`, such as `info` or `info,rdkafka=warn`.
///
/// # Errors
/// Directives that do not parse, or a second call.
pub fn init(directives: &str) -> anyhow::Result<()> {
    let filter = filter(directives).map_err(anyhow::Error::msg)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_that_are_none_are_told_with_what_to_write() {
        assert!(filter("info,rdkafka=warn").is_ok());
        let told = filter("boxoffice=loud").map(|_| ()).unwrap_err();
        assert!(told.starts_with("--log \"boxoffice=loud\" is none: give a level"), "{told}");
    }
}
