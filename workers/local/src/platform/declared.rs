//! What a ReservationService declares, by the very functions that the operator uses (I11), and what of it one process
//! needs to know. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_command::durability::{Durability, Guarantee};
use boxoffice_consumer::effects::settings::{PaymentSettings, WebhookSettings};
use boxoffice_consumer::effects::{Refused, Setting};
use boxoffice_crds::consumers::Consumer;
use boxoffice_crds::durability::Durability as Declaration;
use boxoffice_crds::reservation_service::Auth;
use boxoffice_crds::{ReservationService, ReservationServiceSpec};
use boxoffice_operator::conditions::Stall;
use boxoffice_operator::reservation_service::build::{DesiredState, build};
use boxoffice_operator::reservation_service::unsupported::{self, Environment};
use boxoffice_operator::reservation_service::validate::{
    PAYMENTS, SEATS, STATS, ValidatedConsumer, ValidatedService, validate,
};
use boxoffice_runtime::identity::key_text::KeyText;
use boxoffice_runtime::identity::settings::{JwtSettings, KeySource, Settings};
use uuid::Uuid;

use crate::embedded::seats::Rules;

/// A ReservationService as one process runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The resource, checked.
    pub service: ValidatedService,
    /// What the operator would create; its topics and groups are created here too.
    pub desired: DesiredState,
    /// What acknowledged commands wait for.
    pub durability: Durability,
    /// What the seat store keeps to.
    pub rules: Rules,
    /// How users are known.
    pub identity: Settings,
    /// What the Secrets hold that consumers name, by consumer.
    pub secrets: BTreeMap<String, ConsumerSecret>,
}

/// What stands for the Secrets of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Of `auth.jwt`.
    pub jwt_key: Option<KeyText>,
    /// Of consumers, by name.
    pub consumers: BTreeMap<String, KeyText>,
}

/// What a consumer's Secret holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSecret {
    /// The token or the key.
    pub text: KeyText,
    /// Whether it was made here: then whoever checks it has yet to be told.
    pub made: bool,
}

impl Declared {
    /// Makes it, or says what a person has to change.
    ///
    /// # Errors
    /// What the operator would stall at, and a Secret that nothing stands for.
    pub fn of(service: &ReservationService, given: Secrets) -> Result<Self, Stall> {
        unsupported::refuse(&service.spec, Environment::Local)?;
        let nobody: &[std::sync::Arc<ReservationService>] = &[];
        // The image of pods that are not made here.
        let service = validate(service, nobody, "boxoffice/workers")?;
        let desired = build(&service).map_err(|error| Stall::new("InvalidSpec", error.to_string()))?;
        let spec = &service.spec;
        let (hold, reserve) = (spec.durability.hold, spec.durability.reserve);
        let durability = Durability { hold: guarantee(hold), reserve: guarantee(reserve) };
        let rules = Rules {
            high_watermark: spec.outbox.high_watermark.into(),
            sync_holds: sync(hold),
            sync_reservations: sync(reserve),
        };
        let identity = identity(&spec.auth, given.jwt_key.as_ref())?;
        let secrets = secrets(spec, given.consumers);
        Ok(Self { service, desired, durability, rules, identity, secrets })
    }

    /// The ReservationService, as namespace/name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.service.namespace, self.service.name)
    }

    /// Topic of the seats' domain events.
    pub fn topic(&self) -> &str {
        self.topic_at(SEATS)
    }

    /// Topic of the statistics.
    pub fn stats_topic(&self) -> &str {
        self.topic_at(STATS)
    }

    /// Topic of the payments.
    pub fn payment_topic(&self) -> &str {
        self.topic_at(PAYMENTS)
    }

    /// Whom a payment consumer asks.
    ///
    /// # Errors
    /// An address that must not be called, or a token that no header can carry.
    pub fn payment(&self, consumer: &ValidatedConsumer) -> Result<PaymentSettings, Refused> {
        let problem = || Refused { setting: Setting::Payment, problem: "the section is missing".to_owned() };
        let payment = consumer.declared.payment.as_ref().ok_or_else(problem)?;
        let timeout = Duration::from_secs(payment.timeout_seconds.into());
        let token = payment.secret_ref.as_ref().and_then(|_| self.secret(consumer));
        PaymentSettings::new(payment.url.as_deref(), payment.sandbox, token, timeout)
    }

    /// Whom a webhook consumer tells.
    ///
    /// # Errors
    /// An address that must not be called, a key that is none, or an event that there is not.
    pub fn webhook(&self, consumer: &ValidatedConsumer) -> Result<WebhookSettings, Refused> {
        let problem = || Refused { setting: Setting::Webhook, problem: "the section is missing".to_owned() };
        let webhook = consumer.declared.webhook.as_ref().ok_or_else(problem)?;
        let key = self.secret(consumer).unwrap_or_default();
        WebhookSettings::new(self.name(), &webhook.url, key, webhook.events.iter().cloned())
    }

    fn secret(&self, consumer: &ValidatedConsumer) -> Option<&str> {
        self.secrets.get(&consumer.declared.name).map(|secret| secret.text.as_str())
    }

    fn topic_at(&self, index: usize) -> &str {
        self.desired.topics.get(index).map_or("", |topic| topic.name.as_str())
    }

    /// How many partitions the topic has.
    pub fn partitions(&self) -> u32 {
        self.desired.topics.first().map_or(1, |topic| topic.partitions.unsigned_abs())
    }
}

