#!/usr/bin/env bash
# licences.sh: every crate that ends up in the module or the stand-in has a licence that deny.toml allows. The same rule as
# `cargo deny check licenses`, without the minutes that building cargo-deny takes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

# The tests' Python is not needed for this: `perl` is there (nginx's configure and the tests use it).
cargo metadata --format-version 1 ${CI:+--locked} | perl -MJSON::PP -e '
    open my $deny, "<", "deny.toml" or die "deny.toml: $!\n";
    my $toml = do { local $/; <$deny> };
    my ($list) = $toml =~ /^allow\s*=\s*\[(.*?)\]/ms or die "deny.toml has no list of allowed licences\n";
    my %allowed = map { $_ => 1 } $list =~ /"([^"]+)"/g;

    # SPDX: "A OR B", "A AND B", "A WITH E", parentheses; "A/B" is an old way to say OR. OR binds weakest.
    sub ok {
        my ($tokens) = @_;
        my $any = 0;
        do {
            my $all = 1;
            do {
                my $one = shift @$tokens // return 0;
                my $good;
                if ($one eq "(") { $good = ok($tokens); shift @$tokens }
                else {
                    if (($tokens->[0] // "") eq "WITH") { shift @$tokens; $one .= " WITH " . shift @$tokens }
                    $good = $allowed{$one};
                }
                $all &&= $good;
            } while (($tokens->[0] // "") eq "AND" && shift @$tokens);
            $any ||= $all;
        } while (($tokens->[0] // "") =~ m{^(OR|/)$} && shift @$tokens);
        return $any;
    }

    my ($bad, $count) = (0, 0);
    for my $p (@{ decode_json(join "", <STDIN>)->{packages} }) {
        $count++;
        my $licence = $p->{license} // "none";
        next if ok([$licence =~ m{[()/]|[^\s()/]+}g]);
        print "$p->{name} $p->{version}: $licence is not in deny.toml\n";
        $bad = 1;
    }
    print "$count crates, all with allowed licences\n" unless $bad;
    exit $bad'
