//! Everything that outlives the version that wrote it: outbox entries, records and stored answers in Redis, domain events,
//! snapshots and archives. A sale under fixed ids and a fixed clock goes through all of it, and a file a format says what that
//! leaves behind: `tests/formats/<kind>-<format>.json`. DECISIONS 65 is the rule.
//!
//! A format that was written once never changes: the file of a format is written where there is none, and never again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boxoffice_command::store::{Cause, Idempotency};
use boxoffice_domain::{Command, Definition, SeatingEventId, UnixMillis, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conformance::seat_store::stage::{START, named, valid};

/// What stands for a server's history, which is another one on each.
pub const HISTORY: &str = "<history>";
/// The partition of all that is on sale.
pub const PARTITION: u32 = 3;
/// How much of the first show is published, and the offset behind it.
pub const PUBLISHED: (u64, u64) = (3, 17);

/// The shows: one with a claim of every kind, one that was closed, one that was purged, and one that is long over.
pub const SHOWS: [&str; 4] = ["arena-night", "closed-night", "purged-night", OVER];
/// The one that is over.
pub const OVER: &str = "bygone-night";
/// Where its snapshot is, which it is archived with.
pub const SNAPSHOT: u64 = 42;

/// A command of the sale, with when and whence it comes.
#[derive(Debug)]
pub struct ScriptedCommand {
    /// Where.
    pub event: SeatingEventId,
    /// When.
    pub at: UnixMillis,
    /// Where the command comes from.
    pub cause: Cause,
    /// The command itself.
    pub command: Command,
}

/// A fixed id.
pub const fn id(number: u128) -> Uuid {
    Uuid::from_u128((0xb0ff_1ce0_0000_4000_8000 << 48) | number)
}

/// What is on sale: every field of a definition has something to say.
///
/// # Panics
/// Never: it is one.
pub fn definition() -> Definition {
    let definition = json!({
        "title": "Arena Night", "startsAt": START + 86_400_000,
        "sales": {
            "opensAt": START - 1_000, "closesAt": START + 80_000_000, "cancelUntil": START + 70_000_000, "paused": false
        },
        "hold": {"ttlSeconds": 300, "maxSeconds": 900, "noSingleSeatGaps": "prefer"},
        "focalPoint": {"x": 0.0, "y": 0.0},
        "limits": {"seatsPerUser": 6},
        "priceCategories": [
            {"name": "gold", "amount": 12_000, "currency": "EUR"}, {"name": "silver", "amount": 6_000, "currency": "EUR"}
        ],
        "sections": [
            {
                "id": "A", "title": "Loge Süd", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-12"}],
                "layout": {"x": 1.0, "y": 2.0, "angle": 30.0}
            },
            {"id": "FLOOR", "priceCategory": "silver", "capacity": 4}
        ],
        "blocked": [{"seats": ["A-1-12"], "reason": "camera"}]
    });
    serde_json::from_value(definition).unwrap_or_else(|error| panic!("{error}"))
}

/// The same in other words, without seats that somebody has: they stay, and it is wanted.
fn shortened() -> Definition {
    let mut definition = definition();
    "Arena Night, in the round".clone_into(&mut definition.title);
    for section in &mut definition.sections {
        for rows in &mut section.rows {
            "1-3".clone_into(&mut rows.seats);
        }
    }
    definition.blocked.clear();
    definition
}

/// The same, of the week before last.
fn over() -> Definition {
    const LONG: UnixMillis = 14 * 86_400_000;
    let mut definition = definition();
    definition.starts_at = START - LONG;
    let sales = &mut definition.sales;
    (sales.opens_at, sales.closes_at, sales.cancel_until) =
        (Some(START - 2 * LONG), Some(START - LONG), Some(START - LONG));
    definition
}

/// The sale, in order.
pub fn sale() -> Vec<ScriptedCommand> {
    let mut script = Script::default();
    let [arena, closed, purged, bygone] = SHOWS;
    for show in [arena, closed, purged] {
        script.operator(show, 0, Command::Provision { definition: Box::new(definition()) });
    }
    sell(&mut script, arena);
    script.operator(closed, 1, Command::Close);
    script.operator(purged, 1, Command::Close);
    script.operator(purged, 2, Command::Purge);
    script.operator(bygone, 3, Command::Provision { definition: Box::new(over()) });
    script.0
}

/// A claim of every kind, and an entry of every type.
fn sell(script: &mut Script, on: &str) {
    let hold = |user: &str, seats: &[&str], hold| Command::Hold {
        wanted: named(seats),
        user: valid(user),
        hold: id(hold),
    };
    let reserve_hold = |user: &str, hold, reservation| Command::ReserveHold {
        hold: id(hold),
        user: valid(user),
        reservation: id(reservation),
    };
    let fail = |reservation| Command::FailPayment { reservation: id(reservation) };
    let keys = |seats: &[&str]| seats.iter().map(ToString::to_string).collect::<Vec<_>>();

    script.keyed(on, 1, "alice", hold("alice", &["A-1-1", "A-1-2", "A-1-3"], 1));
    script.keyed(
        on,
        2,
        "alice",
        Command::ExtendHold { hold: id(1), user: valid("alice"), seconds: Some(60) },
    );
    let reserve_seat =
        Command::ReserveSeat { seat: "A-1-1".into(), user: valid("alice"), reservation: id(101) };
    script.keyed(on, 3, "alice", reserve_seat);
    script.keyed(on, 4, "alice", Command::ReleaseSeat { seat: "A-1-2".into(), user: valid("alice") });
    script.by(on, 5, Some("bob"), hold("bob", &["A-1-4"], 2));

    // A payment that fails and comes late, one that comes too late, one of which nothing was heard.
    script.by(on, 6, Some("dave"), hold("dave", &["A-1-5", "A-1-6"], 3));
    script.keyed(on, 7, "dave", reserve_hold("dave", 3, 102));
    script.by(on, 8, None, fail(102));
    let reinstate = |reservation, payment: &str, hold, reinstated| Command::Reinstate {
        reservation: id(reservation),
        payment: payment.into(),
        hold: id(hold),
        reinstated: id(reinstated),
    };
    script.keyed(on, 9, "gateway", reinstate(102, "payment-1", 4, 103));
    script.by(on, 10, Some("erin"), hold("erin", &["FLOOR-1"], 5));
    script.by(on, 11, Some("erin"), reserve_hold("erin", 5, 104));
    script.by(on, 12, None, fail(104));
    script.by(on, 13, Some("frank"), hold("frank", &["FLOOR-1"], 6));
    script.keyed(on, 14, "gateway", reinstate(104, "payment-2", 7, 105));
    script.by(on, 15, Some("gina"), hold("gina", &["FLOOR-2"], 8));
    script.by(on, 16, Some("gina"), reserve_hold("gina", 8, 106));
    script.by(on, 17, None, fail(106));

    // The box office.
    let (no_show, rebooked) = (Some("no show".to_owned()), Some("rebooked".to_owned()));
    script.keyed(on, 18, "staff", Command::StaffRelease { hold: id(6), note: no_show });
    let staff_hold = |seats: &[&str], hold, blocked| Command::StaffHold {
        seats: keys(seats),
        user: valid("carol"),
        hold: id(hold),
        blocked,
    };
    script.by(on, 19, None, staff_hold(&["A-1-7", "A-1-8"], 9, false));
    script.by(on, 20, None, Command::StaffReserve { hold: id(9), reservation: id(107) });
    script.by(on, 21, None, Command::StaffCancel { reservation: id(107), note: rebooked });
    script.by(on, 22, Some("ada"), hold("ada", &["A-1-9"], 10));
    script.by(on, 23, Some("ada"), reserve_hold("ada", 10, 108));
    let cancel = Command::CancelReservation { reservation: id(108), user: valid("ada") };
    script.keyed(on, 24, "ada", cancel);
    let reason = "sight line\nof a camera".to_owned();
    script.operator(on, 25, Command::Block { seats: keys(&["A-1-10"]), reason });
    script.operator(on, 26, Command::Block { seats: keys(&["A-1-11"]), reason: "rope".into() });
    script.operator(on, 27, Command::Unblock { seats: keys(&["A-1-11"]) });

    script.by(on, 306, None, Command::Expire { hold: id(2) });
    script.by(on, 307, Some("harry"), hold("harry", &["FLOOR-3"], 11));
    script.by(on, 308, None, staff_hold(&["A-1-12"], 12, true));
    script.keyed(on, 309, "operator", Command::Provision { definition: Box::new(shortened()) });
}

/// The steps so far; each has the ids of its place.
#[derive(Default)]
struct Script(Vec<ScriptedCommand>);

impl Script {
    fn by(&mut self, event: &str, second: u64, user: Option<&str>, command: Command) {
        let number = self.0.len() + 1;
        let cause = Cause {
            command: id(10_000 + number as u128),
            correlation: valid(&format!("chain-{number}")),
            user: user.map(valid),
            traceparent: number.is_multiple_of(2).then(|| format!("00-{number:032x}-0000000000000001-01")),
            idempotency: None,
        };
        self.0.push(ScriptedCommand { event: valid(event), at: START + second * 1_000, cause, command });
    }

    fn operator(&mut self, event: &str, second: u64, command: Command) {
        self.by(event, second, None, command);
    }

    fn keyed(&mut self, event: &str, second: u64, user: &str, command: Command) {
        self.by(event, second, Some(user), command);
        if let Some(step) = self.0.last_mut() {
            let (user, key): (UserId, _) = (valid(user), format!("key-{second}"));
            step.cause.idempotency = Some(Idempotency::new(&user, &key, &format!("asked at {second}")));
        }
    }
}

/// Where the file of a format is.
fn file(kind: &str, format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("formats/{kind}-{format}.json"))
}

