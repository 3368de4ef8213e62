# Which cluster is used, and the parts that do not depend on it. A platform NAME is a file with
# NAME_up (cluster, servers, images), NAME_down and NAME_url (SERVICE PORT).
cd "$CHECKOUT" || exit
for part in machine kind given servers images deploy gateway ready; do source "tests/cluster/lib/$part.sh"; done

# choose_platform: KUBECONFIG's cluster; what is up already; kind where Docker answers; this machine.
choose_platform() {
  if [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$OUT/kubeconfig" ]]; then
    echo given
  elif [[ -n $(platform_now) ]]; then
    platform_now
  elif have docker && docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; then
    echo kind
  elif ((EUID == 0)) && [[ $(uname -s) == Linux ]]; then
    echo machine
  else
    die "no cluster can be had: KUBECONFIG is not set, Docker does not answer, and the real
  components need root on Linux. Set KUBECONFIG, start Docker, or run as root."
  fi
}

# platform_now: the one that was brought up from this checkout, or on this machine by another; may be none.
platform_now() {
  if [[ -f $OUT/platform ]]; then
    cat "$OUT/platform"
  elif [[ -d /var/lib/boxoffice-cluster ]]; then
    echo machine
  fi
}

# begin PLATFORM: from here on `down` has something to remove.
begin() {
  mkdir -p "$OUT"
  echo "$1" >"$OUT/platform"
}
