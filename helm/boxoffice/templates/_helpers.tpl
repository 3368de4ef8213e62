{{- /* The release's full name, short enough for a Service. */ -}}
{{- define "boxoffice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default "boxoffice-operator" .Values.nameOverride -}}
{{- if or (contains .Release.Name $name) (contains $name .Release.Name) -}}
{{- $name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The workers' NetworkPolicies let pods with this name reach the admin port. */ -}}
{{- define "boxoffice.selectorLabels" -}}
app.kubernetes.io/name: boxoffice-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "boxoffice.labels" -}}
{{ include "boxoffice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: boxoffice
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "boxoffice.serviceAccountName" -}}
{{- default (include "boxoffice.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}
