//! The keys that signatures are checked with. Each has one algorithm, of its own kind: what a token says about itself
//! chooses among keys and never how a key is used, so that a public key cannot pass for a shared secret. Pure.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::key_text::KeyText;

/// Shortest shared secret, in bytes: HS256 asks for as many as its hash has (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;
/// Most keys of an issuer.
const MAX_KEYS: usize = 100;
/// Shortest modulus that is taken, as base64: 2048 bits.
const MIN_MODULUS: usize = 341;

/// Text that holds no key that tokens can be checked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    #[error("a private key, which only the issuer may have: give the public key of the pair")]
    Private,
    #[error("no public key as PEM: an RSA key of 2048 bits or more, or an EC key on the curve P-256")]
    Pem,
    #[error("a shared secret of less than {MIN_SECRET} bytes: HS256 needs that many")]
    Short,
    #[error("not a JSON Web Key Set")]
    NotASet,
    #[error("a set without a key for RS256 or ES256 signatures")]
    NoneUsable,
    #[error("a set of more than {MAX_KEYS} keys")]
    Many,
}

/// A key, and what it checks.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for.
    pub(super) algorithm: Algorithm,
    /// What signatures are checked with.
    pub(super) decoding: DecodingKey,
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl KeySet {
    /// The one key that `text` is: a public key as PEM, or a shared secret.
    pub(super) fn given(text: &KeyText) -> Result<Self, InvalidKeys> {
        let text = text.as_str();
        let (algorithm, decoding) = if text.trim_start().starts_with("-----BEGIN ") {
            public(text.trim())?
        } else if text.len() < MIN_SECRET {
            return Err(InvalidKeys::Short);
        } else {
            (Algorithm::HS256, DecodingKey::from_secret(text.as_bytes()))
        };
        Ok(Self(vec![Key { id: None, algorithm, decoding }]))
    }

    /// The keys of a JSON Web Key Set that check signatures. Others are left out: an issuer may publish what we cannot
    /// use.
    pub(super) fn published(json: &[u8]) -> Result<Self, InvalidKeys> {
        let Published { keys } = serde_json::from_slice(json).map_err(|_| InvalidKeys::NotASet)?;
        if keys.len() > MAX_KEYS {
            return Err(InvalidKeys::Many);
        }
        let keys: Vec<_> = keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() { Err(InvalidKeys::NoneUsable) } else { Ok(Self(keys)) }
    }

    /// The key for a token that names `id` and `algorithm`: the one of that id, else the only one that has none. A
    /// token that names no id is checked with the only key there is for its algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut of_algorithm: Vec<_> = self.0.iter().filter(|key| key.algorithm == algorithm).collect();
        if let Some(id) = id {
            if let Some(named) = of_algorithm.iter().find(|key| key.id.as_deref() == Some(id)) {
                return Some(named);
            }
            of_algorithm.retain(|key| key.id.is_none());
        }
        if let [only] = of_algorithm[..] { Some(only) } else { None }
    }
}

fn public(pem: &str) -> Result<(Algorithm, DecodingKey), InvalidKeys> {
    if pem.contains("PRIVATE KEY") {
        return Err(InvalidKeys::Private);
    }
    if let Ok(key) = DecodingKey::from_ec_pem(pem.as_bytes()) {
        // An uncompressed point of P-256.
        return match key.try_get_as_bytes() {
            Ok([4, point @ ..]) if point.len() == 64 => Ok((Algorithm::ES256, key)),
            _ => Err(InvalidKeys::Pem),
        };
    }
    let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| InvalidKeys::Pem)?;
    // The key's DER is little more than its modulus.
    match key.try_get_as_bytes() {
        Ok(der) if der.len() > 256 => Ok((Algorithm::RS256, key)),
        _ => Err(InvalidKeys::Pem),
    }
}

/// The key of one entry of a set, if it checks signatures that we know.
fn usable(entry: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(entry).ok()?;
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if key.n.len() >= MIN_MODULUS => {
            (Algorithm::RS256, KeyAlgorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let common = &jwk.common;
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature);
    let verifies =
        common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_of_algorithm = common.key_algorithm.is_none_or(|of| of == name);
    if !(is_for_signatures && verifies && is_of_algorithm) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, decoding })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
