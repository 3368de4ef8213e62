//! `boxoffice local` follows its files: what is sound takes effect, what is not changes nothing.

use boxoffice_tests::wait::until;
use serde_json::json;

use crate::local_support::{House, SERVICE, show};

#[tokio::test]
async fn a_seating_event_is_added() {
    let house = House::with(&["arena"]);
    let mut local = house.open().await;
    assert_eq!(local.post("/seats/club.A-1-1/hold", "alice").await.0, 404);
    house.declare(&show("club"));
    local.until_held("club.A-1-1", 200).await;
    local.process.says("club: 90 seats,").await.unwrap();
    until("readers see it", async || (local.get("/events/club").await.0 == 200).then_some(())).await;
    local.close().await;
}

#[tokio::test]
async fn sales_are_paused_and_go_on() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    local.until_held("arena.A-1-1", 200).await;
    let mut paused = show("arena");
    paused["spec"]["sales"] = json!({"paused": true});
    house.declare(&paused);
    let refused = local.until_held("arena.A-1-2", 409).await;
    assert_eq!(refused["code"], "SALES_PAUSED", "{refused}");
    let (status, reserved) = local.post("/seats/arena.A-1-1/reserve", "the-patient-one").await;
    assert_eq!(status, 200, "a hold outlives the pause: {reserved}");
    house.declare(&show("arena"));
    local.until_held("arena.A-1-2", 200).await;
    local.close().await;
}

#[tokio::test]
async fn a_section_grows_and_shrinks_once_nobody_has_what_it_loses() {
    let house = House::with(&["arena"]);
    let mut local = house.open().await;
    local.sell("arena.A-2-20", "alice").await;
    let mut grown = show("arena");
    grown["spec"]["sections"][0]["rows"][0]["seats"] = "1-22".into();
    house.declare(&grown);
    local.until_held("arena.A-2-22", 200).await;
    let mut shrunk = show("arena");
    shrunk["spec"]["sections"][0]["rows"][0]["seats"] = "1-19".into();
    house.declare(&shrunk);
    local.process.says("arena: all but its seat map is as declared").await.unwrap();
    local.process.says("A-2-20 RESERVED, A-2-22 HELD").await.unwrap();
    for (seat, user) in [("arena.A-2-20", "alice"), ("arena.A-2-22", "the-patient-one")] {
        local.until_held("arena.A-1-22", 200).await;
        assert_eq!(local.post("/seats/arena.A-1-22/release", "the-patient-one").await.0, 200);
        assert_eq!(local.post(&format!("/seats/{seat}/release"), user).await.0, 200);
    }
    local.until_held("arena.A-1-22", 404).await;
    local.close().await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let house = House::with(&["arena"]);
    let mut local = house.open().await;
    let sound = std::fs::read_to_string(house.file("arena.yaml")).unwrap();
    let broken = sound.replace("title: A show of the tests", "title: 7\n  seats: many");
    let line = 1 + broken.lines().position(|line| line.contains("seats: many")).unwrap();
    house.write("arena.yaml", &broken);
    // A sound change beside it waits too: files count together.
    house.declare(&show("club"));
    local.process.says(&format!("arena.yaml:{line}: ")).await.unwrap();
    local.process.says("everything stays as it was until the files are sound").await.unwrap();
    assert_eq!(local.post("/seats/club.A-1-1/hold", "alice").await.0, 404);
    local.sell("arena.A-1-1", "alice").await;
    house.write("arena.yaml", &sound);
    local.until_held("club.A-1-1", 200).await;
    local.close().await;
}

#[tokio::test]
async fn a_seating_event_that_goes_closes_its_sales_and_comes_back_with_its_seats() {
    let house = House::with(&["arena", "club"]);
    let mut local = house.open().await;
    let reservation = local.sell("arena.A-1-1", "alice").await;
    std::fs::remove_file(house.file("arena.yaml")).unwrap();
    let refused = local.until_held("arena.A-1-2", 409).await;
    assert_eq!(refused["code"], "SALES_CLOSED", "{refused}");
    local.process.says("arena: no longer declared, its sales are closed and its seats kept").await.unwrap();
    until("readers no longer see it", async || (local.get("/events/arena").await.0 == 404).then_some(()))
        .await;
    local.until_held("club.A-1-1", 200).await;

    house.declare(&show("arena"));
    local.until_held("arena.A-1-2", 200).await;
    let (status, again) = local.post("/seats/arena.A-1-1/reserve", "alice").await;
    assert_eq!((status, &again["reservationId"]), (200, &reservation), "{again}");
    until("readers see what was sold", async || {
        (local.get("/seats/arena.A-1-1").await.1["status"] == "RESERVED").then_some(())
    })
    .await;
    local.close().await;
}

#[tokio::test]
async fn a_changed_service_starts_its_roles_anew_on_the_same_port_with_its_data() {
    let house = House::with(&["arena"]);
    let mut local = house.open().await;
    let reservation = local.sell("arena.A-1-1", "alice").await;
    let hold = json!({"seats": ["arena.A-1-2"], "padding": " ".repeat(2_000)}).to_string();
    let long_request = async || {
        let request =
            local.request(reqwest::Method::POST, "/events/arena/holds").header("x-user-id", "alice");
        let request = request.header("content-type", "application/json").body(hold.clone());
        request.send().await.ok().map(|answer| answer.status().as_u16())
    };
    assert_eq!(long_request().await, Some(400), "it is not too long, but has a field that nobody knows");
    let service = std::fs::read_to_string(house.file(SERVICE)).unwrap();
    house.write(SERVICE, &format!("{service}  limits: {{maxBodyBytes: 1024}}\n"));
    until("the limit is another one", async || (long_request().await? == 413).then_some(())).await;
    local.process.says("the ReservationService changed: its roles start anew").await.unwrap();

    let (status, again) = local.post("/seats/arena.A-1-1/reserve", "alice").await;
    assert_eq!((status, &again["reservationId"]), (200, &reservation), "{again}");
    until("readers see what was sold", async || {
        let (status, seat) = local.get("/seats/arena.A-1-1").await;
        (status == 200 && seat["status"] == "RESERVED").then_some(())
    })
    .await;
    local.sell("arena.A-1-3", "alice").await;
    // The files are still followed.
    house.declare(&show("club"));
    local.until_held("club.A-1-1", 200).await;
    local.close().await;
}
