//! An issuer of tokens for tests: signs what it is told to, and publishes its keys on a port of its own.
//!
//! `testing/test-only-rsa.pk8` is a key that nobody trusts, because ring makes none:
//! `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER`.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what goes wrong in here is a failed test"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::key_text::KeyText;
use super::settings::{JwtSettings, KeySource};
use crate::clock;

/// The `iss` of its tokens.
pub const ISSUER: &str = "https://login.example.com/";
/// Their `aud`.
pub const AUDIENCE: &str = "tickets";
/// A shared secret.
pub const SECRET: &str = "a secret that is for tests alone and long enough";

/// A key that signs.
pub enum Signer {
    /// ES256.
    Ec(Box<EcdsaKeyPair>),
    /// RS256.
    Rsa(Box<RsaKeyPair>),
    /// HS256.
    Secret(Vec<u8>),
}

impl Signer {
    /// A new key for ES256.
    pub fn ec() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(Box::new(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()))
    }

    /// The key for RS256.
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(include_bytes!("testing/test-only-rsa.pk8")).unwrap()))
    }

    /// A shared secret for HS256.
    pub fn secret(secret: impl AsRef<[u8]>) -> Self {
        Self::Secret(secret.as_ref().to_vec())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
            Self::Secret(_) => "HS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ec(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
        }
    }

    /// A token with these claims, which names the key `kid`.
    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "typ": "JWT", "alg": self.algorithm() });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        self.signed(&header, claims)
    }

    /// A token with whatever header.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            base64_url(header.to_string().as_bytes()),
            base64_url(claims.to_string().as_bytes())
        );
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64_url(&signature))
    }

    /// A good token of `user`.
    pub fn token_of(&self, kid: Option<&str>, user: &str) -> String {
        self.token(kid, &claims(user))
    }

    /// The public half, as an entry of a JSON Web Key Set.
    pub fn jwk(&self, kid: Option<&str>) -> Value {
        let mut jwk = match self {
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64_url(x), "y": base64_url(y) })
            }
            Self::Rsa(key) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": base64_url(&n), "e": base64_url(&e) })
            }
            Self::Secret(secret) => json!({ "kty": "oct", "k": base64_url(secret) }),
        };
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    /// The public half as PEM, as openssl writes it; of a secret, the secret.
    pub fn public(&self) -> String {
        /// What says that a key of 2048 bits for RSA follows.
        const RSA: [u8; 24] = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
        ];
        /// What says that a point of P-256 follows.
        const P256: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        match self {
            Self::Ec(key) => pem("PUBLIC KEY", &[&P256[..], key.public_key().as_ref()].concat()),
            Self::Rsa(key) => pem("PUBLIC KEY", &[&RSA[..], key.public().as_ref()].concat()),
            Self::Secret(secret) => String::from_utf8(secret.clone()).unwrap(),
        }
    }
}

/// The RSA key as PEM in its older form, PKCS #1.
pub fn older_rsa_pem() -> String {
    match Signer::rsa() {
        Signer::Rsa(key) => pem("RSA PUBLIC KEY", key.public().as_ref()),
        other => other.public(),
    }
}

/// Good claims of `user`, for a minute.
pub fn claims(user: &str) -> Value {
    json!({ "sub": user, "iss": ISSUER, "aud": AUDIENCE, "exp": seconds() + 60 })
}

/// The time now, as tokens count it.
pub fn seconds() -> u64 {
    clock::now() / 1000
}

/// Trust in the tokens that `signer` signs.
pub fn trusting(signer: &Signer) -> JwtSettings {
    let keys = KeySource::Given(KeyText::from(signer.public()));
    JwtSettings { issuer: ISSUER.into(), audience: AUDIENCE.into(), keys }
}

/// What an issuer answers.
#[derive(Clone)]
enum Answer {
    Keys(String),
    Failure,
    Silence,
}

/// A server that publishes keys.
pub struct Issuer {
    addr: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: watch::Sender<u32>,
    _serving: AbortOnDropHandle<()>,
}

type Answering = (Arc<Mutex<Answer>>, watch::Sender<u32>);

impl Issuer {
    /// An issuer that publishes `keys`.
    pub async fn open(keys: &[Value]) -> Self {
        let answer = Arc::new(Mutex::new(Answer::Keys(set(keys))));
        let asked = watch::Sender::new(0);
        let routes =
            Router::new().route("/keys", get(answered)).with_state((Arc::clone(&answer), asked.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { addr, answer, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Where it publishes them.
    pub fn url(&self) -> String {
        format!("http://{}/keys", self.addr)
    }

    /// Trust in what it publishes.
    pub fn settings(&self) -> JwtSettings {
        let keys = KeySource::Published(self.url());
        JwtSettings { issuer: ISSUER.into(), audience: AUDIENCE.into(), keys }
    }

    /// From now on it publishes these.
    pub fn publish(&self, keys: &[Value]) {
        self.publish_text(set(keys));
    }

    /// From now on it answers this.
    pub fn publish_text(&self, text: String) {
        *self.answer.lock().unwrap() = Answer::Keys(text);
    }

    /// From now on it answers 500.
    pub fn fail(&self) {
        *self.answer.lock().unwrap() = Answer::Failure;
    }

    /// From now on it answers nothing.
    pub fn fall_silent(&self) {
        *self.answer.lock().unwrap() = Answer::Silence;
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        *self.asked.borrow()
    }

    /// Waits until it was asked that often.
    pub async fn was_asked(&self, times: u32) {
        drop(self.asked.subscribe().wait_for(|asked| *asked >= times).await);
    }
}

async fn answered(State((answer, asked)): State<Answering>) -> (StatusCode, String) {
    asked.send_modify(|asked| *asked += 1);
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(set) => (StatusCode::OK, set),
        Answer::Failure => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        Answer::Silence => std::future::pending().await,
    }
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut body = base64(der, *b"+/");
    while !body.len().is_multiple_of(4) {
        body.push('=');
    }
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64_url(bytes: &[u8]) -> String {
    base64(bytes, *b"-_")
}

/// Without padding; `last` are the last two of the 64 characters.
fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let encode = |chunk: &[u8]| {
        let word = chunk.iter().chain(&[0, 0]).take(3).fold(0, |word, byte| word << 8 | usize::from(*byte));
        (0..=chunk.len())
            .map(|place| char::from(alphabet[(word >> (18 - 6 * place)) & 63]))
            .collect::<String>()
    };
    bytes.chunks(3).map(encode).collect()
}
