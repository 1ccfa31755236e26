"""Records what the Java worker says of values of the framework's keys: python3 record_grid.py http://127.0.0.1:PORT > grid.jsonl

Each line: the plugin, the configuration, the status, how many errors, and for each key that has any: its errors; for the
key that was set also the value that is shown. A worker as for record.py."""
import http.client, json, sys, urllib.parse

target = urllib.parse.urlsplit(sys.argv[1])
BASE = {
    "FileStreamSink": {"connector.class": "FileStreamSink", "name": "a", "topics": "t"},
    "FileStreamSource": {"connector.class": "FileStreamSource", "name": "a", "topic": "t"},
}
VALUES = ["", " ", "x", "-1", "0", "1.5", "TRUE", "99999999999", "a,b", "a,,b"]
BOTH = ["tasks.max", "tasks.max.enforce", "errors.tolerance", "errors.retry.timeout", "errors.retry.delay.max.ms", "errors.log.enable",
        "errors.log.include.messages", "config.action.reload", "header.converter", "transforms", "predicates"]
OF_SINK = ["topics", "topics.regex", "errors.deadletterqueue.topic.name", "errors.deadletterqueue.topic.replication.factor",
           "errors.deadletterqueue.context.headers.enable", "file"]
OF_SOURCE = ["topic", "batch.size", "exactly.once.support", "transaction.boundary", "transaction.boundary.interval.ms", "offsets.storage.topic",
             "topic.creation.groups", "topic.creation.default.partitions", "topic.creation.default.replication.factor"]


def grid():
    for plugin, keys in [("FileStreamSink", BOTH[:4] + BOTH[7:] + OF_SINK), ("FileStreamSource", BOTH[4:7] + OF_SOURCE)]:
        for key in keys:
            for value in VALUES:
                yield plugin, key, {**BASE[plugin], key: value}
    for value in ["-2", "1", "2"]:
        for other in ["partitions", "replication.factor"]:
            creation = {"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}
            key = f"topic.creation.default.{other}"
            yield "FileStreamSource", key, {**BASE["FileStreamSource"], **creation, key: value}
    for key, value in [("topic.creation.groups", "g"), ("topic.creation.g.include", "a("), ("topic.creation.g.include", "a.*"), ("topic.creation.g.exclude", "[")]:
        more = {"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1", "topic.creation.groups": "g"}
        yield "FileStreamSource", key, {**BASE["FileStreamSource"], **more, key: value}
    for regex in ["a*+", "(?<n>a)\\k<n>", "[a-z&&[^b]]", "\\p{Lower}+", "(?i)A|b", "a{2,1}", "\\Qx", "(", "*", "\\", "[z-a]", "(?<1>a)", "a++", "\\R", "\\X", "(?=x)"]:
        config = {key: value for key, value in BASE["FileStreamSink"].items() if key != "topics"}
        yield "FileStreamSink", "topics.regex", {**config, "topics.regex": regex}


for plugin, key, config in grid():
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=100)
    connection.request("PUT", f"/connector-plugins/{plugin}/config/validate", json.dumps(config), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    line = {"plugin": plugin, "key": key, "config": config, "status": response.status}
    if response.status == 200:
        values = [one["value"] for one in answer["configs"]]
        line["error_count"] = answer["error_count"]
        line["errors"] = {one["name"]: one["errors"] for one in values if one["errors"]}
        line["value"] = next((one["value"] for one in values if one["name"] == key), None)
        line["visible"] = next((one["visible"] for one in values if one["name"] == key), None)
    else:
        line["message"] = answer["message"]
    print(json.dumps(line))
