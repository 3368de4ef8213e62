# Waiting for the resources of examples/ with progress, saying what is wrong when they do not
# become ready, and writing down where everything is.

READY_SECONDS=300

# wait_ready: until every ReservationService and SeatingEvent is Ready and no rollout is going on.
wait_ready() {
  local deadline=$((SECONDS + READY_SECONDS)) now before=''
  say "waiting until the resources are Ready (at most $READY_SECONDS s)"
  until resources_ready && rolled_out; do
    now=$(conditions)
    [[ $now == "$before" ]] || sed "s/^/$(date +%H:%M:%S)   /" <<<"$now"
    before=$now
    ((SECONDS < deadline)) || { dump; die "the resources are not Ready after $READY_SECONDS s"; }
    sleep 1
  done
  kubectl --namespace "$NAMESPACE" get reservationservices,seatingevents
}

# conditions: a line a resource: its name, whether it is Ready, why not.
conditions() {
  kubectl --namespace "$NAMESPACE" get reservationservices,seatingevents --ignore-not-found -o go-template='
{{- range .items}}{{.kind}}/{{.metadata.name}}
{{- $current := and .status (eq (or .status.observedGeneration 0) .metadata.generation)}}
{{- if not $current}} not reconciled yet{{else}}{{range .status.conditions}}{{if eq .type "Ready"}} Ready={{.status}} {{.reason}}: {{.message}}{{end}}{{end}}{{end}}
{{end}}' 2>/dev/null
}

resources_ready() {
  local all
  all=$(conditions) && [[ -n $all ]] && ! grep -qv ' Ready=True ' <<<"$all"
}

# rolled_out: has every Deployment of both namespaces all its pods, and no old ones?
rolled_out() {
  local namespace
  for namespace in "$OPERATOR_NAMESPACE" "$NAMESPACE"; do
    ! grep -qv 'successfully rolled out' <<<"$(kubectl --namespace "$namespace" rollout status deployment --watch=false)" || return 1
  done
}

# dump: what a person would look at first.
dump() {
  local namespace pod
  {
    kubectl --namespace "$NAMESPACE" get reservationservices,seatingevents -o yaml
    kubectl get pods --all-namespaces -o wide
    for namespace in "$OPERATOR_NAMESPACE" "$NAMESPACE"; do
      kubectl --namespace "$namespace" get events --sort-by .lastTimestamp | tail -n 30
      for pod in $(kubectl --namespace "$namespace" get pods -o name); do
        echo "--- $namespace $pod"
        kubectl --namespace "$namespace" logs "$pod" --all-containers --tail 20
      done
    done
  } >&2 || true
}

# write_env: shell assignments for tests, README and people; then the first lines to try.
write_env() {
  COMMAND_URL=$("${platform}_url" main-command 8080)
  QUERY_URL=$("${platform}_url" main-query 8081)
  wait_until 30 "an answer from $QUERY_URL" curl -fs -m 2 "$QUERY_URL/events" || { dump; die "the query worker does not answer"; }
  gateway_up
  local name PLATFORM=$platform
  (umask 077 && for name in PLATFORM POLICIES KUBECONFIG COMMAND_URL QUERY_URL GATEWAY_URL KAFKA REDIS_URL DATABASE_URL_VIEW \
    DATABASE_URL_RESERVATIONS DATABASE_URL_STATS DATABASE_URL_PAYMENTS DATABASE_URL_NOTIFICATIONS AUDIT_LOG; do printf '%s=%q\n' "$name" "${!name:-}"; done >"$OUT/env")
  mkdir -p "$OUT/bin"
  ln -sf "$(command -v kubectl)" "$(command -v helm)" "$OUT/bin/"
  cat <<EOT

The cluster is up; its addresses are in .cluster/env, and its kubectl and helm in .cluster/bin:

  set -a; source .cluster/env; PATH=\$PWD/.cluster/bin:\$PATH; set +a
  kubectl --namespace $NAMESPACE get rsvc,sevent
  $GATEWAY_URL/sign-in?user=alice                 # the page, through a gateway, for a browser on this machine
  cargo run --release -p boxoffice-local -- ops --service $NAMESPACE/main    # the operators' page
  curl -s $QUERY_URL/events
  curl -s -X POST $COMMAND_URL/seats/arena-night.A-7-7/hold -H 'x-user-id: alice'
  curl -s -X POST $COMMAND_URL/seats/arena-night.A-7-7/reserve -H 'x-user-id: alice'
  kubectl --namespace $NAMESPACE logs deployment/notification    # the mail to alice
  tests/servers/kafka-tool ConsoleConsumer --bootstrap-server $KAFKA --topic seat-events --from-beginning

make cluster-down removes it.
EOT
}
