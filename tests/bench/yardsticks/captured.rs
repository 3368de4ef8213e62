//! The script call that a worker makes for a request, as Redis saw it (MONITOR): word for word what is then repeated by
//! `redis-benchmark`, so the yardstick cannot drift from the worker.

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use tokio::time::timeout;

/// Longest wait for Redis to tell of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Words of an EVALSHA command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call(pub Vec<String>);

impl Call {
    /// The script that is called.
    pub fn sha(&self) -> &str {
        self.0.get(1).map_or("", String::as_str)
    }

    /// The call with every word that is `from` replaced.
    #[must_use]
    pub fn with(self, from: &str, to: &str) -> Self {
        Self(self.0.into_iter().map(|word| if word == from { to.to_owned() } else { word }).collect())
    }
}

/// Makes `request` and returns what came of it, with the script call that has `mark` among its words.
///
/// # Errors
/// A Redis that saw no such call.
pub async fn capture<T>(
    redis: &str,
    mark: &str,
    request: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, Call)> {
    let mut monitor = redis::Client::open(redis)?.get_async_monitor().await?;
    let mut seen = monitor.on_message::<String>();
    let made = request.await?;
    let call = timeout(PATIENCE, async {
        while let Some(line) = seen.next().await {
            let words = words(&line);
            if words.first().is_some_and(|verb| verb.eq_ignore_ascii_case("EVALSHA"))
                && words.iter().any(|word| word == mark)
            {
                return Some(Call(words));
            }
        }
        None
    });
    let call = call.await.ok().flatten();
    Ok((made, call.with_context(|| format!("redis saw no script call about {mark}"))?))
}

/// The words of a line of MONITOR's: `time [database client] "word" "word"`, with escapes in them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut rest = line.split_once("] ").map_or("", |(_, rest)| rest).chars();
    while rest.by_ref().any(|c| c == '"') {
        let mut word = String::new();
        while let Some(c) = rest.next().filter(|c| *c != '"') {
            let c = if c == '\\' { rest.next().map_or(c, escaped) } else { c };
            word.push(c);
        }
        words.push(word);
    }
    words
}

fn escaped(c: char) -> char {
    match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_words() {
        let line =
            r#"1339518083.107412 [0 127.0.0.1:60866] "EVALSHA" "4e6d" "1" "a:{b}" "" "say \"hi\"\n" "\\""#;
        assert_eq!(words(line), ["EVALSHA", "4e6d", "1", "a:{b}", "", "say \"hi\"\n", "\\"]);
        assert!(words("OK").is_empty());
    }

    #[test]
    fn only_whole_words_are_replaced() {
        let call = Call(["EVALSHA", "4e6d", "0", "A-1-1", "A-1-10"].map(str::to_owned).to_vec());
        assert_eq!(call.sha(), "4e6d");
        assert_eq!(call.with("A-1-1", "A-1-2").0[3..], ["A-1-2", "A-1-10"]);
    }
}
