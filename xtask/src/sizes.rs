//! File sizes: past 700 lines a source file is a defect (tests apart).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::run::root;

const LINES_MAX: usize = 700;

/// Fails with the list of files that are too long.
pub(crate) fn check() -> Result<()> {
    let mut long = Vec::new();
    for folder in ["crates", "plugins", "testing", "benches", "xtask"] {
        walk(&root().join(folder), &mut |path, text| {
            let code = text
                .split("\n#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or(text);
            let lines = code.lines().count();
            if lines > LINES_MAX {
                long.push(format!("{} has {lines} lines", path.display()));
            }
        })?;
    }
    if !long.is_empty() {
        bail!(
            "files over {LINES_MAX} lines, split them by concept:\n{}",
            long.join("\n")
        );
    }
    Ok(())
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path, &str)) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if !["target", "tests", "golden"].contains(&name) {
                walk(&path, visit)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            visit(&path, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_source_file_is_too_long() {
        super::check().unwrap();
    }
}
