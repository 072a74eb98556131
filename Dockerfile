# The image: one static binary and the CA certificates, nothing to run a shell
# with. Build it with
#
#   docker build -t spanway .
#
# In it, as outside, the daemon takes calls on loopback only: that is right for
# a sidecar and for `--network host`. To be reached from other containers it
# must be told so, and told who may call (`keys:`, or `admission: {auth: off}`):
#
#   docker run -p 8080:8080 -v $PWD/spanway.yaml:/etc/spanway/spanway.yaml:ro \
#     spanway run --config /etc/spanway/spanway.yaml --data 0.0.0.0:8080

# Pinned by digest: a tag is not a pin. Another registry's copy goes in here too.
ARG BUILDER=golang:1.26.8-bookworm@sha256:dc9ad6c05acc7a88e5b71bde60a5fe3bd4b9f0db209011711b464107438a8107

FROM ${BUILDER} AS build
WORKDIR /src
# The modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY cmd ./cmd
COPY internal ./internal
COPY telemetry ./telemetry
ARG VERSION=dev
# TARGETOS and TARGETARCH come from BuildKit; empty, they mean this machine's.
ARG TARGETOS
ARG TARGETARCH
# No path, VCS state or build id goes into the binary: two builds of one commit
# are the same bytes.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -pgo=cmd/spanway/release.pgo \
    -ldflags="-s -w -buildid= -X main.version=${VERSION}" -o /spanway ./cmd/spanway

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="spanway" \
      org.opencontainers.image.description="A minimal LLM and HTTP gateway: one OpenTelemetry trace for each request" \
      org.opencontainers.image.source="https://github.com/spanway/spanway" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /spanway /spanway
# In numbers: the kubelet cannot see that a name is not root.
USER 65532:65532
# 8080 takes calls; 9090 answers /healthz, /readyz and /metrics.
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s --retries=3 CMD ["/spanway", "healthcheck"]
# SIGTERM, the default, drains: give it 75 s (docker stop -t 75).
ENTRYPOINT ["/spanway"]
CMD ["run"]
