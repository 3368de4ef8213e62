//! Reads what a SeatingEvent refers to: its ReservationService, as that is watched, and where its admin API is; and the
//! resource itself, where all of it is needed.

use std::time::Instant;

use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::ResourceExt;
use kube::api::Api;

use super::slim::SlimSeatingEvent;
use crate::admin::Target;
use crate::api::{ApiError, beside, timed};
use crate::context::Context;
use crate::reservation_service::holding::{Holding, Kind, hold};
use crate::reservation_service::names;
use crate::reservation_service::token_secret::of_content;
use crate::secrets::TOKEN_AGE;

/// What the reference leads to.
#[derive(Default)]
pub struct Inputs {
    /// The service, unless it is not there.
    pub service: Option<ReservationService>,
    /// Its admin API, unless the token is not there yet.
    pub target: Option<Target>,
}

/// Follows `spec.serviceRef`.
pub async fn dereference(context: &Context, show: &SlimSeatingEvent) -> Result<Inputs, ApiError> {
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
pub async fn whole(context: &Context, show: &SlimSeatingEvent) -> Result<Option<SeatingEvent>, ApiError> {
    let api: Api<SeatingEvent> = beside(&context.client, show);
    let event = timed("read the seating event", api.get_opt(&show.name_any())).await?;
    Ok(event.filter(|event| event.metadata.uid == show.metadata.uid))
}

/// The admin API of a service, unless there is no token yet that all its workers take. Where no reconcile looks after the
/// service, the Secret says which one.
pub async fn target(context: &Context, namespace: &str, service: &str) -> Result<Option<Target>, ApiError> {
    let key = (namespace.to_owned(), service.to_owned());
    let token = if let Some(shown) = context.tokens.shown(&key, Instant::now()) {
        shown
    } else {
        let name = names::admin_token(service);
        // Whether it may be read is for its service to tell.
        match hold(context, namespace, (Kind::Secret, &name), TOKEN_AGE).await? {
            Holding::Secret(secret) => secret.data.as_ref().and_then(of_content),
            Holding::ConfigMap(_) | Holding::Absent | Holding::Forbidden => None,
        }
    };
    let target =
        token.map(|token| Target { namespace: namespace.to_owned(), service: service.to_owned(), token });
    if let Some(target) = &target {
        context.departures.note_target(target);
    }
    Ok(target)
}

/// Has the token of a service read again at the next look: it was refused.
pub fn doubt(context: &Context, (namespace, service): &(String, String)) {
    context.secrets.forget(namespace, &names::admin_token(service));
}
