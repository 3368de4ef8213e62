# etcd, API server, controller manager and scheduler, as processes of the host.

ETCD=http://127.0.0.1:12379

control_plane_up() {
  # What service accounts asked of the API server, for the tests.
  AUDIT_LOG=$STATE/audit.log
  start etcd etcd --name boxoffice --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$ETCD" --advertise-client-urls "$ETCD" \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 \
    --initial-cluster boxoffice=http://127.0.0.1:12380
  must_start 30 etcd curl -fs -m 2 "$ETCD/health"

  start apiserver kube-apiserver --etcd-servers "$ETCD" \
    --bind-address "$HOST_ADDRESS" --advertise-address "$HOST_ADDRESS" --cert-dir "$STATE/apiserver" \
    --service-cluster-ip-range "$SERVICE_NETWORK" --authorization-mode Node,RBAC \
    --token-auth-file "$CREDENTIALS/tokens.csv" \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$CREDENTIALS/service-account.key" \
    --service-account-signing-key-file "$CREDENTIALS/service-account.key" \
    --kubelet-client-certificate "$CREDENTIALS/kubelet-client.crt" \
    --kubelet-client-key "$CREDENTIALS/kubelet-client.key" \
    --kubelet-preferred-address-types InternalIP \
    --audit-policy-file "$CHECKOUT/tests/cluster/audit-policy.yaml" --audit-log-path "$AUDIT_LOG" --audit-log-maxsize 10000
  must_start 60 apiserver test -s "$STATE/apiserver/apiserver.crt"
  kubeconfigs_up
  export KUBECONFIG=$CREDENTIALS/admin.kubeconfig
  must_start 60 apiserver kubectl get --raw /readyz

  start controller-manager kube-controller-manager --kubeconfig "$CREDENTIALS/controller-manager.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false --use-service-account-credentials \
    --service-account-private-key-file "$CREDENTIALS/service-account.key" \
    --root-ca-file "$STATE/apiserver/apiserver.crt"
  start scheduler kube-scheduler --kubeconfig "$CREDENTIALS/scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false
  must_start 60 controller-manager kubectl -n default get serviceaccount default
}

# control_plane_down: the API server drains, and a new one would not get the port: it is waited for.
control_plane_down() {
  local name
  for name in scheduler controller-manager apiserver etcd; do stop "$name"; done
}
