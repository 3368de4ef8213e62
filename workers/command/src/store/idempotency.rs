//! How a command that is sent again is known: by the key that its caller gave it, in the name of a user.

use std::fmt::Write;
use std::time::Duration;

use boxoffice_domain::UserId;
use sha2::{Digest, Sha256};

/// How long the answer to a command is kept under its key: as long as a hold of the SeatingEvent can last, and an hour.
pub fn answer_memory(max_seconds: u32) -> Duration {
    Duration::from_secs(u64::from(max_seconds)) + Duration::from_hours(1)
}

/// A key within a SeatingEvent. Of the caller's text only a digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key `text` of `user`, who shares none with others.
    pub fn new(user: &UserId, text: &str) -> Self {
        // No user id has a line break.
        Self(digest(&[user.as_str(), "\n", text]))
    }

    /// Its digest, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.0
    }
}

/// What the caller of a command sent to be protected from doing it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// A digest of what is asked for: a key stands for one request.
    pub fingerprint: String,
}

impl Idempotency {
    /// The key `text` of `user` for the request `asked`, in a form that is the same whenever the same is asked.
    pub fn new(user: &UserId, text: &str, asked: &str) -> Self {
        Self { key: IdempotencyKey::new(user, text), fingerprint: digest(&[asked]) }
    }
}

/// 32 hexadecimal digits, of which nobody finds two alike.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_users_own_and_fingerprints_are_of_the_request() {
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of = |user, asked| Idempotency::new(user, "k-1", asked);
        assert_eq!(of(&alice, "hold A-1-1"), of(&alice, "hold A-1-1"));
        assert_ne!(of(&alice, "hold A-1-1").key, of(&bob, "hold A-1-1").key);
        assert_ne!(of(&alice, "hold A-1-1").fingerprint, of(&alice, "hold A-1-2").fingerprint);
        assert_eq!(of(&alice, "x").key.digest().len(), 32);
    }
}
