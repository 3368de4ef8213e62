//! The declared consumers, each with its view in memory; payment and webhook with what they remember in the data file.

use std::sync::Arc;

use boxoffice_consumer::effects::Work;
use boxoffice_consumer::effects::engine::Engine;
use boxoffice_consumer::effects::metrics::EffectMetrics;
use boxoffice_consumer::effects::settings::{PaymentSettings, WebhookSettings};
use boxoffice_consumer::handlers::payment::work::PaymentWork;
use boxoffice_consumer::handlers::webhook::work::WebhookWork;
use boxoffice_consumer::metrics::Metrics;
use boxoffice_consumer::run::Consumer;
use boxoffice_consumer::run::lag::{self, Offsets};
use boxoffice_consumer::run::origin::Origin;
use boxoffice_consumer::run::standing::Standing;
use boxoffice_domain::checkpoint::Start;
use boxoffice_operator::kafka::Start as GroupStart;
use boxoffice_operator::reservation_service::validate::ValidatedConsumer;
use boxoffice_runtime::clock;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::view::ViewStore;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::declared::Declared;
use super::{Platform, PlatformError};
use crate::embedded::effects::book::Book;
use crate::embedded::effects::intake::{Payments, Webhooks};
use crate::embedded::effects::relay::Relay;
use crate::embedded::views::{MemoryView, Persistence, SeatView, Stats, announcements};

/// What the query role loads: the view of the first consumer with handler seat-view.
type SharedView = Arc<MemoryView<SeatView>>;

impl Platform {
    /// Starts every consumer, from where its group was declared to begin. They end when `stop` is cancelled; then the
    /// tracker is empty.
    pub(super) async fn consume(
        &self,
        declared: &Declared,
        registry: &mut Registry,
        readiness: &Readiness,
        stop: &CancellationToken,
    ) -> Result<(SharedView, TaskTracker), PlatformError> {
        // Views of an earlier version of the service are gone.
        self.log.begin_anew();
        let (running, mut shared) = (TaskTracker::new(), None);
        for consumer in &declared.service.consumers {
            let log: Arc<dyn EventLog> = Arc::new(self.log.clone());
            let view: Arc<dyn ViewStore> = match consumer.handler {
                "seat-view" => {
                    let view = Arc::new(MemoryView::new(SeatView::new(declared.topic().to_owned())));
                    shared.get_or_insert_with(|| Arc::clone(&view));
                    running.spawn(Arc::clone(&view).look_after(Arc::new(clock::now), stop.clone()));
                    view
                }
                "persistence" => Arc::new(MemoryView::new(Persistence::default())),
                "stats" => {
                    let stats = Stats::default();
                    let relay = announcements::Relay {
                        log: Arc::clone(&log),
                        topic: declared.stats_topic().to_owned(),
                        source: declared.name(),
                        outbox: stats.outbox().clone(),
                    };
                    running.spawn(relay.run(stop.clone()));
                    Arc::new(MemoryView::new(stats))
                }
                "payment" => {
                    let name = &consumer.declared.name;
                    let (settings, book) = (declared.payment(consumer)?, self.book(name).await?);
                    let relay = Relay {
                        log: Arc::clone(&log),
                        topic: declared.payment_topic().to_owned(),
                        source: declared.name(),
                        book: book.clone(),
                    };
                    running.spawn(relay.run(stop.clone()));
                    let PaymentSettings { gateway, timeout } = settings;
                    let begun = engine(&book, registry, consumer, |metrics| PaymentWork { gateway, metrics });
                    running.spawn(begun.run(stop.clone()));
                    Arc::new(MemoryView::new(Payments { book, timeout }))
                }
                "webhook" => {
                    let name = &consumer.declared.name;
                    let (settings, book) = (declared.webhook(consumer)?, self.book(name).await?);
                    let WebhookSettings { receiver, wanted } = settings;
                    let begun =
                        engine(&book, registry, consumer, |metrics| WebhookWork { receiver, metrics });
                    running.spawn(begun.run(stop.clone()));
                    Arc::new(MemoryView::new(Webhooks { book, wanted }))
                }
                _ => return Err(PlatformError::Handler(consumer.declared.name.clone())),
            };
            let (metrics, offsets) = (Metrics::new(registry, consumer.handler), Offsets::default());
            let member = Consumer {
                log: Arc::clone(&log),
                view,
                group: consumer.group.name.clone(),
                topics: consumer.group.topics.clone(),
                // Views are built anew at every start of the process.
                origin: Origin { start: start(consumer), replayable: true, is_reset: false },
                reset_id: String::new(),
                metrics: metrics.clone(),
                readiness: readiness.clone(),
                standing: Standing::new(readiness.clone()),
                offsets: offsets.clone(),
            };
            let stop = stop.clone();
            running.spawn(async move {
                tokio::join!(member.run(&stop), lag::watch(log, offsets, metrics, stop.clone()));
            });
        }
        running.close();
        Ok((shared.ok_or(PlatformError::NoSeatView)?, running))
    }
}

impl Platform {
    /// What a consumer remembers of its effects.
    async fn book(&self, consumer: &str) -> Result<Book, PlatformError> {
        Ok(Book::open(self.journal.clone(), consumer, Arc::new(clock::now)).await?)
    }
}

/// What carries out the effects that are in a book.
fn engine<W: Work>(
    book: &Book,
    registry: &mut Registry,
    consumer: &ValidatedConsumer,
    work: impl FnOnce(EffectMetrics) -> W,
) -> Engine<Book, W> {
    let metrics = EffectMetrics::new(registry, consumer.handler);
    let (store, work) = (book.clone(), Arc::new(work(metrics.clone())));
    Engine { store, work, more: book.more(), announced: book.announced(), metrics }
}

fn start(consumer: &ValidatedConsumer) -> Start {
    match consumer.group.start {
        GroupStart::Earliest => Start::Earliest,
        GroupStart::Latest | GroupStart::Timestamp(_) => Start::Elsewhere,
    }
}
