//! What files declare: ReservationServices and SeatingEvents, each sound by every rule that the API server knows, and what
//! is wrong with the others.
//!
//! `source` finds the files, `document` takes them apart and remembers the line of every field (`source_map`; `yaml_1_1` is
//! what kubectl makes of words), `admission`
//! checks a document as the API server would on `kubectl apply --validate=strict`. What only the operator would refuse
//! is the business of [`lint`](crate::lint).

mod source;

mod yaml_1_1;

mod source_map;

mod document;

mod admission;

mod collect;

#[cfg(test)]
pub(crate) mod fixtures;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::{Resource, ResourceExt};

use collect::Collector;
use document::Document;
pub use source::ReadError;

/// Something that is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as it was given; `-` is standard input.
    pub file: String,
    /// The line, from 1: that of the field, or of what should have it.
    pub line: usize,
    /// The field: `spec.sections[0].id`; empty where it is the document as a whole.
    pub field: String,
    /// What is wrong and how to put it right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, field, message } = self;
        match field.as_str() {
            "" => write!(f, "{file}:{line}: {message}"),
            _ => write!(f, "{file}:{line}: {field}: {message}"),
        }
    }
}

/// Resources, in the order of their namespaces and names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// What sells seats.
    pub services: Vec<ReservationService>,
    /// What is on sale.
    pub events: Vec<SeatingEvent>,
}

/// What was found in files.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The resources with nothing to find fault with.
    pub resources: Resources,
    /// What is wrong with the others, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// Documents of other kinds, a note each.
    pub skipped: Vec<String>,
    documents: BTreeMap<Id, Document>,
}

/// Names a resource: kind, namespace and name.
type Id = (String, String, String);

/// Reads the resources of files and folders; `-` is standard input, and `namespace` that of resources which name none.
///
/// # Errors
/// When something cannot be read; what was read and is wrong is a finding.
pub fn load(sources: &[PathBuf], namespace: &str) -> Result<Loaded, ReadError> {
    let mut collector = Collector::new(namespace)?;
    for text in source::read(sources)? {
        collector.take(&text);
    }
    Ok(collector.finish())
}

impl Loaded {
    /// A finding about a field of one of the resources.
    pub(crate) fn finding<K: Resource<DynamicType = ()>>(
        &self,
        resource: &K,
        field: &str,
        message: impl Into<String>,
    ) -> Option<Finding> {
        Some(self.documents.get(&id(resource))?.finding(field, message))
    }

    /// How a number of one of the resources is written.
    pub(crate) fn number<K: Resource<DynamicType = ()>>(&self, resource: &K, field: &str) -> Option<&str> {
        self.documents.get(&id(resource))?.number(field).map(|(written, _)| written)
    }
}

fn id<K: Resource<DynamicType = ()>>(resource: &K) -> Id {
    (K::kind(&()).into_owned(), resource.namespace().unwrap_or_default(), resource.name_any())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
