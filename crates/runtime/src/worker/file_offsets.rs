//! The source offsets of a standalone worker in one file, in Java's format, so that either program can go on where
//! the other stopped (`FileOffsetBackingStore`, spec `distributed.md` 1.6.2).

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ConnectError;
use milena_core::offsets::OffsetStore;
use milena_data::SourceMap;
use tracing::warn;

use super::{
    java_map::{self, ByteMap},
    kafka_offsets::{OffsetBook, SharedOffsets, apply},
};
use crate::task::{OffsetWrite, SourceOffsets};

/// The offsets file and what it holds.
pub(super) struct FileOffsets {
    path: PathBuf,
    store: SharedOffsets,
    /// What the file holds; the lock is held while the file is written, so that writes do not cross.
    map: Arc<tokio::sync::Mutex<ByteMap>>,
}

impl FileOffsets {
    /// Reads the file; one that is missing or empty holds nothing.
    ///
    /// # Errors
    /// It cannot be read, or is something else: refused, never started from zero silently.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let map = match std::fs::read(path) {
            Ok(bytes) if bytes.is_empty() => ByteMap::new(),
            Ok(bytes) => java_map::read(&bytes).map_err(|error| {
                format!(
                    "the offsets file {} cannot be used: {error}; restore it or move it away to start without offsets",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ByteMap::new(),
            Err(error) => {
                return Err(format!("the offsets file {} cannot be read: {error}", path.display()));
            }
        };
        let store = Arc::new(Mutex::new(OffsetStore::new()));
        for (key, value) in &map {
            apply(&store, Some(key), value.as_deref());
        }
        Ok(Self {
            path: path.to_owned(),
            store,
            map: Arc::new(tokio::sync::Mutex::new(map)),
        })
    }
}

#[async_trait]
impl SourceOffsets for FileOffsets {
    async fn read(
        &self,
        connector: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = |partition| store.offset(connector, partition).cloned();
        Ok(partitions.iter().map(offset).collect())
    }

    async fn write(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        let mut map = self.map.lock().await;
        let mut changed = map.clone();
        for entry in &entries {
            changed.insert(entry.key.to_vec(), entry.value.as_ref().map(|v| v.to_vec()));
        }
        let (path, stream) = (self.path.clone(), java_map::write(&changed));
        let written = tokio::task::spawn_blocking(move || replace(&path, &stream)).await;
        let failed = |error: String| {
            warn!(path = %self.path.display(), error, "writing the offsets file failed");
            ConnectError::connect(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ))
        };
        written
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        // OffsetNeverAhead: nobody reads an offset that the file does not hold yet.
        *map = changed;
        for entry in &entries {
            apply(&self.store, Some(&entry.key), entry.value.as_deref());
        }
        Ok(())
    }

    fn stored_key(&self, connector: &str, partition: &SourceMap) -> Option<Bytes> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let key = store.stored_key(connector, Some(partition))?;
        Some(Bytes::copy_from_slice(key))
    }

    fn topic(&self) -> Option<&str> {
        None
    }
}

#[async_trait]
impl OffsetBook for FileOffsets {
    async fn look(&self, _: &str) -> Result<SharedOffsets, ConnectError> {
        Ok(Arc::clone(&self.store))
    }

    async fn change(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        self.write(entries).await
    }
}

/// Replaces the file by a new one, whole or not at all: a full disk or a crash leaves the old one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use milena_data::Value;

    use super::*;

    fn partition() -> SourceMap {
        SourceMap::from_iter([("filename".into(), Value::from("/in"))])
    }

    fn write(value: Option<&str>) -> Vec<OffsetWrite> {
        vec![OffsetWrite {
            key: br#"["c",{"filename":"/in"}]"#.as_slice().into(),
            value: value.map(|text| Bytes::copy_from_slice(text.as_bytes())),
        }]
    }

    #[tokio::test]
    async fn offsets_survive_and_a_broken_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("connect.offsets");
        let offsets = FileOffsets::open(&path).unwrap();
        offsets
            .write(write(Some(r#"{"position":7}"#)))
            .await
            .unwrap();

        let again = FileOffsets::open(&path).unwrap();
        let read = again.read("c", &[partition()]).await.unwrap();
        let position = read[0].as_ref().and_then(|offset| offset.get("position"));
        assert!(matches!(position, Some(Value::Int64(7))));
        again.write(write(None)).await.unwrap();
        let read = FileOffsets::open(&path)
            .unwrap()
            .read("c", &[partition()])
            .await;
        assert!(read.unwrap()[0].is_none());

        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(FileOffsets::open(&path).is_err());
        std::fs::write(&path, b"").unwrap();
        assert!(FileOffsets::open(&path).is_ok());
    }
}
