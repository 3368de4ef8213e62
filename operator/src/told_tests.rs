//! Whatever conditions, reasons, Events and annotations there are stands in a README, and conditions in the kinds' own
//! documentation: read from the sources, so that a new one is not forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Words of the sources that are written as reasons are, and are none: those of Kubernetes, Kafka and clients.
const OTHERS: [&str; 16] = [
    "AlterConfigs",
    "AlwaysAllow",
    "ClusterFirst",
    "ConfigMap",
    "ContainerCreating",
    "DescribeConfigs",
    "KeyMissing",
    "NamespaceTerminating",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodScheduled",
    "ReservationService",
    "RollingUpdate",
    "RuntimeDefault",
    "ScheduleAnyway",
    "SeatingEvent",
];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The sources below a folder, without their tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if !["_tests.rs", "fake.rs", "fake_api.rs", "fixtures.rs"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// What stands between quotation marks and is one of those.
fn quoted(text: &str, is_one: impl Fn(&str) -> bool) -> BTreeSet<String> {
    text.split('"').filter(|piece| is_one(piece)).map(str::to_owned).collect()
}

/// `TopicMissing`: more than one word, each with a capital.
fn is_reason(word: &str) -> bool {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    capitals > 1
        && word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|letter| letter.is_ascii_alphabetic())
        && word.as_bytes().windows(2).all(|pair| !pair.iter().all(u8::is_ascii_uppercase))
}

fn is_key(text: &str) -> bool {
    let word = text.strip_prefix("boxoffice.dev/");
    word.is_some_and(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
}

fn is_between(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !['-', '.', '/'].contains(&c)
}

/// The words of what people read.
fn documented() -> BTreeSet<String> {
    let texts = ["README.md", "helm/boxoffice/README.md"].map(|path| fs::read_to_string(at(path)).unwrap());
    texts.iter().flat_map(|text| text.split(is_between)).map(str::to_owned).collect()
}

/// Those that nobody would find.
fn missing(words: &BTreeSet<String>) -> Vec<String> {
    let documented = documented();
    words.iter().filter(|word| !documented.contains(*word)).cloned().collect()
}

#[test]
fn every_reason_stands_in_a_readme() {
    let text = sources(&at("operator/src")).concat();
    let mut reasons = quoted(&text, is_reason);
    let idle: Vec<_> = OTHERS.iter().filter(|word| !reasons.contains(**word)).collect();
    assert!(idle.is_empty(), "not in the sources: {idle:?}");
    reasons.retain(|reason| !OTHERS.contains(&reason.as_str()));
    assert!(reasons.len() > 60, "only {reasons:?}");
    assert_eq!(missing(&reasons), Vec::<String>::new(), "README.md says nothing of these");
}

#[test]
fn every_annotation_label_and_finalizer_stands_in_a_readme() {
    let text = [sources(&at("operator/src")), sources(&at("crds/src"))].concat().concat();
    let keys = quoted(&text, is_key);
    assert!(keys.contains(boxoffice_crds::PAUSED_ANNOTATION) && keys.len() > 8, "only {keys:?}");
    assert_eq!(missing(&keys), Vec::<String>::new(), "README.md says nothing of these");
}

#[test]
fn every_condition_stands_in_a_readme_and_in_the_documentation_of_its_kind() {
    let common = fs::read_to_string(at("crds/src/common.rs")).unwrap();
    let module =
        common.split("pub mod condition {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
    let conditions = quoted(module, |piece| !piece.is_empty() && piece.chars().all(char::is_alphabetic));
    assert!(conditions.len() > 12, "only {conditions:?}");
    assert_eq!(missing(&conditions), Vec::<String>::new(), "README.md says nothing of these");
    let kinds: String =
        boxoffice_crds::manifests().unwrap().into_iter().map(|manifest| manifest.yaml).collect();
    let is_said =
        |condition: &&String| kinds.split(|c: char| !c.is_alphanumeric()).any(|word| word == **condition);
    let unsaid: Vec<_> = conditions.iter().filter(|condition| !is_said(condition)).collect();
    assert!(unsaid.is_empty(), "`conditions` of the kinds says nothing of {unsaid:?}");
}
