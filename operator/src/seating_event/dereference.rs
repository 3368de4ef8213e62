//! Reads what a SeatingEvent refers to: its ReservationService and the token of that service's admin API.

use boxoffice_crds::{ReservationService, SeatingEvent};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use crate::admin::Target;
use crate::api::{ApiError, beside, timed};
use crate::context::Context;
use crate::reservation_service::names;

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

/// The admin API of a service, unless its token is not there yet.
pub async fn target(context: &Context, namespace: &str, service: &str) -> Result<Option<Target>, ApiError> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let secret = timed("read the admin token", secrets.get_opt(&names::admin_token(service))).await?;
    let token = secret.and_then(|secret| secret.data?.remove(names::ADMIN_TOKEN_KEY));
    let token = token.and_then(|token| String::from_utf8(token.0).ok());
    let target =
        token.map(|token| Target { namespace: namespace.to_owned(), service: service.to_owned(), token });
    if let Some(target) = &target {
        context.departures.note_target(target);
    }
    Ok(target)
}