/// A secret for each consumer that names one: the one that is given, or one that is made.
fn secrets(
    spec: &ReservationServiceSpec,
    mut given: BTreeMap<String, KeyText>,
) -> BTreeMap<String, ConsumerSecret> {
    let secret = |consumer: &Consumer| match given.remove(&consumer.name) {
        Some(text) => (consumer.name.clone(), ConsumerSecret { text, made: false }),
        None => (consumer.name.clone(), ConsumerSecret { text: random(), made: true }),
    };
    spec.consumers.iter().filter(|consumer| names_a_secret(consumer)).map(secret).collect()
}

/// Whether a consumer proves itself to whom it calls.
pub fn names_a_secret(consumer: &Consumer) -> bool {
    let payment = consumer.payment.as_ref().is_some_and(|payment| payment.secret_ref.is_some());
    payment || consumer.webhook.is_some()
}

/// What nobody guesses: any text will do as a key or a token.
fn random() -> KeyText {
    let [one, other] = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::simple);
    format!("{one}{other}").into()
}

/// What the operator would tell the workers by their environment.
fn identity(auth: &Auth, jwt_key: Option<&KeyText>) -> Result<Settings, Stall> {
    let idle = |why: &str| Stall::new("UnusedKey", format!("--jwt-key: {why}: leave it out"));
    let Some(jwt) = &auth.jwt else {
        return match jwt_key {
            None => Ok(Settings::Header),
            Some(_) => Err(idle("users are known by the header x-user-id, for auth.mode is not jwt")),
        };
    };
    let keys = match (&jwt.jwks_url, jwt_key) {
        (Some(url), None) => KeySource::Published(url.clone()),
        (Some(_), Some(_)) => return Err(idle("auth.jwt.jwksUrl says where the keys are")),
        (None, Some(key)) => KeySource::Given(key.clone()),
        (None, None) => {
            let message = "auth.jwt.secretRef: there are no Secrets here: give the key that it holds with --jwt-key FILE";
            return Err(Stall::new("NoSecret", message));
        }
    };
    Ok(Settings::Jwt(JwtSettings { issuer: jwt.issuer.clone(), audience: jwt.audience.clone(), keys }))
}

/// What the answer waits for besides the store: the log.
fn guarantee(declared: Declaration) -> Guarantee {
    if declared == Declaration::Log { Guarantee::Log } else { Guarantee::Redis }
}

/// Whether it has to survive more than the end of the process: one disk stands for whatever else was asked for.
fn sync(declared: Declaration) -> bool {
    declared != Declaration::Redis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::fixtures::{SERVICE, loaded, with};

    fn declared(auth: &str, jwt_key: Option<&str>) -> Result<Settings, String> {
        let service = with(SERVICE, "{allowFrom: [{namespaceSelector: {}}]}", auth);
        let loaded = loaded(&[("", &service)]);
        let jwt_key = jwt_key.map(|text| KeyText::from(text.to_owned()));
        let given = Secrets { jwt_key, ..Secrets::default() };
        let declared = Declared::of(&loaded.resources.services[0], given);
        declared.map(|declared| declared.identity).map_err(|stall| stall.message)
    }

    #[test]
    fn users_are_known_as_the_operator_would_have_it() {
        let header = "{allowFrom: [{namespaceSelector: {}}]}";
        assert_eq!(declared(header, None), Ok(Settings::Header));
        let jwt = |keys| Ok(Settings::Jwt(JwtSettings { issuer: "i".into(), audience: "a".into(), keys }));
        let published = "{mode: jwt, jwt: {issuer: i, audience: a, jwksUrl: \"http://i/keys\"}}";
        assert_eq!(declared(published, None), jwt(KeySource::Published("http://i/keys".into())));
        let secret = "{mode: jwt, jwt: {issuer: i, audience: a, secretRef: {name: s, key: k}}}";
        assert_eq!(declared(secret, Some("text")), jwt(KeySource::Given(KeyText::from("text".to_owned()))));
        assert!(declared(secret, None).unwrap_err().contains("--jwt-key FILE"));
        for idle in [header, published] {
            let told = declared(idle, Some("text")).unwrap_err();
            assert!(told.starts_with("--jwt-key: ") && told.ends_with(": leave it out"), "{told}");
        }
    }
}
