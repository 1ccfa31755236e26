//! What breaks the tools that people use with Kafka Connect, trap by trap, and the test that shows it does not.
//!
//! | trap | shown by |
//! |---|---|
//! | T1 `version` is Kafka's API level | `t1_the_version_is_kafkas_api_level` |
//! | T2 a configuration is echoed byte for byte | `t2_a_configuration_comes_back_as_it_was_given` |
//! | T3 `status.connector` is a flat map of texts | `t3_and_t4_statuses_are_flat_and_of_known_words` |
//! | T4 closed sets of states and types | the same, and `lives`: every status as Java's |
//! | T5 errors are `{"error_code", "message"}` | `t5_errors_are_a_code_and_a_message`, `roles`: 1,658 calls answered as Java's |
//! | T6 status codes | `lives`: create, configure, pause, resume, stop, restart, delete |
//! | T7 both forms of slashes, every order of `expand` | `t7_slashes_and_the_order_of_expand_do_not_matter`, `lives` |
//! | T8 `/topics` | `lives`: `First::Topic` |
//! | T9 `/admin/loggers` is a map of maps | `t9_loggers_are_a_map_of_maps` |
//! | T10 `/health` on the REST port | `t10_health_is_on_the_rest_port` |
//! | T11 validation is whole and needs no network | `roles`: every definition as Java's; how fast: `benches`, `validate` |
//! | T12 the group of a sink is `connect-<name>` | `t12_the_group_of_a_sink_has_its_name` |
//! | T13 `worker_id` is what is advertised | `t13_the_worker_id_is_the_advertised_address` |
//! | T14 no `tasks-config` | `t14_there_is_no_tasks_config`, `roles` |
//! | T15 the contract of images | `it::scripts`, `t15_the_file_of_an_image_is_taken_as_it_is` |

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    roles::like_the_recorded,
    wire::{Answer, send},
};
use crate::{
    clients::Embedded,
    cluster::world::{Cluster, Worker, admin, create, until},
};

/// A standalone worker on a broker of its own.
struct Alone {
    worker: Worker,
    cluster: Cluster,
    _kafka: Embedded,
    _data: tempfile::TempDir,
}

