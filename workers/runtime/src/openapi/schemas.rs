//! The domain's types as schemas of a document. The domain describes them itself, as JSON Schema, because it depends on
//! no HTTP library; here each gets a stand-in of its name, for `#[schema(value_type = schemas::SeatId)]` and `body = ...`.

use std::borrow::Cow;

use boxoffice_domain::{command, definition, events, ids, seat_map};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema as JsonSchemaOf};
use serde_json::{Value, json};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! stand_ins {
    ($($name:ident for $type:ty;)+) => {$(
        #[doc = concat!("Stands in for [`", stringify!($type), "`].")]
        pub struct $name;

        impl $name {
            /// A reference to it.
            pub fn reference() -> Ref {
                Ref::from_schema_name(<$type>::schema_name())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let wanted = <$type>::schema_name();
                let found = described::<$type>().into_iter().find(|(name, _)| *name == wanted);
                found.map(|(_, schema)| schema).unwrap_or_default()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                <$type>::schema_name()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.extend(described::<$type>());
            }
        }
    )+};
}

stand_ins! {
    SeatingEventId for ids::SeatingEventId;
    SeatId for ids::SeatId;
    HoldId for ids::HoldId;
    ReservationId for ids::ReservationId;
    UserId for ids::UserId;
    CorrelationId for ids::CorrelationId;
    Area for command::Area;
    Best for command::Best;
    ConflictReason for command::ConflictReason;
    Definition for definition::Definition;
    Limits for definition::Limits;
    Layout for definition::Layout;
    Phase for definition::Phase;
    Point for definition::Point;
    PriceCategory for definition::PriceCategory;
    SeatCounts for seat_map::SeatCounts;
    SectionStats for events::SectionStats;
}

/// The schema of a type and of all that it is made of, by name.
fn described<T: JsonSchema>() -> Vec<(String, RefOr<Schema>)> {
    let settings =
        SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
    let mut generator = settings.with_transform(RecursiveTransform(Words)).into_generator();
    generator.subschema_for::<T>();
    let found = generator.take_definitions(true).into_iter();
    // What could not be read would be an empty schema, which the documents' tests do not let pass.
    found.map(|(name, schema)| (name, serde_json::from_value(schema).unwrap_or_default())).collect()
}

/// An enumeration of described words becomes a plain one that OpenAPI's tools know, with the words in its description.
#[derive(Debug, Clone)]
struct Words;

impl Transform for Words {
    fn transform(&mut self, schema: &mut JsonSchemaOf) {
        let Some(Value::Array(words)) = schema.get("oneOf") else { return };
        let word = |schema: &Value| Some((schema.get("const")?.clone(), schema.get("description")?.clone()));
        let Some(words) = words.iter().map(word).collect::<Option<Vec<_>>>() else { return };
        let mut description =
            schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (word, meaning) in &words {
            let (word, meaning) = (word.as_str().unwrap_or_default(), meaning.as_str().unwrap_or_default());
            for part in ["\n- `", word, "`: ", meaning] {
                description.push_str(part);
            }
        }
        let words: Vec<_> = words.into_iter().map(|(word, _)| word).collect();
        schema.remove("oneOf");
        schema.insert("type".into(), json!("string"));
        schema.insert("enum".into(), json!(words));
        schema.insert("description".into(), json!(description));
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn json_of<T: JsonSchema>(name: &str) -> Value {
        let found = described::<T>().into_iter().find(|(found, _)| found == name).unwrap();
        serde_json::to_value(found.1).unwrap()
    }

    /// Whether the pattern says of every text what parsing it says.
    fn agrees<T: JsonSchema + FromStr>(name: &str, texts: &[&str]) {
        let schema = json_of::<T>(name);
        for text in texts {
            assert_eq!(
                jsonschema::is_valid(&schema, &json!(text)),
                text.parse::<T>().is_ok(),
                "{name} {text:?}"
            );
        }
    }

    #[test]
    fn patterns_of_ids_are_the_rules_that_the_domain_reads_them_by() {
        let long = "a".repeat(64);
        let events = ["arena-night", "a", "0", "", "-a", "a-", "a.b", "A", "a_b", &long, &long[1..]];
        agrees::<ids::SeatingEventId>("SeatingEventId", &events);
        let seats = [
            "arena-night.A-12-7",
            "a.FLOOR-17",
            "",
            "A-1-1",
            "arena.",
            "arena.A",
            "arena.A-1-1-1",
            "arena.A--1",
            "Arena.A-1-1",
            "a.b.A-1-1",
            "arena.A-1-é",
            "a.A-1-1\n",
        ];
        agrees::<ids::SeatId>("SeatId", &seats);
        let scoped = ["arena.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11", "arena.not-a-uuid", "arena", ""];
        agrees::<ids::HoldId>("HoldId", &scoped);
        agrees::<ids::ReservationId>("ReservationId", &scoped);
        let tokens = ["alice", "a b", "", " ", " a", "a ", "a\nb", "é", &"x".repeat(128), &"x".repeat(129)];
        agrees::<ids::UserId>("UserId", &tokens);
        agrees::<ids::CorrelationId>("CorrelationId", &tokens);
    }

    #[test]
    fn words_are_enumerated_and_described() {
        let phase = json_of::<definition::Phase>("Phase");
        assert_eq!(phase["enum"], json!(["Pending", "Scheduled", "OnSale", "SoldOut", "Closed"]));
        assert!(
            phase["description"]
                .as_str()
                .unwrap()
                .contains("- `SoldOut`: On sale, but nothing is available.")
        );
    }

    #[test]
    fn nothing_of_a_definition_is_lost_on_the_way() {
        let names: Vec<_> = described::<definition::Definition>().into_iter().map(|(name, _)| name).collect();
        let expected = [
            "Blocked",
            "Definition",
            "GapPolicy",
            "HoldPolicy",
            "Layout",
            "Limits",
            "Point",
            "PriceCategory",
            "Rows",
            "Sales",
            "Section",
        ];
        assert_eq!(names, expected);
        let definition = json_of::<definition::Definition>("Definition");
        assert_eq!(definition["required"], json!(["title", "startsAt", "priceCategories", "sections"]));
        assert_eq!(definition["properties"]["sections"]["items"]["$ref"], "#/components/schemas/Section");
        let section = json_of::<definition::Definition>("Section");
        assert_eq!(section["properties"]["capacity"]["type"], json!(["integer", "null"]));
    }
}
