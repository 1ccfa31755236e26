"""Records what the Java worker answers to the calls below: python3 record.py http://127.0.0.1:PORT > empty-cluster.json

The worker must have been started with the settings in README.md and have no connectors."""
import http.client, json, sys, urllib.parse

JSON = {"Content-Type": "application/json"}
SINK, SOURCE = "FileStreamSink", "FileStreamSource"
calls = []


def call(method, path, body=None, headers=None):
    calls.append((method, path, body, JSON if headers is None and body is not None else headers or {}))


def validate(config, plugin=SINK):
    call("PUT", f"/connector-plugins/{plugin}/config/validate", json.dumps(config))


def sink(**more):
    return {"connector.class": SINK, "name": "a", "topics": "a", **{k.replace("__", "."): v for k, v in more.items()}}


# Reading an empty cluster.
for path in ["/connectors", "/connectors/", "/connectors?expand=status", "/connectors?expand", "/connectors?expand=info&expand=status",
             "/connectors/x", "/connectors/x/", "/connectors/x/config", "/connectors/x/status", "/connectors/x/tasks",
             "/connectors/x/tasks/0/status", "/connectors/x/tasks/abc/status", "/connectors/x/tasks/2147483648/status",
             "/connectors/x/tasks-config", "/connectors/x/topics", "/connectors/x/offsets", "/connectors/a%20b", "/connectors/a+b",
             "/connectors/x;a=b/status", "/connectors/a%3Bb/status", "/connectors/%C3%A9", "/nope", "/connectors/x/nope", "/connectors/x/tasks/0",
             "/connector-plugins/Nope/config", "/connector-plugins/FileStreamSink/config?version=9.9", "/connector-plugins/JsonConverter/config?version=9.9",
             "/connector-plugins/FileStreamSink/config", "/connector-plugins/FileStreamSource/config", "/connector-plugins/FileStreamSink/config?version=[4.0,)",
             "/connector-plugins/FileStreamSink/config?version=latest", "/connector-plugins/org.apache.kafka.connect.json.JsonConverter/config",
             "/connector-plugins/Json/config", "/connector-plugins/SimpleHeader/config", "/connector-plugins/filestreamsink/config",
             "/connector-plugins/StringConverter/config", "/connector-plugins/Simple/config", "/admin/loggers/does.not.exist", "/admin", "/health", "/health/",
             "//", "/connectors//x", "/connectors/a%2Fb", "/connectors/a%25b", "/connectors/a%5Cb", "/connectors/%2e%2e", "/connectors/../health"]:
    call("GET", path)
for path in ["/connectors", "/connectors/x", "/nope"]:
    call("HEAD", path)
for path in ["/connectors", "/connectors/x", "/connectors/x/config", "/connectors/x/offsets", "/connectors/x/pause", "/admin/loggers/x", "/nope"]:
    call("OPTIONS", path)
call("OPTIONS", "/connectors", headers={"Accept": "application/json"})
for path, method in [("/connectors", "DELETE"), ("/connectors", "PATCH"), ("/connectors/x", "POST"), ("/connectors/x", "PUT"), ("/", "POST"),
                     ("/connectors/x/status", "PUT"), ("/connectors/x/restart", "GET"), ("/connectors/x/pause", "GET"), ("/connectors", "TRACE"), ("/connectors", "BREW")]:
    call(method, path)

# Media types.
for headers in [{"Accept": "text/html"}, {"Accept": "bogus"}, {"Accept": "*/*"}, {"Accept": "application/*"}, {"Accept": "application/json;charset=utf-8"},
                {"Accept": "text/html, application/json;q=0.5"}, {"Content-Type": "text/plain"}]:
    call("GET", "/connectors", headers=headers)
for kind in ["text/plain", "application/*", "garbage", "", "APPLICATION/JSON", "application/json; charset=UTF-8", "application/problem+json",
             "application/x-www-form-urlencoded"]:
    call("PUT", "/connectors/x/config", '{"a":"b"}', {"Content-Type": kind})
call("PUT", "/connectors/x/config", '{"a":"b"}', {})
for path in ["/connectors/x/pause", "/connectors/x/stop"]:
    call("PUT", path, "x", {"Content-Type": "text/plain"})
call("POST", "/connectors/x/restart", "", {"Content-Type": "application/x-www-form-urlencoded"})

# Changing what is not there.
for path in ["pause", "resume", "stop", "topics/reset", "fence"]:
    call("PUT", f"/connectors/x/{path}")
for path in ["restart", "restart?includeTasks=true", "restart?onlyFailed=TRUE", "restart?includeTasks=", "tasks/0/restart", "tasks/-1/restart",
             "tasks/abc/restart", "tasks/+0/restart", "tasks/1.5/restart"]:
    call("POST", f"/connectors/x/{path}")
call("DELETE", "/connectors/x")
call("DELETE", "/connectors/x/offsets")
call("PATCH", "/connectors/x/config", '{"a":"b"}')
call("PATCH", "/connectors/x/offsets", '{"offsets":[{"partition":{"a":1},"offset":null}]}')

