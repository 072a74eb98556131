#!/bin/bash
# e2e-jaeger: the golden traces, sent by the real binary through a real Collector
# with otel-collector.yaml to a real Jaeger, and read back. KITS is the folder of
# the kits; they must be built.
set -euo pipefail
cd "$(dirname "$0")/.."
KITS=$(cd "${KITS:-../shared/kits}" && pwd)

# A state and ports of our own: another run on this machine may use the kit's.
built=${KIT_HOME:-$HOME/.cache/telemetry-kit}
export KIT_HOME; KIT_HOME=$(mktemp -d)
ln -s "$built/bin" "$KIT_HOME/bin"
base=$((46000 + RANDOM % 4000))
export OTLP=$base OTLP_HTTP=$((base + 1)) JAEGER_OTLP=$((base + 2)) JAEGER=$((base + 3)) SAMPLING=$((base + 4)) HEALTH=$((base + 5))
export OTEL_HEALTH=$((base + 6)) OTEL_PROMETHEUS=$((base + 7)) OTEL_METRICS=$((base + 8))
end() { "$KITS/telemetry/down" || true; rm -rf "$KIT_HOME"; }
trap end EXIT

CGO_ENABLED=0 go build -o "$KIT_HOME/spanway" ./cmd/spanway
"$KITS/telemetry/up" "$PWD/otel-collector.yaml"
export SPANWAY=$KIT_HOME/spanway JAEGER_URL=http://127.0.0.1:$JAEGER
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$OTLP OTEL_EXPORTER_OTLP_PROTOCOL=grpc
go test -tags e2e -count=1 -v -run Jaeger ./cmd/spanway
