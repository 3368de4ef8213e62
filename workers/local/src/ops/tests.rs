use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::metrics::Measuring;
use super::*;

/// A worker that repeats what it was asked and by whom.
async fn echo(name: &'static str, token: Option<&str>) -> Worker {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = move |request: Request| async move {
        let headers = request.headers();
        let said = |name: &str| headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let claims = ["authorization", "x-user-id", "cookie", "origin"].map(said).join(" ");
        format!("{name} {} {} {claims}", request.method(), request.uri())
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    Worker::new(Connector::by(move || TcpStream::connect(addr)), token)
}

/// Two consumers, one of which does not answer.
struct Measured;

#[async_trait]
impl Measuring for Measured {
    async fn pods(&self) -> anyhow::Result<Vec<String>> {
        Ok(vec!["main-seat-view-1".into(), "main-stats-1".into()])
    }

    async fn measured(&self, pod: &str) -> anyhow::Result<String> {
        anyhow::ensure!(pod != "main-stats-1", "it is starting");
        Ok("boxoffice_consumer_lag 3\n".into())
    }
}

fn nobody() -> Worker {
    Worker::new(
        Connector::by(|| async { Err::<TcpStream, _>(std::io::Error::other("no pod is ready")) }),
        None,
    )
}

/// The routes, and the address with the key.
async fn opened() -> (Router, String) {
    let proxy = Proxy {
        queries: echo("queries", None).await,
        figures: echo("figures", Some("t")).await,
        admin: nobody(),
    };
    let keys = Arc::new(Keys::new(9000));
    let address = keys.address("127.0.0.1:9000".parse().unwrap());
    (
        routes(proxy, Consumers::new(Arc::new(Measured)), keys),
        address.strip_prefix("http://127.0.0.1:9000").unwrap().to_owned(),
    )
}

async fn ask(routes: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let answer = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

/// The cookie that the key is exchanged for.
async fn enter(routes: &Router, address: &str) -> String {
    let (status, headers, _) = ask(routes, address, &[]).await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/ops".parse().unwrap()));
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("boxoffice-ops-9000="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_key_lets_one_browser_in_once() {
    let (routes, address) = opened().await;
    for path in ["/ops", "/ops?key=guess", "/ops?key=", "/", "/events", "/admin/orders", "/assets/x.js"] {
        assert_eq!(ask(&routes, path, &[]).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    let cookie = enter(&routes, &address).await;
    assert_eq!(ask(&routes, &address, &[]).await.0, StatusCode::UNAUTHORIZED, "a second time");
    assert_eq!(ask(&routes, "/ops", &[("cookie", &cookie)]).await.0, StatusCode::OK);
    let both = format!("theme=dark; {cookie}");
    assert_eq!(ask(&routes, "/ops", &[("cookie", &both)]).await.0, StatusCode::OK);
    let (status, headers, _) = ask(&routes, &address, &[("cookie", &cookie)]).await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/ops".parse().unwrap()));
    for wrong in ["boxoffice-ops-9000=", "boxoffice-ops-9001=x", &cookie[..cookie.len() - 1]] {
        assert_eq!(ask(&routes, "/ops", &[("cookie", wrong)]).await.0, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

#[tokio::test]
async fn a_worker_hears_the_token_and_nothing_of_the_browser() {
    let (routes, address) = opened().await;
    let cookie = enter(&routes, &address).await;
    let claims = [
        ("cookie", cookie.as_str()),
        ("authorization", "Bearer guess"),
        ("x-user-id", "eve"),
        ("origin", "http://localhost:9000"),
    ];
    let (status, _, told) = ask(&routes, "/admin/orders?minutes=5", &claims).await;
    assert_eq!(
        (status, told.as_str()),
        (StatusCode::OK, "figures GET /admin/orders?minutes=5 Bearer t - - -")
    );
    let (_, _, told) = ask(&routes, "/events/arena/seats", &claims).await;
    assert_eq!(told, "queries GET /events/arena/seats - - - -");
    assert_eq!(ask(&routes, "/users/eve/holds", &claims).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_worker_that_is_away_is_told_as_one() {
    let (routes, address) = opened().await;
    let cookie = enter(&routes, &address).await;
    let (status, _, told) = ask(&routes, "/admin/events", &[("cookie", &cookie)]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(told.contains("no pod is ready"), "{told}");
}

#[tokio::test]
async fn what_consumers_measure_is_told_as_far_as_they_answer() {
    let (routes, address) = opened().await;
    let cookie = enter(&routes, &address).await;
    let (status, headers, told) = ask(&routes, "/metrics", &[("cookie", &cookie)]).await;
    assert_eq!((status, told.as_str()), (StatusCode::OK, "boxoffice_consumer_lag 3\n"));
    assert_eq!(headers["cache-control"], "no-store");
}
