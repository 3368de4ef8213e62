//! Documents of files, sorted into resources, findings and notes.

use kube::ResourceExt;

use super::fixtures::{EVENT, SERVICE, findings, loaded, with};
use super::*;

#[test]
fn sound_resources_are_found_in_the_order_of_their_names() {
    let other = with(EVENT, "name: club-night", "name: arena-night, namespace: tickets");
    let loaded = loaded(&[("b.yaml", &format!("{other}---\n{EVENT}")), ("a.yaml", SERVICE)]);
    assert_eq!(loaded.findings, []);
    let events: Vec<_> = loaded.resources.events.iter().map(id).collect();
    let kind = "SeatingEvent".to_owned();
    assert_eq!(
        events,
        [
            (kind.clone(), "default".into(), "club-night".into()),
            (kind, "tickets".into(), "arena-night".into())
        ],
        "the namespace that was left out is the given one"
    );
    assert_eq!(loaded.resources.services[0].name_any(), "main");
}

#[test]
fn many_documents_of_a_file_are_each_checked() {
    let shows: Vec<_> =
        (0..100).map(|show| with(EVENT, "name: club-night", &format!("name: show-{show:02}"))).collect();
    let wrong = with(&shows[70], "capacity: 300", "capacity: many");
    let content = [&shows[..70], &[wrong], &shows[71..]].concat().join("---\n");
    let loaded = loaded(&[("x.yaml", &content)]);
    let found: Vec<_> = loaded.findings.iter().map(|finding| finding.line).collect();
    assert_eq!((found, loaded.resources.events.len()), (vec![70 * 15 + 11], 99));
    assert_eq!(loaded.resources.events[70].name_any(), "show-71");
}

#[test]
fn documents_of_other_kinds_are_noted_and_skipped() {
    let secret = "# a database\napiVersion: v1\nkind: Secret\nmetadata: {name: view-db}\n";
    let loaded = loaded(&[("x.yaml", &format!("{secret}---\n{SERVICE}"))]);
    assert_eq!(loaded.skipped, ["x.yaml:2: Secret view-db is none of the two kinds: skipped"]);
    assert_eq!((loaded.findings.len(), loaded.resources.services.len()), (0, 1));
}

#[test]
fn a_kind_that_is_nearly_ours_is_found_and_not_skipped() {
    let wrong = [
        with(EVENT, "SeatingEvent", "SeatingEvents"),
        with(EVENT, "v1alpha1", "v1"),
        with(EVENT, "apiVersion: boxoffice.dev/v1alpha1\n", ""),
        with(EVENT, "kind: SeatingEvent\n", ""),
        "- just a list\n".to_owned(),
    ];
    assert_eq!(
        wrong.map(|content| findings(&content).join("\n")),
        [
            "2: kind: boxoffice.dev has no kind SeatingEvents: write SeatingEvent",
            "1: apiVersion: write boxoffice.dev/v1alpha1",
            "1: apiVersion: missing: write boxoffice.dev/v1alpha1",
            "1: kind: missing: ReservationService or SeatingEvent",
            "1: no resource: write apiVersion, kind, metadata and spec",
        ]
    );
}

#[test]
fn a_resource_that_is_declared_twice_is_found_with_both_places() {
    let loaded = loaded(&[("a.yaml", EVENT), ("b.yaml", &format!("# again\n{EVENT}"))]);
    let found: Vec<_> = loaded.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["b.yaml:4: metadata.name: default/club-night is declared twice, first at a.yaml:3: remove one"]
    );
    assert_eq!(loaded.resources.events.len(), 1, "the first stands");
}

#[test]
fn a_list_as_kubectl_prints_it_is_opened() {
    let item = |resource: &str| format!("- {}\n", resource.trim_end().replace('\n', "\n  "));
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}",
        item(SERVICE),
        item(&with(EVENT, "capacity: 300", "capacity: 0"))
    );
    let loaded = loaded(&[("x.yaml", &list)]);
    assert_eq!(loaded.resources.services.len(), 1);
    assert_eq!(
        loaded.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["x.yaml:25: spec.sections[0].capacity: 0 is too little: write at least 1"]
    );
}

#[test]
fn a_list_whose_items_are_none_is_found_and_so_is_a_file_with_nothing_in_it() {
    for list in ["kind: List\nitems: {a: b}\n", "kind: List\n", "kind: List\nitems: 7\n"] {
        let found = findings(&format!("apiVersion: v1\n{list}"));
        assert!(found.len() == 1 && found[0].contains(": items: must be a list"), "{list}: {found:?}");
    }
    let of_ours = findings("apiVersion: boxoffice.dev/v1alpha1\nkind: SeatingEventList\nitems: {}\n");
    assert_eq!(of_ours, ["3: items: must be a list: write each resource as an entry of it"]);
    for empty in ["", "# nothing\n", "---\n", "apiVersion: v1\nkind: List\nitems: []\n"] {
        let loaded = loaded(&[("x.yaml", empty)]);
        assert_eq!(loaded.skipped, ["x.yaml: there is no resource in it"], "{empty:?}");
        assert_eq!(loaded.findings, []);
    }
}

#[test]
fn what_is_no_yaml_spoils_its_own_file_only() {
    let loaded = loaded(&[("a.yaml", "kind: [\n"), ("b.yaml", EVENT)]);
    assert_eq!(loaded.findings.len(), 1);
    assert!(
        loaded.findings[0].to_string().starts_with("a.yaml:2: column 1: this is no YAML"),
        "{}",
        loaded.findings[0]
    );
    assert_eq!(loaded.resources.events.len(), 1);
}
