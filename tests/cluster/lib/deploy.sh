# What is installed into the cluster: both charts, the namespace `tickets` with the names and the
# secrets that examples/ refer to, and examples/ themselves.

NAMESPACE=tickets
OPERATOR_NAMESPACE=boxoffice-system

deploy() {
  say "installing the charts"
  restricted_namespace "$OPERATOR_NAMESPACE"
  helm upgrade --install boxoffice-crds helm/boxoffice-crds --namespace "$OPERATOR_NAMESPACE" --create-namespace \
    --set keep=false --wait --timeout 60s >/dev/null
  helm upgrade --install boxoffice helm/boxoffice --namespace "$OPERATOR_NAMESPACE" \
    --set image.repository="$IMAGE_PREFIX/operator" --set image.tag="$VERSION" \
    --set workersImage.repository="$IMAGE_PREFIX/workers" --set workersImage.tag="$VERSION" >/dev/null
  say "applying examples/ to the namespace $NAMESPACE"
  restricted_namespace "$NAMESPACE"
  server_name redis "${REDIS_URL#redis://}"
  server_name kafka "$KAFKA"
  database_secret view "$DATABASE_URL_VIEW"
  database_secret reservations "$DATABASE_URL_RESERVATIONS"
  database_secret stats "$DATABASE_URL_STATS"
  database_secret payments "$DATABASE_URL_PAYMENTS"
  database_secret notifications "$DATABASE_URL_NOTIFICATIONS"
  notification_key
  apply_examples
  roll
}

undeploy() {
  kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout 120s
  helm uninstall boxoffice --namespace "$OPERATOR_NAMESPACE" --ignore-not-found --wait
  helm uninstall boxoffice-crds --namespace "$OPERATOR_NAMESPACE" --ignore-not-found --wait
  kubectl delete namespace "$OPERATOR_NAMESPACE" --ignore-not-found --timeout 60s
}

# restricted_namespace NAME: a namespace that takes no pod with more rights than it needs.
restricted_namespace() {
  apply <<EOT
{apiVersion: v1, kind: Namespace,
 metadata: {name: $1, labels: {pod-security.kubernetes.io/enforce: restricted}}}
EOT
}

# apply_examples: as they are, but for where the images come from.
apply_examples() {
  local file
  for file in examples/*.yaml examples/notification/*.yaml; do
    sed "s|repository: boxoffice/|repository: $IMAGE_PREFIX/|; s|image: boxoffice/|image: $IMAGE_PREFIX/|" "$file" |
      kubectl apply --namespace "$NAMESPACE" --filename - >/dev/null
  done
}

# apply: the resources on standard input.
apply() { kubectl apply --server-side --force-conflicts --field-manager boxoffice-make --filename - >/dev/null; }

# server_name NAME HOST:PORT: makes a server outside of the cluster a name in the namespace.
server_name() {
  local host=${2%:*} port=${2##*:}
  if [[ $host =~ ^[0-9.]+$ ]]; then
    apply <<EOT
{apiVersion: v1, kind: Service, metadata: {name: $1, namespace: $NAMESPACE},
 spec: {clusterIP: None, ports: [{name: $1, port: $port}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: $1, namespace: $NAMESPACE, labels: {kubernetes.io/service-name: $1}},
 endpoints: [{addresses: [$host], conditions: {ready: true}}], ports: [{name: $1, port: $port}]}
EOT
  else
    apply <<EOT
{apiVersion: v1, kind: Service, metadata: {name: $1, namespace: $NAMESPACE},
 spec: {type: ExternalName, externalName: $host, ports: [{name: $1, port: $port}]}}
EOT
  fi
}

# database_secret NAME URL
database_secret() {
  apply <<EOT
{apiVersion: v1, kind: Secret, metadata: {name: $1-db, namespace: $NAMESPACE}, stringData: {url: "$2"}}
EOT
}

# notification_key: what signs the events to the receiver of examples/, made once.
notification_key() {
  kubectl --namespace "$NAMESPACE" get secret notification-key >/dev/null 2>&1 ||
    kubectl --namespace "$NAMESPACE" create secret generic notification-key \
      --from-literal=key="whsec_$(head -c 32 /dev/urandom | base64)" >/dev/null
}

# roll: pods keep an image by its name; where its content changed, they are started again.
roll() {
  local name
  for name in "${CHANGED_IMAGES[@]}"; do
    case $name in
      operator) kubectl --namespace "$OPERATOR_NAMESPACE" rollout restart deployment >/dev/null ;;
      workers) kubectl --namespace "$NAMESPACE" rollout restart deployment \
        --selector app.kubernetes.io/name=boxoffice >/dev/null ;;
      notification) kubectl --namespace "$NAMESPACE" rollout restart deployment/notification >/dev/null ;;
    esac
  done
}
