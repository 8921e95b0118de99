# Rates and budgets: requests, tokens, money. What takes more than one worker, or time, is in t/clients/test_limit_rates.py.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# The stand-in counts 25 tokens of input and 12 of output.
our $Prices = '>>> prices
date 2099-01-01;
model sim.text { input 3; output 15; max_output 1000; }
';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line. `--- zones`: lines of http, after the prices.
add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(user_files => $Prices) unless defined $block->user_files;
    $block->set_value(http_config => 'bedrock_prices $TEST_NGINX_HTML_DIR/prices; log_format limit '
        . '\'$status status=$bedrock_limit_status zone=$bedrock_limit_zone reserved=$bedrock_reserved charged=$bedrock_charged '
        . 'charge=$bedrock_charge left=$bedrock_limit_remaining soft=$bedrock_limit_soft\'; ' . ($block->zones // ''))
        unless defined $block->http_config;
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

our $On = 'bedrock on; proxy_pass http://bedrock; access_log logs/access.log limit; bedrock_limit zone=z;';
our $Converse = qq(POST /model/sim.text/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":50}});
our $Stream = $Converse =~ s/converse\n/converse-stream\n/r;
our $Chat = qq(POST /v1/chat/completions\n{"model":"sim.text","messages":[{"role":"user","content":"Hi"}],"max_tokens":50});
our $Messages = qq(POST /v1/messages\n{"model":"sim.text","messages":[{"role":"user","content":"Hi"}],"max_tokens":50});
our $Throttled = $Converse =~ s/sim.text/sim.throttled/r;

run_tests();

__DATA__

=== so many requests, and no more
--- zones: bedrock_limit_zone all zone=z:1m rate=2r/m;
--- config eval: "location / { $::On }"
--- request eval: [$::Converse, $::Stream, $::Converse]
--- error_code eval: [200, 200, 429]
--- response_body_like eval
["Hello", "Hello", qr/^\{"message":"Rate limit \\"z\\" reached: 0 of 2 requests are left. Try again in (29|30)s\."\}$/]
--- sent_count eval: [1, 2, 2]

=== OpenAI's answer, and its headers
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On }"
--- request eval: [$::Chat, $::Chat]
--- error_code eval: [200, 429]
--- response_headers eval
["x-ratelimit-limit-requests: 1\nx-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1h0m0s", "x-ratelimit-remaining-requests: 0\nx-should-retry: false"]
--- response_body_like eval
["Hello", qr/"type":"requests","param":null,"code":"rate_limit_exceeded"/]
--- sent_count eval: [1, 1]

=== Anthropic's
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On }"
--- request eval: [$::Messages, $::Messages]
--- error_code eval: [200, 429]
--- response_headers eval
["anthropic-ratelimit-requests-limit: 1\nanthropic-ratelimit-requests-remaining: 0", "x-should-retry: false"]
--- response_body_like eval: ["Hello", qr/"type":"rate_limit_error"/]
--- sent_count eval: [1, 1]

=== no headers
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On bedrock_limit_headers off; }"
--- request eval: $::Chat
--- response_headers: !x-ratelimit-limit-requests

