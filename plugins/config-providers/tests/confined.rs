//! What the providers answer, and that they stay where they may read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::{collections::BTreeMap, fs, path::Path};

use milena_api::ConfigProvider;
use milena_config_providers::config_providers;

fn provider(name: &str, params: &[(&str, &str)]) -> Result<Box<dyn ConfigProvider>, String> {
    let all = config_providers();
    let class = format!("org.apache.kafka.common.config.provider.{name}ConfigProvider");
    let plugin = all.iter().find(|one| one.class() == class).unwrap();
    let mut made = plugin.provider();
    let params = params
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    made.configure(&params)
        .map_err(|error| error.message.unwrap())?;
    Ok(made)
}

async fn get(
    provider: &dyn ConfigProvider,
    path: &Path,
    keys: &[&str],
) -> Result<BTreeMap<String, String>, String> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let keys = (!keys.is_empty()).then_some(keys.as_slice());
    let found = provider.get(path.to_str().unwrap(), keys).await;
    let values = found.map_err(|error| error.message.unwrap())?.values;
    Ok(values
        .into_iter()
        .map(|(key, value)| (key, value.reveal().clone()))
        .collect())
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_file_answers_its_properties() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets.properties");
    fs::write(&file, "password=gehéim\nuser : me\n").unwrap();
    let plain = provider("File", &[]).unwrap();
    assert_eq!(
        get(&*plain, &file, &["password", "none"]).await.unwrap(),
        map(&[("password", "gehéim")])
    );
    assert_eq!(get(&*plain, &file, &[]).await.unwrap().len(), 2);
    assert_eq!(get(&*plain, Path::new(""), &["x"]).await.unwrap(), map(&[]));
    let missing = dir.path().join("missing");
    assert_eq!(
        get(&*plain, &missing, &["x"]).await.unwrap_err(),
        format!("Could not read properties from file {}", missing.display())
    );
}

#[tokio::test]
async fn a_directory_answers_its_files_and_no_key_leads_out_of_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    fs::write(dir.path().join("in/token"), "t\n").unwrap();
    fs::write(dir.path().join("outside"), "canary").unwrap();
    let plain = provider("Directory", &[]).unwrap();
    let inside = dir.path().join("in");
    assert_eq!(
        get(&*plain, &inside, &[]).await.unwrap(),
        map(&[("token", "t\n")])
    );
    assert_eq!(
        get(&*plain, &inside, &["../outside", "token"])
            .await
            .unwrap(),
        map(&[("token", "t\n")])
    );
    assert_eq!(
        get(&*plain, &dir.path().join("outside"), &[])
            .await
            .unwrap(),
        map(&[])
    );
}

#[tokio::test]
async fn nothing_outside_of_the_allowed_paths_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
    for one in [&inside, &outside] {
        fs::create_dir(one).unwrap();
        fs::write(one.join("s.properties"), "k=v\n").unwrap();
    }
    std::os::unix::fs::symlink(outside.join("s.properties"), inside.join("link")).unwrap();
    let allowed = [("allowed.paths", inside.to_str().unwrap())];
    let file = provider("File", &allowed).unwrap();
    assert_eq!(
        get(&*file, &inside.join("s.properties"), &["k"])
            .await
            .unwrap(),
        map(&[("k", "v")])
    );
    for path in [
        "out/s.properties",
        "in/../out/s.properties",
        "in/link",
        "nowhere",
    ] {
        assert_eq!(
            get(&*file, &dir.path().join(path), &["k"]).await.unwrap(),
            map(&[]),
            "{path}"
        );
    }
    let directory = provider("Directory", &allowed).unwrap();
    assert_eq!(get(&*directory, &inside, &[]).await.unwrap().len(), 1);
    assert_eq!(get(&*directory, &outside, &[]).await.unwrap(), map(&[]));
    let refused = |paths| provider("File", &[("allowed.paths", paths)]).err().unwrap();
    assert_eq!(refused("relative"), "Path relative is not absolute");
    assert_eq!(
        refused("/does/not/exist"),
        "Path /does/not/exist does not exist"
    );
}

#[tokio::test]
async fn the_environment_is_read_by_name_as_far_as_it_is_allowed() {
    let home = std::env::var("PATH").unwrap();
    let none = Path::new("");
    let plain = provider("EnvVar", &[]).unwrap();
    assert_eq!(
        get(&*plain, none, &["PATH"]).await.unwrap(),
        map(&[("PATH", &home)])
    );
    // The whole name must match.
    for (pattern, seen) in [("PA", 0), ("PA.*", 1), ("x|PATH", 1), ("MILENA_.*", 0)] {
        let confined = provider("EnvVar", &[("allowlist.pattern", pattern)]).unwrap();
        assert_eq!(
            get(&*confined, none, &["PATH"]).await.unwrap().len(),
            seen,
            "{pattern}"
        );
    }
    assert_eq!(
        get(&*plain, Path::new("p"), &["PATH"]).await.unwrap_err(),
        "Path is not supported for EnvVarConfigProvider, invalid value 'p'"
    );
    assert!(provider("EnvVar", &[("allowlist.pattern", "(")]).is_err());
}
