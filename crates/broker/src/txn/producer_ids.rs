//! Producer ids: never given twice, also after `kill -9`. A block is reserved on disk before its ids are
//! given out.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const BLOCK: i64 = 1000;

/// Gives out producer ids.
pub(super) struct ProducerIds {
    path: PathBuf,
    next: i64,
    reserved: i64,
}

impl ProducerIds {
    pub(super) fn load(dir: &Path) -> io::Result<Self> {
        let path = dir.join("producer-ids");
        let reserved = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} does not hold a number", path.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            next: reserved,
            reserved,
        })
    }

    pub(super) fn take(&mut self) -> io::Result<i64> {
        if self.next >= self.reserved {
            let reserved = self.next + BLOCK;
            let new = self.path.with_extension("new");
            fs::write(&new, reserved.to_string())?;
            fs::rename(&new, &self.path)?;
            self.reserved = reserved;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}
