//! The same connectors on a Java worker and on ours, on one broker: what they write to topics and files, their offsets,
//! dead letters, log lines and states are the same, for every converter, transform and error mode.
//!
//! A connector of a case is called `<side>-<case>`, and so is all it writes; the sides' names are of one length and are
//! taken out before the comparison. Stack frames are, too: the lines of a trace that name errors stay.

mod seen;
mod side;
mod sinks;
mod sources;

use std::{collections::BTreeMap, fmt::Write as _};

use milena_testing_kafka::oracle_is_missing;

use crate::{
    clients::Embedded,
    differential::{
        seen::{Seen, differences},
        side::{JAVA, OURS, Side},
    },
};

/// One connector.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) config: BTreeMap<String, String>,
    /// The offset at which it is done, unless it fails: a file's size, the last number, the records of a topic.
    pub(super) end: i64,
    /// Java's `FileStreamSource` counts characters where ours counts bytes (COMPATIBILITY.md); the same for all else.
    pub(super) java_end: i64,
    /// Lines of the log are compared, too.
    pub(super) logs: bool,
}

impl Case {
    /// A case from its configuration in lines `key=value`. `~` stands for the package of the transforms, `{side}` for
    /// the name of the side; the lists `transforms` and `predicates` are those whose types are given, in order.
    fn new(name: &'static str, end: i64, lines: &str) -> Self {
        let mut config = BTreeMap::new();
        let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').unwrap();
            let parts: Vec<&str> = key.split('.').collect();
            if let [list @ ("transforms" | "predicates"), alias, "type"] = parts[..] {
                lists.entry(list).or_default().push(alias);
            }
            let value = match value.strip_prefix('~') {
                Some(class) if key.starts_with("predicates.") => {
                    format!("org.apache.kafka.connect.transforms.predicates.{class}")
                }
                Some(class) => format!("org.apache.kafka.connect.transforms.{class}"),
                None => value.to_owned(),
            };
            config.insert(key.to_owned(), value);
        }
        for (list, aliases) in lists {
            config.insert(list.to_owned(), aliases.join(","));
        }
        config.insert("tasks.max".to_owned(), "1".to_owned());
        let logs = config.contains_key("errors.log.enable");
        Self {
            name,
            config,
            end,
            java_end: end,
            logs,
        }
    }
}

#[test]
fn java_and_milena_do_the_same_with_every_converter_transform_and_error_mode() {
    let test = "java_and_milena_do_the_same_with_every_converter_transform_and_error_mode";
    if oracle_is_missing(test) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(&dir.path().join("broker"));
    let only = std::env::var("MILENA_TEST_CASE").unwrap_or_default();
    let mut cases = sources::cases(dir.path());
    cases.extend(sinks::cases(&kafka.bootstrap));
    cases.retain(|case| case.name.contains(&only));
    let (java, ours) = std::thread::scope(|scope| {
        let run = |name| {
            let (cases, dir, bootstrap) = (&cases, dir.path(), &kafka.bootstrap);
            scope.spawn(move || Side::start(name, bootstrap, dir).run(cases))
        };
        let (java, ours) = (run(JAVA), run(OURS));
        (java.join().unwrap(), ours.join().unwrap())
    });
    let mut report = String::new();
    let (mut same, mut nothing) = (0, Seen::new());
    for case in &cases {
        let (java, ours) = (&java[case.name], &ours[case.name]);
        let found = differences(java, ours);
        if found.is_empty() {
            same += 1;
        } else {
            writeln!(report, "=== {}\n{found}", case.name).unwrap();
        }
        // A case in which nothing happens compares nothing.
        if !java
            .keys()
            .any(|what| what.starts_with("record ") || what == "file")
        {
            nothing.insert(case.name.to_owned(), java["state"].clone());
        }
    }
    nothing.retain(|_, state| !state.contains("FAILED"));
    assert!(
        nothing.is_empty(),
        "cases that neither write nor fail: {nothing:#?}"
    );
    assert!(
        report.is_empty(),
        "{same} of {} are the same\n{report}",
        cases.len()
    );
}
