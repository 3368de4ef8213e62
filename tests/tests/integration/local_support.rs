//! `boxoffice local` as a test sees it: a folder of resources, a folder of data, and the process on them.

use std::path::PathBuf;

use boxoffice_tests::process::Process;
use boxoffice_tests::resources;
use boxoffice_tests::wait::until;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

/// The command.
pub const BOXOFFICE: &str = "boxoffice";
/// What examples/ declare.
pub const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
/// The file of the ReservationService.
pub const SERVICE: &str = "01-reservation-service.yaml";

/// Resources and data.
pub struct House {
    folder: TempDir,
}

impl House {
    /// The ReservationService of examples/, and nothing on sale.
    pub fn new() -> Self {
        let house = Self { folder: tempfile::Builder::new().prefix("boxoffice-house-").tempdir().unwrap() };
        std::fs::create_dir(house.resources()).unwrap();
        std::fs::copy(format!("{EXAMPLES}/{SERVICE}"), house.file(SERVICE)).unwrap();
        house
    }

    /// The same with SeatingEvents as [`show`] makes them.
    pub fn with(shows: &[&str]) -> Self {
        let house = Self::new();
        for id in shows {
            house.declare(&show(id));
        }
        house
    }

    fn resources(&self) -> PathBuf {
        self.folder.path().join("resources")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.resources().join(name)
    }

    /// Writes a file of the resources' folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// Writes a resource to a file of its name.
    pub fn declare(&self, resource: &Value) {
        let name = resource["metadata"]["name"].as_str().unwrap();
        self.write(&format!("{name}.yaml"), &serde_yaml_ng::to_string(resource).unwrap());
    }

    /// The arguments of `boxoffice local` on its resources and data, with a port that is free.
    pub fn arguments(&self) -> Vec<String> {
        let data = self.data().to_str().unwrap().to_owned();
        [self.without_data("0"), vec!["--data-dir".to_owned(), data]].concat()
    }

    /// The same on a port, and everything gone at the end.
    pub fn without_data(&self, port: &str) -> Vec<String> {
        let files = self.resources();
        ["local", "-f", files.to_str().unwrap(), "--port", port].map(str::to_owned).to_vec()
    }

    /// Starts it, and waits until it is ready.
    pub async fn open(&self) -> Local {
        Local::start(self.arguments()).await
    }
}

/// A running `boxoffice local`.
pub struct Local {
    pub process: Process,
    pub url: String,
    client: Client,
}

impl Local {
    /// Starts it with these arguments. It is ready when it says so.
    pub async fn start(arguments: Vec<String>) -> Self {
        let mut process = Process::start_with(BOXOFFICE, arguments, []).unwrap();
        process.says("Ctrl-C ends it.").await.unwrap();
        let url = address(&process.log()).expect("the ready line names the address");
        Self { process, url, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Sends a command; the status and the body.
    pub async fn command(&self, method: Method, path: &str, user: &str) -> (u16, Value) {
        answer(self.request(method, path).header("x-user-id", user)).await
    }

    pub async fn post(&self, path: &str, user: &str) -> (u16, Value) {
        self.command(Method::POST, path, user).await
    }

    /// Holds a seat and reserves it; the reservation.
    pub async fn sell(&self, seat: &str, user: &str) -> Value {
        let (status, held) = self.post(&format!("/seats/{seat}/hold"), user).await;
        assert_eq!(status, 200, "{held}");
        let (status, reserved) = self.post(&format!("/seats/{seat}/reserve"), user).await;
        assert_eq!(status, 200, "{reserved}");
        reserved["reservationId"].clone()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// Waits until holding a seat is answered with a status, by a user of whom nobody else speaks.
    pub async fn until_held(&self, seat: &str, status: u16) -> Value {
        until(&format!("holding {seat} is answered with {status}"), async || {
            let (found, body) = self.post(&format!("/seats/{seat}/hold"), "the-patient-one").await;
            (found == status).then_some(body)
        })
        .await
    }

    /// Ends it by SIGTERM; it has to drain.
    pub async fn close(mut self) {
        let status = self.process.terminate().await.unwrap();
        assert!(status.success(), "{status}\n{}", self.process.log());
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// The address in the ready line.
pub fn address(log: &str) -> Option<String> {
    let (_, from_address) = log.split_once(" at http://")?;
    let end = from_address.find(|c: char| c == ',' || c.is_whitespace())?;
    Some(format!("http://{}", &from_address[..end]))
}

/// A SeatingEvent of the ReservationService of examples/: two rows of twenty and a floor for fifty.
pub fn show(id: &str) -> Value {
    let mut show = resources::show("main", id);
    show["metadata"]["namespace"] = "tickets".into();
    show
}
