//! The contract on `boxoffice local`, and once more after a restart.

use boxoffice_tests::process::run;

use crate::local_support::{House, Local, show};

#[tokio::test]
async fn the_contract_is_kept_and_what_was_sold_survives_a_restart() {
    let house = House::new();
    let mut short = show("arena");
    short["spec"]["hold"] = serde_json::json!({"ttlSeconds": 4});
    house.declare(&short);
    let mut strict = show("strict");
    strict["spec"]["hold"] = serde_json::json!({"noSingleSeatGaps": "enforce"});
    house.declare(&strict);
    let memory = tempfile::NamedTempFile::new().unwrap();
    let memory = memory.path().to_str().unwrap();
    let local = house.open().await;
    contract(&local, &["--strict-event", "strict", "--admin-url", &local.url, "--remember", memory]).await;
    local.close().await;
    let local = house.open().await;
    contract(&local, &["--recall", memory]).await;
    local.close().await;
}

#[tokio::test]
async fn a_seating_event_with_long_holds_is_turned_down_by_the_contract_program() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let arguments = ["--command-url", &local.url, "--event", "arena"];
    let output = run("boxoffice-contract", arguments).await.unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert!(complained.contains("hold.ttlSeconds"), "{complained}");
    local.close().await;
}

/// Runs the program; every check has to pass.
async fn contract(local: &Local, more: &[&str]) {
    let arguments = [&["--command-url", &local.url, "--event", "arena"], more].concat();
    let output = run("boxoffice-contract", arguments).await.unwrap();
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{complained}{}", local.process.log());
    assert!(told.ends_with(" 0 failed\n"), "{told}");
}
