//! What handlers with effects are told: whom to call, with what. Arguments of a worker; one process says the same in
//! its own way.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::http::client::Client;
use boxoffice_runtime::http::outbound;
use boxoffice_runtime::identity::key_text::KeyText;
use clap::Args;
use http::Uri;

use super::{Refused, Setting};
use crate::handlers::payment::gateway::{Gateway, HttpGateway};
use crate::handlers::payment::sandbox::Sandbox;
use crate::handlers::webhook::Wanted;
use crate::handlers::webhook::delivery::Receiver;
use crate::handlers::webhook::signature::Signer;

/// The payment gateway, with handler payment.
#[derive(Debug, Clone, Args)]
pub struct PaymentArgs {
    /// Where charges are posted: https, or http to this machine or a cluster-local name.
    #[arg(long, env = "BOXOFFICE_PAYMENT_URL", value_name = "URL")]
    pub payment_url: Option<String>,
    /// In place of a gateway: every charge succeeds and no money moves.
    #[arg(long, env = "BOXOFFICE_PAYMENT_SANDBOX", conflicts_with = "payment_url")]
    pub payment_sandbox: bool,
    /// Seconds after which an unpaid reservation is let go.
    #[arg(long, env = "BOXOFFICE_PAYMENT_TIMEOUT_SECONDS", default_value_t = 900, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub payment_timeout_seconds: u32,
    /// The gateway's bearer token; give it in the environment, which other users of the machine do not see.
    #[arg(long, env = "BOXOFFICE_PAYMENT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub payment_token: Option<KeyText>,
}

/// The receiver of events, with handler webhook.
#[derive(Debug, Clone, Args)]
pub struct WebhookArgs {
    /// Where events are posted: https, or http to this machine or a cluster-local name.
    #[arg(long, env = "BOXOFFICE_WEBHOOK_URL", value_name = "URL")]
    pub webhook_url: Option<String>,
    /// The key that signs each request, `whsec_` and base64 or any text; two of them, one a line, while it changes. Give
    /// it in the environment, which other users of the machine do not see.
    #[arg(long, env = "BOXOFFICE_WEBHOOK_KEY", hide_env_values = true, value_name = "KEY")]
    pub webhook_key: Option<KeyText>,
    /// The event types to pass on, with commas; left out: all.
    #[arg(long, env = "BOXOFFICE_WEBHOOK_EVENTS", value_delimiter = ',', value_name = "TYPES")]
    pub webhook_events: Vec<String>,
}

/// What the payment handler works with.
pub struct PaymentSettings {
    /// Who charges.
    pub gateway: Arc<dyn Gateway>,
    /// How long a reservation may be unpaid.
    pub timeout: Duration,
}

/// What the webhook handler works with.
pub struct WebhookSettings {
    /// Whom to tell.
    pub receiver: Receiver,
    /// Of what.
    pub wanted: Wanted,
}

impl TryFrom<PaymentArgs> for PaymentSettings {
    type Error = RefusedOption;

    fn try_from(args: PaymentArgs) -> Result<Self, RefusedOption> {
        let PaymentArgs { payment_url, payment_sandbox, payment_timeout_seconds, payment_token } = args;
        let token = payment_token.as_ref().map(KeyText::as_str);
        let timeout = Duration::from_secs(payment_timeout_seconds.into());
        Self::new(payment_url.as_deref(), payment_sandbox, token, timeout).map_err(RefusedOption)
    }
}

/// The same for whoever gives options, whose variables [`command_line`](boxoffice_runtime::command_line) names beside them.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.setting.option(), .0.problem)]
pub struct RefusedOption(Refused);

