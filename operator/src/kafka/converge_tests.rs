//! `converge` on a Kafka of a few maps.

use super::super::fake::Fake;
use super::*;

fn seat_events(partitions: i32) -> Topic {
    Topic { name: "seat-events".into(), partitions, replication_factor: -1, config: BTreeMap::new() }
}

fn group_from(start: Start) -> Group {
    Group { name: "persistence".into(), topics: vec!["seat-events".into()], start }
}

/// One look at what is ordered, with what was done.
async fn look(
    fake: &Fake,
    declaration: &Declaration,
) -> (BTreeMap<String, Option<String>>, TopicState, Vec<Deed>) {
    let names: Vec<_> = declaration.topics.iter().map(|topic| topic.name.clone()).collect();
    let answers = fake.topics(&names).await.unwrap();
    let mut surveys =
        survey(declaration, &answers, Some("c1"), &mut Absences::default(), Instant::now()).unwrap();
    let to_record = to_record(&surveys, &declaration.known);
    let (state, deeds) = carry_out(fake, surveys.remove(0), declaration).await.unwrap();
    (to_record, state, deeds)
}

fn declaration(partitions: i32) -> Declaration {
    Declaration { topics: vec![seat_events(partitions)], ..Declaration::default() }
}

/// What an operator does between two looks: it records, and remembers what it saw.
fn remember(declaration: &mut Declaration, to_record: BTreeMap<String, Option<String>>, state: &TopicState) {
    declaration.known.record.extend(to_record);
    if state.refused.is_none() && !state.is_new && state.partitions > 0 {
        let seen = topics::Seen { id: state.id.clone(), own: state.own };
        declaration.known.seen.insert(state.name.clone(), seen);
    }
}

#[tokio::test]
async fn an_absent_topic_is_recorded_then_created_then_known_by_its_id() {
    let (fake, mut declaration) = (Fake::default(), declaration(3));
    let (claimed, state, deeds) = look(&fake, &declaration).await;
    assert_eq!(claimed, [("seat-events".to_owned(), None)].into());
    assert!(deeds.is_empty() && fake.topics.lock().unwrap().is_empty(), "nothing before it is recorded");
    remember(&mut declaration, claimed, &state);
    let (claimed, state, deeds) = look(&fake, &declaration).await;
    assert!(claimed.is_empty());
    assert_eq!((state.partitions, deeds[0].0), (3, "TopicCreated"));
    remember(&mut declaration, claimed, &state);
    let (claimed, state, deeds) = look(&fake, &declaration).await;
    assert_eq!(claimed, [("seat-events".to_owned(), Some("id-0".to_owned()))].into());
    assert!(deeds.is_empty());
    remember(&mut declaration, claimed, &state);
    let (claimed, again, deeds) = look(&fake, &declaration).await;
    assert!(claimed.is_empty() && deeds.is_empty(), "I12");
    assert_eq!(again, state);
}

#[tokio::test]
async fn a_foreign_topic_is_left_alone() {
    let fake = Fake::default();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let (claimed, state, _) = look(&fake, &declaration(3)).await;
    assert!(claimed.is_empty());
    assert_eq!((state.partitions, state.id.as_deref(), state.refused.unwrap().0), (1, None, "TopicExists"));
}

#[tokio::test]
async fn a_recorded_topic_grows_and_keeps_its_own_keys() {
    let (fake, mut declaration) = (Fake::default(), declaration(3));
    fake.create_topic(&seat_events(1)).await.unwrap();
    let other = [("segment.ms".to_owned(), "7".to_owned())].into();
    fake.configure_topic("seat-events", &other).await.unwrap();
    declaration.topics[0].config = [("retention.ms".to_owned(), "-1".to_owned())].into();
    declaration.known.record = [("seat-events".to_owned(), None)].into();
    let (_, state, deeds) = look(&fake, &declaration).await;
    assert_eq!(state.partitions, 3);
    let done: Vec<_> = deeds.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(done, ["TopicGrown", "TopicConfigured"]);
    assert_eq!(deeds[1].1, "topic seat-events: retention.ms=-1");
    let config = fake.facts("seat-events").config;
    assert_eq!((config["retention.ms"].as_str(), config["segment.ms"].as_str()), ("-1", "7"));
    assert!(look(&fake, &declaration).await.2.is_empty(), "once only");
}

