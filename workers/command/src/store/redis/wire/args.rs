//! What each script is told, by the names that it has for it.

use boxoffice_domain::{CorrelationId, SeatingEventId, UnixMillis, UserId};
use uuid::Uuid;

use super::{Packed, ServerHistory, Told, told};
use crate::store::redis::invocation::ScriptInvocation;

told! {
    /// What every script of a SeatingEvent is told first (`lib/head.lua`).
    pub struct Head<'a> {
        /// The command's id.
        pub command: Uuid,
        /// Its chain.
        pub correlation: &'a CorrelationId,
        /// Who acts, if anybody.
        pub actor: Option<&'a UserId>,
        /// Its W3C trace, if any.
        pub trace: Option<&'a str>,
        /// The signals' channel.
        pub channel: &'a str,
        /// The SeatingEvent's id.
        pub event: &'a SeatingEventId,
        /// The server's history.
        pub history: ServerHistory,
        /// A digest of what is asked, where there is an idempotency key.
        pub fingerprint: Option<&'a str>,
        /// For how many ms the answer stays under that key.
        pub answer_memory: u64,
    }
}

told! {
    /// What holds are checked by: it changes with the definition's revision alone, and is packed once for it.
    pub struct SaleRules<'a> {
        /// The revision that all of it is of.
        pub revision: &'a str,
        /// First moment of sales.
        pub opens_at: Option<UnixMillis>,
        /// First moment after them.
        pub closes_at: UnixMillis,
        /// Whether they are paused.
        pub paused: bool,
        /// Whether they are closed for good.
        pub closed: bool,
        /// How long a hold lasts, in ms.
        pub ttl: u64,
        /// Most seats a user.
        pub limit: Option<u32>,
        /// Most events that may wait.
        pub high_watermark: u64,
        /// Of the prices.
        pub currency: &'a str,
        /// What to do about single seats: off, prefer, enforce.
        pub gaps: &'a str,
        /// The sections' prices by index, with commas.
        pub section_prices: &'a str,
    }
}

/// [`SaleRules`] that were packed before.
#[derive(Debug)]
pub struct PackedRules(Packed);

impl PackedRules {
    /// What `rules` say.
    pub fn new(rules: &SaleRules<'_>) -> Self {
        Self(Packed::new(rules))
    }
}

impl Told for PackedRules {
    type Static = SaleRules<'static>;

    fn names() -> Vec<&'static str> {
        SaleRules::names()
    }

    fn tell(&self, run: &mut ScriptInvocation<'_>) {
        self.0.tell(run);
    }
}

told! {
    /// `hold.lua`: then key, price and place of each seat; price '' and place 0 for one that does not exist.
    pub struct Holding<'a> {
        /// Who.
        pub user: &'a UserId,
        /// The hold, new or to grow.
        pub hold: Uuid,
        /// Whether it is to grow.
        pub grows: bool,
    }
}

told! {
    /// `choose_and_hold.lua`, which is told `Holding` first. Then for `these` name, units and price of each area, and
    /// seats as `hold.lua` has them.
    pub struct Choosing<'a> {
        /// `best` or `these`.
        pub kind: &'a str,
        /// How many of the best.
        pub quantity: u32,
        /// '1' or '0' for every section that the best may come from.
        pub sections: &'a str,
        /// What a refusal calls the section.
        pub called: Option<&'a str>,
        /// Whether nothing but neighbours will do: required, preferred.
        pub together: &'a str,
        /// How many areas follow.
        pub areas: usize,
    }
}

told! {
    /// `reserve_seat.lua`.
    pub struct ReservingSeat<'a> {
        /// Of the definition.
        pub revision: &'a str,
        /// Whether sales are closed for good.
        pub closed: bool,
        /// Who.
        pub user: &'a UserId,
        /// The new reservation.
        pub reservation: Uuid,
        /// The seat's key.
        pub seat: &'a str,
        /// Whether the chart has it.
        pub exists: bool,
    }
}

told! {
    /// `reserve_hold.lua`.
    pub struct ReservingHold<'a> {
        /// Of the definition.
        pub revision: &'a str,
        /// Whether sales are closed for good.
        pub closed: bool,
        /// Who.
        pub user: &'a UserId,
        /// The new reservation.
        pub reservation: Uuid,
        /// The hold.
        pub hold: Uuid,
    }
}

