//! Says when the files changed. Editors and deployment tools replace files rather than write them, so it is the folders
//! that are watched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// A change is read when this long nothing more came: an editor writes several times.
const QUIET: Duration = Duration::from_millis(200);

/// Watches until it is dropped.
pub struct Watch {
    changes: Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches files and folders. One that is not there is told by whoever reads it.
    ///
    /// # Errors
    /// A system that has no watches left.
    pub fn new(files: &[PathBuf]) -> notify::Result<Self> {
        let (sender, changes) = channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                // One that is waiting already stands for this one too.
                let _ = sender.try_send(());
            }
        })?;
        let folders = files.iter().filter(|file| file.as_os_str() != "-").map(|file| folder(file));
        for folder in folders.filter(|folder| folder.is_dir()) {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Returns when something changed and then nothing did for a moment.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while timeout(QUIET, self.changes.recv()).await.is_ok_and(|change| change.is_some()) {}
    }
}

/// The folder that a change of `file` shows in.
fn folder(file: &Path) -> &Path {
    match file.parent() {
        _ if file.is_dir() => file,
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_watched() {
        assert!(Watch::new(&["nowhere/at/all.yaml".into(), "-".into()]).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("show.yaml");
        std::fs::write(&file, "a").unwrap();
        let mut watch = Watch::new(std::slice::from_ref(&file)).unwrap();
        for text in ["b", "c"] {
            std::fs::write(folder.path().join("new"), text).unwrap();
            std::fs::rename(folder.path().join("new"), &file).unwrap();
            timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
        }
    }
}
