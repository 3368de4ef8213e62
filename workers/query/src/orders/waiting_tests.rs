use std::sync::Arc;

use boxoffice_domain::PaymentState;

use super::*;
use crate::orders::Desk;
use crate::orders::testing::{FakeOrders, paid, reservation};

fn alice() -> UserId {
    "alice".parse().unwrap()
}

/// A desk whose looks go on while the guard lives.
fn desk(orders: &Arc<FakeOrders>) -> (Desk, tokio_util::task::AbortOnDropHandle<Infallible>) {
    let desk = Desk::new(Arc::clone(orders) as _);
    let looking = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(desk.clone().look()));
    (desk, looking)
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_wait_at_once() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (desk, _looking) = desk(&orders);
    let began = Instant::now();
    let before = desk.find(&reservation(1, "alice").id, &alice()).await.unwrap();
    let waits = {
        let desk = desk.clone();
        let (before, id) = (before.clone(), reservation(1, "alice").id);
        tokio::spawn(async move { desk.after(before, &id, &alice(), Duration::from_secs(25)).await })
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
    let (desk, _looking) = desk(&orders);
    orders.put(reservation(2, "bob"));
    let (mine, bobs) = (reservation(1, "alice"), reservation(2, "bob"));
    let (came, other, ()) = tokio::join!(
        desk.after(None, &mine.id, &mine.user, Duration::from_secs(5)),
        desk.after(None, &bobs.id, &mine.user, Duration::from_secs(5)),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            orders.put(reservation(1, "alice"));
        },
    );
    assert_eq!((came.unwrap(), other.unwrap()), (Some(reservation(1, "alice")), None));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_looked_for_when_nobody_waits_and_all_together_four_times_a_second() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (desk, _looking) = desk(&orders);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(orders.reads(), 0);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    let user = alice();
    let waits = (0..100).map(|_| desk.after(before.clone(), &id, &user, Duration::from_secs(10)));
    for unchanged in futures::future::join_all(waits).await {
        assert_eq!(unchanged.unwrap(), before);
    }
    assert!((30..=41).contains(&orders.reads()), "{}", orders.reads());
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_nobody_waits() {
    let orders = Arc::new(FakeOrders::default());
    let (desk, _looking) = desk(&orders);
    let (id, user) = (reservation(1, "alice").id, alice());
    let waits = (0..=MAX_WAITING).map(|_| desk.after(None, &id, &user, Duration::from_secs(5)));
    let refused = futures::future::join_all(waits).await.into_iter().filter(Result::is_err).count();
    assert_eq!(refused, 1);
    assert!(desk.after(None, &id, &user, Duration::from_secs(1)).await.is_ok(), "places come back");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_to_the_end_is_a_failure_and_what_comes_back_is_none() {
    let orders = Arc::new(FakeOrders::with(vec![reservation(1, "alice")]));
    let (desk, _looking) = desk(&orders);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    orders.away(true);
    let failed = desk.after(before.clone(), &id, &alice(), Duration::from_secs(5)).await.unwrap_err();
    assert!(failed.cause().unwrap().contains("away"), "{failed:?}");
    let (back, ()) = {
        let user = alice();
        let waits = async { desk.after(before.clone(), &id, &user, Duration::from_secs(5)).await };
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
    let (desk, _looking) = desk(&orders);
    let before = Some(reservation(1, "alice"));
    let id = before.as_ref().unwrap().id.clone();
    let (user, began) = (alice(), Instant::now());
    let (known, ()) = tokio::join!(desk.after(before.clone(), &id, &user, Duration::from_secs(25)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.close();
    });
    assert_eq!(known.unwrap(), before);
    assert_eq!(desk.after(before.clone(), &id, &user, Duration::from_secs(25)).await.unwrap(), before);
    assert!(began.elapsed() < Duration::from_secs(2));
}
