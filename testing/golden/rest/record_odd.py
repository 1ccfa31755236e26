"""Records what the Java worker answers to odd calls: python3 record_odd.py http://127.0.0.1:PORT > odd.jsonl

As record.py, and with the same settings: a worker without connectors. Validations are kept as in grid.jsonl."""
import json, sys
import record

JSON = record.JSON
calls, grid = [], []


def call(method, path, body=None, headers=None):
    calls.append((method, path, body, JSON if headers is None and body is not None else headers or {}))


def validate(key, plugin="FileStreamSink", **more):
    config = {"connector.class": plugin, "name": "a"}
    config.update({"topics": "a"} if plugin.endswith("Sink") else {"topic": "t"})
    config.update({k.replace("__", "."): v for k, v in more.items()})
    grid.append((plugin, key, config))


def odd(key, values, plugin="FileStreamSink", **more):
    for value in values:
        validate(key, plugin, **{**more, key: value})


# Methods.
for path in ["/", "/health", "/connectors/x/offsets", "/connectors/x/topics", "/connectors/x/topics/reset", "/connectors/x/tasks", "/connectors/x/tasks/0/status",
             "/connectors/x/tasks/0/restart", "/connectors/x/restart", "/connectors/x/stop", "/connectors/x/fence", "/connector-plugins", "/connector-plugins/FileStreamSink/config",
             "/connector-plugins/FileStreamSink/config/validate", "/admin/loggers", "/admin/loggers/root"]:
    for method in ["HEAD", "OPTIONS", "PATCH", "DELETE", "POST", "PUT"]:
        # The one that has an effect, and those that are asked elsewhere.
        if (method, path) in [("POST", "/connectors/x/restart"), ("HEAD", "/")]:
            continue
        call(method, path)
for method in ["get", "CONNECTX", "PROPFIND", "LINK", "SEARCH"]:
    call(method, "/connectors")

# Paths.
for path in ["/connectors/x/status/", "/connectors/x/config/", "/connectors/x/offsets/", "/admin/loggers/root/", "/connectors/%20", "/connectors/%20x%20",
             "/connectors/%09", "/connectors/%00", "/connectors/%0A", "/connectors/%7F", "/connectors/%E2%82%AC", "/connectors/%F0%9F%98%80", "/connectors/%FF", "/connectors/%C3", "/connectors/%zz", "/connectors/%", "/connectors/%2",
             "/connectors/x%3Fy", "/connectors/x%23y", "/connectors/x%2Fstatus", "/connectors/%2F", "/connectors/.", "/connectors/..", "/connectors/x/..", "/connectors/./x", "/connectors/%2E", "/connectors/x;", "/connectors;a=b",
             "/connectors/x;v=1/status;w=2", "/connectors/;x", "/connectors/x,y", "/connectors/x:y", "/connectors/x@y", "/connectors/x=y", "/connectors/x&y", "/connectors/x'y", "/connectors/x(y)", "/connectors/x!y*", "/connectors/x$y", "/connectors/x~y",
             "/connectors/x|y", "/connectors/x^y", "/connectors/{x}", "/connectors/x\\y", '/connectors/x"y', "/connectors/[x]",
             "/CONNECTORS", "/Connectors/x", "/connectors/x/STATUS", "/health/x", "/connector-plugins/x", "/connector-plugins/FileStreamSink", "/connector-plugins/FileStreamSink/", "/admin/loggers/a%2Fb", "/admin/loggers/a%20b",
             "/admin/loggers/%20", "/admin/loggers/..", "/favicon.ico", "/index.html", "/connectors/x/tasks/00/status", "/connectors/x/tasks/%30/status", "/connectors/x/tasks/-0/status", "/connectors/x/tasks/ 0/status".replace(" ", "%20"),
             "/connectors/x/tasks//status", "/connectors/x//status", "//connectors", "///", "/connectors/x/tasks/99999999999999999999/status", "/" + "a" * 300, "/connectors/" + "n" * 2000]:
    call("GET", path)

# Parameters.
for query in ["?", "?&", "?&&", "?expand=", "?expand=nope", "?expand=status,info", "?expand=STATUS", "?expand=status&expand=status", "?expand=nope&expand=info", "?Expand=status", "?expand=%73tatus", "?expand=status#x", "?expand=status;expand=info",
              "?expand=%zz", "?a=b", "?expand[]=status", "?expand=+status", "?expand=status&forward=false", "?forward=true", "?forward=nope", "?forward="]:
    call("GET", "/connectors" + query)
