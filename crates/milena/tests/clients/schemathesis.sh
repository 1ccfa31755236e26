#!/bin/sh
# Requests made from the OpenAPI document, valid and not, against a running worker.
# usage: schemathesis.sh FOLDER-OF-SCHEMATHESIS URL FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$3"
# The same requests every time: a run that fails is a run that can be repeated.
SCHEMATHESIS_HOOKS=known_failures PYTHONPATH=$here exec "$1/schemathesis" --no-color run \
    --checks "no_failure_of_ours,status_code_conformance,documented_body" \
    --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-10}" --generation-deterministic \
    --suppress-health-check all --request-timeout 100 \
    "$2/milena/v1/openapi.json"
