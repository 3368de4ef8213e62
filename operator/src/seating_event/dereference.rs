//! Reads what a SeatingEvent refers to: its ReservationService and the token of that service's admin API.

use std::time::Instant;

use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::api::Api;

use crate::admin::Target;
use crate::api::{ApiError, beside, timed};
use crate::context::Context;
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
pub async fn dereference(context: &Context, event: &SeatingEvent) -> Result<Inputs, ApiError> {
    let name = &event.spec.service_ref.name;
    let services: Api<ReservationService> = beside(&context.client, event);
    let Some(service) = timed("read the service", services.get_opt(name)).await? else {
        return Ok(Inputs::default());
    };
    let target = target(context, event.metadata.namespace.as_deref().unwrap_or_default(), name).await?;
    Ok(Inputs { service: Some(service), target })
}

/// The admin API of a service, unless there is no token yet that all its workers take. Where no reconcile looks after the
/// service, the Secret says which one.
pub async fn target(context: &Context, namespace: &str, service: &str) -> Result<Option<Target>, ApiError> {
    let key = (namespace.to_owned(), service.to_owned());
    let token = if let Some(shown) = context.tokens.shown(&key, Instant::now()) {
        shown
    } else {
        let name = names::admin_token(service);
        let secret = context.secrets.get(&context.client, namespace, &name, TOKEN_AGE).await?;
        secret.and_then(|secret| of_content(secret.data.as_ref()?))
    };
    let target =
        token.map(|token| Target { namespace: namespace.to_owned(), service: service.to_owned(), token });
    if let Some(target) = &target {
        context.departures.note_target(target);
    }
    Ok(target)
}
