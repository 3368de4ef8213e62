//! Where a service's data is: in the folder that was named, each service in one of its own, or in one that goes with
//! the process.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;
use crate::platform::declared::Declared;

/// The folder of one service's data.
#[derive(Debug)]
pub enum Folder {
    /// It stays.
    Kept(PathBuf),
    /// It is removed at the end.
    Temporary(TempDir),
}

impl Folder {
    /// The folder of a service below `data_dir`, or a temporary one.
    ///
    /// # Errors
    /// A temporary folder that cannot be made.
    pub fn of(data_dir: Option<&Path>, declared: &Declared) -> Result<Self, Failure> {
        Ok(match data_dir {
            // Neither of the names has a dot.
            Some(data_dir) => {
                let service = &declared.service;
                Self::Kept(data_dir.join(format!("{}.{}", service.namespace, service.name)))
            }
            None => Self::Temporary(tempfile::Builder::new().prefix("boxoffice-local-").tempdir()?),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
