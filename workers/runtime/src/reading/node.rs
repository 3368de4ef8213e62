//! From a tree to a type. It looks at what is wanted before it hands anything out, so that it is here where something does
//! not fit, and the words about it are ours.

use std::slice;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::tree::Tree;
use super::words::not_allowed;
use super::wrong::Wrong;

/// Where a tree is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// JSON: a number is a number.
    Document,
    /// A query, in which everything is a text.
    Query,
}

/// A part of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    tree: &'a Tree,
    source: Source,
}

impl<'a> Node<'a> {
    pub(super) fn new(tree: &'a Tree, source: Source) -> Self {
        Self { tree, source }
    }

    fn fail<T>(self, wanted: &str) -> Result<T, Wrong> {
        let given = match self.tree {
            Tree::Null => "null".to_owned(),
            Tree::Bool(value) => value.to_string(),
            Tree::Number(number) => number.to_string(),
            Tree::Text(text) => quoted(text),
            Tree::List(_) => "a list".to_owned(),
            Tree::Object(_) => "an object".to_owned(),
        };
        Err(Wrong::here(format!("must be {wanted}, but is {given}")))
    }

    /// The whole number between the two; `least` is what its field can be at least.
    fn whole(self, least: i128, most: i128) -> Result<i128, Wrong> {
        let number = match self.tree {
            Tree::Number(number) => number.as_i128().or_else(|| as_whole(number.as_f64()?)),
            Tree::Text(text) if self.source == Source::Query => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if number > most => self.fail(&format!("a whole number of at most {most}")),
            Some(number) if number >= least.min(0) => Ok(number),
            _ if least <= i128::from(i64::MIN) => self.fail("a whole number"),
            _ => self.fail(&format!("a whole number of at least {least}")),
        }
    }
}

/// `7.0` is as whole as `7`, to JSON and to its schemas, as far as a float can tell one whole number from the next.
#[expect(clippy::cast_possible_truncation, reason = "whole, and far smaller")]
fn as_whole(number: f64) -> Option<i128> {
    const FURTHEST: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < FURTHEST).then_some(number as i128)
}

/// A text as one says it, cut off where it is long.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A whole number of some width; `$least` is what is told.
macro_rules! whole {
    ($($method:ident $visit:ident $type:ty, $least:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let number = self.whole($least, i128::from(<$type>::MAX))?;
            match <$type>::try_from(number) {
                Ok(number) => visitor.$visit(number),
                Err(_) => self.fail(&format!("a whole number of at least {}", <$type>::MIN)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.tree {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Tree::Text(text) => visitor.visit_str(text),
            Tree::List(_) => self.deserialize_seq(visitor),
            Tree::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match (self.tree, self.source) {
            (Tree::Bool(value), _) => visitor.visit_bool(*value),
            (Tree::Text(text), Source::Query) if text == "true" => visitor.visit_bool(true),
            (Tree::Text(text), Source::Query) if text == "false" => visitor.visit_bool(false),
            _ => self.fail("true or false"),
        }
    }

    // What has 32 bits in this API is a count or a duration, and 0 of it is never what is wanted.
    whole! {
        deserialize_u8 visit_u8 u8, 0;
        deserialize_u16 visit_u16 u16, 0;
        deserialize_u32 visit_u32 u32, 1;
        deserialize_u64 visit_u64 u64, 0;
        deserialize_i8 visit_i8 i8, i128::from(i8::MIN);
        deserialize_i16 visit_i16 i16, i128::from(i16::MIN);
        deserialize_i32 visit_i32 i32, i128::from(i32::MIN);
        deserialize_i64 visit_i64 i64, i128::from(i64::MIN);
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let number = match self.tree {
            Tree::Number(number) => number.as_f64(),
            Tree::Text(text) if self.source == Source::Query => text.parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite())
            .map_or_else(|| self.fail("a number"), |n| visitor.visit_f64(n))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.tree {
            Tree::Text(text) => visitor.visit_str(text),
            Tree::Number(_) | Tree::Bool(_) => self.fail("a text, in quotes"),
            Tree::Null | Tree::List(_) | Tree::Object(_) => self.fail("a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if *self.tree == Tree::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.tree {
            Tree::List(entries) => {
                visitor.visit_seq(Entries { rest: entries.iter(), index: 0, source: self.source })
            }
            _ => self.fail("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.tree {
            Tree::Object(fields) => {
                visitor.visit_map(Fields { rest: fields.iter(), field: None, source: self.source })
            }
            _ => self.fail("an object"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.tree {
            Tree::Text(word) if variants.contains(&word.as_str()) => {
                visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(word.as_str()))
            }
            Tree::Text(word) => Err(Wrong::here(not_allowed(&quoted(word), word, variants))),
            Tree::Object(fields) if fields.len() == 1 => {
                let fields = Fields { rest: fields.iter(), field: None, source: self.source };
                visitor.visit_enum(MapAccessDeserializer::new(fields))
            }
            _ => self.fail("a text"),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct identifier }
}

struct Entries<'a> {
    rest: slice::Iter<'a, Tree>,
    index: usize,
    source: Source,
}

impl<'de> SeqAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let Some(tree) = self.rest.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Node::new(tree, self.source)).map(Some).map_err(|wrong| wrong.in_entry(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Fields<'a> {
    rest: slice::Iter<'a, (String, Tree)>,
    field: Option<&'a (String, Tree)>,
    source: Source,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        self.field = self.rest.next();
        let Some((name, _)) = self.field else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let Some((name, tree)) = self.field else { return Err(Wrong::here("has no value")) };
        seed.deserialize(Node::new(tree, self.source)).map_err(|wrong| wrong.in_field(name))
    }
}
