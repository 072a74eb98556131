#!/bin/bash
# docker-smoke: builds the Dockerfile, runs the image and asks it for a chat.
# Uses the machine's Docker engine. Where there is none it starts the one of
# the kits (KITS), with that kit's stand-in for the builder image, and ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
image=spanway:smoke work=$(mktemp -d) build=() own='' id=''

end() {
  [ -z "$id" ] || docker rm -f "$id" >/dev/null || true
  [ -z "$own" ] || "$own/dockerd-down" ${KEEP:+--keep} || true
  rm -rf "$work"
}
trap end EXIT

if ! docker version >/dev/null 2>&1; then
  own=$(cd "${KITS:-../shared/kits}" && pwd)/kubelet/docker
  export KIT_DOCKER=${KIT_DOCKER:-$HOME/.cache/spanway-docker}
  "$own/dockerd-up" --host-net
  export DOCKER_HOST=unix://$KIT_DOCKER/docker.sock DOCKER_BUILDKIT=0
  docker image inspect golang:1.26-bookworm >/dev/null 2>&1 || "$own/base-images" >/dev/null
  build=(--network=host --build-arg BUILDER=golang:1.26-bookworm)
fi

fail=0
verdict() { if "${@:2}"; then echo "PASS $1"; else echo "FAIL $1"; fail=1; fi; }

docker build ${build[@]+"${build[@]}"} --build-arg VERSION=0.0.0-smoke -t "$image" . >"$work/build.log" 2>&1 || { tail -40 "$work/build.log"; echo "FAIL the image builds"; exit 1; }
echo "PASS the image builds"
size=$(docker image inspect -f '{{.Size}}' "$image")
verdict "the image is under 25 MB (it has $((size / 1000)) kB)" test "$size" -lt 25000000
verdict "it runs as uid 65532" test "$(docker image inspect -f '{{.Config.User}}' "$image")" = 65532:65532
verdict "it holds the binary and the certificates and no other file" test "$(docker export "$(docker create --name spanway-smoke-files "$image")" | tar -t | grep -v '/$' | grep -vE '^(dev/console|etc/(hostname|hosts|resolv.conf|mtab)|\.dockerenv)$' | sort | tr '\n' ' ')" = "etc/ssl/certs/ca-certificates.crt spanway "
docker rm spanway-smoke-files >/dev/null

# The host's network, so that the daemon's loopback is this script's; ports of
# our own, so that another daemon does not matter.
port=$((43000 + RANDOM % 4000))
id=$(docker run -d --read-only --cap-drop ALL --security-opt no-new-privileges --network host \
  -e SPANWAY_PROBE=127.0.0.1:$((port + 1)) "$image" run --data=127.0.0.1:$port --probe=127.0.0.1:$((port + 1)))
state() { docker inspect -f '{{.State.Health.Status}}' "$id"; }
healthy() { for _ in $(seq 150); do [ "$(state)" = healthy ] && return; [ "$(docker inspect -f '{{.State.Running}}' "$id")" = true ] || break; sleep 0.2; done; docker logs "$id" 2>&1 | tail -20; return 1; }
verdict "the container becomes healthy by its own HEALTHCHECK" healthy
chat() { curl -fsS "http://127.0.0.1:$port/v1/chat/completions" -H 'Content-Type: application/json' -d '{"model":"mock","messages":[{"role":"user","content":"hello"}]}'; }
verdict "it answers a chat" grep -q '"chat.completion"' <(chat)
docker stop -t 75 "$id" >/dev/null
verdict "SIGTERM ends it with code 0" test "$(docker inspect -f '{{.State.ExitCode}}' "$id")" = 0
exit $fail
