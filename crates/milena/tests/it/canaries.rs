//! A secret in every place where one can stand, the whole run at TRACE, and a search of everything that came out
//! (`SECURITY.md`; CVE-2019-12399, CVE-2026-33558 and the class of secrets in unknown keys and URLs).

use std::{fs, path::Path, time::Instant};

use crate::{
    clients::Embedded,
    process::{Milena, PATIENCE, between_looks},
};

/// Each secret stands in one place, so that a find names the leak.
const PLACES: [&str; 14] = [
    "jaas-of-worker",
    "producer-jaas",
    "keystore-password",
    "truststore-pem",
    "user-password",
    "wrong-login",
    "unknown-worker-key",
    "url-user-info",
    "provided-to-worker",
    "provided-to-connector",
    "connector-config",
    "override-jaas",
    "query-parameter",
    "record",
];

fn canary(place: &str) -> String {
    assert!(PLACES.contains(&place), "{place}");
    format!("canary-{place}-5519")
}

fn base64(text: &str) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = (bits >> (18 - 6 * i)) & 63;
            out.push(if i <= chunk.len() {
                char::from(letters[digit as usize])
            } else {
                '='
            });
        }
    }
    out
}

/// A call with a login; the status and the body.
fn call(port: u16, method: &str, path: &str, login: &str, body: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {login}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        between_looks();
    }
}

fn worker_file(dir: &Path, bootstrap: &str) -> String {
    let at = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let jaas = |place: &str| {
        format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"{}\";",
            canary(place)
        )
    };
    fs::write(at("users"), format!("anna={}\n", canary("user-password"))).unwrap();
    fs::write(
        at("jaas.conf"),
        format!(
            "KafkaConnect {{ org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required \
             file=\"{}\"; }};\n",
            at("users")
        ),
    )
    .unwrap();
    fs::write(
        at("secrets.properties"),
        format!(
            "worker={}\nconnector={}\n",
            canary("provided-to-worker"),
            canary("provided-to-connector")
        ),
    )
    .unwrap();
    let secrets = at("secrets.properties");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let file = format!(
        "bootstrap.servers={bootstrap}\ngroup.id=canaries\nkey.converter={string}\nvalue.converter={string}\n\
         offset.storage.topic=o\noffset.storage.replication.factor=1\n\
         config.storage.topic=c\nconfig.storage.replication.factor=1\n\
         status.storage.topic=s\nstatus.storage.replication.factor=1\n\
         offset.flush.interval.ms=500\nlisteners=http://127.0.0.1:0\n\
         rest.extension.classes=BasicAuthSecurityRestExtension\nmilena.jaas.file={}\n\
         config.providers=file\nconfig.providers.file.class=File\nconfig.providers.file.param.allowed.paths={}\n\
         sasl.jaas.config={}\nproducer.sasl.jaas.config={}\n\
         listeners.https.ssl.keystore.location=/nowhere\nlisteners.https.ssl.keystore.password={}\n\
         ssl.truststore.certificates={}\n\
         some.unknown.password={}\nsome.registry.url=http://me:{}@127.0.0.1:1/\n\
         producer.some.provided.password=${{file:{secrets}:worker}}\n",
        at("jaas.conf"),
        dir.to_str().unwrap(),
        jaas("jaas-of-worker"),
        jaas("producer-jaas"),
        canary("keystore-password"),
        canary("truststore-pem"),
        canary("unknown-worker-key"),
        canary("url-user-info"),
    );
    fs::write(at("worker.properties"), file).unwrap();
    at("worker.properties")
}

/// All bytes of all files under a directory.
fn bytes_under(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            all.extend(bytes_under(&entry.path()));
        } else {
            all.extend(fs::read(entry.path()).unwrap_or_default());
        }
    }
    all
}

