//! Sequences of commands for [`super::equality`]: few users, few seats and steps of time around the deadlines, so that
//! they get in each other's way.

use std::sync::LazyLock;

use boxoffice_domain::definition::{GapPolicy, Point, Rows, Section};
use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Area, Best, Definition, Together, UnixMillis, Wanted};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::{select, subsequence};

use super::stage::{START, TTL, definition};

/// Who acts. Their names are as strange as user ids may be.
pub const USERS: [&str; 3] = ["alice", "bob | b,o=b -1", "çarol A 7"];

/// The seats that are asked for; the last one does not exist.
const SEATS: [&str; 6] = ["A-1-1", "A-1-2", "A-1-3", "A-2-2", "FLOOR-1", "A-9-9"];

/// One step of a sequence.
#[derive(Debug, Clone)]
pub struct GeneratedStep {
    /// Index into [`USERS`].
    pub user: usize,
    /// Whether a command has an idempotency key.
    pub keyed: bool,
    /// What happens.
    pub wish: Wish,
}

/// What happens in a step. Holds and reservations are counted back from the latest.
#[derive(Debug, Clone)]
pub enum Wish {
    Hold(Wanted),
    /// A hold under the id of an earlier one: for what that one was for, or for something else.
    HoldAgain(usize, Option<Wanted>),
    Add(usize, Wanted),
    Extend(usize, Option<u32>),
    Block(Vec<String>, String),
    Unblock(Vec<String>),
    ReserveSeat(String),
    ReserveHold(usize),
    ReleaseSeat(String),
    ReleaseHold(usize),
    Cancel(usize),
    Expire(usize),
    Find(usize),
    /// What box-office staff do; blocked seats may be among the held ones.
    StaffHold(Vec<String>, bool),
    StaffReserve(usize),
    StaffRelease(usize, Option<String>),
    StaffCancel(usize, Option<String>),
    /// What payments do.
    FailPayment(usize),
    PayLate(usize),
    /// Until a reservation whose payment failed is forgotten, or so many ms earlier.
    WaitForgotten(usize, UnixMillis),
    /// The last command that went well with a key, again.
    Repeat,
    /// Another command under its key.
    Misuse,
    Provision(usize),
    Close,
    Purge,
    Sweep,
    Restart,
    Wait(UnixMillis),
    WaitFor {
        hold: usize,
        what: Moment,
    },
}

/// A moment in the life of a hold.
#[derive(Debug, Clone, Copy)]
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

/// Sequences of steps after a first that provisions. Most are short, so that there are many of them; some are long
/// enough for what comes late, such as an outbox or a house that fills up.
pub fn steps() -> impl Strategy<Value = Vec<GeneratedStep>> {
    // Some act more than others, so that they meet what they did before.
    let user = || select(vec![0, 0, 0, 1, 1, 2]);
    let step = || {
        (user(), weighted(0.5), wish()).prop_map(|(user, keyed, wish)| GeneratedStep { user, keyed, wish })
    };
    let rest = prop_oneof![6 => vec(step(), 1..12), 2 => vec(step(), 12..30), 1 => vec(step(), 30..60)];
    let first = (0..definitions().len() - STRANGE).prop_map(|which| GeneratedStep {
        user: 0,
        keyed: false,
        wish: Wish::Provision(which),
    });
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
        9 => seats().prop_map(|seats| Wish::Hold(seats.into())),
        6 => chosen().prop_map(Wish::Hold),
        2 => latest().prop_map(|hold| Wish::HoldAgain(hold, None)),
        1 => (latest(), wanted()).prop_map(|(hold, wanted)| Wish::HoldAgain(hold, Some(wanted))),
        4 => (latest(), wanted()).prop_map(|(hold, wanted)| Wish::Add(hold, wanted)),
        2 => (latest(), option::of(select(vec![1, 60, 100_000]))).prop_map(|(hold, by)| Wish::Extend(hold, by)),
        1 => (seats(), select(vec!["rain", "sight\nline"])).prop_map(|(seats, why)| Wish::Block(seats, why.into())),
        1 => seats().prop_map(Wish::Unblock),
        3 => seat().prop_map(Wish::ReserveSeat),
        3 => latest().prop_map(Wish::ReserveHold),
        3 => seat().prop_map(Wish::ReleaseSeat),
        2 => latest().prop_map(Wish::ReleaseHold),
        2 => latest().prop_map(Wish::Cancel),
        2 => latest().prop_map(Wish::Expire),
        2 => latest().prop_map(Wish::Find),
        3 => (seats(), weighted(0.7)).prop_map(|(seats, blocked)| Wish::StaffHold(seats, blocked)),
        1 => latest().prop_map(Wish::StaffReserve),
        1 => (latest(), note()).prop_map(|(hold, note)| Wish::StaffRelease(hold, note)),
        1 => (latest(), note()).prop_map(|(reservation, note)| Wish::StaffCancel(reservation, note)),
        3 => latest().prop_map(Wish::FailPayment),
        3 => latest().prop_map(Wish::PayLate),
        1 => (latest(), select(vec![0, 1])).prop_map(|(which, early)| Wish::WaitForgotten(which, early)),
        2 => Just(Wish::Repeat),
        1 => Just(Wish::Misuse),
        3 => (0..definitions().len()).prop_map(Wish::Provision),
        1 => Just(Wish::Close),
        1 => Just(Wish::Purge),
        1 => Just(Wish::Restart),
        1 => Just(Wish::Sweep),
        1 => select(vec![1, TTL / 2]).prop_map(Wish::Wait),
        4 => (latest(), moment).prop_map(|(hold, what)| Wish::WaitFor { hold, what }),
    ]
}

