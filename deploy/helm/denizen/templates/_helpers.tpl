{{- define "denizen.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "denizen.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "denizen.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "denizen.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "denizen.selector" -}}
app.kubernetes.io/name: {{ include "denizen.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "denizen.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "denizen.selector" . }}
{{- end }}

{{- define "denizen.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "denizen.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "denizen.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* The value of a variable. Helm reads whole numbers as floating point, which it would print as 1.2096e+06. */}}
{{- define "denizen.value" -}}
{{- if kindIs "slice" . }}{{ join "," . }}
{{- else if kindIs "float64" . }}{{ int64 . }}
{{- else }}{{ toString . }}
{{- end }}
{{- end }}

{{/* `config` as variables, a line each: server.public_url is DENIZEN__SERVER__PUBLIC_URL. */}}
{{- define "denizen.variables" -}}
{{- $prefix := .prefix }}
{{- range $key, $value := .config }}
{{- $name := printf "%s__%s" $prefix (upper $key) }}
{{- if kindIs "map" $value }}
{{- include "denizen.variables" (dict "prefix" $name "config" $value) }}
{{- else if not (kindIs "invalid" $value) }}
{{ $name }}: {{ include "denizen.value" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "denizen.configuration" -}}
{{- $_ := required "set config.server.public_url to the URL at which clients reach the server" .Values.config.server.public_url }}
{{- $config := deepCopy .Values.config }}
{{- if .Values.migration.enabled }}
{{- $_ := set $config.database "migrate_on_start" false }}
{{- end }}
{{- if .Values.metrics.enabled }}
{{- $_ := set $config "metrics" (merge (dict "host" "0.0.0.0" "port" .Values.metrics.port) (default dict $config.metrics)) }}
{{- end }}
{{- include "denizen.variables" (dict "prefix" "DENIZEN" "config" $config) }}
{{- end }}

{{/* The variables with secrets, and those of extraEnv. */}}
{{- define "denizen.secrets" -}}
- name: DENIZEN__DATABASE__URL
  valueFrom:
    secretKeyRef:
      name: {{ default (include "denizen.fullname" .) .Values.secret.name }}
      key: {{ .Values.secret.databaseUrlKey }}
- name: DENIZEN__SECURITY__MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ default (include "denizen.fullname" .) .Values.secret.name }}
      key: {{ .Values.secret.masterKeyKey }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "denizen.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "denizen.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