# Bodies.
for body in ['{"a":[1]}', '{"a":{"b":1}}', '{"a":', '{"a"', '{a:1}', '{"a":x}', '{"a":1,}', '{"a":1} trailing', "[]", '"y"', "5", "true", "1.5", '{"a":NaN}', "", "  ", "null",
             '{"name":"y"}', '{"name":""}', '{"name":" x"}', '{"name":null}', '{"name":"x"}', '{"a":"b"}', '\ufeff{"a":"b"}', '{"name":"x","name":"y"}']:
    call("PUT", "/connectors/x/config", body)
for body in ["", "null", "{}", '{"a":[]}', "[]"]:
    call("PATCH", "/connectors/x/config", body)
for body in ["", "null", "{}", "[]", '"s"', "7", '{"name":"a"}', '{"name":"a","config":null}', '{"name":"a","config":{},"foo":1}', '{"name":"a","config":[]}',
             '{"name":["x"],"config":{}}', '{"name":"a","config":{"name":"b"}}', '{"config":{"name":"b"}}', '{"name":"a","config":{}}',
             '{"name":"a","config":{},"initial_state":"BOGUS"}', '{"name":"a","config":{},"initial_state":""}', '{"name":"a","config":{},"initial_state":[]}',
             '{"name":"a","config":{},"initial_state":{}}', '{"name":"a","config":{},"initial_state":5}', '{"name":"a","config":{},"initial_state":true}',
             '{"name":"a","config":{},"initial_state":"paused"}', '{"name":"","config":{"connector.class":"FileStreamSink","topics":"a"}}',
             '{"name":"  ","config":{"connector.class":"FileStreamSink","topics":"a"}}', '{"config":{"connector.class":"FileStreamSink","topics":"a"}}',
             '{"name":"a\\nb","config":{"connector.class":"FileStreamSink","topics":"a"}}', '{"name":"a","config":{"connector.class":"FileStreamSink"}}',
             '{"name":"a","config":{"connector.class":"FileStreamSource"}}', '{"name":"a","config":{"connector.class":"FileStreamSink","topics":"a","foo":null}}',
             '{"name":"a","config":{"connector.class":"FileStreamSink","topics":"a","tasks.max":"x"}}']:
    call("POST", "/connectors", body)
for body in ["", "null", "{}", '{"offsets":5}', '{"offsets":[]}', '{"offsets":null}', '{"offsets":[{"partition":5}]}', '{"offsets":[{"foo":5}]}', '{"foo":[]}', "[]", '{"offsets":[5]}']:
    call("PATCH", "/connectors/x/offsets", body)
for body in ["", "{}", "[5]", "[]", "null", '[{"a":[]}]']:
    call("POST", "/connectors/x/tasks", body)
for signature, algorithm in [("###", "HmacSHA256"), ("abcd", "Foo"), ("abcd", "HmacSHA1"), ("abcd", "HmacSHA256"), ("", "HmacSHA256")]:
    call("POST", "/connectors/x/tasks", "[]", {**JSON, "X-Connect-Authorization": signature, "X-Connect-Request-Signature-Algorithm": algorithm})
for body in ["", "{}", '{"level":[]}', '{"level":"bogus"}', '{"level":""}', '{"level":null}', '{"level":5}', "[]"]:
    call("PUT", "/admin/loggers/foo.bar", body)
    call("PUT", "/admin/loggers/foo.bar?scope=cluster", body)

