//! Pages for what a run writes.
//!
//! A virtual machine gives memory back to its host that it has not used for a while, and a page that it needs anew takes the
//! host 6 to 25 µs: half of what a broker takes to write a log. `psql` writes the same file again and again, whose pages are at
//! hand; a topic is a new file each time. So both find as many pages as they need.

use std::{fs, io::Write as _, path::Path};

use anyhow::Result;

/// Bytes that are written at once.
const BLOCK: usize = 1 << 20;
/// For a row, in the largest of the logs and tables that are written, with as much for buffers on the way.
const ROW: u64 = 1000;

/// Takes pages for so many rows from the machine's host, and leaves them to whoever comes next.
pub(crate) fn have(dir: &Path, rows: u64) -> Result<()> {
    let path = dir.join("pages");
    let mut file = fs::File::create(&path)?;
    let block = vec![0; BLOCK];
    let mut left = rows * ROW;
    while left > 0 {
        file.write_all(&block)?;
        left = left.saturating_sub(BLOCK as u64);
    }
    drop(file);
    fs::remove_file(path)?;
    Ok(())
}
