//! `boxoffice local` where users are known by tokens: of an issuer that publishes its keys, or by a key in a file.

use boxoffice_runtime::identity::testing::{AUDIENCE, ISSUER, Issuer, SECRET, Signer};
use boxoffice_tests::process::run;
use boxoffice_tests::wait::until;
use reqwest::Method;
use serde_json::{Value, json};

use crate::local_support::{BOXOFFICE, House, Local, SERVICE};

const SEAT: &str = "/seats/arena.A-1-1";

/// Something on sale by a service that knows its users by tokens which are checked with `keys`.
pub fn house(keys: &str, limits: &str) -> House {
    let house = House::with(&["arena"]);
    let service = std::fs::read_to_string(house.file(SERVICE)).unwrap();
    let (before, rest) = service.split_once("  auth:").unwrap();
    let (_, after) = rest.split_once("  redis:").unwrap();
    let jwt = format!("issuer: \"{ISSUER}\", audience: {AUDIENCE}, {keys}");
    house.write(
        SERVICE,
        &format!("{before}  auth: {{mode: jwt, jwt: {{{jwt}}}}}\n  limits: {limits}\n  redis:{after}"),
    );
    house
}

async fn call(local: &Local, method: Method, path: &str, token: &str) -> (u16, Value) {
    let request = local.request(method, path).bearer_auth(token).header("x-user-id", "somebody-else");
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn commands_and_queries_know_a_user_by_the_issuers_published_keys() {
    let (signer, stranger) = (Signer::ec(), Signer::ec());
    let issuer = Issuer::open(&[signer.jwk(Some("one"))]).await;
    let house = house(&format!("jwksUrl: \"{}\"", issuer.url()), "{}");
    let local = house.open().await;
    let alice = signer.token_of(Some("one"), "alice");
    let (status, held) = call(&local, Method::POST, &format!("{SEAT}/hold"), &alice).await;
    assert_eq!(status, 200, "{held}");
    let is_held = async || (local.get("/events/arena").await.1["seats"]["held"] == 1).then_some(());
    until("the hold is seen", is_held).await;
    let (_, seat) = call(&local, Method::GET, SEAT, &alice).await;
    assert_eq!(seat["mine"], true, "{seat}");
    let (_, seat) = call(&local, Method::GET, SEAT, &signer.token_of(Some("one"), "bob")).await;
    assert_eq!((&seat["status"], seat.get("mine")), (&json!("HELD"), None), "{seat}");

    let forged = stranger.token_of(Some("one"), "alice");
    for method in [Method::GET, Method::DELETE] {
        let path = if method == Method::GET {
            SEAT.to_owned()
        } else {
            format!("/holds/{}", held["holdId"].as_str().unwrap())
        };
        let (status, refused) = call(&local, method, &path, &forged).await;
        assert_eq!((status, &refused["code"]), (401, &json!("UNAUTHENTICATED")), "{refused}");
    }
    let (status, refused) = local.post(&format!("{SEAT}/reserve"), "alice").await;
    assert_eq!((status, &refused["code"]), (401, &json!("UNAUTHENTICATED")), "{refused}");

    let reserve = ["reserve", "arena.A-1-1", "--token", &alice, "--command-url", &local.url];
    let output = run(BOXOFFICE, reserve).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    local.close().await;
}

#[tokio::test]
async fn a_key_in_a_file_stands_for_the_secret_and_a_user_has_a_limit() {
    let house = house("secretRef: {name: issuer, key: secret}", "{requestsPerUserPerSecond: 1}");
    let key = house.data().with_file_name("key");
    std::fs::write(&key, format!("{SECRET}\n")).unwrap();
    let output = run(BOXOFFICE, house.arguments()).await.unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.contains("auth.jwt.secretRef") && complaint.contains("--jwt-key FILE"), "{complaint}");

    let with_key = ["--jwt-key".to_owned(), key.to_str().unwrap().to_owned()];
    let local = Local::start([house.arguments().as_slice(), &with_key].concat()).await;
    let alice = Signer::secret(SECRET).token_of(None, "alice");
    let mut answers = vec![];
    // More than a bucket gets while they are answered.
    while answers.len() < 100 && !answers.contains(&429) {
        answers.push(call(&local, Method::POST, &format!("{SEAT}/hold"), &alice).await.0);
    }
    assert_eq!((answers.first(), answers.last()), (Some(&200), Some(&429)), "{answers:?}");
    local.close().await;
}
