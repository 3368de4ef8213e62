# A gateway: both workers at one origin, and the user from a cookie. A small nginx on loopback, for people who look at the
# page and for the tests; examples/gateway/ has the same for a cluster with the Gateway API.

GATEWAY=127.0.0.1:8000

# gateway_up: starts it before the workers at COMMAND_URL and QUERY_URL, and sets GATEWAY_URL.
gateway_up() {
  "$CHECKOUT/tests/servers/install" gateway
  GATEWAY_URL=http://$GATEWAY
  local folder=$LOGS/../gateway config
  mkdir -p "$folder"
  config=$(realpath "$folder")/nginx.conf
  gateway_config "$(dirname "$config")" >"$config.new"
  # The workers' addresses may be other ones than before.
  cmp -s "$config.new" "$config" || stop gateway
  mv "$config.new" "$config"
  start gateway nginx -e stderr -c "$config"
  must_start 10 gateway curl -fs -m 2 "$GATEWAY_URL/web.json"
}

gateway_down() { stop gateway; }

# gateway_config FOLDER
gateway_config() {
  cat <<EOT
daemon off;
pid $1/pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $1/body;
  proxy_temp_path $1/proxy;
  fastcgi_temp_path $1/fastcgi;
  uwsgi_temp_path $1/uwsgi;
  scgi_temp_path $1/scgi;

  # Reads go to the query worker and all else to the command worker, which has reads of its own below /holds and /command.
  map \$request_method \$by_method { GET query; HEAD query; default command; }
  map \$uri \$worker { ~^/(holds|command)/ command; default \$by_method; }
  # Who somebody is comes from the cookie alone: what a client says of itself is overwritten. Nobody is an empty header,
  # which is not sent on.
  map \$cookie_user \$user { "~^[A-Za-z0-9_.-]{1,64}\$" \$cookie_user; default ""; }
  map \$arg_user \$signing_in { "~^[A-Za-z0-9_.-]{1,64}\$" \$arg_user; default ""; }

  upstream command { server ${COMMAND_URL#http://}; keepalive 16; }
  upstream query { server ${QUERY_URL#http://}; keepalive 16; }

  server {
    listen $GATEWAY;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host \$http_host;
    proxy_set_header x-user-id \$user;
    # A stream is sent as it comes, and may be still for long.
    proxy_buffering off;
    proxy_read_timeout 1h;
    # In place of what knows your users: /sign-in?user=alice.
    location = /sign-in {
      if (\$signing_in = "") { return 400; }
      add_header Set-Cookie "user=\$signing_in; Path=/; HttpOnly; SameSite=Lax";
      return 303 /;
    }
    location / { proxy_pass http://\$worker; }
  }
}
EOT
}
