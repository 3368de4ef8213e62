//! The harness itself: what it starts can be crashed and comes back, and what it made goes away.

use std::time::Duration;

use boxoffice_tests::servers::{Postgres, Redis, Server, database, redis_url, topic};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn a_redis_that_was_killed_comes_back_with_what_it_appended() {
    let mut server = Server::start(Redis { append_only: true }).await.unwrap();
    let address = server.address();
    connect(&address).await.unwrap().set::<_, _, ()>("seat", "held").await.unwrap();
    server.kill();
    assert!(connect(&address).await.is_err(), "it is down");
    server.restart().await.unwrap();
    assert_eq!(server.address(), address);
    assert_eq!(connect(&address).await.unwrap().get::<_, String>("seat").await.unwrap(), "held");
}

#[tokio::test]
async fn a_server_ends_with_its_handle() {
    let server = Server::start(Redis::default()).await.unwrap();
    let address = server.address();
    drop(server);
    assert!(connect(&address).await.is_err(), "it is gone");
}

#[tokio::test]
async fn a_frozen_server_answers_when_it_is_resumed() {
    let mut server = Server::start(Postgres::default()).await.unwrap();
    server.pause();
    let connecting = PgConnection::connect(&format!("{}/postgres", server.address()));
    let mut connecting = std::pin::pin!(connecting);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut connecting).await;
    assert!(early.is_err(), "it does not answer");
    server.resume();
    connecting.await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_goes_with_its_handle() {
    let database = database("harness").await;
    let url = database.url.clone();
    PgConnection::connect(&url).await.unwrap();
    drop(database);
    assert!(PgConnection::connect(&url).await.is_err(), "it is dropped");
}

#[tokio::test]
async fn shared_servers_answer_and_names_are_ones_own() {
    connect(&redis_url()).await.unwrap();
    assert_ne!(topic("harness", 1).await, topic("harness", 1).await);
}

async fn connect(address: &str) -> redis::RedisResult<MultiplexedConnection> {
    redis::Client::open(address)?.get_multiplexed_async_connection().await
}
