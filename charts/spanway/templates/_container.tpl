{{/* The gateway's container, without its name: the same for the Deployment and
     the sidecar, which differ in where they take calls. */}}
{{- define "spanway.container" -}}
image: {{ include "spanway.image" (list . .Values.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - run
  - --config=/etc/spanway/spanway.yaml
  - --probe=:9090
  {{- if eq .Values.mode "deployment" }}
  - --data=0.0.0.0:8080
  {{- end }}
  {{- with .Values.extraArgs }}{{ toYaml . | nindent 2 }}{{ end }}
ports:
  {{- if eq .Values.mode "deployment" }}
  - {name: http-data, containerPort: 8080, protocol: TCP}
  {{- end }}
  - {name: http-probe, containerPort: 9090, protocol: TCP}
env:
  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
  - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  - {name: CONTAINER_NAME, value: spanway}
  - {name: OTEL_SERVICE_NAME, value: {{ .Values.telemetry.serviceName | quote }}}
  {{- with include "spanway.otlp" . }}
  - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
  - {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: {{ $.Values.telemetry.protocol | quote }}}
  {{- end }}
  {{- with dig "limits" "memory" "" .Values.resources }}
  - {name: GOMEMLIMIT, value: {{ include "spanway.gomemlimit" . | quote }}}
  {{- end }}
  {{- range .Values.secretEnv }}
  - {name: {{ .env }}, valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}}
  {{- end }}
  {{- with .Values.extraEnv }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
# The probes ask the gateway about itself, never about what it depends on.
startupProbe: {{- include "spanway.probe" (list "/healthz" .Values.startupProbe) | nindent 2 }}
livenessProbe: {{- include "spanway.probe" (list "/healthz" .Values.livenessProbe) | nindent 2 }}
readinessProbe: {{- include "spanway.probe" (list "/readyz" .Values.readinessProbe) | nindent 2 }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  # The folder and not the file: a file that is mounted alone never changes.
  - {name: spanway-config, mountPath: /etc/spanway, readOnly: true}
  {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{/* For a parent chart with `spanway: {mode: sidecar}`: an entry of its pods'
     initContainers. It starts before the pod's containers and ends after them;
     they call it at 127.0.0.1:8080.

       initContainers: {{- include "spanway.sidecar" .Subcharts.spanway | nindent 8 }}
       volumes: {{- include "spanway.volumes" .Subcharts.spanway | nindent 8 }} */}}
{{- define "spanway.sidecar" -}}
- name: spanway
  restartPolicy: Always
  {{- include "spanway.container" . | nindent 2 }}
{{- end }}

{{- define "spanway.volumes" -}}
- name: spanway-config
  configMap: {name: {{ include "spanway.configMapName" . }}}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
