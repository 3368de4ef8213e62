//! A script with its KEYS and ARGV, before it is known which server will run it.
//!
//! The history that a server has (I7) is among the ARGV of every script of a SeatingEvent, and filled in by
//! whoever sends it: the connection that carries a script is the one that vouches for it. Does not send anything.

use std::borrow::Cow;

use boxoffice_domain::SeatingEventId;
use redis::{Arg, Cmd, ToRedisArgs};

use super::slots::slot_of;
use crate::store::History;

/// Room for the ARGV of most scripts, and about as much for all else: how many, and their bytes.
const ROOM: (usize, usize) = (32, 1024);

/// The code of a script, and the hash under which servers know it.
#[derive(Debug)]
pub struct Code {
    text: String,
    hash: String,
}

impl Code {
    /// That of `text`.
    pub fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// An invocation that has neither KEYS nor ARGV yet.
    pub fn prepare_invoke(&self) -> ScriptInvocation<'_> {
        ScriptInvocation {
            script: self,
            keys: Cow::Owned(Cmd::new()),
            args: Cmd::with_capacity(ROOM.0, ROOM.1),
            history: None,
            about: None,
            only_on: None,
        }
    }
}

/// A script and what it is told. KEYS and ARGV are kept as the client packs them, end to end: most scripts are told some
/// thirty words.
#[derive(Debug)]
pub struct ScriptInvocation<'a> {
    script: &'a Code,
    keys: Cow<'a, Cmd>,
    args: Cmd,
    history: Option<usize>,
    about: Option<&'a SeatingEventId>,
    only_on: Option<History>,
}

impl<'a> ScriptInvocation<'a> {
    /// What `tell` would add to ARGV.
    pub fn only_words(tell: impl FnOnce(&mut ScriptInvocation<'_>)) -> Cmd {
        let nothing = Code { text: String::new(), hash: String::new() };
        let mut run = nothing.prepare_invoke();
        tell(&mut run);
        run.args
    }

    /// Has KEYS that were packed before, of a script that has none yet.
    pub fn keys(&mut self, packed: &'a Cmd) -> &mut Self {
        self.keys = Cow::Borrowed(packed);
        self
    }

    /// Adds to KEYS.
    pub fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        self.keys.to_mut().arg(key);
        self
    }

    /// Adds to ARGV.
    pub fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.args.arg(arg);
        self
    }

    /// Adds a list to ARGV: how many words it has, then these.
    pub fn list<W: ToRedisArgs>(&mut self, list: impl ExactSizeIterator<Item = W>) -> &mut Self {
        self.arg(list.len());
        for word in list {
            self.arg(word);
        }
        self
    }

    /// Adds the history of whatever server will run the script to ARGV.
    pub fn history(&mut self) -> &mut Self {
        self.history = Some(words(&self.args).count());
        self.arg("")
    }

    /// Says whose script it is.
    pub fn about(&mut self, event: &'a SeatingEventId) -> &mut Self {
        self.about = Some(event);
        self
    }

    /// Whose script it is.
    pub fn event(&self) -> Option<&SeatingEventId> {
        self.about
    }

    /// Lets it run on a server of `history` and on no other, where there is one.
    pub fn only_on_if(&mut self, history: Option<History>) -> &mut Self {
        self.only_on = history;
        self
    }

    /// Whether it may run on a server of `history`.
    pub fn may_run_on(&self, history: &History) -> bool {
        self.only_on.as_ref().is_none_or(|only| only == history)
    }

    /// Where it has to run.
    pub fn slot(&self) -> u16 {
        words(&self.keys).next().map_or(0, slot_of)
    }

    /// The command for a server of `history`, which may not know the script.
    pub fn command(&self, history: &History) -> Cmd {
        let mut command = Cmd::with_capacity(2 * ROOM.0, 2 * ROOM.1);
        command.arg("EVALSHA").arg(&self.script.hash).arg(words(&self.keys).count());
        for key in words(&self.keys) {
            command.arg(key);
        }
        for (index, arg) in words(&self.args).enumerate() {
            command.arg(if self.history == Some(index) { history.as_str().as_bytes() } else { arg });
        }
        command
    }

    /// The command that gives a server the script.
    pub fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.script.text);
        command
    }
}

/// What was packed.
pub fn words(packed: &Cmd) -> impl Iterator<Item = &[u8]> {
    packed.args_iter().filter_map(|word| match word {
        Arg::Simple(word) => Some(word),
        // A place in a scan, which no script is told.
        _ => None,
    })
}
