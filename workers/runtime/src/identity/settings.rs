//! What a worker is told about its callers, on the command line and in the environment.

use axum::http::Uri;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, ValueEnum};

use super::key_text::KeyText;
use super::keys::InvalidKeys;

/// How callers are known.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("jwt_keys").args(["jwt_jwks_url", "jwt_key"])))]
pub struct IdentityArgs {
    /// How a caller is known: header (x-user-id, behind a gateway that has checked it) or jwt (the sub of a bearer token).
    #[arg(long, env = "BOXOFFICE_AUTH_MODE", default_value = "header")]
    #[arg(requires_ifs = [("jwt", "jwt_issuer"), ("jwt", "jwt_audience"), ("jwt", "jwt_keys")])]
    pub auth_mode: AuthMode,
    /// The iss that a token must have.
    #[arg(long, env = "BOXOFFICE_JWT_ISSUER", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_issuer: Option<String>,
    /// The aud that a token must have, among others or alone.
    #[arg(long, env = "BOXOFFICE_JWT_AUDIENCE", value_parser = NonEmptyStringValueParser::new())]
    pub jwt_audience: Option<String>,
    /// Where the issuer publishes its keys (RS256, ES256), http or https.
    #[arg(long, env = "BOXOFFICE_JWT_JWKS_URL")]
    pub jwt_jwks_url: Option<String>,
    /// The issuer's key in place of an address: a public key as PEM (RS256, ES256), or a shared secret (HS256).
    #[arg(long, env = "BOXOFFICE_JWT_KEY", hide_env_values = true)]
    pub jwt_key: Option<KeyText>,
}

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// By the header x-user-id.
    Header,
    /// By a JSON Web Token.
    Jwt,
}

/// How callers are known, with everything that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// By the header x-user-id.
    Header,
    /// By a JSON Web Token.
    Jwt(JwtSettings),
}

/// Which tokens are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// Their `iss`.
    pub issuer: String,
    /// One of their `aud`.
    pub audience: String,
    /// What they are signed with.
    pub keys: KeySource,
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The issuer publishes them.
    Published(String),
    /// Here is the one there is.
    Given(KeyText),
}

/// Settings that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum InvalidSettings {
    #[error("{0} belongs to --auth-mode jwt: remove it, or give that mode")]
    NotInThisMode(&'static str),
    #[error("--auth-mode jwt needs {0}")]
    Missing(&'static str),
    #[error("--jwt-jwks-url {0:?} is no address: write http://host/path or https://host/path")]
    Address(String),
    #[error("--jwt-key is {0}")]
    Key(#[from] InvalidKeys),
    #[error("no certificate authorities are installed, so https addresses cannot be trusted: {0}")]
    Authorities(String),
}

impl TryFrom<IdentityArgs> for Settings {
    type Error = InvalidSettings;

    fn try_from(args: IdentityArgs) -> Result<Self, InvalidSettings> {
        let IdentityArgs { auth_mode, jwt_issuer, jwt_audience, jwt_jwks_url, jwt_key } = args;
        if auth_mode == AuthMode::Header {
            let others = [
                ("--jwt-issuer", jwt_issuer.is_some()),
                ("--jwt-audience", jwt_audience.is_some()),
                ("--jwt-jwks-url", jwt_jwks_url.is_some()),
                ("--jwt-key", jwt_key.is_some()),
            ];
            // Whoever gives one believes that tokens are checked.
            let given = others.into_iter().find(|(_, given)| *given);
            return given.map_or(Ok(Self::Header), |(name, _)| Err(InvalidSettings::NotInThisMode(name)));
        }
        let keys = match (jwt_jwks_url, jwt_key) {
            (Some(url), None) => KeySource::Published(url),
            (None, Some(key)) => KeySource::Given(key),
            _ => return Err(InvalidSettings::Missing("either --jwt-jwks-url or --jwt-key")),
        };
        Ok(Self::Jwt(JwtSettings {
            issuer: jwt_issuer.ok_or(InvalidSettings::Missing("--jwt-issuer"))?,
            audience: jwt_audience.ok_or(InvalidSettings::Missing("--jwt-audience"))?,
            keys,
        }))
    }
}

/// The address of published keys.
///
/// # Errors
/// One that is not http or https, or has no host.
pub fn address(text: &str) -> Result<Uri, InvalidSettings> {
    let address: Option<Uri> = text.parse().ok();
    let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    address.filter(is_web).ok_or_else(|| InvalidSettings::Address(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        identity: IdentityArgs,
    }

    fn read(line: &[&str]) -> Result<Settings, String> {
        let line = Line::try_parse_from([&["x"], line].concat()).map_err(|error| error.to_string())?;
        Settings::try_from(line.identity).map_err(|error| error.to_string())
    }

    #[test]
    fn the_header_is_the_default_and_tokens_need_all_they_are_checked_by() {
        Line::command().debug_assert();
        assert_eq!(read(&[]), Ok(Settings::Header));
        let complete =
            read(&["--auth-mode=jwt", "--jwt-issuer=i", "--jwt-audience=a", "--jwt-jwks-url=https://i/keys"]);
        let keys = KeySource::Published("https://i/keys".into());
        let expected = JwtSettings { issuer: "i".into(), audience: "a".into(), keys };
        assert_eq!(complete, Ok(Settings::Jwt(expected)));
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let cases: [(&[&str], &str); 5] = [
            (&["--auth-mode=jwt", "--jwt-audience=a", "--jwt-key=k"], "--jwt-issuer"),
            (&["--auth-mode=jwt", "--jwt-issuer=i", "--jwt-key=k"], "--jwt-audience"),
            (&["--auth-mode=jwt", "--jwt-issuer=i", "--jwt-audience=a"], "--jwt-key"),
            (&["--jwt-key=k"], "--jwt-key belongs to --auth-mode jwt"),
            (
                &[
                    "--auth-mode=jwt",
                    "--jwt-issuer=i",
                    "--jwt-audience=a",
                    "--jwt-key=k",
                    "--jwt-jwks-url=http://u",
                ],
                "cannot be used with",
            ),
        ];
        for (line, wrong) in cases {
            let error = read(line).unwrap_err();
            assert!(error.contains(wrong), "{line:?}: {error}");
        }
    }

    #[test]
    fn keys_are_fetched_from_web_addresses_alone() {
        assert!(address("https://login.example.com/.well-known/jwks.json").is_ok());
        for text in ["file:///etc/keys", "login.example.com/keys", "/keys", "https://", "ht tp://x", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
