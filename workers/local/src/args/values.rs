//! Values of the command line that are more than a number or a text.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use boxoffice_domain::{Area, SeatId, SeatingEventId};
use boxoffice_runtime::http::outbound;
use boxoffice_runtime::identity::key_text::KeyText;
use clap::ValueEnum;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Begin {
    /// With the first one that there is
    Earliest,
    /// With what comes from now on
    Latest,
}

/// A seat, or the SeatingEvent where seats are chosen by the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// `arena-night.A-7-7`
    Seat(SeatId),
    /// `arena-night`
    Event(SeatingEventId),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seat = text.parse().map(Self::Seat);
        seat.or_else(|_| text.parse().map(Self::Event)).map_err(|_| {
            "expected a seat (arena-night.A-7-7) or, with --best or --area, a SeatingEvent (arena-night)"
                .to_owned()
        })
    }
}

/// What a consumer that calls somebody is told in place of what the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSetting {
    /// The consumer's name.
    pub consumer: String,
    /// What of it.
    pub what: ConsumerField,
}

/// What may be said of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerField {
    /// The gateway's or the receiver's address.
    Url(String),
    /// What its Secret would hold.
    Secret(KeyText),
}

/// `notification-service.url=http://127.0.0.1:8090/events`.
///
/// # Errors
/// A text that says something else.
pub fn consumer(text: &str) -> Result<ConsumerSetting, String> {
    let expected = || "expected NAME.url=ADDRESS or NAME.secret=TEXT, with a consumer's name".to_owned();
    let (field, value) = text.split_once('=').ok_or_else(expected)?;
    let (consumer, field) = field.rsplit_once('.').ok_or_else(expected)?;
    let what = match field {
        "url" => ConsumerField::Url(outbound::check(value).map(|_| value.to_owned())?),
        "secret" if !value.is_empty() => ConsumerField::Secret(value.to_owned().into()),
        _ => return Err(expected()),
    };
    if consumer.is_empty() {
        Err(expected())
    } else {
        Ok(ConsumerSetting { consumer: consumer.to_owned(), what })
    }
}

/// `tickets.local`: a name as `Host` has it before the port.
///
/// # Errors
/// A text that says more, or nothing.
pub fn host(text: &str) -> Result<String, String> {
    let is_of_names = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    if !text.is_empty() && text.chars().all(is_of_names) {
        Ok(text.to_owned())
    } else {
        Err("expected a name alone, such as tickets.local: http://, a port or a path is no part of it"
            .to_owned())
    }
}

/// A folder.
///
/// # Errors
/// No text.
pub fn folder(text: OsString) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("it names no folder: give one, such as .boxoffice, or leave it out and keep nothing".to_owned())
    } else {
        Ok(text.into())
    }
}

/// `FLOOR=2`: so many units of an area.
///
/// # Errors
/// A text that says something else.
pub fn area(text: &str) -> Result<Area, String> {
    let (section_id, quantity) = text.split_once('=').unwrap_or_default();
    match quantity.parse() {
        Ok(quantity @ 1..) if !section_id.is_empty() => {
            Ok(Area { section_id: section_id.to_owned(), quantity })
        }
        _ => Err("expected an area and how many units of it, such as FLOOR=2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_told_an_address_or_a_secret() {
        let url = consumer("tell.url=http://127.0.0.1:8090/events").unwrap();
        let what = ConsumerField::Url("http://127.0.0.1:8090/events".into());
        assert_eq!(url, ConsumerSetting { consumer: "tell".into(), what });
        let secret = consumer("tell.secret=a=b").unwrap();
        assert_eq!(secret.what, ConsumerField::Secret("a=b".to_owned().into()));
        for (text, problem) in [
            ("tell", "expected NAME.url"),
            ("tell.key=x", "expected NAME.url"),
            (".url=https://x", "expected NAME.url"),
            ("tell.secret=", "expected NAME.url"),
            ("tell.url=http://example.com", "plain text"),
        ] {
            let told = consumer(text).unwrap_err();
            assert!(told.contains(problem), "{text}: {told}");
        }
    }
}
