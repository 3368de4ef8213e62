# Who may speak to the API server: a token for each component, and the client certificate with
# which the API server speaks to the kubelet. Made once for each life of the cluster.

API_SERVER=https://$HOST_ADDRESS:6443

credentials_up() (
  [[ -d $CREDENTIALS ]] && return
  umask 077
  rm -rf "$CREDENTIALS.partial"
  mkdir "$CREDENTIALS.partial"
  cd "$CREDENTIALS.partial" || return
  openssl genrsa -out service-account.key 2048 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=boxoffice-cluster \
    -keyout ca.key -out ca.crt 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj /O=system:masters/CN=kube-apiserver \
    -keyout kubelet-client.key -out kubelet-client.csr 2>/dev/null
  openssl x509 -req -days 365 -in kubelet-client.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
    -out kubelet-client.crt 2>/dev/null
  token admin admin system:masters
  token controller-manager system:kube-controller-manager
  token scheduler system:kube-scheduler
  token kubelet system:node:node1 system:nodes
  token proxy system:kube-proxy
  token coredns system:coredns
  mv "$CREDENTIALS.partial" "$CREDENTIALS"
)

# token NAME USER [GROUP]: a line of the API server's token file, and the token on its own.
token() {
  openssl rand -hex 16 >"$1.token"
  echo "$(<"$1.token"),$2,$2${3:+,\"$3\"}" >>tokens.csv
}

# kubeconfigs_up: one file a component; the API server's own certificate, made by itself, is the CA.
kubeconfigs_up() {
  local name
  for name in admin controller-manager scheduler kubelet proxy coredns; do
    (umask 077 && cat >"$CREDENTIALS/$name.kubeconfig") <<EOT
apiVersion: v1
kind: Config
current-context: boxoffice
clusters:
- name: boxoffice
  cluster: {server: "$API_SERVER", certificate-authority-data: $(base64 -w0 "$STATE/apiserver/apiserver.crt")}
users:
- name: $name
  user: {token: $(<"$CREDENTIALS/$name.token")}
contexts:
- name: boxoffice
  context: {cluster: boxoffice, user: $name}
EOT
  done
}
