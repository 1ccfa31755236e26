//! Odd calls to connectors that are there: unusual paths, names, configurations and offsets. The connectors are created
//! stopped, so that nothing moves while they are asked.

use serde_json::{Value, json};

use super::lives::{First, Steps};

/// Adds the steps; `src` runs by then, and the topic `lines` is there.
pub(super) fn add(s: &mut Steps) {
    paths(s);
    names(s);
    configurations(s);
    offsets_of_a_source(s);
    offsets_of_a_sink(s);
    for name in ["odd", "oddsink"] {
        s.call("DELETE", &format!("/connectors/{name}"), None);
    }
}

fn paths(s: &mut Steps) {
    for path in [
        "/connectors/src/",
        "/connectors/src;a=b/config;c",
        "/connectors/%73rc",
        "/connectors/SRC",
        "/connectors/src%20",
        "/connectors/src/tasks/",
        "/connectors/src/tasks/00/status",
        "/connectors/src/tasks/+0/status",
        "/connectors/src/tasks/0x0/status",
        "/connectors/src/tasks/-1/status",
        "/connectors/src/tasks/0/status/",
        "/connectors/src/config?forward=false",
        "/connectors?expand=nope",
        "/connectors?expand=info,status",
        "/connectors?expand=info&expand=nope",
        "/connectors?expand=info&expand=info",
        "/connectors?expand=",
    ] {
        s.get(path);
    }
    for (method, path) in [
        ("HEAD", "/connectors/src"),
        ("HEAD", "/connectors/src/status"),
        ("HEAD", "/connectors/src/offsets"),
        ("HEAD", "/connectors/src/pause"),
        ("OPTIONS", "/connectors/src/status"),
        ("POST", "/connectors/src"),
        ("PUT", "/connectors/src"),
        ("DELETE", "/connectors/src/config"),
        ("DELETE", "/connectors/src/tasks"),
        ("PUT", "/connectors/src/tasks"),
        ("GET", "/connectors/src/pause"),
        ("POST", "/connectors/src/topics/reset"),
    ] {
        s.call(method, path, None);
    }
}

fn stopped(name: &str, config: &Value) -> Option<Value> {
    Some(json!({"name": name, "config": config, "initial_state": "STOPPED"}))
}

