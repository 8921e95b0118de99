# What docs/openai.md says for browsers, as it stands there.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

our ($Http, $Location) = do {
    open my $in, '<', "$Root/docs/openai.md" or die "docs/openai.md: $!";
    local $/;
    my ($section) = <$in> =~ /^## Browsers\n(.*?)^## /ms or die 'docs/openai.md has no "Browsers"';
    my @examples = $section =~ /^```nginx\n(.*?)^```/msg;
    $examples[1] =~ s{^ *include .*\n}{}m;
    $examples[1] =~ s{https://bedrock}{http://bedrock} or die 'another example';
    @examples;
};

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $Http);
    $block->set_value(config => $Location);
    $block->set_value(no_error_log => '[error]');
});

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== the preflight request
--- request
OPTIONS /v1/chat/completions
--- more_headers
Origin: https://app.example.com
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization,content-type,x-stainless-os
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
Access-Control-Allow-Methods: GET, POST
Access-Control-Allow-Headers: authorization,content-type,x-stainless-os
Vary: Origin
--- sent_count: 0

=== the preflight request of another page
--- request
OPTIONS /v1/chat/completions
--- more_headers
Origin: https://other.example.com
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
! Access-Control-Allow-Origin
--- sent_count: 0

=== the call
--- request
POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Origin: https://app.example.com
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
--- response_body_like: Hello from
--- sent_count: 1

=== an error
--- request
POST /v1/chat/completions
{"model":"any.sim.throttled","messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Origin: https://app.example.com
--- error_code: 429
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
--- sent_count: 1
