//! Loopback is not a lock: any web site may have a browser send requests to `boxoffice local`. Each test sends what a browser
//! would send for a page of another origin.

use boxoffice_runtime::identity::testing::{Issuer, Signer};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::local_support::{House, Local, SERVICE};
use crate::local_tokens;

const ELSEWHERE: &str = "https://evil.example.com";
const GUEST: &str = "https://www.example.com";

/// The status, the code of the problem, and whether a page of that origin may read the answer.
async fn told(request: RequestBuilder) -> (u16, String, Option<String>) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let readable = response.headers().get("access-control-allow-origin");
    let readable = readable.map(|it| it.to_str().unwrap().to_owned());
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned(), readable)
}

/// A request as a browser sends it for a page of `origin`: with a body that it need not ask for.
fn simple(local: &Local, method: Method, path: &str, origin: &str) -> RequestBuilder {
    let request = local.request(method, path).header("origin", origin).header("sec-fetch-site", "cross-site");
    request.header("content-type", "text/plain")
}

async fn available(local: &Local) -> Value {
    local.get("/admin/events").await.1[0]["seats"]["available"].clone()
}

#[tokio::test]
async fn a_page_of_another_origin_reads_and_changes_nothing() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    let block = json!({"seats": ["arena.A-1-1"], "reason": "camera"}).to_string();
    let hold = json!({"seats": ["arena.A-1-2"]}).to_string();
    let attempts = [
        (Method::GET, "/", ""),
        (Method::GET, "/ops", ""),
        (Method::GET, "/events", ""),
        (Method::GET, "/events/arena/stream", ""),
        (Method::GET, "/admin/orders", ""),
        (Method::GET, "/metrics", ""),
        (Method::GET, "/embed.js", ""),
        (Method::POST, "/events/arena/holds", hold.as_str()),
        (Method::POST, "/seats/arena.A-1-2/hold", ""),
        (Method::POST, "/admin/events/arena/blocks", block.as_str()),
        (Method::OPTIONS, "/admin/events/arena/blocks", ""),
        (Method::DELETE, "/admin/events/arena", ""),
    ];
    for (method, path, body) in attempts {
        for origin in [ELSEWHERE, "null", "http://localhost:3000"] {
            let request = simple(&local, method.clone(), path, origin).header("x-user-id", "eve");
            let refused = told(request.body(body.to_owned())).await;
            assert_eq!(refused, (403, "ORIGIN_REFUSED".to_owned(), None), "{method} {path} of {origin}");
        }
        // A picture, a form, a link: no origin is told, but that it was another site's.
        let request = local.request(method.clone(), path).header("sec-fetch-site", "cross-site");
        assert_eq!(told(request.body(body.to_owned())).await.0, 403, "{method} {path}");
        // A name of somebody else's that leads here: to the browser it is the page's own origin.
        let request = local.request(method.clone(), path).header("host", "evil.example.com:8080");
        assert_eq!(told(request.body(body.to_owned())).await.0, 403, "{method} {path}");
    }
    assert_eq!(available(&local).await, 90);
    // The same from a program, or from a page of its own.
    let blocked = local.request(Method::POST, "/admin/events/arena/blocks").header("origin", &local.url);
    let blocked = blocked.header("content-type", "application/json").body(block);
    assert_eq!(told(blocked).await.0, 200);
    assert_eq!(available(&local).await, 89);
    local.close().await;
}

#[tokio::test]
async fn what_is_allowed_to_buy_is_not_allowed_to_operate() {
    // A page of another origin cannot be trusted with a header that names the user.
    let issuer = Issuer::open(&[Signer::ec().jwk(Some("one"))]).await;
    let house = local_tokens::house(&format!("jwksUrl: \"{}\"", issuer.url()), "{}");
    let service = std::fs::read_to_string(house.file(SERVICE)).unwrap();
    let web = format!(
        "spec:\n  web: {{commandUrl: \"https://tickets.example.com/sales\", allowOrigins: [\"{GUEST}\"]}}\n"
    );
    house.write(SERVICE, &service.replacen("spec:\n", &web, 1));
    let local = house.open().await;
    let allowed = told(simple(&local, Method::GET, "/events", GUEST)).await;
    assert_eq!(allowed, (200, String::new(), Some(GUEST.to_owned())));
    let page = local.request(Method::GET, "/").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("connect-src 'self' https://tickets.example.com"), "{policy}");
    let preflight = simple(&local, Method::OPTIONS, "/seats/arena.A-1-2/hold", GUEST);
    let preflight = preflight.header("access-control-request-method", "POST");
    assert_eq!(told(preflight).await, (200, String::new(), Some(GUEST.to_owned())));
    for path in ["/admin/events", "/admin/orders"] {
        assert_eq!(told(simple(&local, Method::GET, path, GUEST)).await.0, 403, "{path}");
    }
    assert_eq!(told(simple(&local, Method::GET, "/events", ELSEWHERE)).await.0, 403);
    local.close().await;
}

#[tokio::test]
async fn operators_send_json_and_say_so() {
    let house = House::with(&["arena"]);
    let local = house.open().await;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let request = local.request(Method::POST, "/admin/events/arena/blocks");
        let request =
            content_type.into_iter().fold(request, |request, it| request.header("content-type", it));
        let refused = told(request.body(r#"{"seats": ["arena.A-1-1"], "reason": "camera"}"#)).await;
        assert_eq!(refused, (400, "INVALID_REQUEST".to_owned(), None), "{content_type:?}");
    }
    assert_eq!(available(&local).await, 90);
    local.close().await;
}

#[tokio::test]
async fn a_name_that_was_given_is_one_of_its_own() {
    let house = House::with(&["arena"]);
    let local =
        Local::start([house.arguments(), vec!["--host".into(), "tickets.local".into()]].concat()).await;
    for (host, status) in [("tickets.local:8080", 200), ("tickets.local", 200), ("others.local", 403)] {
        let request = local.request(Method::GET, "/events").header("host", host);
        assert_eq!(told(request).await.0, status, "{host}");
    }
    local.close().await;
}
