"""How long PUT …/config/validate takes on a running worker, Milena's or Java's, as one client on one connection sees it:

python3 over_rest.py http://127.0.0.1:8083 2000"""
import http.client, json, socket, sys, time, urllib.parse

T = "org.apache.kafka.connect.transforms."
CONNECTOR = {
    "name": "bench", "connector.class": "FileStreamSource", "tasks.max": "4", "file": "/var/log/messages", "topic": "lines",
    "key.converter": "StringConverter", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
    "producer.override.linger.ms": "20", "producer.override.compression.type": "zstd",
    "transforms": "hoist,stamp,cast,route,mask", "transforms.hoist.type": T + "HoistField$Value", "transforms.hoist.field": "line",
    "transforms.stamp.type": T + "InsertField$Value", "transforms.stamp.timestamp.field": "at",
    "transforms.cast.type": T + "Cast$Value", "transforms.cast.spec": "line:string",
    "transforms.route.type": "RegexRouter", "transforms.route.regex": "(.*)", "transforms.route.replacement": "logs-$1",
    "transforms.mask.type": T + "MaskField$Value", "transforms.mask.fields": "line", "transforms.mask.predicate": "empty",
    "predicates": "empty", "predicates.empty.type": "RecordIsTombstone",
}

target, runs = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2])
connection = http.client.HTTPConnection(target.hostname, target.port)
connection.connect()
connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
body, times = json.dumps(CONNECTOR), []
for _ in range(runs):
    began = time.perf_counter()
    path = "/connector-plugins/FileStreamSource/config/validate"
    connection.request("PUT", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    infos = answer.read()
    times.append((time.perf_counter() - began) * 1000)
    assert answer.status == 200 and json.loads(infos)["error_count"] == 0, infos[:300]
times.sort()
print(f"{runs} validations: median {times[runs // 2]:.2f} ms, 99 % {times[runs * 99 // 100]:.2f} ms, slowest {times[-1]:.2f} ms, {len(infos)} bytes")
