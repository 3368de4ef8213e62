//! Every OpenAPI document against what it describes: schemathesis makes requests of it, what fits and what does not, follows its
//! links, and compares what is answered. `boxoffice local` has all routes of both workers, of buyers, readers and operators;
//! who calls is known by a token, so what needs nobody is told from what does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use boxoffice_runtime::identity::testing::{AUDIENCE, ISSUER, SECRET, Signer};
use reqwest::Method;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::local_support::{House, Local, SERVICE};

const CONFIG: &str = include_str!("../../servers/schemathesis/schemathesis.toml");
const REQUIREMENTS: &str = include_str!("../../servers/schemathesis/requirements.txt");
/// It is told to end long before.
const PATIENCE: Duration = Duration::from_mins(4);
const OPERATORS: &str = "operators";

/// `st`, where tests/servers/install puts it.
fn program() -> PathBuf {
    let version = REQUIREMENTS.lines().find_map(|line| line.strip_prefix("schemathesis==")).unwrap();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).unwrap();
    let program = cache.join(format!("boxoffice/tools/schemathesis-{version}/bin/st"));
    assert!(program.is_file(), "{} is not there: run tests/servers/install openapi", program.display());
    program
}

/// The show of the examples, on sale by a service that knows its users by tokens.
async fn on_sale() -> (House, Local) {
    let house = House::with(&["arena-night"]);
    let service = std::fs::read_to_string(house.file(SERVICE)).unwrap();
    let (before, rest) = service.split_once("  auth:").unwrap();
    let (_, after) = rest.split_once("  redis:").unwrap();
    let jwt = format!("issuer: \"{ISSUER}\", audience: {AUDIENCE}, secretRef: {{name: issuer, key: secret}}");
    let auth = format!("  auth: {{mode: jwt, jwt: {{{jwt}}}}}\n");
    house.write(SERVICE, &format!("{before}{auth}  redis:{after}"));
    let key = house.data().with_file_name("key");
    std::fs::write(&key, SECRET).unwrap();
    let with = ["--jwt-key", key.to_str().unwrap(), "--admin-token", OPERATORS].map(str::to_owned);
    let local = Local::start([house.without_data("0").as_slice(), &with].concat()).await;
    (house, local)
}

/// Nothing that is answered to the bearer of `token` differs from what the document at `path` says.
async fn keeps_its_word(house: &House, local: &Local, path: &str, token: &str) {
    let document = local.request(Method::GET, path).bearer_auth(token).send().await.unwrap();
    let folder = house.data().with_file_name("schemathesis");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("openapi.json"), document.text().await.unwrap()).unwrap();
    std::fs::write(folder.join("schemathesis.toml"), CONFIG).unwrap();
    let mut command = Command::new(program());
    command.args(["run", "openapi.json", "--url", &local.url]).env("BOXOFFICE_TOKEN", token);
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends in time").unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}\n{told}\n{complained}");
}

#[tokio::test]
async fn buyers_and_readers_are_answered_as_the_document_says() {
    let (house, local) = on_sale().await;
    // It outlives the run, however slow the machine is.
    let claims = json!({"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000_u64});
    let alice = Signer::secret(SECRET).token(None, &claims);
    keeps_its_word(&house, &local, "/openapi.json", &alice).await;
    local.close().await;
}

#[tokio::test]
async fn operators_are_answered_as_the_document_says() {
    let (house, local) = on_sale().await;
    keeps_its_word(&house, &local, "/admin/openapi.json", OPERATORS).await;
    local.close().await;
}
