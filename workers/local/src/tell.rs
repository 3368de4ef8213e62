//! What a person at the terminal reads: results on standard output, trouble and notes on standard error. Where nobody reads
//! any more, as behind `| head`, what runs goes on.

use std::fmt::{Display, Write as _};
use std::io::{Write as _, stderr, stdout};

use boxoffice_runtime::identity::settings::Settings;

use crate::failure::Failure;
use crate::folder::Folder;
use crate::platform::declared::Declared;
use crate::platform::inventory::{Change, SeatingEventOverview};
use crate::platform::{Door, Platform, PlatformError};
use crate::resources::Finding;

/// A result.
pub fn say(text: impl Display) {
    let _ = writeln!(stdout(), "{text}");
}

/// Trouble, or a note.
fn complain(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// Everything runs: where, and what to try.
pub async fn welcome(
    declared: &Declared,
    door: &Door,
    folder: &Folder,
    platform: &Platform,
    changes: &[Change],
) -> Result<(), PlatformError> {
    let url = format!("http://{}", door.addr);
    let kept = match folder {
        Folder::Kept(path) => format!("kept in {}", path.display()),
        Folder::Temporary(_) => "gone at the end (--data-dir keeps it)".to_owned(),
    };
    let name = declared.name();
    let mut text = format!("Box Office is ready: ReservationService {name} at {url}, data {kept}\n\n");
    _ = writeln!(text, "  {url}/     the page, for buyers\n  {url}/ops  the page for operators\n");
    let mut seat = None;
    let shows = platform.overviews().await?;
    let width = shows.iter().map(|show| show.id.as_str().len()).max().unwrap_or_default();
    for SeatingEventOverview { id, seats, seat: free } in shows {
        let (total, available) = (seats.total, seats.available);
        let id = id.as_str();
        _ = writeln!(
            text,
            "  {id:width$}  {available:6} of {total:6} seats available  {url}/events/{id}/seats"
        );
        seat = seat.or(free);
    }
    if let Some(seat) = seat {
        let event = seat.event();
        let [alice, bob] = ["alice", "bob"].map(|user| match declared.identity {
            Settings::Header => format!("x-user-id: {user}"),
            Settings::Jwt(_) => format!("authorization: Bearer TOKEN_OF_{}", user.to_uppercase()),
        });
        _ = write!(
            text,
            "
Try:
  curl -s -X POST {url}/seats/{seat}/hold -H '{alice}'
  curl -s -X POST {url}/seats/{seat}/reserve -H '{alice}'
  curl -s -X POST {url}/seats/{seat}/hold -H '{bob}'
  curl -s {url}/seats/{seat}
  curl -s {url}/events/{event}/stats
  boxoffice events tail --command-url {url} --from earliest
"
        );
    }
    text.push_str(&effects(declared));
    text.push_str("\nThe files are watched. Ctrl-C ends it.");
    say(text);
    for change in changes {
        match change {
            Change::Refused(..) | Change::Partly { .. } => complain(change),
            Change::Provisioned(_) | Change::Closed(_) => {}
        }
    }
    Ok(())
}

/// Whom the consumers call, with what they prove themselves by where nobody knows it yet.
fn effects(declared: &Declared) -> String {
    let mut text = String::new();
    for consumer in &declared.service.spec.consumers {
        let name = &consumer.name;
        match (&consumer.payment, &consumer.webhook) {
            (Some(payment), _) => match &payment.url {
                Some(url) => _ = writeln!(text, "  {name} charges at {url}"),
                None => _ = writeln!(text, "  {name} accepts every payment and moves no money (sandbox)"),
            },
            (None, Some(webhook)) => _ = writeln!(text, "  {name} posts events to {}", webhook.url),
            (None, None) => {}
        }
        if let Some(secret) = declared.secrets.get(name).filter(|secret| secret.made) {
            _ = writeln!(
                text,
                "    with the key {}, made for this run (--consumer {name}.secret=TEXT)",
                secret.text.as_str()
            );
        }
    }
    if text.is_empty() { text } else { format!("\nBeside the seats:\n{text}") }
}

/// What a change of the files did.
pub fn changes(changes: &[Change]) {
    for change in changes {
        say(change);
    }
}

/// The files are not sound: everything stays as it is.
pub fn stays(failure: &Failure) {
    complain(format_args!("{failure}\neverything stays as it was until the files are sound"));
}

/// The service changed.
pub fn restarting() {
    say("the ReservationService changed: its roles start anew");
}

/// What was passed over.
pub fn notes(notes: &[String]) {
    for note in notes {
        complain(format_args!("note: {note}"));
    }
}

/// What is allowed but hardly meant.
pub fn warnings(warnings: &[Finding]) {
    for warning in warnings {
        complain(format_args!("warning: {warning}"));
    }
}

/// Everything has ended.
pub fn farewell(folder: &Folder) {
    if let Folder::Kept(path) = folder {
        say(format_args!("ended; the data is in {}", path.display()));
    }
}
