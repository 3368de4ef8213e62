use std::sync::Arc;

use boxoffice_domain::PaymentState;

use super::*;
use crate::orders::OrderService;
use crate::orders::testing::{FakeOrders, paid, reservation};

fn alice() -> UserId {
    "alice".parse().unwrap()
}

/// One whose looks go on while the guard lives.
fn order_service(
    orders: &Arc<FakeOrders>,
) -> (OrderService, tokio_util::task::AbortOnDropHandle<Infallible>) {
    let order_service = OrderService::new(Arc::clone(orders) as _);
    let looking = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(order_service.clone().look()));
    (order_service, looking)
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_wait_at_once() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (order_service, _looking) = order_service(&orders);
    let began = Instant::now();
    let before = order_service.find(&reservation(1, "alice").id, &alice()).await.unwrap();
    let waits = {
        let order_service = order_service.clone();
        let (before, id) = (before.clone(), reservation(1, "alice").id);
        tokio::spawn(async move { order_service.after(before, &id, &alice(), Duration::from_secs(25)).await })
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    orders.put(paid(reservation(1, "alice"), PaymentState::Paid));
    let now = waits.await.unwrap().unwrap().unwrap();
    assert_eq!(now.payment.unwrap().state, PaymentState::Paid);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_there_yet_comes_and_somebody_elses_never_does() {
    let orders = Arc::new(FakeOrders::default());
    let (order_service, _looking) = order_service(&orders);
    orders.put(reservation(2, "bob"));
    let (mine, bobs) = (reservation(1, "alice"), reservation(2, "bob"));
    let (came, other, ()) = tokio::join!(
        order_service.after(None, &mine.id, &mine.user, Duration::from_secs(5)),
        order_service.after(None, &bobs.id, &mine.user, Duration::from_secs(5)),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            orders.put(reservation(1, "alice"));
        },
    );
    assert_eq!((came.unwrap(), other.unwrap()), (Some(reservation(1, "alice")), None));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_began_before_somebody_waits_does_not_tell_the_past() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (order_service, _looking) = order_service(&orders);
    orders.takes(Duration::from_millis(200));
    let (before, user) = (reservation(1, "alice"), alice());
    let now = paid(before.clone(), PaymentState::Paid);
    let id = before.id.clone();
    let first = order_service.after(Some(before), &id, &user, Duration::from_secs(5));
    let second = async {
        // The look for the first one has read already, and not told yet.
        while orders.reads() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        orders.put(now.clone());
        order_service.after(Some(now.clone()), &id, &user, Duration::from_secs(2)).await
    };
    let (changed, unchanged) = tokio::join!(first, second);
    assert_eq!(changed.unwrap(), Some(now.clone()));
    assert_eq!(unchanged.unwrap(), Some(now.clone()));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_looked_for_when_nobody_waits_and_all_together_four_times_a_second() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (order_service, _looking) = order_service(&orders);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(orders.reads(), 0);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    let user = alice();
    let waits = (0..100).map(|_| order_service.after(before.clone(), &id, &user, Duration::from_secs(10)));
    for unchanged in futures::future::join_all(waits).await {
        assert_eq!(unchanged.unwrap(), before);
    }
    assert!((30..=41).contains(&orders.reads()), "{}", orders.reads());
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_nobody_waits() {
    let orders = Arc::new(FakeOrders::default());
    let (order_service, _looking) = order_service(&orders);
    let (id, user) = (reservation(1, "alice").id, alice());
    let waits = (0..=MAX_WAITING).map(|_| order_service.after(None, &id, &user, Duration::from_secs(5)));
    let refused = futures::future::join_all(waits).await.into_iter().filter(Result::is_err).count();
    assert_eq!(refused, 1);
    assert!(order_service.after(None, &id, &user, Duration::from_secs(1)).await.is_ok(), "places come back");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_to_the_end_is_a_failure_and_what_comes_back_is_none() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (order_service, _looking) = order_service(&orders);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    orders.away(true);
    let failed =
        order_service.after(before.clone(), &id, &alice(), Duration::from_secs(5)).await.unwrap_err();
    assert!(failed.cause().unwrap().contains("away"), "{failed:?}");
    let (back, ()) = {
        let user = alice();
        let waits = async { order_service.after(before.clone(), &id, &user, Duration::from_secs(5)).await };
        tokio::join!(waits, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            orders.away(false);
        })
    };
    assert_eq!(back.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_the_end_is_answered_with_what_is_known() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (order_service, _looking) = order_service(&orders);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    let (user, began) = (alice(), Instant::now());
    let (known, ()) =
        tokio::join!(order_service.after(before.clone(), &id, &user, Duration::from_secs(25)), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            order_service.close();
        });
    assert_eq!(known.unwrap(), before);
    assert_eq!(
        order_service.after(before.clone(), &id, &user, Duration::from_secs(25)).await.unwrap(),
        before
    );
    assert!(began.elapsed() < Duration::from_secs(2));
}