for query in ["?version=", "?version", "?version=4.3.1", "?version=[4.3.1]", "?version=(,4.3.1)", "?version=(4.3.1,)", "?version=[4,5)", "?version=4.3.1&version=9", "?version=9&version=4.3.1", "?version=[5,4]", "?version=[4.3.1", "?version=]", "?version=%5B4.0,%29",
              "?version=(4.3.1)", "?version=[4],[5]", "?version=[5],[4]", "?version=,", "?version=+4.3.1", "?version=4.3.1+", "?version=LATEST", "?version=[,]", "?version=(,)", "?version=()", "?version=[]", "?version=[1,2", "?version=[1,2,3]", "?version=[1,2]x", "?version=abc", "?Version=9"]:
    call("GET", "/connector-plugins/FileStreamSource/config" + query)
for name in ["org.apache.kafka.connect.transforms.Cast$Value", "Cast", "RegexRouter", "TopicNameMatches", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone", "ByteArrayConverter",
             "org.apache.kafka.connect.converters.ByteArrayConverter", "IntegerConverter", "FileConfigProvider", "org.apache.kafka.common.config.provider.EnvVarConfigProvider", "AllConnectorClientConfigOverridePolicy", "None", "BasicAuthSecurityRestExtension", "..",
             "%20", "FileStreamSink%20", "FileStreamSinkConnector", "FileStream", "MirrorSourceX"]:
    call("GET", f"/connector-plugins/{name}/config")
for query in ["?includeTasks=nope", "?includeTasks=1", "?includeTasks=true&onlyFailed=nope", "?onlyFailed=false&onlyFailed=true", "?includeTasks", "?includeTasks=%74rue", "?x=y", "?forward=false", "?forward=true", "?forward=1", "?includeTasks=true&includeTasks=false"]:
    call("POST", "/connectors/x/restart" + query)
for query in ["?forward=false", "?forward=true", "?forward=nope"]:
    call("PUT", "/connectors/x/pause" + query)
    call("DELETE", "/connectors/x" + query)
    call("POST", "/connectors/x/tasks/0/restart" + query)
    call("PUT", "/connectors/x/config" + query, '{"connector.class":"Nope"}')

# Bodies where none belong, none where they belong, of other types, odd, deep and large.
for method, path in [("GET", "/connectors"), ("DELETE", "/connectors/x"), ("PUT", "/connectors/x/pause"), ("POST", "/connectors/x/restart"), ("PUT", "/connectors/x/topics/reset"), ("DELETE", "/connectors/x/offsets")]:
    for body in ["", "{}", "garbage", '{"a":'] :
        call(method, path, body)
    call(method, path, "a=b", {"Content-Type": "application/x-www-form-urlencoded"})
for method, path in [("POST", "/connectors"), ("PUT", "/connectors/x/config"), ("PATCH", "/connectors/x/config"), ("PATCH", "/connectors/x/offsets"), ("PUT", "/connector-plugins/FileStreamSink/config/validate"), ("PUT", "/admin/loggers/a.b")]:
    call(method, path)
    call(method, path, "{}", {})
    for kind in ["text/json", "application/json;charset=latin1", "application/json;charset=nonsense", "application/vnd.api+json", "application/xml", "application/json, text/plain", " application/json ", "application/json;", "application /json", "application/", "/json", "*/*"]:
        call(method, path, "{}", {"Content-Type": kind})
for body in ['"a"', "{}", "{} {}", "[[]]", '{"a":"b"', '{"a" "b"}', "{'a':'b'}", '{"a":"b"}//x', '/*x*/{"a":"b"}', '{"a":"\\u00e9"}', '{"a":"\u00e9\u20ac"}', '{"a":"\\x"}', '{"a":"\t"}', '{"":"b"}', '{"a":tru}', '{"a":1e999}', '{"a":01}', '{"a":-}', '{"a":.5}', '{"a":+1}',
             '{"a":0x1}', '{"a":Infinity}', '{"a":null,"a":"b"}', '{"a":true,"b":1,"c":1.50,"d":1e3}', "[" * 1200, '{"a":' * 1200, '{"a":' + "[" * 600 + "]" * 600 + "}"]:
    call("PUT", "/connectors/x/config", body)
    call("POST", "/connectors", body)
