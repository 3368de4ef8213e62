//! What the API server would refuse, a check at a time, with the line of each.

use crate::resources::fixtures::{EVENT, SERVICE, findings, with};

#[test]
fn what_is_sound_passes() {
    assert_eq!(findings(SERVICE), [""; 0]);
    assert_eq!(findings(EVENT), [""; 0]);
}

#[test]
fn the_documents_of_the_kinds_own_tests_pass() {
    for fixture in [
        include_str!("../../../../../crds/tests/fixtures/reservation-service.yaml"),
        include_str!("../../../../../crds/tests/fixtures/reservation-service-jwt.yaml"),
        include_str!("../../../../../crds/tests/fixtures/seating-event.yaml"),
        include_str!("../../../../../crds/tests/fixtures/seating-event-minimal.yaml"),
    ] {
        assert_eq!(findings(fixture), [""; 0]);
    }
}

#[test]
fn values_of_the_wrong_type_are_refused_with_what_is_expected() {
    let wrong = [
        with(EVENT, "title: Club Night", "title: 2099"),
        with(EVENT, "capacity: 300", "capacity: many"),
        with(EVENT, "metadata: {name: club-night}", "metadata: club-night"),
        with(EVENT, "serviceRef: {name: main}", "serviceRef: main"),
        with(EVENT, "seats: \"1-10\"", "seats: [1, 2]"),
        with(SERVICE, "spec:\n", "spec:\n  command: {resources: {requests: {cpu: 0.5}}}\n"),
    ];
    assert_eq!(
        wrong.map(|content| findings(&content).join("\n")),
        [
            "6: spec.title: must be a text, but is the number 2099: put it in quotes",
            "11: spec.sections[0].capacity: must be a whole number, but is \"many\"",
            "3: metadata: must be a mapping, but is \"club-night\"",
            "5: spec.serviceRef: must be a mapping, but is \"main\"",
            "14: spec.sections[1].rows[0].seats: must be a text, but is a list",
            "5: spec.command.resources.requests.cpu: must be a whole number or a text, but is the number 0.5",
        ]
    );
}

#[test]
fn values_out_of_range_are_refused_with_the_limit() {
    let wrong = [
        with(EVENT, "capacity: 300", "capacity: 200001"),
        with(EVENT, "title: Club Night", "title: ''"),
        with(EVENT, "  sections:\n", "  blocked: [{seats: [], reason: camera}]\n  sections:\n"),
        with(SERVICE, "kafka: {", "kafka: {topic: {partitions: 0}, "),
    ];
    assert_eq!(
        wrong.map(|content| findings(&content).join("\n")),
        [
            "11: spec.sections[0].capacity: 200001 is too much: write at most 200000",
            "6: spec.title: too short: write at least 1 character",
            "10: spec.blocked[0].seats: too few: give at least 1 entry",
            "7: spec.kafka.topic.partitions: 0 is too little: write at least 1",
        ]
    );
}

#[test]
fn words_and_forms_are_refused_with_those_that_there_are() {
    let wrong = [
        with(SERVICE, "handler: seat-view", "handler: seatview"),
        with(EVENT, "2099-03-01T20:00:00Z", "tomorrow"),
        with(EVENT, "2099-03-01T20:00:00Z", "2099-02-30T20:00:00Z"),
        with(SERVICE, "spec:\n", "spec:\n  durability: {hold: twice}\n"),
    ];
    let [handler, tomorrow, february, durability] = wrong.map(|content| findings(&content).join("\n"));
    assert_eq!(
        handler,
        "10: spec.consumers[0].handler: \"seatview\" is not allowed: write seat-view, persistence, stats, payment or \
         webhook; did you mean seat-view?"
    );
    let time = "does not fit: when the show begins, RFC 3339, such as `2099-03-01T20:00:00Z`";
    assert_eq!(tomorrow, format!("7: spec.startsAt: \"tomorrow\" {time}"));
    assert_eq!(february, format!("7: spec.startsAt: \"2099-02-30T20:00:00Z\" {time}"));
    assert!(
        durability.starts_with("5: spec.durability.hold: \"twice\" does not fit: what the answer"),
        "{durability}"
    );
}

