//! What came of a service's objects where it did not come as wanted: what the API server refused, and what was changed
//! back in its own answer. Pure.

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::DRIFT_PERSISTS;

use crate::conditions::{Finding, Stall, find, is_met};
use crate::notices::Notice;

/// An object that the API server refuses, for good as long as nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// In the API server's words.
    pub why: String,
}

/// An object that is not as wanted though it was written so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persisting {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where, as JSON pointers.
    pub paths: Vec<String>,
}

/// Both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was refused.
    pub refused: Vec<Refused>,
    /// What persists.
    pub persisting: Vec<Persisting>,
}

/// Where a part of a Deployment comes from: what the API server calls it, and what the resource does.
const SOURCES: [(&str, &str); 7] = [
    ("spec.template.labels", "podTemplate.labels"),
    ("spec.template.annotations", "podTemplate.annotations"),
    ("spec.template.spec.nodeSelector", "podTemplate.nodeSelector"),
    ("spec.template.spec.tolerations", "podTemplate.tolerations"),
    ("spec.template.spec.affinity", "podTemplate.affinity"),
    ("spec.template.spec.topologySpreadConstraints", "podTemplate.topologySpreadConstraints"),
    ("spec.template.spec.containers[0].resources", "the worker's resources"),
];

impl Refused {
    /// The object, why, and what to do.
    fn message(&self) -> String {
        let Self { kind, name, why } = self;
        let source = SOURCES.iter().find(|(field, _)| why.contains(field));
        let way_out = match source {
            Some((_, field)) => format!("change {field} of this ReservationService"),
            None if why.contains("exceeded quota") => {
                "ask for less in this ReservationService, or have the namespace's quota raised".to_owned()
            }
            None => "change what it names in this ReservationService, or have it allowed".to_owned(),
        };
        format!("{kind} {name} is refused: {}: {way_out}", why.trim_end_matches('.'))
    }
}

impl Persisting {
    fn message(&self) -> String {
        let Self { kind, name, paths } = self;
        format!("{kind} {name} at {}", paths.join(", "))
    }
}

impl Outcome {
    /// What only a person can settle.
    pub fn stall(&self) -> Option<Stall> {
        let messages: Vec<_> = self.refused.iter().map(Refused::message).collect();
        (!messages.is_empty()).then(|| Stall::new("ObjectRefused", messages.join("; ")))
    }

    /// The condition of what persists, where anything does.
    pub fn finding(&self) -> Option<Finding> {
        let messages: Vec<_> = self.persisting.iter().map(Persisting::message).collect();
        let message = format!(
            "written as wanted, the API server's answer had another content: {}. Have whatever changes it, such as an \
             admission webhook, leave it alone, or take out by hand what was added there; it is tried again after an hour, \
             and when this ReservationService changes",
            messages.join("; ")
        );
        (!messages.is_empty()).then(|| Finding::met(DRIFT_PERSISTS, "ChangedBack", message))
    }
}

/// Told once when something is changed back.
pub fn notices(before: &[Condition], after: &[Condition]) -> Vec<Notice> {
    let told = find(after, DRIFT_PERSISTS).filter(|_| !is_met(before, DRIFT_PERSISTS));
    let notice = |condition: &Condition| Notice {
        warning: true,
        reason: DRIFT_PERSISTS.to_owned(),
        note: condition.message.clone(),
    };
    told.map(notice).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::update;
    use boxoffice_crds::common::Time;

    fn refused(why: &str) -> String {
        let one = Refused { kind: "Deployment".into(), name: "main-command".into(), why: why.into() };
        Outcome { refused: vec![one], ..Outcome::default() }.stall().unwrap().message
    }

    fn persisting() -> Outcome {
        let one = Persisting {
            kind: "Deployment".into(),
            name: "main-query".into(),
            paths: vec!["/spec/template/spec/containers/1".into()],
        };
        Outcome { persisting: vec![one], ..Outcome::default() }
    }

    #[test]
    fn a_refusal_names_object_field_and_fix() {
        let message = refused(
            "Deployment.apps \"main-command\" is invalid: spec.template.spec.tolerations[0].operator: Invalid value",
        );
        assert!(message.starts_with("Deployment main-command is refused: "), "{message}");
        assert!(message.ends_with("change podTemplate.tolerations of this ReservationService"), "{message}");
        let quota = refused(
            "deployments.apps \"main-command\" is forbidden: exceeded quota: few, requested: count/deployments.apps=1",
        );
        assert!(quota.ends_with("or have the namespace's quota raised"), "{quota}");
        assert!(refused("denied by the policy.").contains("denied by the policy: change what it names"));
    }

    #[test]
    fn nothing_refused_stalls_nothing() {
        assert_eq!((Outcome::default().stall(), Outcome::default().finding()), (None, None));
    }

    #[test]
    fn what_persists_is_named_with_its_place_and_told_once() {
        let finding = persisting().finding().unwrap();
        assert!(finding.message.contains("Deployment main-query at /spec/template/spec/containers/1"));
        let now = Time(jiff::Timestamp::UNIX_EPOCH);
        let conditions = update(&[], vec![finding], Some(1), &now);
        assert_eq!(notices(&[], &conditions)[0].reason, "DriftPersists");
        assert!(notices(&conditions, &conditions).is_empty() && notices(&conditions, &[]).is_empty());
    }
}
