# The platform `kind`: Kubernetes in Docker, where Docker's engine answers. The servers are
# processes of this host on the gateway of kind's network, which pods and the host both reach.

KIND_CLUSTER=boxoffice

kind_up() {
  "$CHECKOUT/tests/servers/install" build servers
  "$CHECKOUT/tests/cluster/programs" kind helm
  have kubectl || "$CHECKOUT/tests/cluster/programs" kubernetes
  begin kind
  export KUBECONFIG=$OUT/kubeconfig
  if ! grep -qx "$KIND_CLUSTER" <<<"$(kind get clusters 2>/dev/null)"; then
    say "creating the kind cluster $KIND_CLUSTER"
    kind create cluster --name "$KIND_CLUSTER" --kubeconfig "$KUBECONFIG" --wait 180s
  fi
  kind export kubeconfig --name "$KIND_CLUSTER" --kubeconfig "$KUBECONFIG" --quiet
  HOST_ADDRESS=$(docker network inspect kind --format '{{range .IPAM.Config}}{{println .Gateway}}{{end}}' | grep -m 1 -F .)
  servers_up
  images_up kind_image
}

kind_down() {
  gateway_down
  stop command-forward
  stop query-forward
  servers_down
  kind delete cluster --name "$KIND_CLUSTER" --quiet
  rm -rf "$STATE" "$RUN"
}

# kind_image FOLDER IMAGE
kind_image() {
  docker build --quiet --file "$CHECKOUT/Dockerfile" --tag "$2" "$1" >/dev/null
  kind load docker-image --name "$KIND_CLUSTER" "$2" >/dev/null 2>&1
}

# kind_url SERVICE PORT: by a port-forward that starts again when its pod goes.
kind_url() {
  start "${1#*-}-forward" bash -c "while :; do kubectl -n tickets port-forward service/$1 1$2:$2; sleep 1; done"
  echo "http://127.0.0.1:1$2"
}
