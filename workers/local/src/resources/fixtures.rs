//! Resources for the tests of this crate, and what is found in them.

use super::collect::Collector;
use super::source::Text;
use super::{Finding, Loaded};

/// A ReservationService in 11 lines.
pub const SERVICE: &str = r#"apiVersion: boxoffice.dev/v1alpha1
kind: ReservationService
metadata: {name: main}
spec:
  auth: {allowFrom: [{namespaceSelector: {}}]}
  redis: {url: "redis://redis:6379"}
  kafka: {bootstrapServers: "kafka:9092"}
  consumers:
  - name: seat-view
    handler: seat-view
    database: {url: "postgres://view"}
"#;

/// A SeatingEvent in 14 lines.
pub const EVENT: &str = r#"apiVersion: boxoffice.dev/v1alpha1
kind: SeatingEvent
metadata: {name: club-night}
spec:
  serviceRef: {name: main}
  title: Club Night
  startsAt: 2099-03-01T20:00:00Z
  priceCategories:
  - {name: entry, amount: 2500, currency: EUR}
  sections:
  - {id: CLUB, priceCategory: entry, capacity: 300}
  - id: A
    priceCategory: entry
    rows: [{rows: "1-4", seats: "1-10"}]
"#;

/// `base` with `to` in place of `from`.
#[track_caller]
pub fn with(base: &str, from: &str, to: &str) -> String {
    assert!(base.contains(from), "{from:?} is not there");
    base.replacen(from, to, 1)
}

/// What files contain, as if they had been read.
pub fn loaded(files: &[(&str, &str)]) -> Loaded {
    let mut collector = Collector::new("default").unwrap();
    for (file, content) in files {
        collector.take(&Text { file: (*file).to_owned(), content: (*content).to_owned() });
    }
    collector.finish()
}

/// The findings about one file, each as `line: field: message`.
pub fn findings(content: &str) -> Vec<String> {
    lines(&loaded(&[("", content)]).findings)
}

/// Findings without the file.
pub fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| finding.to_string().split_once(':').unwrap().1.to_owned()).collect()
}