=== tokens, counted afterwards: what is above the limit is repaid
--- zones: bedrock_limit_zone all zone=z:1m rate=100t/d burst=100t;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Converse, $::Chat, $::Messages, $::Converse]
--- error_code eval: [200, 200, 200, 429]
--- response_body_like eval: ["Hello", "Hello", "Hello", qr/"Rate limit \\"z\\" reached: the request may take 0 tokens, 0 of 100 are left/]
--- sent_count eval: [1, 2, 3, 3]

=== tokens, reserved: as many as the request allows
--- zones: bedrock_limit_zone all zone=z:1m rate=100t/d burst=100t;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: [$::Converse, $::Converse]
--- error_code eval: [200, 429]
--- response_body_like eval: ["Hello", qr/"Rate limit \\"z\\" reached: the request may take \d\d tokens, 63 of 100 are left/]
--- sent_count eval: [1, 1]

=== what is reserved, and what is charged
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: $::Stream
--- access_log eval: qr/^200 status=PASSED zone=- reserved=(8\d|9\d) charged=37 charge=exact left=9[01]\d soft=-$/

=== when all of it is there again
--- zones
    bedrock_limit_zone all zone=z:1m rate=1r/m burst=2r;
    log_format reset 'left=$bedrock_limit_remaining reset=$bedrock_limit_reset';
--- config eval: "location / { $::On access_log logs/access.log reset; }"
--- request eval: $::Converse
--- access_log eval: qr/^left=1 reset=(60\.000|59\.9\d\d)$/

=== without a limit that counts there is nothing to come back
--- zones
    bedrock_limit_zone all zone=z:1m concurrency=1;
    log_format reset 'left=$bedrock_limit_remaining reset=$bedrock_limit_reset';
--- config eval: "location / { $::On access_log logs/access.log reset; }"
--- request eval: $::Converse
--- access_log eval: qr/^left=- reset=-$/

=== an error costs nothing
--- zones: bedrock_limit_zone all zone=z:1m rate=100t/d burst=100t;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: [$::Throttled, $::Throttled, $::Converse]
--- error_code eval: [429, 429, 200]
--- sent_count eval: [1, 2, 3]

=== an error is charged nothing
--- zones: bedrock_limit_zone all zone=z:1m rate=100t/d burst=100t;
--- config eval: "location / { $::On }"
--- request eval: $::Throttled
--- error_code: 429
--- access_log eval: qr/^429 status=PASSED zone=- reserved=\d+ charged=0 charge=none /

=== a budget that is spent: Bedrock's own API
--- zones: bedrock_limit_zone all zone=z:1m budget=37t/day;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Converse, $::Converse]
--- error_code eval: [200, 400]
--- response_headers eval: ["", "X-Amzn-ErrorType: ServiceQuotaExceededException\nx-should-retry: false"]
--- response_body_like eval: ["Hello", qr/"Budget \\"z\\" exhausted: the request may take 0 tokens, 0 of 37 are left\./]
--- sent_count eval: [1, 1]

=== a budget that never begins anew: nobody is told to come back in a million years
--- zones
    bedrock_limit_zone all zone=z:1m budget=37t/total;
    log_format reset 'left=$bedrock_limit_remaining reset=$bedrock_limit_reset';
--- config eval: "location / { $::On bedrock_limit_reserve off; access_log logs/access.log reset; }"
--- request eval: [$::Chat, $::Chat, $::Messages, $::Converse]
--- error_code eval: [200, 429, 429, 400]
--- response_headers eval
["x-ratelimit-remaining-tokens: 37\n!x-ratelimit-reset-tokens",
    "x-ratelimit-limit-tokens: 37\nx-ratelimit-remaining-tokens: 0\n!x-ratelimit-reset-tokens\nx-should-retry: false",
    "anthropic-ratelimit-tokens-remaining: 0\n!anthropic-ratelimit-tokens-reset\nx-should-retry: false", "x-should-retry: false"]
--- response_body_like eval: ["Hello", (qr/"Budget \\"z\\" exhausted: the request may take 0 tokens, 0 of 37 are left\. It does not begin anew\."/) x 3]
--- access_log eval: qr/^left=(37|0) reset=-$/
--- sent_count eval: [1, 1, 1, 1]

=== a budget that is spent: OpenAI's SDKs
--- zones: bedrock_limit_zone all zone=z:1m budget=37t/month tz=Europe/Berlin;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Chat, $::Chat]
--- error_code eval: [200, 429]
--- response_body_like eval: ["Hello", qr/"type":"insufficient_quota","param":null,"code":"insufficient_quota"/]
--- sent_count eval: [1, 1]

=== a budget that is spent: Anthropic's
--- zones: bedrock_limit_zone all zone=z:1m budget=37t/total;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Messages, $::Messages]
--- error_code eval: [200, 429]
--- response_body_like eval: ["Hello", qr/"type":"rate_limit_error"/]
--- sent_count eval: [1, 1]

