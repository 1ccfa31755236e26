//! Where connectors may go when the worker's file says so: the directories of their files (`milena.file.allowed.paths`) and
//! the hosts of their databases (`milena.egress.allowed.hosts`). Without these keys nothing is confined, as in Java.
//!
//! A configuration that leaves its bounds is refused before it is stored. Never lets through what it cannot read.

use std::path::{Component, Path, PathBuf};

use milena_api::ConnectError;
use milena_config::Props;

const PATHS: &str = "milena.file.allowed.paths";
const HOSTS: &str = "milena.egress.allowed.hosts";

/// The keys of built-in connectors that name a file.
const FILE: &str = "file";
/// The key that names a database.
const URL: &str = "connection.url";

/// The bounds of a worker's connectors.
pub(crate) struct Bounds {
    paths: Option<Vec<PathBuf>>,
    hosts: Option<Vec<String>>,
}

fn list<'a>(props: &'a Props, name: &str) -> Option<Vec<&'a str>> {
    let items = props.get(name)?.split(',').map(str::trim);
    Some(items.filter(|item| !item.is_empty()).collect())
}

impl Bounds {
    /// Reads the bounds from a worker's configuration.
    ///
    /// # Errors
    /// A directory that is not there: a bound that cannot be kept is none.
    pub(crate) fn of(worker: &Props) -> Result<Self, ConnectError> {
        let directory = |path: &str| {
            std::fs::canonicalize(path).map_err(|error| {
                ConnectError::connect(format!(
                    "{PATHS} names {path}, which cannot be used: {error}; create it or take it out"
                ))
            })
        };
        let paths = list(worker, PATHS);
        let paths = paths.map(|paths| paths.into_iter().map(directory).collect::<Result<_, _>>());
        let hosts = list(worker, HOSTS);
        Ok(Self {
            paths: paths.transpose()?,
            hosts: hosts.map(|hosts| hosts.into_iter().map(str::to_lowercase).collect()),
        })
    }

    /// What of a connector's configuration, variables resolved, leaves the bounds: keys and what to say of them.
    pub(crate) fn check(&self, class: &str, config: &Props) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let is_file = class.starts_with("org.apache.kafka.connect.file.");
        if let Some(path) = config.get(FILE).filter(|_| is_file) {
            found.extend(self.path(path).map(|text| (FILE, text)));
        }
        if let Some(url) = config.get(URL) {
            let url = url.trim();
            match url.strip_prefix("jdbc:sqlite:") {
                Some(path) => found.extend(self.path(path).map(|text| (URL, text))),
                None => found.extend(self.url(url).map(|text| (URL, text))),
            }
        }
        found
    }

    fn path(&self, path: &str) -> Option<String> {
        let allowed = self.paths.as_ref()?;
        let inside = real(Path::new(path.trim()))
            .is_some_and(|path| allowed.iter().any(|allowed| path.starts_with(allowed)));
        (!inside).then(|| {
            format!("The file is outside of the directories that the worker allows ({PATHS}).")
        })
    }

    fn url(&self, url: &str) -> Option<String> {
        let allowed = self.hosts.as_ref()?;
        let is_allowed = |host: &str| {
            let host = host.to_lowercase();
            let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((address, _)) => address,
                None => host.split(':').next().unwrap_or_default(),
            };
            !name.is_empty() && allowed.iter().any(|one| *one == host || one == name)
        };
        let fine = match url.split_once("://") {
            Some((_, rest)) => {
                let authority = rest.split(['/', '?', ';']).next().unwrap_or_default();
                let hosts = authority.rsplit('@').next().unwrap_or_default();
                hosts.split(',').all(is_allowed)
            }
            // The short forms mean this machine.
            None => is_allowed("localhost"),
        };
        (!fine).then(|| format!("The host is none of those that the worker allows ({HOSTS})."))
    }
}

/// The path with every link followed; what is not there yet is taken as it is written, without `..`.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    let mut there = path.as_path();
    loop {
        if let Ok(found) = std::fs::canonicalize(there) {
            return Some(
                missing
                    .iter()
                    .rev()
                    .fold(found, |path, part| path.join(part)),
            );
        }
        // A link that leads nowhere yet would be followed by whoever creates the file.
        if there.is_symlink() {
            return None;
        }
        match there.components().next_back()? {
            Component::Normal(name) => missing.push(name),
            _ => return None,
        }
        there = there.parent()?;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use milena_config::Props;

    use super::{Bounds, HOSTS, PATHS};

    fn props(pairs: &[(&str, &str)]) -> Props {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("milena-confine-{}", std::process::id()));
        fs::create_dir_all(folder.join("in")).unwrap();
        folder
    }

    #[test]
    fn files_stay_in_the_directories_that_are_allowed() {
        let folder = folder();
        let inside = folder.join("in");
        let inside = inside.to_str().unwrap();
        let bounds = Bounds::of(&props(&[(PATHS, inside)])).unwrap();
        let refused = |file: &str| {
            let class = "org.apache.kafka.connect.file.FileStreamSinkConnector";
            let sqlite = format!("jdbc:sqlite:{file}");
            let of_file = bounds.check(class, &props(&[("file", file)])).len();
            let of_url = bounds
                .check("x.Jdbc", &props(&[("connection.url", &sqlite)]))
                .len();
            assert_eq!(of_file, of_url, "{file}");
            of_file == 1
        };
        assert!(!refused(&format!("{inside}/a")));
        assert!(!refused(&format!("{inside}/new/b")));
        assert!(refused("/etc/passwd"));
        assert!(refused(&format!("{inside}/../a")));
        assert!(refused(&format!("{inside}/../in2/a")));
        assert!(refused(&format!("{inside}-more/a")));
        assert!(refused("relative"));
        assert!(refused(""));
        #[cfg(unix)]
        {
            let link = format!("{inside}/link");
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink("/etc", &link).unwrap();
            assert!(refused(&format!("{link}/passwd")));
            let dangling = format!("{inside}/dangling");
            let _ = fs::remove_file(&dangling);
            std::os::unix::fs::symlink("/nowhere/x", &dangling).unwrap();
            assert!(refused(&dangling));
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn databases_are_on_the_hosts_that_are_allowed() {
        let bounds = Bounds::of(&props(&[(HOSTS, "db.example, other:5433,::1")])).unwrap();
        let refused = |url: &str| {
            !bounds
                .check("x", &props(&[("connection.url", url)]))
                .is_empty()
        };
        assert!(!refused("jdbc:postgresql://db.example/shop"));
        assert!(!refused("jdbc:mysql://DB.example:3307/shop?a=b"));
        assert!(!refused(
            "jdbc:postgresql://other:5433,db.example,[::1]:5432/shop"
        ));
        assert!(refused("jdbc:postgresql://other:5434/shop"));
        assert!(refused("jdbc:postgresql://db.example,evil/shop"));
        assert!(refused("jdbc:postgresql://db.example@evil/shop"));
        assert!(refused("jdbc:postgresql://169.254.169.254/"));
        assert!(refused("jdbc:mysql://address=(host=evil)/x"));
        assert!(refused("jdbc:postgresql:shop"));
        assert!(refused("jdbc:postgresql:///shop"));
        // Nothing is confined where nothing was asked for.
        let free = Bounds::of(&Props::new()).unwrap();
        assert!(
            free.check("x", &props(&[("connection.url", "jdbc:postgresql://x/")]))
                .is_empty()
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_no_bound() {
        let error = Bounds::of(&props(&[(PATHS, "/no/such/folder")]))
            .err()
            .unwrap();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
