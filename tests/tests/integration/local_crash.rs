//! `boxoffice local` is killed again and again while seats are sold: nothing acknowledged is lost, no seat has two
//! owners, nothing happens by halves. `make soak` runs it at full length; `BOXOFFICE_CRASH_SEED` repeats the choices of
//! a run.

use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{Envelope, SeatId, SeatingEventId};
use boxoffice_runtime::clock;
use boxoffice_tests::audit::{Answer, Audit, HoldSeen, Request, ShownSeats};
use boxoffice_tests::crash::buyers::{Buyer, BuyerClaim, Market, reservations, share_out};
use boxoffice_tests::crash::{ROUNDS, SEED, setting};
use boxoffice_tests::wait::until;
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::local_support::{House, Local, show};

const EVENT: &str = "arena";
const BUYERS: usize = 6;
/// How often it is killed where nothing else is said.
const FEW_ROUNDS: u32 = 5;

#[tokio::test]
async fn i1_i2_i3_i7_kill_9_under_load_loses_nothing_and_doubles_nothing() {
    let rounds = setting(ROUNDS).unwrap_or(FEW_ROUNDS);
    let seed = setting(SEED).unwrap_or_else(|| fastrand::u64(..));
    println!("{SEED}={seed} repeats the choices of this run");
    let mut random = Rng::with_seed(seed);

    let house = House::new();
    let mut arena = show(EVENT);
    arena["spec"]["hold"] = json!({"ttlSeconds": 2, "maxSeconds": 5});
    arena["spec"]["sections"][0]["rows"][0]["rows"] = "1-13".into();
    arena["spec"]["sections"][1]["capacity"] = 40.into();
    house.declare(&arena);

    let mut local = house.open().await;
    let mut requests = vec![];
    let mut buyers: Vec<_> = (0..BUYERS).map(|_| Buyer::new(random.fork())).collect();
    for round in 1..=rounds {
        let asked = until_killed(&mut local, &mut random, &mut buyers).await;
        local = house.open().await;
        let holds = holds_as_seen(&local, &asked).await;
        requests.extend(asked);
        // The map first: the log is never behind it.
        let map = shown_in_full(&local).await;
        let audit = Audit::of(&event(), records(&local).await, &requests, &[]);
        let mut findings = audit.findings.clone();
        findings.extend(holds.iter().filter_map(|seen| audit.holds_as_seen(seen)));
        findings.extend(audit.compare(&map));
        let claims = reservations(&audit.state);
        for claim in &claims {
            findings.extend(lost(&local, claim).await);
        }
        share_out(claims, &mut buyers);
        assert!(
            findings.is_empty(),
            "round {round} of {SEED}={seed}, after {} requests and {} domain events:\n{}\n{}",
            requests.len(),
            audit.facts.len(),
            findings.join("\n"),
            local.process.log()
        );
    }
    let count = |kind: fn(&Answer) -> bool| requests.iter().filter(|request| kind(&request.answer)).count();
    let sold = count(|answer| matches!(answer, Answer::Reserved { .. }));
    let cut_off = count(|answer| matches!(answer, Answer::Unknown));
    println!("{rounds} rounds, {} requests: {sold} sold something, {cut_off} were cut off", requests.len());
    assert!(sold > 0 && cut_off > 0, "nothing was tried");
    local.close().await;
}

fn event() -> SeatingEventId {
    EVENT.parse().unwrap()
}

/// Buyers buy, until at some moment it is killed.
async fn until_killed(local: &mut Local, random: &mut Rng, buyers: &mut [Buyer]) -> Vec<Request> {
    let seats: Vec<SeatId> = shown(local).await.seats.into_keys().collect();
    let mut market = Market::new(vec![local.url.clone()], event(), seats, "FLOOR");
    market.with_keys = true;
    let moment = Duration::from_millis(random.u64(200..=1_500));
    let killed = async {
        // The one wait by the clock: when it happens is what is tried.
        sleep(moment).await;
        local.process.kill();
        market.close();
    };
    let (requests, ()) = tokio::join!(market.trade(buyers), killed);
    requests
}

