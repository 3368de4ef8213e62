//! Reads what a SeatingEvent refers to: its ReservationService, as that is watched, and where its admin API is; and the
//! resource itself, where all of it is needed.

use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::ResourceExt;
use kube::api::Api;

use super::show::Show;
use crate::admin::Target;
use crate::api::{ApiError, beside, timed};
use crate::context::Context;

/// What the reference leads to.
#[derive(Default)]
pub struct Inputs {
    /// The service, unless it is not there.
    pub service: Option<ReservationService>,
    /// Its admin API, unless the token is not there yet.
    pub target: Option<Target>,
}

/// Follows `spec.serviceRef`.
pub async fn dereference(context: &Context, show: &Show) -> Result<Inputs, ApiError> {
    // One that is not known yet is not one that is gone.
    context.directory.ready().await;
    let (namespace, name) = show.service();
    let Some(service) = context.directory.service(&namespace, &name) else {
        return Ok(Inputs::default());
    };
    let target = target(context, &namespace, &name).await?;
    Ok(Inputs { service: Some(service.as_ref().clone()), target })
}

/// The whole resource, unless it is gone, or is another one of that name by now.
pub async fn whole(context: &Context, show: &Show) -> Result<Option<SeatingEvent>, ApiError> {
    let api: Api<SeatingEvent> = beside(&context.client, show);
    let event = timed("read the seating event", api.get_opt(&show.name_any())).await?;
    Ok(event.filter(|event| event.metadata.uid == show.metadata.uid))
}

/// The admin API of a service, unless its token is not there yet.
pub async fn target(context: &Context, namespace: &str, service: &str) -> Result<Option<Target>, ApiError> {
    let target = context.directory.target(&context.client, namespace, service).await?;
    if let Some(target) = &target {
        context.departures.note_target(target);
    }
    Ok(target)
}
