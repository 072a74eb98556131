#!/bin/sh
# prove-lifecycle.sh [-short]: drain and reload under load, collectors that
# misbehave, slow clients, too many of them, too little memory. The real program
# as processes of their own, on loopback; a line with its numbers for each claim.
# The long form takes eight minutes, the short one a minute and a half. Nothing else should be running: the claims
# about latency compare with a run beside them, but not with one on a busy machine.
set -eu
cd "$(dirname "$0")/.."
exec go test -tags prove -run '^TestProve' -count 1 -timeout 20m "$@" ./cmd/spanway
