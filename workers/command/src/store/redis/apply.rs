//! What was decided as what `scripts/apply.lua` writes: the difference between the records as they were read and as the
//! decision's events make them, with marks for what is only known there.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use boxoffice_domain::command::{Reads, Wants};
use boxoffice_domain::state::{HoldStatus, Seat, SeatingEventState};
use boxoffice_domain::subject::{OfSeatingEvent, Subject};
use boxoffice_domain::{
    Answer, Command, CommandKind, Decision, Definition, DomainEvent, Envelope, Origin, PricedSeat,
    SeatingEventId, UserId, attribute, evolve,
};
use uuid::Uuid;

use super::RedisStore;
use super::catalog::Known;
use super::entry;
use super::floor_plan::{FloorPlan, is_alike};
use super::invocation::ScriptInvocation;
use super::part::{Part, reservations_of};
use super::reply::Reply;
use super::stamp::Stamp;
use super::state::{
    deadline, failed_field, failed_text, hold_text, outcome_word, reservation_text, write_seat,
};
use super::wire::answers::{
    HeldWords, MINE, ProvisionedWords, ReinstatementWords, ReleasedWords, ReservedWords,
};
use super::wire::args::Applying;
use crate::store::{Cause, History, StoreError};

/// A decision with what it was made on.
pub struct Change<'a> {
    /// What was read.
    pub part: &'a Part,
    /// What of it the decision looked at.
    pub reads: &'a Reads,
    /// The command.
    pub command: &'a Command,
    /// What was decided.
    pub decision: &'a Decision,
    /// Where the command comes from.
    pub cause: &'a Cause,
    /// Pinned where the SeatingEvent comes to be.
    pub partition: Option<u32>,
}

impl RedisStore {
    pub(super) async fn apply(
        &self,
        event: &SeatingEventId,
        known: Option<&Known>,
        change: &Change<'_>,
        only_on: Option<History>,
    ) -> Result<Reply, StoreError> {
        let Change { part, reads, command, decision, cause, partition } = *change;
        let stamp = Stamp { at: part.at, sequence: part.state.sequence };
        let envelopes = attributed(part, decision, cause);
        let mut after = part.state.clone();
        for envelope in &envelopes {
            evolve(&mut after, envelope);
        }
        let difference = Difference::between(&part.state, &after, stamp);
        let applying = Applying {
            revision: known.map_or("", |known| &known.revision),
            at: part.at,
            until: decision.until,
            high_watermark: decision.takes_seats().then_some(self.high_watermark),
            says: &says(&decision.answer, &part.state, stamp),
            held: difference.counts[0],
            reserved: difference.counts[1],
            blocked: difference.counts[2],
            partition,
            purges: decision.changes.iter().any(|change| matches!(change, DomainEvent::EventPurged(_))),
        };
        let script = if frees(command) { &self.scripts.apply_freeing } else { &self.scripts.apply };
        let mut run = self.begin(script, event, known, cause, applying);
        run.only_on_if(only_on);
        tell_reads(&mut run, part, reads);
        difference.tell(&mut run);
        let claims = claims(&decision.changes);
        let claims = claims.into_iter().flat_map(|(user, by)| [user.to_string(), by.to_string()]);
        run.list(claims.collect::<Vec<_>>().into_iter());
        difference.tell_deadlines(&mut run);
        let defined = envelopes.iter().rev().find_map(|envelope| match envelope.event.subject() {
            Subject::SeatingEvent(OfSeatingEvent::Created(e) | OfSeatingEvent::Updated(e)) => {
                Some((&e.definition, false))
            }
            Subject::SeatingEvent(OfSeatingEvent::Deleted(e)) => Some((&e.definition, true)),
            Subject::SeatingEvent(OfSeatingEvent::Purged(_))
            | Subject::Seat(_)
            | Subject::Hold(_)
            | Subject::Reservation(_)
            | Subject::Statistics(_)
            | Subject::Payment(_) => None,
        });
        // A new floor plan is marked by what is written.
        let moved =
            defined.filter(|(now, _)| !known.is_some_and(|known| is_alike(&known.sale.definition, now)));
        match moved {
            None => difference.tell_places(&mut run, known),
            Some(_) => {
                run.list(std::iter::empty::<&str>()).list(std::iter::empty::<&str>());
            }
        }
        Self::tell_meta(&mut run, change, defined, &after)?;
        let entries = envelopes.iter().map(|envelope| entry::write(envelope, &part.state, stamp, cause));
        run.list(entries.collect::<Result<Vec<_>, _>>()?.into_iter());
        if let (Some(_), Some(sale)) = (moved, &after.sale) {
            FloorPlan::new(sale.chart(), sale.seating()).tell(&mut run);
        }
        let mut reply = self.invoke(&run).await?;
        if let (Reply::Done(ran), Some(sale)) = (&mut reply, &after.sale) {
            sale.complete(&mut ran.outcome.answer);
        }
        Ok(reply)
    }