for body in ['{"a', '{"a":"b', '{"a":tr', '{"a":trux}', "[", '{"a":[1', '{"a":"b",', '{"a":1', "{", '"a', '{"a":"\\u12', '{"a":"\\', "tru", '{"a":"\\u12g4"}', '{"a":1.}', '{"a":1.x}', '{"a":1e}', '{"a":1ex}', '{"a":-x}', '{"a":}', '{"a":]}', '{"a":,}', "{,}", '{"a":"b",,}', '{"a":-Infinity}',
             '{"a":INF}', '{"a":+Infinity}', '{"a":#}', '{"a":"b"]', '{"a":[1}', '{"a":"b"} ]', '{"a":"b"},', '{"a":"b"}"x"', '{"a":"b"}5', '{"a":"b"}tru', '{"a":"b"}null', "-", "5x", '{"a":12x}', '{"a":nulll}', '{"a":00}', '{"a":-01}', '{"x\ny":1}', '{"a":"b\nc"}', '{"a"\n:\nx}', '{"\\q":1}', '{"a":"b"}/', '{a',
             '{"a":\u00e9}', '{\u00e9:1}', '{"a":"b"\u00e9}', '{"a" ', '{"a":1 2}', '{"a":1e+}', '{"a":1.5.5}', '{"a":- 1}', '{"a":-', '{"a":1.', '{"a":1e', '{"a":0', '{"a":N', '{"a":+', '{"a":$x}', '{"a":a-b.c}', '{"a":\x01}', '\x01{"a":1}', '{"a":"\x01']:
    call("PUT", "/connectors/x/config", body)
for config in ['{"connector.class":"Nope"}', '{"connector.class":null}', '{"connector.class":""}', '{"connector.class":5}', '{"connector.class":" FileStreamSink "}', '{"connector.class":"org.apache.kafka.connect.json.JsonConverter"}', '{"connector.class":"java.lang.Runtime"}',
               '{"connector.class":"FileStreamSink","topics":null}', '{"connector.class":"FileStreamSink","topics":""}', '{"connector.class":"FileStreamSink","topics":" "}', '{"connector.class":"FileStreamSink","topics":"a","topics.regex":"b"}',
               '{"connector.class":"FileStreamSink","topics":"a","name":null}', '{"connector.class":"FileStreamSink","topics":"a","name":5}', '{"connector.class":"FileStreamSink","topics":"a","name":"\u00e9"}', '{"connector.class":"FileStreamSink","topics":"a","tasks.max":null}',
               '{"connector.class":"FileStreamSink","topics":"a","tasks.max":-1}', '{"connector.class":"FileStreamSink","topics":"a","tasks.max":1.5}', '{"connector.class":"FileStreamSink","topics":"a","tasks.max":"\uff11"}', '{"connector.class":"FileStreamSink","topics":"a","name":"other"}',
               '{"connector.class":"FileStreamSink","topics":"a","connector.plugin.version":"[5,"}', '{"connector.class":"FileStreamSink","topics":"${x:y:z}","tasks.max":"${a}"}', '{"connector.class":"FileStreamSource"}', '{"connector.class":"FileStreamSource","topic":"a b"}',
               '{"connector.class":"FileStreamSource","topic":"t","tasks.max":"' + "9" * 400 + '"}']:
    # Those that would create a connector are left to the lives.
    if not any(part in config for part in ['"topic":"a b"', '"name":null', '"tasks.max":null', "\uff11"]):
        call("PUT", "/connectors/x/config", config)
    if '"name":' not in config and "${" not in config:
        call("POST", "/connectors", '{"name":"x","config":%s,"initial_state":"STOPPED2"}' % config)
for name in ['"a/b"', '"a\\tb"', '"\\u0000"', '"\u00a0"', '"\u3000"', '"."', '".."', "5", "true", "{}", '"a\u2028b"', '"\ufeff"', '"%s"' % ("n" * 300)]:
    call("POST", "/connectors", '{"name":%s,"config":{"connector.class":"FileStreamSink"}}' % name)