=== a budget that is spent: Cohere's
--- zones: bedrock_limit_zone all zone=z:1m budget=1r/total;
--- config eval: "location / { $::On }"
--- request eval
my $rerank = qq(POST /v2/rerank\n{"model":"cohere.rerank-v3-5:0","query":"b","documents":["a"]});
[$rerank, $rerank]
--- error_code eval: [200, 402]
--- response_headers eval: ["", "x-should-retry: false\n!Retry-After"]
--- response_body_like eval: ['"billed_units"', qr/\A\{"message":"Budget \\"z\\" exhausted: 0 of 1 requests are left\./]
--- sent_count eval: [1, 1]

=== money
--- zones: bedrock_limit_zone all zone=z:1m budget=0.0004usd/day;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Converse, $::Converse, $::Converse]
--- error_code eval: [200, 200, 400]
--- response_body_like eval: ["Hello", "Hello", qr/"Budget \\"z\\" exhausted: the request may cost 0 USD, 0 of 0\.0004 are left/]
--- sent_count eval: [1, 2, 2]

=== money, reserved
--- zones: bedrock_limit_zone all zone=z:1m budget=1usd/day;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: $::Converse
--- access_log eval: qr/^200 status=PASSED zone=- reserved=0\.00\d+ charged=0\.000255 charge=exact left=- soft=-$/

=== a model without a price
--- zones: bedrock_limit_zone all zone=z:1m budget=1usd/day;
--- config eval: "location / { $::On }"
--- request eval: $::Converse =~ s/sim.text/sim.other/r
--- error_code: 403
--- response_body: {"message":"Limit \"z\" is in money, and this model has no price here."}
--- sent_count: 0

=== a model without a price, which is free
--- zones: bedrock_limit_zone all zone=z:1m budget=1usd/day;
--- config eval: "location / { $::On bedrock_price_unknown free; }"
--- request eval: $::Converse =~ s/sim.text/any.model/r
--- access_log eval: qr/^200 status=PASSED .* charged=0 /

=== another key
--- zones: bedrock_limit_zone $http_x_team zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On }"
--- request eval: [$::Converse, $::Converse, $::Converse]
--- more_headers eval: ["X-Team: a", "X-Team: b", "X-Team: a"]
--- error_code eval: [200, 200, 429]

=== each region and model: the key has what is called
--- zones: bedrock_limit_zone $bedrock_region:$bedrock_model zone=z:1m rate=1r/h burst=1r;
--- config eval
"location / { $::On bedrock_alias fast any.model; } location /eu/ { $::On bedrock_region eu-west-1; }"
--- request eval
my ($any, $fast) = map { my $model = $_; $::Converse =~ s/sim.text/$model/r } qw(any.model fast);
[$::Converse, $any, $::Converse =~ s(/model)(/eu/model)r, $fast, $::Converse]
--- error_code eval: [200, 200, 200, 429, 429]
--- sent_count eval: [1, 2, 3, 3, 3]

=== a refused request has no model that was called
--- zones: bedrock_limit_zone $bedrock_model zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On add_header X-Called '<\$bedrock_model \$bedrock_region>' always; }"
--- request eval: [$::Converse, $::Converse]
--- error_code eval: [200, 429]
--- response_headers eval: ["X-Called: <sim.text us-east-1>", "X-Called: < >"]

=== a rate that variables give
--- zones: map $http_x_team $tpm { a 10t; default 1000t; } bedrock_limit_zone $http_x_team zone=z:1m rate=$tpm/d burst=$tpm;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Converse, $::Converse, $::Converse, $::Converse]
--- more_headers eval: ["X-Team: a", "X-Team: a", "X-Team: b", "X-Team: b"]
--- error_code eval: [200, 429, 200, 200]

