//! `boxoffice local` as a process: what it serves, what it says, and when it refuses to start.

use std::process::{Output, Stdio};

use boxoffice_tests::process::{command, run};
use boxoffice_tests::servers::free_port;
use boxoffice_tests::wait::PATIENCE;
use reqwest::{Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::local_support::{BOXOFFICE, EXAMPLES, House, Local, SERVICE, show};

fn local(arguments: &[&str]) -> Vec<String> {
    std::iter::once("local").chain(arguments.iter().copied()).map(str::to_owned).collect()
}

/// Exit code, standard output, standard error.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_examples_are_served_as_they_are() {
    let local = Local::start(local(&["-f", EXAMPLES, "--port", "0"])).await;
    let ready = format!("Box Office is ready: ReservationService tickets/main at {}", local.url);
    assert!(local.process.log().contains(&ready), "{}", local.process.log());
    let (status, events) = local.get("/events").await;
    let ids: Vec<_> =
        events.as_array().into_iter().flatten().map(|event| event["eventId"].as_str()).collect();
    let in_their_order = [Some("theatre"), Some("arena-night"), Some("stadium-final")];
    assert_eq!((status, ids.as_slice()), (200, in_their_order.as_slice()), "{events}");
    local.sell("arena-night.A-7-7", "alice").await;
    let (status, refused) = local.post("/seats/arena-night.A-7-7/hold", "bob").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
    local.close().await;
}

#[tokio::test]
async fn its_address_leads_to_everything_that_there_is() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let page = reqwest::get(&local.url).await.unwrap().text().await.unwrap();
    let named = page.split('"').filter(|part| part.starts_with('/') && part.len() > 1);
    let others = [
        "/ops",
        "/docs",
        "/command/docs",
        "/licenses",
        "/openapi.json",
        "/command/openapi.json",
        "/web.json",
    ];
    for path in named.chain(others).chain(["/events", "/metrics", "/readyz"]) {
        let answer = reqwest::get(format!("{}{path}", local.url)).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    local.close().await;
}

#[tokio::test]
async fn results_go_to_standard_output_and_findings_to_standard_error() {
    let house = House::with(&["arena"]);
    let mut command = tokio::process::Command::from(command(BOXOFFICE).unwrap());
    let command = command.args(house.arguments()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut complained = BufReader::new(child.stderr.take().unwrap()).lines();

    let ready = timeout(PATIENCE, told.next_line()).await.unwrap().unwrap().unwrap();
    assert!(
        ready.starts_with("Box Office is ready: ReservationService tickets/main at http://127.0.0.1:"),
        "{ready}"
    );
    let end = async {
        while let Some(line) = told.next_line().await.unwrap() {
            if line.ends_with("Ctrl-C ends it.") {
                return;
            }
        }
    };
    timeout(PATIENCE, end).await.unwrap();

    house.write(
        "broken.yaml",
        "apiVersion: boxoffice.dev/v1alpha1\nkind: SeatingEvent\nmetadata: {name: broken}\n",
    );
    let finding = timeout(PATIENCE, complained.next_line()).await.unwrap().unwrap().unwrap();
    assert!(finding.contains("broken.yaml:"), "{finding}");

    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let end = async {
        let mut last = String::new();
        while let Some(line) = told.next_line().await.unwrap() {
            last = line;
        }
        last
    };
    let last = timeout(PATIENCE, end).await.unwrap();
    assert!(last.contains(house.data().to_str().unwrap()), "where the data is: {last}");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn one_port_answers_buyers_operators_and_probes() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(local.get(path).await.0, 200, "{path}");
    }
    let (status, inventories) = local.get("/admin/events").await;
    assert_eq!((status, inventories[0]["eventId"].as_str()), (200, Some("arena")), "{inventories}");
    assert_eq!(inventories[0]["seats"]["available"], 90, "{inventories}");
    let metrics = local.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("boxoffice_http_requests_total"), "{metrics}");
    local.close().await;
}

#[tokio::test]
async fn admin_asks_for_the_token_that_was_given() {
    let house = House::with(&["arena"]);
    let local =
        Local::start([house.arguments(), vec!["--admin-token".into(), "open-sesame".into()]].concat()).await;
    for (token, status) in [(None, 401), (Some("guess"), 401), (Some("open-sesame"), 200)] {
        for path in ["/admin/events", "/admin/log?follow=false"] {
            let request = local.request(Method::GET, path);
            let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
            assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{path} with {token:?}");
        }
    }
    assert_eq!(local.get("/events").await.0, 200, "buyers need no token");
    local.close().await;
}

