"""The Python clients of Kafka Connect that people use, each through its life cycle, unchanged.

usage: life_cycles.py URL FOLDER
"""

import json
import sys
import time
from urllib.parse import urlparse

URL, FOLDER = sys.argv[1], sys.argv[2]
PATIENCE = 60


def config(name):
    file = f"{FOLDER}/{name}.txt"
    with open(file, "w", encoding="utf-8") as out:
        out.write("one\ntwo\n")
    return {
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        "file": file,
        "topic": f"clients-{name}",
    }


def until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def lsst():
    """kafkaconnect 1.3.1: answers are JSON texts."""
    from kafkaconnect.connect import Connect

    name, client = "lsst", Connect(connect_url=URL)
    wanted = {**config(name), "name": name}
    validated = json.loads(client.validate("FileStreamSource", json.dumps(wanted)))
    assert validated["error_count"] == 0, validated
    client.create_or_update(name, json.dumps(wanted))
    assert name in json.loads(client.list())
    until("running", lambda: lsst_state(client, name) == ["RUNNING", "RUNNING"])
    assert json.loads(client.config(name)) == wanted
    assert len(json.loads(client.tasks(name))) == 1
    assert name in json.loads(client.topics(name))
    assert any("FileStreamSource" in one["class"] for one in json.loads(client.plugins()))
    client.pause(name)
    until("paused", lambda: lsst_state(client, name) == ["PAUSED", "PAUSED"])
    client.resume(name)
    client.restart(name)
    until("running", lambda: lsst_state(client, name) == ["RUNNING", "RUNNING"])
    client.remove(name)
    assert name not in json.loads(client.list())


def lsst_state(client, name):
    """Right after its creation a connector has no status; this client says so in words."""
    try:
        return state(json.loads(client.status(name)))
    except json.JSONDecodeError:
        return []


def state(status):
    return [status["connector"]["state"]] + [task["state"] for task in status["tasks"]]


def py_state(client, name):
    """Right after its creation a connector has no status; this client raises then."""
    from requests import HTTPError

    try:
        return state(client.get_connector_status(name))
    except HTTPError:
        return []


def py():
    """kafka-connect-py 1.0.0."""
    from kafka_connect import KafkaConnect

    name, client = "py", KafkaConnect(url=URL)
    assert client.get_cluster_info()["version"].split(".")[0] == "4"
    wanted = {**config(name), "name": name}
    client.create_connector({"name": name, "config": config(name)})
    assert name in client.list_connectors()
    until("running", lambda: py_state(client, name) == ["RUNNING", "RUNNING"])
    assert name in client.list_connectors(expand="status", pattern="p.", state="RUNNING")
    assert client.get_connector_config(name) == wanted
    client.update_connector(name, {**wanted, "batch.size": "9"})
    assert client.get_connector(name)["config"]["batch.size"] == "9"
    until("running", lambda: py_state(client, name) == ["RUNNING", "RUNNING"])
    until("running", lambda: client.get_connector_task_status(name, 0)["state"] == "RUNNING")
    assert len(client.list_connector_tasks(name)) == 1
    client.restart_connector_task(name, 0)
    client.pause_connector(name)
    until("paused", lambda: py_state(client, name) == ["PAUSED", "PAUSED"])
    client.resume_connector(name)
    client.restart_connector(name, include_tasks=True)
    until("running", lambda: py_state(client, name) == ["RUNNING", "RUNNING"])
    assert name in client.list_connector_topics(name)
    client.reset_connector_topics(name)
    assert client.list_connector_plugins()
    assert client.validate_connector_config("FileStreamSource", wanted)["error_count"] == 0
    client.stop_connector(name)
    until("stopped", lambda: py_state(client, name) == ["STOPPED"])
    client.delete_connector(name)
    assert name not in client.list_connectors()


def api_state(thing):
    """Right after its creation a connector or task has no status; this client raises then."""
    from kafka_connect_api.errors import GenericNotFound

    try:
        return thing.state
    except GenericNotFound:
        return None


def api():
    """kafka-connect-api 0.5.10: objects; some paths end in a slash."""
    from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

    parts = urlparse(URL)
    name, cluster = "api", Cluster(Api(parts.hostname, port=parts.port))
    assert cluster.version and cluster.kafka_cluster
    connector = Connector(cluster, name)
    connector.config = config(name)
    assert connector.exists() and name in cluster.connectors
    until("running", lambda: api_state(connector) == "RUNNING" and len(connector.tasks) == 1)
    until("running", lambda: api_state(connector.tasks[0]) == "RUNNING")
    assert connector.tasks[0].is_running()
    assert connector.config["topic"] == "clients-api"
    connector.pause()
    until("paused", lambda: connector.state == "PAUSED")
    connector.resume()
    until("running", lambda: connector.state == "RUNNING")
    connector.restart()
    connector.restart_all_tasks()
    assert "root" in cluster.loggers
    cluster.set_logger_log_level("org.apache.kafka.connect.runtime", "INFO")
    connector.delete()
    assert name not in cluster.connectors
    # As with the Java worker, the status goes a moment after the connector.
    until("no status", lambda: api_state(connector) is None)


def healthcheck():
    """kafka-connect-healthcheck 0.3.0: compares `worker_id` with the address it was given."""
    from kafka_connect_healthcheck.health import Health

    worker = urlparse(URL).netloc
    health = Health(URL, worker, ["FAILED"], None, 0, ["CONNECTOR", "TASK"])
    result = health.get_health_result()
    assert result["healthy"], result


for client in [lsst, py, api, healthcheck]:
    client()
    print(f"ok {client.__name__}", flush=True)
