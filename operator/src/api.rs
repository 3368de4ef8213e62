//! Calls to the Kubernetes API, each with a time-out: server-side apply under one field manager, finalizers, status.
//!
//! Watches do not come through here; the client's own read time-out is for them.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, Patch, PatchParams};
use kube::core::Status;
use kube::core::object::HasStatus;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::context::{Context, key};

/// The one field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "boxoffice-operator";

/// How long one call may take, its retries included.
const CALL: Duration = Duration::from_secs(15);

/// A call to the Kubernetes API that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It took too long.
    #[error("the kubernetes API did not {0} within {s} s", s = CALL.as_secs())]
    Silent(&'static str),
    /// It was refused, or the connection failed.
    #[error("the kubernetes API refused to {action}: {source}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// The client's error.
        source: Box<kube::Error>,
    },
}

impl ApiError {
    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether somebody else wrote first, or the object exists already.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the operator has no right to it.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// Whether nothing can be made any more in a namespace that is being deleted.
    pub fn is_terminating(&self) -> bool {
        let is_forbidden = |status: &&Status| status.is_forbidden();
        let causes = self.status().filter(is_forbidden).and_then(|status| status.details.as_ref());
        causes
            .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"))
    }

    /// Whether the API server finds the object itself wrong.
    pub fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }

    /// Whether it names a field that the API server's definitions do not have.
    pub fn is_undeclared(&self) -> bool {
        self.status().is_some_and(|status| status.message.contains("field not declared in schema"))
    }

    /// Why the API server will not take this however often it is asked, in its own words: the object is wrong, or not
    /// allowed. Nothing where another try may do.
    pub fn refusal(&self) -> Option<&str> {
        let status = self.status()?;
        match status.code {
            400 | 413 | 422 => Some(&status.message),
            // A namespace that is being deleted takes its resources along.
            403 if !self.is_terminating() => Some(&status.message),
            _ => None,
        }
    }

    fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Silent(_) => None,
        }
    }
}

/// Awaits one call, no longer than the limit for all of them.
pub async fn timed<T>(
    action: &'static str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(CALL, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(ApiError::Refused { action, source: Box::new(source) }),
        Err(_) => Err(ApiError::Silent(action)),
    }
}

/// The API of a namespaced kind in the namespace of `object`.
pub fn beside<K, O>(client: &Client, object: &O) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    O: Resource,
{
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}

/// Adds the finalizer. Returns whether it was missing: then the object changes, and a reconcile follows.
pub async fn add_finalizer<K>(client: &Client, object: &K, finalizer: &str) -> Result<bool, ApiError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    if object.finalizers().iter().any(|present| present == finalizer) {
        return Ok(false);
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(finalizer.to_owned());
    set_finalizers(client, object, &finalizers).await?;
    Ok(true)
}

/// Removes the finalizer; the API server then deletes an object that is being deleted.
pub async fn remove_finalizer<K>(client: &Client, object: &K, finalizer: &str) -> Result<(), ApiError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let finalizers: Vec<_> =
        object.finalizers().iter().filter(|present| *present != finalizer).cloned().collect();
    match set_finalizers(client, object, &finalizers).await {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

/// Replaces the list, unless the object changed since it was read.
async fn set_finalizers<K>(client: &Client, object: &K, finalizers: &[String]) -> Result<(), ApiError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": object.resource_version()}});
    let api: Api<K> = beside(client, object);
    let (name, parameters, patch) = (object.name_any(), PatchParams::default(), Patch::Merge(&patch));
    timed("set finalizers", api.patch_metadata(&name, &parameters, &patch)).await?;
    Ok(())
}

/// Whether that status was written, and the object has what the API server made of it.
pub fn is_settled<K>(context: &Context, object: &K, status: &impl Serialize) -> bool
where
    K: Resource<DynamicType = ()> + HasStatus<Status: Serialize>,
{
    let status = serde_json::to_value(status).unwrap_or_default();
    let status = context.definitions.fitting(&K::kind(&()), status);
    context.last_written.is_settled(&key(object), &status, &object.status())
}

/// Applies the status as a whole: what it no longer says is removed. Returns whether that was written: not where it was
/// before, and the API server made of it what the object has now.
pub async fn apply_status<K>(context: &Context, object: &K, status: &impl Serialize) -> Result<bool, ApiError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + HasStatus<Status: Serialize>,
{
    if is_settled(context, object, status) {
        return Ok(false);
    }
    let Context { client, last_written, definitions, .. } = context;
    let status = definitions.fitting(&K::kind(&()), serde_json::to_value(status).unwrap_or_default());
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": status,
    });
    let api: Api<K> = beside(client, object);
    let (name, parameters, patch) =
        (object.name_any(), PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&body));
    let answer = timed("write the status", api.patch_status(&name, &parameters, &patch)).await;
    if answer.as_ref().is_err_and(ApiError::is_undeclared) {
        definitions.doubt();
    }
    last_written.note(&key(object), &status, &answer?.status());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, message: &str) -> ApiError {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        let source = Box::new(kube::Error::Api(Box::new(status)));
        ApiError::Refused { action: "apply an object", source }
    }

    #[test]
    fn what_no_other_try_can_settle_is_a_refusal() {
        for code in [400, 403, 422] {
            assert_eq!(refused(code, "exceeded quota: few").refusal(), Some("exceeded quota: few"), "{code}");
        }
    }

    #[test]
    fn what_another_try_may_settle_is_none() {
        for code in [404, 409, 429, 500, 503] {
            assert_eq!(refused(code, "later").refusal(), None, "{code}");
        }
        let details = json!({"causes": [{"reason": "NamespaceTerminating"}]});
        let details = serde_json::from_value(details).unwrap();
        let status =
            Status { code: 403, reason: "Forbidden".to_owned(), details: Some(details), ..Status::default() };
        let source = Box::new(kube::Error::Api(Box::new(status)));
        let ending = ApiError::Refused { action: "apply an object", source };
        assert!(ending.is_terminating() && ending.refusal().is_none());
        assert_eq!(ApiError::Silent("apply an object").refusal(), None);
    }
}
