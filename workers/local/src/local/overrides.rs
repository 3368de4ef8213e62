//! What the command line says of consumers in place of what the files say. Pure.

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use boxoffice_runtime::identity::key_text::KeyText;

use crate::args::values::{ConsumerField, ConsumerSetting};
use crate::platform::declared::names_a_secret;

/// The service with the addresses that were given.
///
/// # Errors
/// A consumer that there is not, or that calls nobody.
pub fn told(
    service: &ReservationService,
    settings: &[ConsumerSetting],
) -> Result<ReservationService, String> {
    let mut service = service.clone();
    for ConsumerSetting { consumer: name, what } in settings {
        let found = service.spec.consumers.iter_mut().find(|consumer| consumer.name == *name);
        let consumer =
            found.ok_or_else(|| format!("--consumer {name}: there is no consumer of that name"))?;
        let url = match what {
            ConsumerField::Url(url) => url.clone(),
            ConsumerField::Secret(_) if names_a_secret(consumer) => continue,
            ConsumerField::Secret(_) => {
                return Err(format!(
                    "--consumer {name}.secret: it names no Secret: only a webhook, and a payment with secretRef, has one"
                ));
            }
        };
        match (&mut consumer.payment, &mut consumer.webhook) {
            (Some(payment), _) => {
                payment.url = Some(url);
                payment.sandbox = false;
            }
            (None, Some(webhook)) => webhook.url = url,
            (None, None) => {
                return Err(format!(
                    "--consumer {name}: it calls nobody: only payment and webhook have an address"
                ));
            }
        }
    }
    Ok(service)
}

/// The secrets that were given, by consumer.
pub fn secrets(settings: &[ConsumerSetting]) -> BTreeMap<String, KeyText> {
    let secret = |setting: &ConsumerSetting| match &setting.what {
        ConsumerField::Secret(text) => Some((setting.consumer.clone(), text.clone())),
        ConsumerField::Url(_) => None,
    };
    settings.iter().filter_map(secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::values::consumer;
    use crate::resources::fixtures::{SERVICE, loaded};

    #[test]
    fn addresses_take_the_place_of_those_of_the_files() {
        let consumers = "\n  - {name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}}\n  - {name: tell, \
                         handler: webhook, database: {url: \"postgres://d\"}, webhook: {url: \"https://a\", secretRef: {name: s, key: k}}}\n";
        let service =
            loaded(&[("", &format!("{}{consumers}", SERVICE.trim_end()))]).resources.services.remove(0);
        let given = ["pay.url=http://localhost:1", "tell.url=http://localhost:2", "tell.secret=x"];
        let given: Vec<_> = given.iter().map(|text| consumer(text).unwrap()).collect();
        let told = told(&service, &given).unwrap();
        let [.., pay, tell] = told.spec.consumers.as_slice() else { panic!("no consumers") };
        let payment = pay.payment.as_ref().unwrap();
        assert_eq!((payment.url.as_deref(), payment.sandbox), (Some("http://localhost:1"), false));
        assert_eq!(tell.webhook.as_ref().unwrap().url, "http://localhost:2");
        assert_eq!(secrets(&given).into_keys().collect::<Vec<_>>(), ["tell"]);
        for (text, problem) in [
            ("nobody.url=https://a", "no consumer"),
            ("seat-view.url=https://a", "calls nobody"),
            ("pay.secret=x", "names no Secret"),
        ] {
            let error = super::told(&service, &[consumer(text).unwrap()]).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
