//! Which keys are taken, and which one a token gets.

use serde_json::json;

use super::*;
use crate::identity::testing::{SECRET, Signer, older_rsa_pem};

fn given(text: &str) -> Result<KeySet, InvalidKeys> {
    KeySet::given(&KeyText::from(text.to_owned()))
}

fn published(keys: &[Value]) -> Result<KeySet, InvalidKeys> {
    KeySet::published(json!({ "keys": keys }).to_string().as_bytes())
}

fn with(mut jwk: Value, field: &str, value: Value) -> Value {
    jwk[field] = value;
    jwk
}

#[test]
fn a_given_key_is_of_the_algorithm_that_it_looks_like() {
    let cases = [
        (Signer::ec().public(), Algorithm::ES256),
        (Signer::rsa().public(), Algorithm::RS256),
        (format!("\n{}\n", older_rsa_pem()), Algorithm::RS256),
        (SECRET.to_owned(), Algorithm::HS256),
    ];
    for (text, algorithm) in cases {
        assert_eq!(given(&text).unwrap().0[0].algorithm, algorithm, "{text}");
    }
}

#[test]
fn a_key_that_cannot_check_tokens_is_refused_with_what_to_give() {
    let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    assert_eq!(given(&pem("PRIVATE KEY", "AAAA")).unwrap_err(), InvalidKeys::Private);
    assert_eq!(given(&pem("PUBLIC KEY", "AAAA")).unwrap_err(), InvalidKeys::Pem);
    assert_eq!(given("-----BEGIN PUBLIC KEY-----").unwrap_err(), InvalidKeys::Pem);
    for short in ["", "short", "31 bytes are one less than asked"] {
        let text = &short[..short.len().min(31)];
        assert_eq!(given(text).unwrap_err(), InvalidKeys::Short);
    }
}

#[test]
fn the_line_end_of_a_file_is_no_part_of_a_secret() {
    let bytes = |text: &str| given(text).unwrap().0[0].decoding.try_get_as_bytes().unwrap().to_vec();
    assert_eq!(bytes(&format!("{SECRET}\r\n")), SECRET.as_bytes());
}

#[test]
fn of_what_is_published_the_keys_that_check_signatures_are_taken() {
    let (ec, rsa) = (Signer::ec(), Signer::rsa());
    let keys = published(&[
        ec.jwk(Some("ec")),
        with(rsa.jwk(Some("rsa")), "use", json!("sig")),
        with(rsa.jwk(Some("encrypts")), "use", json!("enc")),
        with(rsa.jwk(Some("signs")), "key_ops", json!(["sign"])),
        with(rsa.jwk(Some("other")), "alg", json!("PS256")),
        with(rsa.jwk(Some("short")), "n", json!("AQAB")),
        with(ec.jwk(Some("curve")), "crv", json!("P-384")),
        Signer::secret(SECRET).jwk(Some("secret")),
        json!({ "kty": "new", "kid": "unknown" }),
        json!("no key at all"),
    ]);
    let ids: Vec<_> = keys.unwrap().0.into_iter().map(|key| key.id.unwrap()).collect();
    assert_eq!(ids, ["ec", "rsa"]);
}

#[test]
fn a_set_without_a_usable_key_changes_nothing() {
    for text in ["", "[]", "{}", r#"{"keys": {}}"#] {
        assert_eq!(KeySet::published(text.as_bytes()).unwrap_err(), InvalidKeys::NotASet, "{text}");
    }
    let secret = Signer::secret(SECRET).jwk(None);
    for keys in [&[][..], &[secret]] {
        assert_eq!(published(keys).unwrap_err(), InvalidKeys::NoneUsable);
    }
    assert_eq!(published(&vec![json!({}); MAX_KEYS + 1]).unwrap_err(), InvalidKeys::Many);
}

#[test]
fn a_token_gets_the_key_that_it_names_or_the_only_one_there_is() {
    let (one, two) = (Signer::ec(), Signer::ec());
    let found =
        |keys: &KeySet, id: Option<&str>, algorithm| keys.find(id, algorithm).map(|key| key.id.clone());
    let named = published(&[one.jwk(Some("one")), two.jwk(Some("two"))]).unwrap();
    assert_eq!(found(&named, Some("two"), Algorithm::ES256), Some(Some("two".into())));
    assert_eq!(found(&named, Some("three"), Algorithm::ES256), None);
    assert_eq!(found(&named, Some("two"), Algorithm::RS256), None);
    assert_eq!(found(&named, None, Algorithm::ES256), None, "either might be meant");

    let mixed = published(&[one.jwk(None), Signer::rsa().jwk(Some("rsa"))]).unwrap();
    assert_eq!(found(&mixed, Some("any"), Algorithm::ES256), Some(None));
    assert_eq!(found(&mixed, None, Algorithm::RS256), Some(Some("rsa".into())));
}
