{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "aigress.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "aigress.serviceAccount" -}}
{{- default (include "aigress.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "aigress.selector" -}}
app.kubernetes.io/name: aigress
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aigress.labels" -}}
{{ include "aigress.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
