"""librdkafka against a broker: records, transactions, groups, administration. Asserts, then says "done"."""

import sys
import threading
import time

from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, Producer, TopicCollection,
    TopicPartition)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
    ResourceType)

PART, BOOTSTRAP = sys.argv[1:3]
PATIENCE = 60
BASE = {"bootstrap.servers": BOOTSTRAP, "log_level": 3}


def create(*names, partitions=1):
    admin = AdminClient(BASE)
    for made in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        made.result(PATIENCE)


def consumer(group, **more):
    more = {key.replace("_", "."): value for key, value in more.items()}
    return Consumer({**BASE, "group.id": group, "auto.offset.reset": "earliest", **more})


def read(reader, count):
    """The values of so many records."""
    seen, until = [], time.monotonic() + PATIENCE
    while len(seen) < count:
        assert time.monotonic() < until, f"only {len(seen)} of {count}: {seen[-3:]}"
        message = reader.poll(1)
        if message is not None:
            assert message.error() is None, message.error()
            seen.append(message.value().decode())
    return seen


def records():
    create("t")
    wanted = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        failed = []
        writer = Producer({**BASE, "enable.idempotence": True, "compression.type": codec})
        for number in range(500):
            value = f"{codec} {number} " + "x" * 200
            wanted.append(value)
            writer.produce("t", value, headers={"h": b"1"},
                           on_delivery=lambda error, _: error and failed.append(error))
        assert writer.flush(PATIENCE) == 0 and not failed, failed
    reader = consumer("g")
    reader.subscribe(["t"])
    assert read(reader, len(wanted)) == wanted
    reader.commit(asynchronous=False)
    assert reader.committed([TopicPartition("t", 0)], PATIENCE)[0].offset == len(wanted)
    low, high = reader.get_watermark_offsets(TopicPartition("t", 0), PATIENCE)
    assert (low, high) == (0, len(wanted)), (low, high)
    later = reader.offsets_for_times([TopicPartition("t", 0, 1)], PATIENCE)
    assert later[0].offset == 0, later
    reader.close()


def transactions():
    create("in", "out")
    writer = Producer(BASE)
    for number in range(100):
        writer.produce("in", str(number))
    assert writer.flush(PATIENCE) == 0
    reader = consumer("copy", enable_auto_commit=False)
    reader.subscribe(["in"])
    copier = Producer({**BASE, "transactional.id": "copy"})
    copier.init_transactions(PATIENCE)
    done = 0
    for round, commits in enumerate([True, False, True, True]):
        copier.begin_transaction()
        for value in read(reader, 20):
            copier.produce("out", value if commits else "aborted " + value)
        if commits:
            copier.send_offsets_to_transaction(
                reader.position(reader.assignment()), reader.consumer_group_metadata(), PATIENCE)
            copier.commit_transaction(PATIENCE)
            done += 20
        else:
            # What is not written yet would be dropped here, and never be aborted by the broker.
            copier.flush(PATIENCE)
            copier.abort_transaction(PATIENCE)
            for at in reader.committed(reader.assignment(), PATIENCE):
                reader.seek(at)
    assert reader.committed([TopicPartition("in", 0)], PATIENCE)[0].offset == done
    # An open transaction is invisible, and aborted when a second producer of its name comes.
    copier.begin_transaction()
    copier.produce("out", "never")
    copier.flush(PATIENCE)
    successor = Producer({**BASE, "transactional.id": "copy"})
    successor.init_transactions(PATIENCE)
    try:
        copier.commit_transaction(PATIENCE)
        raise AssertionError("a fenced producer commits")
    except KafkaException as error:
        assert error.args[0].fatal(), error
    successor.begin_transaction()
    successor.produce("out", "last")
    successor.commit_transaction(PATIENCE)
    committed = consumer("see", isolation_level="read_committed")
    committed.subscribe(["out"])
    assert read(committed, done + 1) == [str(number) for number in range(done)] + ["last"]
    everything = consumer("see all", isolation_level="read_uncommitted")
    everything.subscribe(["out"])
    assert "never" in read(everything, done + 22)
    for one in (reader, committed, everything):
        one.close()


