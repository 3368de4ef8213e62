# The Go programs of the cluster: where they are in the cache, and how they are built.
# Kubernetes, etcd and kwok have modules of their own (tools/), because they replace some of their
# dependencies; pause and policies are programs of this checkout; helm, coredns, kube-router and kind are installed as published.
source "$(dirname "${BASH_SOURCE[0]}")/../../servers/common.sh"

TOOLS=$CHECKOUT/tests/cluster/tools
# pinned_version MODULE: the version in the go.mod of the folder of tools/ that builds it.
pinned_version() { awk -v module="$1" '$1 == module && $2 ~ /^v/ {print $2; exit}' "$TOOLS"/*/go.mod; }
KUBERNETES_VERSION=$(pinned_version k8s.io/kubernetes)
ETCD_VERSION=$(pinned_version go.etcd.io/etcd/server/v3)
KWOK_VERSION=$(pinned_version sigs.k8s.io/kwok)
CYCLONUS_VERSION=$(pinned_version github.com/mattfenwick/cyclonus)

# program_folder NAME: where the program (or the programs, for kubernetes) of that name is built to.
program_folder() {
  case $1 in
    kubernetes) echo "$CACHE/tools/kubernetes-$KUBERNETES_VERSION" ;;
    etcd) echo "$CACHE/tools/etcd-$ETCD_VERSION" ;;
    kwok) echo "$CACHE/tools/kwok-$KWOK_VERSION" ;;
    helm) echo "$CACHE/tools/helm-$HELM_VERSION" ;;
    coredns) echo "$CACHE/tools/coredns-$COREDNS_VERSION" ;;
    kube-router) echo "$CACHE/tools/kube-router-$KUBE_ROUTER_VERSION" ;;
    kind) echo "$CACHE/tools/kind-$KIND_VERSION" ;;
    pause) echo "$CACHE/tools/pause-1" ;;
    policies) echo "$CACHE/tools/policies-$CYCLONUS_VERSION" ;;
    *) die "unknown program: $1" ;;
  esac
}

# build_program NAME: builds it unless it is there; a build that is cut off leaves nothing behind.
build_program() {
  local folder partial
  folder=$(program_folder "$1")
  [[ -d $folder ]] && return
  say "building $(basename "$folder") from its Go module"
  mkdir -p "$CACHE/tools"
  partial=$(mktemp -d "$CACHE/tools/.$1.XXXXXX")
  case $1 in
    kubernetes) build_kubernetes "$partial" ;;
    etcd) go_build "$TOOLS/etcd" -o "$partial/etcd" -ldflags "-s -w" go.etcd.io/etcd/server/v3 ;;
    kwok) go_build "$TOOLS/kwok" -o "$partial/kwok" -ldflags "-s -w" sigs.k8s.io/kwok/cmd/kwok ;;
    helm) go_install "$partial" "helm.sh/helm/v4/cmd/helm@$HELM_VERSION" ;;
    coredns) go_install "$partial" "github.com/coredns/coredns@$COREDNS_VERSION" ;;
    kube-router) go_install "$partial" "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@$KUBE_ROUTER_VERSION" ;;
    kind) go_install "$partial" "sigs.k8s.io/kind@$KIND_VERSION" ;;
    pause) go_build "$TOOLS/pause" -o "$partial/pause" -ldflags "-s -w" main.go ;;
    policies) go_build "$TOOLS/policies" -o "$partial/policies" -ldflags "-s -w" . ;;
  esac
  chmod 755 "$partial"
  mv "$partial" "$folder"
  say "built $(basename "$folder")"
}

build_kubernetes() {
  local v=${KUBERNETES_VERSION#v} package=k8s.io/component-base/version
  local major=${v%%.*} minor
  minor=${v#*.} minor=${minor%%.*}
  go_build "$TOOLS/kubernetes" -o "$1/" \
    -ldflags "-s -w -X $package.gitVersion=v$v -X $package.gitMajor=$major -X $package.gitMinor=$minor" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-proxy,kube-scheduler,kubectl,kubelet}
}

# go_build MODULE-FOLDER ARGS...: static, without this machine's paths.
go_build() { (cd "$1" && static_go build "${@:2}"); }

# go_install FOLDER PACKAGE@VERSION
go_install() { GOBIN=$1 static_go install -ldflags "-s -w" "$2"; }

static_go() { CGO_ENABLED=0 nice -n 5 go "$1" -trimpath "${@:2}" 2> >(grep -v '^go: downloading' >&2); }
