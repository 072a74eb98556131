#!/bin/bash
# sdk: the official SDKs of OpenAI and of Anthropic for Node through Spanway, in
# front of the kit's own mock upstream: each to an upstream that speaks its own
# dialect, and each crossed, to one that speaks the other only. Every line must
# pass but those on embeddings in front of Anthropic, which has none. Set SPANWAY
# to test a binary that exists; KITS is the folder of the kits.
set -euo pipefail
cd "$(dirname "$0")/.."
kit=$(cd "${KITS:-../shared/kits}/clients" && pwd)
work=$(mktemp -d) pids=()
end() {
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap end EXIT

spanway=${SPANWAY:-$work/spanway}
[ -n "${SPANWAY:-}" ] || CGO_ENABLED=0 go build -o "$spanway" ./cmd/spanway
cp "$kit"/*.mjs "$kit/package.json" "$work"
(cd "$work" && npm install --silent --no-audit --no-fund)

# within SECONDS COMMAND...: polls until the command succeeds
within() { local i; for ((i = 0; i < $1 * 10; i++)); do "${@:2}" >/dev/null 2>&1 && return; sleep 0.1; done; echo "not in time: ${*:2}" >&2; return 1; }

mock=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
node "$work/mock.mjs" "$mock" >"$work/mock.log" 2>&1 &
pids+=($!)
within 10 curl -fsS "http://127.0.0.1:$mock/__mock/stats"

# start DIALECT: a gateway whose only upstream speaks that
start() {
  cat >"$work/$1.yaml" <<END
listen: {data: "127.0.0.1:0", probe: "127.0.0.1:0"}
upstreams:
  kit: {url: "http://127.0.0.1:$mock/v1", dialect: $1, keys: ["\${UPSTREAM_KEY}"], default: true}
keys:
  - {name: kit, sha256: $(printf sk-test | sha256sum | cut -d' ' -f1)}
END
  UPSTREAM_KEY=sk-upstream "$spanway" run --config "$work/$1.yaml" >"$work/$1.log" 2>&1 &
  pids+=($!)
  within 10 eval "[ -n \"\$(address $1)\" ]"
}
address() { sed -n 's/.*"listener":"data","address":"\([^"]*\)".*/\1/p' "$work/$1.log"; }

# suite NAME DIALECT LINES [MAY_FAIL]: so many of an SDK's lines must pass in front
# of an upstream of that dialect, and none may fail but those that match
suite() {
  echo "== the $1 SDK in front of an upstream that speaks $2"
  (cd "$work" && node kit.mjs --base "http://$(address "$2")" --stats "http://127.0.0.1:$mock/__mock/stats" --only "$1") | tee "$work/out" || true
  local passed bad
  passed=$(grep -c "^PASS $1: " "$work/out" || true)
  bad=$(grep '^FAIL ' "$work/out" | grep -vE "^FAIL $1: ${4:-nothing may fail}" || true)
  if [ -n "$bad" ] || [ "$passed" -lt "$3" ]; then
    echo "sdk: $passed lines passed, at least $3 must"
    [ -z "$bad" ] || printf 'sdk: these may not fail:\n%s\n' "$bad"
    tail -20 "$work/$2.log"
    exit 1
  fi
}

start openai
start anthropic
suite openai openai 32
suite anthropic anthropic 19
suite anthropic openai 19
suite openai anthropic 30 embeddings
echo "sdk: all lines passed, but those on embeddings in front of Anthropic, which has none"
