//! What a ReservationService declares, by the very functions that the operator uses (I11), and what of it one process
//! needs to know. Pure.

use boxoffice_command::durability::{Durability, Guarantee};
use boxoffice_crds::ReservationService;
use boxoffice_crds::durability::Durability as Declaration;
use boxoffice_crds::reservation_service::Auth;
use boxoffice_operator::conditions::Stall;
use boxoffice_operator::reservation_service::build::{DesiredState, build};
use boxoffice_operator::reservation_service::unsupported::{self, Place};
use boxoffice_operator::reservation_service::validate::{ValidatedService, validate};
use boxoffice_runtime::identity::key_text::KeyText;
use boxoffice_runtime::identity::settings::{JwtSettings, KeySource, Settings};

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
}

impl Declared {
    /// Makes it, or says what a person has to change; `jwt_key` stands for the Secret that `auth.jwt` names.
    ///
    /// # Errors
    /// What the operator would stall at, and a Secret that nothing stands for.
    pub fn of(service: &ReservationService, jwt_key: Option<&KeyText>) -> Result<Self, Stall> {
        unsupported::refuse(&service.spec, Place::Local)?;
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
        let identity = identity(&spec.auth, jwt_key)?;
        Ok(Self { service, desired, durability, rules, identity })
    }

    /// The ReservationService, as namespace/name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.service.namespace, self.service.name)
    }

    /// Topic of the seats' domain events.
    pub fn topic(&self) -> &str {
        self.desired.topics.first().map_or("", |topic| topic.name.as_str())
    }

    /// Topic of the statistics.
    pub fn stats_topic(&self) -> &str {
        self.desired.topics.get(1).map_or("", |topic| topic.name.as_str())
    }

    /// How many partitions the topic has.
    pub fn partitions(&self) -> u32 {
        self.desired.topics.first().map_or(1, |topic| topic.partitions.unsigned_abs())
    }
}

/// What the operator would tell the workers by their environment.
fn identity(auth: &Auth, jwt_key: Option<&KeyText>) -> Result<Settings, Stall> {
    let Some(jwt) = &auth.jwt else { return Ok(Settings::Header) };
    let keys = match (&jwt.jwks_url, jwt_key) {
        (Some(url), _) => KeySource::Published(url.clone()),
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
        let key = jwt_key.map(|text| KeyText::from(text.to_owned()));
        let declared = Declared::of(&loaded.resources.services[0], key.as_ref());
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
    }
}
