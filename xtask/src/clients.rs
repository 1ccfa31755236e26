//! Clients of Kafka Connect that others wrote, installed under the target directory through the registries'
//! ordinary clients: PyPI, npm, Maven. Which and in which version stands in `crates/milena/tests/clients`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::run::{answers, root, step, target_dir};

/// Where they are installed.
pub(crate) fn folder() -> PathBuf {
    target_dir().join("clients")
}

/// Installs what is not there yet; what could not be had, by the variable that tells the tests of it.
pub(crate) fn install() -> Vec<(&'static str, String)> {
    let mut missing = Vec::new();
    let mut note = |variable, what: &str, outcome: Result<()>| {
        if let Err(error) = outcome {
            missing.push((variable, format!("{what} ({error:#})")));
        }
    };
    note(
        "MILENA_NO_PYTHON",
        "the Python clients: python3 with venv (Debian package python3-venv) and PyPI",
        once("python", "requirements.txt", python),
    );
    let npm = match answers("npm", "--version") {
        true => once("npm", "package.json", npm),
        false => Err(anyhow::anyhow!("there is no npm")),
    };
    note(
        "MILENA_NO_NPM",
        "the client of npm: node and npm (Debian package npm)",
        npm,
    );
    note(
        "MILENA_NO_MAVEN_CLIENT",
        "the client of Maven Central: mvn (Debian package maven)",
        once("maven", "pom.xml", maven),
    );
    missing
}

/// Runs an installation unless it was done before from the same list.
fn once(name: &str, list: &str, install: fn(&Path, &Path) -> Result<()>) -> Result<()> {
    let list = root().join("crates/milena/tests/clients").join(list);
    let wanted =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let (folder, stamp) = (folder().join(name), folder().join(name).join(".installed"));
    if fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    install(&folder, &list)?;
    Ok(fs::write(stamp, wanted)?)
}

fn python(folder: &Path, list: &Path) -> Result<()> {
    step(
        "python3 -m venv",
        Command::new("python3").args(["-m", "venv"]).arg(folder),
    )?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    step("pip install", pip.arg(list))
}

fn npm(folder: &Path, list: &Path) -> Result<()> {
    fs::copy(list, folder.join("package.json"))?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ]);
    step("npm install", npm.arg(folder))
}

fn maven(folder: &Path, list: &Path) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(list);
    maven.arg("dependency:copy-dependencies");
    maven.arg(format!(
        "-DoutputDirectory={}",
        folder.join("lib").display()
    ));
    step("mvn dependency:copy-dependencies", &mut maven)
}
