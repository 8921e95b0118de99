# Clients that speak OpenAI's Responses: what Bedrock is asked, what they get, what the log knows. What becomes of each member is in
# crates/gateway/tests/responses_*.rs, real SDKs are in t/clients/.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

our $Native = 'location / { bedrock on; bedrock_responses_via native; proxy_pass http://bedrock; }';
our $Converse = 'location / { bedrock on; bedrock_responses_via converse; proxy_pass http://bedrock; }';

# `--- asked: MODEL MEMBERS`: a request to that model; MEMBERS are JSON that goes before its input.
add_block_preprocessor(sub {
    my $block = shift;
    my $asked = $block->asked // return;
    chomp $asked;
    my ($model, $members) = split / /, $asked, 2;
    $members = defined $members ? "$members," : '';
    $block->set_value(request => qq(POST /v1/responses\n{"model":"$model",$members"input":"Hello"}));
});

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a whole answer
--- asked: any.model
--- response_headers_like
Content-Type: application/json
x-request-id: [0-9a-f-]{36}
x-amzn-requestid: [0-9a-f-]{36}
--- response_body_like eval
qr/^\{"id":"resp_([0-9a-f-]{36})","object":"response","created_at":\d{10},"completed_at":\d{10},"status":"completed",.*"model":"any\.model","output":\[\{"id":"msg_\1_0","type":"message","status":"completed","role":"assistant","content":\[\{"type":"output_text","text":"Hello from the Bedrock stand-in\.","annotations":\[\],"logprobs":\[\]\}\]\}\],.*"usage":\{"input_tokens":25,"input_tokens_details":\{"cached_tokens":0,"cache_write_tokens":0\},"output_tokens":12,"output_tokens_details":\{"reasoning_tokens":0\},"total_tokens":37\}/
--- sent
POST /model/any.model/converse
content-type: application/json
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- access_log eval
qr/^200 converse api=responses model=any\.model requested=any\.model region=us-east-1 in=25 out=12 total=37 read=- write=- stop=end_turn stream=- exception=- tools=0 ttft=- latency=0\.042 id=[0-9a-f-]{36}/

=== a stream
--- asked: any.model "stream":true
--- response_headers_like
Content-Type: text/event-stream
Cache-Control: no-cache
x-request-id: [0-9a-f-]{36}
--- response_body_like eval
qr/\Aevent: response\.created\ndata: \{"type":"response\.created","sequence_number":0,.*\nevent: response\.output_text\.delta\ndata: \{[^\n]*"delta":" Bedrock"\}\n.*\nevent: response\.completed\ndata: \{"type":"response\.completed","sequence_number":13,"response":\{[^\n]*"total_tokens":37\}[^\n]*\}\}\n\n\z/s
--- sent
POST /model/any.model/converse-stream
--- access_log eval
qr/^200 converse_stream api=responses .* in=25 out=12 total=37 .* stop=end_turn stream=complete exception=- tools=0 ttft=0\.\d+ latency=0\.042 id=[0-9a-f-]{36}/

=== Bedrock's own path is the same
--- request
POST /openai/v1/responses
{"model":"any.model","input":"Hello"}
--- sent
POST /model/any.model/converse
--- access_log
api=responses

=== any path, where the location says so
--- config
location / { bedrock on; bedrock_api responses; proxy_pass http://bedrock; }
--- request
POST /agents
{"model":"any.model","input":"Hello"}
--- response_body_like: "object":"response"
--- sent
POST /model/any.model/converse

=== a model that is at home in Bedrock's own API
--- asked: openai.gpt-5.4 "store":false
--- sent
POST /openai/v1/responses
accept: application/json
--- sent_body: {"model":"openai.gpt-5.4","store":false,"input":"Hello"}
--- response_body_like: "object":"response"
--- access_log eval
qr/^200 openai_responses api=responses model=openai\.gpt-5\.4 .* in=25 out=12 total=37 /

=== its chat, too
--- request
POST /v1/chat/completions
{"model":"openai.gpt-5.4","messages":[]}
--- sent
POST /openai/v1/chat/completions
--- access_log eval
qr/^200 openai_chat api=openai model=openai\.gpt-5\.4 .* in=25 out=12 total=37 /

=== its Messages cannot be had
--- request
POST /v1/messages
{"model":"openai.gpt-5.4","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}
--- error_code: 400
--- response_body_like: "type":"error".*/openai/v1/responses
--- sent_count: 0

=== natively, because the location says so
--- config eval: $::Native
--- asked: any.model "stream":true
--- sent
POST /openai/v1/responses
accept: text/event-stream
--- response_body_like: event: response\.completed
--- access_log eval
qr/^200 openai_responses api=responses model=any\.model .* stream=complete /

=== by Converse, because the location says so
--- config eval: $::Converse
--- asked: openai.gpt-5.6-sol
--- sent
POST /model/openai.gpt-5.6-sol/converse
--- access_log
api=responses

=== an error of Bedrock's
--- asked: sim.throttled
--- error_code: 429
--- response_body_like: ^\{"error":\{"message":"[^"]+","type":"rate_limit_error","param":null,"code":"ThrottlingException"\}\}$
--- access_log
429 converse api=responses

=== an error before the first event
--- asked: sim.exception.type-throttling "stream":true
--- error_code: 429
--- response_body_like: "code":"ThrottlingException"
--- error_log
stream exception: throttlingException

=== an error after it
--- asked: sim.exception.at-3.type-throttling "stream":true
--- ignore_response
--- access_log eval
qr/^200 converse_stream api=responses .* stream=exception exception=throttlingException /
--- error_log
stream exception: throttlingException

=== an error of the client's
--- asked: any.model "previous_response_id":"resp_1"
--- error_code: 400
--- response_body chomp
{"error":{"message":"\"previous_response_id\" is not supported, because this gateway stores nothing: send the whole conversation in \"input\".","type":"invalid_request_error","param":"previous_response_id","code":"ValidationException"}}
--- sent_count: 0

=== nothing is stored
--- request: GET /v1/responses/resp_1
--- error_code: 404
--- response_body_like: "type":"not_found_error"
--- access_log
404 - api=responses

=== what is not served
--- request
POST /v1/responses/compact
{"model":"any.model","input":"Hello"}
--- error_code: 404
--- response_body_like: does not serve /v1/responses/compact
--- sent_count: 0

=== a method that is none
--- request: GET /v1/responses
--- error_code: 405
--- response_headers
Allow: POST

=== a web socket
--- request: GET /v1/responses
--- more_headers
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
--- error_code: 426
--- response_headers
Upgrade: HTTP/1.1
Content-Type: application/json
--- response_body_like: "message":"This gateway has no web sockets: send the request as an HTTP POST\."
--- sent_count: 0

=== the tokens of an input
--- request
POST /v1/responses/input_tokens
{"model":"anthropic.claude-sonnet-4-5-20250929-v1:0","input":"Hello"}
--- response_body_like: ^\{"object":"response.input_tokens","input_tokens":\d+\}$
--- sent
POST /model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens
--- access_log
200 count_tokens api=responses

=== the limit of the location
--- config
location / { bedrock on; bedrock_max_output_tokens 10; proxy_pass http://bedrock; }
--- asked: any.model "max_output_tokens":50
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":10}}
