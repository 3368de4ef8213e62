//! The services without asking the API server: the objects, as their controller watches them.

use std::sync::Arc;

use boxoffice_crds::ReservationService;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;

/// Names an object: namespace and name.
pub type Key = (String, String);

/// See the module.
pub struct Directory {
    services: watch::Sender<Option<Store<ReservationService>>>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { services: watch::Sender::new(None) }
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
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::reservation_service::fixtures::main_service;

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
