# Limits in shared memory: how many requests may be in progress for a key. What takes more than one worker, or time, is in
# t/clients/test_limit_zones.py.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line.
add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => ($block->http_config // '')
        . "    log_format limit '\$status status=\$bedrock_limit_status zone=\$bedrock_limit_zone';\n");
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

# Two requests at once, the second of which a limit of one refuses: `/two?path=PATH&model=MODEL`. Lua's subrequests begin together.
our $Two = <<'_EOC_';
    access_log logs/access.log limit;
    log_subrequest on;
    location = /two {
        content_by_lua_block {
            local body = '{"model":"' .. ngx.var.arg_model .. '","messages":[{"role":"user","content":"Hi"}],'
                .. '"input":"Hi","max_tokens":9}'
            if ngx.var.arg_native then body = '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}' end
            local options = { method = ngx.HTTP_POST, body = body }
            local first, second = ngx.location.capture_multi({ { ngx.var.arg_path, options }, { ngx.var.arg_path, options } })
            ngx.say(first.status, ' ', second.status)
            for _, name in ipairs({ 'Retry-After', 'retry-after-ms', 'x-amz-retry-after', 'x-amzn-ErrorType', 'x-should-retry' }) do
                if second.header[name] then ngx.say(name, ': ', second.header[name]) end
            end
            ngx.say(second.body)
        }
    }
_EOC_

run_tests();

__DATA__

=== one after the other
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config
    access_log logs/access.log limit;
    location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }
--- request eval
[map { qq(POST /model/any.model/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}) } 1 .. 3]
--- sent_count eval
[1, 2, 3]
--- error_code eval
[200, 200, 200]
--- access_log
200 status=PASSED zone=-

=== one after the other, in the smallest zone
--- http_config
    bedrock_limit_zone $server_name zone=open:64k concurrency=1000000;
--- config
    location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }
--- sent
POST /model/any.model/converse

=== an empty key is not counted
--- http_config
    bedrock_limit_zone $arg_team zone=open:1m concurrency=1;
--- config
    access_log logs/access.log limit;
    location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }
--- access_log
200 status=- zone=-

=== two at once: Bedrock's own API
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/model/any.model/converse&model=any.model&native=1
--- response_body_like
\A200 429
Retry-After: [12]
x-amz-retry-after: 1(0\d\d|100)
x-amzn-ErrorType: ThrottlingException
\{"message":"The limit \\"open\\" allows 1 request at a time, and as many are in progress. Try again in a moment."\}$
--- access_log
429 status=REJECTED zone=open
200 status=PASSED zone=-
--- sent_count: 1

=== two at once: Chat Completions
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/v1/chat/completions&model=any.model
--- response_body_like
\A200 429
Retry-After: [12]
retry-after-ms: 1(0\d\d|100)
\{"error":\{"message":"The limit \\"open\\" allows 1 request at a time, and as many are in progress. Try again in a moment.","type":"requests","param":null,"code":"rate_limit_exceeded"\}\}$
--- sent_count: 1

=== two at once: Responses
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/v1/responses&model=any.model
--- response_body_like
\A200 429
Retry-After: [12]
retry-after-ms: 1(0\d\d|100)
\{"error":\{"message":"The limit .*","type":"requests","param":null,"code":"rate_limit_exceeded"\}\}

=== two at once: Messages
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/v1/messages&model=any.model
--- response_body_like
\A200 429
Retry-After: [12]
retry-after-ms: 1(0\d\d|100)
\{"type":"error","error":\{"type":"rate_limit_error","message":"The limit .*"\},"request_id":null\}

=== two at once: streams
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/model/any.model/converse-stream&model=any.model&native=1
--- response_body_like
\A200 429
--- sent_count: 1

=== two at once, with limits that allow it
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=2;
    bedrock_limit_zone $request_id  zone=each:1m concurrency=1;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request
GET /two?path=/model/any.model/converse&model=any.model&native=1
--- response_body_like
\A200 200
--- sent_count: 2

