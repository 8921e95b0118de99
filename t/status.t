# bedrock_status_zone and bedrock_status. What takes more than one worker, kills or many requests is in t/clients/test_status.py.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line.
add_block_preprocessor(sub {
    my $block = shift;
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

run_tests();

__DATA__

=== metrics for Prometheus
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/metrics
--- response_headers
Content-Type: text/plain; version=0.0.4; charset=utf-8
Cache-Control: no-store
X-Content-Type-Options: nosniff
--- response_body_like: \A# HELP bedrock_build_info .*\n# TYPE bedrock_build_info gauge\nbedrock_build_info\{version="\d+\.\d+\.\d+",nginx="\d+\.\d+\.\d+"\} 1\n
--- sent_count: 0

=== OpenMetrics for who asks for it
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/metrics
--- more_headers
Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5
--- response_headers
Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8
--- response_body_like: # TYPE bedrock_requests counter\n(.|\n)*\n# EOF\n\z
--- sent_count: 0

=== the document
--- http_config: bedrock_status_zone status:1m label=team $http_x_team;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/json
--- response_headers
Content-Type: application/json
--- response_body_like: \A\{.*"labels":\["team"\].*"schema":1.*\}\z
--- sent_count: 0

=== the page, which a browser lets ask this server only
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/
--- response_headers_like
Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
--- response_body_like: \A<!doctype html>
--- sent_count: 0

=== HEAD
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
HEAD /bedrock/json
--- response_headers
Content-Type: application/json
--- response_body
--- sent_count: 0

=== nothing is changed here
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
POST /bedrock/json
{}
--- error_code: 405
--- sent_count: 0

=== nothing else is there
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/other
--- error_code: 404
--- sent_count: 0

=== a location without its slash
--- http_config: bedrock_status_zone status:1m;
--- config: location /bedrock { bedrock_status; }
--- request
GET /bedrock
--- error_code: 301
--- response_headers
Location: /bedrock/
--- sent_count: 0

=== metrics alone, at a place of their own
--- http_config: bedrock_status_zone status:1m;
--- config: location = /metrics { bedrock_status; }
--- request
GET /metrics
--- response_body_like: bedrock_workers 1\n
--- sent_count: 0

=== a request is counted
--- http_config: bedrock_status_zone status:1m label=team $http_x_team;
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- more_headers
Content-Type: application/json
X-Team: search
--- request eval
[qq(POST /v1/chat/completions\n{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"Hi"}]}), 'GET /bedrock/metrics']
--- response_body_like eval
['choices', qr/^bedrock_requests_total\{model="amazon\.nova-lite-v1:0",api="openai",operation="converse",team="search",status="200"\} 1$/m]
--- sent_count eval
[1, 1]

