//! Which files are meant, and their text: as `kubectl -f` takes them. A folder is searched, its folders are not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How a file of a folder must end to be read.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The name of standard input.
const STDIN: &str = "-";

/// Why resources cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder that the system does not give.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// As it was given.
        path: String,
        /// The system's own words.
        source: io::Error,
    },
    /// A file in another encoding, or no text at all.
    #[error("{0} is no UTF-8: save it as UTF-8")]
    NoText(String),
    /// A folder without a file to read.
    #[error("{0} has no file that ends in .yaml, .yml or .json: name another folder, or a file")]
    Empty(String),
    /// The two kinds' own schema is none, which is a fault of this program.
    #[error("the schema of the two kinds cannot be used: {0}")]
    Schema(String),
}

/// A file's text.
pub(super) struct Text {
    /// The file, as it was given.
    pub file: String,
    /// Its content.
    pub content: String,
}

/// Reads them in the order given, the files of a folder by name, each once.
pub(super) fn read(sources: &[PathBuf]) -> Result<Vec<Text>, ReadError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for source in sources {
        for file in files_of(source)? {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files.iter().map(|file| text(file)).collect()
}

fn files_of(source: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if !source.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let entries = fs::read_dir(source).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| unreadable(source, error))?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|path| is_meant(path)).collect();
    files.sort();
    if files.is_empty() {
        return Err(ReadError::Empty(source.display().to_string()));
    }
    Ok(files)
}

fn is_meant(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|found| ENDINGS.iter().any(|ending| found == *ending))
}

fn text(file: &Path) -> Result<Text, ReadError> {
    let content = if file == Path::new(STDIN) { stdin() } else { fs::read_to_string(file) };
    let content = content.map_err(|error| unreadable(file, error))?;
    Ok(Text { file: file.display().to_string(), content })
}

/// It ends once: whoever reads the sources again is given the same.
fn stdin() -> io::Result<String> {
    static READ: OnceLock<String> = OnceLock::new();
    if let Some(content) = READ.get() {
        return Ok(content.clone());
    }
    let content = io::read_to_string(io::stdin())?;
    Ok(READ.get_or_init(|| content).clone())
}

fn unreadable(path: &Path, source: io::Error) -> ReadError {
    let path = path.display().to_string();
    if source.kind() == io::ErrorKind::InvalidData {
        return ReadError::NoText(path);
    }
    ReadError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[Text]) -> Vec<&str> {
        texts.iter().map(|text| text.file.rsplit('/').next().unwrap()).collect()
    }

    #[test]
    fn a_folder_gives_its_yaml_and_json_files_by_name_and_not_those_below() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below.yaml")).unwrap();
        for name in ["b.yml", "c.json", "a.yaml", "README.md", "below.yaml/d.yaml"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let given = [folder.path().to_owned(), folder.path().join("a.yaml")];
        assert_eq!(names(&read(&given).unwrap()), ["a.yaml", "b.yml", "c.json"], "each once");
        assert_eq!(
            names(&read(&[folder.path().join("README.md")]).unwrap()),
            ["README.md"],
            "a file is read"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: PathBuf| read(&[path]).map(|_| ()).unwrap_err().to_string();
        assert!(error(folder.path().join("absent.yaml")).contains("absent.yaml cannot be read"));
        assert!(error(folder.path().to_owned()).contains("has no file that ends in .yaml"));
        fs::write(folder.path().join("latin.yaml"), b"title: caf\xe9").unwrap();
        assert!(
            error(folder.path().join("latin.yaml")).ends_with("latin.yaml is no UTF-8: save it as UTF-8")
        );
    }
}
