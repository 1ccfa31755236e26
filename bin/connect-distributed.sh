#!/bin/sh
# Runs a worker of a cluster, with the name and the flags of Apache Kafka's script.
# What the flags and variables mean here: docs/wrapper-scripts.md.
set -eu

if [ $# -lt 1 ]; then
    echo "USAGE: $0 [-daemon] connect-distributed.properties" >&2
    exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/milena-run.sh" connectDistributed distributed "$@"