=== a subrequest is counted
--- lua
--- http_config: bedrock_status_zone status:1m;
--- config
    location = /two {
        content_by_lua_block {
            local body = '{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"Hi"}]}'
            local options = { method = ngx.HTTP_POST, body = body }
            for _ = 1, 2 do ngx.say(ngx.location.capture('/v1/chat/completions', options).status) end
        }
    }
    location / { bedrock on; proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- request eval
['GET /two', 'GET /bedrock/metrics']
--- response_body_like eval
['200\n200\n', qr/^bedrock_requests_total\{model="amazon\.nova-lite-v1:0",api="openai",operation="converse",status="200"\} 2$/m]
--- sent_count eval
[2, 2]

=== what a client alone has said has no counters
--- http_config: bedrock_status_zone status:1m label=team $http_x_team;
--- config
    location / { bedrock on; bedrock_allow_models amazon.*; proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- more_headers
Content-Type: application/json
X-Team: made-up
--- request eval
[qq(POST /v1/chat/completions\n{"model":"made-up","messages":[{"role":"user","content":"Hi"}]}), 'GET /bedrock/json']
--- error_code eval
[403, 200]
--- response_body_like eval
['AccessDenied|permission|denied|not', qr/"statuses":\{"403":1\}/]
--- response_body_unlike eval
['^$', 'made-up']
--- sent_count eval
[0, 0]

=== what another module refuses is counted
--- http_config: bedrock_status_zone status:1m;
--- config
    location / { bedrock on; proxy_pass http://bedrock; return 403; }
    location /bedrock/ { bedrock_status; }
--- request eval
['GET /v1/models', 'GET /bedrock/json']
--- error_code eval
[403, 200]
--- response_body_like eval
['.', qr/"statuses":\{"403":1\}/]
--- sent_count eval
[0, 0]

=== a refusal of a limit is shown, and nothing of its key
--- http_config
    bedrock_status_zone status:1m;
    bedrock_limit_zone $http_x_key zone=rpm:64k rate=1r/d burst=1r;
--- config
    location / { bedrock on; bedrock_limit zone=rpm; proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- more_headers
Content-Type: application/json
X-Key: secret-key
--- request eval
[(map { qq(POST /v1/chat/completions\n{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"Hi"}]}) } 1 .. 2), 'GET /bedrock/json']
--- error_code eval
[200, 429, 200]
--- response_body_like eval
['.', '.', qr/"limits":\[\{.*"results":\{"passed":1,"rejected":1,"rejected_dry_run":0,"soft":0\},"top":\[\{"in_flight":0,"key":"#[0-9a-f]{8}","limit":1,.*"used":1,.*"refusals":\[\{"dry_run":false,"model":"amazon.nova-lite-v1:0","retry_after":[1-9][0-9.]*,"status":429,/]
--- response_body_unlike eval
['^$', '^$', 'secret']
--- sent_count eval
[1, 1, 1]

=== a key has the label that its zone gives it
--- http_config
    bedrock_status_zone status:1m;
    bedrock_limit_zone $http_x_key zone=rpm:64k rate=10r/d label=$http_x_team;
--- config
    location / { bedrock on; bedrock_limit zone=rpm; proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- more_headers
Content-Type: application/json
X-Key: secret-key
X-Team: search
--- request eval
[qq(POST /v1/chat/completions\n{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"Hi"}]}), 'GET /bedrock/metrics']
--- response_body_like eval
['.', qr/^bedrock_limit_used_ratio\{zone="rpm",key="search"\} [0-9.]+$/m]
--- response_body_unlike eval
['^$', 'secret']
--- sent_count eval
[1, 1]

=== a zone too small for its series
--- http_config: bedrock_status_zone status:256k series=1000;
--- must_die
--- error_log eval
qr/\[emerg\] .*bedrock: zone "status" is too small for 1000 series: make it \d+k or more/

=== the smallest zone
--- http_config: bedrock_status_zone status:256k;
--- config: location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/metrics
--- response_body_like: bedrock_series_capacity \d\d+\n
--- sent_count: 0

=== no name
--- http_config: bedrock_status_zone 1m;
--- refused: "bedrock_status_zone" directive needs "NAME:SIZE", such as status:4m, with a name that does not begin with "bedrock_"

=== a name that is the module's
--- http_config: bedrock_status_zone bedrock_workers:1m;
--- refused: "bedrock_status_zone" directive needs "NAME:SIZE", such as status:4m, with a name that does not begin with "bedrock_"

=== a size that is too small
--- http_config: bedrock_status_zone status:64k;
--- refused: "bedrock_status_zone" directive has size "64k": it must be a size from 256k, such as 4m

=== a zone twice
--- http_config
    bedrock_status_zone status:1m;
    bedrock_status_zone more:1m;
--- refused: "bedrock_status_zone" directive is duplicate

=== a label without a value
--- http_config: bedrock_status_zone status:1m label=team;
--- refused: "bedrock_status_zone" directive needs a value behind "label=team", such as label=team $team

=== a label that Prometheus would not take
--- http_config: bedrock_status_zone status:1m label=my-team $http_x_team;
--- refused: "bedrock_status_zone" directive has label "my-team": it must be a name of up to 32 letters, digits and "_" that no other label has

=== a label that there is anyway
--- http_config: bedrock_status_zone status:1m label=model $http_x_team;
--- refused: "bedrock_status_zone" directive has label "model": it must be a name of up to 32 letters, digits and "_" that no other label has

=== a label twice
--- http_config: bedrock_status_zone status:1m label=team a label=team b;
--- refused: "bedrock_status_zone" directive has label "team": it must be a name of up to 32 letters, digits and "_" that no other label has

=== too many labels
--- http_config: bedrock_status_zone status:1m label=a a label=b b label=c c label=d d;
--- refused: "bedrock_status_zone" directive has 4 labels: at most 3 are possible

=== too few series
--- http_config: bedrock_status_zone status:1m series=1;
--- refused: "bedrock_status_zone" directive has "series=1": it must be a number from 16 to 100000

=== an unknown parameter
--- http_config: bedrock_status_zone status:1m size=1;
--- refused: "bedrock_status_zone" directive has parameter "size=1": it must be "label=NAME VALUE", or "series=NUMBER" once

=== nothing to show
--- config: location /bedrock/ { bedrock_status; }
--- refused: "bedrock_status" directive has nothing to show: add "bedrock_status_zone status:4m;" at http level,

=== beside a gateway
--- http_config: bedrock_status_zone status:1m;
--- config: location / { bedrock on; proxy_pass http://bedrock; bedrock_status; }
--- refused: "bedrock_status" directive stands beside another directive that answers, such as "proxy_pass": give it a location of its own

=== a gateway beside it
--- http_config: bedrock_status_zone status:1m;
--- config: location / { bedrock_status; bedrock on; proxy_pass http://bedrock; }
--- refused: "bedrock_status" directive stands beside another directive that answers, such as "proxy_pass": give it a location of its own

=== below a gateway that is on for the whole server
--- http_config: bedrock_status_zone status:1m;
--- config
    bedrock on;
    location / { proxy_pass http://bedrock; }
    location /bedrock/ { bedrock_status; }
--- request
GET /bedrock/json
--- response_body_like: "schema":1
--- sent_count: 0

=== twice
--- http_config: bedrock_status_zone status:1m;
--- config: location / { bedrock_status; bedrock_status; }
--- refused: "bedrock_status" directive is duplicate

=== in a server
--- http_config: bedrock_status_zone status:1m;
--- config: bedrock_status;
--- must_die
--- error_log
"bedrock_status" directive is not allowed here
