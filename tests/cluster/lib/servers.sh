# Redis, Kafka and PostgreSQL as processes of the host, on the node's address: pods and programs
# of the host reach them by the same name, so Kafka has one listener for both.

SERVERS=$STATE/servers
DATABASES=(view reservations stats payments notifications)

# servers_up: starts them and sets KAFKA, REDIS_URL and DATABASE_URL_*.
servers_up() {
  say "starting Redis, Kafka $KAFKA_VERSION and PostgreSQL on $HOST_ADDRESS"
  local name
  mkdir -p "$SERVERS"
  [[ -f $SERVERS/password ]] || (umask 077 && openssl rand -hex 16 >"$SERVERS/password")
  REDIS_URL=redis://$HOST_ADDRESS:6379
  KAFKA=$HOST_ADDRESS:9092
  redis_up
  kafka_up
  postgres_up
  for name in "${DATABASES[@]}"; do
    create_database "$name"
    printf -v "DATABASE_URL_${name^^}" '%s' "postgres://$name:$(<"$SERVERS/password")@$HOST_ADDRESS:5432/$name"
  done
}

redis_up() {
  mkdir -p "$SERVERS/redis"
  start redis redis-server --bind "$HOST_ADDRESS" --port 6379 --protected-mode no \
    --dir "$SERVERS/redis" --appendonly yes --maxmemory-policy noeviction
  must_start 20 redis redis-cli -u "$REDIS_URL" ping
}

kafka_up() {
  local config=$SERVERS/kafka.properties
  if [[ ! -d $SERVERS/kafka ]]; then
    cat >"$config" <<EOT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$HOST_ADDRESS:9093
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$KAFKA,CONTROLLER://$HOST_ADDRESS:9093
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$SERVERS/kafka
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
EOT
    "$CHECKOUT/tests/servers/kafka-tool" StorageTool format --config "$config" \
      --cluster-id Ym94b2ZmaWNlLWthZmthMQ >"$LOGS/kafka-format.log" 2>&1 ||
      die "Kafka's folder could not be formatted: $(tail -n 3 "$LOGS/kafka-format.log")"
  fi
  start kafka java -Xms256m -Xmx768m -Dorg.slf4j.simpleLogger.showDateTime=true \
    -cp "$KAFKA_HOME/*" kafka.Kafka "$config"
  must_start 60 kafka grep -q 'Kafka Server started' "$LOGS/kafka.log"
}

postgres_up() {
  local bin as_postgres=()
  # It refuses to run as root.
  ((EUID)) || as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
  bin=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1)")
  if [[ ! -d $SERVERS/postgres ]]; then
    mkdir -p "$SERVERS/postgres.partial"
    ((EUID)) || chown postgres: "$SERVERS/postgres.partial"
    "${as_postgres[@]}" "$bin/initdb" -D "$SERVERS/postgres.partial" -U postgres --encoding UTF8 --locale C.UTF-8 \
      --auth trust >"$LOGS/initdb.log"
    echo "host all all all scram-sha-256" >>"$SERVERS/postgres.partial/pg_hba.conf"
    mv "$SERVERS/postgres.partial" "$SERVERS/postgres"
  fi
  start postgres "${as_postgres[@]}" "$bin/postgres" -D "$SERVERS/postgres" -c listen_addresses="$HOST_ADDRESS" -c port=5432 \
    -c unix_socket_directories="$SERVERS/postgres" -c max_connections=200
  must_start 30 postgres psql -h "$SERVERS/postgres" -U postgres -c 'SELECT 1'
}

# create_database NAME: with an owner of that name, who may make more for tests, unless it is there.
create_database() {
  local psql=(psql -h "$SERVERS/postgres" -U postgres -qAt)
  [[ $("${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = '$1'") == 1 ]] && return
  "${psql[@]}" -c "CREATE ROLE \"$1\" LOGIN CREATEDB PASSWORD '$(<"$SERVERS/password")'" \
    -c "CREATE DATABASE \"$1\" OWNER \"$1\""
}

# servers_down: at once, without waiting for clients; their data goes too.
servers_down() {
  stop postgres 10 INT
  stop redis
  stop kafka 1
}
