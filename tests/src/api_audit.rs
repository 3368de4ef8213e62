//! What operators asked of the API server, by the API server's own audit log.
//!
//! It has what service accounts asked, and nothing else: see `tests/cluster/audit-policy.yaml`. [`Rights`] compares that with
//! what a role grants.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

/// Where the API server writes down whether a call was granted.
const DECISION: &str = "authorization.k8s.io/decision";

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose it is.
    pub user: String,
    /// get, list, watch, create, update, patch, delete.
    pub verb: String,
    /// Resource, group and subresource: `deployments.apps`, `seatingevents.boxoffice.dev/status`, `secrets`.
    pub resource: String,
    /// Empty where it concerns all namespaces.
    pub namespace: String,
    /// Empty where it concerns more than one object.
    pub name: String,
    /// The HTTP status.
    pub code: u16,
    /// Whether nobody granted it. A quota and a namespace that goes refuse with the same status.
    pub is_forbidden: bool,
    /// Of a write: whether it left the object as it was.
    pub is_idle: bool,
}

impl Call {
    /// Whether it may change something, also where it did not.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it belongs to the election of a leader, which goes on for ever.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases.coordination.k8s.io"
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

/// The calls of one user from the moment at which it was made, or of all users from the log's beginning.
pub struct ApiAudit {
    user: Option<String>,
    read: Mutex<Reading>,
}

struct Reading {
    file: PathBuf,
    offset: u64,
    calls: Vec<Call>,
    history: History,
}

/// What tells a write without effect: the API server answers with the version that the object had before.
#[derive(Default)]
struct History {
    /// The version of each object after its last write.
    versions: HashMap<String, u64>,
    /// When a version was reached, by the time of the answer: one that is asked for later and is older changed nothing.
    reached: BTreeMap<String, u64>,
}

impl ApiAudit {
    /// Of this user, from now on.
    pub fn of(user: String, file: PathBuf) -> Self {
        let offset = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        Self::from(Some(user), file, offset)
    }

    /// Of everybody, from the beginning.
    pub fn whole(file: PathBuf) -> Self {
        Self::from(None, file, 0)
    }

    fn from(user: Option<String>, file: PathBuf, offset: u64) -> Self {
        let (calls, history) = (Vec::new(), History::default());
        Self { user, read: Mutex::new(Reading { file, offset, calls, history }) }
    }

    /// Now.
    ///
    /// # Panics
    /// Where the log is gone, as all others do.
    pub fn mark(&self) -> Mark {
        Mark(self.with(<[Call]>::len))
    }

    /// Every call since.
    ///
    /// # Panics
    /// Where the log is gone.
    pub fn since(&self, mark: Mark) -> Vec<Call> {
        self.with(|calls| calls.get(mark.0..).unwrap_or_default().to_vec())
    }

    /// Every call so far.
    ///
    /// # Panics
    /// Where the log is gone.
    pub fn all(&self) -> Vec<Call> {
        self.since(Mark(0))
    }

    /// Writes since, those without effect among them; the Lease's are left out.
    ///
    /// # Panics
    /// Where the log is gone.
    pub fn writes(&self, mark: Mark) -> Vec<Call> {
        self.since(mark).into_iter().filter(|call| call.is_write() && !call.is_lease()).collect()
    }

    /// How often each verb and resource was called since; the Lease's are left out.
    ///
    /// # Panics
    /// Where the log is gone.
    pub fn tally(&self, mark: Mark) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for call in self.since(mark).into_iter().filter(|call| !call.is_lease()) {
            let idle = if call.is_idle { " (without effect)" } else { "" };
            *tally.entry(format!("{} {}{idle}", call.verb, call.resource)).or_insert(0) += 1;
        }
        tally
    }

    fn with<T>(&self, look: impl FnOnce(&[Call]) -> T) -> T {
        let mut reading = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = reading.go_on(self.user.as_deref()) {
            panic!("{} cannot be read: {error}", reading.file.display());
        }
        look(&reading.calls)
    }
}

