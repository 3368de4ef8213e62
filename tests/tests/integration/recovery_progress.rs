//! A recovery goes on where it was: Redis comes back without its last second, and from then on a command worker dies every
//! few seconds.
#![expect(clippy::print_stderr, reason = "the figure is of interest also where the test passes")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use boxoffice_domain::SeatingEventId;
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::servers::{self, Server};
use boxoffice_tests::wait::until;
use futures::future::join_all;
use reqwest::Client;
use serde_json::json;

/// Shows on sale, on as many partitions as there are.
const SHOWS: usize = 24;
const PARTITIONS: u32 = 6;
/// How long both workers live before one of them dies.
const LIFE: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_every_show_sells_again_while_one_worker_after_the_other_is_killed() {
    let mut redis = Server::start(RedisKind::every_second()).await.unwrap();
    let kafka = servers::kafka();
    let topic = servers::topic("seat-events", PARTITIONS).await;
    let service = servers::service("progress");
    let start = || CommandWorker::start(&service, &redis.address(), &kafka, &topic).unwrap();
    let mut workers = [start(), start()];
    for worker in &mut workers {
        worker.ready().await.unwrap();
    }
    let shows: Vec<SeatingEventId> =
        (0..SHOWS).map(|number| servers::unique(&format!("show-{number}")).parse().unwrap()).collect();
    let definition = json!({
        "title": "Tonight", "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 100}]
    });
    let client = Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap();
    let urls = [workers[0].http.clone(), workers[1].http.clone()];
    for show in &shows {
        workers[0].provision(show, &definition).await.unwrap();
    }
    join_all(shows.iter().map(|show| sold(&client, &urls, show, 1))).await;

    redis.kill();
    redis.restart().await.unwrap();
    let (back, left) = (Instant::now(), Arc::new(AtomicUsize::new(SHOWS)));
    let selling = join_all(shows.iter().map(|show| async {
        sold(&client, &urls, show, 2).await;
        left.fetch_sub(1, SeqCst);
        back.elapsed()
    }));
    let killing = async {
        for turn in 0.. {
            tokio::time::sleep(LIFE).await;
            if left.load(SeqCst) == 0 {
                return turn;
            }
            workers[turn % 2].restart().unwrap();
        }
        0
    };
    let (pauses, kills) = tokio::join!(selling, killing);
    eprintln!("the last show sold again after {:?}, with {kills} kills", pauses.iter().max());
    for worker in &mut workers {
        worker.ready().await.unwrap();
    }
    join_all(shows.iter().map(|show| sold(&client, &urls, show, 3))).await;
}

/// Holds and reserves a place, acknowledged by the log, whoever of both answers.
async fn sold(client: &Client, urls: &[String; 2], show: &SeatingEventId, place: u32) {
    for verb in ["hold", "reserve"] {
        until("the show is sold", async || {
            for url in urls {
                let post = client.post(format!("{url}/seats/{show}.FLOOR-{place}/{verb}"));
                let answer = post.header("x-user-id", "alice").send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }
}
