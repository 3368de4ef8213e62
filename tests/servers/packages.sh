# Debian packages by group: which are missing, and their installation without starting services.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# packages GROUP: one line a package: its name, a command or file that shows it is there, why.
packages() {
  case $1 in
    build) cat <<'EOT' ;;
gcc cc compiles librdkafka
g++ c++ compiles librdkafka
make make compiles librdkafka
pkg-config pkg-config finds OpenSSL for librdkafka
libssl-dev /usr/include/openssl/ssl.h TLS of librdkafka
libcurl4-openssl-dev /usr/include/*/curl/curl.h OAUTHBEARER of librdkafka
zlib1g-dev /usr/include/zlib.h compression of librdkafka
EOT
    servers) cat <<'EOT' ;;
redis-server redis-server the seat store of the tests
postgresql /usr/lib/postgresql/*/bin/initdb the view databases of the tests
pgbouncer pgbouncer a pooler before a view database
default-jre-headless java runs Kafka
maven mvn fetches Kafka
openssl openssl certificates of servers that speak TLS
EOT
    gateway) cat <<'EOT' ;;
nginx-light nginx the gateway before the workers
EOT
    node) cat <<'EOT' ;;
npm npm fetches Node
EOT
    browser) cat <<'EOT' ;;
chromium chromium the browser of the pages' tests
EOT
    openapi) cat <<'EOT' ;;
python3-venv python3 runs schemathesis
EOT
    cluster) cat <<'EOT' ;;
containerd containerd runs the pods
runc runc runs the pods
containernetworking-plugins /usr/lib/cni/ptp the network of the pods
iptables iptables Services of the cluster
conntrack conntrack Services of the cluster
ipset ipset policies of the cluster
iproute2 ip the node's address
buildah buildah builds the images
openssl openssl certificates of the cluster
ca-certificates /etc/ssl/certs/ca-certificates.crt certificates of the images
curl curl waits for the servers
EOT
  esac
}

# present PROBE: a command that can be run, or a file (a pattern may stand for it).
present() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) have "$1" ;;
  esac
}

# install_packages GROUP: what is missing of it, by apt; without root or Debian, says what that is.
install_packages() {
  local name probe why missing=()
  while read -r name probe why; do
    present "$probe" && continue
    say "missing: $name ($why)"
    missing+=("$name")
  done < <(packages "$1")
  ((${#missing[@]})) || return 0
  have apt-get || die "this machine is not Debian: install by hand what these packages hold: ${missing[*]}"
  ((EUID == 0)) || die "not root: run 'apt-get install ${missing[*]}' as root, then this again"
  say "installing ${missing[*]}"
  without_services apt_install "${missing[@]}"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null
}

# without_services COMMAND...: packages installed by it start no service, now or at boot, and
# PostgreSQL makes no database cluster of its own.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  before=$(enabled_services)
  "$@" || exit
  comm -13 <(echo "$before") <(enabled_services) | xargs --no-run-if-empty systemctl disable --quiet
)

# enabled_services: those of our packages that start at boot; none where there is no systemd.
enabled_services() {
  have systemctl || return 0
  systemctl list-unit-files --state=enabled --no-legend redis-server.service postgresql.service pgbouncer.service containerd.service nginx.service 2>/dev/null |
    awk '{print $1}' | sort
}
