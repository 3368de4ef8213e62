//! The Lua scripts of `command/src/scripts`, put together: a script names the parts of `lib/` that it needs in an
//! `include:` line, and has them before it in that order. The clock and the fence it has in any case.

use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;

use super::invocation::Script;

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
    ("keys", include_str!("../../scripts/lib/keys.lua")),
    ("reply", include_str!("../../scripts/lib/reply.lua")),
    ("head", include_str!("../../scripts/lib/head.lua")),
    ("outbox", include_str!("../../scripts/lib/outbox.lua")),
    ("claims", include_str!("../../scripts/lib/claims.lua")),
    ("seats", include_str!("../../scripts/lib/seats.lua")),
    ("holds", include_str!("../../scripts/lib/holds.lua")),
    ("map", include_str!("../../scripts/lib/map.lua")),
    ("floor_plan", include_str!("../../scripts/lib/floor_plan.lua")),
    ("choose", include_str!("../../scripts/lib/choose.lua")),
    ("chart_seats", include_str!("../../scripts/lib/chart_seats.lua")),
    ("expiry", include_str!("../../scripts/lib/expiry.lua")),
    ("hold", include_str!("../../scripts/lib/hold.lua")),
    ("release", include_str!("../../scripts/lib/release.lua")),
    ("reservations", include_str!("../../scripts/lib/reservations.lua")),
    ("reserve", include_str!("../../scripts/lib/reserve.lua")),
    ("cancel", include_str!("../../scripts/lib/cancel.lua")),
];

const INCLUDE: &str = "-- include: ";

/// Declares [`Scripts`] with a field for every script file.
macro_rules! scripts {
    ($($name:ident),*) => {
        /// Every script, by the name of its file.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each file says on top what it does")]
        pub struct Scripts { $(pub $name: Script),* }

        impl Scripts {
            /// The scripts, which read the time from `clock`.
            pub fn new(clock: &Clock) -> Self {
                let clock = clock.lua();
                Self { $($name: assemble(include_str!(concat!("../../scripts/", stringify!($name), ".lua")), &clock)),* }
            }
        }
    };
}

scripts!(
    hold,
    choose_and_hold,
    extend_hold,
    reserve_seat,
    reserve_hold,
    release_seat,
    release_hold,
    cancel_reservation,
    expire,
    provision,
    block,
    unblock,
    close,
    find_hold,
    purge,
    recover,
    published,
    lease_round,
    time
);

fn assemble(script: &str, clock: &str) -> Script {
    let mut code = format!("local EXPIRED_HOLD_MEMORY = {EXPIRED_HOLD_MEMORY}\n{clock}{FENCE}");
    for part in included(script) {
        code.extend(PARTS.iter().filter(|(name, _)| *name == part).map(|(_, text)| *text));
    }
    code.push_str(script);
    Script::new(code)
}

fn included(script: &str) -> impl Iterator<Item = &str> {
    script.lines().filter_map(|line| line.strip_prefix(INCLUDE)).flat_map(|names| names.split(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_include_only_what_there_is() {
        let hold = include_str!("../../scripts/hold.lua");
        assert_eq!(included(hold).count(), 10);
        let scripts = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/scripts")).unwrap();
        for file in scripts.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let script = std::fs::read_to_string(&file).unwrap();
            for part in included(&script) {
                assert!(PARTS.iter().any(|(name, _)| *name == part), "{}: {part}", file.display());
            }
        }
    }
}
