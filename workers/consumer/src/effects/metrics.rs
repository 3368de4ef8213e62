//! What is counted of effects. The handler is a label of every metric.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of one handler's effects; clones count together.
#[derive(Debug, Clone, Default)]
pub struct EffectMetrics {
    /// Jobs that were carried out.
    pub carried_out: Counter,
    /// Those that came to nothing because the other side is in trouble.
    pub troubled: Counter,
    /// Those of lanes that were another member's by then.
    pub lost: Counter,
    /// Lanes that were set aside.
    pub parked: Counter,
    /// Things that somebody has to look at.
    pub alarms: Counter,
    /// Whether the other side wants no more, or only probes go to it.
    pub closed: Gauge,
}

impl EffectMetrics {
    /// Metrics in `registry`, labelled with the handler's name.
    pub fn new(registry: &mut Registry, handler: &str) -> Self {
        let metrics = Self::default();
        let registry = registry
            .sub_registry_with_prefix("boxoffice_effects")
            .sub_registry_with_label(("handler".into(), handler.to_owned().into()));
        registry.register("carried_out", "Effects that were tried", metrics.carried_out.clone());
        registry.register("troubled", "Attempts that are made again", metrics.troubled.clone());
        registry.register("lost", "Attempts that outlasted their lease", metrics.lost.clone());
        registry.register("parked", "Aggregates whose effects were set aside", metrics.parked.clone());
        registry.register("alarms", "What somebody has to look at", metrics.alarms.clone());
        registry.register(
            "closed",
            "1 while the other side is only probed, or wants no more",
            metrics.closed.clone(),
        );
        metrics
    }
}
