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
    kind_config | kind create cluster --name "$KIND_CLUSTER" --kubeconfig "$KUBECONFIG" --wait 180s --config -
  fi
  kind export kubeconfig --name "$KIND_CLUSTER" --kubeconfig "$KUBECONFIG" --quiet
  AUDIT_LOG=$STATE/audit/audit.log
  # The API server's own user wrote it, or it is from a cluster of before.
  [[ -r $AUDIT_LOG ]] || { say "$AUDIT_LOG cannot be read: tests that need it are skipped"; AUDIT_LOG=''; }
  HOST_ADDRESS=$(docker network inspect kind --format '{{range .IPAM.Config}}{{println .Gateway}}{{end}}' | grep -m 1 -F .)
  servers_up
  images_up kind_image
}

# kind_config: its API server writes an audit log, in a folder of this host.
kind_config() {
  mkdir -p "$STATE/audit"
  cat <<EOT
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - {hostPath: "$CHECKOUT/tests/cluster/audit-policy.yaml", containerPath: /boxoffice/audit-policy.yaml, readOnly: true}
  - {hostPath: "$STATE/audit", containerPath: /boxoffice/audit}
  kubeadmConfigPatches:
  - |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: ClusterConfiguration
    apiServer:
      extraArgs:
      - {name: audit-policy-file, value: /boxoffice/audit-policy.yaml}
      - {name: audit-log-path, value: /boxoffice/audit/audit.log}
      - {name: audit-log-maxsize, value: "10000"}
      extraVolumes:
      - {name: audit-policy, hostPath: /boxoffice/audit-policy.yaml, mountPath: /boxoffice/audit-policy.yaml, readOnly: true, pathType: File}
      - {name: audit, hostPath: /boxoffice/audit, mountPath: /boxoffice/audit, pathType: Directory}
EOT
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
