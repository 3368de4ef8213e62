//! The clients of every cluster in use, kept between reconciles: one set a cluster and credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::librdkafka::Cluster;
use super::limits::Limits;
use super::{Kafka, KafkaError};

/// Clients that nobody asked for in this time go: their service is gone, or has other credentials by now. A service in
/// use asks every few seconds.
const IDLE: Duration = Duration::from_mins(5);

/// The clients of every cluster in use.
#[derive(Default)]
pub struct Pool {
    clusters: Mutex<HashMap<Connection, (Arc<Cluster>, Instant)>>,
    limits: Arc<Limits>,
}

impl Pool {
    /// The clients for `connection`, made at the first call; connecting happens in the background.
    pub fn get(&self, connection: &Connection) -> Result<Arc<dyn Kafka>, KafkaError> {
        self.get_at(connection, Instant::now())
    }

    fn get_at(&self, connection: &Connection, now: Instant) -> Result<Arc<dyn Kafka>, KafkaError> {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = clusters.extract_if(|_, (_, used)| now.saturating_duration_since(*used) > IDLE);
        idle.for_each(|(_, (cluster, _))| close(cluster));
        if let Some((cluster, used)) = clusters.get_mut(connection) {
            *used = now;
            return Ok(Arc::clone(cluster) as Arc<dyn Kafka>);
        }
        let cluster = Arc::new(Cluster::new(connection, &self.limits)?);
        clusters.insert(connection.clone(), (Arc::clone(&cluster), now));
        Ok(cluster)
    }

    /// Drops the clients of a cluster that did not answer, or did not admit them: the next call begins anew.
    pub fn forget(&self, connection: &Connection) {
        let forgotten = self.clusters.lock().unwrap_or_else(PoisonError::into_inner).remove(connection);
        if let Some((cluster, _)) = forgotten {
            close(cluster);
        }
    }
}

/// Closing clients blocks, so a thread for such things does it.
fn close(cluster: Arc<Cluster>) {
    drop(tokio::task::spawn_blocking(move || drop(cluster)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_runtime::log::kafka::security::{Mechanism, Sasl, Security};

    fn with(password: &str) -> Connection {
        let sasl =
            Sasl { mechanism: Mechanism::Plain, username: "operator".into(), password: password.into() };
        let security = Security { tls: None, sasl: Some(sasl) };
        Connection { bootstrap_servers: "127.0.0.1:1".into(), security }
    }

    fn kept(pool: &Pool) -> Vec<Connection> {
        pool.clusters.lock().unwrap().keys().cloned().collect()
    }

    #[tokio::test]
    async fn other_credentials_are_other_clients_and_the_old_ones_go_when_they_are_idle() {
        let (pool, start) = (Pool::default(), Instant::now());
        let first = pool.get_at(&with("old"), start).unwrap();
        let again = pool.get_at(&with("old"), start).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let second = pool.get_at(&with("new"), start + IDLE).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(kept(&pool).len(), 2, "both may be in use");
        pool.get_at(&with("new"), start + IDLE + Duration::from_secs(1)).unwrap();
        assert_eq!(kept(&pool), [with("new")]);
        pool.forget(&with("new"));
        assert!(kept(&pool).is_empty());
    }
}
