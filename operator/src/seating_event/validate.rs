//! Decides whether a SeatingEvent can be provisioned now: a chart that expands, a service that lives. Pure.

use boxoffice_crds::common::condition::INVENTORY_READY;
use boxoffice_crds::seating_event::PriceCategory;
use boxoffice_crds::{SeatingEvent, SeatingEventSpec, currency};
use boxoffice_domain::{Chart, Definition};
use kube::ResourceExt;

use super::build::build;
use super::dereference::Inputs;
use crate::admin::Target;
use crate::conditions::{Finding, Stall, progress};

/// A SeatingEvent that can be provisioned.
pub struct Validated {
    /// Its name, which is its id.
    pub id: String,
    /// What to provision.
    pub definition: Definition,
    /// Where.
    pub target: Target,
    /// The chart that the status names: another one is news.
    pub known_chart: Option<String>,
    /// Why the service is not ready, where it is not: explains an admin API that does not answer.
    pub service_trouble: Option<String>,
}

/// Why it cannot.
#[derive(Debug)]
pub enum Unfit {
    /// Until somebody changes something.
    Stalled(Stall),
    /// For now.
    Waiting(Finding),
}

/// Checks the resource and what it refers to.
pub fn validate(event: &SeatingEvent, inputs: Inputs) -> Result<Validated, Unfit> {
    let (definition, _) = define(event).map_err(Unfit::Stalled)?;
    let name = &event.spec.service_ref.name;
    let waiting = |reason, message| Unfit::Waiting(Finding::unmet(INVENTORY_READY, reason, message));
    let Some(service) = inputs.service else {
        let message = format!("there is no ReservationService {name} in this namespace: create it");
        return Err(waiting("ServiceNotFound", message));
    };
    if service.metadata.deletion_timestamp.is_some() {
        return Err(waiting("ServiceDeleting", format!("ReservationService {name} is being deleted")));
    }
    let Some(target) = inputs.target else {
        return Err(waiting(
            progress::SERVICE_NOT_READY,
            format!("ReservationService {name} has no workers yet"),
        ));
    };
    let known_chart = event.status.as_ref().and_then(|status| status.chart_hash.clone());
    Ok(Validated {
        id: event.name_any(),
        definition,
        target,
        known_chart,
        service_trouble: trouble(&service),
    })
}

/// What the resource says without what it refers to: the definition with its chart. `boxoffice plan` begins here (I11).
pub fn define(event: &SeatingEvent) -> Result<(Definition, Chart), Stall> {
    if let Some((field, problem)) = unknown_currencies(&event.spec).into_iter().next() {
        return Err(Stall::new("InvalidCurrency", format!("spec.{field}: {problem}")));
    }
    let definition = build(&event.spec);
    let chart =
        Chart::expand(&definition).map_err(|error| Stall::new("InvalidChart", error.told_below("spec.")))?;
    Ok((definition, chart))
}

/// Prices in currencies that there are not: the field of each, and what is wrong with it.
pub fn unknown_currencies(spec: &SeatingEventSpec) -> Vec<(String, String)> {
    let categories = spec.price_categories.iter().enumerate();
    let problem = |(index, category): (usize, &PriceCategory)| {
        let problem = currency::problem(&category.currency)?;
        Some((format!("priceCategories[{index}].currency"), problem))
    };
    categories.filter_map(problem).collect()
}

fn trouble(service: &boxoffice_crds::ReservationService) -> Option<String> {
    use crate::conditions::{find, is_met};
    use boxoffice_crds::common::condition::READY;

    let conditions = service.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let why = || find(conditions, READY).map_or("it was not reconciled yet", |ready| ready.message.as_str());
    (!is_met(conditions, READY))
        .then(|| format!("ReservationService {} is not ready: {}", service.name_any(), why()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::{arena_night, main_service};

    fn inputs() -> Inputs {
        let target = Target { namespace: "tickets".into(), service: "main".into(), token: "t".into() };
        Inputs { service: Some(main_service()), target: Some(target) }
    }

    fn reason(event: &SeatingEvent, inputs: Inputs) -> String {
        match validate(event, inputs).map(|_| ()).unwrap_err() {
            Unfit::Stalled(stall) => stall.reason.to_owned(),
            Unfit::Waiting(finding) => finding.reason,
        }
    }

    #[test]
    fn a_sound_resource_with_a_live_service_is_fit() {
        let validated = validate(&arena_night(), inputs()).map_err(|_| ()).unwrap();
        assert_eq!(validated.id, "arena-night");
        assert!(validated.service_trouble.unwrap().contains("main"));
    }

    #[test]
    fn overlapping_ranges_stall_with_both_named() {
        let mut event = arena_night();
        event.spec.sections[0].rows[1].rows = Some("1-3".into());
        let Unfit::Stalled(stall) = validate(&event, inputs()).map(|_| ()).unwrap_err() else {
            panic!("not stalled")
        };
        assert_eq!(stall.reason, "InvalidChart");
        assert_eq!(
            stall.message,
            "spec.sections[0].rows[1]: gives seat A-1-1, which spec.sections[0].rows[0] gives too: let the ranges not overlap"
        );
    }

    #[test]
    fn a_currency_that_there_is_not_stalls_with_its_field() {
        let mut event = arena_night();
        event.spec.price_categories[0].currency = "ERO".into();
        let Unfit::Stalled(stall) = validate(&event, inputs()).map(|_| ()).unwrap_err() else {
            panic!("not stalled")
        };
        assert_eq!(stall.reason, "InvalidCurrency");
        assert!(stall.message.starts_with("spec.priceCategories[0].currency: \"ERO\""), "{}", stall.message);
    }

    #[test]
    fn waits_for_a_service_that_is_absent_or_on_its_way_out_or_in() {
        assert_eq!(reason(&arena_night(), Inputs::default()), "ServiceNotFound");
        assert_eq!(reason(&arena_night(), Inputs { target: None, ..inputs() }), progress::SERVICE_NOT_READY);
        let mut leaving = inputs();
        let service = leaving.service.as_mut().unwrap();
        service.metadata.deletion_timestamp = Some(boxoffice_crds::common::Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(reason(&arena_night(), leaving), "ServiceDeleting");
    }
}
