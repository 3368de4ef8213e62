//! Sorts documents: resources that are sound, findings about those that are not, and notes on what is none of ours.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use boxoffice_crds::ReservationService;
use boxoffice_runtime::reading::{self, words::nearest};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::admission::Admission;
use super::document::{Document, parse};
use super::source::{ReadError, Text};
use super::{Finding, Id, Loaded, Resources, id};

/// So many documents are checked at once: fewer are not worth a thread.
const FEW: usize = 16;

/// What was collected so far.
pub(super) struct Collector<'a> {
    namespace: &'a str,
    kinds: &'static [(String, Admission); 2],
    /// Where each name was declared first.
    declared: BTreeMap<Id, Finding>,
    loaded: Loaded,
}

impl<'a> Collector<'a> {
    /// Nothing yet; `namespace` is that of resources which name none.
    pub(super) fn new(namespace: &'a str) -> Result<Self, ReadError> {
        Ok(Self {
            namespace,
            kinds: Admission::of_both_kinds()?,
            declared: BTreeMap::new(),
            loaded: Loaded::default(),
        })
    }

    /// Takes the documents of one file.
    pub(super) fn take(&mut self, text: &Text) {
        match parse(text) {
            Err(finding) => self.loaded.findings.push(finding),
            Ok(documents) => {
                if documents.is_empty() {
                    self.loaded.skipped.push(format!("{}: there is no resource in it", text.file));
                }
                for (document, findings) in self.checked(documents) {
                    self.document(document, findings);
                }
            }
        }
    }

    /// Documents, each with what its kind refuses of it. Of many each processor checks some: a file may declare a thousand shows.
    fn checked(&self, documents: Vec<Document>) -> Vec<(Document, Vec<Finding>)> {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = documents.len().div_ceil(processors).max(FEW);
        let mut documents = documents.into_iter();
        let shares = iter::from_fn(|| Some(documents.by_ref().take(share).collect::<Vec<_>>()));
        let shares: Vec<_> = shares.take_while(|share| !share.is_empty()).collect();
        let check = |share: Vec<Document>| share.into_iter().map(|it| self.check(it)).collect::<Vec<_>>();
        thread::scope(|scope| {
            let checking: Vec<_> =
                shares.into_iter().map(|share| scope.spawn(move || check(share))).collect();
            let checked =
                |it: ScopedJoinHandle<'_, _>| it.join().unwrap_or_else(|panic| resume_unwind(panic));
            checking.into_iter().flat_map(checked).collect()
        })
    }

    /// A document as the server would keep it, with what its kind refuses of it; one of another kind stays as it is.
    fn check(&self, mut document: Document) -> (Document, Vec<Finding>) {
        let Some((_, admission)) = self.kind(&document) else { return (document, vec![]) };
        if let Some(Value::Object(metadata)) = document.value.get_mut("metadata") {
            let namespace = metadata.entry("namespace").or_insert(Value::Null);
            if namespace.is_null() {
                *namespace = json!(self.namespace);
            }
        }
        let findings = admission.admit(&mut document);
        (document, findings)
    }

    /// Which of the two kinds a document is of.
    fn kind(&self, document: &Document) -> Option<&'static (String, Admission)> {
        let is_ours = document.text("/apiVersion") == Some(&api_version());
        self.kinds.iter().find(|(kind, _)| is_ours && document.text("/kind") == Some(kind))
    }

    /// Everything, in order.
    pub(super) fn finish(self) -> Loaded {
        let mut loaded = self.loaded;
        loaded.findings.sort();
        loaded.resources.services.sort_by_key(id);
        loaded.resources.events.sort_by_key(id);
        loaded
    }

    fn document(&mut self, document: Document, findings: Vec<Finding>) {
        match self.kind(&document) {
            Some((kind, _)) => self.admit(kind, document, findings),
            None => match self.foreign(&document) {
                Ok(note) => self.loaded.skipped.push(note),
                Err(finding) => self.loaded.findings.push(finding),
            },
        }
    }

    /// A note on a document of another kind; a finding where one of the two kinds is meant, or where kubectl would not take
    /// it either.
    fn foreign(&self, document: &Document) -> Result<String, Finding> {
        if !document.value.is_object() {
            return Err(document.finding("", "no resource: write apiVersion, kind, metadata and spec"));
        }
        let kinds = self.kinds.each_ref().map(|(kind, _)| kind.as_str());
        let Some(kind) = document.text("/kind") else {
            return Err(document.finding("kind", format!("missing: {}", kinds.join(" or "))));
        };
        // With items it would have been opened.
        if kind == "List" || kind.strip_suffix("List").is_some_and(|one| kinds.contains(&one)) {
            return Err(document.finding("items", "must be a list: write each resource as an entry of it"));
        }
        let group = ReservationService::group(&());
        match document.text("/apiVersion") {
            None => Err(document.finding("apiVersion", format!("missing: write {}", api_version()))),
            Some(_) if kinds.contains(&kind) => {
                Err(document.finding("apiVersion", format!("write {}", api_version())))
            }
            Some(version) if version.split('/').next() == Some(&group) => {
                let meant = nearest(kind, kinds).map_or_else(|| kinds.join(" or "), str::to_owned);
                Err(document.finding("kind", format!("{group} has no kind {kind}: write {meant}")))
            }
            Some(_) => {
                let name = document.text("/metadata/name").unwrap_or("without a name");
                let note = format!("{kind} {name} is none of the two kinds: skipped");
                Ok(document.finding("", note).to_string())
            }
        }
    }

    /// Keeps a document of one of the two kinds, if it is sound.
    fn admit(&mut self, kind: &str, document: Document, mut findings: Vec<Finding>) {
        findings.extend(self.declare(kind, &document));
        if findings.is_empty() {
            let Resources { services, events } = &mut self.loaded.resources;
            let kept = if kind == ReservationService::kind(&()) {
                keep(&document, services)
            } else {
                keep(&document, events)
            };
            match kept {
                Ok(id) => _ = self.loaded.documents.insert(id, document),
                Err(finding) => findings.push(finding),
            }
        }
        self.loaded.findings.extend(findings);
    }

    /// Notes the name of a resource, which must be the first of that name.
    fn declare(&mut self, kind: &str, document: &Document) -> Option<Finding> {
        let (namespace, name) = (document.text("/metadata/namespace")?, document.text("/metadata/name")?);
        let here = document.finding("metadata.name", "");
        match self.declared.entry((kind.to_owned(), namespace.to_owned(), name.to_owned())) {
            Entry::Vacant(place) => {
                place.insert(here);
                None
            }
            Entry::Occupied(first) => {
                let Finding { file, line, .. } = first.get();
                let message =
                    format!("{namespace}/{name} is declared twice, first at {file}:{line}: remove one");
                Some(Finding { message, ..here })
            }
        }
    }
}

fn api_version() -> Cow<'static, str> {
    ReservationService::api_version(&())
}

/// Keeps what passed every check, as its type; what that cannot read is a finding.
fn keep<K>(document: &Document, kept: &mut Vec<K>) -> Result<Id, Finding>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let resource: K = reading::value(&document.value)
        .map_err(|wrong| document.finding(wrong.field(), wrong.problem("field")))?;
    let id = id(&resource);
    kept.push(resource);
    Ok(id)
}