    /// Fields of `meta` to write and to forget.
    fn tell_meta(
        run: &mut ScriptInvocation<'_>,
        change: &Change<'_>,
        defined: Option<(&Definition, bool)>,
        after: &SeatingEventState,
    ) -> Result<(), StoreError> {
        let mut fields: Vec<String> = vec![];
        let mut set = |field: &str, value: String| fields.extend([field.to_owned(), value]);
        if let Some((definition, closed)) = defined {
            let total = after.sale.as_ref().map_or(0, |sale| sale.chart().len());
            set("revision", change.cause.command.to_string());
            set("definition", entry::json(definition)?);
            set("closed", u8::from(closed).to_string());
            set("total", total.to_string());
        }
        let mut forgotten = vec![];
        match change.command.wants() {
            Wants::Definition(definition) if !change.decision.answer.refused().is_empty() => {
                set("wanted", entry::json(definition)?);
                set("wants", "1".to_owned());
            }
            Wants::Definition(_) | Wants::Nothing => forgotten.extend(["wanted", "wants"]),
            Wants::AsBefore => {}
        }
        run.list(fields.into_iter()).list(forgotten.into_iter());
        Ok(())
    }
}

fn attributed(part: &Part, decision: &Decision, cause: &Cause) -> Vec<Envelope> {
    let origin =
        Origin { command: cause.command, correlation: cause.correlation.clone(), user: cause.user.clone() };
    attribute(&part.state, decision.changes.clone(), &origin, part.at)
}

/// The records that the decision looked at, as they were read.
fn tell_reads(run: &mut ScriptInvocation<'_>, part: &Part, reads: &Reads) {
    fn texts<'a, K: Eq + Hash + 'a>(
        keys: impl Iterator<Item = &'a K>,
        texts: &'a HashMap<K, Option<String>>,
    ) -> std::vec::IntoIter<&'a str> {
        let text = |key| texts.get(key).and_then(Option::as_deref).unwrap_or_default();
        keys.map(text).collect::<Vec<_>>().into_iter()
    }
    let Reads { seats, holds, reservations, failed } = reads;
    run.list(seats.iter()).list(texts(seats.iter(), &part.texts.seats));
    run.list(holds.iter().map(ToString::to_string)).list(texts(holds.iter(), &part.texts.holds));
    run.list(reservations_of(reads));
    let standing = texts(reservations.iter(), &part.texts.reservations);
    run.list(standing.chain(texts(failed.iter(), &part.texts.failed)).collect::<Vec<_>>().into_iter());
}

/// By how much the claims of each user change.
fn claims(changes: &[DomainEvent]) -> BTreeMap<UserId, i64> {
    let mut claims = BTreeMap::new();
    for change in changes {
        match change {
            DomainEvent::SeatHeld(e) => *claims.entry(e.user_id.clone()).or_default() += 1,
            DomainEvent::SeatReleased(e) => *claims.entry(e.user_id.clone()).or_default() -= 1,
            _ => {}
        }
    }
    claims.retain(|_, by| *by != 0);
    claims
}