#[test]
fn letters_and_digits_of_ids_are_those_of_ascii() {
    let found = |row: &str| findings(&with(EVENT, "rows: \"1-4\"", &format!("rows: \"{row}\""))).join("\n");
    assert_eq!(found("AA,1-4/2"), "");
    for foreign in ["Ä", "1-٤"] {
        let found = found(foreign);
        assert!(found.starts_with("14: spec.sections[1].rows[0].rows: are ranges such as"), "{found}");
    }
}

#[test]
fn a_field_that_is_missing_has_the_line_of_what_should_have_it() {
    let wrong = [
        with(EVENT, "  startsAt: 2099-03-01T20:00:00Z\n", ""),
        with(EVENT, "rows: \"1-4\", seats: \"1-10\"", "rows: \"1-4\""),
        with(EVENT, "metadata: {name: club-night}\n", "metadata: {}\n"),
        with(SERVICE, "    database: {url: \"postgres://view\"}\n", ""),
    ];
    let [starts, seats, name, database] = wrong.map(|content| findings(&content).join("\n"));
    assert_eq!(
        starts,
        "4: spec.startsAt: missing: when the show begins, RFC 3339, such as `2099-03-01T20:00:00Z`"
    );
    assert!(
        seats.starts_with("14: spec.sections[1].rows[0].seats: missing: the seats of each row"),
        "{seats}"
    );
    assert_eq!(name, "3: metadata.name: missing: give the resource a name, such as main");
    assert_eq!(database, "9: spec.consumers[0].database: missing: its database, PostgreSQL");
}

#[test]
fn unknown_fields_are_refused_with_what_was_meant() {
    let wrong = [
        with(SERVICE, "spec:\n", "spec:\n  command: {replcas: 2}\n"),
        with(EVENT, "  title", "  colour: red\n  title"),
        with(EVENT, "metadata: {", "metadata: {lables: {a: b}, "),
        with(EVENT, "spec:\n", "surprise: 1\nspec:\n"),
    ];
    let [replicas, colour, labels, surprise] = wrong.map(|content| findings(&content).join("\n"));
    assert_eq!(replicas, "5: spec.command.replcas: unknown field: did you mean replicas?");
    assert!(colour.starts_with("6: spec.colour: unknown field: remove it, or write blocked, "), "{colour}");
    assert_eq!(labels, "3: metadata.lables: unknown field: did you mean labels?");
    assert!(surprise.starts_with("4: surprise: unknown field: remove it"), "{surprise}");
}

#[test]
fn whatever_stands_where_any_value_may_stand_is_left_alone() {
    let reset = with(
        SERVICE,
        "    database",
        "    reset: {requestId: a, to: {anything: [goes, null]}}\n    database",
    );
    assert_eq!(findings(&reset), [""; 0]);
}

#[test]
fn a_null_is_the_same_as_a_field_left_out() {
    let sound = with(EVENT, "spec:\n", "spec:\n  sales: null\n  limits:\n  hold: {ttlSeconds: ~}\n");
    assert_eq!(findings(&sound), [""; 0]);
    let found = findings(&with(EVENT, "title: Club Night", "title:"));
    assert_eq!(
        found,
        ["6: spec.title: missing: what buyers read, 1 to 200 characters, such as `Arena Night`"]
    );
}

#[test]
fn what_kubectl_prints_of_a_resource_is_sound() {
    let printed = with(
        EVENT,
        "{name: club-night}",
        "{name: club-night, uid: e1, generation: 2, creationTimestamp: null}",
    );
    assert_eq!(findings(&format!("{printed}status: {{phase: OnSale, sequence: 7}}\n")), [""; 0]);
}

