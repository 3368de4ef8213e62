# What every script of tests/ shares: where things are cached, how progress is told.

# Versions that no other file pins: Kafka's is in kafka/pom.xml, schemathesis' in schemathesis/requirements.txt, Kubernetes' and etcd's in
# tests/cluster/tools/*/go.mod.
NEXTEST_VERSION=0.9.151
DENY_VERSION=0.20.2
HELM_VERSION=v4.3.1
COREDNS_VERSION=v1.15.0
KUBE_ROUTER_VERSION=v2.1.0
KIND_VERSION=v0.33.0
NODE_VERSION=22.21.1
NPM_VERSION=11.6.2
# The oldest Node that builds the pages.
NODE_LEAST=20.19

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Downloads and builds that outlive the checkout, each in a folder named after its version.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/boxoffice
KAFKA_VERSION=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$CHECKOUT/tests/servers/kafka/pom.xml")
KAFKA_HOME=$CACHE/kafka-$KAFKA_VERSION
SCHEMATHESIS_REQUIREMENTS=$CHECKOUT/tests/servers/schemathesis/requirements.txt
SCHEMATHESIS_VERSION=$(sed -n 's|^schemathesis==||p' "$SCHEMATHESIS_REQUIREMENTS")
SCHEMATHESIS_HOME=$CACHE/tools/schemathesis-$SCHEMATHESIS_VERSION
NEXTEST=$CACHE/tools/cargo-nextest-$NEXTEST_VERSION/bin/cargo-nextest
DENY=$CACHE/tools/cargo-deny-$DENY_VERSION/bin/cargo-deny
TARGET=${CARGO_TARGET_DIR:-$CHECKOUT/target}

# say TEXT...: one progress line, with the time.
say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }

# die TEXT...: says what is wrong and ends the script.
die() { printf '%s error: %s\n' "$(date +%H:%M:%S)" "$*" >&2; exit 1; }

# have COMMAND: is it installed? The folders that only root has in its PATH count too.
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }

# node_is_enough: is there a Node that builds the pages, with its npm?
node_is_enough() {
  have node && have npm || return 1
  printf '%s\nv%s\n' "$(node --version)" "$NODE_LEAST" | sort -V | head -n 1 | grep -qx "v$NODE_LEAST"
}

# node_folder: where the commands of the one in the cache folder are.
node_folder() { echo "$CACHE/node-$NODE_VERSION/node_modules/.bin"; }

# wait_until SECONDS WHAT COMMAND...: repeats the command until it succeeds; false after the deadline.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || { say "still waiting for: $what"; return 1; }
    sleep 0.2
  done
}
