//! The HTTP API as a client reaches it: commands at one address, queries at another one or at the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::answer::{Answer, number};
use crate::wait::within;

/// Header: who acts.
pub const USER_ID: &str = "x-user-id";

/// Longest wait for an answer: the API itself gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(15);
/// Longest wait until readers see what was done.
const SOON: Duration = Duration::from_secs(15);

/// Sends requests about one SeatingEvent.
#[derive(Debug)]
pub struct Api {
    /// The SeatingEvent.
    pub event: String,
    client: Client,
    command: String,
    query: String,
    /// The highest sequence that a command was answered with.
    seen: AtomicU64,
}

impl Api {
    /// The API at two base URLs.
    ///
    /// # Errors
    /// A system without an HTTP client.
    pub fn new(command: &str, query: &str, event: &str) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(ANSWER).no_proxy().build()?;
        let [command, query] = [command, query].map(|url| url.trim_end_matches('/').to_owned());
        Ok(Self { event: event.to_owned(), client, command, query, seen: AtomicU64::default() })
    }

    /// A command, to be completed.
    pub fn command(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.command))
    }

    /// A request to another address, to be completed.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// A query, to be completed.
    pub fn query(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.query))
    }

    /// Sends a request. The sequence in a command's answer is what readers have to reach.
    ///
    /// # Errors
    /// No answer.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let answer = Answer::to(request).await?;
        if answer.json["success"] == true {
            self.seen.fetch_max(answer.json["sequence"].as_u64().unwrap_or_default(), Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// A command without a body.
    ///
    /// # Errors
    /// No answer.
    pub async fn call(&self, method: Method, path: &str, user: &str) -> anyhow::Result<Answer> {
        self.send(self.command(method, path).header(USER_ID, user)).await
    }

    /// A POST without a body.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&self, path: &str, user: &str) -> anyhow::Result<Answer> {
        self.call(Method::POST, path, user).await
    }

    /// A POST with JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn post_json(&self, path: &str, user: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.command(Method::POST, path).header(USER_ID, user).json(body)).await
    }

    /// A query of nobody in particular.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.query(path)).await
    }

    /// A query by a user.
    ///
    /// # Errors
    /// No answer.
    pub async fn get_as(&self, path: &str, user: &str) -> anyhow::Result<Answer> {
        self.send(self.query(path).header(USER_ID, user)).await
    }

    /// What a query answers once it has everything that commands were answered with here; the field `sequence` tells.
    ///
    /// # Errors
    /// A reader that does not get there.
    pub async fn current(&self, path: &str, sequence: &str) -> anyhow::Result<Value> {
        let seen = self.seen.load(Ordering::Relaxed);
        let read = soon(async || {
            let shown = self.get(path).await?.shown()?.clone();
            let reached = number(&shown, sequence)?;
            ensure!(reached >= seen, "{sequence} is {reached}, but a command was answered with {seen}");
            Ok(shown)
        });
        read.await.with_context(|| format!("GET {path}"))
    }
}

/// Repeats `probe` until it succeeds.
///
/// # Errors
/// Its last failure, when patience is over.
pub async fn soon<T>(probe: impl AsyncFnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    patiently(SOON, probe).await
}

/// Repeats `probe` until it succeeds, for so long.
///
/// # Errors
/// Its last failure, when patience is over.
pub async fn patiently<T>(
    patience: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut last = None;
    let found = within(patience, async || probe().await.map_err(|error| last = Some(error)).ok()).await;
    found.ok_or_else(|| {
        let error = last.unwrap_or_else(|| anyhow::anyhow!("it was not tried"));
        error.context(format!("not within {patience:?}"))
    })
}
