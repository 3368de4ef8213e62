//! The admin API as operators and the box office reach it, and SeatingEvents that are made for one check each.

use anyhow::Context;
use boxoffice_runtime::clock;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::api::{Api, soon};

/// Where the admin API is, and the workers whose it is.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Base URL of the command worker.
    pub command: String,
    /// Base URL of the query worker.
    pub query: String,
    /// Base URL of the admin API.
    pub url: String,
    /// Base URL of the query worker's.
    pub figures: String,
    /// Its bearer token, where it asks for one.
    pub token: Option<String>,
}

/// A SeatingEvent of its own.
pub struct House {
    /// Where buyers' requests go.
    pub api: Api,
    admin: Admin,
    /// As it was provisioned last.
    pub definition: Value,
}

impl House {
    /// Puts rows and a floor on sale: A-1-1 to A-1-6 with the last one blocked, row 2 with an aisle, row 3 with the odd side
    /// falling and the even one rising, row 4 with zeros in front; and FLOOR-1 to FLOOR-3.
    pub async fn open(admin: &Admin) -> anyhow::Result<Self> {
        let event = format!("contract-{}", Uuid::new_v4().simple());
        let rows = json!([
            {"row": "1", "seats": "1-6"}, {"row": "2", "seats": "1-3 | 4-6"},
            {"row": "3", "seats": "5-1/2,2-6/2"}, {"row": "4", "seats": "01-03"}
        ]);
        let definition = json!({
            "title": "The contract's", "startsAt": clock::now() + 86_400_000,
            "hold": {"noSingleSeatGaps": "off"}, "limits": {"seatsPerUser": 6},
            "priceCategories": [
                {"name": "gold", "amount": 12_000, "currency": "EUR"},
                {"name": "silver", "amount": 6_000, "currency": "EUR"}
            ],
            "sections": [
                {"id": "A", "title": "Loge Süd", "priceCategory": "gold", "rows": rows},
                {"id": "FLOOR", "priceCategory": "silver", "capacity": 3}
            ],
            "blocked": [{"seats": ["A-1-6"], "reason": "camera"}]
        });
        let api = Api::new(&admin.command, &admin.query, &event)?;
        let mut house = Self { api, admin: admin.clone(), definition };
        house.redefine(|_| ()).await?.shown().context("a new definition")?;
        Ok(house)
    }

    /// Forgets it.
    pub async fn close(self) -> anyhow::Result<()> {
        let path = format!("/admin/events/{}?purge=true", self.api.event);
        soon(async || {
            let gone = self.call(Method::DELETE, &path, None).await?;
            anyhow::ensure!(gone.status == 204, "answered {}: {}", gone.status, gone.text());
            Ok(())
        })
        .await
    }

    /// Changes what is wanted, and provisions it.
    pub async fn redefine(&mut self, change: impl FnOnce(&mut Value)) -> anyhow::Result<Answer> {
        change(&mut self.definition);
        let path = format!("/admin/events/{}", self.api.event);
        self.call(Method::PUT, &path, Some(&self.definition)).await
    }

    /// A request to the admin API.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let request = self.request(method, &self.admin.url, path);
        self.api.send(body.into_iter().fold(request, RequestBuilder::json)).await
    }

    /// A POST to the admin API under an `Idempotency-Key`.
    pub async fn post_under(&self, key: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.request(Method::POST, &self.admin.url, path);
        self.api.send(request.header("idempotency-key", key).json(body)).await
    }

    /// What the query worker tells operators.
    pub async fn figures(&self, path: &str) -> anyhow::Result<Answer> {
        self.api.send(self.request(Method::GET, &self.admin.figures, path)).await
    }

    fn request(&self, method: Method, url: &str, path: &str) -> RequestBuilder {
        let request = self.api.request(method, &format!("{}{path}", url.trim_end_matches('/')));
        match &self.admin.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The inventory as it is now.
    pub async fn inventory(&self) -> anyhow::Result<Value> {
        let path = format!("/admin/events/{}", self.api.event);
        Ok(self.call(Method::GET, &path, None).await?.shown()?.clone())
    }

    /// A seat's id.
    pub fn seat(&self, key: &str) -> String {
        format!("{}.{key}", self.api.event)
    }

    /// Asks to hold whatever `body` says.
    pub async fn ask(&self, user: &str, body: &Value) -> anyhow::Result<Answer> {
        self.api.post_json(&format!("/events/{}/holds", self.api.event), user, body).await
    }
}
