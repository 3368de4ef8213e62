//! The binary's command line: what it teaches, and how it ends when it cannot begin.
#![expect(clippy::unwrap_used, reason = "what goes wrong in here is a failed test")]

use std::net::TcpListener;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boxoffice-command")).env_clear().args(arguments).output().unwrap()
}

fn with_settings(more: &[&str]) -> Output {
    let given = [
        "--service=tickets/main",
        "--redis-url=redis://127.0.0.1:1",
        "--kafka-bootstrap-servers=127.0.0.1:1",
    ];
    run(&[&given, more].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_teaches_with_examples_and_names_the_environment() {
    let help = run(&["--help"]);
    let stdout = text(&help.stdout);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout.contains("BOXOFFICE_REDIS_URL") && stdout.contains("Examples:"), "{stdout}");
}

#[test]
fn wrong_usage_is_2_and_says_what_is_missing() {
    let missing = with_settings(&[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("--admin-token"), "{}", text(&missing.stderr));
    let wrong = with_settings(&["--admin-token=t", "--durability-reserve=twice"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("expected redis, fsync"), "{}", text(&wrong.stderr));
}

#[test]
fn an_address_in_use_is_1_and_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = with_settings(&["--admin-token=t", "--log=off", "--metrics-addr", &address]);
    let stderr = text(&failed.stderr);
    assert_eq!((failed.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with(&format!("boxoffice-command: cannot listen on {address}: ")), "{stderr}");
}

#[test]
fn an_empty_token_is_refused() {
    let failed = with_settings(&["--admin-token=", "--log=off"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stderr), "boxoffice-command: the admin token is empty\n");
}
