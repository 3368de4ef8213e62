//! Against real connections on loopback, with the clock in the test's hand.

use axum::body::Body;
use axum::http::{Request, Version};
use axum::routing::{get, post};
use hyper_util::client::legacy::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::http::{allow_open_files, listen, system_backlog};

struct Served {
    addr: std::net::SocketAddr,
    stop: CancellationToken,
    end: JoinHandle<()>,
}

/// `/`, and `/slow`, which answers when it is told to.
fn open(slow: Arc<Notify>, drain: Duration) -> Served {
    let routes = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/read", post(|body: axum::body::Bytes| async move { body.len().to_string() }))
        .route(
            "/slow",
            get(move || async move {
                slow.notified().await;
                "done"
            }),
        );
    open_with(routes, drain)
}

fn open_with(routes: Router, drain: Duration) -> Served {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (addr, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let end = tokio::spawn(serve(listener, routes, stop.clone(), drain));
    Served { addr, stop, end }
}

fn opened() -> Served {
    open(Arc::default(), Duration::from_secs(20))
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn ends(self) {
        self.stop.cancel();
        self.end.await.unwrap();
    }
}

async fn send(connection: &mut TcpStream, text: &str) {
    connection.write_all(text.as_bytes()).await.unwrap();
}

/// Everything until the server closes.
async fn rest(mut connection: TcpStream) -> String {
    let mut all = Vec::new();
    // A connection that is closed with something unread is reset.
    let _ = connection.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

async fn answered(connection: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let byte = connection.read_u8().await.unwrap();
        read.push(byte);
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_request_in_progress_is_finished_before_serving_ends() {
    let slow = Arc::new(Notify::new());
    let served = open(Arc::clone(&slow), Duration::from_secs(20));
    let mut connection = served.connect().await;
    send(&mut connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answered(&mut connection, "here").await.starts_with("HTTP/1.1 200"));
    served.stop.cancel();
    slow.notify_one();
    assert!(rest(connection).await.ends_with("done"));
    served.ends().await;
}

#[tokio::test]
async fn what_is_asked_while_an_answer_is_made_is_answered_after_it() {
    let slow = Arc::new(Notify::new());
    let served = open(Arc::clone(&slow), Duration::from_secs(20));
    let mut connection = served.connect().await;
    send(&mut connection, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    send(&mut connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    slow.notify_one();
    answered(&mut connection, "done").await;
    answered(&mut connection, "here").await;
    served.ends().await;
}

/// Tells when it goes.
struct Going(Arc<Notify>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn nobody_works_for_a_client_that_has_left() {
    let (begun, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let work = {
        let (begun, gone) = (Arc::clone(&begun), Arc::clone(&gone));
        move || {
            begun.notify_one();
            Going(Arc::clone(&gone))
        }
    };
    let waits = work.clone();
    let waits = move || {
        let going = waits();
        async move {
            std::future::pending::<()>().await;
            drop(going);
        }
    };
    let streams = move || {
        let frames = futures::stream::unfold(work(), |going| async {
            std::future::pending::<()>().await;
            Some((Ok::<_, std::convert::Infallible>("frame"), going))
        });
        async { Body::from_stream(frames) }
    };
    let routes = Router::new().route("/waits", get(waits)).route("/streams", get(streams));
    let served = open_with(routes, Duration::from_secs(20));
    for path in ["/waits", "/streams"] {
        let mut connection = served.connect().await;
        send(&mut connection, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        begun.notified().await;
        drop(connection);
        tokio::time::timeout(Duration::from_secs(20), gone.notified()).await.expect(path);
    }
    served.ends().await;
}

#[tokio::test]
async fn a_crowd_at_one_moment_finds_room_though_nobody_is_accepted() {
    const CROWD: usize = 2000;
    allow_open_files();
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let room = system_backlog().map_or(CROWD, |backlog| CROWD.min(backlog as usize));
    // Whoever finds no room gets none for as long as nobody is accepted.
    let crowd = futures::future::join_all((0..room).map(|_| TcpStream::connect(addr)));
    let crowd = tokio::time::timeout(Duration::from_secs(20), crowd).await.expect("somebody finds no room");
    assert!(crowd.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn serving_ends_when_told_to_even_with_a_request_in_progress() {
    let served = opened();
    let mut connection = served.connect().await;
    send(&mut connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answered(&mut connection, "here").await;
    send(&mut connection, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    served.ends().await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let served = opened();
    let _silent = served.connect().await;
    let mut kept = served.connect().await;
    send(&mut kept, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answered(&mut kept, "here").await;
    served.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let served = opened();
    for begun in ["", "P", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut connection = served.connect().await;
        send(&mut connection, begun).await;
        let before = Instant::now();
        rest(connection).await;
        assert!(before.elapsed() >= FIRST_REQUEST, "{begun}");
    }
    served.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_more_is_closed_later() {
    let served = opened();
    let mut connection = served.connect().await;
    send(&mut connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answered(&mut connection, "here").await;
    let before = Instant::now();
    rest(connection).await;
    assert!(before.elapsed() >= NEXT_REQUEST);
    served.ends().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_a_large_body_is_not_its_business() {
    let served = opened();
    let large = "x".repeat(2 * MAX_HEAD_BYTES);
    let many = "x: y\r\n".repeat(101);
    for head in
        [format!("GET / HTTP/1.1\r\nhost: a\r\nx-large: {large}"), format!("GET / HTTP/1.1\r\n{many}\r\n")]
    {
        let mut connection = served.connect().await;
        // It may be refused, and closed, before all of it is written.
        let _ = connection.write_all(head.as_bytes()).await;
        let answer = rest(connection).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let mut connection = served.connect().await;
    let (length, head) = (large.len(), "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length:");
    send(&mut connection, &format!("{head} {length}\r\n\r\n{large}")).await;
    assert!(answered(&mut connection, &length.to_string()).await.starts_with("HTTP/1.1 200"));
    served.ends().await;
}

#[tokio::test]
async fn http_2_is_spoken_with_those_who_begin_with_it() {
    let served = opened();
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let request = Request::get(format!("http://{}/", served.addr)).body(Body::empty()).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    drop(response);
    drop(client);
    served.ends().await;
}
