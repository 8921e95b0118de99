#!/usr/bin/env bash
# asan-nginx.sh: prints the path of an nginx with AddressSanitizer, made first if need be: Debian's source of the very version
# that is installed, configured as Debian does, so that it loads the same modules. Each allocation from a pool is a malloc of
# its own (NGX_DEBUG_PALLOC), or nothing would be found inside of pools.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=$(dpkg-query --show --showformat '${source:Version}' nginx-dev 2>/dev/null) ||
    die "nginx-dev is not installed: scripts/install.sh build"
home=$BUILD/asan-nginx
nginx=$home/nginx-$version
if [ ! -x "$nginx" ]; then
    command -v dpkg-source >/dev/null || die "no dpkg-source found (apt-get install dpkg-dev)"
    say "fetching the source of nginx $version"
    rm -rf "$home"
    mkdir -p "$home/apt/lists/partial"
    # shellcheck disable=SC2016  # apt's own names
    apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | sort -u |
        sed 's,^,deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ,; s,$, main,' >"$home/apt/sources.list"
    options=(-q -o "Dir::Etc::SourceList=$home/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$home/apt/lists" -o APT::Sandbox::User= -o Acquire::Check-Valid-Until=false)
    {
        # A mirror of something else than Debian may have no sources: what counts is whether nginx's are there.
        apt-get "${options[@]}" update || true
        # A security update replaces the source of the one before at once, so the very same may be gone; any of the same
        # upstream version has the same headers.
        available=$(apt-cache "${options[@]}" showsrc --only-source nginx | sed -n 's/^Version: //p' | sort -Vru |
            grep -F "${version%%-*}-")
        for candidate in "$version" $available; do
            (cd "$home" && apt-get "${options[@]}" source --only-source "nginx=$candidate") && break
        done
    } >"$home/log" 2>&1 || true
    (
        cd "$home"/nginx-*/ &&
        # A module that is unloaded before the leaks are looked for has no names in reports, and its threads' storage is gone.
        sed -i 's/dlclose(handle)$/((void) handle, 0)/' src/os/unix/ngx_dlopen.h &&
        # One that refuses its configuration ends without giving anything back.
        sed -i '/cycle = ngx_init_cycle/,/return 1/ s/return 1/_exit(1)/' src/core/nginx.c &&
        . /usr/share/nginx/src/conf_flags &&
        ./configure --builddir=objs --with-cc-opt='-g -O1 -fno-omit-frame-pointer -fsanitize=address -DNGX_DEBUG_PALLOC=1' \
            --with-ld-opt='-fsanitize=address -Wl,-E' "${NGX_CONF_FLAGS[@]}" &&
        make -f objs/Makefile objs/nginx
    ) >>"$home/log" 2>&1 || true
    built=$(echo "$home"/nginx-*/objs/nginx)
    [ -x "$built" ] || { tail -n 20 "$home/log" >&2; die "nginx with AddressSanitizer could not be built"; }
    mv "$built" "$nginx"
fi
printf '%s\n' "$nginx"
