//! Names a state of a seat map: what is rendered of it, and what an entity tag is made of.

/// Which state of the seats something shows: equal tags, equal seats; also across replicas and restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Fingerprint of the chart.
    pub chart_hash: String,
    /// Sequence of the last domain event in it.
    pub sequence: u64,
}
