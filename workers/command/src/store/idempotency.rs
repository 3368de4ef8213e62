//! How a command that is sent again is known: by the key that its caller gave it, in the name of a user.

use std::fmt::Write;

use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Definition, SeatingEventId, UnixMillis, UserId};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// How long the answer to a command is kept under its key: as long as the hold that it is about can be remembered.
pub fn answer_memory(definition: &Definition) -> UnixMillis {
    u64::from(definition.hold.max_seconds) * 1000 + EXPIRED_HOLD_MEMORY
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

    /// The key `text` of staff who act for `user`, where they name one. It is no key of that user's own.
    pub fn of_staff(user: Option<&UserId>, text: &str) -> Self {
        Self(digest(&["\n", user.map_or("", UserId::as_str), "\n", text]))
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

    /// The key `text` of staff who act for `user`, for the request `asked`.
    pub fn of_staff(user: Option<&UserId>, text: &str, asked: &str) -> Self {
        Self { key: IdempotencyKey::of_staff(user, text), fingerprint: digest(&[asked]) }
    }
}

/// What a new hold of `event` is called: under a key always the same, so that one which is sent again is known even where
/// its answer was lost; without one a random id.
pub fn hold_id(event: &SeatingEventId, idempotency: Option<&Idempotency>) -> Uuid {
    let Some(Idempotency { key, .. }) = idempotency else { return Uuid::new_v4() };
    // No SeatingEvent's id has a line break.
    derived_id(&[event.as_str(), "\n", key.digest()])
}

/// The id that stands for these parts, which nobody else's do.
pub fn derived_id(parts: &[&str]) -> Uuid {
    Builder::from_custom_bytes(hash(parts)).into_uuid()
}

/// 32 hexadecimal digits, of which nobody finds two alike.
pub(super) fn digest(parts: &[&str]) -> String {
    hash(parts).iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    bytes
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

    #[test]
    fn what_staff_do_for_a_user_is_under_no_key_of_that_user() {
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of_staff = |user| IdempotencyKey::of_staff(user, "k-1");
        let keys = [
            of_staff(None),
            of_staff(Some(&alice)),
            of_staff(Some(&bob)),
            IdempotencyKey::new(&alice, "k-1"),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
    }

    #[test]
    fn a_hold_under_a_key_has_an_id_that_derives_from_user_event_and_key() {
        let (arena, other): (SeatingEventId, SeatingEventId) =
            ("arena".parse().unwrap(), "other".parse().unwrap());
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of = |user, key, asked| Some(Idempotency::new(user, key, asked));
        let id = hold_id(&arena, of(&alice, "k-1", "A-1-1").as_ref());
        assert_eq!(id.to_string(), "11f6b21c-d8a9-892a-8ae2-fc6a782dd52a", "it is the same in every version");
        assert_eq!(id, hold_id(&arena, of(&alice, "k-1", "A-1-2").as_ref()), "whatever is asked for");
        for different in [
            hold_id(&other, of(&alice, "k-1", "A-1-1").as_ref()),
            hold_id(&arena, of(&bob, "k-1", "A-1-1").as_ref()),
            hold_id(&arena, of(&alice, "k-2", "A-1-1").as_ref()),
        ] {
            assert_ne!(id, different);
        }
        assert_eq!((id.get_version_num(), id.get_variant()), (8, uuid::Variant::RFC4122));
        assert_ne!(hold_id(&arena, None), hold_id(&arena, None));
    }
}
