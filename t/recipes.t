# What docs/failover.md tells to write for limits, as it stands there, and clients that try to get round it.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

# The examples below "Limits"; the numbers are made small.
our ($Http, $Location, $Teams, $Rules) = do {
    open my $in, '<', "$Root/docs/failover.md" or die "docs/failover.md: $!";
    local $/;
    my ($limits) = <$in> =~ /^## Limits\n(.*?)^## /ms or die 'docs/failover.md has no "Limits"';
    my @examples = $limits =~ /^```nginx\n(.*?)^```/msg;
    s/rate=60r/rate=1r/, s/burst=20/burst=2/, s/streams 10/streams 3/ for @examples;
    die 'the examples below "Limits" are others' unless "@examples[0, 1]" =~ /rate=1r.*burst=2 .*streams 3;/s;
    @examples;
};
our $Plain = sub { qq(POST /\n{"model":"$_[0]","messages":[{"role":"user","content":[{"text":"Hi"}]}]}) };

# `--- teams`: each team's models and tokens, and not how many requests.
add_block_preprocessor(sub {
    my $block = shift;
    my ($http, $location) = defined $block->teams ? ($Teams, $Rules) : ($Http, $Location);
    my $keys = "map \$http_x_key \$team { default ''; key-a a; key-b b; key-s search; key-d docs; }\n";
    $block->set_value(http_config => ($block->http_config // '') . $keys . $http);
    $block->set_value(config => "location / { bedrock on; if (\$team = '') { return 401; } $location proxy_pass http://bedrock; }");
    $block->set_value(no_error_log => '[emerg]') unless defined $block->error_log;
});

repeat_each(1);
no_shuffle();
plan 'no_plan';
run_tests();

__DATA__

=== made-up names share one count
--- request eval: [map { $::Plain->("made.up-$_") } 1 .. 20]
--- more_headers
X-Key: key-a
--- error_code eval: [(200) x 3, (429) x 17]
--- sent_count eval: [1, 2, (3) x 18]

=== made-up names in the path
--- request eval: [map { "POST /model/made.up-$_/converse\n" . '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}' } 1 .. 20]
--- more_headers
X-Key: key-a
--- error_code eval: [(200) x 3, (429) x 17]

=== names above the 65,535 bytes that nginx counts by
--- request eval: [map { $::Plain->("made.up-$_" . 'x' x 70000) } 1 .. 10]
--- more_headers
X-Key: key-a
--- error_code_like eval
[('^400$') x 3, ('^429$') x 7]

=== each kind has one count, however its names are spelt
--- request eval: [map { $::Plain->($_) } 'us.anthropic.claude-opus-4', 'anthropic.claude-OPUS-4', 'a.opus.b', 'haiku', 'opus-haiku', 'opus', 'other']
--- more_headers
X-Key: key-a
--- error_code eval: [200, 200, 200, 200, 429, 429, 200]

=== each team has its own
--- request eval: [map { $::Plain->("made.up-$_") } 1 .. 8]
--- more_headers eval: [("X-Key: key-a\n") x 4, ("X-Key: key-b\n") x 4]
--- error_code eval: [(200) x 3, 429, (200) x 3, 429]

=== no team is refused, and not let through uncounted
--- request eval: [map { $::Plain->("made.up-$_") } 1 .. 5]
--- more_headers eval: ['', "X-Key: \n", "X-Key: key-c\n", "X-Team: a\n", "X-Key: a\n"]
--- error_code eval: [(401) x 5]
--- sent_count: 0

=== each team's models and tokens
--- teams
--- request eval: [map { my $model = $_; map { $::Plain->($model) } 1 .. 3 } 'us.amazon.nova-lite-v1:0', 'us.amazon.nova-pro-v1:0']
--- more_headers eval: ["X-Key: key-s", "X-Key: key-d", "X-Key: key-a", "X-Key: key-s", "X-Key: key-d", "X-Key: key-a"]
--- error_code eval: [200, 200, 403, 200, 403, 403]
--- sent_count eval: [1, 2, 2, 3, 3, 3]

=== a team's tokens
--- teams
--- request eval: $::Plain->('us.amazon.nova-lite-v1:0')
--- more_headers
X-Key: key-d
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":1000}}
