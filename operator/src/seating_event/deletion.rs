//! A SeatingEvent on its way out: its sales close, its seats stay.

use boxoffice_crds::SeatingEvent;
use kube::ResourceExt;

use super::apply::{Outcome, judge};
use super::dereference::Inputs;
use crate::admin::Target;
use crate::context::Context;
use crate::notices::Notice;

/// What is left to do at the command worker.
#[derive(Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Nothing: the service is gone or going, or never ran.
    Nothing,
    /// Close the sales, keep the seats.
    Close,
}

/// Decides what is left to do.
pub fn farewell(inputs: &Inputs) -> Farewell {
    let alive = inputs.service.as_ref().is_some_and(|service| service.metadata.deletion_timestamp.is_none());
    if alive && inputs.target.is_some() { Farewell::Close } else { Farewell::Nothing }
}

/// Does it. The error is what to show while it cannot be done.
pub async fn say(
    context: &Context,
    event: &SeatingEvent,
    farewell: Farewell,
    target: Option<&Target>,
) -> Result<Vec<Notice>, Box<Outcome>> {
    let Some(target) = target.filter(|_| farewell != Farewell::Nothing) else { return Ok(Vec::new()) };
    match context.admin.close(target, &event.name_any()).await {
        Ok(()) => Ok(vec![Notice::normal("SalesClosed", "sales closed; the seats are kept")]),
        Err(error) => {
            let (step, stall) = judge(&error, None);
            Err(Box::new(Outcome { inventory: None, step, stall, deeds: Vec::new(), retry: true }))
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
        assert_eq!(farewell(&inputs()), Farewell::Close);
    }

    #[test]
    fn leaves_a_service_alone_that_is_absent_or_going() {
        assert_eq!(farewell(&Inputs::default()), Farewell::Nothing);
        let mut going = inputs();
        let service = going.service.as_mut().unwrap();
        service.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(farewell(&going), Farewell::Nothing);
    }
}
