# Which cluster is used, and the parts that do not depend on it. A platform NAME is a file with
# NAME_up, NAME_down, NAME_image (FOLDER IMAGE) and NAME_url (SERVICE PORT).
cd "$CHECKOUT"
for part in machine kind given servers images deploy ready; do source "tests/cluster/lib/$part.sh"; done

# choose_platform: KUBECONFIG's cluster, unless that is ours; kind where Docker answers; this machine.
choose_platform() {
  if [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$OUT/kubeconfig" ]]; then
    echo given
  elif have docker && docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; then
    echo kind
  elif ((EUID == 0)) && [[ $(uname -s) == Linux ]]; then
    echo machine
  else
    die "no cluster can be had: KUBECONFIG is not set, Docker does not answer, and the real
  components need root on Linux. Set KUBECONFIG, start Docker, or run as root."
  fi
}

# platform_now: what `up` brought up from this checkout or on this machine, if anything.
platform_now() { cat "$OUT/platform" 2>/dev/null || { [[ -d /var/lib/boxoffice-cluster ]] && echo machine; } || true; }
