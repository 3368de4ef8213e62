use super::*;
use crate::fake_api::FakeApi;
use prometheus_client::registry::Registry;

fn at_the_start() -> Time {
    Time(jiff::Timestamp::UNIX_EPOCH)
}

fn installation(api: &FakeApi, name: &str) -> NamespaceLeases {
    let metrics = Metrics::register(&mut Registry::default());
    let notices = Notices::new(api.client());
    NamespaceLeases::new(api.client(), name.to_owned(), at_the_start, metrics, notices)
}

/// Lets so much time pass for one namespace.
async fn pass(leases: &NamespaceLeases, namespace: &str, time: Duration) {
    let lease = leases.lease(namespace);
    let mut lease = lease.lock().await;
    lease.used -= time;
    lease.seen = lease.seen.take().map(|(spec, since)| (spec, since - time));
    match &mut lease.state {
        State::New => {}
        State::Ours { renewed: since } | State::Refused { looked: since, .. } => *since -= time,
    }
}

fn owner(refused: Result<(), Refused>) -> String {
    refused.unwrap_err().owner().unwrap_or("nobody that is known").to_owned()
}

#[tokio::test]
async fn the_first_one_has_the_namespace_and_the_second_says_whose_it_is() {
    let api = FakeApi::default();
    let (first, second) = (installation(&api, "one/op"), installation(&api, "two/op"));
    first.admit("tickets").await.unwrap();
    assert_eq!(api.holder("tickets", LEASE).as_deref(), Some("one/op"));
    assert_eq!(owner(second.admit("tickets").await), "one/op");
    second.admit("opera").await.unwrap();
    let told: Vec<_> = api.calls().into_iter().filter(|call| call.starts_with("Event")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("Event Lease NamespaceClaimed: namespace tickets belongs to"), "{told:?}");
}

#[tokio::test]
async fn an_object_is_told_once() {
    let api = FakeApi::default();
    installation(&api, "one/op").admit("tickets").await.unwrap();
    let second = installation(&api, "two/op");
    let refused = second.admit("tickets").await.unwrap_err();
    api.calls();
    let service = crate::reservation_service::fixtures::main_service().object_ref(&());
    for _ in 0..3 {
        second.tell(&service, &refused).await;
    }
    assert_eq!(api.calls().len(), 1);
}

#[tokio::test]
async fn a_known_claim_costs_no_call_and_both_replicas_are_one() {
    let api = FakeApi::default();
    let leader = installation(&api, "one/op");
    leader.admit("tickets").await.unwrap();
    api.calls();
    leader.admit("tickets").await.unwrap();
    assert!(api.calls().is_empty());
    installation(&api, "one/op").admit("tickets").await.unwrap();
}

#[tokio::test]
async fn one_that_is_gone_is_followed_when_its_claim_ran_out() {
    let api = FakeApi::default();
    installation(&api, "one/op").admit("tickets").await.unwrap();
    let second = installation(&api, "two/op");
    assert_eq!(owner(second.admit("tickets").await), "one/op");
    pass(&second, "tickets", DURATION / 2).await;
    assert_eq!(owner(second.admit("tickets").await), "one/op");
    pass(&second, "tickets", DURATION / 2).await;
    second.admit("tickets").await.unwrap();
}

#[tokio::test]
async fn a_claim_is_relied_upon_only_while_nobody_else_can_have_it() {
    let api = FakeApi::default();
    let leases = installation(&api, "one/op");
    leases.admit("tickets").await.unwrap();
    api.set_down(true);
    pass(&leases, "tickets", RELY / 2).await;
    leases.admit("tickets").await.unwrap();
    pass(&leases, "tickets", RELY / 2).await;
    assert_eq!(owner(leases.admit("tickets").await), "nobody that is known");
    assert!(RELY < DURATION && RENEW * 2 < RELY);
}

#[tokio::test]
async fn what_is_used_is_renewed_and_the_rest_given_up() {
    let api = FakeApi::default();
    let leases = installation(&api, "one/op");
    leases.admit("opera").await.unwrap();
    leases.admit("tickets").await.unwrap();
    pass(&leases, "tickets", RENEW).await;
    pass(&leases, "opera", UNUSED).await;
    api.calls();
    leases.renew().await;
    assert_eq!(api.holder("tickets", LEASE).as_deref(), Some("one/op"));
    assert!(api.calls().contains(&format!("PUT tickets/{LEASE}")));
    assert_eq!(api.holder("opera", LEASE).as_deref(), Some(""));
    assert_eq!(leases.leases.lock().unwrap().len(), 1, "what was given up is forgotten");
    installation(&api, "two/op").admit("opera").await.unwrap();
}

#[tokio::test]
async fn what_is_left_in_a_namespace_that_is_being_deleted_is_let_go() {
    let api = FakeApi::default();
    let leases = installation(&api, "one/op");
    leases.admit("tickets").await.unwrap();
    api.terminate();
    pass(&leases, "tickets", DURATION).await;
    leases.admit("tickets").await.unwrap();
    installation(&api, "one/op").admit("tickets").await.unwrap();
}

#[tokio::test]
async fn without_rights_nothing_is_done_unless_the_namespace_is_being_deleted() {
    let api = FakeApi::default();
    let leases = installation(&api, "one/op");
    leases.admit("tickets").await.unwrap();
    api.bereave();
    pass(&leases, "tickets", RENEW).await;
    leases.renew().await;
    let refused = leases.admit("tickets").await.unwrap_err();
    assert!(matches!(refused, Refused::Forbidden { .. }), "{refused}");
    assert!(refused.to_string().contains("has no rights in namespace tickets"), "{refused}");
    assert!(refused.to_string().contains("Deleting a namespace"), "{refused}");

    api.terminate();
    pass(&leases, "tickets", LOOK).await;
    leases.admit("tickets").await.unwrap();
}