#[tokio::test]
async fn a_topic_that_was_replaced_is_neither_pinned_nor_grown_until_it_is_accepted() {
    let (fake, mut declaration) = (Fake::default(), declaration(3));
    declaration.known.record = [("seat-events".to_owned(), Some("id-9".to_owned()))].into();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let (claimed, replaced, deeds) = look(&fake, &declaration).await;
    assert!(claimed.is_empty() && deeds.is_empty());
    assert_eq!((replaced.id.as_deref(), replaced.partitions), (Some("id-9"), 1));
    assert_eq!(replaced.refused.as_ref().unwrap().0, "TopicReplaced");
    assert_eq!(look(&fake, &declaration).await.1, replaced, "it stays refused");
    declaration.known.accepted = ["id-0".to_owned()].into();
    let (claimed, accepted, _) = look(&fake, &declaration).await;
    assert_eq!(claimed, [("seat-events".to_owned(), Some("id-0".to_owned()))].into());
    assert_eq!((accepted.id.as_deref(), accepted.refused), (Some("id-0"), None));
}

#[tokio::test]
async fn on_another_cluster_nothing_becomes_the_services_own() {
    let (fake, mut declaration) = (Fake::default(), declaration(3));
    let later = Topic { name: "stats-events".into(), ..seat_events(1) };
    declaration.topics.push(later);
    let seen = topics::Seen { id: Some("first".to_owned()), own: true };
    declaration.known.seen = [("seat-events".to_owned(), seen)].into();
    declaration.known.cluster = Some("c0".to_owned());
    let names = ["seat-events", "stats-events"].map(str::to_owned);
    let surveyed = async |declaration: &Declaration| {
        let answers = fake.topics(&names).await.unwrap();
        let (cluster, now) = (Some("c1"), Instant::now());
        survey(declaration, &answers, cluster, &mut Absences::default(), now).unwrap()
    };
    let surveys = surveyed(&declaration).await;
    assert!(surveys.iter().all(|survey| is_elsewhere(&survey.plan)), "{surveys:?}");
    assert!(to_record(&surveys, &declaration.known).is_empty());
    declaration.known.cluster = Some("c1".to_owned());
    let surveys = surveyed(&declaration).await;
    let plans: Vec<_> = surveys.iter().map(|survey| &survey.plan).collect();
    assert_eq!(
        plans,
        [&TopicPlan::Doubt, &TopicPlan::Create],
        "it is gone, which has to be said more than once"
    );
}

#[test]
fn a_topic_is_missing_once_it_was_looked_for_three_times_over_half_a_minute() {
    let (mut absences, start) = (Absences::default(), Instant::now());
    let mut looked = |seconds, is_there| absences.note("t", is_there, start + Duration::from_secs(seconds));
    assert!(!looked(0, false) && !looked(1, false) && !looked(2, false), "often, and not for long");
    assert!(looked(30, false));
    assert!(!looked(40, true) && !looked(50, false) && !looked(90, false), "it was there: counted anew");
    assert!(looked(91, false));
}

#[tokio::test]
async fn only_an_unknown_topic_is_absent() {
    let fake = Fake { hidden: ["seat-events".to_owned()].into(), ..Fake::default() };
    let mut declaration = declaration(3);
    declaration.known.record = [("seat-events".to_owned(), Some("id-0".to_owned()))].into();
    let answers = fake.topics(&["seat-events".to_owned()]).await.unwrap();
    let error = survey(&declaration, &answers, None, &mut Absences::default(), Instant::now()).unwrap_err();
    assert_eq!(error.reason(), "KafkaForbidden");
}

#[tokio::test]
async fn a_promise_is_looked_at_on_the_promised_topic_alone() {
    let fake = Fake::default();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let finite = [("retention.ms".to_owned(), "5".to_owned())].into();
    fake.configure_topic("seat-events", &finite).await.unwrap();
    let mut declaration = Declaration { adoption: Adoption::Observe, ..declaration(1) };
    assert!(look(&fake, &declaration).await.1.breaches.is_empty());
    declaration.promised = Some("seat-events".to_owned());
    assert_eq!(look(&fake, &declaration).await.1.breaches.len(), 1);
}

/// One look at one group, whose topics have so many partitions.
async fn group_once(fake: &Fake, wanted: &Group, partitions: i32) -> (GroupState, Option<Deed>) {
    group_on(fake, wanted, partitions, None).await
}