/// Asks at once for every hold that was acknowledged: most of them live only a moment longer.
async fn holds_as_seen(local: &Local, asked: &[Request]) -> Vec<HoldSeen> {
    let mut seen = vec![];
    for request in asked {
        let Answer::Held { hold, .. } = &request.answer else { continue };
        let before = clock::now();
        let (status, body) =
            local.command(Method::GET, &format!("/holds/{hold}"), request.user.as_str()).await;
        seen.push(HoldSeen {
            hold: hold.clone(),
            between: (before, clock::now()),
            expires_at: body["expiresAt"].as_u64().filter(|_| status == 200),
            code: body["code"].as_str().map(str::to_owned),
        });
    }
    seen
}

/// Sequence of the last domain event that the store has written.
async fn written(local: &Local) -> u64 {
    let (status, inventory) = local.get(&format!("/admin/events/{EVENT}")).await;
    assert_eq!(status, 200, "{inventory}");
    inventory["sequence"].as_u64().unwrap()
}

/// The domain events on the log, once it has all that the store has written.
async fn records(local: &Local) -> Vec<Envelope> {
    let written = written(local).await;
    until("the log has every domain event", async || {
        let path = format!("/admin/log?from=earliest&follow=false&event={EVENT}");
        let lines = local.request(Method::GET, &path).send().await.ok()?.text().await.ok()?;
        let parsed = lines.lines().map(|line| parse(line.as_bytes()).unwrap());
        let envelopes = parsed.filter_map(|incoming| match incoming {
            Incoming::Known(envelope) => envelope.metadata.sequence.map(|sequence| (sequence, envelope)),
            Incoming::Unknown(_) => None,
        });
        let (sequences, records): (Vec<_>, Vec<_>) = envelopes.unzip();
        (sequences.into_iter().max()? >= written).then_some(records)
    })
    .await
}

/// The seat map, once it has all that the store has written.
async fn shown_in_full(local: &Local) -> ShownSeats {
    let written = written(local).await;
    until("readers see every domain event", async || {
        let map = shown(local).await;
        (map.sequence >= written).then_some(map)
    })
    .await
}

/// The seat map.
async fn shown(local: &Local) -> ShownSeats {
    let (status, map) = local.get(&format!("/events/{EVENT}/seats")).await;
    assert_eq!(status, 200, "{map}");
    let text = |seat: &Value, field: &str| seat[field].as_str().unwrap().to_owned();
    let seats = map["seats"].as_array().unwrap().iter();
    let seats = seats.map(|seat| (text(seat, "seatId").parse().unwrap(), text(seat, "status"))).collect();
    ShownSeats { sequence: map["sequence"].as_u64().unwrap(), seats }
}

/// What is wrong with a reservation that nobody gave back, as its owner sees it.
async fn lost(local: &Local, claim: &BuyerClaim) -> Vec<String> {
    let BuyerClaim::Reservation { user, reservation, seats } = claim else { return vec![] };
    let mut findings = vec![];
    for seat in seats {
        let (status, again) = local.post(&format!("/seats/{seat}/reserve"), user.as_str()).await;
        if (status, again["reservationId"].as_str()) != (200, Some(reservation.to_string().as_str())) {
            findings.push(format!("I7: {seat} of {user}'s {reservation} is answered {status} {again}"));
        }
        let request =
            local.request(Method::GET, &format!("/seats/{seat}")).header("x-user-id", user.as_str());
        let shown: Value = request.send().await.unwrap().json().await.unwrap();
        if (&shown["status"], &shown["mine"]) != (&json!("RESERVED"), &json!(true)) {
            findings.push(format!("I7: {seat} of {user}'s {reservation} is shown as {shown}"));
        }
    }
    findings
}