for state in ['"RUNNING "', '"running"', '"Stopped"', '"FAILED"', '"RESTARTING"', '"UNASSIGNED"', '"DESTROYED"', '0', '3', '-1', '1.0', '"0"', 'null', '"\u0130"']:
    call("POST", "/connectors", '{"name":"a","config":{"connector.class":"FileStreamSink"},"initial_state":%s}' % state)
for body in ['{"offsets":[{"partition":{},"offset":{}}]}', '{"offsets":[{}]}', '{"offsets":[{"partition":{"a":"b"}}]}', '{"offsets":[{"offset":{"a":"b"}}]}', '{"offsets":[[]]}', '{"offsets":["a"]}', '{"offsets":[null]}', '{"offsets":{}}', '{"offsets":"a"}', '{"offsets":[{"partition":{"a":"b"},"offset":{"c":1}}],"x":1}',
             '{"offsets":[{"partition":"a","offset":{}}]}', '{"offsets":[{"partition":[],"offset":{}}]}', '{"offsets":[{"partition":{"a":"b"},"offset":5}]}', '{"offsets":[{"partition":{"a":"b"},"offset":"5"}]}', '{"OFFSETS":[]}', '{"offsets":[{"partition":{"a":1e400},"offset":null}]}', '{"offsets":true}', '"offsets"', '5']:
    call("PATCH", "/connectors/x/offsets", body)
for body in ['{"a":null}', '{"a":1}', '{"a":true}', '{"a":{}}', '{"a":[]}', '{"connector.class":null}', '{"name":"y"}', '"a"', '5', '{"a":"b"} x', "[{}]"]:
    call("PATCH", "/connectors/x/config", body)

# Levels.
for level in ['"debug"', '" DEBUG"', '"DEBUG "', '"WARNING"', '"FATAL"', '"OFF"', '"ALL"', '"D\u00c9BUG"', '"INFO\\n"', 'true', '{}', '"0"']:
    for scope in ["", "?scope=worker", "?scope=nope", "?scope=CLUSTER"]:
        if level in ('" DEBUG"', '"WARNING"', '"D\u00c9BUG"', 'true', '{}', '"0"', '"INFO\\n"') or scope == "":
            call("PUT", "/admin/loggers/odd.a" + scope, '{"level":%s}' % level)
for body in ['{"Level":"DEBUG"}', '{"level":"INFO","x":"y"}', '{"level":"INFO","level":"DEBUG"}', '{"x":"INFO"}', '"INFO"', '5', '{"level":["INFO"]}', '{"level":{"a":"b"}}', '{"level":"INFO"} x', "null"]:
    call("PUT", "/admin/loggers/odd.b", body)
for path in ["/admin/loggers/odd.none", "/admin/loggers/odd", "/admin/loggers/odd.a.b.c", "/admin/loggers/ROOT", "/admin/loggers/.", "/admin/loggers/a..b", "/admin/loggers/%C3%A9"]:
    call("GET", path)

# Media types asked for.
for accept in ["application/json;q=0", "application/json;q=0.0, */*", "*/*;q=0.1", "text/*", "*", "application/xml", "application/xml, */*;q=0.1", "application/json; q=1; charset=utf-8", "", ",", ";", "application/JSON", "image/*, application/*", "text/html;level=1, application/json", "json", "application/vnd.kafka+json"]:
    call("GET", "/connectors", headers={"Accept": accept})
    call("GET", "/connectors/x", headers={"Accept": accept})

# Validations.
CAST = "org.apache.kafka.connect.transforms.Cast$Value"
J = "org.apache.kafka.connect.json.JsonConverter"
for plugin in ["filestreamsink", "FileStreamSinkConnector", "JsonConverter", "java.lang.Object", "%20", "..", "FileStreamSink%20", "org.apache.kafka.connect.file"]:
    call("PUT", f"/connector-plugins/{plugin}/config/validate", '{"connector.class":"FileStreamSink","topics":"a","name":"a"}')
for given in ["FileStreamSource", "filestreamsink", " FileStreamSink", "JsonConverter", "java.lang.Object", "org.apache.kafka.connect.file", "FileStreamSinkConnector", "MirrorCheckpoint", "\u00e9"]:
    call("PUT", "/connector-plugins/FileStreamSink/config/validate", json.dumps({"connector.class": given, "topics": "a", "name": "a", "topic": "t"}))