=== a rate that variables do not give
--- zones: bedrock_limit_zone all zone=z:1m rate=$arg_rate;
--- config eval: "location / { $::On }"
--- request eval: $::Converse
--- error_code: 403
--- error_log: zone "z": "rate=" must
--- sent_count: 0

=== the second refuses, and the first has what it had
--- zones: bedrock_limit_zone all zone=z:1m rate=2r/h burst=2r; bedrock_limit_zone all zone=y:1m rate=1r/h burst=1r;
--- config eval
"location / { $::On bedrock_limit zone=y; } location = /one/model/sim.text/converse { $::On }"
--- request eval
[$::Converse, $::Converse, $::Converse =~ s(/model)(/one/model)r, $::Converse =~ s(/model)(/one/model)r]
--- error_code eval: [200, 429, 200, 429]
--- sent_count eval: [1, 1, 2, 2]

=== what is kept for others
--- zones: bedrock_limit_zone all zone=z:1m rate=4r/h burst=4r;
--- config
    location /low/ { bedrock on; proxy_pass http://bedrock; bedrock_limit zone=z keep=50%; }
    location /high/ { bedrock on; proxy_pass http://bedrock; bedrock_limit zone=z keep=$arg_keep; }
--- request eval
[(map { $::Converse =~ s(/model)(/low/model)r } 1 .. 3), (map { $::Converse =~ s(/model)(/high/model)r =~ s(converse)(converse?keep=0%25)r =~ s(%25)(%)r } 1 .. 3)]
--- error_code eval: [200, 200, 429, 200, 200, 429]
--- response_body_like eval
my $says = sub { qr/"Rate limit \\"z\\" reached: $_[0]\. Try again in/ };
["Hello", "Hello", $says->("2 of 4 requests are left, and kept for others"), "Hello", "Hello", $says->("0 of 4 requests are left")]

=== a soft limit leads to a cheaper model
--- zones
bedrock_limit_zone all zone=z:1m rate=4r/h burst=4r;
map $bedrock_limit_soft $cheap { "" ""; default any.cheap; }
--- config
    location / { bedrock on; bedrock_model $cheap; proxy_pass http://bedrock; bedrock_limit zone=z soft=40%; add_header X-Model $bedrock_model; }
--- request eval: [$::Converse, $::Converse, $::Converse]
--- response_headers eval: ["X-Model: sim.text", "X-Model: sim.text", "X-Model: any.cheap"]
--- sent_count eval: [1, 2, 3]

=== a soft limit leads to a cheaper model where every model takes the request
--- zones
bedrock_limit_zone all zone=z:1m budget=10r/day;
map $bedrock_limit_soft:$bedrock_operation $cheap { default ""; ~^.+:converse(_stream)?$ any.cheap; }
--- config eval
"location / { $::On }
location /soft/ { bedrock on; bedrock_model \$cheap; proxy_pass http://bedrock; bedrock_limit zone=z soft=10%; add_header X-Model \$bedrock_model; }"
--- request eval
my $soft = sub { $_[0] =~ s(POST )(POST /soft)r };
[$::Converse, map { $soft->($_) } $::Converse, $::Stream, $::Chat, $::Messages, qq(POST /v1/responses\n{"model":"sim.text","input":"Hi"}),
qq(POST /v1/embeddings\n{"model":"amazon.titan-embed-text-v2:0","input":"Hi"}),
qq(POST /v2/rerank\n{"model":"cohere.rerank-v3-5:0","query":"b","documents":["a"]}),
qq(POST /model/us.amazon.nova-pro-v1:0/invoke\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]})]
--- error_code eval: [(200) x 9]
--- response_headers eval
["", ("X-Model: any.cheap") x 5, "X-Model: amazon.titan-embed-text-v2:0", "X-Model: cohere.rerank-v3-5:0", "X-Model: us.amazon.nova-pro-v1:0"]

=== a dry run refuses nothing
--- zones: bedrock_limit_zone all zone=z:1m budget=10t/day;
--- config eval: "location / { $::On bedrock_limit_dry_run on; }"
--- request eval: $::Converse
--- error_log: bedrock: limit "z" would refuse this request; dry run
--- access_log eval: qr/^200 status=REJECTED_DRY_RUN zone=z reserved=0 charged=37 charge=exact /
--- sent_count: 1

=== a dry run counts
--- zones: bedrock_limit_zone all zone=z:1m budget=40t/day;
--- config eval
"location / { $::On bedrock_limit_dry_run on; } location /real/ { $::On bedrock_limit_reserve off; }"
--- request eval: [$::Converse, $::Converse, $::Converse =~ s(/model)(/real/model)r]
--- error_code eval: [200, 200, 400]

=== tokens that are only counted are none
--- zones: bedrock_limit_zone all zone=z:1m rate=10t/h burst=10t;
--- config eval: "location / { $::On }"
--- request eval
my $count = qq(POST /model/sim.text/count-tokens\n{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}});
[$count, $count]
--- error_code eval: [200, 200]

=== a failover is counted once
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t;
--- config eval
"location / { $::On bedrock_limit_reserve max; proxy_intercept_errors on; error_page 429 = \@other; } location \@other { $::On bedrock_limit_reserve max; bedrock_model sim.text; }"
--- request eval: $::Throttled
--- sent_count: 2
--- access_log eval: qr/^200 status=PASSED zone=- reserved=\d+ charged=37 charge=exact /

=== a stream that breaks is charged what was seen of it, by what was learned
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: $::Stream =~ s/sim.text/sim.truncated.at-4/r
--- ignore_response
--- error_log: stream truncated
--- access_log eval: qr/^200 status=PASSED zone=- reserved=(\d+) charged=(?!\1 )\d+ charge=estimated /

=== AWS's weights: output counts as often as the price file says
--- user_files
>>> prices
date 2099-01-01;
model sim.text { input 3; output 15; burndown 5; }
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t weights=aws;
--- config eval: "location / { $::On bedrock_limit_reserve off; }"
--- request eval: $::Converse
--- access_log eval: qr/ charged=85 charge=exact /

=== AWS's weights: before the answer, output counts once, as AWS takes it
--- user_files
>>> prices
date 2099-01-01;
model sim.text { input 3; output 15; burndown 5; }
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t weights=aws;
--- config eval: "location / { $::On bedrock_limit_reserve max; }"
--- request eval: $::Converse
--- access_log eval: qr/ reserved=[5-9]\d charged=85 charge=exact /

=== what is learned of answers counts as often as they will
--- user_files
>>> prices
date 2099-01-01;
model sim.text { input 3; output 15; burndown 5; }
--- zones: bedrock_limit_zone all zone=z:1m rate=1000t/d burst=1000t weights=aws;
--- config eval: "location / { $::On }"
--- request eval: $::Converse
--- access_log eval: qr/ reserved=2[5-9]\d charged=85 charge=exact /

=== Responses: OpenAI's answer and its headers, streamed or not
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On }"
--- request eval
my $responses = qq(POST /v1/responses\n{"model":"sim.text","input":"Hi"});
[$responses, $responses, $responses =~ s/"input"/"stream":true,"input"/r]
--- error_code eval: [200, 429, 429]
--- response_headers eval
["x-ratelimit-limit-requests: 1\nx-ratelimit-remaining-requests: 0", map { "Content-Type: application/json\nx-ratelimit-remaining-requests: 0\nx-should-retry: false" } 1, 2]
--- response_body_like eval
["Hello", map { qr/\A\{"error":\{"message":"Rate limit \\"z\\" reached: .*","type":"requests","param":null,"code":"rate_limit_exceeded"\}\}$/ } 1, 2]
--- sent_count eval: [1, 1, 1]

=== Cohere's API, which has no headers for it
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/h burst=1r;
--- config eval: "location / { $::On }"
--- request eval
my $rerank = qq(POST /v2/rerank\n{"model":"cohere.rerank-v3-5:0","query":"b","documents":["a"]});
[$rerank, $rerank]
--- error_code eval: [200, 429]
--- response_headers eval
my $none = "!x-ratelimit-limit-requests\n!anthropic-ratelimit-requests-limit";
[$none, "$none\nx-should-retry: false"]
--- response_body_like eval
['"billed_units"', qr/\A\{"message":"Rate limit \\"z\\" reached: 0 of 1 requests are left\. Try again in .*"\}\z/]
--- sent_count eval: [1, 1]

=== money, and clients that go away
--- zones: bedrock_limit_zone all zone=z:1m budget=1usd/day;
--- config eval: "location / { $::On }"
--- request eval: $::Converse
--- error_log eval
qr/\[warn\] .*"bedrock_limit" counts money in zone "z" in location "\/", where a client that goes away leaves a cost that nobody knows: add "bedrock_client_abort drain" in \S+nginx\.conf:\d+$/m

=== money, and answers that are read to their end
--- zones: bedrock_limit_zone all zone=z:1m budget=1usd/day;
--- config eval: "bedrock_client_abort drain; location / { $::On }"
--- request eval: $::Converse
--- no_error_log
[warn]

=== tokens, and clients that go away
--- zones: bedrock_limit_zone all zone=z:1m budget=1Mt/day;
--- config eval: "location / { $::On }"
--- request eval: $::Converse
--- no_error_log
[warn]

=== wrong: a rate without a unit
--- zones: bedrock_limit_zone all zone=z:1m rate=100/m;
--- refused: "bedrock_limit_zone" directive is wrong: "rate=100/m" must begin with an amount and its unit

=== wrong: a dollar sign
--- zones: bedrock_limit_zone all zone=z:1m budget=5$/day;
--- refused: "bedrock_limit_zone" directive has a value with a "$" that is not followed by the name of a variable

=== a request that is larger than the whole budget
--- zones: bedrock_limit_zone all zone=z:1m budget=40t/day;
--- config eval: "location / { $::On }"
--- request eval: $::Converse
--- error_code: 400
--- response_body_like: ^\{"message":"Budget \\"z\\" is too small: the request may take \d\d tokens, 40 of 40 are left\. Ask for less output, or for a larger budget\."\}$
--- sent_count: 0

=== wrong: money without prices
--- http_config: bedrock_limit_zone all zone=z:1m budget=5usd/day;
--- config: bedrock_limit zone=z;
--- refused: "bedrock_limit_zone" directive limits zone "z" in money, but there are no prices: add "bedrock_prices",

=== wrong: soft
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/s;
--- config: bedrock_limit zone=z soft=120%;
--- refused: "bedrock_limit" directive "120%" must be a percentage

=== wrong: keep
--- zones: bedrock_limit_zone all zone=z:1m rate=1r/s;
--- config: bedrock_limit zone=z keep=half;
--- refused: "bedrock_limit" directive "half" must be a percentage

=== wrong: burst with a budget
--- zones: bedrock_limit_zone all zone=z:1m budget=1t/day burst=5t;
--- refused: "burst=" goes with "rate=" only

=== wrong: reserve
--- config: bedrock_limit_reserve some;
--- refused: "bedrock_limit_reserve" directive has value "some": it must be "learned", "max" or "off"

=== wrong: dry run
--- config: bedrock_limit_dry_run maybe;
--- refused: "bedrock_limit_dry_run" directive has value "maybe"

=== wrong: headers
--- config: bedrock_limit_headers maybe;
--- refused: "bedrock_limit_headers" directive has value "maybe"

=== wrong: price unknown
--- config: bedrock_price_unknown cheap;
--- refused: "bedrock_price_unknown" directive has value "cheap": it must be "refuse" or "free"
