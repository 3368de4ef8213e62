//! A script by what it is told: a [`Script`] and the words of its own type make a [`ScriptInvocation`].

use std::marker::PhantomData;

use super::invocation::{Code, ScriptInvocation};
use super::wire::Told;

/// A script that is told a `T`.
#[derive(Debug)]
pub struct Script<T> {
    code: Code,
    told: PhantomData<fn(T)>,
}

impl<T: Told> Script<T> {
    /// From its code.
    pub fn new(text: String) -> Self {
        Self { code: Code::new(text), told: PhantomData }
    }

    /// The script with what it is told, before it has its KEYS.
    pub fn tell(&self, told: &impl Told<Static = T>) -> ScriptInvocation<'_> {
        let mut run = self.code.prepare_invoke();
        told.tell(&mut run);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::History;
    use crate::store::redis::wire::{ServerHistory, told};

    told! {
        pub struct Asked {
            pub before: u32,
            pub history: ServerHistory,
            pub after: bool,
        }
    }

    #[test]
    fn the_history_is_that_of_the_server_that_is_asked() {
        let script = Script::<Asked>::new("return ARGV[2]".into());
        let mut invocation = script.tell(&Asked { before: 7, history: ServerHistory, after: true });
        invocation.key("k");
        let sent = |name| {
            let command = invocation.command(&History::named(name));
            String::from_utf8_lossy(&command.get_packed_command()).into_owned()
        };
        assert!(sent("h1").ends_with("$1\r\nk\r\n$1\r\n7\r\n$2\r\nh1\r\n$1\r\n1\r\n"), "{}", sent("h1"));
        assert!(sent("h2").contains("\r\nh2\r\n"));
    }
}
