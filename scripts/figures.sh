#!/usr/bin/env bash
# figures.sh (make figures): measures what README.md says of the module's file, and writes it there, between the two "figures" comments.
# It makes two release builds: with AWS's credential providers, and without.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/install.sh" build
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'; }

# row NAME CARGO-OPTION...: a line of the table.
row() {
    local name=$1 file=$work/module.so
    shift
    cargo build --release ${CI:+--locked} -p ngx_http_bedrock_module "$@" >&2
    cp "${CARGO_TARGET_DIR:-target}/release/libngx_http_bedrock_module.so" "$file"
    printf '| %s | %s | ' "$name" "$(megabytes "$file")"
    strip --strip-unneeded "$file"
    printf '%s | %s | %s |\n' "$(megabytes "$file")" \
        "$(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }' | sort | paste -sd ' ')" \
        "$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1 | tr _ ' ')"
}

{
    echo '| build | file | stripped | libraries | needs |'
    echo '|---|---|---|---|---|'
    row 'without AWS'"'"'s credential providers (`--no-default-features`)' --no-default-features
    row 'complete'
} >"$work/table"
perl -0777 -pi -e '
    BEGIN { open my $in, "<", shift @ARGV or die; local $/; $table = <$in> }
    s/(<!-- figures[^>]*-->\n).*?(<!-- \/figures -->)/$1$table$2/s or die "README.md has no place for figures\n"' "$work/table" README.md
cat "$work/table"
