//! Buyers who do this and that at random until the market closes; all that they asked for and were told is kept.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use boxoffice_domain::state::Reservation;
use boxoffice_domain::{
    CorrelationId, HoldId, ReservationId, SeatId, SeatingEventId, SeatingEventState, UserId,
};
use boxoffice_runtime::clock;
use fastrand::Rng;
use futures::future::join_all;
use reqwest::{Client, RequestBuilder};
use tokio::time::sleep;
use uuid::Uuid;

use super::wishes::{may_have_key, request};
use crate::audit::{Answer, Request, Wish};

/// Users who share the buyers: so some of them meet their own holds.
const USERS: usize = 12;
/// Most seats of one hold.
const MOST_SEATS: usize = 4;
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Longest pause, in milliseconds, of who was not answered.
const PATIENCE: u64 = 150;

/// Where buyers meet.
pub struct Market {
    /// The workers, any of which will do.
    pub urls: Vec<String>,
    /// What is on sale.
    pub event: SeatingEventId,
    /// Seats that buyers ask for by name.
    pub seats: Vec<SeatId>,
    /// A general-admission area.
    pub area: String,
    /// Whether some requests have an `Idempotency-Key`, under which those without an answer are sent again.
    pub with_keys: bool,
    /// Longest time, in milliseconds, between an answer and the next request.
    pub pace: u64,
    /// How often, in percent, who is about to change or give back a reservation does.
    pub regret: u8,
    open: AtomicBool,
    sold: AtomicUsize,
}

impl Market {
    /// A market that is open.
    pub fn new(urls: Vec<String>, event: SeatingEventId, seats: Vec<SeatId>, area: &str) -> Self {
        let (open, sold) = (AtomicBool::new(true), AtomicUsize::new(0));
        Self { urls, event, seats, area: area.to_owned(), with_keys: false, pace: 0, regret: 100, open, sold }
    }

    /// Buyers stop after what they are at.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// How many reservations were acknowledged so far.
    pub fn sold(&self) -> usize {
        self.sold.load(Ordering::SeqCst)
    }

