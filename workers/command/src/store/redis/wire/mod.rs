//! The wire between the worker and its scripts, declared once: what a script is told, what it answers and what the hash
//! `meta` has are structs here, and the names that Lua has for them come from the structs' fields.
//!
//! [`told!`] declares the ARGV of a script, [`args`] says what each script is told, [`answers`] declares the words of an
//! answer, [`meta!`] what is read of `meta`. [`prologue`] is the Lua that all of this becomes.

pub mod answers;

pub mod args;

pub mod prologue;

use boxoffice_domain::{CorrelationId, SeatingEventId, UserId};
use redis::Cmd;
use uuid::Uuid;

use super::invocation::{ScriptInvocation, words};

/// How entries of the outbox are written.
pub const ENTRY_FORMAT: u32 = 3;
/// The latest way that is read: where it is above [`ENTRY_FORMAT`], the version after this one writes entries so.
pub const ENTRY_FORMAT_READ: u32 = 3;
/// How the records of a SeatingEvent (seats, holds, reservations) are written; in its `meta`. A field of `meta` that every
/// version may leave out (`last`) is nothing of it.
pub const RECORD_FORMAT: u32 = 3;
/// How stored answers are written.
pub const ANSWER_FORMAT: u32 = 2;

/// What stands in one ARGV.
pub trait Word {
    /// Adds it to ARGV.
    fn say(&self, run: &mut ScriptInvocation<'_>);
}

macro_rules! said_as_it_is {
    ($($type:ty),+) => {$(
        impl Word for $type {
            fn say(&self, run: &mut ScriptInvocation<'_>) {
                run.arg(self);
            }
        }
    )+};
}

said_as_it_is!(str, String, u32, u64, i64, usize);

impl Word for bool {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(u8::from(*self));
    }
}

impl Word for Uuid {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(&*self.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
}

impl Word for UserId {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(self.as_str());
    }
}

impl Word for CorrelationId {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(self.as_str());
    }
}

impl Word for SeatingEventId {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(self.as_str());
    }
}

impl<T: Word + ?Sized> Word for &T {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        (**self).say(run);
    }
}

/// Nothing is the empty word.
impl<T: Word> Word for Option<T> {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        match self {
            Some(word) => word.say(run),
            None => "".say(run),
        }
    }
}

/// The history of the server that will run the script, known to the connection that carries it.
#[derive(Debug, Clone, Copy)]
pub struct ServerHistory;

impl Word for ServerHistory {
    fn say(&self, run: &mut ScriptInvocation<'_>) {
        run.history();
    }
}

/// What a script is told, in the order of its names.
pub trait Told {
    /// The same with whatever is borrowed for ever, by which scripts are known.
    type Static: Told;

    /// The names that the script has for it, in lower case.
    fn names() -> Vec<&'static str>;

    /// Adds it to ARGV.
    fn tell(&self, run: &mut ScriptInvocation<'_>);
}

impl<T: Told> Told for &T {
    type Static = T::Static;

    fn names() -> Vec<&'static str> {
        T::names()
    }

    fn tell(&self, run: &mut ScriptInvocation<'_>) {
        (**self).tell(run);
    }
}

/// Nothing at all.
impl Told for () {
    type Static = ();

    fn names() -> Vec<&'static str> {
        vec![]
    }

    fn tell(&self, _run: &mut ScriptInvocation<'_>) {}
}

/// One after the other.
impl<A: Told, B: Told> Told for (A, B) {
    type Static = (A::Static, B::Static);

    fn names() -> Vec<&'static str> {
        [A::names(), B::names()].concat()
    }

    fn tell(&self, run: &mut ScriptInvocation<'_>) {
        self.0.tell(run);
        self.1.tell(run);
    }
}

/// Words that were put together before, for they are told again and again.
#[derive(Debug)]
pub struct Packed(Cmd);

impl Packed {
    /// What `told` says.
    pub fn new(told: &impl Told) -> Self {
        Self(ScriptInvocation::only_words(|run| told.tell(run)))
    }

    /// Adds them to ARGV.
    pub fn tell(&self, run: &mut ScriptInvocation<'_>) {
        for word in words(&self.0) {
            run.arg(word);
        }
    }
}

/// Declares what a script is told: a struct whose fields are the names of its ARGV.
macro_rules! told {
    ($(#[$meta:meta])* pub struct $name:ident<$life:lifetime> { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name<$life> { $($(#[$doc])* pub $field: $type,)* }

        impl<$life> $crate::store::redis::wire::Told for $name<$life> {
            type Static = $name<'static>;
            $crate::store::redis::wire::told!(@fields $($field,)*);
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }

        impl $crate::store::redis::wire::Told for $name {
            type Static = Self;
            $crate::store::redis::wire::told!(@fields $($field,)*);
        }
    };
    (@fields $($field:ident,)*) => {
        fn names() -> Vec<&'static str> {
            vec![$(stringify!($field)),*]
        }

        fn tell(&self, run: &mut $crate::store::redis::invocation::ScriptInvocation<'_>) {
            let Self { $($field),* } = self;
            $($crate::store::redis::wire::Word::say($field, run);)*
        }
    };
}
pub(crate) use told;

/// Declares what is read of `meta`: a struct whose fields are the hash's.
macro_rules! meta {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name { $(pub(crate) $field: Option<$type>,)* }

        impl $name {
            /// The fields, in order.
            pub const FIELDS: &[&str] = &[$(stringify!($field)),*];
        }

        impl redis::FromRedisValue for $name {
            fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
                let mut values = Vec::<redis::Value>::from_redis_value(value)?.into_iter();
                $(let $field = redis::FromRedisValue::from_redis_value(values.next().unwrap_or(redis::Value::Nil))?;)*
                Ok(Self { $($field),* })
            }
        }
    )+};
}
meta! {
    /// A definition, and since when.
    DefinitionMeta { revision: String, definition: String, closed: String, }
    /// What makes an inventory; the last three of one that is archived.
    InventoryMeta {
        history: String,
        revision: String,
        closed: String,
        partition: u32,
        sequence: u64,
        total: u64,
        held: u64,
        reserved: u64,
        blocked: u64,
        time: u64,
        archived: u64,
        chart: String,
        digest: String,
    }
    /// What a sweep asks about.
    SweptMeta { revision: String, sequence: u64, published: u64, wants: String, archived: u64, }
    /// What a recovery finds.
    FoundMeta {
        revision: String,
        history: String,
        format: u32,
        sequence: u64,
        published: u64,
        time: u64,
        last: String,
        partition: u32,
        offset: u64,
        archived: u64,
    }
}
