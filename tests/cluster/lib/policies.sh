# NetworkPolicies, enforced by the kernel: kube-router's firewall and nothing else of it, on IP sets. Where the kernel has
# none, that is said, and the tests of it say that they are skipped.

POLICIES=

policies_up() {
  if ! have_ip_sets; then
    say "this kernel has no IP sets: NetworkPolicies are not enforced here"
    return
  fi
  start firewall kube-router --run-firewall=true --run-router=false --run-service-proxy=false \
    --kubeconfig "$CREDENTIALS/admin.kubeconfig" --hostname-override node1 --service-cluster-ip-range "$SERVICE_NETWORK"
  must_start 60 firewall iptables --wait --list KUBE-ROUTER-FORWARD --numeric
  POLICIES=enforced
}

have_ip_sets() { ipset create boxoffice hash:net timeout 0 2>/dev/null && ipset destroy boxoffice; }

# ip_sets_down: takes out the sets of policies, of which no rule is left.
ip_sets_down() {
  local set
  for set in $(ipset list -name 2>/dev/null | grep -E '^(inet6:)?KUBE-'); do ipset destroy "$set"; done
}
