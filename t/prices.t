# What requests cost: bedrock_prices, $bedrock_cost, $bedrock_price. The arithmetic: crates/quota/tests/prices.rs.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

# The stand-in counts 25 tokens of input and 12 of output; `sim.cached` 10, 20, and with the cache 1000 read, 50 written for five minutes and 150 for an hour.
our $Prices = '>>> prices
# A comment.
currency usd; per 1000000; date 2099-01-01;
model sim.text       { input 3; output 15; }
model *sim.cached    { input 3; output 15; cache_read 0.3; cache_write 3.75; cache_write_1h 6; }
model *.nova-lite-*  { input 0.06; output 0.24; region eu-* { input 0.078; output 0.312; } }
model titan-embed*   { input 0.02; output 0; }
model sim.no-usage   { input 3; output 15; }
model "cheap"        { input 1; output 1; discount 50%; }
';
our $Http = 'bedrock_prices $TEST_NGINX_HTML_DIR/prices; log_format more \'$bedrock_cost|$bedrock_price\';';
# An upstream whose answer does not say for how long the cache keeps what was written.
our $Unsplit = ' server { listen unix:$TEST_NGINX_HTML_DIR/aws.sock; location / { default_type application/json; return 200
    \'{"output":{"message":{"role":"assistant","content":[]}},"usage":{"inputTokens":0,"outputTokens":0,"cacheWriteInputTokens":200}}\'; } }';
our $Log = 'access_log logs/access.log more;';
our $On = 'bedrock on; proxy_pass http://bedrock;';
our $Location = "location / { $On $Log }";

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $Http) unless defined $block->http_config;
    $block->set_value(user_files => $Prices) unless defined $block->user_files;
    $block->set_value(config => $Location) unless defined $block->config;
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

