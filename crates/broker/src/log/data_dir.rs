//! The directory a store lives in: creation, lock, format version, deleted topics.
//!
//! Must never touch a directory that is not ours, or one of a newer program.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;
use uuid::Uuid;

use super::files::{replace_file, sync_dir};

/// Format this program writes.
const FORMAT: u32 = 1;
const FORMAT_PREFIX: &str = "milena-broker-log ";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("data directory {} is in use by another process: stop it or choose another directory", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// It was written by a newer program.
    #[error("data directory {} has format {found}, this program knows up to {supported}: use the newer program or an empty directory", .dir.display())]
    NewerFormat {
        /// The directory.
        dir: PathBuf,
        /// Format found.
        found: u32,
        /// Newest format known.
        supported: u32,
    },
    /// It cannot be created or written.
    #[error("data directory {} is not writable: {source}; check its owner and that the disk is not full", .dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} is not a data directory of this program: {reason}; choose an empty directory", .dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file in it cannot be read.
    #[error("data directory {} cannot be read: {source}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A locked data directory.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Holds the lock until it is dropped.
    _lock: File,
}

impl DataDir {
    pub(super) fn open(path: &Path) -> Result<DataDir, OpenError> {
        let not_writable = |source| OpenError::NotWritable {
            dir: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(not_writable)?;
        let io = |source| OpenError::Io {
            dir: path.to_owned(),
            source,
        };
        let fresh = check_format(path)?;
        if fresh {
            check_empty(path)?;
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    dir: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        fs::create_dir_all(path.join("topics")).map_err(not_writable)?;
        if fresh {
            let text = format!("{FORMAT_PREFIX}{FORMAT}\n");
            replace_file(&path.join("format"), text.as_bytes(), true).map_err(not_writable)?;
        }
        Ok(DataDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn topics(&self) -> PathBuf {
        self.path.join("topics")
    }

    fn deleted(&self) -> PathBuf {
        self.path.join("deleted")
    }

    /// Moves a topic out of the way, durably.
    pub(super) fn set_aside(&self, name: &str, id: Uuid) -> io::Result<()> {
        fs::create_dir_all(self.deleted())?;
        fs::rename(
            self.topics().join(name),
            self.deleted().join(id.to_string()),
        )?;
        sync_dir(&self.topics())
    }

    /// Removes the files of deleted topics; what cannot be removed now is tried at the next start.
    pub(super) fn sweep_deleted(&self) {
        match fs::remove_dir_all(self.deleted()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(dir = %self.deleted().display(), %error, "deleted topics not removed yet");
            }
            _ => {}
        }
    }
}

/// Whether the directory has no format yet; an error if it has another.
fn check_format(path: &Path) -> Result<bool, OpenError> {
    let text = match fs::read_to_string(path.join("format")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(source) => {
            return Err(OpenError::Io {
                dir: path.to_owned(),
                source,
            });
        }
    };
    let found = text
        .trim()
        .strip_prefix(FORMAT_PREFIX.trim_end())
        .and_then(|number| number.trim().parse::<u32>().ok());
    match found {
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
            dir: path.to_owned(),
            found,
            supported: FORMAT,
        }),
        Some(_) => Ok(false),
        None => Err(OpenError::Foreign {
            dir: path.to_owned(),
            reason: "its format file says something else".to_owned(),
        }),
    }
}

/// Refuses a directory in which somebody else keeps files.
fn check_empty(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io {
        dir: path.to_owned(),
        source,
    };
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        // What a start cut short leaves, and what file systems put at their root.
        let ours = ["lock", "topics", "format.tmp", "lost+found"];
        if !ours.iter().any(|known| name == *known) {
            return Err(OpenError::Foreign {
                dir: path.to_owned(),
                reason: format!("it holds {}", name.display()),
            });
        }
    }
    Ok(())
}