fn note() -> impl Strategy<Value = Option<String>> {
    option::of(select(vec!["rebooked".to_owned(), "der Gast, \"krank\"\n| zu Hause".to_owned()]))
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![2 => seats().prop_map(Wanted::from), 1 => chosen()]
}

fn seats() -> impl Strategy<Value = Vec<String>> {
    subsequence(SEATS.map(str::to_owned).to_vec(), 1..4).prop_shuffle()
}

/// Seats whose choice is left to the store.
fn chosen() -> impl Strategy<Value = Wanted> {
    let area = |section: &'static str| {
        (1_u32..3).prop_map(move |quantity| Area { section_id: section.into(), quantity })
    };
    let some = |names: &[&str]| option::of(select(names.iter().map(ToString::to_string).collect::<Vec<_>>()));
    let together = || option::of(select(vec![Together::Required, Together::Preferred]));
    let (section, category) = (some(&["A", "B", "FLOOR", "Z"]), some(&["gold", "silver", "tin"]));
    let best = (1_u32..6, section, category, together()).prop_map(
        |(quantity, section_id, price_category, together)| {
            Wanted::Best(Best { quantity, section_id, price_category, together })
        },
    );
    let anywhere = (1_u32..6, together()).prop_map(|(quantity, together)| {
        Wanted::Best(Best { quantity, section_id: None, price_category: None, together })
    });
    let mixed = |areas| {
        (subsequence(SEATS.map(str::to_owned).to_vec(), 0..3), areas)
            .prop_map(|(seats, area): (_, Area)| Wanted::These { seats, areas: vec![area] })
    };
    prop_oneof![
        6 => anywhere,
        4 => best,
        4 => mixed(area("FLOOR").boxed()),
        1 => mixed(area("A").boxed()),
    ]
}

/// How many definitions, the last ones, no sequence begins with: they are refused where there is another one.
const STRANGE: usize = 2;

/// The definitions that a sequence goes back and forth between. Most have a limit, which is soon met.
pub fn definitions() -> &'static [Definition] {
    static ALL: LazyLock<Vec<Definition>> = LazyLock::new(all_definitions);
    &ALL
}

fn all_definitions() -> Vec<Definition> {
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
        changed(|it| it.hold.no_single_seat_gaps = GapPolicy::Off),
        roomy(GapPolicy::Enforce),
        roomy(GapPolicy::Prefer),
        with_aisles(GapPolicy::Enforce),
        with_aisles(GapPolicy::Prefer),
        changed(|it| it.sections[1].capacity = Some(1)),
        changed(|it| {
            it.title = "Arena Night, new date".into();
            it.sales.cancel_until = Some(START + TTL);
            it.blocked[0].seats.push("A-1-2".into());
        }),
        changed(|it| {
            it.price_categories[1].amount = 9_000;
            drop(it.sections[0].rows.pop());
            it.blocked.clear();
        }),
        changed(|it| it.price_categories.iter_mut().for_each(|price| price.currency = "CHF".into())),
        changed(|it| it.sections[0].price_category = "tin".into()),
    ]
}

/// More rows, some of odd numbers or of letters, seen from behind; without a limit, so that it fills up.
fn roomy(gaps: GapPolicy) -> Definition {
    let mut wide = definition();
    wide.hold.no_single_seat_gaps = gaps;
    wide.focal_point = Some(Point { x: 1.0, y: 9.0 });
    wide.sections[0].rows[0].seats = "1-7".into();
    wide.sections[0].rows[1].seats = "1,2,X,7-9".into();
    let rows = |rows: &str, seats: &str| Rows { row: None, rows: Some(rows.into()), seats: seats.into() };
    wide.sections.push(Section {
        id: "B".into(),
        title: None,
        price_category: "silver".into(),
        rows: vec![rows("1-2", "1-9/2")],
        capacity: None,
        layout: None,
    });
    wide
}

/// The same with aisles, rows that fall and meet in the middle, and numbers with zeros in front.
fn with_aisles(gaps: GapPolicy) -> Definition {
    let mut hall = roomy(gaps);
    let rows = |row: &str, seats: &str| Rows { row: Some(row.into()), rows: None, seats: seats.into() };
    hall.focal_point = None;
    hall.sections[0].rows =
        vec![rows("1", "1-3 | 4,6-9"), rows("2", "5-1/2,2-4/2|01-03,X"), rows("1", "12-11,10")];
    hall
}
