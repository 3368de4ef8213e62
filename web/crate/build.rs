//! Puts what `vite build` left in `dist` into the crate: each file as it is, by gzip and by brotli, with its content type and
//! an entity tag. Without it (a plain `cargo build`) the tables are empty.
//!
//! There are two tables, of the same files: all of them, and those that the API's page needs, so that a worker which has that
//! page alone carries nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// What `vite build` writes.
const DIST: &str = "dist";
/// The folder of files that have a hash of their content in their names.
const HASHED: &str = "assets/";
/// Where the API's page begins.
const DOCS: &str = "docs.html";
/// A larger file is not worth minutes of an unoptimised compiler's time for its last percents.
const LARGE: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={DIST}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = BTreeMap::new();
    collect(Path::new(DIST), "", &mut files)?;
    let docs = needed_by(DOCS, &files);

    let mut code = String::new();
    for (index, (path, bytes)) in files.iter().enumerate() {
        let packed = [("gz", gzip(bytes)?), ("br", brotli(bytes)?)];
        let stored = format!("{}/{index}", out.display());
        fs::write(&stored, bytes)?;
        let mut forms = vec![];
        for (ending, packed) in packed {
            let file = format!("{stored}.{ending}");
            fs::write(&file, &packed)?;
            let worth = packed.len() < bytes.len();
            forms.push(if worth { format!("Some(include_bytes!({file:?}))") } else { "None".to_owned() });
        }
        let (content_type, hashed) = (content_type(path), path.starts_with(HASHED));
        let tag = tag(bytes);
        writeln!(
            code,
            "static ASSET_{index}: Asset = Asset {{ path: {path:?}, content_type: {content_type:?}, hashed: {hashed}, \
             tag: {tag:?}, plain: include_bytes!({stored:?}), gzip: {}, brotli: {} }};",
            forms[0], forms[1]
        )?;
    }
    table(&mut code, "EVERYTHING", "Every file, by path.", files.keys().map(|_| true))?;
    table(
        &mut code,
        "OF_DOCS",
        "What the API's page needs, by path.",
        files.keys().map(|path| docs.contains(path)),
    )?;
    Ok(fs::write(out.join("assets.rs"), code)?)
}

/// Every file below `folder`, by its path with slashes; no source maps, and nothing hidden.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Box<dyn Error>> {
    // The folder itself is checked in, but a checkout may be a package of another kind.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name =
            entry.file_name().into_string().map_err(|name| format!("{} is no UTF-8", name.display()))?;
        let is_source_map = Path::new(&name).extension().is_some_and(|ending| ending == "map");
        if name.starts_with('.') || is_source_map {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// The paths of `start` and of all files that it names, or that those name: their names have hashes, so nothing else looks
/// like them.
fn needed_by(start: &str, files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(path) = open.pop() {
        let Some(bytes) = files.get(&path) else { continue };
        if needed.insert(path) {
            let text = String::from_utf8_lossy(bytes);
            let named = files.keys().filter(|path| path.starts_with(HASHED)).filter(|path| {
                let name = path.rsplit('/').next().unwrap_or(path);
                text.contains(name)
            });
            open.extend(named.cloned());
        }
    }
    needed
}

fn table(code: &mut String, name: &str, about: &str, chosen: impl Iterator<Item = bool>) -> std::fmt::Result {
    let chosen: Vec<_> = chosen
        .enumerate()
        .filter(|(_, chosen)| *chosen)
        .map(|(index, _)| format!("&ASSET_{index}"))
        .collect();
    writeln!(code, "/// {about}\npub(crate) static {name}: &[&Asset] = &[{}];", chosen.join(", "))
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let quality = if bytes.len() > LARGE { 9 } else { 11 };
    let mut packed = vec![];
    let mut encoder = CompressorWriter::new(&mut packed, 1 << 16, quality, 22);
    encoder.write_all(bytes)?;
    drop(encoder);
    Ok(packed)
}

/// A fingerprint of the content.
fn tag(bytes: &[u8]) -> String {
    let mut tag = String::new();
    for byte in Sha256::digest(bytes).iter().take(10) {
        // Writing to a string does not fail.
        _ = write!(tag, "{byte:02x}");
    }
    tag
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
