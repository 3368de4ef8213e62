//! Many shows: what a restarted operator does, what a change does before it is given, silence, and moments.

use std::time::{Duration, Instant};

use boxoffice_crds::seating_event::Phase;
use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::doubles::admin::Manner;
use boxoffice_tests::wait::until;
use futures::StreamExt;
use reqwest::Method;
use serde_json::json;

use crate::support::{SOON, Stage, now, show};

const SHOWS: usize = 20;

fn name(number: usize) -> String {
    format!("show-{number}")
}

/// With its shows on sale.
async fn house(hint: &str, shows: usize) -> Stage {
    let stage = Stage::open(hint).await;
    stage.service("main").await;
    for number in 0..shows {
        stage.plane.apply::<SeatingEvent>(&stage.namespace, &show("main", &name(number))).await.unwrap();
    }
    for number in 0..shows {
        stage.plane.ready::<SeatingEvent>(&stage.namespace, &name(number)).await;
    }
    stage
}

/// How often the list of the service was asked for.
fn lists(stage: &Stage) -> usize {
    let calls = stage.workers.calls(&stage.namespace, "main");
    calls.iter().filter(|call| call.path == "/admin/events" && call.status == Some(200)).count()
}

async fn asked_again(stage: &Stage) {
    let before = lists(stage);
    until("the service is asked twice more", async || (lists(stage) >= before + 2).then_some(())).await;
}

#[tokio::test]
async fn a_restarted_operator_gives_nothing_reads_nothing_and_writes_nothing() {
    let mut stage = house("restart", SHOWS).await;
    asked_again(&stage).await;
    let (given, mark) = (stage.workers.count(&Method::PUT), stage.operator.audit.mark());
    stage.operator.restart().await;
    asked_again(&stage).await;
    assert_eq!(stage.workers.count(&Method::PUT), given);
    let calls = stage.operator.audit.since(mark);
    let of_shows = calls.iter().filter(|call| call.resource.starts_with("seatingevents"));
    let of_shows: Vec<_> = of_shows.filter(|call| !["list", "watch"].contains(&call.verb.as_str())).collect();
    assert!(of_shows.is_empty(), "{of_shows:#?}");

    // What changed while nobody looked is given.
    stage.operator.process.kill();
    let change = json!({"spec": {"title": "Another title"}});
    stage.plane.patch::<SeatingEvent>(&stage.namespace, &name(0), &change).await.unwrap();
    stage.operator.restart().await;
    stage.plane.ready::<SeatingEvent>(&stage.namespace, &name(0)).await;
    assert_eq!(stage.workers.count(&Method::PUT), given + 1);
}

#[tokio::test]
async fn a_change_of_the_seats_stands_in_the_status_before_it_is_given() {
    let stage = house("plan", 1).await;
    let (namespace, name) = (stage.namespace.as_str(), name(0));
    stage.workers.sell(namespace, "main", &name, 1).await.unwrap();
    let mut shown = Box::pin(stage.plane.follow::<SeatingEvent>(namespace));
    let sections = json!([
        {"id": "A", "priceCategory": "gold", "rows": [{"rows": "3-4", "seats": "1-20"}]},
        {"id": "FLOOR", "priceCategory": "gold", "capacity": 50}
    ]);
    let change =
        json!({"spec": {"sections": sections, "blocked": [{"seats": ["FLOOR-1"], "reason": "rain"}]}});
    let changed = stage.plane.patch::<SeatingEvent>(namespace, &name, &change).await.unwrap();
    let first = async {
        loop {
            let object = shown.next().await.unwrap();
            if !object.data["status"]["plan"].is_null() {
                return object;
            }
        }
    };
    let first = tokio::time::timeout(SOON, first).await.unwrap();
    let (plan, observed) = (&first.data["status"]["plan"], &first.data["status"]["observedGeneration"]);
    assert_eq!(plan["generation"], json!(changed.metadata.generation), "{plan:#}");
    assert!(observed.as_i64() < changed.metadata.generation, "it was given already");
    assert_eq!((&plan["added"]["count"], &plan["removed"]["count"]), (&json!(40), &json!(40)), "{plan:#}");
    assert_eq!(plan["blocked"]["seats"], json!([format!("{name}.FLOOR-1")]));
    assert_eq!(plan["refused"][0]["reason"], "RESERVED", "{plan:#}");
    stage.plane.not_ready::<SeatingEvent>(namespace, &name, "SeatMapConflict").await;

    let change = json!({"spec": {"sections": show("main", &name)["spec"]["sections"], "blocked": null}});
    stage.plane.patch::<SeatingEvent>(namespace, &name, &change).await.unwrap();
    stage.plane.ready::<SeatingEvent>(namespace, &name).await;
    let status = stage.plane.get::<SeatingEvent>(namespace, &name).await.unwrap().status.unwrap();
    assert_eq!(status.plan, None, "nothing is changed any more");
}

#[tokio::test]
async fn a_service_that_is_silent_says_it_once_for_all_its_shows() {
    let stage = house("silence", 3).await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    asked_again(&stage).await;
    let answers = async |status, reason| {
        // Half a minute of silence, a question before and one after it that hang, and the service's own turn.
        let patience = Duration::from_secs(80);
        plane
            .condition::<ReservationService>(namespace, "main", "CommandAnswers", status, reason, patience)
            .await
    };
    answers("True", None).await;
    let (began, mark) = (Instant::now(), stage.operator.audit.mark());
    stage.workers.take(namespace, "main", Manner::Hangs);
    answers("False", Some("CommandSilent")).await;
    assert!(began.elapsed() > Duration::from_secs(25), "{:?}", began.elapsed());
    for number in 0..3 {
        plane.not_ready::<SeatingEvent>(namespace, &name(number), "ServiceSilent").await;
    }
    let turned = stage.operator.audit.writes(mark);
    let turned = turned.iter().filter(|call| call.resource == "seatingevents.boxoffice.dev/status").count();
    assert_eq!(turned, 3, "each show turns once");
    stage.workers.take(namespace, "main", Manner::Answers);
    for number in 0..3 {
        plane.ready::<SeatingEvent>(namespace, &name(number)).await;
    }
    answers("True", None).await;
    assert_eq!(plane.events::<ReservationService>(namespace, "CommandSilent").await.len(), 1);
    assert_eq!(plane.events::<SeatingEvent>(namespace, "ServiceSilent").await, []);
}

#[tokio::test]
async fn sales_are_seen_to_open_and_close_at_their_moment() {
    let stage = house("moments", 0).await;
    let begun = now();
    let [opens, closes] = [15, 25].map(|seconds| begun + jiff::Span::new().seconds(seconds));
    let mut resource = show("main", "matinee");
    resource["spec"]["sales"] = json!({"opensAt": opens.to_string(), "closesAt": closes.to_string()});
    stage.plane.apply::<SeatingEvent>(&stage.namespace, &resource).await.unwrap();
    for (phase, moment) in
        [(Phase::Scheduled, None), (Phase::OnSale, Some(opens)), (Phase::Closed, Some(closes))]
    {
        until(&format!("it is {phase:?}"), async || {
            let show = stage.plane.get::<SeatingEvent>(&stage.namespace, "matinee").await?;
            (show.status?.phase == Some(phase)).then_some(())
        })
        .await;
        if let Some(moment) = moment {
            let late = now().duration_since(moment);
            assert!(late.as_secs() < 4, "{phase:?} was seen {late:?} late");
        }
    }
}
