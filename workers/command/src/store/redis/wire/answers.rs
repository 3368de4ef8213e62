//! The words of what scripts answer, by the names that Lua has for them.

use std::str::{FromStr, Split};

use boxoffice_domain::UnixMillis;
use uuid::Uuid;

/// Before the reason of a conflict with the caller's own hold or reservation.
pub const MINE: &str = "MINE ";

/// A reservation whose payment came late was not given back.
pub const REFUSED: &str = "refused";
/// No such reservation is remembered.
pub const NONE: &str = "none";

/// The words of an answer that are still to be read, which stand on lines of their own.
pub struct Words<'a>(Split<'a, char>);

impl<'a> Words<'a> {
    /// Those of `text`.
    pub fn of(text: &'a str) -> Self {
        Self(text.split('\n'))
    }

    /// The next one.
    pub fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next one, as what it is; `None` where it is not what it should be.
    pub fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }
}

/// Declares the words of an answer, after its kind and the time: a struct whose fields Lua names too.
macro_rules! answers {
    ($($(#[$meta:meta])* $kind:literal => $name:ident { $($field:ident: $type:ty,)* })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub struct $name { $(pub(crate) $field: $type,)* }

            impl $name {
                /// Reads the words, in order.
                pub fn read(words: &mut Words<'_>) -> Option<Self> {
                    Some(Self { $($field: words.parsed()?,)* })
                }

                /// The words, in order, each as it is to be said.
                pub fn said($($field: &impl ToString,)*) -> Vec<String> {
                    vec![$($field.to_string(),)*]
                }
            }
        )+

        /// Every kind of answer with the names of its words.
        pub const ANSWERS: &[(&str, &[&str])] = &[$(($kind, &[$(stringify!($field)),*])),+];
    };
}

answers! {
    /// Then key and amount of each of its seats.
    "held" => HeldWords { hold: Uuid, expires: UnixMillis, sequence: u64, currency: String, }
    /// Then key and amount of each of its seats.
    "reserved" => ReservedWords { reservation: Uuid, reserved: UnixMillis, sequence: u64, currency: String, }
    /// Then the keys of what was released, then key and amount of what is left; `expires` is '0' where nothing will.
    "released" => ReleasedWords { expires: UnixMillis, sequence: u64, currency: String, count: usize, }
    /// `outcome` is the new reservation, [`REFUSED`] or [`NONE`].
    "reinstatement" => ReinstatementWords { outcome: String, sequence: u64, }
    /// Then key and reason of each seat in the way of a seat map.
    "provisioned" => ProvisionedWords { sequence: u64, }
}