our $Converse = sub { qq(POST /model/$_[0]/converse) . ($_[1] // '') . qq(\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}) };

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a whole answer
--- request eval: $::Converse->('sim.text')
--- access_log: 0.000255000|sim.text

=== a stream
--- request eval: $::Converse->('sim.text', '-stream')
--- access_log: 0.000255000|sim.text

=== tokens from the cache have a price of their own
--- request eval: $::Converse->('sim.cached')
--- access_log: 0.001717500|*sim.cached

=== written to the cache for as long as was asked for, where the answer does not say: for an hour
--- http_config eval: $::Http . $::Unsplit
--- config eval: "location / { $::On $::Log proxy_pass http://unix:\$TEST_NGINX_HTML_DIR/aws.sock; }" =~ s(proxy_pass http://bedrock; )()r
--- request
POST /model/sim.cached/converse
{"messages":[{"role":"user","content":[{"text":"Hi"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]}
--- access_log: 0.001200000|*sim.cached

=== five minutes, else
--- http_config eval: $::Http . $::Unsplit
--- config eval: "location / { $::On $::Log proxy_pass http://unix:\$TEST_NGINX_HTML_DIR/aws.sock; }" =~ s(proxy_pass http://bedrock; )()r
--- request
POST /model/sim.cached/converse
{"messages":[{"role":"user","content":[{"text":"Keep it for \"ttl\":\"1h\""},{"cachePoint":{"type":"default"}}]}]}
--- access_log: 0.000750000|*sim.cached

=== and what the answer says, where it does
--- request
POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1:0.sim.cached/converse
{"messages":[{"role":"user","content":[{"text":"Hi"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]}
--- access_log: 0.001717500|*sim.cached

=== OpenAI's dialect
--- request
POST /v1/chat/completions
{"model":"sim.text","messages":[{"role":"user","content":"Hi"}],"stream":true}
--- access_log: 0.000255000|sim.text

=== Anthropic's dialect
--- request
POST /v1/messages
{"model":"sim.text","max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}
--- access_log: 0.000255000|sim.text

=== a region's own prices
--- config eval: "location / { $::On bedrock_region eu-west-1; $::Log }"
--- request eval: $::Converse->('eu.amazon.nova-lite-v1:0')
--- access_log: 0.000005694|*.nova-lite-*

=== a model without a price
--- request eval: $::Converse->('sim.tools')
--- access_log: -|-

=== a count that is not known
--- request eval: $::Converse->('sim.no-usage')
--- access_log: -|sim.no-usage

=== an error costs nothing that is known
--- request eval: $::Converse->('sim.http-503-serviceunavailable')
--- error_code: 503
--- access_log eval: qr/^-\|/

=== an application profile is priced as the directive says
--- config eval: "location / { $::On bedrock_model_family *profile/abc us.amazon.nova-lite-v1:0; $::Log }"
--- request eval: $::Converse->('arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc')
--- access_log: 0.000004380|*.nova-lite-*

=== an alias' own word
--- config eval: "location / { $::On bedrock_alias smart arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x as=amazon.nova-lite-v1:0; $::Log }"
--- request
POST /v1/chat/completions
{"model":"smart","messages":[{"role":"user","content":"Hi"}]}
--- access_log: 0.000004380|*.nova-lite-*

=== a profile that nobody has told of
--- request eval: $::Converse->('arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc')
--- access_log: -|-

=== counting costs nothing
--- request
POST /model/sim.text/count-tokens
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}
--- access_log: 0.000000000|sim.text

=== a cache hit costs nothing
--- http_config eval
$::Http . 'proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=c:1m;'
--- config eval
"location / { $::On proxy_cache c; proxy_cache_methods POST; proxy_cache_key \$uri; proxy_cache_valid 200 1m; proxy_buffering on; add_header X-Cost \$bedrock_cost; add_header X-Price \$bedrock_price; }"
--- request eval
[$::Converse->('sim.text'), $::Converse->('sim.text')]
--- sent_count eval: [1, 1]
--- response_headers eval: ["X-Price: sim.text\nX-Cost: 0.000255000", "X-Price: sim.text\nX-Cost: 0.000000000"]

=== without bedrock_prices nothing is known
--- http_config: log_format more '$bedrock_cost|$bedrock_price';
--- request eval: $::Converse->('sim.text')
--- access_log: -|-

=== prices of another file
--- http_config: bedrock_prices $TEST_NGINX_HTML_DIR/main; log_format more '$bedrock_cost|$bedrock_price';
--- user_files
>>> main
include ../html/other;
date 2099-01-01;
>>> other
model sim.* { input 4; output 0; }
--- request eval: $::Converse->('sim.text')
--- access_log: 0.000100000|sim.*

=== bedrock_prices: no such file
--- http_config: bedrock_prices no-such-file;
--- refused: "bedrock_prices" directive has a file that cannot be read: 

=== bedrock_prices: twice
--- http_config: bedrock_prices $TEST_NGINX_HTML_DIR/prices; bedrock_prices $TEST_NGINX_HTML_DIR/prices;
--- refused: "bedrock_prices" directive is duplicate

=== bedrock_prices: not in a location
--- config: location / { bedrock_prices x; }
--- must_die
--- error_log: "bedrock_prices" directive is not allowed here

=== bedrock_prices: a wrong line
--- user_files
>>> prices
currency usd;

model a { input cheap; }
--- refused eval: "\"bedrock_prices\" directive has a wrong file: \"input cheap\" must be a price in USD, such as 3 or 0.06, in $ENV{TEST_NGINX_HTML_DIR}/prices:3"

=== bedrock_prices: no end
--- user_files
>>> prices
model a { input 1;
--- refused: has a wrong file: unexpected end of file, expecting "}"

=== bedrock_prices: an included file that is wrong
--- user_files
>>> prices
include ../html/other;
>>> other

model a { input 1; output 2; } {
--- refused: has a wrong file: unexpected "{", in 

=== bedrock_prices: old ones
--- user_files
>>> prices
date 2020-01-01;
model sim.text { input 1; output 1; }
--- request eval: $::Converse->('sim.text')
--- access_log: 0.000037000|sim.text