#[test]
fn no_secret_comes_out_of_a_whole_run_at_trace() {
    let (dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kafka = Embedded::start(data.path());
    let file = worker_file(dir.path(), &kafka.bootstrap);
    let mut worker = Milena::start(&["--log", "trace", "distributed", &file]);
    let port = worker.rest_port();
    let login = base64(&format!("anna:{}", canary("user-password")));
    until("the worker is healthy", || {
        call(port, "GET", "/health", &login, "").0 == 200
    });
    let wrong = base64(&format!("anna:{}", canary("wrong-login")));
    assert_eq!(call(port, "GET", "/connectors", &wrong, "").0, 401);
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    fs::write(&input, format!("{}\n", canary("record"))).unwrap();
    let secrets = dir.path().join("secrets.properties");
    let own = serde_json::json!({
        "tasks.max": "1",
        "some.password": canary("connector-config"),
        "some.token": format!("${{file:{}:connector}}", secrets.display()),
        "producer.override.sasl.jaas.config": format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"{}\";",
            canary("override-jaas")
        ),
    });
    let with = |more: serde_json::Value| {
        let mut all = own.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all.to_string()
    };
    let query = canary("query-parameter");
    let source = with(
        serde_json::json!({"connector.class": "FileStreamSource", "file": input, "topic": "t"}),
    );
    let sink = with(
        serde_json::json!({"connector.class": "FileStreamSink", "file": output, "topics": "t"}),
    );
    for (name, body) in [("s", &source), ("k", &sink)] {
        let path = format!("/connectors/{name}/config?token={query}");
        let (status, answer) = call(port, "PUT", &path, &login, body);
        assert_eq!(status, 201, "{answer}");
    }
    // A refused one too: validation must not print what it refuses.
    let bad = with(serde_json::json!({"connector.class": "FileStreamSink", "tasks.max": "x"}));
    assert_eq!(
        call(port, "PUT", "/connectors/bad/config", &login, &bad).0,
        400
    );
    until("the record arrives", || {
        for name in ["s", "k"] {
            let (_, status) = call(
                port,
                "GET",
                &format!("/connectors/{name}/status"),
                &login,
                "",
            );
            assert!(!status.contains("FAILED"), "{status}");
        }
        fs::read_to_string(&output).is_ok_and(|text| text.contains(&canary("record")))
    });
    let mut answers = String::new();
    for path in [
        "/connectors?expand=info&expand=status",
        "/connectors/s",
        "/connectors/s/config",
        "/connectors/s/tasks",
        "/connectors/s/status",
        "/connectors/k/tasks",
        "/connectors/s/offsets",
        "/admin/loggers",
        "/health",
        "/metrics",
    ] {
        answers.push_str(&call(port, "GET", path, &login, "").1);
    }
    assert_eq!(call(port, "DELETE", "/connectors/s", &login, "").0, 204);
    let (said, code) = worker.output_at_end();
    assert_eq!(code, Some(0));
    // The run was not one at the default level.
    assert!(said.contains(" DEBUG "), "{said}");
    let mut leaks = Vec::new();
    for place in PLACES {
        let canary = canary(place);
        if let Some(line) = said.lines().find(|line| line.contains(&canary)) {
            let shown: String = line.chars().take(300).collect();
            leaks.push(format!("{place}: in the log: {shown}"));
        }
    }
    if said.contains(&login) || said.contains(&wrong) {
        leaks.push("a login as it is sent".to_owned());
    }
    // What providers answered is in no answer of REST and in no topic; what users wrote themselves is theirs.
    let stored = bytes_under(data.path());
    for place in ["provided-to-worker", "provided-to-connector"] {
        let canary = canary(place);
        if answers.contains(&canary) {
            leaks.push(format!("{place}: in an answer"));
        }
        if stored
            .windows(canary.len())
            .any(|window| window == canary.as_bytes())
        {
            leaks.push(format!("{place}: in a topic"));
        }
    }
    for place in PLACES
        .iter()
        .filter(|place| !["connector-config", "override-jaas", "record"].contains(place))
    {
        if answers.contains(&canary(place)) {
            leaks.push(format!("{place}: in an answer"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
