//! Buyers who do this and that at random, until nobody answers any more; all that they asked for and were told is kept.

use std::time::Duration;

use boxoffice_domain::{CorrelationId, HoldId, ReservationId, SeatId, UserId};
use boxoffice_tests::audit::{Answer, Request, Wish};
use fastrand::Rng;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use uuid::Uuid;

/// Users who share the buyers: so some of them meet their own holds.
const USERS: usize = 12;
/// Most seats of one hold.
const MOST_SEATS: usize = 4;
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(15);

/// One who asks for one thing after the other.
pub struct Buyer {
    pub url: String,
    pub seats: Vec<SeatId>,
    pub random: Rng,
    /// What can be reserved or given back, as far as this one knows.
    pub claims: Vec<Claim>,
}

/// A hold or a reservation.
#[derive(Debug, Clone)]
pub enum Claim {
    Hold { user: UserId, hold: HoldId, seats: Vec<SeatId> },
    Reservation { user: UserId, reservation: ReservationId, seats: Vec<SeatId> },
}

/// What came of a request.
enum Told {
    Answer(Answer),
    /// Nobody answers any more.
    Nothing,
}

impl Buyer {
    /// Goes on until nobody answers.
    pub async fn buy(mut self) -> Vec<Request> {
        let client = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        let mut requests = vec![];
        loop {
            let (user, wish) = self.choose();
            let correlation = CorrelationId::from(Uuid::new_v4());
            let told = self.ask(&client, &user, &correlation, &wish).await;
            let (answer, over) = match told {
                Told::Answer(answer) => (answer, false),
                Told::Nothing => (Answer::Unknown, true),
            };
            self.learn(&user, &wish, &answer);
            requests.push(Request { user, correlation, wish, answer });
            if over {
                return requests;
            }
        }
    }

    /// Mostly something that can be done; sometimes with what belongs to somebody else.
    fn choose(&mut self) -> (UserId, Wish) {
        let dice = self.random.u8(..10);
        let Some(claim) = self.random.choice(&self.claims).filter(|_| dice > 3) else {
            return self.new_hold();
        };
        let owner = match claim {
            Claim::Hold { user, .. } | Claim::Reservation { user, .. } => user.clone(),
        };
        let wish = match claim {
            Claim::Hold { hold, seats, .. } => match (dice, self.random.choice(seats)) {
                (4 | 5, Some(seat)) => Wish::ReserveSeat(seat.clone()),
                (6, Some(seat)) => Wish::ReleaseSeat(seat.clone()),
                (7, _) if self.random.bool() => Wish::ExtendHold(hold.clone()),
                (7, _) => Wish::ReleaseHold(hold.clone()),
                _ => Wish::ReserveHold(hold.clone()),
            },
            Claim::Reservation { reservation, seats, .. } => match (dice, self.random.choice(seats)) {
                (4, Some(seat)) => Wish::ReserveSeat(seat.clone()),
                (5 | 6, Some(seat)) => Wish::ReleaseSeat(seat.clone()),
                _ => Wish::Cancel(reservation.clone()),
            },
        };
        let user = if self.random.u8(..20) == 0 { self.somebody() } else { owner };
        (user, wish)
    }

    fn new_hold(&mut self) -> (UserId, Wish) {
        let several = if self.random.bool() { 1 } else { self.random.usize(2..=MOST_SEATS) };
        let seats = self.random.choose_multiple(&self.seats, several).into_iter().cloned().collect();
        (self.somebody(), Wish::Hold(seats))
    }

    fn somebody(&mut self) -> UserId {
        format!("buyer-{}", self.random.usize(..USERS)).parse().unwrap()
    }

    async fn ask(&self, client: &Client, user: &UserId, correlation: &CorrelationId, wish: &Wish) -> Told {
        let (method, path, body) = match wish {
            Wish::Hold(seats) => match seats.as_slice() {
                [seat] => (Method::POST, format!("/seats/{seat}/hold"), None),
                several => {
                    let event = several[0].event();
                    (Method::POST, format!("/events/{event}/holds"), Some(json!({"seats": several})))
                }
            },
            Wish::ExtendHold(hold) => {
                (Method::POST, format!("/holds/{hold}/extend"), Some(json!({"seconds": 1})))
            }
            Wish::ReserveSeat(seat) => (Method::POST, format!("/seats/{seat}/reserve"), None),
            Wish::ReserveHold(hold) => (Method::POST, format!("/holds/{hold}/reserve"), None),
            Wish::ReleaseSeat(seat) => (Method::POST, format!("/seats/{seat}/release"), None),
            Wish::ReleaseHold(hold) => (Method::DELETE, format!("/holds/{hold}"), None),
            Wish::Cancel(reservation) => (Method::DELETE, format!("/reservations/{reservation}"), None),
        };
        let request = client.request(method, format!("{}{path}", self.url));
        let request =
            request.header("x-user-id", user.as_str()).header("x-correlation-id", correlation.as_str());
        let request = body.iter().fold(request, RequestBuilder::json);
        let Ok(response) = request.send().await else { return Told::Nothing };
        let status = response.status().as_u16();
        match response.json().await {
            Ok(body) => Told::Answer(Answer::read(status, &body).unwrap()),
            Err(_) => Told::Nothing,
        }
    }

    /// Keeps in mind what it has now. What was refused or not answered it forgets.
    fn learn(&mut self, user: &UserId, wish: &Wish, answer: &Answer) {
        match answer {
            Answer::Held { hold, seats, .. } => {
                self.forget(wish, seats);
                let (user, hold, seats) = (user.clone(), hold.clone(), seats.clone());
                self.claims.push(Claim::Hold { user, hold, seats });
            }
            Answer::Reserved { reservation, seats, .. } => {
                self.forget(wish, seats);
                let (user, reservation, seats) = (user.clone(), reservation.clone(), seats.clone());
                self.claims.push(Claim::Reservation { user, reservation, seats });
            }
            Answer::Released { seats, .. } => self.forget(wish, seats),
            Answer::Refused { .. } | Answer::Unknown => self.forget(wish, &[]),
        }
    }

    /// Takes `gone`, and what the wish was about, out of what it has.
    fn forget(&mut self, wish: &Wish, gone: &[SeatId]) {
        let about = match wish {
            Wish::Hold(seats) => seats.as_slice(),
            Wish::ReserveSeat(seat) | Wish::ReleaseSeat(seat) => std::slice::from_ref(seat),
            Wish::ExtendHold(_) | Wish::ReserveHold(_) | Wish::ReleaseHold(_) | Wish::Cancel(_) => &[],
        };
        self.claims.retain_mut(|claim| {
            let (seats, is_meant) = match claim {
                Claim::Hold { hold, seats, .. } => {
                    let meant = matches!(
                        wish,
                        Wish::ExtendHold(id) | Wish::ReserveHold(id) | Wish::ReleaseHold(id) if id == hold
                    );
                    (seats, meant)
                }
                Claim::Reservation { reservation, seats, .. } => {
                    (seats, matches!(wish, Wish::Cancel(id) if id == reservation))
                }
            };
            seats.retain(|seat| !gone.contains(seat) && !about.contains(seat));
            !is_meant && !seats.is_empty()
        });
    }
}
