# Shared by the scripts beside it: sourced, not run.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
HEADERS=$BUILD/headers                  # of Debian packages that are not installed, see install.sh
MODULE=${BEDROCK_MODULE:-$BUILD/ngx_http_bedrock_module.so}
PROFILE=${BEDROCK_PROFILE:-release}     # dev: minutes faster to build, and its checks of overflow are on
CARGO_OUT=${CARGO_TARGET_DIR:-$ROOT/target}/${PROFILE/#dev/debug}
export PATH=$PATH:$HOME/.cargo/bin:/usr/sbin:/sbin
unset NGINX     # nginx takes a variable of this name for the sockets of an older nginx, and does not daemonize

# Beside the system's own, for C compilers, linkers and libclang.
for triplet in "$HEADERS"/usr/include/*-linux-gnu; do
    [ -d "$triplet" ] || break
    export CPATH=$HEADERS/usr/include:$triplet LIBRARY_PATH=$HEADERS/usr/lib/${triplet##*/}
done

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The nginx that the module is built for and tested with: NGINX_BINARY=/path/to/nginx, else the one in PATH.
nginx_binary() {
    local found
    found=$(command -v "${NGINX_BINARY:-nginx}") || die "no nginx found: \`scripts/install.sh build\` installs Debian's, or set NGINX_BINARY=/path/to/nginx"
    readlink -f "$found"
}

# What an nginx calls itself: nginx/1.22.1, openresty/1.27.1.2, nginx/1.31.4 (nginx-plus-r99).
# (Tengine has a line of its own before nginx's.)
nginx_name() { "$1" -v 2>&1 | sed -n 's,^[[:alnum:]]* version: ,,p' | tail -n 1; }

# is_named NGINX NAME: it calls itself so; a build may have a name of its own behind nginx's.
is_named() { case $(nginx_name "$1") in "$2" | "$2 "*) ;; *) return 1 ;; esac; }

# source_in DIR: nginx's source, which OpenResty carries in a bundle.
source_in() {
    local dir
    for dir in "$1" "$1"/bundle/nginx-*; do
        if [ -f "$dir/src/core/nginx.h" ]; then (cd "$dir" && pwd); return; fi
    done
    return 1
}

nginx_version() { nginx_name "$1" | sed 's,^[^/]*/\([0-9.]*\).*,\1,'; }

# nginx compares this text of a module with its own before it loads it (NGX_MODULE_SIGNATURE).
signature_of() { grep -aoE '[0-9],[0-9],[0-9],[01]{30,}' "$1" | head -n 1; }

# fits OBJECT NGINX: nginx will load it. A wrapper script for an nginx has no signature; then only nginx itself can tell.
fits() {
    local wanted
    wanted=$(signature_of "$2") || return 0
    [ "$(signature_of "$1")" = "$wanted" ]
}

# A TCP port of 127.0.0.1 that is free now.
free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport, "\n"'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# start_sim PORT_FILE LOG [OPTION...]: starts the stand-in for Bedrock in the background; sets SIM_PID and SIM_PORT.
start_sim() {
    local port_file=$1 log=$2; shift 2
    rm -f "$port_file"
    "$CARGO_OUT/bedrock-sim" --with-parent --listen 127.0.0.1:0 --port-file "$port_file" "$@" >"$log" 2>&1 &
    SIM_PID=$!
    wait_for 10 test -s "$port_file" || { cat "$log" >&2; die "bedrock-sim did not start"; }
    SIM_PORT=$(tr -dc 0-9 <"$port_file")
}

# on_musl NGINX: Alpine's libc starts it, and not glibc.
on_musl() { head -c 4096 "$1" | grep -aq /lib/ld-musl-; }

# apt_of DIR SUITE ARGUMENT...: apt-get with the packages of another Debian suite, from the mirror that this machine uses. Its
# lists, its cache and what it takes for installed (nothing) are in DIR, so that nothing of that suite gets onto the system.
apt_of() {
    local dir=$1 suite=$2 mirror kind=deb
    shift 2
    [ "$1" != source ] || kind=deb-src
    if [ ! -f "$dir/updated" ]; then
        # shellcheck disable=SC2016  # apt's own names
        mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' | awk '$2 !~ /-/ { print $1; exit }')
        [ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update, then this again"; return 1; }
        mkdir -p "$dir/lists/partial" "$dir/archives/partial"
        : >"$dir/status"
        echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$dir/sources.list"
        cat >"$dir/apt.conf" <<EOF
Dir::Etc { SourceList "$dir/sources.list"; SourceParts "/dev/null"; };
Dir::State { Lists "$dir/lists"; status "$dir/status"; };
Dir::Cache "$dir";
APT { Sandbox::User ""; Install-Recommends "false"; };
Acquire { Languages "none"; Check-Valid-Until "false"; IndexTargets::deb::DEP-11::DefaultEnabled "false"; };
EOF
        apt-get -q -c "$dir/apt.conf" update && touch "$dir/updated" || return 1
    fi
    apt-get -q -y -c "$dir/apt.conf" "$@"
}

# sources_of DIR SUITE PACKAGE...: of Debian's packages, unpacked in the directory, with Debian's patches.
sources_of() {
    local dir=$1 suite=$2
    shift 2
    mkdir -p "$dir/apt"
    (cd "$dir" && apt_of "$dir/apt" "$suite" source "$@")
    rm -rf "$dir/apt"
}
