//! What came back, and what is wrong with it. Every answer belongs to a chain and says to which.

use std::collections::BTreeSet;
use std::fmt::Debug;

use anyhow::{Context, ensure};
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Header: the chain that a request belongs to.
pub const CORRELATION_ID: &str = "x-correlation-id";

/// Fields of every problem.
const PROBLEM: [&str; 7] = ["code", "correlationId", "detail", "retryable", "status", "title", "type"];

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
    /// The body as JSON; null where it is none.
    pub json: Value,
}

impl Answer {
    /// Sends a request and reads what comes back.
    pub async fn to(request: RequestBuilder) -> anyhow::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self { status, headers, bytes, json })
    }

    /// A header, where there is one that can be read.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number that a header says.
    pub fn told(&self, header: &str) -> anyhow::Result<u64> {
        let said = self.header(header).with_context(|| format!("no header {header}"))?;
        said.parse().with_context(|| format!("{header} is {said:?}, which is no number"))
    }

    /// What its sequence is of.
    pub fn epoch(&self) -> anyhow::Result<u64> {
        const EPOCH: &str = "x-view-epoch";
        if self.headers.contains_key(EPOCH) { self.told(EPOCH) } else { Ok(0) }
    }

    /// A command that was carried out, answered with `status` and exactly these fields besides `success` and
    /// `correlationId`.
    pub fn done(&self, status: u16, fields: &[&str]) -> anyhow::Result<&Value> {
        ensure!(self.status == status, "answered {}, not {status}: {}", self.status, self.text());
        exactly(&self.json, [&["correlationId", "success"][..], fields].concat())?;
        same("success", &self.json["success"], true)?;
        self.in_a_chain()?;
        Ok(&self.json)
    }

    /// A problem with `status` and `code`.
    pub fn refused(&self, status: u16, code: &str) -> anyhow::Result<&Value> {
        self.problem(status, &PROBLEM)?;
        same("code", &self.json["code"], code)?;
        Ok(&self.json)
    }

    /// The same, with more to tell.
    pub fn refused_telling(&self, status: u16, code: &str, fields: &[&str]) -> anyhow::Result<&Value> {
        self.problem(status, &[&PROBLEM[..], fields].concat())?;
        same("code", &self.json["code"], code)?;
        Ok(&self.json)
    }

    /// A problem that names every one of `seats`, and no other, with its reason.
    pub fn conflicts(&self, status: u16, code: &str, seats: &[(&str, &str)]) -> anyhow::Result<()> {
        self.problem(status, &[&PROBLEM[..], &["conflicts"]].concat())?;
        same("code", &self.json["code"], code)?;
        let named = self.json["conflicts"].as_array().context("conflicts is not a list")?;
        let mut conflicts = BTreeSet::new();
        for conflict in named {
            let mine: &[&str] = if conflict["mine"] == true { &["mine"] } else { &[] };
            exactly(conflict, [&["reason", "seatId"][..], mine].concat())?;
            conflicts.insert((text(conflict, "seatId")?, text(conflict, "reason")?));
        }
        ensure!(named.len() == seats.len(), "conflicts are {named:?}, not {seats:?}");
        same_set("conflicts", &conflicts, &seats.iter().copied().collect())
    }

    /// Something to read, as JSON.
    pub fn shown(&self) -> anyhow::Result<&Value> {
        ensure!(self.status == 200, "answered {}, not 200: {}", self.status, self.text());
        ensure!(!self.json.is_null(), "the body is not JSON: {}", self.text());
        Ok(&self.json)
    }

    fn problem(&self, status: u16, fields: &[&str]) -> anyhow::Result<()> {
        ensure!(self.status == status, "answered {}, not {status}: {}", self.status, self.text());
        let media_type = self.header("content-type").unwrap_or_default();
        ensure!(media_type == "application/problem+json", "the content type is {media_type:?}");
        exactly(&self.json, fields.iter().copied())?;
        same("status", &self.json["status"], status)?;
        same("retryable", &self.json["retryable"], status == 503)?;
        for field in ["type", "title", "detail", "code"] {
            ensure!(!text(&self.json, field)?.is_empty(), "{field} is empty");
        }
        self.in_a_chain()
    }

    /// The correlation id is the same in header and body.
    fn in_a_chain(&self) -> anyhow::Result<()> {
        let header = self.header(CORRELATION_ID).with_context(|| format!("no header {CORRELATION_ID}"))?;
        same("correlationId", &self.json["correlationId"], header)
    }

    /// The body, for a person.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// An object with these fields and no other.
pub fn exactly<'a>(value: &Value, fields: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    let found = value.as_object().with_context(|| format!("not an object: {value}"))?;
    same_set("the fields", &found.keys().map(String::as_str).collect(), &fields.into_iter().collect())
}

/// The text in a field.
pub fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is not a text: {value}"))
}

/// The number in a field.
pub fn number(value: &Value, field: &str) -> anyhow::Result<u64> {
    value[field].as_u64().with_context(|| format!("{field} is not a number: {value}"))
}

/// The list in a field.
pub fn list<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a [Value]> {
    value[field].as_array().map(Vec::as_slice).with_context(|| format!("{field} is not a list: {value}"))
}

/// `what` is as expected.
pub fn same(what: &str, found: &Value, expected: impl Into<Value>) -> anyhow::Result<()> {
    let expected = expected.into();
    ensure!(*found == expected, "{what} is {found}, not {expected}");
    Ok(())
}

fn same_set<T: Ord + Debug>(what: &str, found: &BTreeSet<T>, expected: &BTreeSet<T>) -> anyhow::Result<()> {
    ensure!(found == expected, "{what} are {found:?}, not {expected:?}");
    Ok(())
}
