#!/bin/sh
# What connect-distributed.sh and connect-standalone.sh share; not to be called by hand.
# usage: milena-run.sh NAME MODE [-daemon] [-name NAME] [-loggc] FILE...
set -eu

here=$(cd "$(dirname "$0")" && pwd)
base=$(dirname "$here")
name=$1
mode=$2
shift 2

daemon=no
while [ $# -gt 0 ]; do
    case $1 in
    -daemon) daemon=yes ;;
    -name)
        name=${2:?-name needs a name after it}
        shift
        ;;
    # A JVM's log of its garbage collector: there is no JVM.
    -loggc) ;;
    *) break ;;
    esac
    shift
done

# EXTRA_ARGS of Apache's scripts only ever held the flags above; -name is the one with a meaning here.
case ${EXTRA_ARGS:-} in
*-name\ *)
    rest=${EXTRA_ARGS#*-name }
    name=${rest%% *}
    ;;
esac

# What steers a JVM steers nothing here, and whoever set it should know.
for variable in KAFKA_LOG4J_OPTS KAFKA_HEAP_OPTS KAFKA_JVM_PERFORMANCE_OPTS KAFKA_GC_LOG_OPTS KAFKA_JMX_OPTS \
    JMX_PORT KAFKA_DEBUG CLASSPATH; do
    eval "value=\${$variable:-}"
    if [ -n "$value" ]; then
        case $variable in
        KAFKA_LOG4J_OPTS) hint=': set MILENA_LOG to a level instead' ;;
        *) hint='' ;;
        esac
        echo "$(basename "$0"): note: $variable is ignored, there is no JVM$hint" >&2
    fi
done

if [ -n "${MILENA_BIN:-}" ]; then
    program=$MILENA_BIN
elif [ -x "$here/milena" ]; then
    program=$here/milena
elif [ -x "$base/target/release/milena" ]; then
    program=$base/target/release/milena
else
    program=milena
fi
if ! command -v "$program" >/dev/null 2>&1; then
    echo "$(basename "$0"): there is no program $program: build it with cargo build --release, or name it in MILENA_BIN" >&2
    exit 2
fi

if [ "$daemon" = no ]; then
    exec "$program" "$mode" "$@"
fi
# As Apache's: the console output goes to a file named after the mode.
LOG_DIR=${LOG_DIR:-$base/logs}
mkdir -p "$LOG_DIR"
nohup "$program" "$mode" "$@" >"$LOG_DIR/$name.out" 2>&1 </dev/null &
