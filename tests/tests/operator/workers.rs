//! The played command workers keep the contract of the real one.

use boxoffice_tests::command_worker::{CommandWorker, TOKEN};
use boxoffice_tests::contract::admin::Admin;
use boxoffice_tests::contract::check_declaring;
use boxoffice_tests::doubles::admin::CommandWorkers;
use boxoffice_tests::servers::{kafka, redis_url, service, topic};

#[tokio::test]
async fn played_command_workers_do_as_the_real_one_does() {
    let workers = CommandWorkers::start().await;
    workers.admit("tickets", "main", &[TOKEN]);
    let url = workers.url("tickets", "main");
    kept(&url, &url).await;
}

#[tokio::test]
async fn the_real_one_does_as_the_played_ones() {
    let (name, topic) = (service("declaring"), topic("declaring", 1).await);
    let mut worker = CommandWorker::start(&name, &redis_url(), &kafka(), &topic).unwrap();
    worker.ready().await.unwrap();
    kept(&worker.http, &worker.admin).await;
}

async fn kept(buyers: &str, admin: &str) {
    let [command, query] = [buyers; 2].map(str::to_owned);
    let [url, figures] = [admin; 2].map(str::to_owned);
    let admin = Admin { command, query, url, figures, token: Some(TOKEN.to_owned()) };
    assert!(check_declaring(&admin).await.close());
}
