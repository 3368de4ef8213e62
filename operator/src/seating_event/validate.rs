//! Decides whether a SeatingEvent can be provisioned now: a service that lives, a chart that expands. Pure.
//!
//! A chart is expanded once a generation, and not at all where the service has the definition: it took it then.

use boxoffice_crds::common::condition::INVENTORY_READY;
use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::faults::{Fault, faults};
use boxoffice_domain::{Chart, Definition};
use kube::ResourceExt;

use super::build::build;
use super::slim::SlimSeatingEvent;
use crate::conditions::{Finding, Stall, progress};

/// A SeatingEvent whose service is there.
#[derive(Debug, Default)]
pub struct Validated {
    /// Why the service is not ready, where it is not: explains an admin API that does not answer.
    pub service_trouble: Option<String>,
}

/// What is said of a show whose service this version cannot read.
pub fn unreadable(service: &str) -> Finding {
    let message =
        format!("this version of the operator cannot read ReservationService {service}: see its conditions");
    Finding::unmet(INVENTORY_READY, progress::SERVICE_NOT_READY, message)
}

/// Checks what the resource refers to.
pub fn validate(show: &SlimSeatingEvent, service: Option<&ReservationService>) -> Result<Validated, Finding> {
    let name = &show.spec.service_ref.name;
    let Some(service) = service else {
        let message = format!("there is no ReservationService {name} in this namespace: create it");
        return Err(Finding::unmet(INVENTORY_READY, "ServiceNotFound", message));
    };
    if service.metadata.deletion_timestamp.is_some() {
        let message = format!("ReservationService {name} is being deleted");
        return Err(Finding::unmet(INVENTORY_READY, "ServiceDeleting", message));
    }
    Ok(Validated { service_trouble: trouble(service) })
}

/// What the resource says without what it refers to: the definition with its chart. `boxoffice plan` begins here (I11).
pub fn define(event: &SeatingEvent) -> Result<(Definition, Chart), Stall> {
    let definition = build(&event.spec);
    if let Some(fault) = faults(&definition, SPEC).first() {
        return Err(Stall::new(reason(fault), fault.to_string()));
    }
    let chart =
        Chart::expand(&definition).map_err(|error| Stall::new("InvalidChart", error.told_below(SPEC)))?;
    Ok((definition, chart))
}

/// Where the definition stands in the resource.
const SPEC: &str = "spec.";

/// What a fault is called in conditions.
fn reason(fault: &Fault) -> &'static str {
    if fault.field.ends_with(".currency") { "InvalidCurrency" } else { "InvalidDefinition" }
}

fn trouble(service: &ReservationService) -> Option<String> {
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
    use crate::seating_event::fixtures::{arena_night, main_service, show};

    #[test]
    fn a_service_that_is_there_and_not_ready_says_why() {
        let validated = validate(&show(), Some(&main_service())).unwrap();
        assert!(validated.service_trouble.unwrap().contains("main"));
    }

    #[test]
    fn overlapping_ranges_stall_with_both_named() {
        let mut event = arena_night();
        event.spec.sections[0].rows[1].rows = Some("1-3".into());
        let stall = define(&event).map(drop).unwrap_err();
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
        let stall = define(&event).map(drop).unwrap_err();
        assert_eq!(stall.reason, "InvalidCurrency");
        assert!(stall.message.starts_with("spec.priceCategories[0].currency: \"ERO\""), "{}", stall.message);
    }

    #[test]
    fn what_the_api_server_let_through_stalls_before_any_worker_is_asked() {
        let mut event = arena_night();
        event.spec.blocked[0].seats.push("A-1-1".into());
        let stall = define(&event).map(drop).unwrap_err();
        assert_eq!(stall.reason, "InvalidDefinition");
        assert_eq!(
            stall.message,
            "spec.blocked[0].seats[1]: A-1-1 is blocked in spec.blocked[0].seats[0] already: block it once"
        );
    }

    #[test]
    fn waits_for_a_service_that_is_absent_or_on_its_way_out() {
        assert_eq!(validate(&show(), None).unwrap_err().reason, "ServiceNotFound");
        let mut leaving = main_service();
        leaving.metadata.deletion_timestamp = Some(boxoffice_crds::common::Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(validate(&show(), Some(&leaving)).unwrap_err().reason, "ServiceDeleting");
    }
}
