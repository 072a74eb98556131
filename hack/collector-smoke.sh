#!/bin/bash
# collector-smoke: otel-collector.yaml in a real Collector, in front of a real
# Jaeger. Sends spans by OTLP and reads back what was kept, what was masked and
# what was counted. KITS is the folder of the kits; they must be built.
set -euo pipefail
cd "$(dirname "$0")/.."
KITS=$(cd "${KITS:-../shared/kits}" && pwd)

# A state and ports of our own: another run on this machine may use the kit's.
built=${KIT_HOME:-$HOME/.cache/telemetry-kit}
export KIT_HOME; KIT_HOME=$(mktemp -d)
ln -s "$built/bin" "$KIT_HOME/bin"
base=$((42000 + RANDOM % 4000))
export OTLP=$base OTLP_HTTP=$((base + 1)) JAEGER_OTLP=$((base + 2)) JAEGER=$((base + 3)) SAMPLING=$((base + 4)) HEALTH=$((base + 5))
export OTEL_HEALTH=$((base + 6)) OTEL_PROMETHEUS=$((base + 7)) OTEL_METRICS=$((base + 8))
export KEEP_PERCENT=0 # so that whatever arrives was kept by a rule
end() { "$KITS/telemetry/down" || true; rm -rf "$KIT_HOME"; }
trap end EXIT

fail=0
verdict() { if "${@:2}"; then echo "PASS $1"; else echo "FAIL $1"; fail=1; fi; }
holds() { grep -q -- "$2" <<<"$1"; }
lacks() { ! grep -q -- "$2" <<<"$1"; }

verdict "the Collector accepts otel-collector.yaml" "$KIT_HOME/bin/otelcol" validate --config otel-collector.yaml
"$KITS/telemetry/up" "$PWD/otel-collector.yaml" >/dev/null

# send TRACE_ID NAME STATUS MILLISECONDS [ATTRIBUTES]: one SERVER span
send() {
  local now; now=$(date +%s)
  curl -fsS -o /dev/null -H 'Content-Type: application/json' "http://127.0.0.1:$OTLP_HTTP/v1/traces" -d '{"resourceSpans":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"smoke"}}]},
    "scopeSpans":[{"spans":[{"traceId":"'"$1"'","spanId":"00000000000000a1","name":"'"$2"'","kind":2,
    "startTimeUnixNano":"'"$now"'000000000","endTimeUnixNano":"'"$((now * 1000 + $4))"'000000",
    "status":{"code":'"$3"'},"attributes":['"${5:-}"']}]}]}]}'
}
# read TRACE_ID: its trace from Jaeger, waited for at most ten seconds
read_() {
  for _ in $(seq 100); do
    curl -fs "http://127.0.0.1:$JAEGER/api/v3/traces/$1" 2>/dev/null && return
    sleep 0.1
  done
}
t() { printf '%032x' "$1"; }

send "$(t 1)" ordinary 0 5
send "$(t 2)" slow 0 6000
send "$(t 3)" retried 0 5 '{"key":"spanway.attempts","value":{"intValue":"2"}}'
send "$(t 4)" failed 2 5 '
  {"key":"gen_ai.usage.input_tokens","value":{"intValue":"11"}},
  {"key":"http.request.header.authorization","value":{"stringValue":"Basic canary-header"}},
  {"key":"note","value":{"stringValue":"my key is sk-canary0123456789abcdef"}},
  {"key":"gen_ai.input.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"content","value":{"stringValue":"Bearer canaryinside0123"}}]}}]}}}'

failed=$(read_ "$(t 4)")
verdict "an error is kept" holds "$failed" '"failed"'
verdict "a slow trace is kept" holds "$(read_ "$(t 2)")" '"slow"'
verdict "a retried call is kept" holds "$(read_ "$(t 3)")" '"retried"'
# It came first, and the others are there: it was dropped, not late.
verdict "an ordinary trace is dropped at KEEP_PERCENT=0" test "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$JAEGER/api/v3/traces/$(t 1)")" = 404
verdict "token counts survive the redaction" holds "$failed" '"gen_ai.usage.input_tokens","value":{"intValue":"11"}'
verdict "no header value, key or bearer passes, also inside messages" lacks "$failed" canary
metrics() { for _ in $(seq 250); do m=$(curl -s "http://127.0.0.1:$OTEL_PROMETHEUS/metrics"); grep -q "$1" <<<"$m" && return; sleep 0.1; done; return 1; }
verdict "the metrics count what was dropped too" metrics 'traces_span_metrics_calls_total.*span_name="ordinary"'
verdict "the health check answers" curl -fsS -o /dev/null "http://127.0.0.1:$OTEL_HEALTH/"
exit $fail
