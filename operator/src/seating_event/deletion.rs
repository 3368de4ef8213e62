//! A SeatingEvent on its way out: its sales close, its seats stay.

use kube::ResourceExt;

use super::apply::{Outcome, judge};
use super::dereference::Inputs;
use super::show::Show;
use crate::admin::Target;
use crate::context::Context;
use crate::notices::Notice;

/// Whom to tell: nobody where the service is gone or going, or never ran.
pub fn addressee(inputs: &Inputs) -> Option<&Target> {
    let alive = inputs.service.as_ref().is_some_and(|service| service.metadata.deletion_timestamp.is_none());
    inputs.target.as_ref().filter(|_| alive)
}

/// Closes the sales there. The error is what to show while that cannot be done.
pub async fn close(
    context: &Context,
    event: &Show,
    target: Option<&Target>,
) -> Result<Vec<Notice>, Box<Outcome>> {
    let Some(target) = target else { return Ok(Vec::new()) };
    match context.admin.close(target, &event.name_any()).await {
        Ok(()) => Ok(vec![Notice::normal("SalesClosed", "sales closed; the seats are kept")]),
        Err(error) => {
            let (step, stall) = judge(&error, None);
            Err(Box::new(Outcome { stall, ..Outcome::again(step) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::main_service;
    use boxoffice_crds::common::Time;

    fn inputs() -> Inputs {
        let target = Target { namespace: "tickets".into(), service: "main".into(), token: "t".into() };
        Inputs { service: Some(main_service()), target: Some(target) }
    }

    #[test]
    fn closes_and_keeps_by_default() {
        assert!(addressee(&inputs()).is_some());
    }

    #[test]
    fn leaves_a_service_alone_that_is_absent_or_going() {
        assert!(addressee(&Inputs::default()).is_none());
        let mut going = inputs();
        let service = going.service.as_mut().unwrap();
        service.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert!(addressee(&going).is_none());
    }
}
