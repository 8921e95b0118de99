#!/usr/bin/env bash
# release.sh [NAME...]: build/release: a module for each nginx (names and directories as of fetch-nginx.sh), SHA256SUMS, and a list that says
# which file is for which nginx. Each is loaded by its nginx once (`nginx -t`).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- bookworm trixie 1.28.0 1.28.1 1.28.2 1.28.3 sid 1.28.3@musl
"$ROOT/scripts/install.sh" build
release=$BUILD/release
rm -rf "$release"
mkdir -p "$release"
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
printf '%-68s  %-22s  %s\n' "file (nginx-bedrock $version)" "nginx -v" "needs" >"$release/LIST"

# The nginx loads the module, and the module takes it for its own.
loads() {
    printf 'load_module %s;\npid %s/pid;\nevents {}\nhttp { access_log off; }\n' "$1" "$release" >"$release/nginx.conf"
    "$NGINX_BINARY" -t -e stderr -c "$release/nginx.conf"
    rm -f "$release/nginx.conf" "$release/pid"
}

one() {
    local exports named file libc needs
    exports=$("$ROOT/scripts/fetch-nginx.sh" "$1")
    eval "$exports"
    export BEDROCK_MODULE=$BUILD/nginx/${1##*/}/ngx_http_bedrock_module.so
    "$ROOT/scripts/build.sh" module >&2
    named=$(nginx_name "$NGINX_BINARY")
    named=${named%% *}
    libc=
    ! on_musl "$NGINX_BINARY" || libc=-musl
    file=ngx_http_bedrock_module-${named//\//-}-linux-$(uname -m)$libc.so
    # Function names stay, for stack traces; lines of the source go.
    strip --strip-debug -o "$release/$file" "$BEDROCK_MODULE"
    loads "$release/$file" >&2
    if [ -n "$libc" ]; then
        needs="musl (Alpine)"
    else
        needs=$(grep -aoE 'GLIBC_[0-9.]+' "$release/$file" | sort -uV | tail -n 1)
        needs="glibc ${needs#GLIBC_} or newer"
    fi
    printf '%-68s  %-22s  %s\n' "$file" "$named" "--with-compat --with-threads; $needs" >>"$release/LIST"
}

for name; do
    say "the module for the nginx of $name"
    one "${name%/}"
done
(cd "$release" && sha256sum -- *.so >SHA256SUMS && cat LIST)
