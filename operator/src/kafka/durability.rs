//! Whether a topic keeps what durability `log` promises: that an answer means that the event stays. Pure.

use super::TopicFacts;

const RETENTION: [&str; 2] = ["retention.ms", "retention.bytes"];
const CLEANUP: &str = "cleanup.policy";
const IN_SYNC: &str = "min.insync.replicas";

/// What breaks the promise, one sentence a key: the key, its value, and the fix.
pub fn breaches(topic: &str, facts: &TopicFacts) -> Vec<String> {
    let value = |key: &str| facts.config.get(key).map(String::as_str);
    let breach = |key: &str, live: &str, why: &str, wanted: &str| {
        format!("topic {topic} has {key}={live}, and {why}: set {key}: \"{wanted}\" in kafka.topic.config")
    };
    let mut found = Vec::new();
    for key in RETENTION {
        if let Some(live) = value(key).filter(|live| *live != "-1") {
            found.push(breach(key, live, "what is older or more is deleted", "-1"));
        }
    }
    if let Some(live) = value(CLEANUP).filter(|live| *live != "delete") {
        found.push(breach(CLEANUP, live, "all but the last event of a seat is deleted", "delete"));
    }
    if facts.replicas >= 3
        && let Some(live) = value(IN_SYNC).filter(|live| live.parse::<u32>().is_ok_and(|live| live < 2))
    {
        found.push(breach(IN_SYNC, live, "one broker alone may hold an event that was answered", "2"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(replicas: i32, config: &[(&str, &str)]) -> TopicFacts {
        let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        TopicFacts { id: None, partitions: 1, replicas, config }
    }

    const GOOD: [(&str, &str); 4] = [
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("cleanup.policy", "delete"),
        ("min.insync.replicas", "1"),
    ];

    #[test]
    fn a_topic_that_keeps_all_of_it_breaks_nothing() {
        assert!(breaches("t", &facts(1, &GOOD)).is_empty());
        assert!(breaches("t", &facts(3, &GOOD[..3])).is_empty(), "what brokers hide is not told");
        assert!(breaches("t", &facts(3, &[("min.insync.replicas", "2")])).is_empty());
    }

    #[test]
    fn each_key_that_breaks_it_is_named_with_value_and_fix() {
        let of = |replicas, key, value| {
            let found = breaches("t", &facts(replicas, &[(key, value)]));
            assert_eq!(found.len(), 1, "{key}={value}: {found:?}");
            found[0].clone()
        };
        let said = of(1, "retention.ms", "604800000");
        assert!(said.starts_with("topic t has retention.ms=604800000, and "), "{said}");
        assert!(said.ends_with("set retention.ms: \"-1\" in kafka.topic.config"), "{said}");
        of(1, "retention.bytes", "1000");
        of(1, "cleanup.policy", "compact");
        of(1, "cleanup.policy", "compact,delete");
        let said = of(3, "min.insync.replicas", "1");
        assert!(said.ends_with("set min.insync.replicas: \"2\" in kafka.topic.config"), "{said}");
    }
}
