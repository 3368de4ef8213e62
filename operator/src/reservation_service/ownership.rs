//! Whose an object of a wanted name is: nothing is written over what is not the service's own. Pure.

use boxoffice_crds::ReservationService;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use super::names;
use crate::conditions::Stall;

/// Whether the object is the service's: it controls it, or the operator made it for a service of this name, which may have
/// been deleted without it, and nobody else controls it since. One that somebody else took control of is its own as long
/// as it names the service too.
pub fn is_ours(service: &ReservationService, object: &ObjectMeta) -> bool {
    let owners = object.owner_references.as_deref().unwrap_or_default();
    let is_service = |owner: &&OwnerReference| Some(&owner.uid) == service.metadata.uid.as_ref();
    match owners.iter().find(controls) {
        Some(controller) if is_service(&controller) => true,
        None => is_marked(service, object),
        Some(controller) => {
            is_marked(service, object)
                && (owners.iter().any(|owner| is_service(&owner)) || was_service(service, controller))
        }
    }
}

/// Whether the reference claims control.
pub fn controls(owner: &&OwnerReference) -> bool {
    owner.controller == Some(true)
}

/// Nobody but the operator writes these.
fn is_marked(service: &ReservationService, object: &ObjectMeta) -> bool {
    let has = |key: &str, value: &str| {
        object.labels.as_ref().and_then(|labels| labels.get(key)).is_some_and(|live| live == value)
    };
    let is_fingerprinted =
        object.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(names::WANTED));
    is_fingerprinted && names::labels(&service.name_any()).iter().all(|(key, value)| has(key, value))
}

/// A service of the same name that is gone; what it had goes on where it is applied again.
fn was_service(service: &ReservationService, owner: &OwnerReference) -> bool {
    owner.kind == ReservationService::kind(&()) && owner.name == service.name_any()
}

/// Why a service stops at an object that is not its own.
pub fn name_taken(service: &ReservationService, kind: &str, object: &ObjectMeta) -> Stall {
    let name = object.name.as_deref().unwrap_or_default();
    let owners = object.owner_references.as_deref().unwrap_or_default();
    let whose = owners.iter().find(controls).map_or_else(
        || "is not this service's".to_owned(),
        |owner| format!("belongs to {} {}", owner.kind, owner.name),
    );
    Stall::new(
        "NameTaken",
        format!(
            "{kind} {}/{name} is there already and {whose}; it is left as it is: give this ReservationService (or the \
             consumer whose name is in that one) another name, or delete that {kind} if nobody needs it",
            service.namespace().unwrap_or_default()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use serde_json::json;

    fn object(owners: &serde_json::Value, is_marked: bool) -> ObjectMeta {
        let labels = json!(names::labels("main"));
        let mut meta = json!({"name": "main", "ownerReferences": owners});
        if is_marked {
            meta["labels"] = labels;
            meta["annotations"] = json!({names::WANTED: "0"});
        }
        serde_json::from_value(meta).unwrap()
    }

    fn owner(kind: &str, name: &str, uid: &str, controller: bool) -> serde_json::Value {
        json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": controller})
    }

    #[test]
    fn what_the_service_controls_is_its_own_without_any_mark() {
        let own = owner("ReservationService", "main", "s1", true);
        assert!(is_ours(&main_service(), &object(&json!([own]), false)));
    }

    #[test]
    fn what_nobody_controls_is_its_own_where_the_operator_made_it_for_that_name() {
        assert!(is_ours(&main_service(), &object(&json!([]), true)));
        assert!(!is_ours(&main_service(), &object(&json!([]), false)));
        let mut other = object(&json!([]), true);
        other.labels.get_or_insert_default().insert("app.kubernetes.io/instance".into(), "other".into());
        assert!(!is_ours(&main_service(), &other));
    }

    #[test]
    fn a_service_that_is_applied_again_takes_up_what_its_predecessor_left() {
        let before = owner("ReservationService", "main", "s0", true);
        assert!(is_ours(&main_service(), &object(&json!([before]), true)));
        let other = owner("ReservationService", "other", "s0", true);
        assert!(!is_ours(&main_service(), &object(&json!([other]), true)));
    }

    #[test]
    fn control_that_somebody_claims_makes_it_his_only_where_the_service_is_not_named_any_more() {
        let claim = owner("Deployment", "else", "d1", true);
        let demoted = owner("ReservationService", "main", "s1", false);
        assert!(is_ours(&main_service(), &object(&json!([demoted, claim]), true)));
        assert!(!is_ours(&main_service(), &object(&json!([claim]), true)));
        assert!(
            !is_ours(&main_service(), &object(&json!([demoted]), false)),
            "made by somebody for the service"
        );
    }

    #[test]
    fn the_message_names_object_owner_and_ways_out() {
        let object = object(&json!([owner("Deployment", "else", "d1", true)]), false);
        let stall = name_taken(&main_service(), "ServiceAccount", &object);
        assert_eq!(stall.reason, "NameTaken");
        for part in ["ServiceAccount tickets/main", "belongs to Deployment else", "another name", "delete"] {
            assert!(stall.message.contains(part), "{part}: {}", stall.message);
        }
    }
}
