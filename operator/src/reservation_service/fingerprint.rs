//! Short fingerprints of texts: equal ones mean that nothing changed. Pure.

use sha2::{Digest, Sha256};

/// 16 hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn differs_with_the_text() {
        assert_eq!(fingerprint(""), "e3b0c44298fc1c14");
        assert_ne!(fingerprint("a"), fingerprint("b"));
    }
}
