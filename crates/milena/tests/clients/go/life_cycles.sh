#!/bin/sh
# The Go clients of Kafka Connect, each through its life cycle, unchanged (README.md tells of SOURCES).
#
# usage: life_cycles.sh SOURCES CLIENT URL FOLDER
set -eu
sources=$1 client=$2 url=$3 folder=$4
here=$(cd "$(dirname "$0")" && pwd)

# A workspace outside both trees: neither this repository nor the sources are written to.
work="$folder/go-$client"
mkdir -p "$work/monkey"
echo 'module bou.ke/monkey' >"$work/monkey/go.mod"
{
    echo 'go 1.25.8'
    echo "use $here/$client"
    case $client in
    ricardo) echo "use $sources/ricardo" ;;
    cloudhut) echo "use $sources/cloudhut" ;;
    terraform)
        echo "use $sources/Mongey"
        echo "replace github.com/ricardo-ch/go-kafka-connect/v3 => $sources/ricardo"
        ;;
    esac
    # Only tests of ricardo import it, and no registry has it in every place: nothing that is built here does.
    echo "replace bou.ke/monkey => $work/monkey"
} >"$work/go.work"
export GOWORK="$work/go.work" GOFLAGS=-buildvcs=false

cd "$here/$client"
go build -o "$work/run" .
if [ "$client" = ricardo ]; then
    go build -o "$work/kccli" github.com/ricardo-ch/go-kafka-connect/v3/cli
    exec "$work/run" "$work/kccli" "$url" "$folder"
fi
exec "$work/run" "$url" "$folder"
