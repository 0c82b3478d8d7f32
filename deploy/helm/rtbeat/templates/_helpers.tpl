{{- define "rtbeat.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "rtbeat" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-rtbeat" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rtbeat.selector" -}}
app.kubernetes.io/name: rtbeat
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rtbeat.labels" -}}
{{ include "rtbeat.selector" . }}
app.kubernetes.io/part-of: rtbeat
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "rtbeat.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "rtbeat.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "rtbeat.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* rtbeat.yml: the values, overridden by settings that the other objects need. */}}
{{- define "rtbeat.config" -}}
{{- $fixed := dict "rtbeat" (dict "host" "" "port" 8081 "admin" (dict "host" "" "port" 8082)) -}}
{{- if .Values.tls.existingSecret -}}
{{- $_ := set $fixed.rtbeat "ssl" (dict "certificate" "/etc/rtbeat-tls/tls.crt" "key" "/etc/rtbeat-tls/tls.key") -}}
{{- end -}}
{{- if .Values.durable.enabled -}}
{{- $_ := set $fixed.rtbeat "durable" (dict "enabled" true "max_bytes" .Values.durable.queue.max_size) -}}
{{- end -}}
{{- mustMergeOverwrite (deepCopy .Values.config) $fixed | toYaml -}}
{{- end -}}

{{/* shutdown_timeout and 30 s (docs/operations.md). The pod uses them up only if rtbeat hangs. */}}
{{- define "rtbeat.gracePeriod" -}}
{{- add .Values.config.rtbeat.shutdown_timeout 30 -}}
{{- end -}}
