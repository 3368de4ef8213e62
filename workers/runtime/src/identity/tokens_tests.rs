//! Every token that is refused, and why. Signatures are real.

use serde_json::{Value, json};

use super::*;
use crate::identity::key_text::KeyText;
use crate::identity::testing::{AUDIENCE, ISSUER, SECRET, Signer, claims, seconds};

fn checked_with(keys: &Signer, token: &str) -> Result<UserId, Refusal> {
    let keys = KeySet::given(&KeyText::from(keys.public())).unwrap();
    let (id, algorithm) = head(token)?;
    let key = keys.find(id.as_deref(), algorithm).ok_or(Refusal::UnknownKey)?;
    Rules::new(ISSUER, AUDIENCE).user(token, key)
}

fn claiming(change: impl FnOnce(&mut Value)) -> Result<UserId, Refusal> {
    let signer = Signer::secret(SECRET);
    let mut claims = claims("alice");
    change(&mut claims);
    checked_with(&signer, &signer.token(None, &claims))
}

#[test]
fn a_good_token_of_each_algorithm_names_its_user() {
    for signer in [Signer::ec(), Signer::rsa(), Signer::secret(SECRET)] {
        assert_eq!(checked_with(&signer, &signer.token_of(Some("any"), "alice")).unwrap().as_str(), "alice");
    }
    assert_eq!(claiming(|claims| claims["aud"] = json!(["other", AUDIENCE])).unwrap().as_str(), "alice");
    assert_eq!(claiming(|claims| claims["nbf"] = json!(seconds())).unwrap().as_str(), "alice");
    assert_eq!(claiming(|claims| claims["sub"] = json!("Ålice, née B.")).unwrap().as_str(), "Ålice, née B.");
}

#[test]
fn an_issuers_clock_may_be_half_a_minute_ahead() {
    assert_eq!(claiming(|claims| claims["exp"] = json!(seconds() + 60)).unwrap().as_str(), "alice");
    assert_eq!(claiming(|claims| claims["exp"] = json!(seconds())), Err(Refusal::Expired));
    assert_eq!(claiming(|claims| claims["nbf"] = json!(seconds() + 20)).unwrap().as_str(), "alice");
    assert_eq!(claiming(|claims| claims["nbf"] = json!(seconds() + 40)), Err(Refusal::Early));
}

#[test]
fn every_claim_is_asked_for_and_looked_at() {
    for name in ["exp", "iss", "aud", "sub"] {
        let without = claiming(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(without, Err(Refusal::Claim(name.into())));
    }
    for (name, wrong) in
        [("exp", json!("4000000000")), ("aud", json!(7)), ("iss", json!({})), ("nbf", json!("0"))]
    {
        assert_eq!(
            claiming(|claims| claims[name] = wrong.clone()),
            Err(Refusal::Claim(name.into())),
            "{wrong}"
        );
    }
    assert_eq!(claiming(|claims| claims["sub"] = json!(7)), Err(Refusal::Malformed));
    assert_eq!(claiming(|claims| claims["iss"] = json!("https://evil.example.com/")), Err(Refusal::Issuer));
    assert_eq!(claiming(|claims| claims["aud"] = json!(["other"])), Err(Refusal::Audience));
    for sub in [String::new(), " alice".into(), "a\nb".into(), "a".repeat(129)] {
        assert_eq!(claiming(|claims| claims["sub"] = json!(sub)), Err(Refusal::Subject), "{sub}");
    }
}

#[test]
fn a_signature_of_another_key_does_not_match() {
    for (trusted, other) in [
        (Signer::ec(), Signer::ec()),
        (Signer::secret(SECRET), Signer::secret("another secret that is also long enough")),
    ] {
        assert_eq!(checked_with(&trusted, &other.token_of(None, "alice")), Err(Refusal::Signature));
    }
    let rsa = Signer::rsa();
    let token = rsa.token_of(None, "alice");
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = rsa.token_of(None, "mallory");
    assert_eq!(
        checked_with(&rsa, &format!("{}.{signature}", forged.rsplit_once('.').unwrap().0)),
        Err(Refusal::Signature)
    );
    assert_eq!(checked_with(&rsa, &format!("{head}.")), Err(Refusal::Signature));
}

#[test]
fn a_public_key_never_passes_for_a_shared_secret() {
    for trusted in [Signer::rsa(), Signer::ec()] {
        // Whoever knows the public key signs with its text, or with its bytes.
        let public = trusted.public();
        let forger = Signer::secret(&public);
        let unkeyed = forger.token_of(None, "mallory");
        assert_eq!(checked_with(&trusted, &unkeyed), Err(Refusal::UnknownKey));
        let pretending = json!({ "alg": if matches!(trusted, Signer::Rsa(_)) { "RS256" } else { "ES256" } });
        assert_eq!(
            checked_with(&trusted, &forger.signed(&pretending, &claims("mallory"))),
            Err(Refusal::Signature)
        );
    }
}

#[test]
fn a_key_of_another_kind_checks_nothing() {
    let signers = || [Signer::rsa(), Signer::ec(), Signer::secret(SECRET)];
    for (i, signer) in signers().iter().enumerate() {
        for (j, other) in signers().iter().enumerate().filter(|(j, _)| *j != i) {
            let keys = KeySet::given(&KeyText::from(other.public())).unwrap();
            let algorithm = ALGORITHMS[j];
            let key = keys.find(None, algorithm).unwrap();
            let outcome = Rules::new(ISSUER, AUDIENCE).user(&signer.token_of(None, "alice"), key);
            assert_eq!(outcome, Err(Refusal::Malformed), "{i} {j}");
        }
    }
}

#[test]
fn algorithms_that_are_not_checked_here_are_refused() {
    let signer = Signer::secret(SECRET);
    for algorithm in ["none", "None", "HS384", "HS512", "RS512", "PS256", "EdDSA", "", "ES256K"] {
        let token = signer.signed(&json!({ "alg": algorithm }), &claims("alice"));
        assert_eq!(checked_with(&signer, &token), Err(Refusal::Malformed), "{algorithm}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(checked_with(&signer, &unsigned), Err(Refusal::Malformed), "{algorithm}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let signer = Signer::secret(SECRET);
    let good = signer.token_of(None, "alice");
    let parts: Vec<_> = good.split('.').collect();
    for text in
        ["", ".", "..", "a.b.c", "alice", parts[0], &format!("{good}.{}", parts[2]), &format!("é{good}")]
    {
        assert_eq!(checked_with(&signer, text), Err(Refusal::Malformed), "{text}");
    }
    let asks_for_more =
        signer.signed(&json!({ "alg": "HS256", "crit": ["b64"], "b64": false }), &claims("alice"));
    assert_eq!(checked_with(&signer, &asks_for_more), Err(Refusal::Malformed));
}

#[test]
fn the_token_is_what_follows_bearer_in_the_one_authorization_header() {
    let headers = |values: &[&str]| {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect::<HeaderMap>()
    };
    assert_eq!(bearer(&headers(&[])), Ok(None));
    for value in ["Bearer a.b.c", "bearer  a.b.c"] {
        assert_eq!(bearer(&headers(&[value])), Ok(Some("a.b.c")));
    }
    for values in
        [&["Basic YTpi"][..], &["Bearer"], &["Bearer "], &["a.b.c"], &["Bearer a", "Bearer b"], &["é"]]
    {
        assert_eq!(bearer(&headers(values)), Err(Refusal::NoBearer), "{values:?}");
    }
}
