//! Files of the log: a bounded set of open descriptors, replacement by rename, and recycled read
//! buffers.
//!
//! Must never hold more descriptors than the pool's limit by more than the number of operations in
//! flight, and never leave a half-written file under a final name.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// Locks, also after a panic elsewhere: every critical section leaves its data consistent.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `bytes` under `path`, which holds either its old content or the new one at any moment.
/// With `sync` also across a loss of power.
pub(super) fn replace_file(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)?;
    if sync && let Some(dir) = path.parent() {
        sync_dir(dir)?;
    }
    Ok(())
}

/// Makes names created, renamed or removed in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes a file that may be gone already.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The descriptors of all segment files, at most `limit` kept open (second-chance eviction).
#[derive(Debug)]
pub(super) struct FilePool {
    limit: usize,
    open: Mutex<VecDeque<Weak<Slot>>>,
}

#[derive(Debug, Default)]
struct Slot {
    file: Mutex<Option<Arc<File>>>,
    used: AtomicBool,
}

impl FilePool {
    pub(super) fn new(limit: usize) -> Arc<FilePool> {
        Arc::new(FilePool {
            limit: limit.max(1),
            open: Mutex::new(VecDeque::new()),
        })
    }

    fn opened(&self, slot: &Arc<Slot>) {
        let mut open = lock(&self.open);
        open.push_back(Arc::downgrade(slot));
        // Each slot is looked at no more than twice, so a pool of busy files ends the search.
        let mut chances = open.len() * 2;
        while open.len() > self.limit && chances > 0 {
            chances -= 1;
            let Some(candidate) = open.pop_front() else {
                break;
            };
            let Some(alive) = candidate.upgrade() else {
                continue;
            };
            if Arc::ptr_eq(&alive, slot) || alive.used.swap(false, Ordering::Relaxed) {
                open.push_back(candidate);
            } else if let Ok(mut file) = alive.file.try_lock() {
                *file = None;
            } else {
                open.push_back(candidate);
            }
        }
    }
}

/// A file opened for reading and appending when it is needed.
#[derive(Debug, Clone)]
pub(super) struct PooledFile {
    path: Arc<Path>,
    slot: Arc<Slot>,
    pool: Arc<FilePool>,
}

impl PooledFile {
    pub(super) fn new(path: PathBuf, pool: &Arc<FilePool>) -> PooledFile {
        PooledFile {
            path: path.into(),
            slot: Arc::default(),
            pool: Arc::clone(pool),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file. A holder of the `Arc` keeps reading the same file after it was evicted,
    /// replaced or removed.
    pub(super) fn get(&self) -> io::Result<Arc<File>> {
        let mut slot = lock(&self.slot.file);
        if let Some(file) = slot.as_ref() {
            self.slot.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(
            OpenOptions::new()
                .read(true)
                .append(true)
                .open(&self.path)?,
        );
        *slot = Some(Arc::clone(&file));
        drop(slot);
        self.pool.opened(&self.slot);
        Ok(file)
    }

    /// Forgets the open descriptor, so that the next use opens what the name then stands for.
    pub(super) fn forget(&self) {
        *lock(&self.slot.file) = None;
    }
}

/// Read buffers that come back when their last [`Bytes`] is dropped: a fetch neither zeroes nor
/// faults in fresh pages.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
}

/// Buffers kept for reuse.
const POOLED_BUFFERS_MAX: usize = 4;
/// Largest buffer kept; above it a fetch is rare and its cost is the copy.
const POOLED_BUFFER_LEN_MAX: usize = 1 << 20;
/// Smallest buffer worth pooling.
const POOLED_BUFFER_LEN_MIN: usize = 32 << 10;

/// A buffer out of the pool.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    pool: Arc<BufferPool>,
}

impl BufferPool {
    /// A buffer of `len` bytes with unspecified content.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let pooled = (POOLED_BUFFER_LEN_MIN..=POOLED_BUFFER_LEN_MAX).contains(&len);
        let recycled = if pooled {
            let mut free = lock(&self.free);
            free.iter()
                .position(|buffer| buffer.len() >= len)
                .map(|at| free.swap_remove(at))
        } else {
            None
        };
        let bytes =
            recycled.unwrap_or_else(|| vec![0; if pooled { len.next_power_of_two() } else { len }]);
        Buffer {
            bytes,
            len,
            pool: Arc::clone(self),
        }
    }
}

impl Buffer {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The first `len` bytes, shared.
    pub(super) fn into_bytes(mut self, len: usize) -> Bytes {
        self.len = len.min(self.len);
        if self.len == 0 {
            return Bytes::new();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let len = self.bytes.len();
        if (POOLED_BUFFER_LEN_MIN..=POOLED_BUFFER_LEN_MAX).contains(&len) {
            let mut free = lock(&self.pool.free);
            if free.len() < POOLED_BUFFERS_MAX {
                free.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}
