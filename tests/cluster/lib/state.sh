# What the cluster keeps on this machine, and the processes it runs. A machine has one such cluster
# (one bridge, one set of addresses), so its state is the machine's, not the checkout's: folders
# that other users can enter (PostgreSQL is not root), and socket paths that stay short.
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

# What the checkout shows of it: env, kubeconfig, and the root folders of the images.
OUT=$CHECKOUT/.cluster
STATE=/var/lib/boxoffice-cluster
RUN=/run/boxoffice-cluster
((EUID == 0)) || STATE=$OUT/state RUN=$OUT/run
LOGS=$STATE/log
CREDENTIALS=$STATE/credentials

for name in kubernetes etcd helm coredns kube-router kind; do PATH=$(program_folder "$name"):$PATH; done
export PATH=$PATH:/usr/sbin:/sbin

# start NAME COMMAND...: runs it detached from this terminal, as the head of a process group, and
# remembers it by name; does nothing when it is running.
start() {
  local name=$1
  shift
  running "$name" && return
  mkdir -p "$LOGS" "$RUN/pid"
  setsid nohup "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
  echo "$! $(started_at $!)" >"$RUN/pid/$name"
}

# running NAME: is the process that was remembered under that name alive, and still the same one?
running() {
  local pid since
  [[ -f $RUN/pid/$1 ]] && read -r pid since <"$RUN/pid/$1" && [[ -n $since && $(started_at "$pid") == "$since" ]]
}

# started_at PID: when the process started, in clock ticks since boot: with the id, its identity.
# Nothing for a process that has ended and that its parent has not yet looked after.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" {print $20}'; }

# stop NAME [SECONDS [SIGNAL]]: ends its process group and waits; after that many seconds (10) it is killed.
stop() {
  local pid since deadline=$((SECONDS + ${2:-10}))
  if running "$1"; then
    read -r pid since <"$RUN/pid/$1"
    kill -s "${3:-TERM}" -- "-$pid"
    while running "$1" && ((SECONDS < deadline)); do sleep 0.1; done
    running "$1" && kill -s KILL -- "-$pid"
    while running "$1"; do sleep 0.1; done
  fi
  rm -f "$RUN/pid/$1"
}

# must_start SECONDS NAME COMMAND...: waits until the command succeeds, or ends with the tail of NAME's log.
must_start() {
  local name=$2
  wait_until "$1" "$name" "${@:3}" && return
  tail -n 20 "$LOGS/$name.log" >&2
  die "$name did not start; its log is $LOGS/$name.log"
}

# any_running: is any process of the cluster alive? If none is, what is in the folders is stale.
any_running() {
  local file
  for file in "$RUN"/pid/*; do
    [[ -f $file ]] && running "$(basename "$file")" && return
  done
  return 1
}
