#!/usr/bin/env bash
# install.sh build|run|test|page|bench|deb|musl: sees to it that what the step needs is on the machine. Debian packages that are missing are
# installed by name, and no package that is there is upgraded or removed for them. Packages of which headers alone are needed are
# unpacked in build/headers. When nothing is missing, nothing is asked of the network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

step=${1:-build}

packages=(ca-certificates gcc libc6-dev make libclang-dev)
[ -n "${NGINX_BINARY:-}" ] || packages+=(nginx)
# Installed, nginx-dev brings 120 packages along, and each of these four wants its library in the newest version.
headers=(zlib1g-dev libpcre2-dev libssl-dev)
[ -n "${NGINX_SOURCE_DIR:-}" ] || headers+=(nginx-dev)
case $step in
build) ;;
run) packages+=(curl) ;;
bench) packages+=(curl wrk) ;;
test)
    packages+=(curl dpkg-dev openssl perl python3 python3-venv libnginx-mod-http-ndk libnginx-mod-http-lua libnginx-mod-http-echo)
    # What Test::Nginx depends on; Test::Nginx itself is fetched by fetch-test-nginx.sh.
    packages+=(libhttp-message-perl libipc-run-perl liblist-moreutils-perl libtest-base-perl libtest-longstring-perl
        libtext-diff-perl liburi-perl libwww-perl procps)
    # By command, because packages of Node from elsewhere than Debian bring npm along, and do not go together with Debian's.
    command -v node >/dev/null || packages+=(nodejs)
    command -v npm >/dev/null || packages+=(npm)
    ;;
page) packages+=(chromium fonts-inter) ;;
musl) packages+=(dpkg-dev linux-libc-dev musl-tools perl) ;;
deb) packages+=(debhelper dpkg-dev fakeroot nginx-dev) ;;
*) die "usage: scripts/install.sh build|run|test|page|bench|deb|musl" ;;
esac

# missing PACKAGE...: which of them are not there. nginx's own package starts its service, on port 80; where that cannot be, dpkg
# counts it and what depends on it as not configured. Its files are there all the same, and we start an nginx of our own anyway.
missing() {
    { dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true; } |
        awk -v all="$*" '
            $2 == "installed" || $1 ~ /nginx/ && $2 ~ /^(unpacked|half-configured|triggers-)/ { have[$1] = 1 }
            END { n = split(all, names, " "); for (i = 1; i <= n; i++) if (!(names[i] in have)) print names[i] }'
}

# as_root COMMAND...
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# An old package list names versions that are gone. No error yet: perhaps the list at hand is good enough.
updated=
update_lists() {
    [ -z "$updated" ] || return 0
    updated=1
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then return 0; fi
    say "apt-get update"
    as_root apt-get update -qq >&2 </dev/null || say "apt-get update failed; going on with the lists at hand"
}

install_packages() {
    local fresh_nginx='' plan other
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "these Debian packages are missing: $*
       Install them as root (apt-get install $*), then run this again."
    fi
    [[ " $* " != *" nginx "* ]] || fresh_nginx=1
    update_lists
    plan=$(apt-get install --simulate --no-install-recommends "$@" 2>&1 </dev/null) || die "apt-get cannot install $*:
$plan"
    # "Inst NAME [OLD] (NEW …)" is an upgrade, "Inst NAME (NEW …)" is not.
    other=$(sed -n -e 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\).*/       upgrade \1 from \2 to \3/p' -e 's/^Remv \([^ ]*\).*/       remove \1/p' <<<"$plan")
    [ -z "$other" ] || die "these Debian packages are missing: $*
       To install them, apt would also
$other
       That is not done from here. Do it yourself (apt-get install $*), then run this again."
    say "installing $* ($(grep -c '^Inst ' <<<"$plan") packages with what they need)"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends --no-remove "$@" >&2 </dev/null; then
        local left
        left=$(missing "$@")
        [ -z "$left" ] || die "apt-get could not install: ${left//$'\n'/ }"
        say "apt-get reported an error, but all files are there; going on"
    fi
    [ -z "$fresh_nginx" ] || say "Debian's nginx may now serve its welcome page on port 80. Nothing here needs that:" \
        "systemctl disable --now nginx"
}

# unpack PACKAGE...: into build/headers. nginx's headers are those of the nginx that is installed.
unpack() {
    local name wanted deb work=$HEADERS.new
    rm -rf "$work"
    mkdir -p "$work" "$HEADERS"
    say "unpacking the headers of $* in $HEADERS"
    for name; do
        wanted=
        [ "$name" != nginx-dev ] || wanted==$(dpkg-query --show --showformat '${Version}' nginx 2>/dev/null) || wanted=
        (
            cd "$work"
            apt-get download -qq "$name$wanted" || { update_lists; apt-get download -qq "$name$wanted"; } || apt-get download -qq "$name"
        ) >"$work/log" 2>&1 || { cat "$work/log" >&2; die "apt-get could not download $name: run apt-get update, or apt-get install $name, as root"; }
        deb=$(find "$work" -name "${name}_*.deb")
        dpkg-deb -x "$deb" "$HEADERS"
        : >"$HEADERS/$name"
    done
    rm -rf "$work"
}

absent_headers=()
if command -v dpkg-query >/dev/null; then
    absent=$(missing "${packages[@]}")
    # shellcheck disable=SC2086  # one word for each package
    [ -z "$absent" ] || install_packages ${absent//$'\n'/ }
    for name in $(missing "${headers[@]}"); do
        [ -e "$HEADERS/$name" ] || absent_headers+=("$name")
    done
    [ ${#absent_headers[@]} -eq 0 ] || unpack "${absent_headers[@]}"
else
    say "not a Debian: this is needed, and taken as given: ${packages[*]} ${headers[*]}"
fi

# Rust is the one thing that is expected to be there.
command -v cargo >/dev/null || die "Rust is missing: get it with rustup, see https://rustup.rs, then run this again."
wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
found=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" = "$wanted" ] ||
    die "Rust $wanted or newer is needed, this is $found: run \`rustup update stable\`, then this again."
