{{/* Names and labels that all templates share. */}}

{{/* What every object's name begins with: the release's name, which need not say memq twice. */}}
{{- define "memq.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "memq" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-memq" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that selectors use; they never change. Give (list . "component"), or (list . "") for none. */}}
{{- define "memq.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: memq
app.kubernetes.io/instance: {{ $top.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of an object. */}}
{{- define "memq.labels" -}}
{{- $top := index . 0 -}}
{{ include "memq.selector" . }}
app.kubernetes.io/version: {{ $top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $top.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $top.Chart.Name $top.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "memq.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where clients in the namespace find the server. */}}
{{- define "memq.url" -}}
http://{{ include "memq.fullname" . }}:{{ .Values.service.port }}
{{- end -}}

{{/* Where tokens are mounted. */}}
{{- define "memq.secrets" -}}
/var/run/secrets/memq
{{- end -}}

{{/* A volume with the one token of a Secret: give its name. */}}
{{- define "memq.tokenVolume" -}}
- name: token
  secret:
    secretName: {{ . }}
    items:
    - key: token
      path: token
{{- end -}}

{{/* The security context of every container. */}}
{{- define "memq.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where a pod may run and how it is marked: give the values of one component. */}}
{{- define "memq.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The rules of the controller wherever it carries out Runs. */}}
{{- define "memq.controllerRules" -}}
- apiGroups: [memq.dev]
  resources: [runs]
  verbs: [get, list, watch, delete]
- apiGroups: [memq.dev]
  resources: [runs/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [""]
  resources: [resourcequotas, limitranges]
  verbs: [list]
{{- end -}}
