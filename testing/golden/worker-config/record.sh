#!/bin/sh
# Records java.jsonl from Apache Kafka 4.3.1: MILENA_KAFKA_LIBS names the directory of its jars.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
javac -d "$out" -cp "$MILENA_KAFKA_LIBS/*" WorkerConfigOracle.java
java -cp "$out:$MILENA_KAFKA_LIBS/*" WorkerConfigOracle 2>/dev/null | LC_ALL=C sort > java.jsonl
rm -r "$out"
