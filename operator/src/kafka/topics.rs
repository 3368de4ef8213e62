//! Decides what to do about one topic: create, grow, leave or refuse. Pure.

use super::{Topic, TopicFacts};

/// What to do with a topic that exists but was not made for this service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adoption {
    /// Stop and say so.
    #[default]
    Fail,
    /// Take it over; from then on it is the service's own.
    Adopt,
    /// Use it as it is; never create or grow it.
    Observe,
}

/// What the service knows of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Foreign,
    /// Its record names the topic as its own.
    Own,
    /// It is its own, and its status says that it was there.
    OwnAndSeen,
}

/// The one step that a topic needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicPlan {
    /// It is absent: record it as ours, then create it.
    Create,
    /// It is there and good enough.
    Keep {
        /// Whether to record it as ours.
        claim: bool,
    },
    /// It has fewer partitions than wanted.
    Grow {
        /// Whether to record it as ours.
        claim: bool,
        /// The count to reach.
        to: i32,
    },
    /// Only a person can go on: `(reason, message)`.
    Refuse(&'static str, String),
}

/// Plans for `wanted`, given what the cluster has of it and what the service knows.
pub fn plan(wanted: &Topic, facts: Option<&TopicFacts>, standing: Standing, adoption: Adoption) -> TopicPlan {
    let name = &wanted.name;
    let ours = standing != Standing::Foreign;
    let Some(facts) = facts else {
        return match adoption {
            Adoption::Observe if !ours => TopicPlan::Refuse(
                "TopicMissing",
                format!(
                    "topic {name} does not exist and adoptionPolicy is Observe: create it, or set Fail or Adopt"
                ),
            ),
            // An empty topic in its place would hide that every event is lost.
            _ if standing == Standing::OwnAndSeen => TopicPlan::Refuse(
                "TopicMissing",
                format!(
                    "topic {name} was there and is gone, with every event on it: to begin a new one, delete this \
                     resource and apply it again"
                ),
            ),
            _ => TopicPlan::Create,
        };
    };
    match adoption {
        Adoption::Fail if !ours => TopicPlan::Refuse(
            "TopicExists",
            format!(
                "topic {name} exists and was not created for this service: set kafka.topic.adoptionPolicy to Adopt \
                 or Observe, choose another kafka.prefix, or delete the topic"
            ),
        ),
        Adoption::Observe if !ours => TopicPlan::Keep { claim: false },
        _ if facts.partitions < wanted.partitions => TopicPlan::Grow { claim: !ours, to: wanted.partitions },
        _ => TopicPlan::Keep { claim: !ours },
    }
}

/// Refuses a topic that has another id than the one `pinned` when it was first seen: it was deleted and created again.
pub fn replaced(wanted: &Topic, facts: Option<&TopicFacts>, pinned: Option<&str>) -> Option<TopicPlan> {
    let (id, pinned) = (facts?.id.as_deref()?, pinned?);
    let name = &wanted.name;
    let message = || {
        format!(
            "topic {name} was replaced: its id was {pinned} and is {id}, and what the first one held is not on it: to \
             go on with the new one, delete this resource and apply it again; deletionPolicy Retain keeps the topic"
        )
    };
    (id != pinned).then(|| TopicPlan::Refuse("TopicReplaced", message()))
}