# Validation.
validate({})
validate({"connector.class": "Nope"}, "Nope")
validate({"connector.class": ""})
validate({"connector.class": "FileStreamSource"})
validate({"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "name": "a", "topics": "a"}, "Sink")
validate({"connector.class": "FileStreamSink"}, "org.apache.kafka.connect.file.FileStreamSinkConnector")
validate({"connector.class": "FileStreamSink"})
validate({"connector.class": "FileStreamSource"}, SOURCE)
validate(sink())
validate({"connector.class": SINK, "name": "a"})
validate(sink(topics__regex="x"))
validate(sink(topics="a,,b"))
validate(sink(topics="a,a"))
validate(sink(topics="a,d", errors__deadletterqueue__topic__name="d"))
validate({"connector.class": SINK, "name": "a", "topics.regex": "d.*", "errors.deadletterqueue.topic.name": "dx"})
validate({"connector.class": SINK, "name": "a", "topics.regex": "a("})
validate({"connector.class": SINK, "name": "a", "topics.regex": "a(", "errors.deadletterqueue.topic.name": "dx"})
validate(sink(name=None, topics=None, foo=None, file=None))
validate(sink(name=""))
validate(sink(name="a\nb\u007f"))
validate(sink(consumer__override__group__id="oracle"))
validate(sink(tasks__max="abc"))
validate(sink(tasks__max="0"))
validate(sink(tasks__max=" 2 "))
validate(sink(tasks__max="99999999999"))
validate(sink(errors__tolerance="x", errors__retry__timeout="abc", config__action__reload="x", transforms=None))
validate(sink(errors__log__enable="maybe", tasks__max__enforce="TRUE"))
validate(sink(errors__deadletterqueue__topic__replication__factor="70000"))
validate(sink(connector__plugin__version="9.9"))
validate(sink(connector__plugin__version="[4.0,)"))
validate(sink(connector__plugin__version="latest"))
validate(sink(key__converter="JsonConverter"))
validate(sink(key__converter="Json", key__converter__schemas__enable="maybe", header__converter="Simple"))
validate(sink(key__converter="nope", key__converter__foo="x"))
validate(sink(key__converter=""))
validate(sink(value__converter="StringConverter", value__converter__converter__encoding="x"))
validate(sink(key__converter="org.apache.kafka.connect.storage.SimpleHeaderConverter"))
validate(sink(key__converter="JsonConverter", key__converter__plugin__version="9.9"))
validate(sink(key__converter="JsonConverter", key__converter__plugin__version="[1,"))
validate(sink(value__converter="JsonConverter", value__converter__schemas__cache__size="-1"))
validate(sink(consumer__override__max__poll__records="x"))
validate(sink(consumer__override__max__poll__records="7", consumer__override__foo="bar", producer__override__acks="all", consumer__override__sasl__jaas__config="zz"))
validate(sink(producer__override__acks="1", admin__override__retries="3", errors__deadletterqueue__topic__name="d"))
source = {"connector.class": SOURCE, "name": "a", "topic": "t"}
validate(source, SOURCE)
validate({**source, "exactly.once.support": "required", "transaction.boundary": "connector"}, SOURCE)
validate({**source, "file": "/x", "exactly.once.support": "REQUIRED"}, SOURCE)
validate({**source, "exactly.once.support": "bogus", "transaction.boundary": "x", "offsets.storage.topic": "", "topic.creation.groups": "a,a"}, SOURCE)
validate({**source, "transaction.boundary.interval.ms": "-1", "batch.size": "x"}, SOURCE)
validate({**source, "topic": ""}, SOURCE)
validate({**source, "topic": "a,b", "file": " padded "}, SOURCE)
validate({**source, "producer.override.batch.size": "x"}, SOURCE)
validate({**source, "topic.creation.default.partitions": "1", "admin.override.retries": "7", "producer.override.linger.ms": "5"}, SOURCE)
P = "org.apache.kafka.connect.transforms."
for more in [{"transforms": "x,x"}, {"transforms": "x"}, {"transforms": "x,"}, {"transforms": "x", "transforms.x.type": ""},
             {"transforms": "x", "transforms.x.type": "org.apache.kafka.connect.json.JsonConverter"}, {"transforms": "x", "transforms.x.type": "nope"},
             {"transforms": "x", "transforms.x.type": P + "HoistField"}, {"transforms": "x", "transforms.x.type": "TimestampRouter"},
             {"transforms": "x", "transforms.x.type": P + "RegexRouter", "transforms.x.negate": "true", "transforms.x.plugin.version": "9"},
             {"transforms": "x", "transforms.x.type": P + "Cast$Value", "transforms.x.negate": "true"}, {"transforms": "x", "transforms.x.type": P + "InsertField$Value"},
             {"transforms": "x,y", "transforms.x.type": P + "HoistField$Key", "transforms.x.field": "f", "transforms.y.type": "RegexRouter", "transforms.y.predicate": "p"},
             {"predicates": "p"}, {"predicates": "p", "predicates.p.type": "Nope"}, {"predicates": "p", "predicates.p.type": P + "predicates.TopicNameMatches"},
             {"predicates": "p", "predicates.p.type": "TopicNameMatches", "predicates.p.pattern": "a("}, {"predicates": "p", "predicates.p.type": "TimestampRouter"},
             {"predicates": "p,q", "predicates.p.type": "RecordIsTombstone", "predicates.q.type": "HasHeaderKey", "predicates.q.name": ""}]:
    validate({**sink(), **more})


def forget_sentences(shown):
    """Sentences that explain a key are each project's own."""
    for config in shown.get("configs", []) if isinstance(shown, dict) else shown if isinstance(shown, list) else []:
        definition = config.get("definition", config) if isinstance(config, dict) else None
        if isinstance(definition, dict):
            definition.pop("documentation", None)


def send(url, method, path, body, headers):
    target = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=100)
    connection.putrequest(method, path, skip_accept_encoding=True)
    data = None if body is None else body.encode()
    if data is not None:
        connection.putheader("Content-Length", str(len(data)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(data)
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    try:
        shown = json.loads(text)
        forget_sentences(shown)
    except ValueError:
        shown = text
    return {"method": method, "path": path, "headers": headers, "body": body, "status": response.status,
            "content_type": response.getheader("Content-Type"), "allow": response.getheader("Allow"), "answer": shown}


if __name__ == "__main__":
    answers = [send(sys.argv[1], *one) for one in calls]
    print("[\n" + ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers) + "\n]")
