#!/usr/bin/env bash
# bench.sh: Spanway beside Go's ReverseProxy, with and without OpenTelemetry, all
# in one run and in turn. Run it with nothing else running; results are printed
# as Markdown tables. ROUNDS (3), PHASES (cold,closed,stream) and KITS (the folder
# of the benchmark kit's parent) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
kits=$(cd "${KITS:-../shared/kits}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$kits/bench/." "$work" && chmod -R u+w "$work"
(cd "$work" && go build -trimpath -ldflags='-s -w' -o bin/ ./cmd/...)
CGO_ENABLED=0 go build -trimpath -pgo=cmd/spanway/release.pgo -ldflags='-s -w' -o "$work/bin/spanway" ./cmd/spanway
cat >"$work/spanway.yaml" <<'Y'
upstreams:
  mock: {url: "http://127.0.0.1:19000/v1", dialect: openai, default: true}
  dead: {url: "http://127.0.0.1:9/v1", dialect: openai}
models:
  behind-a-dead-one: {targets: [{upstream: dead, model: mock-gpt}, {upstream: mock, model: mock-gpt}]}
Y
cat >"$work/peers.json" <<'J'
[
 {"name": "direct", "url": "http://127.0.0.1:19000/v1/chat/completions"},
 {"name": "rp30", "cmd": ["bin/rp30"], "url": "http://127.0.0.1:19100/v1/chat/completions", "size": ["bin/rp30"]},
 {"name": "rp+otel", "cmd": ["bin/rpotel"], "sink": true, "url": "http://127.0.0.1:19101/v1/chat/completions", "size": ["bin/rpotel"]},
 {"name": "spanway, no telemetry", "cmd": ["bin/spanway", "run", "--config", "spanway.yaml", "--data", "127.0.0.1:19110", "--probe", "127.0.0.1:19111"],
  "env": ["OTEL_SDK_DISABLED=true"], "url": "http://127.0.0.1:19110/v1/chat/completions", "size": ["bin/spanway"]},
 {"name": "spanway, all traced", "cmd": ["bin/spanway", "run", "--config", "spanway.yaml", "--data", "127.0.0.1:19112", "--probe", "127.0.0.1:19113"],
  "env": ["OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:24417", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"], "sink": true,
  "url": "http://127.0.0.1:19112/v1/chat/completions", "size": ["bin/spanway"]},
 {"name": "spanway, all traced, first target dead", "cmd": ["bin/spanway", "run", "--config", "spanway.yaml", "--data", "127.0.0.1:19114", "--probe", "127.0.0.1:19115"],
  "env": ["OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:24417", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"], "sink": true,
  "url": "http://127.0.0.1:19114/v1/chat/completions", "model": "behind-a-dead-one", "skip": ["cold", "closed"]}
]
J
cd "$work"
# Prometheus, so to speak: what is traced is scraped, too.
while sleep 1; do curl -s -o /dev/null http://127.0.0.1:19113/metrics || true; done &
trap 'kill $! 2>/dev/null; rm -rf "$work"' EXIT
bin/suite -peers peers.json -rounds "${ROUNDS:-3}" -phases "${PHASES:-cold,closed,stream}" -pin -out results.jsonl 2>suite.log || { tail -20 suite.log >&2; exit 1; }
echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(go version | cut -d' ' -f3)"
python3 summarize.py results.jsonl 25