/// How the topic falls short of what is wanted, one phrase a difference. More partitions than wanted are no harm.
pub fn differences(wanted: &Topic, facts: &TopicFacts) -> Vec<String> {
    let mut found = Vec::new();
    if facts.partitions < wanted.partitions {
        found.push(format!(
            "{} has {} partitions, wanted {}",
            wanted.name, facts.partitions, wanted.partitions
        ));
    }
    for (key, value) in &wanted.config {
        match facts.config.get(key) {
            Some(live) if live == value => {}
            Some(live) => found.push(format!("{} has {key}={live}, wanted {value}", wanted.name)),
            None => found.push(format!("{} does not show {key}, wanted {value}", wanted.name)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Topic {
        Topic {
            name: "seat-events".into(),
            partitions: 12,
            replication_factor: -1,
            config: [("retention.ms".to_owned(), "-1".to_owned())].into(),
        }
    }

    fn facts(partitions: i32, retention: &str) -> TopicFacts {
        let config = [("retention.ms".to_owned(), retention.to_owned())].into();
        TopicFacts { id: Some("first".to_owned()), partitions, config }
    }

    #[test]
    fn creates_an_absent_topic() {
        for standing in [Standing::Foreign, Standing::Own] {
            assert_eq!(plan(&wanted(), None, standing, Adoption::Fail), TopicPlan::Create);
            assert_eq!(plan(&wanted(), None, standing, Adoption::Adopt), TopicPlan::Create);
        }
    }

    #[test]
    fn does_not_hide_the_loss_of_a_topic_behind_an_empty_one() {
        let refused = plan(&wanted(), None, Standing::OwnAndSeen, Adoption::Fail);
        assert!(matches!(refused, TopicPlan::Refuse("TopicMissing", _)), "{refused:?}");
    }

    #[test]
    fn refuses_another_topic_of_the_same_name() {
        let live = facts(12, "-1");
        let Some(TopicPlan::Refuse("TopicReplaced", message)) =
            replaced(&wanted(), Some(&live), Some("another"))
        else {
            panic!("not refused");
        };
        assert!(
            message.contains("was another and is first") && message.contains("apply it again"),
            "{message}"
        );
    }

    #[test]
    fn takes_a_topic_for_the_same_as_long_as_nothing_says_otherwise() {
        let live = facts(12, "-1");
        assert_eq!(replaced(&wanted(), Some(&live), Some("first")), None);
        assert_eq!(replaced(&wanted(), Some(&live), None), None);
        assert_eq!(replaced(&wanted(), Some(&TopicFacts { id: None, ..live }), Some("first")), None);
        assert_eq!(replaced(&wanted(), None, Some("first")), None);
    }

    #[test]
    fn refuses_a_foreign_topic_and_names_the_way_out() {
        let TopicPlan::Refuse(reason, message) =
            plan(&wanted(), Some(&facts(12, "-1")), Standing::Foreign, Adoption::Fail)
        else {
            panic!("not refused");
        };
        assert_eq!(reason, "TopicExists");
        assert!(message.contains("adoptionPolicy"), "{message}");
    }

    #[test]
    fn adopts_once() {
        let live = facts(12, "-1");
        assert_eq!(
            plan(&wanted(), Some(&live), Standing::Foreign, Adoption::Adopt),
            TopicPlan::Keep { claim: true }
        );
        assert_eq!(
            plan(&wanted(), Some(&live), Standing::Own, Adoption::Adopt),
            TopicPlan::Keep { claim: false }
        );
    }

    #[test]
    fn observes_without_touching() {
        assert_eq!(
            plan(&wanted(), Some(&facts(3, "5")), Standing::Foreign, Adoption::Observe),
            TopicPlan::Keep { claim: false }
        );
        let refused = plan(&wanted(), None, Standing::Foreign, Adoption::Observe);
        assert!(matches!(refused, TopicPlan::Refuse("TopicMissing", _)), "{refused:?}");
    }

    #[test]
    fn grows_its_own_topic_and_never_shrinks_it() {
        let grow = TopicPlan::Grow { claim: false, to: 12 };
        assert_eq!(plan(&wanted(), Some(&facts(6, "-1")), Standing::Own, Adoption::Fail), grow);
        assert_eq!(
            plan(&wanted(), Some(&facts(24, "-1")), Standing::Own, Adoption::Fail),
            TopicPlan::Keep { claim: false }
        );
    }

    #[test]
    fn names_every_difference() {
        assert!(differences(&wanted(), &facts(12, "-1")).is_empty());
        assert!(differences(&wanted(), &facts(24, "-1")).is_empty());
        assert_eq!(
            differences(&wanted(), &facts(6, "5")),
            ["seat-events has 6 partitions, wanted 12", "seat-events has retention.ms=5, wanted -1"]
        );
    }
}
