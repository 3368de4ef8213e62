//! Everything that can be wrong with what is written, and the words for it.

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    seats: Vec<Seat>,
    #[serde(default)]
    best_available: Option<Best>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seat {
    row: String,
    #[serde(default)]
    number: u64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Best {
    quantity: u32,
    #[serde(default)]
    together: Option<Together>,
    #[serde(default)]
    angle: f64,
    #[serde(default)]
    paused: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Together {
    Required,
    Preferred,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    since: Option<u64>,
    follow: bool,
    section: Option<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { since: None, follow: true, section: None }
    }
}

fn body(text: &str) -> String {
    json::<Wish>(text.as_bytes()).unwrap_err().told("body", "field")
}

fn asked(text: &str) -> String {
    query::<Asked>(text).unwrap_err().told("query", "parameter")
}

#[test]
fn what_fits_is_read() {
    let text = r#"{"seats": [{"row": "A", "number": 7}], "bestAvailable": {"quantity": 2, "together": "required", "angle": 1}}"#;
    let best = Best { quantity: 2, together: Some(Together::Required), angle: 1.0, paused: false };
    let wish = Wish { seats: vec![Seat { row: "A".into(), number: 7 }], best_available: Some(best) };
    assert_eq!(json::<Wish>(text.as_bytes()).as_ref(), Ok(&wish));
    assert_eq!(value::<Wish>(&serde_json::from_str(text).unwrap()), Ok(wish));
    assert_eq!(json::<Wish>(br#"{"seats": [], "bestAvailable": null}"#).unwrap().best_available, None);
    // To a schema of JSON these are whole numbers.
    let seat = json::<Seat>(br#"{"row": "A", "number": 159127.0}"#);
    assert_eq!(seat, Ok(Seat { row: "A".into(), number: 159_127 }));
    assert_eq!(json::<Seat>(br#"{"row": "A", "number": 2e3}"#).unwrap().number, 2000);
    let asked = Asked { since: Some(7), follow: false, section: Some("A&B ü".into()) };
    assert_eq!(query::<Asked>("since=7&follow=false&section=A%26B+%C3%BC"), Ok(asked));
    assert_eq!(query::<Asked>(""), Ok(Asked::default()));
}

#[test]
fn a_body_that_is_no_json_is_told_with_the_place() {
    for (text, told) in [
        ("", "body: empty: send a JSON object"),
        ("  \n", "body: empty: send a JSON object"),
        ("seats=A-1-1", "body: no JSON at line 1, column 1: send a JSON document"),
        ("{\"seats\":\n [,]}", "body: no JSON at line 2, column 3: send a JSON document"),
        ("{\"seats\": [", "body: ends at line 1, column 11, before its JSON is complete: send all of it"),
        ("{\"seats\": []} {}", "body: goes on behind its end at line 1, column 15: send one JSON document"),
    ] {
        assert_eq!(body(text), told, "{text}");
    }
    let latin = json::<Wish>(b"{\"seats\": \"caf\xe9\"}").unwrap_err();
    assert_eq!(latin.told("body", "field"), "body: byte 15 is not UTF-8: send JSON as UTF-8");
    let deep = "[".repeat(10_000);
    assert!(body(&deep).starts_with("body: no JSON at line 1, column 12"), "{}", body(&deep));
}

#[test]
fn a_value_that_does_not_fit_is_told_with_its_field_and_what_would() {
    for (text, told) in [
        ("7", "body: must be an object, but is 7"),
        ("[[]]", "body: must be an object, but is a list"),
        (r#"{"seats": {}}"#, "seats: must be a list, but is an object"),
        (r#"{"seats": [{"row": "A"}, {"row": 2}]}"#, "seats[1].row: must be a text, in quotes, but is 2"),
        (r#"{"seats": [{"row": null}]}"#, "seats[0].row: must be a text, but is null"),
        (r#"{"seats": [[]]}"#, "seats[0]: must be an object, but is a list"),
        (
            r#"{"seats": [{"row": "A", "number": -1}]}"#,
            "seats[0].number: must be a whole number of at least 0, but is -1",
        ),
        (
            r#"{"seats": [{"row": "A", "number": "7"}]}"#,
            "seats[0].number: must be a whole number of at least 0, but is \"7\"",
        ),
    ] {
        assert_eq!(body(text), told, "{text}");
    }
    for (best, told) in [
        (json!({"quantity": -1}), "quantity: must be a whole number of at least 1, but is -1"),
        (json!({"quantity": 2.5}), "quantity: must be a whole number of at least 1, but is 2.5"),
        (
            json!({"quantity": 5_000_000_000_u64}),
            "quantity: must be a whole number of at most 4294967295, but is 5000000000",
        ),
        (json!({"quantity": 1, "angle": "x"}), "angle: must be a number, but is \"x\""),
        (json!({"quantity": 1, "paused": "yes"}), "paused: must be true or false, but is \"yes\""),
        (
            json!({"quantity": 1, "together": "requird"}),
            "together: \"requird\" is not allowed: write required or preferred; did you mean required?",
        ),
        (json!({"quantity": 1, "together": 1}), "together: must be a text, but is 1"),
    ] {
        let text = json!({"seats": [], "bestAvailable": best}).to_string();
        assert_eq!(body(&text), format!("bestAvailable.{told}"), "{text}");
    }
}

#[test]
fn fields_that_are_missing_unknown_or_there_twice_are_named() {
    for (text, told) in [
        ("{}", "seats: missing: add it"),
        (r#"{"seats": [{}]}"#, "seats[0].row: missing: add it"),
        (r#"{"seats": [], "seat": 1}"#, "seat: unknown field: did you mean seats?"),
        (
            r#"{"seats": [{"row": "A", "colour": 1}]}"#,
            "seats[0].colour: unknown field: remove it, or write row or number",
        ),
        (r#"{"seats": [], "seats": []}"#, "seats: is there more than once: give it once"),
        (r#"{"seats": [{"row": "A", "row": "A"}]}"#, "seats[0].row: is there more than once: give it once"),
    ] {
        assert_eq!(body(text), told, "{text}");
    }
}

#[test]
fn parameters_are_told_by_name() {
    for (text, told) in [
        ("since=x", "since: must be a whole number of at least 0, but is \"x\""),
        ("since=-1", "since: must be a whole number of at least 0, but is \"-1\""),
        ("follow=1", "follow: must be true or false, but is \"1\""),
        ("sections=A", "sections: unknown parameter: did you mean section?"),
        ("colour=7", "colour: unknown parameter: remove it, or write since, follow or section"),
        ("since=1&since=2", "since: is there more than once: give it once"),
    ] {
        assert_eq!(asked(text), told, "{text}");
    }
    let none = query::<Nothing>("nonce=7").unwrap_err().told("query", "parameter");
    assert_eq!(none, "nonce: unknown parameter: remove it, there is none here");
}

#[test]
fn a_long_text_is_cut_off() {
    let told = body(&format!(r#"{{"seats": "{}"}}"#, "é".repeat(1000)));
    assert!(told.ends_with("\" and more") && told.chars().count() < 110, "{told}");
}