#[test]
fn words_that_yaml_1_1_takes_for_booleans_are_read_as_kubectl_reads_them() {
    let sound = [
        with(EVENT, "spec:\n", "spec:\n  focalPoint: {x: 0, y: 0}\n"),
        with(EVENT, "spec:\n", "spec:\n  focalPoint: {x: 0, true: 0}\n"),
        with(EVENT, "spec:\n", "spec:\n  hold: {noSingleSeatGaps: off}\n"),
        with(EVENT, "spec:\n", "spec:\n  sales: {paused: no}\n"),
        with(EVENT, "title: Club Night", "title: 'on'"),
    ];
    for content in sound {
        assert_eq!(findings(&content), [""; 0], "{content}");
    }
    let found = findings(&with(EVENT, "title: Club Night", "title: On"));
    assert_eq!(found, ["6: spec.title: kubectl reads a bare On as true: put it in quotes"]);
}

#[test]
fn texts_that_kubectl_takes_for_numbers_are_refused_without_quotes() {
    let row = |row: &str| {
        let rows = format!("rows: [{{row: {row}, seats: \"1-10\"}}]");
        findings(&with(EVENT, "rows: [{rows: \"1-4\", seats: \"1-10\"}]", &rows))
    };
    for (word, number) in [("02", "2"), ("010", "8"), ("1_2", "12"), ("08", "8.0")] {
        let told = format!(
            "14: spec.sections[1].rows[0].row: kubectl reads a bare {word} as the number {number}: put it in quotes"
        );
        assert_eq!(row(word), [told]);
        assert_eq!(row(&format!("\"{word}\"")), [""; 0]);
    }
    let two = "14: spec.sections[1].rows[0].row: must be a text, but is the number 2: put it in quotes";
    assert_eq!(row("2"), [two]);
    for word in ["A1", "A_1", "1A"] {
        assert_eq!(row(word), [""; 0], "{word}");
    }
}

#[test]
fn numbers_are_read_as_kubectl_reads_them_and_never_by_surprise() {
    assert_eq!(findings(&with(EVENT, "amount: 2500", "amount: 2_500")), [""; 0]);
    let found = findings(&with(EVENT, "capacity: 300", "capacity: 0300"));
    let told =
        "11: spec.sections[0].capacity: kubectl reads 0300 as the number 192: write the number that is meant";
    assert_eq!(found, [told]);
}

#[test]
fn moments_are_those_that_kubernetes_reads() {
    let starts = |moment: &str| findings(&with(EVENT, "2099-03-01T20:00:00Z", moment)).join("\n");
    assert_eq!(
        starts("2099-06-30T23:59:60Z"),
        "7: spec.startsAt: \"2099-06-30T23:59:60Z\" is a leap second, which Kubernetes cannot read: write 59 in place of 60"
    );
    for moment in [
        "2099-03-01",
        "2099-03-01T24:00:00Z",
        "2099-03-01 20:00:00Z",
        "2099-03-01T20:00:00",
        "2099-3-1T20:00:00Z",
    ] {
        assert!(
            starts(moment).contains("does not fit: when the show begins, RFC 3339"),
            "{moment}: {}",
            starts(moment)
        );
    }
    assert_eq!(starts("2099-03-01T20:00:00.5+01:00"), "");
}

#[test]
fn a_path_is_told_once() {
    let wrong = [
        with(EVENT, "spec:\n", "spec:\n  sales: {opensAt: 2099-03-01T20:00:00Z}\n"),
        with(EVENT, "spec:\n", "spec:\n  hold: {ttlSeconds: 901}\n"),
        with(EVENT, "priceCategory: entry, capacity: 300", "priceCategory: gold, capacity: 300"),
        with(EVENT, "name: club-night", "name: club.night"),
        with(SERVICE, "auth: {allowFrom: [{namespaceSelector: {}}]}", "auth: {mode: header}"),
        with(SERVICE, "redis: {url: \"redis://redis:6379\"}", "redis: {}"),
    ];
    let found = wrong.map(|content| findings(&content).join("\n"));
    let begins = [
        "5: spec.sales.opensAt: must be before sales.closesAt (startsAt where that is left out)",
        "5: spec.hold.ttlSeconds: must not be more than hold.maxSeconds",
        "10: spec.sections: every priceCategory must be",
        "3: metadata.name: must be a DNS label",
        "5: spec.auth.allowFrom: is needed with mode header",
        "6: spec.redis: give either url or urlFrom",
    ];
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found} does not begin with {begin}");
    }
}

