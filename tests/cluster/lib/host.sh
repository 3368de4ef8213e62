# The node's place in the host's network: a bridge that holds the node's address, and the kernel
# settings that Kubernetes changes, remembered so that they can be put back.

HOST_ADDRESS=10.250.0.1
BRIDGE=bo0
POD_NETWORK=10.244.0.0/24
SERVICE_NETWORK=10.96.0.0/16
SETTINGS=(net/ipv4/ip_forward net/ipv4/conf/all/route_localnet vm/overcommit_memory vm/panic_on_oom
  kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

host_up() {
  local key
  mkdir -p "$STATE" "$RUN" "$LOGS"
  if [[ ! -f $STATE/settings ]]; then
    for key in "${SETTINGS[@]}"; do echo "$key $(<"/proc/sys/$key")"; done >"$STATE/settings"
  fi
  ip link show "$BRIDGE" >/dev/null 2>&1 || ip link add "$BRIDGE" type bridge
  ip address replace "$HOST_ADDRESS/32" dev "$BRIDGE"
  ip link set "$BRIDGE" up
  # An address that is not local would leave by the default route.
  [[ $(ip route get "$HOST_ADDRESS") == local* ]] || die "$HOST_ADDRESS is not an address of this machine"
}

host_down() {
  local key value
  ip link show "$BRIDGE" >/dev/null 2>&1 && ip link delete "$BRIDGE"
  iptables_down
  ip_sets_down
  if [[ -f $STATE/settings ]]; then
    while read -r key value; do
      [[ $(<"/proc/sys/$key") == "$value" ]] || echo "$value" >"/proc/sys/$key"
    done <"$STATE/settings"
  fi
}

# iptables_down: takes out every chain and rule of Kubernetes and CNI.
iptables_down() {
  local family rules
  for family in iptables ip6tables; do
    rules=$("$family-save" 2>/dev/null)
    [[ $rules == *KUBE-* || $rules == *CNI-* ]] || continue
    grep -vE 'KUBE-|CNI-' <<<"$rules" | "$family-restore"
  done
}

# mounts_down: unmounts what is left below our folders, the innermost first.
mounts_down() {
  awk -v a="$STATE/" -v b="$RUN/" 'index($2, a) == 1 || index($2, b) == 1 {print $2}' /proc/self/mounts |
    sort -r | xargs --no-run-if-empty umount --lazy
}

# cgroups_down: removes the pods' cgroups, the innermost first.
cgroups_down() {
  find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
}
