//! The answers of a route when something is refused: one a status, with the codes that it can mean.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use boxoffice_domain::command::ConflictReason;
use boxoffice_domain::{CorrelationId, SeatId};
use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};

use crate::http::{Code, ConflictBody, Moment, Problem, ProblemBody, code};

const CONTENT_TYPE: &str = "application/problem+json";

/// The schema of every problem.
pub(super) type Body = ProblemBody<'static>;

/// Declares sets of codes, each a type to name among the `responses(...)` of a `#[utoipa::path]`.
#[macro_export]
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = [$($codes:expr),+ $(,)?];)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<
                String,
                ::utoipa::openapi::RefOr<::utoipa::openapi::response::Response>,
            > {
                $crate::openapi::problem_responses(&[$(&$codes),+])
            }
        }
    )+};
}

/// One response a status, for all of `codes`.
pub fn responses(codes: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes.iter().copied().flatten() {
        by_status.entry(first_status(*code)).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes)))).collect()
}

/// What every route with a body can answer besides.
pub(super) fn of_bodies() -> (String, RefOr<Response>) {
    ("413".to_owned(), RefOr::T(response(&[code::PAYLOAD_TOO_LARGE])))
}

/// Whether a response with this status can have a header `retry-after`.
pub(super) fn may_be_retried(status: &str) -> bool {
    let of_status = |code: &&Code| code.statuses().iter().any(|it| it.to_string() == status);
    code::ALL.iter().filter(of_status).any(|code| code.retryable())
}

/// The example of a code, as a component of its name.
pub(super) fn example(code: Code) -> (String, RefOr<Example>) {
    let example = ExampleBuilder::new().summary(code.title()).description(code.paragraph());
    (
        code.name().to_owned(),
        RefOr::T(example.value(Some(body(first_status(code), code, code.detail()))).build()),
    )
}

fn response(codes: &[Code]) -> Response {
    let lines: Vec<_> =
        codes.iter().map(|code| format!("- `{}`: {}", code.name(), code.paragraph())).collect();
    let reference = |code: &Code| {
        let name = code.name();
        (name.to_owned(), RefOr::Ref(Ref::new(format!("#/components/examples/{name}"))))
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(codes.iter().map(reference))
        .build();
    ResponseBuilder::new().description(lines.join("\n")).content(CONTENT_TYPE, content).build()
}

fn first_status(code: Code) -> u16 {
    code.statuses().first().copied().unwrap_or_default()
}

/// A problem as it may be, with the fields that its code has.
fn body(status: u16, code: Code, detail: &str) -> Value {
    let (Ok(status), Ok(correlation)) = (StatusCode::from_u16(status), "order-17".parse::<CorrelationId>())
    else {
        return Value::Null;
    };
    let conflict = |(reason, mine)| {
        let seat_id = "arena-night.A-1-1".parse::<SeatId>().ok()?;
        Some(ConflictBody { seat_id, reason, mine })
    };
    let in_the_way = match code {
        code::SEAT_NOT_AVAILABLE => Some((ConflictReason::Held, true)),
        code::DEFINITION_CONFLICT => Some((ConflictReason::Held, false)),
        code::SEAT_NOT_FOUND => Some((ConflictReason::NotFound, false)),
        _ => None,
    };
    let moment = match code {
        code::SALES_NOT_OPEN => Some(Moment::OpensAt(1_700_003_600_000)),
        code::CANCELLATION_CLOSED => Some(Moment::CancelUntil(1_700_000_000_000)),
        _ => None,
    };
    let conflicts = in_the_way.and_then(conflict).into_iter().collect();
    let problem = Problem::new(status, code, detail).conflicts(conflicts);
    json!(moment.into_iter().fold(problem, Problem::at).body(&correlation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_one_status_share_a_response() {
        let responses = responses(&[&[code::HOLD_EXPIRED], &[code::UNAVAILABLE, code::SEAT_NOT_HELD]]);
        assert_eq!(responses.keys().collect::<Vec<_>>(), ["409", "503"]);
        let RefOr::T(conflict) = &responses["409"] else { panic!("a reference") };
        assert!(conflict.description.starts_with("- `HOLD_EXPIRED`: The hold's deadline has passed"));
        let json = serde_json::to_value(&conflict.content["application/problem+json"]).unwrap();
        assert_eq!(json["examples"]["SEAT_NOT_HELD"]["$ref"], "#/components/examples/SEAT_NOT_HELD");
    }

    #[test]
    fn what_can_be_retried_says_when() {
        assert_eq!(["409", "429", "503", "404", "200"].map(may_be_retried), [true, true, true, false, false]);
    }
}