#[test]
fn numbers_without_a_fraction_are_whole() {
    assert_eq!(findings(&with(EVENT, "capacity: 300", "capacity: 300.0")), [""; 0]);
    assert_eq!(findings(&with(EVENT, "capacity: 300", "capacity: 300.5")).len(), 1);
}

#[test]
fn two_entries_with_one_key_are_refused() {
    let found = findings(&with(EVENT, "  - id: A\n", "  - id: CLUB\n"));
    assert_eq!(found, ["12: spec.sections[1].id: spec.sections[0] is \"CLUB\" too: choose another"]);
}

#[test]
fn broken_rules_are_told_in_their_own_words_at_the_field_they_name() {
    let wrong = [
        with(EVENT, "priceCategory: entry, capacity: 300", "priceCategory: gold, capacity: 300"),
        with(EVENT, "capacity: 300}", "capacity: 300, rows: [{row: '1', seats: '1'}]}"),
        with(EVENT, "spec:\n", "spec:\n  sales:\n    opensAt: 2099-03-01T20:00:00Z\n"),
        with(EVENT, "name: club-night", "name: club.night"),
        with(SERVICE, "name: seat-view", "name: query"),
    ];
    let found = wrong.map(|content| findings(&content).join("\n"));
    let places = found.each_ref().map(|found| found.split(": ").take(2).collect::<Vec<_>>().join(": "));
    assert_eq!(
        places,
        [
            "10: spec.sections",
            "11: spec.sections[0]",
            "6: spec.sales.opensAt",
            "3: metadata.name",
            "9: spec.consumers[0].name"
        ],
        "{found:#?}"
    );
    assert!(found[1].ends_with("give exactly one"), "{}", found[1]);
}

#[test]
fn a_start_on_a_day_that_there_is_not_is_refused_by_its_rule() {
    let found = findings(&with(
        SERVICE,
        "    handler: seat-view",
        "    handler: persistence\n    startFrom: 2026-02-30T00:00:00Z",
    ));
    let expected =
        "11: spec.consumers[0].startFrom: must be earliest, latest or an RFC 3339 time of a day that exists";
    assert!(found.contains(&expected.to_owned()), "{found:#?}");
}

#[test]
fn a_rule_does_not_repeat_what_is_broken_already() {
    let found = findings(&with(SERVICE, "auth: {", "auth: {mode: jvt, "));
    assert_eq!(found, ["5: spec.auth.mode: \"jvt\" is not allowed: write header or jwt; did you mean jwt?"]);
    let found = findings(&with(SERVICE, "name: main", "name: Main_Hall"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("3: metadata.name: \"Main_Hall\" is no name"), "{found:#?}");
}

#[test]
fn everything_is_found_at_once() {
    let content = with(SERVICE, "  redis: {url: \"redis://redis:6379\"}\n", "  redis: {}\n");
    let content = with(&content, "kafka: {", "kafka: {prefix: 7, topik: {}, ");
    let content = with(&content, "handler: seat-view", "handler: cinema");
    let found = findings(&with(&content, "name: main", "name: main, namespace: Tickets"));
    let places: Vec<_> =
        found.iter().map(|one| one.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        places,
        [
            "3: metadata.namespace",
            "6: spec.redis",
            "7: spec.kafka.prefix",
            "7: spec.kafka.topik",
            "10: spec.consumers[0].handler"
        ],
        "{found:#?}"
    );
}
