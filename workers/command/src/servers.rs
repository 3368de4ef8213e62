//! What is measured of the seat store's servers: whether each answers.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::Servers;

/// See the module.
#[derive(Clone, Default)]
pub struct ServerMetrics {
    up: Family<OfServer, Gauge>,
    known: Arc<Mutex<Servers>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfServer {
    server: String,
}

impl ServerMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Whether a master of the seat store answers (1) or not (0)";
        registry.register("store_server_up", help, metrics.up.clone());
        metrics
    }

    /// These are the servers now. Where none is told of, those that were known do not answer.
    pub fn are(&self, servers: &Servers) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.is_empty() {
            known.values_mut().for_each(|is_up| *is_up = false);
        } else {
            for gone in known.keys().filter(|server| !servers.contains_key(*server)) {
                self.up.remove(&OfServer { server: gone.clone() });
            }
            known.clone_from(servers);
        }
        for (server, is_up) in known.iter() {
            self.up.get_or_create(&OfServer { server: server.clone() }).set(i64::from(*is_up));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_told_of_and_one_that_is_gone_no_more() {
        let mut registry = Registry::default();
        let metrics = ServerMetrics::register(&mut registry);
        let told = |servers: &[(&str, bool)]| {
            metrics.are(&servers.iter().map(|(name, is_up)| ((*name).to_owned(), *is_up)).collect());
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            let mut lines: Vec<_> = text
                .lines()
                .filter_map(|line| line.strip_prefix("store_server_up"))
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(told(&[("a:1", true), ("b:1", false)]), [r#"{server="a:1"} 1"#, r#"{server="b:1"} 0"#]);
        assert_eq!(told(&[("a:1", true)]), [r#"{server="a:1"} 1"#]);
        assert_eq!(told(&[]), [r#"{server="a:1"} 0"#], "nobody answers");
    }
}
