#!/usr/bin/env bash
# test-image.sh: every step of docker/Dockerfile, and what docker/compose.yaml starts, without Docker, as root. An image is this machine's
# files under an overlay, in memory; that of nginx gets an nginx from source, in the places where nginx's own image has it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || die "overlays need root"
"$ROOT/scripts/install.sh" test
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exports=$("$ROOT/scripts/fetch-nginx.sh" 1.28.3)
eval "$exports"
say "nginx as in its image"
cp -r "$NGINX_SOURCE_DIR" "$work/nginx-1.28.3"
rm -rf "$work/nginx-1.28.3/objs"
mkdir -p "$work/download" "$work/image"
tar -czf "$work/download/nginx-1.28.3.tar.gz" -C "$work" nginx-1.28.3
(
    cd "$work/nginx-1.28.3"
    auto/configure --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx --modules-path=/usr/lib/nginx/modules --conf-path=/etc/nginx/nginx.conf \
        --error-log-path=/var/log/nginx/error.log --http-log-path=/var/log/nginx/access.log --pid-path=/run/nginx.pid \
        --with-compat --with-threads --with-http_ssl_module
    make -j "$(nproc)"
    make install DESTDIR="$work/image"
) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "nginx could not be built"; }
mkdir -p "$work/image/etc/nginx/conf.d" "$work/image/usr/lib/nginx/modules" "$work/image/var/log/nginx"
cat >"$work/image/etc/nginx/nginx.conf" <<'CONF'
user www-data;
error_log stderr;
pid /run/nginx.pid;
events {}
http {
    include /etc/nginx/mime.types;
    include /etc/nginx/conf.d/*.conf;
}
CONF
# The overlays and the servers end with it.
unshare --mount --pid --fork --kill-child python3 "$ROOT/scripts/image.py" "$ROOT" "$work"
