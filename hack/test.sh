#!/bin/bash
# test [FLAGS]: go test on every package of the module it is started in, with the
# usual line for each. A test that was skipped fails the run: nobody reads that a
# test did not run.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -v -timeout 5m "$@" ./... >"$log" 2>&1 || status=$?
if [ $status != 0 ]; then
  grep -vE '^=== |^ *--- PASS|^(PASS|ok)' "$log" || true
  exit $status
fi
grep -E '^(ok|\?) ' "$log" || true
if grep -E '^ *--- SKIP' "$log"; then
  echo "tests were skipped: let them run, or take them out"
  exit 1
fi
echo "$(grep -cE '^ *--- PASS' "$log") passed, 0 failed, 0 skipped"