impl Reading {
    /// Takes in the complete lines that were added.
    fn go_on(&mut self, user: Option<&str>) -> std::io::Result<()> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut added = Vec::new();
        file.read_to_end(&mut added)?;
        let complete = added.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        added.truncate(complete);
        self.offset += added.len() as u64;
        for line in String::from_utf8_lossy(&added).lines() {
            // What is added may begin in the middle of a line, and be others'.
            if user.is_none_or(|user| line.contains(user))
                && let Ok(entry) = serde_json::from_str::<Entry>(line)
                && user.is_none_or(|user| entry.user.username == user)
                && entry.counts()
            {
                let is_idle = self.history.note(&entry);
                self.calls.push(entry.call(is_idle));
            }
        }
        Ok(())
    }
}
impl History {
    fn note(&mut self, entry: &Entry) -> bool {
        let metadata = entry.response_object.as_ref().and_then(|object| object.metadata.as_ref());
        let version = metadata.and_then(|metadata| metadata.resource_version.as_ref()?.parse().ok());
        let Some(version) = version else { return false };
        let object = entry.object_ref.as_ref().map(ObjectReference::kind).unwrap_or_default();
        let object = format!("{object} {}/{}", entry.namespace(), entry.name());
        let before = self.reached.range(..entry.request_received_timestamp.clone()).next_back();
        let is_idle = self.versions.insert(object, version) == Some(version)
            || before.is_some_and(|(_, reached)| *reached > version);
        let highest = self.reached.values().next_back().copied().unwrap_or_default().max(version);
        self.reached.insert(entry.stage_timestamp.clone(), highest);
        is_idle
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    stage: String,
    verb: String,
    user: User,
    object_ref: Option<ObjectReference>,
    response_status: Option<Status>,
    response_object: Option<Object>,
    #[serde(default)]
    annotations: HashMap<String, String>,
    request_received_timestamp: String,
    stage_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectReference {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    api_group: String,
    #[serde(default)]
    subresource: String,
}

#[derive(Deserialize)]
struct Status {
    code: Option<u16>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    resource_version: Option<String>,
}

impl Entry {
    /// Once a call: a watch is told when it begins, all others when they are over.
    fn counts(&self) -> bool {
        if self.verb == "watch" { self.stage == "ResponseStarted" } else { self.stage != "ResponseStarted" }
    }

    fn namespace(&self) -> String {
        self.object_ref.as_ref().map(|object| object.namespace.clone()).unwrap_or_default()
    }

    /// Of an object that was just made the answer alone tells it.
    fn name(&self) -> String {
        let asked = self.object_ref.as_ref().map(|object| object.name.clone());
        let told = || self.response_object.as_ref()?.metadata.as_ref()?.name.clone();
        asked.filter(|name| !name.is_empty()).or_else(told).unwrap_or_default()
    }

    fn call(&self, is_idle: bool) -> Call {
        let object = self.object_ref.as_ref();
        Call {
            user: self.user.username.clone(),
            verb: self.verb.clone(),
            resource: object.map(ObjectReference::kind).unwrap_or_default(),
            namespace: self.namespace(),
            name: self.name(),
            code: self.response_status.as_ref().and_then(|status| status.code).unwrap_or_default(),
            is_forbidden: self.annotations.get(DECISION).is_some_and(|decision| decision == "forbid"),
            is_idle,
        }
    }
}

impl ObjectReference {
    fn kind(&self) -> String {
        full_name(&self.resource, &self.api_group, &self.subresource)
    }
}

/// Verbs by resource, as roles grant them: `("patch", "seatingevents.boxoffice.dev/status")`.
pub type Rights = BTreeSet<(String, String)>;

/// What the rules of a role grant. What only lets an owner be named is left out: nobody calls it.
pub fn granted(role: &Value) -> Rights {
    let mut rights = Rights::new();
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let words = rule[field].as_array().into_iter().flatten();
        words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources").iter().filter(|it| !it.ends_with("/finalizers")) {
                let (kind, part) = resource.split_once('/').unwrap_or((resource, ""));
                let resource = full_name(kind, &group, part);
                rights.extend(words(rule, "verbs").into_iter().map(|verb| (verb, resource.clone())));
            }
        }
    }
    rights
}

/// What calls needed: a patch that made its object needed to create it too.
pub fn needed(calls: &[Call]) -> Rights {
    let mut rights = Rights::new();
    for call in calls {
        rights.insert((call.verb.clone(), call.resource.clone()));
        if call.verb == "patch" && call.code == 201 {
            rights.insert(("create".to_owned(), call.resource.clone()));
        }
    }
    rights
}

fn full_name(kind: &str, group: &str, part: &str) -> String {
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let part = if part.is_empty() { String::new() } else { format!("/{part}") };
    format!("{kind}{group}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, version: u64, received: &str, answered: &str) -> Entry {
        serde_json::from_value(serde_json::json!({
            "stage": "ResponseComplete", "verb": "patch", "user": {"username": "operator"},
            "objectRef": {"resource": "services", "namespace": "a", "name": object},
            "responseStatus": {"code": 200},
            "responseObject": {"metadata": {"resourceVersion": version.to_string()}},
            "requestReceivedTimestamp": received, "stageTimestamp": answered
        }))
        .unwrap()
    }

    #[test]
    fn a_write_is_idle_that_leaves_the_version() {
        let mut history = History::default();
        assert!(!history.note(&entry("a", 10, "t01", "t02")), "made");
        assert!(history.note(&entry("a", 10, "t03", "t04")), "the same again");
        assert!(!history.note(&entry("b", 12, "t05", "t07")), "changed");
        assert!(!history.note(&entry("c", 11, "t05", "t08")), "changed at the same time");
        assert!(history.note(&entry("d", 9, "t09", "t10")), "as it was before all of these");
    }

    #[test]
    fn a_call_is_named_by_what_it_concerns() {
        let object = ObjectReference {
            resource: "seatingevents".into(),
            namespace: "a".into(),
            name: "b".into(),
            api_group: "boxoffice.dev".into(),
            subresource: "status".into(),
        };
        assert_eq!(object.kind(), "seatingevents.boxoffice.dev/status");
    }

    #[test]
    fn what_is_granted_is_compared_with_what_was_needed() {
        let role = serde_json::json!({"rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create"]},
            {"apiGroups": ["boxoffice.dev"], "resources": ["seatingevents/status"], "verbs": ["patch"]},
            {"apiGroups": ["boxoffice.dev"], "resources": ["seatingevents/finalizers"], "verbs": ["update"]}
        ]});
        let call = |verb: &str, resource: &str, code| Call {
            user: "operator".into(),
            verb: verb.into(),
            resource: resource.into(),
            namespace: "a".into(),
            name: "b".into(),
            code,
            is_forbidden: false,
            is_idle: false,
        };
        let calls = [call("get", "secrets", 404), call("patch", "seatingevents.boxoffice.dev/status", 200)];
        let unused: Vec<_> = granted(&role).difference(&needed(&calls)).cloned().collect();
        assert_eq!(unused, [("create".to_owned(), "secrets".to_owned())]);
        assert!(needed(&[call("patch", "services", 201)]).contains(&("create".into(), "services".into())));
    }
}