    /// Has everybody buy until the market is closed: all that was asked for.
    pub async fn trade(&self, buyers: &mut [Buyer]) -> Vec<Request> {
        let trading = buyers.iter_mut().map(|buyer| buyer.buy(self));
        join_all(trading).await.into_iter().flatten().collect()
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

/// One who asks for one thing after the other.
#[derive(Debug)]
pub struct Buyer {
    /// What can be reserved or given back, as far as this one knows.
    pub claims: Vec<BuyerClaim>,
    random: Rng,
    /// What was not answered and is asked again.
    again: Option<Attempt>,
}

/// A hold or a reservation.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the words say it")]
pub enum BuyerClaim {
    Hold { user: UserId, hold: HoldId, seats: Vec<SeatId> },
    Reservation { user: UserId, reservation: ReservationId, seats: Vec<SeatId> },
}

#[derive(Debug, Clone)]
struct Attempt {
    user: UserId,
    wish: Wish,
    key: Option<String>,
    /// Whether it was sent before.
    is_again: bool,
}

impl Buyer {
    /// One who has nothing yet.
    pub fn new(random: Rng) -> Self {
        Self { claims: vec![], random, again: None }
    }

    async fn buy(&mut self, market: &Market) -> Vec<Request> {
        #[expect(clippy::unwrap_used, reason = "a client without settings of its own")]
        let client = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        let mut requests = vec![];
        while market.is_open() {
            let attempt = self.again.take().unwrap_or_else(|| self.choose(market));
            let request = self.ask(market, &client, &attempt).await;
            self.learn(&request);
            if matches!(request.answer, Answer::Reserved { .. }) {
                market.sold.fetch_add(1, Ordering::SeqCst);
            }
            let pause = if request.answer == Answer::Unknown { PATIENCE } else { market.pace };
            self.again = self.asks_again(attempt, &request.answer);
            requests.push(request);
            if pause > 0 && market.is_open() {
                // Not a wait for anything: the pace of a person.
                sleep(Duration::from_millis(self.random.u64(0..pause))).await;
            }
        }
        requests
    }

    /// What has a key and no answer yet is asked again, and now and then what has one.
    fn asks_again(&mut self, attempt: Attempt, answer: &Answer) -> Option<Attempt> {
        attempt.key.as_ref()?;
        let again = match answer {
            Answer::Unknown => true,
            Answer::Refused { code } => code == "IDEMPOTENCY_IN_FLIGHT",
            _ => !attempt.is_again && self.random.u8(..8) == 0,
        };
        again.then_some(Attempt { is_again: true, ..attempt })
    }

    fn choose(&mut self, market: &Market) -> Attempt {
        let (user, wish) = self.wish(market);
        let with_key = market.with_keys && may_have_key(&wish) && self.random.bool();
        let key = with_key.then(|| Uuid::new_v4().to_string());
        Attempt { user, wish, key, is_again: false }
    }

    /// Mostly something that can be done; sometimes with what belongs to somebody else.
    fn wish(&mut self, market: &Market) -> (UserId, Wish) {
        let dice = self.random.u8(..10);
        let has_none = market.regret < 100 && self.random.u8(..100) >= market.regret;
        let is_left = |claim: &&BuyerClaim| has_none && matches!(claim, BuyerClaim::Reservation { .. });
        let claim = self.random.choice(&self.claims).filter(|claim| dice > 3 && !is_left(claim));
        let Some(claim) = claim else {
            return (self.somebody(), self.new_hold(market));
        };
        let owner = match claim {
            BuyerClaim::Hold { user, .. } | BuyerClaim::Reservation { user, .. } => user.clone(),
        };
        let dice = self.random.u8(..8);
        let one = self.random.choose_multiple(&market.seats, 1).into_iter().cloned().collect();
        let wish = match claim {
            BuyerClaim::Hold { hold, seats, .. } => match (dice, self.random.choice(seats)) {
                (0, _) => Wish::ExtendHold(hold.clone()),
                (1, Some(seat)) => Wish::ReleaseSeat(seat.clone()),
                (2, _) => Wish::ReleaseHold(hold.clone()),
                (3 | 4, Some(seat)) => Wish::ReserveSeat(seat.clone()),
                (5, _) => Wish::Add(hold.clone(), one),
                _ => Wish::ReserveHold(hold.clone()),
            },
            BuyerClaim::Reservation { reservation, seats, .. } => match (dice, self.random.choice(seats)) {
                (0, Some(seat)) => Wish::ReserveSeat(seat.clone()),
                (1 | 2, Some(seat)) => Wish::ReleaseSeat(seat.clone()),
                _ => Wish::Cancel(reservation.clone()),
            },
        };
        let user = if self.random.u8(..20) == 0 { self.somebody() } else { owner };
        (user, wish)
    }

    fn new_hold(&mut self, market: &Market) -> Wish {
        let several = self.random.usize(2..=MOST_SEATS);
        let mut seats =
            |count| self.random.choose_multiple(&market.seats, count).into_iter().cloned().collect();
        let one = seats(1);
        let more = seats(several);
        let quantity = self.random.u32(1..=3);
        match self.random.u8(..8) {
            0..3 => Wish::Hold(one),
            3..5 => Wish::Hold(more),
            5 => Wish::HoldBest(quantity + 1),
            6 => Wish::HoldUnits { seats: vec![], section: market.area.clone(), quantity },
            _ => Wish::HoldUnits { seats: one, section: market.area.clone(), quantity },
        }
    }

    #[expect(clippy::unwrap_used, reason = "a name of ours")]
    fn somebody(&mut self) -> UserId {
        format!("buyer-{}", self.random.usize(..USERS)).parse().unwrap()
    }

    async fn ask(&mut self, market: &Market, client: &Client, attempt: &Attempt) -> Request {
        let Attempt { user, wish, key, .. } = attempt.clone();
        let correlation = CorrelationId::from(Uuid::new_v4());
        let (method, path, body) = request(&market.event, &wish);
        let url =
            self.random.choice(&market.urls).map(|worker| format!("{worker}{path}")).unwrap_or_default();
        let request = client.request(method, url).header("x-user-id", user.as_str());
        let request = request.header("x-correlation-id", correlation.as_str());
        let request = body.iter().fold(request, RequestBuilder::json);
        let request = key.iter().fold(request, |request, key| request.header("idempotency-key", key));
        let began = clock::now();
        let answer = answer(request).await;
        Request { user, correlation, key, wish, answer, between: (began, clock::now()) }
    }

    /// Keeps in mind what it has now. What was refused or not answered it forgets.
    fn learn(&mut self, request: &Request) {
        let (user, wish) = (request.user.clone(), &request.wish);
        match request.answer.clone() {
            Answer::Held { hold, seats, .. } => {
                self.forget(wish, &seats);
                self.claims.push(BuyerClaim::Hold { user, hold, seats });
            }
            Answer::Reserved { reservation, seats, .. } => {
                self.forget(wish, &seats);
                self.claims.push(BuyerClaim::Reservation { user, reservation, seats });
            }
            Answer::Released { released, .. } => self.forget(wish, &released),
            Answer::Refused { .. } | Answer::Unknown => self.forget(wish, &[]),
        }
    }

    /// Takes `gone`, and what the wish was about, out of what it has.
    fn forget(&mut self, wish: &Wish, gone: &[SeatId]) {
        let about = match wish {
            Wish::Hold(seats) | Wish::Add(_, seats) | Wish::HoldUnits { seats, .. } => seats.as_slice(),
            Wish::ReserveSeat(seat) | Wish::ReleaseSeat(seat) => std::slice::from_ref(seat),
            _ => &[],
        };
        self.claims.retain_mut(|claim| {
            let (seats, is_meant) = match claim {
                BuyerClaim::Hold { hold, seats, .. } => {
                    let meant = matches!(wish, Wish::ExtendHold(id) | Wish::ReserveHold(id) | Wish::ReleaseHold(id) if id == hold);
                    (seats, meant)
                }
                BuyerClaim::Reservation { reservation, seats, .. } => {
                    (seats, matches!(wish, Wish::Cancel(id) if id == reservation))
                }
            };
            seats.retain(|seat| !gone.contains(seat) && !about.contains(seat));
            !is_meant && !seats.is_empty()
        });
    }
}

/// What is reserved, in an order that a seed repeats as far as it can.
pub fn reservations(state: &SeatingEventState) -> Vec<BuyerClaim> {
    let mut reservations: Vec<_> = state.reservations.iter().collect();
    reservations.sort_by_key(|(_, claimed)| claimed.sequence);
    let claim = |(id, claimed): (&Uuid, &Reservation)| BuyerClaim::Reservation {
        user: claimed.user.clone(),
        reservation: ReservationId::new(state.id.clone(), *id),
        seats: claimed.seats.iter().map(|key| SeatId::from_chart(&state.id, key)).collect(),
    };
    reservations.into_iter().map(claim).collect()
}

/// Gives each buyer a share of what there is, in place of what it knows: what was not answered it could not know.
pub fn share_out(claims: Vec<BuyerClaim>, buyers: &mut [Buyer]) {
    let mut shares = vec![vec![]; buyers.len()];
    for (place, claim) in claims.into_iter().enumerate() {
        shares[place % buyers.len()].push(claim);
    }
    for (buyer, share) in buyers.iter_mut().zip(shares) {
        buyer.claims = share;
    }
}

/// What is answered, if anything is.
async fn answer(request: RequestBuilder) -> Answer {
    let Ok(response) = request.send().await else { return Answer::Unknown };
    let status = response.status().as_u16();
    assert!(status < 500 || status == 503, "an answer with status {status}: {:?}", response.text().await);
    match response.json().await {
        Ok(body) => Answer::read(status, &body).unwrap_or_else(|error| panic!("{error:#}")),
        Err(_) => Answer::Unknown,
    }
}
