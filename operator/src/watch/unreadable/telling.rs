//! Tells of the objects that this version cannot read, by condition, Event, metric and log.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::common::condition::{READY, RECONCILING, STALLED};
use boxoffice_crds::common::{Condition, Time};
use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::{Id, Known};
use crate::api::{ApiError, timed};
use crate::conditions::{Finding, Stall, update, with_summary};
use crate::context::Context;
use crate::notices::Notice;
use crate::watch::readable::Fault;

/// The reason of the conditions and of the Event.
const UNREADABLE: &str = "Unreadable";
/// Who writes these conditions: the rest of the status is not this one's to drop.
const FIELD_MANAGER: &str = "boxoffice-operator-unreadable";
/// How soon it is tried again to tell.
const AGAIN: Duration = Duration::from_secs(5);

/// Tells of each object once, for ever.
pub async fn tell(context: Arc<Context>) {
    let unreadable = Arc::clone(&context.unreadable);
    loop {
        let all = unreadable.all();
        context.metrics.unreadable(all.keys().map(|(kind, namespace, name)| (kind, namespace, name)));
        let mut is_done = true;
        for (id, known) in all.iter().filter(|(_, known)| !known.is_told) {
            match tell_of(&context, id, known).await {
                Ok(true) => unreadable.told(id, &known.fault),
                Ok(false) => is_done = false,
                Err(error) => {
                    tracing::warn!(kind = id.0, namespace = id.1, name = id.2, %error, "unreadable object not told");
                    is_done = false;
                }
            }
        }
        if is_done {
            unreadable.news.notified().await;
        } else {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether it was told; another installation's objects are that one's to tell of.
async fn tell_of(context: &Context, (kind, namespace, name): &Id, known: &Known) -> Result<bool, ApiError> {
    if context.namespace_leases.admit(namespace).await.is_err() {
        return Ok(false);
    }
    let Some(resource) = resource(kind) else { return Ok(true) };
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let live = timed("read an unreadable object", api.get_opt(name)).await?;
    let Some(live) = live else { return Ok(true) };
    let before = conditions_of(&live.data);
    let after = conditions(&known.fault, &before, known.generation, &(context.now)());
    if !after.iter().all(|condition| before.contains(condition)) {
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, "uid": known.object.uid},
            "status": {"observedGeneration": known.generation, "conditions": after},
        });
        let (parameters, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&body));
        // The server checks the whole object: one that its own schema refuses gets an Event alone.
        if let Err(error) = timed("write the status", api.patch_status(name, &parameters, &patch)).await {
            if !error.is_invalid() {
                return Err(error);
            }
            tracing::debug!(kind, namespace, name, %error, "no condition on an unreadable object");
        }
    }
    let notice = Notice { warning: true, reason: UNREADABLE.to_owned(), note: message(&known.fault) };
    context.notices.publish(&known.object, vec![notice]).await;
    Ok(true)
}

fn resource(kind: &str) -> Option<ApiResource> {
    let kinds = [ApiResource::erase::<ReservationService>(&()), ApiResource::erase::<SeatingEvent>(&())];
    kinds.into_iter().find(|resource| resource.kind == kind)
}

fn conditions_of(object: &Value) -> Vec<Condition> {
    let all = object["status"]["conditions"].as_array();
    all.into_iter().flatten().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

/// The three summaries. Those of steps stay as they were last.
fn conditions(fault: &Fault, before: &[Condition], generation: Option<i64>, now: &Time) -> Vec<Condition> {
    let summary = with_summary(Vec::new(), Some(&Stall::new(UNREADABLE, message(fault))));
    let summary: Vec<Finding> =
        summary.into_iter().filter(|finding| [READY, RECONCILING, STALLED].contains(&finding.kind)).collect();
    update(before, summary, generation, now)
}

fn message(fault: &Fault) -> String {
    format!(
        "{fault}. Nothing is done for this object until that is put right: take the field out or give it a value that \
         this version of the operator knows, or run the version that wrote it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_say_which_field_and_what_to_do() {
        let fault = Fault { field: "spec.auth.mode".into(), problem: "unknown variant `mutual`".into() };
        let now = Time(jiff::Timestamp::UNIX_EPOCH);
        let all = conditions(&fault, &[], Some(3), &now);
        let status: Vec<_> = all.iter().map(|one| (one.type_.as_str(), one.status.as_str())).collect();
        assert_eq!(status, [(READY, "False"), (RECONCILING, "False"), (STALLED, "True")]);
        assert!(
            all[0].message.starts_with("spec.auth.mode: unknown variant `mutual`. "),
            "{}",
            all[0].message
        );
        assert_eq!(all[0].observed_generation, Some(3));
        assert_eq!(
            conditions(&fault, &all, Some(3), &Time(jiff::Timestamp::MAX)),
            all,
            "told again, nothing changes"
        );
    }
}