impl Alone {
    fn start(more: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let kafka = Embedded::start(data.path());
        let cluster = like_the_recorded(&kafka.bootstrap, more);
        let worker = cluster.standalone("alone");
        Self {
            worker,
            cluster,
            _kafka: kafka,
            _data: data,
        }
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers: &[(&str, &str)] = match body {
            Some(_) => &[("Content-Type", "application/json")],
            None => &[],
        };
        let body = body.map(|body| body.to_string());
        send(self.worker.url(), method, path, headers, body.as_deref())
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn source(&self, name: &str) {
        create(
            self.worker.url(),
            &self.cluster.source(name, "lines", "a\n"),
        );
        self.runs(name);
    }

    fn runs(&self, name: &str) {
        until("it runs", || {
            let status = self.call("GET", &format!("/connectors/{name}/status"), None);
            status.shown()["tasks"][0]["state"] == "RUNNING"
        });
    }
}

#[test]
fn t1_the_version_is_kafkas_api_level() {
    let version = Alone::start(&[]).get("/")["version"].clone();
    let parts: Vec<u32> = version
        .as_str()
        .unwrap()
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    assert!(parts.len() == 3 && parts[0] == 4, "{version}");
}

#[test]
fn t2_a_configuration_comes_back_as_it_was_given() {
    let worker = Alone::start(&[]);
    let given = json!({
        "connector.class": "FileStreamSink", "topics": " lines , more", "tasks.max": "01",
        "file": worker.cluster.at("out.txt"), "unknown.password": "hunter2", "errors.log.enable": "TRUE",
        "empty": "", "blank": " ", "text": "ü\u{1F600}\t\"\\</script>", "variable": "${nobody:knows}",
        "consumer.override.sasl.jaas.config": "", "key.converter": "StringConverter",
    });
    let answer = worker.call("PUT", "/connectors/echo/config", Some(given.clone()));
    assert_eq!(answer.status, 201, "{}", answer.body);
    let mut wanted = given;
    wanted["name"] = "echo".into();
    assert_eq!(worker.get("/connectors/echo/config"), wanted);
    assert_eq!(worker.get("/connectors/echo")["config"], wanted);
    assert_eq!(
        worker.get("/connectors?expand=info")["echo"]["info"]["config"],
        wanted
    );
}

#[test]
fn t3_and_t4_statuses_are_flat_and_of_known_words() {
    let worker = Alone::start(&[]);
    worker.source("s");
    let status = worker.get("/connectors/s/status");
    let states = ["RUNNING", "FAILED", "PAUSED", "RESTARTING", "UNASSIGNED"];
    let connector = status["connector"].as_object().unwrap();
    assert!(connector.values().all(Value::is_string), "{status}");
    assert!(states.contains(&connector["state"].as_str().unwrap()));
    for task in status["tasks"].as_array().unwrap() {
        assert!(states.contains(&task["state"].as_str().unwrap()));
    }
    assert_eq!(status["type"], "source");
    for plugin in worker.get("/connector-plugins").as_array().unwrap() {
        assert!(["source", "sink"].contains(&plugin["type"].as_str().unwrap()));
    }
}

#[test]
fn t5_errors_are_a_code_and_a_message() {
    let worker = Alone::start(&[]);
    for (method, path, status) in [
        ("GET", "/connectors/none", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/connectors", 405),
    ] {
        let answer = worker.call(method, path, None);
        assert_eq!(answer.status, status, "{method} {path}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error_code"], answer.status, "{method} {path}");
        assert!(body["message"].is_string(), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    }
}

#[test]
fn t7_slashes_and_the_order_of_expand_do_not_matter() {
    let worker = Alone::start(&[]);
    worker.source("s");
    for path in [
        "/connectors",
        "/connectors/s",
        "/connectors/s/status",
        "/connectors/s/tasks",
        "/connector-plugins",
        "/admin/loggers",
    ] {
        assert_eq!(worker.get(path), worker.get(&format!("{path}/")), "{path}");
    }
    let orders = ["info&expand=status", "status&expand=info"];
    let [one, other] = orders.map(|order| worker.get(&format!("/connectors?expand={order}")));
    assert_eq!(one, other);
}

#[test]
fn t9_loggers_are_a_map_of_maps() {
    let worker = Alone::start(&[]);
    let level = json!({"level": "DEBUG"});
    let set = worker.call(
        "PUT",
        "/admin/loggers/org.apache.kafka.connect",
        Some(level),
    );
    assert_eq!(set.status, 200, "{}", set.body);
    assert!(set.shown().is_array(), "{}", set.body);
    let all = worker.get("/admin/loggers");
    let all = all.as_object().unwrap();
    assert!(all.contains_key("root"), "{all:?}");
    for (name, of) in all {
        assert!(of["level"].is_string(), "{name}: {of}");
        let modified = of
            .get("last_modified")
            .expect("the field is there, maybe null");
        assert!(modified.is_null() || modified.is_i64() || modified.is_u64());
    }
    assert!(!all["org.apache.kafka.connect"]["last_modified"].is_null());
    let cluster = "/admin/loggers/org.apache.kafka.connect?scope=cluster";
    let set = worker.call("PUT", cluster, Some(json!({"level": "INFO"})));
    assert_eq!(set.status, 204, "{}", set.body);
}

/// What scripts find requests by: a line as Jetty writes it, for the admin listener too.
#[test]
fn every_request_leaves_a_line_in_the_access_log() {
    let worker = Alone::start(&[("admin.listeners", "http://127.0.0.1:0")]);
    worker.get("/connectors?expand=status");
    let log = worker.worker.log();
    let mut listens = log
        .lines()
        .filter(|line| line.contains("the REST server listens"));
    let admin = listens
        .next_back()
        .and_then(|line| line.split("address=").nth(1))
        .unwrap();
    let admin = format!("http://{}", admin.split_whitespace().next().unwrap());
    let agent = [("User-Agent", "curl/8")];
    assert_eq!(
        send(&admin, "GET", "/admin/loggers", &agent, None).status,
        200
    );
    assert_eq!(worker.call("GET", "/admin/loggers", None).status, 404);
    for (request, rest) in [
        (
            r#""GET /connectors HTTP/1.1" 200 2 "" """#,
            "127.0.0.1 - - [",
        ),
        (r#""GET /admin/loggers HTTP/1.1" 200 "#, r#" "" "curl/8" "#),
    ] {
        until("the line is there", || {
            let log = worker.worker.log();
            let mut lines = log.lines();
            lines.any(|line| {
                line.contains("milena_rest::access")
                    && line.contains(request)
                    && line.contains(rest)
            })
        });
    }
}

#[test]
fn t10_health_is_on_the_rest_port() {
    let health = Alone::start(&[]).get("/health");
    assert_eq!(health["status"], "healthy", "{health}");
    assert!(health["message"].is_string(), "{health}");
}

#[test]
fn t12_the_group_of_a_sink_has_its_name() {
    let worker = Alone::start(&[]);
    worker.source("s");
    create(
        worker.worker.url(),
        &worker.cluster.sink("my-sink", "lines", 1),
    );
    worker.runs("my-sink");
    until("its group has committed", || {
        admin(&worker.cluster.client_props(), async |admin| {
            let offsets = admin.group_offsets("connect-my-sink").await;
            offsets.is_ok_and(|offsets| !offsets.is_empty())
        })
    });
}

#[test]
fn t13_the_worker_id_is_the_advertised_address() {
    let advertised = [
        ("rest.advertised.host.name", "connect.example"),
        ("rest.advertised.port", "1234"),
    ];
    let worker = Alone::start(&advertised);
    worker.source("s");
    let status = worker.get("/connectors/s/status");
    for of in [&status["connector"], &status["tasks"][0]] {
        assert_eq!(of["worker_id"], "connect.example:1234");
    }
}

#[test]
fn t14_there_is_no_tasks_config() {
    let worker = Alone::start(&[]);
    worker.source("s");
    let answer = worker.call("GET", "/connectors/s/tasks-config", None);
    assert_eq!(answer.status, 404, "{}", answer.body);
}

/// The keys that Strimzi's operator writes, and a plugin path that is not there.
#[test]
fn t15_the_file_of_an_image_is_taken_as_it_is() {
    let file = [
        ("plugin.path", "/opt/kafka/plugins/no-such-folder"),
        ("security.protocol", "PLAINTEXT"),
        ("producer.security.protocol", "PLAINTEXT"),
        ("consumer.security.protocol", "PLAINTEXT"),
        ("admin.security.protocol", "PLAINTEXT"),
        ("config.providers", "strimzifile,strimzidir"),
        (
            "config.providers.strimzifile.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        ),
        ("config.providers.strimzifile.param.allowed.paths", "/"),
        (
            "config.providers.strimzidir.class",
            "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
        ),
        ("config.providers.strimzidir.param.allowed.paths", "/"),
        ("client.rack", ""),
    ];
    let worker = Alone::start(&file);
    assert_eq!(worker.get("/connectors"), json!([]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bin/connect-distributed.sh");
    assert!(fs::metadata(script).unwrap().is_file());
}
