#!/bin/bash
# prove-lifecycle.sh [-short]: drain and reload under load, collectors that
# misbehave, slow clients, too many of them, too little memory, streams over
# targets that fail at random. The real program as processes of its own, on
# loopback; a line with its numbers for each claim. The long form takes about
# eight minutes, the short one two. A claim about latency compares with a run
# beside it; on a busy machine it says little.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -v -tags prove -run '^TestProve' -count 1 -timeout 20m "$@" ./cmd/spanway | grep --line-buffered -v '^ *\(===\|---\)'
