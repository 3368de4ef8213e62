//! The newest snapshot of a SeatingEvent as people see it: by the admin API and from a terminal.

use boxoffice_tests::command_worker::{CommandWorker, TOKEN};
use boxoffice_tests::process::run;
use boxoffice_tests::servers::{kafka, redis_url, service, topic, unique};
use boxoffice_tests::wait::until;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::local_support::{BOXOFFICE, House};

/// Runs `boxoffice snapshot`; its exit code, what it printed, and its complaint.
async fn snapshot(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(BOXOFFICE, [&["snapshot"], arguments].concat()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_shown_once_sales_are_closed() {
    let topic = topic("seat-events", 2).await;
    let mut worker = CommandWorker::start(&service("shown"), &redis_url(), &kafka(), &topic).unwrap();
    worker.ready().await.unwrap();
    let event = unique("arena").parse().unwrap();
    let definition = json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 10}]
    });
    worker.provision(&event, &definition).await.unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    for verb in ["hold", "reserve"] {
        let post = client.post(format!("{}/seats/{event}.FLOOR-1/{verb}", worker.http));
        let answer = post.header("x-user-id", "alice").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{verb}");
    }
    let (event, at) = (event.as_str(), ["--admin-url", &worker.admin, "--admin-token", TOKEN]);
    let (code, told, complained) = snapshot(&[&[event], &at[..]].concat()).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(
        complained.contains("SNAPSHOT_NOT_FOUND") && complained.contains("closed for good"),
        "{complained}"
    );

    let url = format!("{}/admin/events/{event}", worker.admin);
    assert_eq!(client.delete(&url).bearer_auth(TOKEN).send().await.unwrap().status(), StatusCode::OK);
    let body: Value = until("it has a snapshot", async || {
        let answer = client.get(format!("{url}/snapshot")).bearer_auth(TOKEN).send().await.ok()?;
        if answer.status() == StatusCode::OK { answer.json().await.ok() } else { None }
    })
    .await;
    assert_eq!((&body["eventId"], &body["sale"]["closed"]), (&json!(event), &json!(true)), "{body}");
    assert_eq!(body["seats"]["FLOOR-1"]["status"], "RESERVED");

    let (code, told, complained) = snapshot(&[&[event], &at[..]].concat()).await;
    assert_eq!(code, Some(0), "{complained}");
    assert!(told.contains("seats         10: 9 available, 0 held, 1 reserved, 0 blocked"), "{told}");
    let (_, told, _) = snapshot(&[&[event, "--json"], &at[..]].concat()).await;
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), body);
    assert_eq!(
        client.get(format!("{url}/snapshot")).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn one_process_says_that_it_keeps_none() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let (code, _, complained) = snapshot(&["arena", "--command-url", &local.url]).await;
    assert_eq!(code, Some(1));
    assert!(complained.contains("SNAPSHOT_NOT_FOUND: no snapshots are kept here"), "{complained}");
    local.close().await;
}
