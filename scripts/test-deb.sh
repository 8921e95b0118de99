#!/usr/bin/env bash
# test-deb.sh: the Debian package, installed on this machine, asked for an answer of the stand-in's, and removed again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

package=libnginx-mod-http-bedrock
status() { dpkg-query --show --showformat '${db:Status-Status}' $package 2>/dev/null || echo none; }
[ "$(status)" = none ] || die "$package is on this machine already: remove it first (apt-get purge $package)"
deb=$("$ROOT/scripts/build-deb.sh")

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
work=$(mktemp -d)
SIM_PID='' NGINX_PID=''
# shellcheck disable=SC2317  # used by the trap
clean_up() {
    rm -f /etc/nginx/conf.d/bedrock-test.conf /etc/nginx/bedrock.d/bedrock-test.conf
    [ -z "$NGINX_PID" ] || kill "$NGINX_PID" 2>/dev/null || true
    [ -z "$SIM_PID" ] || kill "$SIM_PID" 2>/dev/null || true
    [ "$(status)" = none ] || "${as_root[@]}" dpkg --purge $package >&2
    rm -rf "$work"
}
trap clean_up EXIT
abi=$(sed -n 's/^nginx:abi=//p' /usr/share/nginx/src/debian/libnginx-mod.abisubstvars)
check() { "${@:2}" || die "$1"; }

check "it does not depend on $abi" grep -qw "$abi" <<<"$(dpkg-deb --field "$deb" Depends)"
# dpkg and not apt-get: what it depends on is here, or this fails.
"${as_root[@]}" dpkg --install "$deb" >&2
check "it is not configured" test "$(status)" = installed
check "it is not enabled" test -e /etc/nginx/modules-enabled/50-mod-http-bedrock.conf
check "nginx -t failed with the package alone" "$(nginx_binary)" -t -q
for file in bedrock_params bedrock_json bedrock_prices claude_models; do check "there is no $file" test -s /etc/nginx/$file; done
check "there is no nginx-bedrock-usage" nginx-bedrock-usage --help >/dev/null
check "there is no licence" test -s /usr/share/doc/$package/copyright

"$ROOT/scripts/build.sh" sim
start_sim "$work/sim.port" "$work/sim.log" --strict
port=$(free_port)
cat >"$work/nginx.conf" <<EOF
include /etc/nginx/modules-enabled/50-mod-http-bedrock.conf;
pid $work/nginx.pid;
error_log stderr;
events {}
http {
    log_format tokens "\$status \$bedrock_input_tokens \$bedrock_output_tokens";
    access_log $work/access.log tokens;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port;
        location / {
            bedrock on;
            bedrock_region us-east-1;
            bedrock_endpoint 127.0.0.1:$SIM_PORT;
            bedrock_auth sim;
            include /etc/nginx/bedrock_params;
            proxy_pass http://127.0.0.1:$SIM_PORT;
        }
    }
    bedrock_credentials sim {
        source static;
        access_key_id AKIDEXAMPLE;
        secret_access_key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY;
    }
}
EOF
nginx=$(nginx_binary)
check "nginx -t failed" "$nginx" -t -c "$work/nginx.conf"
chmod 755 "$work"
"$nginx" -c "$work/nginx.conf" -g "daemon off;" 2>"$work/error.log" &
NGINX_PID=$!
answer=$(curl -sS --retry 20 --retry-connrefused --retry-delay 1 -H 'Content-Type: application/json' \
    -d '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}' "http://127.0.0.1:$port/model/a.model/converse")
check "no answer: $answer" grep -q "Hello from" <<<"$answer"
kill -QUIT "$NGINX_PID"
wait "$NGINX_PID" || die "nginx ended badly: $(cat "$work/error.log")"
NGINX_PID=''
check "no tokens in the log" test "$(cat "$work/access.log")" = "200 25 12"

# It does not go while nginx needs it, and nginx starts without it.
gateway="server { listen 127.0.0.1:$port; location / { bedrock on; bedrock_region us-east-1; include bedrock_params; proxy_pass https://127.0.0.1; } }"
"${as_root[@]}" tee /etc/nginx/conf.d/bedrock-test.conf <<<"$gateway" >/dev/null
check "nginx -t failed with a gateway in conf.d" "$nginx" -t -q
if said=$("${as_root[@]}" dpkg --remove $package 2>&1); then die "it was removed, and nginx does not start without it"; fi
check "it does not say why it stays: $said" grep -q 'unknown directive "bedrock" in /etc/nginx/conf.d/bedrock-test.conf:1' <<<"$said"
check "it is not configured any more" test "$(status)" = installed
check "nginx -t failed after the removal that was not" "$nginx" -t -q
check "it is not enabled any more" test -e /etc/nginx/modules-enabled/50-mod-http-bedrock.conf -a -e /etc/nginx/conf.d/nginx-bedrock.conf
"${as_root[@]}" mv /etc/nginx/conf.d/bedrock-test.conf /etc/nginx/bedrock.d/bedrock-test.conf
check "bedrock.d is not read" grep -q "listen 127.0.0.1:$port;" <<<"$("$nginx" -T 2>/dev/null)"
check "nginx -t failed with a gateway in bedrock.d" "$nginx" -t -q

"${as_root[@]}" dpkg --remove $package >&2
check "nginx -t failed after the removal" "$nginx" -t -q
# Back again, and all is as before.
"${as_root[@]}" dpkg --install "$deb" >&2
check "bedrock.d is not read after the package came back" grep -q "listen 127.0.0.1:$port;" <<<"$("$nginx" -T 2>/dev/null)"
"${as_root[@]}" rm /etc/nginx/bedrock.d/bedrock-test.conf
"${as_root[@]}" dpkg --remove $package >&2
check "it is still enabled" test ! -e /etc/nginx/modules-enabled/50-mod-http-bedrock.conf
check "the module is still there" test ! -e /usr/lib/nginx/modules/ngx_http_bedrock_module.so
if "$nginx" -t -c "$work/nginx.conf" 2>/dev/null; then die "nginx -t needs nothing of the package"; fi
"${as_root[@]}" dpkg --purge $package >&2
for left in /etc/nginx/{bedrock_params,bedrock_json,bedrock_prices,claude_models,bedrock.d} /etc/nginx/conf.d/nginx-bedrock.conf{,.removed} /etc/nginx/modules-enabled/50-mod-http-bedrock.conf.removed; do
    check "$left is left" test ! -e "$left" -a ! -L "$left"
done
say "$deb: installed, nginx -t, a request with its tokens, removed, purged"