fn names(s: &mut Steps) {
    let config = json!({"connector.class": "FileStreamSource", "topic": "t"});
    for (name, path) in [
        ("é b", "%C3%A9%20b"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        (" padded ", "padded"),
        ("a:b@c!$&'()*,=~", "a:b@c!$&'()*,=~"),
    ] {
        let path = format!("/connectors/{path}");
        s.call("POST", "/connectors", stopped(name, &config));
        s.when(First::Known(path.clone()), "GET", &path, None);
        s.get(&format!("{path}/config"));
        s.call("PUT", &format!("{path}/config"), Some(config.clone()));
        s.call("DELETE", &path, None);
        s.when(First::Unknown(path.clone()), "GET", &path, None);
    }
}

fn configurations(s: &mut Steps) {
    let base =
        json!({"connector.class": "FileStreamSource", "file": "DIR/odd.txt", "topic": "odd"});
    let with = |more: Value| {
        let mut config = base.clone();
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Some(config)
    };
    s.call("POST", "/connectors", stopped("odd", &base));
    s.when(
        First::Known("/connectors/odd".to_owned()),
        "GET",
        "/connectors/odd",
        None,
    );
    let huge: serde_json::Map<String, Value> = (0..300)
        .map(|n| (format!("key.{n:03}"), json!("v".repeat(n))))
        .collect();
    for more in [
        json!({"batch.size": null}),
        json!({"unknown": null}),
        json!({"name": null}),
        json!({"name": "odd"}),
        json!({"name": "other"}),
        json!({"name": ""}),
        json!({"topic": null}),
        json!({"connector.class": null}),
        json!({"tasks.max": 2, "errors.log.enable": true}),
        json!({"tasks.max": "x"}),
        json!({"tasks.max": null}),
        json!({"ключ": "значение €😀"}),
        json!({"": "empty"}),
        json!({" blank ": " kept "}),
        json!({"line": "a\nb\tc\u{0}"}),
        json!({"connector.class": "FileStreamSink"}),
        json!({"connector.class": "Nope"}),
        json!({"connector.plugin.version": "[5,4]"}),
        json!({"initial_state": "PAUSED"}),
        Value::Object(huge),
    ] {
        s.call("PUT", "/connectors/odd/config", with(more));
    }
    s.call("PUT", "/connectors/odd/config", Some(base.clone()));
    for patch in [
        json!({}),
        json!({"a": null}),
        json!({"a": "b"}),
        json!({"a": 5, "c": true, "d": 1.50}),
        json!({"a": null, "c": null}),
        json!({"d": ""}),
        json!({"é": "€"}),
        json!({"": null}),
        json!({"tasks.max": "x"}),
        json!({"tasks.max": "3"}),
        json!({"name": "odd"}),
        json!({"name": "other"}),
        json!({"connector.class": "Nope"}),
        json!({"a": {"b": "c"}}),
        json!({"a": [null]}),
    ] {
        s.call("PATCH", "/connectors/odd/config", Some(patch));
    }
    for query in [
        "?includeTasks=maybe",
        "?onlyFailed=1",
        "?includeTasks=true&onlyFailed=",
        "?includeTasks=TRUE",
    ] {
        s.call("POST", &format!("/connectors/odd/restart{query}"), None);
    }
}

fn edit(partition: Value, offset: Value) -> Option<Value> {
    Some(json!({"offsets": [{"partition": partition, "offset": offset}]}))
}

fn offsets_of_a_source(s: &mut Steps) {
    let path = "/connectors/odd/offsets";
    let file = json!({"filename": "DIR/odd.txt"});
    for offset in [
        json!({"position": 1.5}),
        json!({"position": true}),
        json!({"position": null}),
        json!({"position": 9_223_372_036_854_775_807_u64}),
        json!({"position": 9_223_372_036_854_775_808_u64}),
        json!({"position": [1]}),
        json!({"Position": 1}),
        json!({"position": 1, "more": "x"}),
        json!({"position": 2_147_483_648_u64}),
    ] {
        s.call("PATCH", path, edit(file.clone(), offset));
        s.get(path);
    }
    for partition in [
        json!({}),
        json!({"filename": null}),
        json!({"filename": 5}),
        json!({"filename": true}),
        json!({"filename": ""}),
        json!({"filename": "é"}),
        json!({"filename": "x", "more": "y"}),
        json!({"file": "x"}),
    ] {
        s.call("PATCH", path, edit(partition, json!({"position": 1})));
    }
    for offsets in [
        json!([{"partition": file, "offset": {"position": 1}}, {"partition": file, "offset": {"position": 2}}]),
        json!([{"partition": file, "offset": null}, {"partition": file, "offset": {"position": 3}}]),
        json!([{"partition": {"filename": "other"}, "offset": {"position": 3}}, {"partition": {"a": "b"}, "offset": {"position": 3}}]),
        json!([{"offset": {"position": 3}}]),
        json!([{"partition": file}]),
        json!([{}]),
    ] {
        s.call("PATCH", path, Some(json!({"offsets": offsets})));
    }
    s.call("DELETE", path, None);
    s.offsets("odd", json!([]));
}

fn offsets_of_a_sink(s: &mut Steps) {
    let sink =
        json!({"connector.class": "FileStreamSink", "topics": "lines", "file": "DIR/odd.out"});
    s.call("POST", "/connectors", stopped("oddsink", &sink));
    let known = First::Known("/connectors/oddsink".to_owned());
    s.when(known, "GET", "/connectors/oddsink", None);
    let path = "/connectors/oddsink/offsets";
    s.get(path);
    let at = json!({"kafka_offset": 1});
    // Partitions that are not there would be waited for, a minute each, by Java too.
    for partition in [
        json!({}),
        json!({"kafka_topic": "lines"}),
        json!({"kafka_partition": 0}),
        json!({"kafka_topic": "lines", "kafka_partition": 1.5}),
        json!({"kafka_topic": "lines", "kafka_partition": 99_999_999_999_u64}),
        json!({"kafka_topic": "lines", "kafka_partition": true}),
        json!({"kafka_topic": "lines", "kafka_partition": null}),
        json!({"kafka_topic": "lines", "kafka_partition": " 0"}),
    ] {
        s.call("PATCH", path, edit(partition, at.clone()));
    }
    let partition = json!({"kafka_topic": "lines", "kafka_partition": "0"});
    for offset in [
        json!({"kafka_offset": -1}),
        json!({"kafka_offset": 1.5}),
        json!({"kafka_offset": true}),
        json!({"kafka_offset": null}),
        json!({"kafka_offset": ""}),
        json!({"kafka_offset": "99999999999999999999"}),
        json!({"kafka_offset": 1, "more": 2}),
        json!({"offset": 1}),
        json!({"kafka_offset": "1"}),
    ] {
        s.call("PATCH", path, edit(partition.clone(), offset));
    }
    let entry = |offset: Value| json!({"partition": partition, "offset": offset});
    s.offsets(
        "oddsink",
        json!([{"partition": {"kafka_topic": "lines", "kafka_partition": 0}, "offset": {"kafka_offset": 1}}]),
    );
    for offsets in [
        json!([entry(json!({"kafka_offset": 2})), entry(Value::Null)]),
        json!([entry(Value::Null)]),
        json!([null]),
        json!([{}]),
    ] {
        s.call("PATCH", path, Some(json!({"offsets": offsets})));
    }
    s.call("DELETE", path, None);
    s.call("DELETE", path, None);
    s.offsets("oddsink", json!([]));
}