/// What is to be written of one kind of record: fields with texts, and fields to forget.
#[derive(Debug, Default)]
struct Records {
    written: Vec<String>,
    forgotten: Vec<String>,
}

impl Records {
    fn between<K: Eq + Hash + ToString, V: PartialEq>(
        before: &HashMap<K, V>,
        after: &HashMap<K, V>,
        text: impl Fn(&K, &V) -> String,
    ) -> Self {
        Self::of_fields(before, after, ToString::to_string, text)
    }

    fn of_fields<K: Eq + Hash, V: PartialEq>(
        before: &HashMap<K, V>,
        after: &HashMap<K, V>,
        field: impl Fn(&K) -> String,
        text: impl Fn(&K, &V) -> String,
    ) -> Self {
        let mut records = Self::default();
        for (key, value) in after {
            if before.get(key) != Some(value) {
                records.written.extend([field(key), text(key, value)]);
            }
        }
        records.forgotten.extend(before.keys().filter(|key| !after.contains_key(*key)).map(field));
        records
    }

    fn and(mut self, others: Self) -> Self {
        self.written.extend(others.written);
        self.forgotten.extend(others.forgotten);
        self
    }

    fn tell(&self, run: &mut ScriptInvocation<'_>) {
        run.list(self.written.iter()).list(self.forgotten.iter());
    }
}

/// What a decision's events change.
struct Difference {
    records: [Records; 3],
    /// Deadlines and holds.
    deadlines: Vec<String>,
    without_deadline: Vec<String>,
    taken: Vec<String>,
    free: Vec<String>,
    /// Seats held, reserved and blocked.
    counts: [i64; 3],
}

impl Difference {
    fn between(before: &SeatingEventState, after: &SeatingEventState, stamp: Stamp) -> Self {
        let hold = |id: &Uuid, hold: &_| hold_text(hold, stamp, !before.holds.contains_key(id));
        let reservation =
            |id: &Uuid, it: &_| reservation_text(it, stamp, !before.reservations.contains_key(id));
        let failed = |id: &Uuid, it: &_| failed_text(it, stamp, !before.failed.contains_key(id));
        let records =
            [
                Records::between(&before.seats, &after.seats, |_, seat| write_seat(seat)),
                Records::between(&before.holds, &after.holds, hold),
                Records::between(&before.reservations, &after.reservations, reservation)
                    .and(Records::of_fields(&before.failed, &after.failed, |id| failed_field(*id), failed)),
            ];
        let mut this = Self {
            records,
            deadlines: vec![],
            without_deadline: vec![],
            taken: vec![],
            free: vec![],
            counts: [0; 3],
        };
        this.compare_deadlines(before, after, stamp);
        this.compare_seats(before, after);
        this
    }

    fn compare_deadlines(&mut self, before: &SeatingEventState, after: &SeatingEventState, stamp: Stamp) {
        let was = |id: &Uuid| before.holds.get(id).and_then(deadline);
        for (id, hold) in &after.holds {
            let due = deadline(hold);
            if due == was(id) {
                continue;
            }
            match due {
                Some(due) => {
                    let fresh = hold.status == HoldStatus::Active && !before.holds.contains_key(id);
                    let due = if fresh { stamp.time(due) } else { due.to_string() };
                    self.deadlines.extend([due, id.to_string()]);
                }
                None => self.without_deadline.push(id.to_string()),
            }
        }
        for (id, failed) in after.failed.iter().filter(|(id, _)| !before.failed.contains_key(id)) {
            self.deadlines.extend([stamp.time(failed.forgotten_at()), failed_field(*id)]);
        }
        let gone = before.holds.keys().filter(|id| !after.holds.contains_key(id));
        self.without_deadline.extend(gone.map(ToString::to_string));
    }

