{{- define "botloom.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "botloom.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "botloom.labels" -}}
{{ include "botloom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The name of the Deployment that has a role, e.g. (list . "runtime"). Fails when there is none. */}}
{{- define "botloom.nodeWith" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $found := list -}}
{{- range $name, $node := $root.Values.nodes -}}
{{- if has $role $node.roles -}}{{- $found = append $found $name -}}{{- end -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "no entry of `nodes` has the role %s" $role) -}}
{{- end -}}
{{- printf "%s-%s" (include "botloom.fullname" $root) (first $found) -}}
{{- end -}}

{{- define "botloom.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}
