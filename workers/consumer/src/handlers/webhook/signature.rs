//! Signatures as Standard Webhooks has them: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, one for each
//! key while a Secret rotates. Pure.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::effects::{Refused, Setting};

/// What base64 keys begin with.
const PREFIX: &str = "whsec_";
/// The old key and the new one.
const MOST: usize = 2;

/// Signs what is sent.
#[derive(Clone)]
pub struct Signer(Vec<Key>);

impl fmt::Debug for Signer {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.0.len()).finish()
    }
}

impl Signer {
    /// With the keys in `text`, one a line: `whsec_` and base64, or else the bytes as they stand there.
    ///
    /// # Errors
    /// No key, more than two, or base64 that is none.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let refused =
            |problem: &str| Refused { setting: Setting::WebhookSecret, problem: problem.to_owned() };
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys = keys.map(|line| match line.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map(|bytes| Key::new(HMAC_SHA256, &bytes)),
            None => Ok(Key::new(HMAC_SHA256, line.as_bytes())),
        });
        let keys = keys.collect::<Result<Vec<_>, _>>();
        let keys =
            keys.map_err(|_| refused("a key begins with whsec_ and goes on with what is no base64"))?;
        match keys.len() {
            0 => Err(refused("the key is empty: give one, such as whsec_ and 32 random bytes in base64")),
            1..=MOST => Ok(Self(keys)),
            _ => Err(refused("more than two keys: leave the newest two, one a line")),
        }
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        let signatures = self.0.iter().map(|key| format!("v1,{}", STANDARD.encode(sign(key, &signed))));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_standards() {
        // The example of the Standard Webhooks specification.
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature =
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_keys_sign_while_a_secret_rotates() {
        let signed = |keys: &str| Signer::new(keys).unwrap().sign("id", 1, b"body");
        assert_eq!(signed("new\nold"), format!("{} {}", signed("new"), signed("old")));
        assert_eq!(
            signed("bmV3"),
            Signer::new("whsec_Ym1WMw==").unwrap().sign("id", 1, b"body"),
            "text as it stands"
        );
    }

    #[test]
    fn what_is_no_key_is_refused_and_no_key_is_printed() {
        for (keys, problem) in [("", "empty"), (" \n", "empty"), ("a\nb\nc", "two"), ("whsec_?", "base64")] {
            let told = Signer::new(keys).unwrap_err().to_string();
            assert!(told.contains(problem) && told.starts_with("webhook.secretRef"), "{told}");
        }
        assert_eq!(format!("{:?}", Signer::new("hush").unwrap()), "Signer(1)");
    }
}