/// What the file of a format says, if there is one.
///
/// # Panics
/// A file that is no JSON.
pub fn kept(kind: &str, format: u32) -> Option<Value> {
    let text = std::fs::read_to_string(file(kind, format)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{kind}-{format}: {error}")))
}

/// The formats that are to be read: this one, and the one before where there was one.
///
/// # Panics
/// A format without a file.
pub fn to_read(kind: &str, (first, today): (u32, u32)) -> BTreeMap<u32, Value> {
    let formats = today.saturating_sub(1).max(first)..=today;
    let kept = |format| {
        let kept = kept(kind, format);
        (
            format,
            kept.unwrap_or_else(|| {
                panic!("{} is missing: nobody may delete it", file(kind, format).display())
            }),
        )
    };
    formats.map(kept).collect()
}

/// Holds what is written `today` to the file of its format.
///
/// # Panics
/// Where that says something else, or there is none and nobody asked for it to be written.
pub fn is_as_kept(kind: &str, format: u32, constant: &str, today: &Value) {
    let (file, text) = (file(kind, format), format!("{today:#}\n"));
    if !file.exists() && std::env::var_os("BOXOFFICE_REGENERATE").is_some() {
        std::fs::write(&file, &text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "{0} is not what is written today, and workers of the version before read it as it is: raise {constant} as \
         DECISIONS 65 says, and write the file of the new format with BOXOFFICE_REGENERATE=1. Where no release and no \
         commit before wrote this format, delete {0} and write it so.\nfirst difference: {1}",
        file.display(),
        difference(&kept, &text)
    );
}

/// The first line that differs, as it was and as it is.
fn difference(kept: &str, text: &str) -> String {
    let mut lines = kept.lines().zip(text.lines()).enumerate();
    match lines.find(|(_, (was, is))| was != is) {
        Some((number, (was, is))) => format!("line {}: {was} became {is}", number + 1),
        None => format!("{} lines became {}", kept.lines().count(), text.lines().count()),
    }
}
