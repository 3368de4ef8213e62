//! The command line of a worker. Its options come by the environment where the operator starts it, so what is wrong with one
//! is told by both of its names; and a process that cannot go on says why in one line.

use std::fmt::Display;
use std::io::{Write, stderr};
use std::process::{ExitCode, exit};

use clap::{Command, CommandFactory, Parser};

/// What was given. Ends the process where that makes no sense, with exit code 2, and where help was asked for.
pub fn read<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        // Nobody reads it: there is nobody to tell.
        let _ = error.print();
        if error.use_stderr() {
            let said = error.to_string();
            let wrong = said.split("\n\nUsage:").next().unwrap_or_default();
            if let Some(names) = in_environment(wrong, &A::command()) {
                let _ = writeln!(stderr(), "\nIn the environment {names}.");
            }
        }
        exit(error.exit_code())
    })
}

/// Says why the process ends, and that it failed.
pub fn failed<A: CommandFactory>(why: &impl Display) -> ExitCode {
    let command = A::command();
    let why = why.to_string();
    let names = in_environment(&why, &command).map(|names| format!(" (in the environment {names})"));
    let _ = writeln!(stderr(), "{}: {why}{}", command.get_name(), names.unwrap_or_default());
    ExitCode::FAILURE
}

/// The variables of those options that a text names.
fn in_environment(text: &str, command: &Command) -> Option<String> {
    let ends = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let told: Vec<_> = text.split(ends).filter_map(|word| word.strip_prefix("--")).collect();
    let options = command.get_arguments().filter_map(|option| Some((option.get_long()?, option.get_env()?)));
    let options = options.filter(|(long, _)| told.contains(long));
    let names: Vec<_> =
        options.map(|(long, variable)| format!("--{long} is {}", variable.to_string_lossy())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Worker {
        #[arg(long, env = "BOXOFFICE_REDIS_URL")]
        redis_url: String,
        #[arg(long, env = "BOXOFFICE_DRAIN_SECONDS", default_value_t = 20)]
        drain_seconds: u64,
        #[arg(long)]
        plain: bool,
    }

    fn names(text: &str) -> Option<String> {
        in_environment(text, &Worker::command())
    }

    #[test]
    fn options_that_are_told_of_are_told_by_their_variables_too() {
        let missing = Worker::try_parse_from(["worker", "--plain"]).unwrap_err().to_string();
        let wrong = missing.split("\n\nUsage:").next().unwrap();
        assert_eq!(names(wrong).as_deref(), Some("--redis-url is BOXOFFICE_REDIS_URL"), "{missing}");
        assert_eq!(
            names("give --redis-url, or wait (--drain-seconds)").unwrap(),
            "--redis-url is BOXOFFICE_REDIS_URL, --drain-seconds is BOXOFFICE_DRAIN_SECONDS"
        );
        assert_eq!(names("--plain and --redis are none of them"), None);
        let given = Worker::try_parse_from(["worker", "--redis-url=r", "--plain"]).unwrap();
        assert_eq!((given.redis_url.as_str(), given.drain_seconds, given.plain), ("r", 20, true));
    }
}
