//! The YAML that is checked in is what the types say, and the documents that people start from are accepted.

use std::fs;
use std::path::{Path, PathBuf};

use boxoffice_crds::{ReservationService, SeatingEvent, manifests};
use serde_json::Value;

use crate::support::{accepted, on_create};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documents(dir: &str) -> Vec<(PathBuf, Value)> {
    let entries = fs::read_dir(checkout().join(dir)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let read =
        |file: PathBuf| (file.clone(), serde_yaml_ng::from_str(&fs::read_to_string(file).unwrap()).unwrap());
    files.into_iter().map(read).collect()
}

#[test]
fn the_yaml_of_both_kinds_is_up_to_date() {
    for manifest in manifests().unwrap() {
        for dir in ["crds", "helm/boxoffice-crds/files"] {
            let file = checkout().join(dir).join(&manifest.file);
            let found = fs::read_to_string(&file).unwrap_or_default();
            assert!(
                found == manifest.yaml,
                "{dir}/{} is not what the types say: run `make generate`",
                manifest.file
            );
        }
    }
}

#[test]
fn examples_and_fixtures_are_accepted() {
    for (file, document) in documents("examples").into_iter().chain(documents("crds/tests/fixtures")) {
        let verdict = match document["kind"].as_str() {
            Some("ReservationService") => on_create::<ReservationService>(document),
            Some("SeatingEvent") => on_create::<SeatingEvent>(document),
            other => panic!("{}: unexpected kind {other:?}", file.display()),
        };
        accepted(&verdict);
    }
}

#[test]
fn every_field_is_documented() {
    for manifest in manifests().unwrap() {
        let crd: Value = serde_yaml_ng::from_str(&manifest.yaml).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut silent = Vec::new();
        collect_silent(schema, "", &mut silent);
        assert!(silent.is_empty(), "kubectl explain says nothing about {silent:?}");
    }
}

fn collect_silent(schema: &Value, path: &str, silent: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if field["description"].as_str().is_none_or(str::is_empty) {
            silent.push(path.clone());
        }
        collect_silent(field, &path, silent);
    }
    for below in ["items", "additionalProperties"] {
        if schema[below].is_object() {
            collect_silent(&schema[below], path, silent);
        }
    }
}

#[test]
fn kubectl_reads_no_word_as_a_boolean() {
    for manifest in manifests().unwrap() {
        for word in ["y", "off"] {
            let plain = [format!("- {word}\n"), format!(" {word}:\n")];
            assert!(
                plain.iter().all(|text| !manifest.yaml.contains(text)),
                "{word} stands unquoted in {}",
                manifest.file
            );
        }
    }
}