told! {
    /// `release_seat.lua`.
    pub struct ReleasingSeat<'a> {
        /// Of the definition.
        pub revision: &'a str,
        /// Who.
        pub user: &'a UserId,
        /// The seat's key.
        pub seat: &'a str,
        /// Whether the chart has it.
        pub exists: bool,
    }
}

told! {
    /// `release_hold.lua`.
    pub struct ReleasingHold<'a> {
        /// Who.
        pub user: &'a UserId,
        /// The hold.
        pub hold: Uuid,
    }
}

told! {
    /// `expire.lua`.
    pub struct Expiring<'a> {
        /// The hold.
        pub hold: &'a str,
        /// The definition's currency, for an answer about nothing.
        pub currency: &'a str,
    }
}

told! {
    /// `read.lua`: then how many seats, holds and reservations (failed ones too), each with their names.
    pub struct Reading<'a> {
        /// Of the definition; '' where there was none.
        pub revision: &'a str,
    }
}

told! {
    /// `apply.lua`: then its lists, each with how many words it has (`store/redis/apply.rs`).
    pub struct Applying<'a> {
        /// Of the definition that the decision was made by; '' where there was none.
        pub revision: &'a str,
        /// When it was made: the SeatingEvent's time as it was read.
        pub at: UnixMillis,
        /// First moment at which it would be another.
        pub until: Option<UnixMillis>,
        /// Most events that may wait, where it takes seats.
        pub high_watermark: Option<u64>,
        /// What the answer says, with marks.
        pub says: &'a str,
        /// Seats held, reserved and blocked more than before, or fewer.
        pub held: i64,
        /// See `held`.
        pub reserved: i64,
        /// See `held`.
        pub blocked: i64,
        /// The partition that is pinned where none is (I4).
        pub partition: Option<u32>,
        /// Whether all but its place on the log is forgotten.
        pub purges: bool,
    }
}

told! {
    /// `distrust.lua`.
    pub struct Distrusting<'a> {
        /// The server's history.
        pub history: ServerHistory,
        /// What it has in place of one from then on.
        pub mark: &'a str,
    }
}

told! {
    /// `archive.lua`.
    pub struct Archiving<'a> {
        /// The server's history.
        pub history: ServerHistory,
        /// Of the definition that the rest is about.
        pub revision: &'a str,
        /// Sequence of the last event in the snapshot.
        pub sequence: u64,
        /// When it is over, by that definition.
        pub over_at: UnixMillis,
        /// Where the snapshot is.
        pub snapshot: u64,
        /// The fingerprint of its chart.
        pub chart: &'a str,
        /// What an equal definition is known by.
        pub digest: &'a str,
    }
}

told! {
    /// `published.lua`.
    pub struct Publishing<'a> {
        /// Sequence up to which events are published.
        pub upto: u64,
        /// Where on the log there is nothing more of them.
        pub offset: u64,
        /// The signals' channel.
        pub channel: &'a str,
        /// The SeatingEvent's id.
        pub event: &'a SeatingEventId,
        /// The server's history.
        pub history: ServerHistory,
    }
}

told! {
    /// `recover.lua`: where the state is replaced, fields and values of `meta` with how many words they are, then the
    /// floor plan where there is a definition.
    pub struct Recovering<'a> {
        /// The server's history.
        pub history: ServerHistory,
        /// The signals' channel.
        pub channel: &'a str,
        /// The SeatingEvent's id.
        pub event: &'a SeatingEventId,
        /// Sequence up to which the log has its events.
        pub logged: u64,
        /// Where on the log there is nothing more of them.
        pub offset: u64,
        /// `keep` or `replace` what is there.
        pub state: &'a str,
        /// Whether what is there was purged meanwhile, so that nothing of it stays.
        pub purged: bool,
        /// `keep` or `drop` what waits to be published.
        pub waiting: &'a str,
        /// The id of the last domain event of what takes the place of what is there, where it is known.
        pub last: Option<Uuid>,
    }
}

told! {
    /// `lease_round.lua`: then the lanes that are given back.
    pub struct LeaseRound {
        /// The relay.
        pub relay: Uuid,
        /// Whether it stays.
        pub stays: bool,
        /// How long a lease lasts, in ms.
        pub life: u64,
        /// How many lanes there are.
        pub lanes: u32,
    }
}
