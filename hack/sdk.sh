#!/bin/bash
# sdk: the official OpenAI SDK for Node through Spanway, in front of the kit's
# own mock upstream. Every line must pass but those on /v1/responses, which is not
# served yet. Set SPANWAY to test a binary that exists; KITS is the folder of the kits.
set -euo pipefail
cd "$(dirname "$0")/.."
expect=29 # lines that must pass; the other three are `responses`
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

cat >"$work/spanway.yaml" <<END
listen: {data: "127.0.0.1:0", probe: "127.0.0.1:0"}
upstreams:
  kit: {url: "http://127.0.0.1:$mock/v1", dialect: openai, keys: ["\${UPSTREAM_KEY}"], default: true}
keys:
  - {name: kit, sha256: $(printf sk-test | sha256sum | cut -d' ' -f1)}
END
UPSTREAM_KEY=sk-upstream "$spanway" run --config "$work/spanway.yaml" >"$work/spanway.log" 2>&1 &
pids+=($!)
address() { sed -n 's/.*"listener":"data","address":"\([^"]*\)".*/\1/p' "$work/spanway.log"; }
within 10 eval '[ -n "$(address)" ]'

(cd "$work" && node kit.mjs --base "http://$(address)" --stats "http://127.0.0.1:$mock/__mock/stats" --only openai) | tee "$work/out" || true
passed=$(grep -c '^PASS openai: ' "$work/out" || true)
bad=$(grep '^FAIL ' "$work/out" | grep -v '^FAIL openai: responses' || true)
if [ -n "$bad" ] || [ "$passed" -lt "$expect" ]; then
  echo "sdk: $passed lines passed, at least $expect must"
  [ -z "$bad" ] || printf 'sdk: only the lines on responses may fail:\n%s\n' "$bad"
  tail -20 "$work/spanway.log"
  exit 1
fi
echo "sdk: $passed lines passed, and no line failed but those on responses"
