#!/bin/sh
# Runs the reconciler once in the current namespace with the given arguments, prints its log, and exits with 0 if it
# succeeded. The Job is a copy of the CronJob's, but does not belong to it: otherwise it would take the place of a
# scheduled Job in the history. It is deleted after a day (ttlSecondsAfterFinished).
set -eu

SECONDS_MAX=300 # the Job ends after 270 s by itself (activeDeadlineSeconds)

if [ $# -eq 0 ]; then
	echo "usage: $0 --all | --batch-id ID | --dry-run [further options of python -m reconciler]" >&2
	exit 2
fi

job=reconciler-manual-$(date +%s)
patch='{"op": "remove", "path": "/metadata/ownerReferences"}, {"op": "add", "path": "/spec/backoffLimit", "value": 0}'
for argument in "$@"; do
	value=$(printf %s "$argument" | sed 's/[\\"]/\\&/g')
	patch="$patch, {\"op\": \"add\", \"path\": \"/spec/template/spec/containers/0/args/-\", \"value\": \"$value\"}"
done
manifest=$(kubectl create job --from=cronjob/reconciler "$job" --dry-run=client -o yaml)
patched=$(printf '%s\n' "$manifest" | kubectl patch --local -f - --type=json -o yaml -p "[$patch]")
printf '%s\n' "$patched" | kubectl create -f - >&2

end() {
	kubectl get job "$job" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}'
}
seconds=0
until end | grep -qE 'Complete|Failed'; do
	if [ $seconds -ge $SECONDS_MAX ]; then
		echo "$job has not ended within $SECONDS_MAX s: kubectl describe job/$job" >&2
		exit 1
	fi
	sleep 2
	seconds=$((seconds + 2))
done
pod=$(kubectl get pods -l "batch.kubernetes.io/job-name=$job" --sort-by=.metadata.creationTimestamp -o name | tail -n 1)
kubectl logs "$pod"
end | grep -q Complete
