//! The admin token of a service: made once, made again where it is lost, exchanged when a person writes another one, and at no
//! time shown to a pod that does not know it. Pure but for its memory; `keep` carries out.
//!
//! Pods read the token when they start, so those of one worker may know different ones. The Secret has `token`, and during an
//! exchange `previous`, which all know; pods take both. Each pod's template says by fingerprints which ones its pods take,
//! and the operator shows the newest that every pod takes. When all take the new one, `previous` goes, and with it the old
//! token from the pods.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;

use super::fingerprint::fingerprint;

/// The annotation of a pod that says which tokens it takes.
pub const MARK: &str = "boxoffice.dev/admin-token";
/// Fewest characters of a token: its fingerprint stands in the open, and must not be found by trying.
const SHORTEST: usize = 32;
/// How long the memory is good without a look: the service is paused, or fails.
const GOOD_FOR: Duration = Duration::from_mins(1);

/// What the Secret holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The one to come to.
    pub token: String,
    /// The one that pods of before know, while it is exchanged.
    pub previous: Option<String>,
}

/// What to do about the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretAction {
    /// Nothing.
    Keep,
    /// Make it: it was lost, or never was. `anew` where nobody knows the token of before.
    Make {
        /// Whether it is another one.
        anew: bool,
    },
    /// Begin an exchange: pods that start from now on take the old one too.
    Exchange,
    /// Put back what somebody took out.
    Repair,
    /// End the exchange.
    Finish,
}

/// The keys of the Secret, as they are there.
pub type Content = BTreeMap<String, ByteString>;

/// The key of the token of before.
pub const PREVIOUS: &str = "previous";
/// The key of the token.
pub const TOKEN: &str = super::names::ADMIN_TOKEN_KEY;

/// What the Secret is to hold, and what to do so that it does. `content` is what it holds, if it is there, `known` what it
/// held for this process, and `all_take_it` whether every pod takes `known`'s newest token already; `fresh` makes one.
///
/// # Errors
/// A token that must not be used, and what to do.
pub fn decide(
    content: Option<&Content>,
    known: Option<&Tokens>,
    all_take_it: bool,
    fresh: impl FnOnce() -> String,
) -> Result<(Tokens, SecretAction), String> {
    let present =
        |key: &str| content.and_then(|content| content.get(key)).filter(|value| !value.0.is_empty());
    let Some(token) = present(TOKEN) else {
        let action = match content {
            Some(_) if known.is_some() => SecretAction::Repair,
            Some(_) | None => SecretAction::Make { anew: known.is_none() },
        };
        return Ok((known.cloned().unwrap_or_else(|| Tokens { token: fresh(), previous: None }), action));
    };
    let token = usable(TOKEN, token)?;
    let previous = present(PREVIOUS).map(|value| usable(PREVIOUS, value)).transpose()?;
    let previous = previous.filter(|previous| *previous != token);
    let Some(known) = known else { return Ok((Tokens { token, previous }, SecretAction::Keep)) };
    let is_known = known.token == token;
    Ok(match (previous, is_known) {
        (Some(_), true) if all_take_it => (Tokens { token, previous: None }, SecretAction::Finish),
        (Some(previous), _) => (Tokens { token, previous: Some(previous) }, SecretAction::Keep),
        (None, true) if known.previous.is_some() && !all_take_it => (known.clone(), SecretAction::Repair),
        (None, true) => (Tokens { token, previous: None }, SecretAction::Keep),
        (None, false) => {
            let before = known.previous.as_ref().unwrap_or(&known.token);
            if *before == token {
                (Tokens { token, previous: None }, SecretAction::Keep)
            } else {
                (Tokens { token, previous: Some(before.clone()) }, SecretAction::Exchange)
            }
        }
    })
}

fn usable(key: &str, value: &ByteString) -> Result<String, String> {
    let text = std::str::from_utf8(&value.0).ok();
    let text = text.filter(|text| text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic()));
    text.map(str::to_owned).ok_or_else(|| {
        format!(
            "{key} has to be at least {SHORTEST} letters, digits and signs without spaces or line ends: write another one, \
             such as that of `openssl rand -hex 32`, or delete the Secret, which is then made again"
        )
    })
}

impl Tokens {
    /// The tokens that pods take which start now, by fingerprint; `owner` is whose they are.
    pub fn mark(&self, owner: &str) -> String {
        let all = std::iter::once(&self.token).chain(&self.previous);
        all.map(|token| mark_of(owner, token)).collect::<Vec<_>>().join(",")
    }

    /// The newest that all of `marks` take. Pods of before have no mark; they know what the Secret has held all the time.
    pub fn shown<'a>(&'a self, owner: &str, marks: &[Option<&str>]) -> Option<&'a str> {
        let mut all = std::iter::once(&self.token).chain(&self.previous);
        all.find(|token| {
            let wanted = mark_of(owner, token);
            marks.iter().flatten().all(|mark| mark.split(',').any(|one| one == wanted))
        })
        .map(String::as_str)
    }
}

fn mark_of(owner: &str, token: &str) -> String {
    fingerprint(&format!("{owner}\n{token}"))
}

/// What this process knows of the tokens of all services, by namespace and name.
#[derive(Default)]
pub struct Keyring {
    known: Mutex<HashMap<(String, String), Remembered>>,
}

/// What it knows of one.
#[derive(Clone)]
struct Remembered {
    tokens: Tokens,
    shown: Option<String>,
    looked: Instant,
}

impl Keyring {
    /// What the Secret held at the last look.
    pub fn tokens(&self, service: &(String, String)) -> Option<Tokens> {
        self.known().get(service).map(|remembered| remembered.tokens.clone())
    }

    /// The token to show to the workers, if there is one that all take; nothing where nobody has looked lately.
    pub fn shown(&self, service: &(String, String), now: Instant) -> Option<Option<String>> {
        let known = self.known();
        let remembered = known.get(service)?;
        let is_good = now.saturating_duration_since(remembered.looked) < GOOD_FOR;
        is_good.then(|| remembered.shown.clone())
    }

    /// Notes what the Secret holds, and which token is to be shown from now on.
    pub fn note(&self, service: (String, String), tokens: Tokens, shown: Option<String>, now: Instant) {
        self.known().insert(service, Remembered { tokens, shown, looked: now });
    }

    /// Forgets a service that is gone.
    pub fn forget(&self, service: &(String, String)) {
        self.known().remove(service);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
