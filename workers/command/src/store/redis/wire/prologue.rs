//! The Lua that stands before every script: names for its KEYS and ARGV, and for the words of answers, from what is
//! declared in Rust.

use std::fmt::Write;

use super::answers::ANSWERS;
use super::{ANSWER_FORMAT, ENTRY_FORMAT, RECORD_FORMAT};

/// Names for KEYS and ARGV, in order, in upper case; `REST` is the first ARGV that has none.
pub fn names(keys: &[&str], args: &[&str]) -> String {
    let mut lua = String::new();
    declare(&mut lua, "KEYS", keys);
    declare(&mut lua, "ARGV", args);
    let _ = writeln!(lua, "local REST = {}", args.len() + 1);
    lua
}

fn declare(lua: &mut String, from: &str, names: &[&str]) {
    if !names.is_empty() {
        let names_in_lua: Vec<_> = names.iter().map(|name| name.to_uppercase()).collect();
        let _ = writeln!(lua, "local {} = unpack({from}, 1, {})", names_in_lua.join(", "), names.len());
    }
}

/// The formats, and the names of every answer's words.
pub fn constants() -> String {
    let mut lua = format!(
        "local ENTRY_FORMAT, RECORD_FORMAT, ANSWER_FORMAT = {ENTRY_FORMAT}, {RECORD_FORMAT}, {ANSWER_FORMAT}\n\
         local ANSWERS = {{"
    );
    for (kind, fields) in ANSWERS {
        let fields: Vec<_> = fields.iter().map(|field| format!("'{field}'")).collect();
        let _ = write!(lua, "{kind} = {{{}}}, ", fields.join(", "));
    }
    lua.push_str("}\n");
    lua
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_order() {
        let lua = names(&["meta", "outbox"], &["token", "upto"]);
        let expected = "local META, OUTBOX = unpack(KEYS, 1, 2)\nlocal TOKEN, UPTO = unpack(ARGV, 1, 2)\nlocal REST = 3\n";
        assert_eq!(lua, expected);
        assert_eq!(names(&[], &[]), "local REST = 1\n");
    }
}
