# The node: containerd, kubelet, kube-proxy, CoreDNS and the firewall of policies, as processes of the host.

CONTAINERD=$RUN/containerd.sock
PAUSE_IMAGE=boxoffice/pause:1

node_up() {
  containerd_up
  kubelet_up
  proxy_up
  coredns_up
  policies_up
}

containerd_up() {
  mkdir -p "$STATE/cni/conf"
  # Point to point: all traffic of a pod is routed by the host, so Services need no bridge filter.
  cat >"$STATE/cni/conf/10-boxoffice.conflist" <<EOT
{"cniVersion": "0.4.0", "name": "boxoffice", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$STATE/cni/addresses",
            "ranges": [[{"subnet": "$POD_NETWORK"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
EOT
  cat >"$STATE/containerd.toml" <<EOT
version = 2
root = "$STATE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$CONTAINERD"
[plugins."io.containerd.internal.v1.opt"]
  path = "$STATE/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$(snapshotter)"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "$RUN/runc"
EOT
  start containerd containerd --config "$STATE/containerd.toml" --log-level warn
  must_start 30 containerd ctr --address "$CONTAINERD" version
  import_pause_image
}

# snapshotter: overlayfs, unless the folder is on an overlay itself (inside a container).
snapshotter() { [[ $(stat -f -c %T "$STATE") == overlayfs ]] && echo native || echo overlayfs; }

kubelet_up() {
  cat >"$STATE/kubelet.yaml" <<EOT
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $HOST_ADDRESS
authentication: {x509: {clientCAFile: $CREDENTIALS/ca.crt}, anonymous: {enabled: false}}
healthzBindAddress: 127.0.0.1
containerRuntimeEndpoint: unix://$CONTAINERD
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
localStorageCapacityIsolation: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
clusterDNS: [$HOST_ADDRESS]
clusterDomain: cluster.local
podLogsDir: $STATE/pod-logs
volumePluginDir: $STATE/volume-plugins
EOT
  start kubelet kubelet --config "$STATE/kubelet.yaml" --kubeconfig "$CREDENTIALS/kubelet.kubeconfig" \
    --root-dir "$STATE/kubelet" --cert-dir "$STATE/kubelet-certificates" \
    --hostname-override node1 --node-ip "$HOST_ADDRESS"
  must_start 60 kubelet kubectl wait --for=condition=Ready node/node1 --timeout=1s
}

proxy_up() {
  cat >"$STATE/proxy.yaml" <<EOT
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: node1
bindAddress: $HOST_ADDRESS
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: {kubeconfig: $CREDENTIALS/proxy.kubeconfig}
clusterCIDR: $POD_NETWORK
nodePortAddresses: [primary]
iptables: {localhostNodePorts: false}
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
oomScoreAdj: 0
EOT
  start proxy kube-proxy --config "$STATE/proxy.yaml"
  must_start 30 proxy curl -fs -m 2 http://127.0.0.1:10256/healthz
}

# coredns_up: names of Services for pods; other names go where the host's own go.
coredns_up() {
  kubectl get clusterrolebinding coredns >/dev/null 2>&1 ||
    kubectl create clusterrolebinding coredns --clusterrole view --user system:coredns >/dev/null
  cat >"$STATE/Corefile" <<EOT
. {
  bind $HOST_ADDRESS
  errors
  health 127.0.0.1:18080
  ready 127.0.0.1:18181
  kubernetes cluster.local {
    kubeconfig $CREDENTIALS/coredns.kubeconfig boxoffice
  }
  forward . /etc/resolv.conf
}
EOT
  start coredns coredns -conf "$STATE/Corefile"
  must_start 30 coredns curl -fs -m 2 http://127.0.0.1:18181/ready
}

# node_down: the order matters, or mounts and shims stay behind.
node_down() {
  local name
  pods_down
  for name in kubelet proxy coredns firewall; do stop "$name"; done
}

# pods_down: deletes all pods through the kubelet, with nothing left that makes new ones.
pods_down() {
  stop controller-manager
  stop scheduler
  running apiserver && running kubelet || return 0
  say "deleting the pods"
  kubectl --kubeconfig "$CREDENTIALS/admin.kubeconfig" delete pods --all --all-namespaces \
    --grace-period 1 --timeout 40s >/dev/null || say "some pods could not be deleted: their processes are ended instead"
}

# containerd_down: what survived of the containers, their shims, then containerd itself.
containerd_down() {
  local pid
  find /sys/fs/cgroup -path '*/kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u |
    while read -r pid; do kill -s KILL "$pid" 2>/dev/null || true; done
  # A shim carries our socket in its arguments.
  for pid in $(pgrep -f "^/usr/bin/containerd-shim-runc-v2 .*-address $CONTAINERD"); do
    kill -s KILL "$pid" || true
  done
  stop containerd
}

# places_down: what the kubelet, the shims and CNI write to places of their own choice. It is gone
# already where they could end in order.
places_down() {
  local file results=/var/lib/cni/results
  running kubelet || rm -f /var/lib/kubelet/device-plugins/kubelet.sock
  find /var/log/containers -lname "$STATE/*" -delete 2>/dev/null || true
  while read -r file; do rm -f "$(sed 's|^unix://||' "$file")"; done \
    < <(compgen -G "$RUN/containerd/*/k8s.io/*/address")
  while read -r file; do rm -f "$file" "$results/cni-loopback-$(basename "${file#*boxoffice-}" -eth0)-lo"; done \
    < <(compgen -G "$results/boxoffice-*-eth0")
  rmdir -p /var/log/containers /var/lib/kubelet/device-plugins /run/containerd/s "$results" 2>/dev/null || true
}
