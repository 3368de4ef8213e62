//! The Lua scripts of `command/src/scripts`, put together: a script names the parts of `lib/` that it needs in an
//! `include:` line, and has them in its place in that order. The clock, the fence and the names of what it is told
//! ([`wire`](super::wire)) it has in any case.
//!
//! A Redis whose memory is full (`maxmemory`, noeviction) refuses every command that may need more, also in scripts.
//! Those that give memory back, in the end, or without which nothing is given back, are declared as `frees` and run all
//! the same; all others are refused before they have written anything.

use boxoffice_domain::command::MOST_SEATS_OF_A_HOLD;
use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;

use super::fence::SPLIT;
use super::keys::{BESIDE, PARTS as EVENT};
use super::script::Script;
use super::state::FAILED;
use super::wire::args::{
    Applying, Archiving, Choosing, Distrusting, Expiring, Head, Holding, LeaseRound, Publishing, Reading,
    Recovering, ReleasingHold, ReleasingSeat, ReservingHold, ReservingSeat, SaleRules,
};
use super::wire::{Told, prologue};
use crate::durability::{Durability, Guarantee};

/// Where scripts read the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Clock {
    /// The server's clock (I6).
    #[default]
    Server,
    /// Keys that hold the time in milliseconds, one of them on each server, for tests that move it.
    Keys(Vec<String>),
}

impl Clock {
    /// The flags of scripts that run in a full Redis. Keys with the time in them are another slot's.
    fn flags(&self) -> &'static str {
        match self {
            Self::Server => "allow-oom",
            Self::Keys(_) => "allow-oom,allow-cross-slot-keys",
        }
    }

    fn lua(&self) -> String {
        match self {
            Self::Server => include_str!("../../scripts/lib/clock.lua").to_owned(),
            Self::Keys(keys) => {
                let keys: Vec<_> = keys.iter().map(|key| format!("'{key}'")).collect();
                let read = "local time = redis.pcall('GET', key) if type(time) == 'string' then return tonumber(time) end";
                format!(
                    "local function now() for _, key in ipairs({{{}}}) do {read} end end\n",
                    keys.join(", ")
                )
            }
        }
    }
}

/// What keeps a script from running on another history than it was meant for.
const FENCE: &str = include_str!("../../scripts/lib/history.lua");

/// The parts that scripts include, by name.
const PARTS: &[(&str, &str)] = &[
    ("reply", include_str!("../../scripts/lib/reply.lua")),
    ("head", include_str!("../../scripts/lib/head.lua")),
    ("last", include_str!("../../scripts/lib/last.lua")),
    ("outbox", include_str!("../../scripts/lib/outbox.lua")),
    ("claims", include_str!("../../scripts/lib/claims.lua")),
    ("seats", include_str!("../../scripts/lib/seats.lua")),
    ("holds", include_str!("../../scripts/lib/holds.lua")),
    ("find_hold", include_str!("../../scripts/lib/find_hold.lua")),
    ("map", include_str!("../../scripts/lib/map.lua")),
    ("layout", include_str!("../../scripts/lib/layout.lua")),
    ("floor_plan", include_str!("../../scripts/lib/floor_plan.lua")),
    ("rows", include_str!("../../scripts/lib/rows.lua")),
    ("choose", include_str!("../../scripts/lib/choose.lua")),
    ("lists", include_str!("../../scripts/lib/lists.lua")),
    ("stub", include_str!("../../scripts/lib/stub.lua")),
    ("release", include_str!("../../scripts/lib/release.lua")),
    ("expiry", include_str!("../../scripts/lib/expiry.lua")),
    ("take", include_str!("../../scripts/lib/take.lua")),
    ("hold", include_str!("../../scripts/lib/hold.lua")),
    ("reservations", include_str!("../../scripts/lib/reservations.lua")),
    ("reserve", include_str!("../../scripts/lib/reserve.lua")),
];

const INCLUDE: &str = "-- include: ";

/// The KEYS of a command's script: those of the SeatingEvent, then the answer that is stored under the caller's
/// idempotency key, where it has one.
fn of_command() -> Vec<&'static str> {
    [EVENT.as_slice(), &["answer"]].concat()
}

/// Declares [`Scripts`] with a field for every script: its file, its KEYS, whether it frees memory, and what it is told.
macro_rules! scripts {
    ($($name:ident = $file:literal($keys:expr) $($frees:ident)?: $told:ty,)+) => {
        /// Every script.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each file says on top what it does")]
        pub struct Scripts { $(pub $name: Script<$told>),+ }

        impl Scripts {
            /// The scripts, which read the time from `clock`, of a service that promises `durability`.
            pub fn new(clock: &Clock, durability: Durability) -> Self {
                Self { $($name: Script::new(assemble(
                    include_str!(concat!("../../scripts/", $file, ".lua")),
                    (clock, durability),
                    !stringify!($($frees)?).is_empty(),
                    &$keys,
                    &<$told>::names(),
                ))),+ }
            }
        }

        /// Every script's name, text, KEYS and ARGV.
        #[cfg(test)]
        fn all() -> Vec<(&'static str, &'static str, Vec<&'static str>, Vec<&'static str>)> {
            vec![$((
                stringify!($name),
                include_str!(concat!("../../scripts/", $file, ".lua")),
                $keys.to_vec(),
                <$told>::names(),
            )),+]
        }
    };
}