#[tokio::test]
async fn admin_is_closed_where_others_reach_the_port_and_no_token_was_given() {
    let house = House::with(&["arena"]);
    let local = Local::start([house.arguments(), vec!["--listen".into(), "0.0.0.0".into()]].concat()).await;
    for path in ["/admin/events", "/admin/log?follow=false"] {
        assert_eq!(local.get(path).await.0, 404, "{path}");
    }
    assert_eq!(local.get("/events").await.0, 200);
    local.close().await;
}

#[tokio::test]
async fn what_was_sold_survives_a_restart_and_what_has_no_data_dir_does_not() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let reservation = local.sell("arena.A-1-7", "alice").await;
    local.close().await;
    let local = house.open().await;
    let (status, again) = local.post("/seats/arena.A-1-7/reserve", "alice").await;
    assert_eq!((status, &again["reservationId"]), (200, &reservation), "{again}");
    local.close().await;

    let forgetful = || Local::start(house.without_data("0"));
    let local = forgetful().await;
    local.sell("arena.A-1-7", "bob").await;
    local.close().await;
    let local = forgetful().await;
    local.sell("arena.A-1-7", "carol").await;
    local.close().await;
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let (code, told, complained) = ended(run(BOXOFFICE, house.arguments()).await.unwrap());
    assert_eq!((code, told.as_str()), (Some(1), ""), "{complained}");
    assert!(complained.contains("is in use by another boxoffice"), "{complained}");
    assert!(complained.contains(house.data().to_str().unwrap()), "{complained}");
    local.sell("arena.A-1-7", "alice").await;
    local.close().await;
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let (_, port) = local.url.rsplit_once(':').unwrap();
    let (code, told, complained) = ended(run(BOXOFFICE, house.without_data(port)).await.unwrap());
    assert_eq!((code, told.as_str()), (Some(1), ""), "{complained}");
    assert!(complained.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{complained}");
    local.close().await;
}

#[tokio::test]
async fn files_that_are_not_sound_are_refused_with_every_finding() {
    let house = House::with(&["arena"]);
    let mut nameless = show("club");
    nameless["spec"]["title"] = "".into();
    nameless["spec"]["sections"][0]["priceCategory"] = "platinum".into();
    house.declare(&nameless);
    house.write("not.yaml", "kind: [\n");
    let (code, told, complained) = ended(run(BOXOFFICE, house.arguments()).await.unwrap());
    assert_eq!((code, told.as_str()), (Some(1), ""), "{complained}");
    for finding in ["club.yaml:", "spec.title", "priceCategory", "not.yaml:"] {
        assert!(complained.contains(finding), "{finding} is not in\n{complained}");
    }
    assert!(!house.data().exists(), "nothing was made");
}

#[tokio::test]
async fn nothing_to_run_is_refused_and_wrong_usage_is_told_apart() {
    let house = House::with(&["arena"]);
    std::fs::remove_file(house.file(SERVICE)).unwrap();
    let (code, _, complained) = ended(run(BOXOFFICE, house.arguments()).await.unwrap());
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains("declare no ReservationService"), "{complained}");
    let missing = house.file("nowhere.yaml");
    let (code, _, complained) =
        ended(run(BOXOFFICE, local(&["-f", missing.to_str().unwrap()])).await.unwrap());
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains("nowhere.yaml"), "{complained}");
    for wrong in [local(&[]), local(&["-f", EXAMPLES, "--port", "many"]), vec!["sell".to_owned()], vec![]] {
        let (code, _, complained) = ended(run(BOXOFFICE, wrong.clone()).await.unwrap());
        assert_eq!(code, Some(2), "{wrong:?}: {complained}");
    }
}

#[tokio::test]
async fn the_port_that_was_asked_for_is_taken() {
    let port = free_port().unwrap().to_string();
    let local = Local::start(local(&["-f", EXAMPLES, "--port", &port])).await;
    assert_eq!(local.url, format!("http://127.0.0.1:{port}"));
    local.close().await;
}