impl PaymentSettings {
    /// A gateway at `url`, or the sandbox.
    ///
    /// # Errors
    /// Neither of them or both, or an address that must not be called.
    pub fn new(
        url: Option<&str>,
        sandbox: bool,
        token: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, Refused> {
        let gateway: Arc<dyn Gateway> = match (url.filter(|url| !url.is_empty()), sandbox) {
            (Some(url), false) => Arc::new(HttpGateway::new(url, token)?),
            (None, true) => Arc::new(Sandbox),
            (None, false) | (Some(_), true) => {
                let problem =
                    "give either a gateway's address (--payment-url) or --payment-sandbox".to_owned();
                return Err(Refused { setting: Setting::Payment, problem });
            }
        };
        Ok(Self { gateway, timeout })
    }
}

impl WebhookArgs {
    /// What they say, for the ReservationService `source`.
    ///
    /// # Errors
    /// What is missing, an address that must not be called, a key that is none, an event that there is not.
    pub fn settings(self, source: String) -> Result<WebhookSettings, RefusedOption> {
        let Self { webhook_url, webhook_key, webhook_events } = self;
        let missing =
            |setting| RefusedOption(Refused { setting, problem: "it is missing: give it".to_owned() });
        let url = webhook_url.ok_or_else(|| missing(Setting::WebhookUrl))?;
        let key = webhook_key.ok_or_else(|| missing(Setting::WebhookSecret))?;
        let events = webhook_events.into_iter().filter(|name| !name.is_empty());
        WebhookSettings::new(source, &url, key.as_str(), events).map_err(RefusedOption)
    }
}

impl WebhookSettings {
    /// A receiver at `url` that checks signatures with `key`.
    ///
    /// # Errors
    /// An address that must not be called, a key that is none, an event that there is not.
    pub fn new(
        source: String,
        url: &str,
        key: &str,
        events: impl IntoIterator<Item = String>,
    ) -> Result<Self, Refused> {
        let refused = |problem: String| Refused { setting: Setting::WebhookUrl, problem };
        let url = outbound::check(url).map_err(refused)?;
        let url: Uri = url.as_str().parse().map_err(|error| refused(format!("{url}: {error}")))?;
        let client = Client::to(&url).map_err(refused)?;
        let receiver = Receiver { source, url, signer: Signer::new(key)?, client };
        Ok(Self { receiver, wanted: Wanted::new(events)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(url: Option<&str>, sandbox: bool) -> Result<(), String> {
        let settings = PaymentSettings::new(url, sandbox, None, Duration::from_secs(9));
        settings.map(drop).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_gateway_is_given_or_the_sandbox() {
        assert_eq!(payment(Some("http://localhost:1"), false), Ok(()));
        assert_eq!(payment(None, true), Ok(()));
        for both in
            [payment(None, false), payment(Some("http://localhost:1"), true), payment(Some(""), false)]
        {
            assert!(both.unwrap_err().contains("--payment-sandbox"));
        }
        assert!(payment(Some("http://example.com"), false).unwrap_err().starts_with("payment.url: "));
        let args = |url: Option<&str>, token: &str| PaymentArgs {
            payment_url: url.map(str::to_owned),
            payment_sandbox: false,
            payment_timeout_seconds: 9,
            payment_token: Some(token.to_owned().into()),
        };
        for (args, option) in [
            (args(Some("http://example.com"), "t"), "--payment-url: "),
            (args(None, "t"), "--payment-url: "),
            (args(Some("http://localhost:1"), "a\u{7f}b"), "--payment-token: "),
        ] {
            let told = PaymentSettings::try_from(args).map(drop).unwrap_err().to_string();
            assert!(told.starts_with(option), "{told}");
        }
    }

    #[test]
    fn a_receiver_needs_an_address_and_a_key() {
        let told = |url: Option<&str>, key: Option<&str>| {
            let args = WebhookArgs {
                webhook_url: url.map(str::to_owned),
                webhook_key: key.map(|key| key.to_owned().into()),
                webhook_events: vec!["payment.completed".into(), String::new()],
            };
            args.settings("tickets/main".into()).map(drop).map_err(|refused| refused.to_string())
        };
        let url = Some("http://localhost:1");
        assert_eq!(told(url, Some("k")), Ok(()));
        assert!(told(None, Some("k")).unwrap_err().contains("--webhook-url"));
        assert!(told(url, None).unwrap_err().contains("--webhook-key"));
        let empty = told(url, Some("\n")).unwrap_err();
        assert!(empty.starts_with("--webhook-key: ") && empty.contains("empty"), "{empty}");
        assert!(told(Some("http://example.com"), Some("k")).unwrap_err().starts_with("--webhook-url: "));
    }
}