type OfCommand<T> = (Head<'static>, T);

scripts! {
    hold = "hold"(of_command()): OfCommand<(SaleRules<'static>, Holding<'static>)>,
    choose_and_hold = "choose_and_hold"(of_command()): OfCommand<(SaleRules<'static>, (Holding<'static>, Choosing<'static>))>,
    reserve_seat = "reserve_seat"(of_command()): OfCommand<ReservingSeat<'static>>,
    reserve_hold = "reserve_hold"(of_command()): OfCommand<ReservingHold<'static>>,
    release_seat = "release_seat"(of_command()) frees: OfCommand<ReleasingSeat<'static>>,
    release_hold = "release_hold"(of_command()) frees: OfCommand<ReleasingHold<'static>>,
    expire = "expire"(of_command()) frees: OfCommand<Expiring<'static>>,
    read = "read"(of_command()): OfCommand<Reading<'static>>,
    apply = "apply"(of_command()): OfCommand<Applying<'static>>,
    apply_freeing = "apply"(of_command()) frees: OfCommand<Applying<'static>>,
    recover = "recover"([EVENT.as_slice(), BESIDE.as_slice()].concat()) frees: Recovering<'static>,
    archive = "archive"(EVENT) frees: Archiving<'static>,
    published = "published"(["meta", "outbox"]) frees: Publishing<'static>,
    distrust = "distrust"(["meta"]) frees: Distrusting<'static>,
    lease_round = "lease_round"(["leases", "relays"]) frees: LeaseRound,
    time = "time"([]): (),
}

fn assemble(
    script: &str,
    (clock, durability): (&Clock, Durability),
    frees: bool,
    keys: &[&str],
    args: &[&str],
) -> String {
    // Redis reads flags off the very first line alone.
    let flags = if frees { format!("#!lua flags={}\n", clock.flags()) } else { String::new() };
    let mut code = format!(
        "{flags}local EXPIRED_HOLD_MEMORY, FAILED, SPLIT = {EXPIRED_HOLD_MEMORY}, '{FAILED}', '{SPLIT}'\n\
         local MOST_SEATS_OF_A_HOLD = {MOST_SEATS_OF_A_HOLD}\n\
         local HOLDS_WAIT, RESERVES_WAIT = {}, {}\nlocal NOW\n{}{FENCE}{}{}",
        durability.hold == Guarantee::Log,
        durability.reserve == Guarantee::Log,
        clock.lua(),
        prologue::constants(),
        prologue::names(keys, args)
    );
    for line in script.lines() {
        if let Some(names) = line.strip_prefix(INCLUDE) {
            code.extend(names.split(", ").filter_map(part));
        } else {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

fn part(name: &str) -> Option<&'static str> {
    PARTS.iter().find(|(part, _)| *part == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn included(script: &str) -> Vec<&str> {
        script
            .lines()
            .filter_map(|line| line.strip_prefix(INCLUDE))
            .flat_map(|names| names.split(", "))
            .collect()
    }

    #[test]
    fn scripts_include_only_what_there_is() {
        for (name, script, ..) in all() {
            for included in included(script) {
                assert!(part(included).is_some(), "{name}: {included}");
            }
        }
    }

    #[test]
    fn what_frees_memory_says_so_on_its_first_line_and_nothing_else_does() {
        let durability = Durability::default();
        let assembled = |frees| assemble("return 1", (&Clock::Server, durability), frees, &[], &[]);
        assert_eq!(assembled(true).lines().next(), Some("#!lua flags=allow-oom"));
        assert!(!assembled(false).contains("#!lua"));
        let keys = Clock::Keys(vec!["clock".into()]);
        let moved = assemble("return 1", (&keys, durability), true, &[], &[]);
        assert!(moved.starts_with("#!lua flags=allow-oom,allow-cross-slot-keys\nlocal "), "{moved}");
    }

    /// A name that nobody declares would be nil, and refused only where it is read.
    #[test]
    fn scripts_use_the_names_that_are_declared_and_all_of_them() {
        const GIVEN: &[&str] = &[
            "KEYS",
            "ARGV",
            "REST",
            "NOW",
            "EXPIRED_HOLD_MEMORY",
            "MOST_SEATS_OF_A_HOLD",
            "FAILED",
            "SPLIT",
            "HOLDS_WAIT",
            "RESERVES_WAIT",
            "ENTRY_FORMAT",
            "RECORD_FORMAT",
            "ANSWER_FORMAT",
            "ANSWERS",
        ];
        let (mut idle, mut busy) = (HashSet::new(), HashSet::new());
        for (name, script, keys, args) in all() {
            let text: String = included(script).into_iter().filter_map(part).chain([script]).collect();
            let used = names_in(&text);
            let declared: HashSet<String> =
                keys.iter().chain(&args).map(|name| name.to_uppercase()).collect();
            let own = declared_in(&text);
            for used in &used {
                let known = declared.contains(used) || own.contains(used) || GIVEN.contains(&used.as_str());
                assert!(known, "{name} uses {used}, which nobody declares");
            }
            idle.extend(args.iter().map(|arg| arg.to_uppercase()).filter(|arg| !used.contains(arg)));
            busy.extend(used);
        }
        let never: Vec<_> = idle.difference(&busy).collect();
        assert!(never.is_empty(), "scripts are told {never:?}, which none of them uses");
    }

    /// The code without comments and texts.
    fn code(text: &str) -> String {
        let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
        lines.flat_map(|line| line.split('\'').step_by(2).chain(["\n"])).collect::<Vec<_>>().join(" ")
    }

    /// Names in upper case.
    fn names_in(text: &str) -> HashSet<String> {
        let code = code(text);
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let constant = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && !word.chars().any(|c| c.is_ascii_lowercase())
        };
        words.filter(constant).map(str::to_owned).collect()
    }

    fn declared_in(text: &str) -> HashSet<String> {
        let code = code(text);
        let locals = code.lines().filter_map(|line| line.trim().strip_prefix("local ")?.split('=').next());
        locals.flat_map(|names| names.split(',').map(|name| name.trim().to_owned())).collect()
    }
}