    fn compare_seats(&mut self, before: &SeatingEventState, after: &SeatingEventState) {
        let mut keys: Vec<&String> = before.seats.keys().chain(after.seats.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let (was, is) = (before.seats.get(key), after.seats.get(key));
            for (seat, by) in [(was, -1), (is, 1)] {
                if let Some(counted) = seat.and_then(counted) {
                    self.counts[counted] += by;
                }
            }
            match (was.and_then(counted).is_some(), is.and_then(counted).is_some()) {
                (false, true) => self.taken.push(key.clone()),
                (true, false) => self.free.push(key.clone()),
                (true, true) | (false, false) => {}
            }
        }
    }

    fn tell(&self, run: &mut ScriptInvocation<'_>) {
        for records in &self.records {
            records.tell(run);
        }
    }

    fn tell_deadlines(&self, run: &mut ScriptInvocation<'_>) {
        run.list(self.deadlines.iter()).list(self.without_deadline.iter());
    }

    /// Places that are taken, in order, and seats that are free.
    fn tell_places(&self, run: &mut ScriptInvocation<'_>, known: Option<&Known>) {
        let place = |key: &String| known?.sale.seating().place(known?.sale.chart().position(key)?);
        let mut taken: Vec<_> = self.taken.iter().filter_map(place).collect();
        taken.sort_unstable();
        let in_chart = |key: &&String| known.is_some_and(|known| known.sale.chart().contains(key));
        run.list(taken.into_iter()).list(self.free.iter().filter(in_chart).collect::<Vec<_>>().into_iter());
    }
}

/// Whether a command gives back what seats take up, so that it is carried out in a Redis whose memory is full.
fn frees(command: &Command) -> bool {
    command.kind() == CommandKind::Release || matches!(command, Command::Close | Command::Purge)
}

/// Which counter counts a seat: held, reserved or blocked.
fn counted(seat: &Seat) -> Option<usize> {
    match seat {
        Seat::Held { .. } => Some(0),
        Seat::Reserved { .. } => Some(1),
        Seat::Blocked { .. } => Some(2),
        Seat::Lapsed { .. } => None,
    }
}

/// An answer as scripts say it, with marks.
fn says(answer: &Answer, before: &SeatingEventState, stamp: Stamp) -> String {
    let mut words: Vec<String> = vec![];
    let mut begin = |kind: &str, said: Vec<String>| {
        words.extend([kind.to_owned(), stamp.time(stamp.at)]);
        words.extend(said);
    };
    let sequence = |sequence: &u64| stamp.sequence(*sequence);
    match answer {
        Answer::Held { hold, seats, currency, expires_at, together: _, sequence: last } => {
            let fresh = !before.holds.contains_key(hold);
            let expires = if fresh { stamp.time(*expires_at) } else { expires_at.to_string() };
            begin("held", HeldWords::said(hold, &expires, &sequence(last), currency));
            words.extend(priced(seats));
        }
        Answer::Reserved { reservation, seats, currency, reserved_at, sequence: last } => {
            let fresh = !before.reservations.contains_key(reservation);
            let reserved = if fresh { stamp.time(*reserved_at) } else { reserved_at.to_string() };
            begin("reserved", ReservedWords::said(reservation, &reserved, &sequence(last), currency));
            words.extend(priced(seats));
        }
        Answer::Released { released, left, currency, expires_at, sequence: last } => {
            let expires = expires_at.unwrap_or_default();
            begin("released", ReleasedWords::said(&expires, &sequence(last), currency, &released.len()));
            words.extend(released.iter().cloned());
            words.extend(priced(left));
        }
        Answer::Reinstatement { outcome, sequence: last } => {
            begin("reinstatement", ReinstatementWords::said(&outcome_word(*outcome), &sequence(last)));
        }
        Answer::Provisioned { refused, sequence: last } => {
            begin("provisioned", ProvisionedWords::said(&sequence(last)));
            words.extend(refused.iter().flat_map(|conflict| {
                let mine = if conflict.mine { MINE } else { "" };
                [conflict.seat.clone(), format!("{mine}{}", conflict.reason.as_str())]
            }));
        }
    }
    words.join("\n")
}

fn priced(seats: &[PricedSeat]) -> impl Iterator<Item = String> + '_ {
    seats.iter().flat_map(|seat| [seat.key.clone(), seat.amount.to_string()])
}
