#!/usr/bin/env bash
# test-deb.sh: the Debian package, installed on this machine, tried with nginx -t, and removed again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

package=libnginx-mod-http-bedrock
status() { dpkg-query --show --showformat '${db:Status-Status}' $package 2>/dev/null || echo none; }
[ "$(status)" = none ] || die "$package is on this machine already: remove it first (apt-get purge $package)"
deb=$("$ROOT/scripts/build-deb.sh")

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
work=$(mktemp -d)
# shellcheck disable=SC2317  # used by the trap
clean_up() {
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
check "there is no licence" test -s /usr/share/doc/$package/copyright

cat >"$work/nginx.conf" <<EOF
include /etc/nginx/modules-enabled/50-mod-http-bedrock.conf;
pid $work/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$(free_port);
        location / {
            bedrock on;
            bedrock_region us-east-1;
            include /etc/nginx/bedrock_params;
            proxy_pass https://127.0.0.1;
        }
    }
}
EOF
nginx=$(nginx_binary)
check "nginx -t failed" "$nginx" -t -c "$work/nginx.conf"

"${as_root[@]}" dpkg --remove $package >&2
check "it is still enabled" test ! -e /etc/nginx/modules-enabled/50-mod-http-bedrock.conf
check "the module is still there" test ! -e /usr/lib/nginx/modules/ngx_http_bedrock_module.so
if "$nginx" -t -c "$work/nginx.conf" 2>/dev/null; then die "nginx -t needs nothing of the package"; fi
"${as_root[@]}" dpkg --purge $package >&2
for left in /etc/nginx/bedrock_params /etc/nginx/modules-enabled/50-mod-http-bedrock.conf.removed; do
    check "$left is left" test ! -e "$left" -a ! -L "$left"
done
say "$deb: installed, nginx -t, removed, purged"
