//! What is planned for a topic.

use super::*;

const NAME: &str = "seat-events";

fn wanted() -> Topic {
    Topic {
        name: NAME.into(),
        partitions: 12,
        replication_factor: -1,
        config: [("retention.ms".to_owned(), "-1".to_owned())].into(),
    }
}

fn facts(partitions: i32, retention: &str) -> TopicFacts {
    let config = [("retention.ms", retention), ("segment.ms", "7")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    TopicFacts { id: Some("first".to_owned()), partitions, replicas: 1, config }
}

fn foreign() -> Knowledge {
    Knowledge::default()
}

/// By its record, which knows the topic by `id`.
fn own(id: Option<&str>) -> Knowledge {
    Knowledge { record: [(NAME.to_owned(), id.map(str::to_owned))].into(), ..Knowledge::default() }
}

/// By its status alone.
fn seen(id: &str, own: bool) -> Knowledge {
    let seen = Seen { id: Some(id.to_owned()), own };
    Knowledge { seen: [(NAME.to_owned(), seen)].into(), ..Knowledge::default() }
}

fn of(facts: Option<&TopicFacts>, known: &Knowledge, adoption: Adoption) -> TopicPlan {
    plan(&wanted(), facts, known, None, adoption, true)
}

fn refused(plan: TopicPlan) -> (&'static str, String) {
    match plan {
        TopicPlan::Refuse(reason, message) => (reason, message),
        other => panic!("not refused: {other:?}"),
    }
}

fn kept(adopted: bool) -> TopicPlan {
    TopicPlan::Tend { adopted, grow: None, set: BTreeMap::new() }
}

#[test]
fn creates_an_absent_topic_that_never_was_there() {
    for known in [foreign(), own(None)] {
        for adoption in [Adoption::Fail, Adoption::Adopt] {
            assert_eq!(plan(&wanted(), None, &known, None, adoption, false), TopicPlan::Create);
        }
    }
}

#[test]
fn does_not_hide_the_loss_of_a_topic_behind_an_empty_one_and_does_not_tell_it_at_once() {
    for known in [own(Some("first")), seen("first", true), seen("first", false)] {
        assert_eq!(plan(&wanted(), None, &known, None, Adoption::Fail, false), TopicPlan::Doubt);
        let (reason, message) = refused(of(None, &known, Adoption::Fail));
        assert_eq!(reason, "TopicMissing");
        assert!(message.contains("keep this resource") && !message.contains("delete"), "{message}");
    }
}

#[test]
fn refuses_another_topic_of_the_same_name_until_it_is_accepted() {
    let live = facts(12, "-1");
    for known in [own(Some("another")), seen("another", true), seen("another", false)] {
        let (reason, message) = refused(of(Some(&live), &known, Adoption::Adopt));
        assert_eq!(reason, "TopicReplaced");
        assert!(message.contains("was another and is first"), "{message}");
        assert!(
            message.contains("boxoffice.dev/accept-topics=first") && !message.contains("delete"),
            "{message}"
        );
    }
    let accepted = Knowledge { accepted: ["first".to_owned()].into(), ..own(Some("another")) };
    let plan = of(Some(&live), &accepted, Adoption::Fail);
    assert_eq!(plan, kept(false));
    assert_eq!(pin(&plan, NAME, Some(&live), &accepted).as_deref(), Some("first"));
}

#[test]
fn a_topic_of_another_cluster_is_told_at_once_with_the_field_and_is_never_taken_for_a_loss() {
    let live = facts(12, "-1");
    let on = |known: Knowledge| Knowledge { cluster: Some("c0".to_owned()), ..known };
    let of = |facts: Option<&TopicFacts>, known: &Knowledge, cluster| {
        plan(&wanted(), facts, known, Some(cluster), Adoption::Adopt, false)
    };
    for known in [on(own(Some("another"))), on(seen("another", true)), on(seen("another", false))] {
        for facts in [None, Some(&live)] {
            let (reason, message) = refused(of(facts, &known, "c1"));
            assert_eq!(reason, ELSEWHERE);
            for part in ["cluster c0", "to cluster c1", "set kafka.bootstrapServers back", "accept-topics="] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        assert_eq!(of(None, &known, "c0"), TopicPlan::Doubt);
        assert_eq!(refused(of(Some(&live), &known, "c0")).0, "TopicReplaced");
    }
    let accepted = Knowledge { accepted: ["first".to_owned()].into(), ..on(own(Some("another"))) };
    assert_eq!(of(Some(&live), &accepted, "c1"), kept(false), "it moved");
    assert_eq!(of(Some(&live), &on(own(Some("first"))), "c1"), kept(false), "the same by its id");
    assert_eq!(of(None, &on(foreign()), "c1"), TopicPlan::Create, "it never was there");
}

#[test]
fn takes_a_topic_for_the_same_as_long_as_nothing_says_otherwise() {
    let live = facts(12, "-1");
    assert_eq!(of(Some(&live), &own(Some("first")), Adoption::Fail), kept(false));
    assert_eq!(of(Some(&live), &own(None), Adoption::Fail), kept(false));
    let old = TopicFacts { id: None, ..live };
    assert_eq!(of(Some(&old), &own(Some("first")), Adoption::Fail), kept(false));
}

#[test]
fn a_lost_record_is_made_up_for_by_the_status_where_ids_match() {
    let live = facts(12, "-1");
    assert_eq!(of(Some(&live), &seen("first", true), Adoption::Fail), kept(false));
    let observed = refused(of(Some(&live), &seen("first", false), Adoption::Fail));
    assert_eq!(observed.0, "TopicExists", "it never was its own");
}

#[test]
fn the_record_is_believed_before_the_status() {
    let live = facts(12, "-1");
    let known = Knowledge { seen: seen("another", true).seen, ..own(Some("first")) };
    assert_eq!(of(Some(&live), &known, Adoption::Fail), kept(false));
}

#[test]
fn refuses_a_foreign_topic_and_names_the_way_out() {
    let (reason, message) = refused(of(Some(&facts(12, "-1")), &foreign(), Adoption::Fail));
    assert_eq!(reason, "TopicExists");
    assert!(message.contains("adoptionPolicy"), "{message}");
}

#[test]
fn adopts_once() {
    let live = facts(12, "-1");
    assert_eq!(of(Some(&live), &foreign(), Adoption::Adopt), kept(true));
    assert_eq!(of(Some(&live), &own(None), Adoption::Adopt), kept(false));
}

#[test]
fn observes_without_touching() {
    assert_eq!(of(Some(&facts(3, "5")), &foreign(), Adoption::Observe), TopicPlan::Observe);
    assert_eq!(refused(of(None, &foreign(), Adoption::Observe)).0, "TopicMissing");
    assert_eq!(plan(&wanted(), None, &foreign(), None, Adoption::Observe, false), TopicPlan::Doubt);
}

#[test]
fn grows_its_own_topic_and_never_shrinks_it() {
    let grow = TopicPlan::Tend { adopted: false, grow: Some(12), set: BTreeMap::new() };
    assert_eq!(of(Some(&facts(6, "-1")), &own(None), Adoption::Fail), grow);
    assert_eq!(of(Some(&facts(24, "-1")), &own(None), Adoption::Fail), kept(false));
}

#[test]
fn sets_its_own_keys_and_no_others() {
    let set = [("retention.ms".to_owned(), "-1".to_owned())].into();
    let plan = of(Some(&facts(12, "5")), &own(None), Adoption::Fail);
    assert_eq!(plan, TopicPlan::Tend { adopted: false, grow: None, set });
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

#[test]
fn another_replication_factor_is_told_with_the_way_out_where_one_is_declared() {
    assert_eq!(replication(&wanted(), &facts(12, "-1")), None);
    let declared = |factor| Topic { replication_factor: factor, ..wanted() };
    assert_eq!(replication(&declared(1), &facts(12, "-1")), None);
    let said = replication(&declared(3), &facts(12, "-1")).unwrap();
    assert!(said.contains("is on 1 brokers") && said.contains("kafka-reassign-partitions.sh"), "{said}");
}
