//! `boxoffice ops`: the operators' page of a ReservationService in the cluster, and what it asks of the workers; and the gateway.

use boxoffice_tests::process::Process;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::setting;

const SERVICE: &str = "tickets/main";

/// A browser that was let in.
struct Browser {
    client: Client,
    origin: String,
    cookie: String,
}

impl Browser {
    async fn open(address: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let entered = client.get(address).send().await.unwrap();
        assert_eq!(entered.status(), StatusCode::SEE_OTHER);
        let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let origin = address.split("/ops").next().unwrap().to_owned();
        Self { client, origin, cookie }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.origin))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request =
            self.request(method, path).header("cookie", &self.cookie).header("origin", &self.origin);
        let request = body.iter().fold(request, RequestBuilder::json);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }
}

#[tokio::test]
async fn operators_act_through_the_api_server_with_their_own_rights() {
    let environment = ["KUBECONFIG", "PATH"].map(|name| (name, setting(name)));
    let mut ops = Process::start_with("boxoffice", ["ops", "--service", SERVICE], environment).unwrap();
    ops.says("The address works once.").await.unwrap();
    let log = ops.log();
    let address = log.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).unwrap();
    let browser = Browser::open(address).await;

    for path in
        ["/ops", "/events", "/admin/events", "/admin/orders", "/admin/payments", "/admin/outbox", "/metrics"]
    {
        assert_eq!(browser.ask(Method::GET, path, None).await.0, 200, "{path}");
        let stranger = browser.request(Method::GET, path).send().await.unwrap();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{path}");
        let elsewhere = browser.request(Method::GET, path).header("cookie", &browser.cookie);
        let elsewhere = elsewhere.header("origin", "https://evil.example.com").send().await.unwrap();
        assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let (_, map) = browser.ask(Method::GET, "/events/theatre/seats", None).await;
    let seat =
        map["seats"].as_array().unwrap().iter().rev().find(|seat| seat["status"] == "AVAILABLE").unwrap();
    let seats = json!({"seats": [seat["seatId"]], "reason": "camera"});
    let blocks = "/admin/events/theatre/blocks";
    let (status, blocked) = browser.ask(Method::POST, blocks, Some(seats.clone())).await;
    assert_eq!(status, 200, "{blocked}");
    let (status, unblocked) =
        browser.ask(Method::DELETE, blocks, Some(json!({"seats": seats["seats"]}))).await;
    assert_eq!(status, 200, "{unblocked}");
    assert_eq!(browser.ask(Method::POST, "/events/theatre/holds", None).await.0, 405, "nobody buys here");
    assert!(ops.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_gateway_has_both_workers_at_one_origin_and_says_who_somebody_is() {
    let gateway = setting("GATEWAY_URL");
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    for path in ["/", "/events", "/web.json", "/docs", "/command/docs", "/command/openapi.json"] {
        let answer = client.get(format!("{gateway}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let map: Value =
        client.get(format!("{gateway}/events/theatre/seats")).send().await.unwrap().json().await.unwrap();
    let seat = map["seats"].as_array().unwrap().iter().find(|seat| seat["status"] == "AVAILABLE").unwrap();
    let address = format!("{gateway}/seats/{}", seat["seatId"].as_str().unwrap());
    let claimed = client.post(format!("{address}/hold")).header("x-user-id", "alice").send().await.unwrap();
    assert_eq!(claimed.status(), StatusCode::UNAUTHORIZED, "what a client says of itself counts for nothing");

    let signed_in = client.get(format!("{gateway}/sign-in?user=gate")).send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let by = |request: RequestBuilder| request.header("cookie", cookie.clone());
    let answer = by(client.post(format!("{address}/hold"))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let held: Value = answer.json().await.unwrap();
    let cart = format!("{gateway}/holds/{}", held["holdId"].as_str().unwrap());
    assert_eq!(by(client.get(&cart)).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(by(client.delete(&cart)).send().await.unwrap().status(), StatusCode::OK);
}
