//! What everybody needs to know of services without asking the API server: the objects, as their controller watches them,
//! and the tokens of their admin APIs, read by name and remembered for a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admin::Target;
use crate::api::{ApiError, timed};
use crate::reservation_service::names;

/// How old a token may be. One that is refused is read again at once.
const TOKEN_AGE: Duration = Duration::from_mins(1);

/// Names an object: namespace and name.
pub type Key = (String, String);

/// See the module.
pub struct Directory {
    services: watch::Sender<Option<Store<ReservationService>>>,
    tokens: Mutex<HashMap<Key, Token>>,
}

struct Token {
    text: String,
    read: Instant,
}

impl Default for Directory {
    fn default() -> Self {
        Self { services: watch::Sender::new(None), tokens: Mutex::default() }
    }
}

impl Directory {
    /// Has everybody look at the services in `store`, once it has all of them.
    pub fn watch(&self, store: Store<ReservationService>) {
        self.services.send_replace(Some(store));
    }

    /// Waits until all services are known.
    pub async fn ready(&self) {
        let mut services = self.services.subscribe();
        // The sender lives as long as this borrow of it.
        let Ok(store) = services.wait_for(Option::is_some).await.map(|store| store.clone()) else { return };
        let Some(store) = store else { return };
        if store.wait_until_ready().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The service, if there is one.
    pub fn service(&self, namespace: &str, name: &str) -> Option<Arc<ReservationService>> {
        let services = self.services.borrow();
        services.as_ref()?.get(&ObjectRef::new(name).within(namespace))
    }

    /// The admin API of a service, unless its token is not there yet.
    pub async fn target(
        &self,
        client: &Client,
        namespace: &str,
        service: &str,
    ) -> Result<Option<Target>, ApiError> {
        let key = (namespace.to_owned(), service.to_owned());
        if let Some(token) = self.remembered(&key, Instant::now()) {
            return Ok(Some(target(key, token)));
        }
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let secret = timed("read the admin token", secrets.get_opt(&names::admin_token(service))).await?;
        let token = secret.and_then(|secret| secret.data?.remove(names::ADMIN_TOKEN_KEY));
        let token = token.and_then(|token| String::from_utf8(token.0).ok());
        match &token {
            Some(token) => self.remember(&key, token, Instant::now()),
            None => self.forget(&key),
        }
        Ok(token.map(|token| target(key, token)))
    }

    /// Has the token read again when it is needed next: it was refused, or the service is gone.
    pub fn forget(&self, service: &Key) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(service);
    }

    fn remembered(&self, service: &Key, now: Instant) -> Option<String> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, token| now.saturating_duration_since(token.read) < TOKEN_AGE);
        tokens.get(service).map(|token| token.text.clone())
    }

    fn remember(&self, service: &Key, token: &str, now: Instant) {
        let token = Token { text: token.to_owned(), read: now };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone(), token);
    }
}

fn target((namespace, service): Key, token: String) -> Target {
    Target { namespace, service, token }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::reservation_service::fixtures::main_service;

    #[test]
    fn a_token_is_remembered_for_a_minute_or_until_it_is_refused() {
        let (directory, start) = (Directory::default(), Instant::now());
        let service = ("tickets".to_owned(), "main".to_owned());
        directory.remember(&service, "t", start);
        let just_before = start + TOKEN_AGE - Duration::from_secs(1);
        assert_eq!(directory.remembered(&service, just_before).as_deref(), Some("t"));
        assert_eq!(directory.remembered(&service, start + TOKEN_AGE), None);
        directory.remember(&service, "t", start);
        directory.forget(&service);
        assert_eq!(directory.remembered(&service, start), None);
    }

    #[tokio::test]
    async fn services_are_known_once_their_watch_has_all_of_them() {
        let (directory, (store, mut writer)) = (Directory::default(), reflector::store());
        let is_ready = || futures::FutureExt::now_or_never(directory.ready()).is_some();
        assert!(!is_ready());
        directory.watch(store);
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitApply(main_service()));
        assert!(!is_ready());
        writer.apply_watcher_event(&Event::InitDone);
        directory.ready().await;
        assert!(directory.service("tickets", "main").is_some());
        assert!(directory.service("tickets", "other").is_none());
    }
}