for body in ["", "[]", "null", '"a"', "{", '{"connector.class":null}', '{"connector.class":5}', '{"connector.class":{}}']:
    call("PUT", "/connector-plugins/FileStreamSink/config/validate", body)
VERSIONS = ["4.3.1", "[4.3.1]", "[4.3.1,4.3.1]", "(4.3.1,4.4)", "[4,5)", "(,5)", "[4.3.1,)", "[5,4]", "latest", "LATEST", "", " ", " 4.3.1 ", "4", "4.3", "4.3.1.0", "4.3.1-0", "9.9", "[9,)", "[1,2],[4,5]", "(,1],[2,3)", "[1", "1]", "[", "(", ",", "[,]", "(,)", "[1,2,3]", "[4,5]x", "abc", "v4.3.1",
            "4.3.1-SNAPSHOT", "(4.3.1-SNAPSHOT,4.3.1]", "[4.3.1-alpha,]", "(4.3.1-rc1,4.3.2-rc1)", "(4.3.1.Final,)", "[4.3.1-sp,)", "[4.3.1a,)", "[004.03.01]", "[4.3.1-ga]", "4.3.x", "[4.3.1,4.3.0]", "(4.3.1)", "[4.3.1;)"]
for kind, extra in [("key.converter", {}), ("value.converter", {}), ("header.converter", {})]:
    cls = "JsonConverter" if kind != "header.converter" else "SimpleHeaderConverter"
    odd(kind + ".plugin.version", VERSIONS if kind == "key.converter" else VERSIONS[:12], **{kind: cls})
    odd(kind + ".plugin.version", ["4.3.1", "9.9"])
odd("transforms.x.plugin.version", VERSIONS, transforms="x", transforms__x__type="RegexRouter", transforms__x__regex="a", transforms__x__replacement="b")
odd("predicates.p.plugin.version", VERSIONS[:20], predicates="p", predicates__p__type="RecordIsTombstone")
odd("connector.plugin.version", ["4.3.1", "[4.3.1]", "[4,5)", "latest", "[4.3.1,)"])
odd("transforms.x.plugin.version", ["4.3.1", "9.9", "["], transforms="x", transforms__x__type="Nope")
odd("transforms.x.plugin.version", ["4.3.1", "9.9"], transforms="x")
odd("transforms", ["", " ", "x, y", "x,,y", ",", "a.b", "\u00e9", "x x", None], transforms__x__type="RegexRouter")
odd("transforms.x.type", ["regexrouter", "org.apache.kafka.connect.transforms.RegexRouter", "Cast", "Cast$value", "org.apache.kafka.connect.transforms.Cast", J, "FileStreamSink", "RecordIsTombstone", None], transforms="x", transforms__x__spec="a:int8")
odd("transforms.x.spec", ["", "a", "a:", ":int8", "a:int8,a:int16", "a:nope", "int8", "int8,int16", "a:int8, b:string", None], transforms="x", transforms__x__type=CAST)
odd("transforms.x.negate", ["", "TRUE", "nope", None, " true "], transforms="x", transforms__x__type=CAST, transforms__x__spec="int8", transforms__x__predicate="p", predicates="p", predicates__p__type="RecordIsTombstone")
odd("transforms.x.predicate", ["p", "q", "", None, "p "], transforms="x", transforms__x__type=CAST, transforms__x__spec="int8", predicates="p", predicates__p__type="RecordIsTombstone")
odd("predicates", ["", "p,p", "p,", None, "q"], predicates__p__type="RecordIsTombstone")
odd("predicates.p.type", ["recordistombstone", CAST, None, ""], predicates="p")
odd("key.converter", ["JSONCONVERTER", "Simple", "SimpleHeaderConverter", "FileStreamSink", "String", None])
odd("header.converter", [J, "Json", "String", "ByteArrayConverter", "NumberConverter", "org.apache.kafka.connect.converters.LongConverter", None, ""])
odd("key.converter.schemas.enable", ["TRUE", "yes", "", None, " false "], key__converter="JsonConverter")
odd("value.converter.decimal.format", ["numeric", "BASE64", "x", ""], value__converter="JsonConverter")
odd("value.converter.replace.null.with.default", ["x", None], value__converter="JsonConverter")
odd("topics", ["a b", "a,b,", "\u00e9", " a , b ", ",", "a,A", "a" * 300, ".", "..", "__consumer_offsets"])
odd("topics.regex", ["", "*", "a{2", "(?<x>a)\\k<x>", "(?i)A", "\\p{Alpha}", "a++", "\\"], topics=None)
odd("errors.tolerance", ["ALL", "None", "", None, " all"])
odd("errors.retry.timeout", ["-1", "-2", "", "1.5", "9223372036854775808", None, " 5 "])
odd("errors.deadletterqueue.topic.name", ["", " ", "a", "b c"])
odd("errors.deadletterqueue.topic.replication.factor", ["-1", "0", "32767", "32768", "x"])
odd("config.action.reload", ["NONE", "Restart", "", None])
odd("tasks.max", ["01", "+1", "-0", "1e1", "2147483647", "2147483648", "1 ", "", None, "1_0"])
odd("name", ["", " ", " a", "a ", "a/b", "a%b", "a\u0000b", "\u00e9", "a\tb", None, "a" * 300, "${x:y}", "a;b"])
for key in ["consumer.override.max.poll.records", "consumer.override.isolation.level", "consumer.override.group.id", "consumer.override.auto.offset.reset", "consumer.override.bootstrap.servers", "consumer.override.client.id"]:
    odd(key, ["x", "", "5", "read_committed", None])