/// The same, where all of its topics have this id.
async fn group_on(
    fake: &Fake,
    wanted: &Group,
    partitions: i32,
    id: Option<&str>,
) -> (GroupState, Option<Deed>) {
    let of = |name: &String| TopicState {
        name: name.clone(),
        partitions,
        id: id.map(str::to_owned),
        ..TopicState::default()
    };
    let topics: Vec<_> = wanted.topics.iter().map(of).collect();
    let topics: Vec<_> = topics.iter().collect();
    let questions = ask(fake, std::iter::once(wanted.name.as_str()), &topics).await.unwrap();
    group(fake, wanted, &questions).await.unwrap()
}

fn with_ends(ends: &[(i32, i64)]) -> Fake {
    let fake = Fake::default();
    *fake.ends.lock().unwrap() = ends.iter().copied().collect();
    fake
}

#[tokio::test]
async fn a_latest_group_begins_at_the_end_of_its_creation_and_stays_there() {
    let fake = with_ends(&[(0, 7), (1, 2)]);
    let (first, deed) = group_once(&fake, &group_from(Start::Latest), 2).await;
    assert_eq!(deed, Some(("GroupCreated", "consumer group persistence".to_owned())));
    assert_eq!((first.lag, first.state.as_str()), (0, "Empty"));
    *fake.ends.lock().unwrap() = [(0, 9), (1, 2)].into();
    let (second, deed) = group_once(&fake, &group_from(Start::Latest), 2).await;
    assert_eq!(deed, None);
    assert_eq!(second.lag, 2, "what came after its creation is still to be consumed");
}

#[tokio::test]
async fn an_earliest_group_has_the_whole_log_before_it() {
    let fake = with_ends(&[(0, 7), (1, 2)]);
    assert_eq!(group_once(&fake, &group_from(Start::Earliest), 2).await.0.lag, 9);
}

#[tokio::test]
async fn a_group_with_members_is_never_committed_for() {
    let members = [("persistence".to_owned(), 2)].into();
    let fake = Fake { members, ..with_ends(&[(0, 7)]) };
    let (state, deed) = group_once(&fake, &group_from(Start::Latest), 1).await;
    assert_eq!((state.members, state.state.as_str(), state.lag, deed), (2, "Stable", 7, None));
    assert!(fake.commits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_topic_that_a_group_reads_from_now_on_begins_where_it_was_declared() {
    let fake = with_ends(&[(0, 7)]);
    let before = group_once(&fake, &group_from(Start::Latest), 1).await;
    let both =
        Group { topics: vec!["seat-events".into(), "payment-events".into()], ..group_from(Start::Latest) };
    let after = group_once(&fake, &both, 1).await;
    assert!(before.1.is_some() && after.1.is_none(), "it was there before");
    assert_eq!(after.0.lag, 0);
    let committed = fake.committed("persistence").await.unwrap();
    assert_eq!(committed["payment-events"], groups::commits(&[(0, 7)].into(), None));
}

#[tokio::test]
async fn what_was_committed_of_a_topic_that_is_gone_is_committed_anew_and_what_nobody_said_is_said() {
    let (fake, wanted) = (with_ends(&[(0, 7), (1, 9)]), group_from(Start::Earliest));
    let mut before = groups::commits(&[(0, 5)].into(), Some("first"));
    before.extend(groups::commits(&[(1, 3)].into(), None));
    fake.commit("persistence", &[("seat-events".to_owned(), before)].into()).await.unwrap();
    let (state, deed) = group_on(&fake, &wanted, 2, Some("second")).await;
    assert_eq!((state.lag, deed), (7 + 6, None), "the group was there before");
    let committed = fake.committed("persistence").await.unwrap();
    assert_eq!(committed["seat-events"], groups::commits(&[(0, 0), (1, 3)].into(), Some("second")));
    fake.calls.lock().unwrap().clear();
    group_on(&fake, &wanted, 2, Some("second")).await;
    assert!(!fake.calls.lock().unwrap().contains_key("commit"), "I12");
}

#[tokio::test]
async fn the_group_of_a_removed_consumer_goes_when_nobody_is_in_it_and_the_policy_says_so() {
    let mut fake = Fake { members: [("persistence".to_owned(), 1)].into(), ..with_ends(&[(0, 7)]) };
    assert!(former(&fake, "persistence", true).await.unwrap().0.is_some(), "somebody is in it");
    fake.members.clear();
    group_once(&fake, &group_from(Start::Earliest), 1).await;
    assert!(former(&fake, "persistence", false).await.unwrap().0.is_some(), "it is retained");
    let (state, deed) = former(&fake, "persistence", true).await.unwrap();
    assert_eq!((state, deed.unwrap().0), (None, "GroupDeleted"));
    assert_eq!(former(&fake, "persistence", true).await.unwrap(), (None, None));
}
