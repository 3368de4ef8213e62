//! What routes ask for orders: the port, what is answered while it cannot be read, and a place for requests that wait.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use boxoffice_domain::{ReservationId, UserId};
use boxoffice_runtime::http::{Problem, code};
use tokio::time::Instant;

use super::waiting::Waiting;
use super::{Orders, OrdersError, Reservation};

/// Clones share the place for those who wait.
#[derive(Debug, Clone)]
pub struct OrderService {
    orders: Arc<dyn Orders>,
    waiting: Arc<Waiting>,
}

impl OrderService {
    /// One of whom nobody asked anything yet.
    pub fn new(orders: Arc<dyn Orders>) -> Self {
        Self { orders, waiting: Arc::default() }
    }

    /// What is read there.
    pub fn orders(&self) -> &dyn Orders {
        self.orders.as_ref()
    }

    /// Looks for those who wait, for ever.
    pub async fn look(self) -> Infallible {
        self.waiting.look(self.orders.as_ref()).await
    }

    /// Whoever waits is answered now, with what is known: the process is going away.
    pub fn close(&self) {
        self.waiting.close();
    }

    /// A reservation of a user; `None` where there is none of the user's, whosever it may be.
    ///
    /// # Errors
    /// It cannot be read now.
    pub async fn find(&self, id: &ReservationId, user: &UserId) -> Result<Option<Reservation>, OrdersError> {
        let found = self.orders.reservations(std::slice::from_ref(id)).await?;
        Ok(found.into_iter().find(|reservation| reservation.user == *user))
    }

    /// A reservation of a user as it is when it is no longer as it was `before`, or when `wait` is over. One that is not there
    /// yet may come.
    ///
    /// # Errors
    /// It cannot be read now, or too many wait already.
    pub async fn after(
        &self,
        before: Option<Reservation>,
        id: &ReservationId,
        user: &UserId,
        wait: Duration,
    ) -> Result<Option<Reservation>, Problem> {
        self.waiting.change(before, id, user, Instant::now() + wait).await
    }
}

impl From<OrdersError> for Problem {
    fn from(error: OrdersError) -> Self {
        let detail = "what users have cannot be read now: repeat the request";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, detail).because(error.0)
    }
}
