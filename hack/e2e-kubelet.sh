#!/bin/bash
# e2e-kubelet: the chart on a real one-node Kubernetes, with real kubelet probes,
# the real binary, a Collector and a Jaeger. One line for each claim.
#
#   KITS=…  hack/e2e-kubelet.sh     the kits must be built
#   KEEP=1                          leaves the cluster running
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
kits=$(cd "${KITS:-../shared/kits}" && pwd) || exit 1
telemetry=${TELEMETRY_BIN:-$HOME/.cache/telemetry-kit/bin}
# shellcheck source=/dev/null
. "$kits/kubelet/env"
R=spanway N=e2e work=$(mktemp -d) fail=0 jobs=() started=''

end() {
  for j in ${jobs[@]+"${jobs[@]}"}; do kill "$j" 2>/dev/null; done
  [ -z "$started" ] || [ -n "${KEEP:-}" ] || "$KIT/down"
  rm -rf "$work"
}
trap end EXIT
node() { "$KIT/in" "$@"; }
k() { node kubectl -n "$N" "$@"; }
helm() { node helm3 -n "$N" "$@"; }
say() { printf '\n== %s\n' "$*"; }
verdict() { if "${@:2}"; then echo "PASS $1"; else echo "FAIL $1"; fail=1; fi; }
# within SECONDS COMMAND...: polls until the command succeeds
within() { local i; for ((i = 0; i < $1 * 5; i++)); do "${@:2}" >/dev/null 2>&1 && return; sleep 0.2; done; return 1; }

say "build the binary and the images"
CGO_ENABLED=0 go build -trimpath -pgo=cmd/spanway/release.pgo -ldflags='-s -w -X main.version=e2e' -o "$work/spanway" ./cmd/spanway || exit 1
(cd hack && CGO_ENABLED=0 go build -o "$work/e2eload" ./e2eload) || exit 1
image() { mkimage -name "kit.local/$1:e2e" -o "$work/$1.tar" -entrypoint "/$1" -user 65532 "${@:2}" >/dev/null; }
image spanway "$work/spanway:/spanway" /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:644
image otelcol "$telemetry/otelcol:/otelcol"
image jaeger "$telemetry/jaeger:/jaeger"

