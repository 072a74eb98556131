{{- define "spanway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "spanway.fullname" -}}
{{- $name := include "spanway.name" . }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "spanway.serviceAccountName" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "spanway.fullname" . }}
{{- else }}default
{{- end }}
{{- end }}

{{- define "spanway.configMapName" -}}
{{- .Values.existingConfigMap | default (include "spanway.fullname" .) }}
{{- end }}

{{/* Labels: (list . "gateway") */}}
{{- define "spanway.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "spanway.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "spanway.labels" -}}
{{- $ := index . 0 -}}
{{ include "spanway.selector" . }}
app.kubernetes.io/part-of: spanway
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An image reference: (list . .Values.image) */}}
{{- define "spanway.image" -}}
{{- $ := index . 0 }}{{ $i := index . 1 }}
{{- if $i.digest }}{{ $i.repository }}@{{ $i.digest }}
{{- else }}{{ $i.repository }}:{{ $i.tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* 80 % of a memory limit, for GOMEMLIMIT, which knows neither M nor Gi. */}}
{{- define "spanway.gomemlimit" -}}
{{- $q := toString . }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- if not (regexMatch "^[0-9]+(k|M|G|Ki|Mi|Gi)?$" $q) }}
{{- fail (printf "ERROR: the memory limit %q must be a whole number of k, M, G, Ki, Mi or Gi: GOMEMLIMIT is computed from it" $q) }}
{{- end }}
{{- $n := regexFind "^[0-9]+" $q }}
{{- div (mul (int64 $n) (int64 (get $units (trimPrefix $n $q))) 8) 10 }}
{{- end }}

{{/* "true" if the bundled Collector is installed. */}}
{{- define "spanway.collector" -}}
{{- if and .Values.collector.enabled (not .Values.telemetry.endpoint) }}true{{ end }}
{{- end }}

{{/* Where the gateway sends its telemetry; empty is nowhere. */}}
{{- define "spanway.otlp" -}}
{{- if .Values.telemetry.endpoint }}{{ .Values.telemetry.endpoint }}
{{- else }}
{{- $port := ternary "4317" "4318" (eq .Values.telemetry.protocol "grpc") }}
{{- if .Values.collector.enabled }}http://{{ include "spanway.fullname" . }}-collector:{{ $port }}
{{- else if .Values.jaeger.enabled }}http://{{ include "spanway.fullname" . }}-jaeger:{{ $port }}
{{- end }}
{{- end }}
{{- end }}

{{/* "mock", if nothing was configured and the built-in provider answers. */}}
{{- define "spanway.provider" -}}
{{- if not (or .Values.config .Values.existingConfigMap) }}mock{{ end }}
{{- end }}

{{/* spanway.yaml */}}
{{- define "spanway.file" -}}
{{- if .Values.config }}{{ toYaml .Values.config }}
{{- else -}}
# Nothing was configured: the built-in mock provider answers, to everybody.
upstreams:
  mock: {url: "mock:", dialect: openai, default: true}
admission: {auth: "off"}
{{- end }}
{{- end }}

{{/* A probe: (list "/healthz" .Values.livenessProbe) */}}
{{- define "spanway.probe" -}}
httpGet: {path: {{ index . 0 }}, port: http-probe}
{{ toYaml (index . 1) }}
{{- end }}

{{/* What must hold for the values, beyond what the schema can say. */}}
{{- define "spanway.check" -}}
{{- if and .Values.config .Values.existingConfigMap }}
{{- fail "ERROR: config and existingConfigMap are both set: which one is the file?" }}
{{- end }}
{{- if and .Values.config (eq .Values.mode "deployment") }}
{{- $auth := dig "admission" "auth" "" .Values.config | toString }}
{{- if not (or .Values.config.keys (eq $auth "off")) }}
{{- fail "ERROR: config names no `keys:`. The gateway does not start beyond loopback without them, unless the file says aloud `admission: {auth: \"off\"}`" }}
{{- end }}
{{- end }}
{{- end }}
