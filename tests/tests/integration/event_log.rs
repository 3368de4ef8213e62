//! The event log on real Kafka.

use async_trait::async_trait;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::conformance::event_log::Logs;
use boxoffice_tests::event_log_conformance;
use boxoffice_tests::servers::{kafka, topic};

struct SharedKafka;

#[async_trait]
impl Logs for SharedKafka {
    fn log(&self) -> Box<dyn EventLog> {
        Box::new(KafkaLog::new(&kafka()).unwrap())
    }

    async fn topic(&self, partitions: u32) -> String {
        topic("log", partitions).await
    }
}

event_log_conformance!(SharedKafka);
