# The platform `given`: the cluster that KUBECONFIG names. Its pods cannot reach processes of this
# host, nor images that only this host has: servers and images are named by the caller.

# What the caller names.
GIVEN=(KAFKA REDIS_URL DATABASE_URL_VIEW DATABASE_URL_RESERVATIONS DATABASE_URL_STATS DATABASE_URL_PAYMENTS
  DATABASE_URL_NOTIFICATIONS IMAGES_FROM)

given_up() {
  local name missing=()
  for name in "${GIVEN[@]}"; do [[ -n ${!name:-} ]] || missing+=("$name"); done
  ((${#missing[@]} == 0)) || die "KUBECONFIG is set, so these must be too: ${missing[*]}.
  KAFKA (host:9092), REDIS_URL (redis://host:6379) and DATABASE_URL_* are servers that the pods and
  this machine reach; IMAGES_FROM is where the cluster pulls images: <IMAGES_FROM>/operator:$VERSION,
  <IMAGES_FROM>/workers:$VERSION and <IMAGES_FROM>/notification:$VERSION, built as the Dockerfile says. Without KUBECONFIG, a cluster
  and all servers are started on this machine."
  "$CHECKOUT/tests/cluster/programs" helm
  have kubectl || "$CHECKOUT/tests/cluster/programs" kubernetes
  IMAGE_PREFIX=$IMAGES_FROM
  begin given
  given_folders
  # A copy, so that `down` acts on this cluster and no other, whatever KUBECONFIG says then.
  (umask 077 && kubectl config view --raw --minify --flatten >"$OUT/kubeconfig.new")
  export KUBECONFIG=$OUT/kubeconfig
  mv "$OUT/kubeconfig.new" "$KUBECONFIG"
}

given_down() {
  given_folders
  export KUBECONFIG=$OUT/kubeconfig
  gateway_down
  stop command-forward
  stop query-forward
  undeploy
}

given_url() { kind_url "$@"; }

# given_folders: its only processes are port-forwards of this checkout.
given_folders() { LOGS=$OUT/log RUN=$OUT/run; }
