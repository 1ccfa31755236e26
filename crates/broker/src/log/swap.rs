//! Replacing a run of sealed segments by a compacted one, so that a crash at any moment leaves
//! either the old run or the new segment.
//!
//! 1. The new segment is written and synced as `<base>.cleaned`.
//! 2. It is renamed to `<base>-<end>.swap`: from here on it counts. `end` is the base of the first
//!    segment that stays.
//! 3. The segments with a base in `base..end` and their side files go.
//! 4. It is renamed to `<base>.log`.
//!
//! An open repeats 3 and 4. Answers to Java's `.cleaned` and `.swap` files; the end is in the name
//! because the offsets inside need not reach it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{remove_if_there, sync_dir};
use super::segment::{aborted_path, index_path, log_path};

/// Where the compacted segment is written.
pub(super) fn cleaned_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.cleaned"))
}

fn swap_path(dir: &Path, base: i64, end: i64) -> PathBuf {
    dir.join(format!("{base:020}-{end:020}.swap"))
}

/// Makes the synced file of [`cleaned_path`] the one that counts for `base..end`. Slow: the directory
/// is synced.
pub(super) fn commit(dir: &Path, base: i64, end: i64) -> io::Result<()> {
    fs::rename(cleaned_path(dir, base), swap_path(dir, base, end))?;
    sync_dir(dir)
}

/// Puts the committed file in place of the segments with the bases `replaced`. Quick: done again on
/// open if it is lost.
pub(super) fn replace(dir: &Path, base: i64, end: i64, replaced: &[i64]) -> io::Result<()> {
    install(dir, base, &swap_path(dir, base, end), replaced)
}

/// Finishes or undoes what a crash interrupted.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    let mut bases = Vec::new();
    let mut swaps = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if name.ends_with(".cleaned") {
            remove_if_there(&entry.path())?;
        } else if let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) {
            bases.push(base);
        } else if let Some(range) = name.strip_suffix(".swap").and_then(parse_range) {
            swaps.push((range, entry.path()));
        }
    }
    for ((base, end), swap) in swaps {
        let replaced: Vec<i64> = bases
            .iter()
            .copied()
            .filter(|other| (base..end).contains(other))
            .collect();
        install(dir, base, &swap, &replaced)?;
    }
    Ok(())
}

fn parse_range(name: &str) -> Option<(i64, i64)> {
    let (base, end) = name.split_once('-')?;
    Some((base.parse().ok()?, end.parse().ok()?))
}

fn install(dir: &Path, base: i64, swap: &Path, replaced: &[i64]) -> io::Result<()> {
    for other in replaced {
        remove_if_there(&index_path(dir, *other))?;
        remove_if_there(&aborted_path(dir, *other))?;
        if *other != base {
            remove_if_there(&log_path(dir, *other))?;
        }
    }
    fs::rename(swap, log_path(dir, base))
}
