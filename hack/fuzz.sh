#!/bin/bash
# fuzz [TIME]: every fuzz target of the module, for TIME each (60s).
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rn --include='*_test.go' -oE '^func Fuzz\w+' cmd internal telemetry | while IFS=: read -r file _ name; do
  echo "${name#func }, ${1:-60s}"
  go test -run '^$' -fuzz "^${name#func }\$" -fuzztime "${1:-60s}" "./$(dirname "$file")" </dev/null
done
