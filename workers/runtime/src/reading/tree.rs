//! A text as it was written: fields keep their order, and stand there twice where they do.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Number, Value};

use super::wrong::Wrong;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The document that `bytes` are.
    pub(super) fn of_json(bytes: &[u8]) -> Result<Self, Wrong> {
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(Wrong::whole(format!(
                "byte {} is not UTF-8: send JSON as UTF-8",
                error.valid_up_to() + 1
            )));
        }
        if bytes.trim_ascii().is_empty() {
            return Err(Wrong::whole("empty: send a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let tree = Self::deserialize(&mut json).map_err(|error| no_json(&error))?;
        json.end().map_err(|error| {
            Wrong::whole(format!("goes on behind its end at {}: send one JSON document", place(&error)))
        })?;
        Ok(tree)
    }

    /// The parameters of a query, each a text.
    pub(super) fn of_query(text: &str) -> Self {
        let parameters = form_urlencoded::parse(text.as_bytes());
        Self::Object(
            parameters.map(|(name, value)| (name.into_owned(), Self::Text(value.into_owned()))).collect(),
        )
    }

    /// The same, of what was read already.
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(list) => Self::List(list.iter().map(Self::of_value).collect()),
            Value::Object(map) => {
                Self::Object(map.iter().map(|(name, value)| (name.clone(), Self::of_value(value))).collect())
            }
        }
    }
}

fn no_json(error: &serde_json::Error) -> Wrong {
    let place = place(error);
    Wrong::whole(match error.classify() {
        Category::Eof => format!("ends at {place}, before its JSON is complete: send all of it"),
        // Deeper than the parser follows is the one thing besides syntax that it refuses.
        Category::Syntax | Category::Data | Category::Io => {
            format!("no JSON at {place}: send a JSON document")
        }
    })
}

fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Growing)
    }
}

struct Growing;

impl<'de> Visitor<'de> for Growing {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        // JSON has no number that is none.
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Object(fields))
    }
}