def groups():
    create("shared", partitions=4)
    writer = Producer(BASE)
    for number in range(400):
        writer.produce("shared", str(number), partition=number % 4)
    assert writer.flush(PATIENCE) == 0
    for strategy in ["range", "cooperative-sticky"]:
        seen, lock, stop = [], threading.Lock(), threading.Event()
        shares = {}

        def member(name):
            one = consumer(strategy, partition_assignment_strategy=strategy,
                           group_instance_id=name if strategy == "range" else "")
            one.subscribe(["shared"])
            while not stop.is_set():
                message = one.poll(0.1)
                with lock:
                    shares[name] = len(one.assignment())
                    if message is not None and message.error() is None:
                        seen.append(message.value())
            one.close()

        threads = [threading.Thread(target=member, args=(name,)) for name in ("a", "b")]
        until = time.monotonic() + PATIENCE
        for thread in threads:
            thread.start()
        while True:
            with lock:
                if len(set(seen)) == 400 and sorted(shares.values()) == [2, 2]:
                    break
            assert time.monotonic() < until, (strategy, len(set(seen)), shares)
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        # Who has closed has committed: another finds nothing to read again.
        admin = AdminClient(BASE)
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(strategy)])
        offsets = asked[strategy].result(PATIENCE).topic_partitions
        assert sorted(at.offset for at in offsets) == [100] * 4, offsets


def admin():
    create("t")
    client = AdminClient(BASE)
    client.create_partitions([NewPartitions("t", 3)])["t"].result(PATIENCE)
    until = time.monotonic() + PATIENCE
    while len(client.list_topics("t", PATIENCE).topics["t"].partitions) != 3:
        assert time.monotonic() < until
    resource = ConfigResource(ResourceType.TOPIC, "t", incremental_configs=[
        ConfigEntry("retention.ms", "1234", incremental_operation=AlterConfigOpType.SET)])
    client.incremental_alter_configs([resource])[resource].result(PATIENCE)
    asked = ConfigResource(ResourceType.TOPIC, "t")
    configs = client.describe_configs([asked])[asked].result(PATIENCE)
    assert configs["retention.ms"].value == "1234"
    writer = Producer(BASE)
    for number in range(10):
        writer.produce("t", str(number), partition=0)
    assert writer.flush(PATIENCE) == 0
    at = TopicPartition("t", 0)
    latest = client.list_offsets({at: OffsetSpec.latest()},
                                 isolation_level=IsolationLevel.READ_COMMITTED)
    assert latest[at].result(PATIENCE).offset == 10
    cut = TopicPartition("t", 0, 4)
    assert client.delete_records([cut])[cut].result(PATIENCE).low_watermark == 4
    assert client.list_offsets({at: OffsetSpec.earliest()})[at].result(PATIENCE).offset == 4
    described = client.describe_topics(TopicCollection(["t"]))["t"].result(PATIENCE)
    assert len(described.partitions) == 3
    assert len(client.describe_cluster().result(PATIENCE).nodes) == 1
    reader = consumer("g")
    reader.subscribe(["t"])
    assert read(reader, 6) == [str(number) for number in range(4, 10)]
    groups = client.list_consumer_groups().result(PATIENCE)
    assert [group.group_id for group in groups.valid] == ["g"] and not groups.errors
    assert len(client.describe_consumer_groups(["g"])["g"].result(PATIENCE).members) == 1
    reader.close()
    client.delete_consumer_groups(["g"])["g"].result(PATIENCE)
    client.delete_topics(["t"])["t"].result(PATIENCE)


{"records": records, "transactions": transactions, "groups": groups, "admin": admin}[PART]()
print("done")
