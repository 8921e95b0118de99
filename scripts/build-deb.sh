#!/usr/bin/env bash
# build-deb.sh: a Debian package of the module for this machine's nginx, in build/deb. Prints its name.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ -z "${NGINX_BINARY:-}${NGINX_SOURCE_DIR:-}" ] || die "a package is for the nginx that Debian has here: unset NGINX_BINARY and NGINX_SOURCE_DIR"
"$ROOT/scripts/install.sh" deb
"$ROOT/scripts/build.sh" module >&2

cd "$ROOT"
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)-1+nginx$(nginx_version "$(nginx_binary)")
stage=$BUILD/deb/nginx-bedrock
rm -rf "$BUILD/deb"
mkdir -p "$stage/examples"
cp -r debian docs README.md CHANGELOG.md NOTICE nginx-conf/{bedrock_params,bedrock_json,bedrock_prices,claude_models} tools/nginx-bedrock-usage "$MODULE" "$stage"
cp nginx-conf/*.conf nginx-conf/{logrotate,alerts.yml,grafana-bedrock.json,bedrock_otel,otel-collector.yml} tools/bedrock-prices "$stage/examples"
cargo tree ${CI:+--locked} --package ngx_http_bedrock_module --edges normal --prefix none --format '{p}: {l}' |
    sed -e 's/ (\*)$//' -e 's/ ([^()]*)//' | sort -u >"$stage/crates.txt"
printf 'nginx-bedrock (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- nginx-bedrock developers <nginx-bedrock@localhost>  %s\n' \
    "$version" "$(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")" >"$stage/debian/changelog"
(cd "$stage" && dpkg-buildpackage --build=binary --no-sign) >"$BUILD/deb/log" 2>&1 ||
    { tail -n 30 "$BUILD/deb/log" >&2; die "dpkg-buildpackage failed, see $BUILD/deb/log"; }
ls "$BUILD"/deb/libnginx-mod-http-bedrock_*.deb