for key in ["producer.override.acks", "producer.override.compression.type", "producer.override.linger.ms", "producer.override.transactional.id"]:
    odd(key, ["x", "", "5", "all", None], plugin="FileStreamSource")
odd("topic.creation.default.partitions", ["0", "-1", "x", "", None, "5"], plugin="FileStreamSource", topic__creation__default__replication__factor="1")
odd("topic.creation.default.replication.factor", ["0", "-1", "-2", "x", "", None, "5"], plugin="FileStreamSource", topic__creation__default__partitions="1")
odd("topic.creation.groups", ["g", "g,g", "", "default", "g, h", None], plugin="FileStreamSource", topic__creation__default__partitions="1", topic__creation__default__replication__factor="1", topic__creation__g__include="a.*", topic__creation__g__exclude="(")
odd("topic.creation.g.include", ["", "(", None, "a,b"], plugin="FileStreamSource", topic__creation__default__partitions="1", topic__creation__default__replication__factor="1", topic__creation__groups="g")
odd("batch.size", ["0", "-1", "x", "", None, "2147483648"], plugin="FileStreamSource")
odd("file", ["", " ", None, "\u00e9", "a\u0000b"], plugin="FileStreamSource")
odd("exactly.once.support", ["", None, " required", "REQUESTED"], plugin="FileStreamSource")
odd("transaction.boundary", ["", None, "POLL", "Interval "], plugin="FileStreamSource")
odd("transaction.boundary.interval.ms", ["", None, "0", "1.5", "9223372036854775807"], plugin="FileStreamSource")
odd("offsets.storage.topic", ["", " ", "a b"], plugin="FileStreamSource")
odd("tasks.max.enforce", ["", "1", None, "False"])
odd("errors.log.include.messages", ["", "1", None, "True"])
odd("unknown.key", ["", None, "\u00e9", "x" * 5000])


def judged(plugin, key, config):
    """What grid.jsonl keeps of a validation."""
    body = json.dumps(config, ensure_ascii=False)
    answer = record.send(sys.argv[1], "PUT", f"/connector-plugins/{plugin}/config/validate", body, JSON)
    row, infos = {"plugin": plugin, "key": key, "config": config, "status": answer["status"]}, answer["answer"]
    if answer["status"] != 200:
        return {**row, "message": infos["message"]}
    values = [one["value"] for one in infos["configs"]]
    own = next((one for one in values if one["name"] == key), {})
    errors = {one["name"]: one["errors"] for one in values if one["errors"]}
    return {**row, "error_count": infos["error_count"], "errors": errors, "value": own.get("value"), "visible": own.get("visible")}


if __name__ == "__main__":
    for one in calls:
        print(json.dumps(record.send(sys.argv[1], *one), ensure_ascii=False))
    for one in grid:
        print(json.dumps(judged(*one), ensure_ascii=False))
