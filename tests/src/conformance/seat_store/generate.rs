//! Sequences of commands for [`super::equality`]: few users, few seats and steps of time around the deadlines, so that
//! they get in each other's way.

use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Definition, UnixMillis};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::{select, subsequence};

use super::stage::{START, TTL, definition};

/// Who acts. Their names are as strange as user ids may be.
pub const USERS: [&str; 3] = ["alice", "bob | b,o=b -1", "çarol A 7"];

/// The seats that are asked for; the last one does not exist.
const SEATS: [&str; 6] = ["A-1-1", "A-1-2", "A-1-3", "A-2-2", "FLOOR-1", "A-9-9"];

/// One step of a sequence.
#[derive(Debug, Clone)]
pub struct Step {
    /// Index into [`USERS`].
    pub user: usize,
    /// What happens.
    pub wish: Wish,
}

/// What happens in a step. Holds and reservations are counted back from the latest.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "they are the commands, and what time does")]
pub enum Wish {
    Hold(Vec<String>),
    ReserveSeat(String),
    ReserveHold(usize),
    ReleaseSeat(String),
    ReleaseHold(usize),
    Cancel(usize),
    Expire(usize),
    Find(usize),
    Provision(usize),
    Close,
    Sweep,
    Restart,
    Wait(UnixMillis),
    WaitFor { hold: usize, what: Moment },
}

/// A moment in the life of a hold.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "they say it themselves")]
pub enum Moment {
    JustBeforeItExpires,
    ItExpires,
    JustBeforeItIsForgotten,
    ItIsForgotten,
}

impl Moment {
    /// When that is for a hold that expires at `expires_at`.
    pub fn of(self, expires_at: UnixMillis) -> UnixMillis {
        match self {
            Self::JustBeforeItExpires => expires_at - 1,
            Self::ItExpires => expires_at,
            Self::JustBeforeItIsForgotten => expires_at + EXPIRED_HOLD_MEMORY - 1,
            Self::ItIsForgotten => expires_at + EXPIRED_HOLD_MEMORY,
        }
    }
}

/// Sequences of at most `longest` steps, after a first that provisions.
pub fn steps(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    // Some act more than others, so that they meet what they did before.
    let user = || select(vec![0, 0, 0, 1, 1, 2]);
    let rest = vec((user(), wish()).prop_map(|(user, wish)| Step { user, wish }), 1..longest);
    let first = (0..definitions().len()).prop_map(|which| Step { user: 0, wish: Wish::Provision(which) });
    (first, rest).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

fn wish() -> impl Strategy<Value = Wish> {
    use Moment::{ItExpires, ItIsForgotten, JustBeforeItExpires, JustBeforeItIsForgotten};
    let seat = || select(SEATS.map(str::to_owned).to_vec());
    let latest = || select(vec![0, 0, 0, 1, 2]);
    let moment = select(vec![
        JustBeforeItExpires,
        JustBeforeItExpires,
        ItExpires,
        ItExpires,
        ItExpires,
        JustBeforeItIsForgotten,
        ItIsForgotten,
    ]);
    prop_oneof![
        9 => subsequence(SEATS.map(str::to_owned).to_vec(), 1..4).prop_shuffle().prop_map(Wish::Hold),
        3 => seat().prop_map(Wish::ReserveSeat),
        3 => latest().prop_map(Wish::ReserveHold),
        3 => seat().prop_map(Wish::ReleaseSeat),
        2 => latest().prop_map(Wish::ReleaseHold),
        2 => latest().prop_map(Wish::Cancel),
        2 => latest().prop_map(Wish::Expire),
        2 => latest().prop_map(Wish::Find),
        2 => (0..definitions().len()).prop_map(Wish::Provision),
        1 => Just(Wish::Close),
        1 => Just(Wish::Restart),
        1 => Just(Wish::Sweep),
        1 => select(vec![1, TTL / 2]).prop_map(Wish::Wait),
        4 => (latest(), moment).prop_map(|(hold, what)| Wish::WaitFor { hold, what }),
    ]
}

/// The definitions that a sequence goes back and forth between. Most have a limit, which is soon met.
pub fn definitions() -> Vec<Definition> {
    let changed = |change: fn(&mut Definition)| {
        let mut definition = definition();
        definition.limits.seats_per_user = Some(3);
        change(&mut definition);
        definition
    };
    vec![
        definition(),
        changed(|_| ()),
        changed(|it| it.price_categories[0].amount = 15_000),
        changed(|it| it.blocked.clear()),
        changed(|it| it.blocked[0].seats = vec!["A-1-1".into(), "A-1-3".into()]),
        changed(|it| it.blocked[0].reason = "sight\nline".into()),
        changed(|it| drop(it.sections[0].rows.remove(0))),
        changed(|it| drop(it.sections.pop())),
        changed(|it| it.sales.paused = true),
        changed(|it| it.sales.opens_at = Some(START + TTL)),
        changed(|it| it.sales.closes_at = Some(START + 3 * TTL)),
        changed(|it| it.hold.ttl_seconds = 60),
    ]
}
