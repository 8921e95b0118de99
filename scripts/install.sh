#!/usr/bin/env bash
# install.sh build|run|test|bench|deb: sees to it that what the step needs is on the machine. Debian packages that are missing are
# installed by name; when nothing is missing, nothing is asked of the network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

step=${1:-build}

packages=(ca-certificates gcc libc6-dev make perl libclang-dev zlib1g-dev libpcre2-dev libssl-dev)
[ -n "${NGINX_BINARY:-}" ] || packages+=(nginx)
[ -n "${NGINX_SOURCE_DIR:-}" ] || packages+=(nginx-dev)
case $step in
build) ;;
run) packages+=(curl) ;;
bench) packages+=(curl wrk) ;;
test)
    packages+=(curl dpkg-dev openssl python3 python3-venv libnginx-mod-http-ndk libnginx-mod-http-lua libnginx-mod-http-echo)
    # What Test::Nginx depends on; Test::Nginx itself is fetched by fetch-test-nginx.sh.
    packages+=(libhttp-message-perl libipc-run-perl liblist-moreutils-perl libtest-base-perl libtest-longstring-perl
        libtext-diff-perl liburi-perl libwww-perl procps)
    # By command, because packages of Node from elsewhere than Debian bring npm along, and do not go together with Debian's.
    command -v node >/dev/null || packages+=(nodejs)
    command -v npm >/dev/null || packages+=(npm)
    ;;
deb) packages+=(debhelper dpkg-dev fakeroot) ;;
*) die "usage: scripts/install.sh build|run|test|bench|deb" ;;
esac

# Which of the packages are not there. nginx's own package starts its service, on port 80; where that cannot be, dpkg counts
# it and what depends on it as not configured. Its files are there all the same, and we start an nginx of our own anyway.
missing() {
    { dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true; } |
        awk -v all="${packages[*]}" '
            $2 == "installed" || $1 ~ /nginx/ && $2 ~ /^(unpacked|half-configured|triggers-)/ { have[$1] = 1 }
            END { n = split(all, names, " "); for (i = 1; i <= n; i++) if (!(names[i] in have)) print names[i] }'
}

install_packages() {
    local run=() fresh_nginx=
    [ "$(id -u)" -eq 0 ] || {
        command -v sudo >/dev/null || die "these Debian packages are missing: $*
       Install them as root (apt-get install $*), then run this again."
        run=(sudo)
    }
    [[ " $* " != *" nginx "* ]] || fresh_nginx=1
    say "installing $*"
    # An old package list names versions that are gone. No error yet: perhaps the list at hand is good enough.
    "${run[@]}" apt-get update -q >&2 </dev/null || say "apt-get update failed; going on with the lists at hand"
    if ! "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 </dev/null; then
        local left
        left=$(missing)
        [ -z "$left" ] || die "apt-get could not install: ${left//$'\n'/ }"
        say "apt-get reported an error, but all files are there; going on"
    fi
    [ -z "$fresh_nginx" ] || say "Debian's nginx may now serve its welcome page on port 80. Nothing here needs that:" \
        "systemctl disable --now nginx"
}

if command -v dpkg-query >/dev/null; then
    absent=$(missing)
    # shellcheck disable=SC2086  # one word for each package
    [ -z "$absent" ] || install_packages ${absent//$'\n'/ }
else
    say "not a Debian: this is needed, and taken as given: ${packages[*]}"
fi

# Rust is the one thing that is expected to be there.
command -v cargo >/dev/null || die "Rust is missing: get it with rustup, see https://rustup.rs, then run this again."
wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
found=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" = "$wanted" ] ||
    die "Rust $wanted or newer is needed, this is $found: run \`rustup update stable\`, then this again."
