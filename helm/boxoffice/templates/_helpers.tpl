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

{{- /* What it may do in a namespace that it works in. */ -}}
{{- define "boxoffice.rules" -}}
# What it reconciles: it reads them, sets finalizers and writes the status. It never changes a spec.
- apiGroups: [boxoffice.dev]
  resources: [reservationservices, seatingevents]
  verbs: [get, list, watch, patch]
- apiGroups: [boxoffice.dev]
  resources: [reservationservices/status, seatingevents/status]
  verbs: [patch]
# Where the cluster asks for it (OwnerReferencesPermissionEnforcement), owner references need this.
- apiGroups: [boxoffice.dev]
  resources: [reservationservices/finalizers, seatingevents/finalizers]
  verbs: [update]
# What it makes for a ReservationService, beside it in its namespace.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Which settings old pods may still read.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
# Whether workers have stopped, why one does not start, and where each is asked which Redis it uses.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# Secrets by name: it makes, reads and exchanges the token of a service's admin API, and reads what a ReservationService
# refers to, to replace pods that read something else. It cannot list them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
# Whose the namespace is.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [boxoffice-operator-owner]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
