//! What tests of several crates share: files that are made by code and checked in, documents whose examples are sent, and a
//! log in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what goes wrong in here is a failed test"
)]

pub mod document;

pub mod group_log;

use std::path::Path;

/// Holds a file to the text that it was made from; `BOXOFFICE_REGENERATE=1` writes it anew.
pub fn golden(file: &str, text: &str) {
    let file = Path::new(file);
    if std::env::var_os("BOXOFFICE_REGENERATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == text, "{} is not what the code gives: set BOXOFFICE_REGENERATE=1", file.display());
}
