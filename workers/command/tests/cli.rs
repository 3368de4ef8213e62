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
    assert!(
        text(&missing.stderr).contains("--admin-token is BOXOFFICE_ADMIN_TOKEN"),
        "{}",
        text(&missing.stderr)
    );
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
    let stderr = text(&failed.stderr);
    assert!(stderr.starts_with("boxoffice-command: --admin-token must be visible ASCII"), "{stderr}");
    assert!(stderr.ends_with("(in the environment --admin-token is BOXOFFICE_ADMIN_TOKEN)\n"), "{stderr}");
}

#[test]
fn an_address_that_leads_nowhere_is_refused_without_its_password() {
    let wrong =
        ["--redis-url=http://user:hush@redis", "--kafka-bootstrap-servers=k", "--admin-token=t", "--log=off"];
    let failed = run(&[&["--service=tickets/main"][..], &wrong].concat());
    let stderr = text(&failed.stderr);
    assert_eq!((failed.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("write redis://host:6379") && stderr.contains("BOXOFFICE_REDIS_URL"), "{stderr}");
    assert!(!stderr.contains("hush"), "{stderr}");
}

#[test]
fn what_no_sale_can_go_on_with_is_refused_by_option_and_variable() {
    for (wrong, variable) in [
        ("--kafka-bootstrap-servers=kafka:99999", "BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS"),
        ("--allow-origins=*", "BOXOFFICE_ALLOW_ORIGINS"),
        ("--outbox-high-watermark=0", "BOXOFFICE_OUTBOX_HIGH_WATERMARK"),
        ("--max-body-bytes=0", "BOXOFFICE_MAX_BODY_BYTES"),
        ("--drain-seconds=18446744073709551615", "BOXOFFICE_DRAIN_SECONDS"),
    ] {
        let given = ["--service=tickets/main", "--redis-url=redis://127.0.0.1:1", "--admin-token=t"];
        let brokers: &[&str] =
            if wrong.contains("bootstrap") { &[] } else { &["--kafka-bootstrap-servers=k"] };
        let failed = run(&[&given[..], brokers, &[wrong]].concat());
        let stderr = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(2), "{wrong}: {stderr}");
        assert!(stderr.contains(variable), "{wrong}: {stderr}");
    }
}
