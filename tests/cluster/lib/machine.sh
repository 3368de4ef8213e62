# The platform `machine`: the real components of Kubernetes as processes of this host. It builds
# images with buildah, and a ClusterIP answers on the host itself.
for part in host credentials control_plane node policies; do source "$CHECKOUT/tests/cluster/lib/$part.sh"; done

machine_up() {
  "$CHECKOUT/tests/servers/install" build servers cluster
  begin machine
  if [[ -d $STATE ]] && ! any_running; then
    say "removing what an earlier life of the cluster left"
    machine_down
  fi
  say "starting Kubernetes $KUBERNETES_VERSION on $HOST_ADDRESS"
  host_up
  credentials_up
  control_plane_up
  node_up
  install -m 600 "$CREDENTIALS/admin.kubeconfig" "$OUT/kubeconfig"
  export KUBECONFIG=$OUT/kubeconfig
  servers_up
  images_up machine_image
}

machine_down() {
  gateway_down
  node_down
  servers_down
  control_plane_down
  containerd_down
  places_down
  host_down
  mounts_down
  cgroups_down
  rm -rf "$STATE" "$RUN"
}

# machine_image FOLDER IMAGE
machine_image() { build_image "$CHECKOUT/Dockerfile" "$1" "$2"; }

# machine_url SERVICE PORT
machine_url() { echo "http://$(kubectl -n tickets get service "$1" -o 'jsonpath={.spec.clusterIP}'):$2"; }
