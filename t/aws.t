# `bedrock_api aws`, and bedrock-mantle: what nginx makes of their locations. What passes: t/clients/test_aws.py, test_mantle.py.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

our $Aws = 'location / { bedrock on; bedrock_api aws; proxy_pass http://bedrock; }';
our $Mantle = 'location / { bedrock on; bedrock_service bedrock-mantle; proxy_pass http://bedrock; }';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== any method, path and query
--- config eval: $::Aws
--- request: GET /foundation-models?b=2&a=x+y
--- error_code: 404
--- sent
GET /foundation-models?b=2&a=x%20y
accept-encoding: identity
--- access_log eval
qr/^404 other api=aws model=- /

=== a path of Bedrock's is read as that
--- config eval: $::Aws
--- request
POST /model/sim.text/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^200 converse api=aws model=sim\.text requested=sim\.text .* in=25 out=12 total=37 /

=== an event stream
--- config eval: $::Aws
--- request
POST /model/sim.text/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^200 converse_stream api=aws .* in=25 out=12 total=37 .* stream=complete /

=== a path that not everyone reads alike
--- config eval: $::Aws
--- raw_request eval
"GET /a/../b%2f..%2fc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- sent_count: 0
--- response_body_like: no segment of a path may be empty

=== mantle: the scope and the host
--- config
    location / { bedrock on; bedrock_service bedrock-mantle; set $none ''; bedrock_endpoint $none; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"openai.gpt-oss-20b","messages":[]}
--- sent eval
[qr{/us-east-1/bedrock-mantle/aws4_request}, 'host: bedrock-mantle.us-east-1.api.aws']

=== mantle: what another method is for passes
--- config eval: $::Mantle
--- request: DELETE /team/v1/responses/resp_none?x=1
--- error_code: 404
--- sent: DELETE /v1/responses/resp_none?x=1

=== mantle: a web socket is refused in OpenAI's form
--- config eval: $::Mantle
--- request: GET /v1/responses
--- more_headers
Upgrade: websocket
--- error_code: 426
--- sent_count: 0