say "start the cluster"
"$KIT/up" | tail -1 || exit 1
started=1
"$KIT/load-image" "$work"/*.tar >/dev/null || exit 1
# The kit's node has no DNS: this answers for the services, where the kubelet
# sends the pods to ask.
command -v dnsmasq >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends dnsmasq-base >/dev/null
mkdir "$work/hosts"; chmod 755 "$work" "$work/hosts"
node ip addr add "$KIT_DNS_IP/32" dev lo
"$KIT/in" dnsmasq -k --conf-file=/dev/null --user=root --bind-interfaces --listen-address="$KIT_DNS_IP" --no-resolv --no-hosts \
  --local=/cluster.local/ --hostsdir="$work/hosts" --pid-file="$work/dnsmasq.pid" >"$work/dnsmasq.log" 2>&1 &
jobs+=($!)
while sleep 0.5; do
  node kubectl get services -A -o jsonpath='{range .items[*]}{.spec.clusterIP} {.metadata.name}.{.metadata.namespace}.svc.cluster.local{"\n"}{end}' \
    >"$work/services" 2>/dev/null && ! cmp -s "$work/services" "$work/hosts/services" && cp "$work/services" "$work/hosts/services"
done &
jobs+=($!)
node kubectl create namespace "$N" >/dev/null
# The API server itself refuses a pod that is not restricted.
node kubectl label namespace "$N" pod-security.kubernetes.io/enforce=restricted >/dev/null

cat >"$work/values.yaml" <<END
image: {repository: kit.local/spanway, tag: e2e, pullPolicy: Never}
collector: {image: {repository: kit.local/otelcol, tag: e2e, pullPolicy: Never}}
jaeger: {enabled: true, image: {repository: kit.local/jaeger, tag: e2e, pullPolicy: Never}}
extraArgs: [--log-level=debug]   # at debug, the probe listener logs who asked
END
gateway="app.kubernetes.io/component=gateway"
pod() { k get pods -l "$gateway" -o jsonpath='{.items[0].metadata.name}'; }
ready() { k get endpointslices -l "kubernetes.io/service-name=$R" -o jsonpath='{range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]}{"\n"}{end}'; }
isready() { ready | grep -qx "$1"; }
isnotready() { ! ready | grep -qx "$1"; }
restarts() { k get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}'; }
chat() { node curl -fsS -m 5 "http://$vip/v1/chat/completions" -H 'Content-Type: application/json' -d '{"model":"e2e","messages":[{"role":"user","content":"hello"}]}'; }
answers() { chat | grep -q '"chat.completion"'; }

say "install"
verdict "helm install --wait, in a namespace that enforces the restricted standard" \
  helm install "$R" charts/spanway -f "$work/values.yaml" --wait --timeout 180s
[ $fail = 0 ] || { k get pods,events; k logs -l "$gateway" --tail 20; exit 1; }
vip=$(k get service "$R" -o jsonpath='{.spec.clusterIP}')
verdict "the Service answers a chat" within 10 answers

say "probes"
seen() { k logs -l "$gateway" --tail -1 | grep "\"path\":\"$1\".*kube-probe"; } # all of it is read: what kubectl cannot write is a failure
verdict "the kubelet's probe of /healthz is in the gateway's log" within 15 seen /healthz
verdict "the kubelet's probe of /readyz is in the gateway's log" within 15 seen /readyz
k logs -l "$gateway" --tail -1 | grep kube-probe | tail -2

say "helm test"
verdict "helm test sends a chat and finds its trace in Jaeger" helm test "$R" --logs --timeout 90s

say "failing readiness"
# SIGTERM to the container's process: it drains, and /readyz is 503, while a
# stream keeps it running. The pod itself is not being deleted.
p=$(pod) ip=$(k get pod "$p" -o jsonpath='{.status.podIP}')
id=$(k get pod "$p" -o jsonpath='{.status.containerStatuses[0].containerID}'); id=${id#containerd://}
node curl -sN -m 60 "http://$ip:8080/v1/chat/completions" -H 'Content-Type: application/json' \
  -d '{"model":"mock-slow","stream":true,"messages":[{"role":"user","content":"a b c d e f g h i j k l m n o p q r"}]}' >"$work/stream" &
stream=$!
verdict "the pod is among the ready endpoints ($(ready | wc -l))" isready "$ip"
verdict "a stream through it has begun" within 5 test -s "$work/stream"
ctr -a "$KIT_STATE/containerd.sock" -n k8s.io tasks kill -s SIGTERM "$id"
verdict "unready, it leaves the ready endpoints" within 25 isnotready "$ip"
verdict "it has not been restarted" test "$(restarts "$p")" = 0
verdict "the Service still answers, from the other pod" answers
wait $stream
verdict "the stream was carried to its end" grep -q 'data: \[DONE\]' "$work/stream"
verdict "started anew, it is back among the ready endpoints" within 60 isready "$ip"

say "a changed ConfigMap"
k get configmap "$R" -o jsonpath='{.data.spanway\.yaml}' >"$work/spanway.yaml"
printf '\nlimits: {uri: 4KiB}\n' >>"$work/spanway.yaml"
again() { k get pods -l "$gateway" -o jsonpath='{range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}'; }
was=$(again)
k create configmap "$R" --from-file="$work/spanway.yaml" --dry-run=client -o json | k patch configmap "$R" --type merge --patch-file /dev/stdin >/dev/null
# The kubelet takes up to a minute or two to swap the files.
reloaded() { [ "$(k logs -l "$gateway" --prefix --tail -1 | grep 'the configuration was reloaded' | cut -d' ' -f1 | sort -u | wc -l)" = 2 ]; }
verdict "both pods reload it" within 150 reloaded
verdict "neither was restarted" test "$(again)" = "$was"
verdict "the Service answers" answers

say "a file that the gateway refuses"
helm upgrade "$R" charts/spanway -f "$work/values.yaml" --set-json 'config={"upstreams":{"x":{"url":"gopher://x"}},"admission":{"auth":"off"}}' --wait --timeout 25s >"$work/broken" 2>&1
verdict "helm upgrade --wait fails with it" test $? != 0
verdict "the pods before it go on answering" answers
k logs -l "$gateway" --tail -1 | grep -i gopher | tail -1
helm rollback "$R" 1 --wait --timeout 120s >/dev/null
gone() { [ "$(k get pods -l "$gateway" -o name | wc -l)" = 2 ]; }
verdict "helm rollback takes it back" within 90 gone

say "rolling update under 200 calls a second"
before=$(k get pods -l "$gateway" -o name | sort)
node "$work/e2eload" -url "http://$vip" -rate 200 -streamed 0.1 -for 60s >"$work/load" 2>&1 &
load=$!
sleep 5
verdict "helm upgrade --wait replaces every pod" helm upgrade "$R" charts/spanway -f "$work/values.yaml" --set-string podAnnotations.roll=1 --wait --timeout 120s
verdict "the pods before it have ended" within 60 gone
verdict "none of them is left" test -z "$(comm -12 <(echo "$before") <(k get pods -l "$gateway" -o name | sort))"
verdict "the load was still running then" kill -0 $load
wait $load; rc=$?
sed 's/^/     /' "$work/load"
verdict "no call was lost" test $rc = 0

say "uninstall"
verdict "helm uninstall" helm uninstall "$R" --wait --timeout 120s
printf '\n%s\n' "$([ $fail = 0 ] && echo "PASS all" || echo "FAIL")"
exit $fail