=== two at once: the second zone refuses, and the first has counted nothing
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=wide:1m concurrency=2;
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config eval
"$::Two location / { bedrock on; bedrock_limit zone=wide; bedrock_limit zone=open; proxy_pass http://bedrock; }
location /wide { bedrock on; bedrock_limit zone=wide; proxy_pass http://bedrock; }"
--- request eval
["GET /two?path=/model/any.model/converse&model=any.model&native=1", "GET /two?path=/wide/model/any.model/converse&model=any.model&native=1"]
--- response_body_like eval
[qr/\A200 429\n[^{]*\{"message":"The limit \\"open\\"/, qr/\A200 200\n/]
--- no_error_log
[alert]

=== a limit that variables give, for each key
--- lua
--- http_config
    map $bedrock_requested_model $most { small.model 1; large.model 2; }
    bedrock_limit_zone $bedrock_requested_model zone=open:1m concurrency=$most;
--- config eval: "$::Two location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }"
--- request eval
[map { "GET /two?path=/model/$_.model/converse&model=any.model&native=1" } qw(small large)]
--- response_body_like eval
[qr/\A200 429\n/, qr/\A200 200\n/]
--- sent_count eval
[1, 3]

=== a limit that variables do not give
--- http_config
    map $bedrock_requested_model $most { any.model many; }
    bedrock_limit_zone $bedrock_requested_model zone=open:1m concurrency=$most;
--- config
    access_log logs/access.log limit;
    location / { bedrock on; bedrock_limit zone=open; proxy_pass http://bedrock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body: {"message":"This gateway does not know what a limit is for this request."}
--- error_log
bedrock: zone "open": "concurrency=many" must be a whole number from 1
--- access_log
403 status=REJECTED zone=open
--- sent_count: 0

=== a subrequest is out again when it is answered
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config
    bedrock_limit zone=open;
    location / {
        access_by_lua_block {
            local options = { method = ngx.HTTP_POST, body = '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}' }
            ngx.req.set_header('X-Inner', ngx.location.capture('/model/inner.model/converse', options).status)
        }
        bedrock on;
        bedrock_limit zone=open;
        add_header X-Inner $http_x_inner;
        proxy_pass http://bedrock;
    }
    location /model/inner.model/ { bedrock on; proxy_pass http://bedrock; }
--- response_headers
X-Inner: 200
--- error_code: 200
--- sent_count: 2

=== a list of models is a request, too
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config
    location / { bedrock on; bedrock_alias a any.model; bedrock_limit zone=open; access_log logs/access.log limit; proxy_pass http://bedrock; }
--- request
GET /v1/models
--- access_log
200 status=PASSED zone=-

=== what is refused for another reason has asked no limit
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- config
    access_log logs/access.log limit;
    location / { bedrock on; bedrock_allow_models other.model; bedrock_limit zone=open; proxy_pass http://bedrock; }
--- error_code: 403
--- access_log
403 status=- zone=-

=== a location with limits of its own has none of the server's
--- lua
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
    bedrock_limit_zone $server_name zone=wide:1m concurrency=2;
--- config eval: "$::Two bedrock_limit zone=open; location / { bedrock on; bedrock_limit zone=wide; proxy_pass http://bedrock; }"
--- request
GET /two?path=/model/any.model/converse&model=any.model&native=1
--- response_body_like
\A200 200

=== a zone without a size
--- http_config: bedrock_limit_zone $server_name zone=open concurrency=1;
--- refused: "bedrock_limit_zone" directive needs "zone=NAME:SIZE", such as zone=teams:1m

=== a zone without a name
--- http_config: bedrock_limit_zone $server_name zone=:1m concurrency=1;
--- refused: "bedrock_limit_zone" directive needs "zone=NAME:SIZE", such as zone=teams:1m

=== no zone at all
--- http_config: bedrock_limit_zone $server_name concurrency=1;
--- refused: "bedrock_limit_zone" directive needs "zone=NAME:SIZE", such as zone=teams:1m

=== a zone that is too small
--- http_config: bedrock_limit_zone $server_name zone=open:32k concurrency=1;
--- refused: "bedrock_limit_zone" directive has size "32k" for zone "open": it must be a size from 64k, such as 1m

=== a size that is none
--- http_config: bedrock_limit_zone $server_name zone=open:1g concurrency=1;
--- refused: "bedrock_limit_zone" directive has size "1g" for zone "open": it must be a size from 64k, such as 1m

=== two zones in one
--- http_config: bedrock_limit_zone $server_name zone=open:1m zone=more:1m concurrency=1;
--- refused: "bedrock_limit_zone" directive has "zone=" twice

=== a zone twice
--- http_config
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
    bedrock_limit_zone $request_id zone=open:1m concurrency=1;
--- refused: "bedrock_limit_zone" directive declares zone "open" a second time

=== a zone of another module
--- http_config
    limit_conn_zone $server_name zone=open:1m;
    bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- must_die
--- error_log
the shared memory zone "open" is already declared for a different use

=== a name that is the module's
--- http_config: bedrock_limit_zone $server_name zone=bedrock_workers:1m concurrency=1;
--- refused: "bedrock_limit_zone" directive has zone "bedrock_workers": names that begin with "bedrock_" are those of the module's own zones

=== no limit
--- http_config: bedrock_limit_zone $server_name zone=open:1m;
--- refused: "bedrock_limit_zone" directive is wrong: says no limit: add "rate=", "budget=" or "concurrency="

=== a limit of nothing
--- http_config: bedrock_limit_zone $server_name zone=open:1m concurrency=0;
--- refused: "bedrock_limit_zone" directive is wrong: "concurrency=0" must be a whole number from 1

=== a parameter that is unknown
--- http_config: bedrock_limit_zone $server_name zone=open:1m limit=1;
--- refused: "bedrock_limit_zone" directive is wrong: unknown parameter "limit=1"

=== a key that is no variable
--- http_config: bedrock_limit_zone $no_such zone=open:1m concurrency=1;
--- must_die
--- error_log
unknown "no_such" variable

=== a limit without its zone
--- config: bedrock_limit zone=open;
--- refused: "bedrock_limit" directive names zone "open", but there is no "bedrock_limit_zone" at http level that declares it,

=== a limit without a name
--- config: bedrock_limit open;
--- refused: "bedrock_limit" directive has parameter "open": it must be "zone=" with the name of a bedrock_limit_zone, "soft=" or "keep="

=== a limit twice
--- config: bedrock_limit zone=open; bedrock_limit zone=open;
--- refused: "bedrock_limit" directive names zone "open" twice

=== a zone that limits nothing
--- http_config: bedrock_limit_zone $server_name zone=open:1m concurrency=1;
--- no_error_log
[error]
[emerg]
--- error_log eval
qr/\[warn\] .*"bedrock_limit_zone" directive limits nothing: no "bedrock_limit" names zone "open", in \S+nginx\.conf:\d+$/m
