//! Everybody comes at one moment: on every port whoever opens a connection finds room, though the process is not looking
//! just then, and is answered when it does.

use std::net::SocketAddr;

use boxoffice_runtime::http::{allow_open_files, system_backlog};
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{database, free_port, kafka, redis_url, service, topic};
use boxoffice_tests::wait::{PATIENCE, until};
use futures::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::local_support::{EXAMPLES, Local};

const CROWD: usize = 2000;

/// A crowd comes to `addr` while the process is frozen: nobody is accepted, and whoever finds no room would wait for as
/// long as that lasts. All are answered when it goes on.
async fn takes_a_crowd(process: &mut Process, addr: SocketAddr, path: &str) {
    allow_open_files();
    let crowd = system_backlog().map_or(CROWD, |backlog| CROWD.min(backlog as usize));
    process.pause();
    let opened = timeout(PATIENCE, join_all((0..crowd).map(|_| TcpStream::connect(addr)))).await;
    process.resume();
    let connections = opened.unwrap_or_else(|_| panic!("not everybody finds room at {addr}"));
    let asked = connections.into_iter().map(async |connection| {
        let mut connection = connection.unwrap();
        ask(&mut connection, path).await
    });
    let answers = timeout(PATIENCE, join_all(asked)).await.unwrap();
    let answered = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 "));
    assert_eq!(answered.count(), crowd, "of {crowd} at {addr}");
}

/// Sends a request, and reads until the server closes.
async fn ask(connection: &mut TcpStream, path: &str) -> String {
    let host = connection.peer_addr().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_command_worker_takes_a_crowd_on_each_port() {
    let topic = topic("seat-events", 1).await;
    let mut worker = CommandWorker::start(&service("door"), &redis_url(), &kafka(), &topic).unwrap();
    worker.ready().await.unwrap();
    let ports = [(&worker.http, "/"), (&worker.admin, "/admin/events"), (&worker.watched, "/healthz")];
    for (url, path) in ports {
        takes_a_crowd(&mut worker.process, address(url), path).await;
    }
}

#[tokio::test]
async fn a_query_worker_takes_a_crowd_on_each_port() {
    let (database, topic, stats) = (database("view").await, topic("door", 1).await, topic("stats", 1).await);
    let [http, admin, metrics] = [(); 3].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port().unwrap())));
    let environment = [
        ("BOXOFFICE_SERVICE", service("query")),
        ("BOXOFFICE_ADMIN_ADDR", admin.to_string()),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
        ("BOXOFFICE_HTTP_ADDR", http.to_string()),
        ("BOXOFFICE_METRICS_ADDR", metrics.to_string()),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka()),
        ("BOXOFFICE_KAFKA_TOPIC", topic),
        ("BOXOFFICE_KAFKA_STATS_TOPIC", stats),
        ("BOXOFFICE_DATABASE_URL", database.url.clone()),
    ];
    let mut process = Process::start("boxoffice-query", environment).unwrap();
    process.ready(&format!("http://{metrics}/healthz")).await.unwrap();
    takes_a_crowd(&mut process, http, "/events").await;
    takes_a_crowd(&mut process, metrics, "/healthz").await;
}

#[tokio::test]
async fn boxoffice_local_takes_a_crowd() {
    let arguments = ["local", "-f", EXAMPLES, "--port", "0"].map(str::to_owned);
    let mut local = Local::start(arguments.to_vec()).await;
    let addr = address(&local.url);
    takes_a_crowd(&mut local.process, addr, "/events").await;
    local.close().await;
}

#[tokio::test]
async fn a_process_that_may_open_no_more_files_accepts_again_when_some_are_closed() {
    let arguments = ["local", "-f", EXAMPLES, "--port", "0"].map(str::to_owned);
    let mut local = Local::start(arguments.to_vec()).await;
    let addr = address(&local.url);
    let id = local.process.id();
    let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count() as u64;
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let few = Rlimit { current: Some(open + 10), maximum: Some(open + 10) };
    prlimit(pid, Resource::Nofile, few).unwrap();

    let mut silent = vec![];
    for _ in 0..40 {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    local.process.says("connections cannot be accepted").await.unwrap();
    drop(silent);
    until("it accepts again", async || {
        let mut connection = TcpStream::connect(addr).await.ok()?;
        let asked = timeout(PATIENCE, ask(&mut connection, "/events")).await.ok()?;
        asked.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    local.close().await;
}
