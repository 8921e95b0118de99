# Errors as OpenAI's SDKs read them: the gateway's own, Bedrock's, nginx's; before an answer and in the middle of one.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- chat: MODEL MEMBERS`: a request to that model; MEMBERS are JSON that goes before its messages.
# `--- error: STATUS TYPE CODE PARAM MESSAGE`: that answer; PARAM is null where it is -.
add_block_preprocessor(sub {
    my $block = shift;
    if (defined(my $chat = $block->chat)) {
        chomp $chat;
        my ($model, $members) = split / /, $chat, 2;
        $members = defined $members ? "$members," : '';
        $block->set_value(request => qq(POST /v1/chat/completions\n{"model":"$model",$members"messages":[{"role":"user","content":"Hello"}]}));
    }
    if (defined(my $error = $block->error)) {
        chomp $error;
        my ($status, $type, $code, $param, $message) = split / /, $error, 5;
        $message =~ s/"/\\"/g;
        $param = $param eq '-' ? 'null' : qq("$param");
        $block->set_value(error_code => $status);
        $block->set_value(response_headers => "Content-Type: application/json\n" . ($block->response_headers // ''));
        $block->set_value(response_body => qq({"error":{"message":"$message","type":"$type","param":$param,"code":"$code"}}));
    }
});

run_tests();

__DATA__

=== broken JSON
--- request
POST /v1/chat/completions
{"model":"any.model",
--- error_code: 400
--- response_body_like: ^\{"error":\{"message":"The request body is not a JSON object: .*","type":"invalid_request_error","param":null,"code":"ValidationException"\}\}$
--- sent_count: 0
--- access_log
400 - api=openai

=== no body
--- request
POST /v1/chat/completions
--- error_code: 400
--- response_body_like: "type":"invalid_request_error"
--- sent_count: 0

=== a model twice
--- request
POST /v1/chat/completions
{"model":"a","messages":[],"model":"b"}
--- error_code: 400
--- response_body_like: ^\{"error":\{"message":"The request body is ambiguous: .*model
--- sent_count: 0

=== no model
--- request
POST /v1/chat/completions
{"messages":[{"role":"user","content":"Hello"}]}
--- error: 400 invalid_request_error ValidationException model The request names no model: put "model" into the body.
--- sent_count: 0

=== a parameter that is wrong is named
--- chat: any.model "temperature":"hot"
--- error: 400 invalid_request_error ValidationException temperature "temperature" must be a number.
--- sent_count: 0
--- access_log
400 converse api=openai model=- requested=any.model

=== a parameter that cannot be done
--- chat: any.model "n":2
--- error: 400 invalid_request_error ValidationException n "n" must be 1: Bedrock gives one answer to a request.
--- sent_count: 0

=== a large body that is wrong, found by a thread
--- request eval
'POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"' . 'x' x 300000 . '"},{"role":"nobody","content":""}]}'
--- error: 400 invalid_request_error ValidationException messages[1].role "messages[1].role" must be "system", "developer", "user", "assistant" or "tool".
--- sent_count: 0

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models other.*; proxy_pass http://bedrock; }
--- chat: any.model
--- error: 403 permission_error AccessDeniedException - This gateway does not allow the model any.model.
--- sent_count: 0

=== a wrong method
--- request
GET /v1/chat/completions
--- error: 405 invalid_request_error UnknownOperationException - This operation takes POST requests only.
--- response_headers
Allow: POST
--- sent_count: 0

=== a body that is no JSON by its type
--- chat: any.model
--- more_headers
Content-Type: text/plain
--- error: 415 invalid_request_error UnsupportedMediaTypeException - The request body must be application/json.
--- sent_count: 0

=== the gateway signs, or it cannot translate
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- chat: any.model
--- more_headers
Authorization: Bearer sk-any
--- error: 403 permission_error AccessDeniedException - This gateway does not sign, so it cannot change this request as its rules demand.
--- sent_count: 0

=== what is configured wrongly is told to the operator
--- config
    location / { bedrock on; bedrock_region $arg_region; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions?region=NOWHERE
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}
--- error: 500 server_error InternalServerException - The gateway is not configured correctly; its error log says more.
--- sent_count: 0
--- error_log
"NOWHERE" is not a region name

=== Bedrock's throttling
--- chat: sim.throttled.retry-7
--- error: 429 rate_limit_error ThrottlingException - Too many requests, please wait before trying again.
--- response_headers
Retry-After: 7
--- access_log eval
qr/^429 converse api=openai .* in=- out=- .* stream=- exception=ThrottlingException .* id=[0-9a-f-]{36}/

=== and its request id
--- chat: sim.throttled
--- error_code: 429
--- response_headers_like
x-request-id: [0-9a-f-]{36}
x-amzn-requestid: [0-9a-f-]{36}

=== instead of a stream
--- chat: sim.throttled "stream":true
--- error: 429 rate_limit_error ThrottlingException - Too many requests, please wait before trying again.
--- access_log
429 converse_stream api=openai

=== a request that Bedrock does not take
--- chat: sim.http-400-validation
--- error: 400 invalid_request_error ValidationException - The provided request is not valid.

=== a model that is not open to this account
--- chat: sim.http-403-accessdenied
--- error: 403 permission_error AccessDeniedException - You don't have access to the model with the specified model ID.

=== a model that is not there
--- chat: sim.http-404-resourcenotfound
--- error: 404 not_found_error ResourceNotFoundException - Could not resolve the foundation model from the provided model identifier.

=== a model that takes too long
--- chat: sim.http-408-modeltimeout
--- error: 408 timeout_error ModelTimeoutException - The model took too long to answer.

=== a model that fails
--- chat: sim.http-424-modelerror
--- error: 424 server_error ModelErrorException - The model failed to process the request.

=== a failure of Bedrock
--- chat: sim.http-500-internalserver.coral
--- error: 500 server_error InternalServerException - The system encountered an unexpected error during processing. Try your request again.

=== no service
--- chat: sim.http-503-serviceunavailable
--- error: 503 server_error ServiceUnavailableException - Bedrock is unable to process your request.

=== an HTML page as an error
--- chat: sim.http-502-html
--- error: 502 server_error ServiceUnavailableException - The gateway got no valid answer from Bedrock.

=== an HTML page as an answer
--- chat: sim.http-200-html
--- error: 502 server_error InternalServerException - Bedrock's answer was not what it should be.

=== what is not an event stream, as a stream
--- chat: sim.http-200-html "stream":true
--- error_code: 502
--- response_body_like: ^\{"error":\{.*"type":"server_error"

=== nothing as an answer
--- chat: sim.http-200-empty
--- error: 502 server_error InternalServerException - Bedrock's answer was not what it should be.

=== what AWS says of the gateway's own keys is not the client's business
--- chat: sim.http-403-unrecognizedclient
--- error: 502 server_error ServiceUnavailableException - The gateway got no valid answer from Bedrock.
--- access_log
exception=UnrecognizedClientException
--- error_log
AWS does not accept the gateway's credentials or signature: UnrecognizedClientException (403)

=== keys that have expired
--- chat: sim.http-403-expiredtoken
--- error: 502 server_error ServiceUnavailableException - The gateway got no valid answer from Bedrock.
--- error_log
the credentials have expired

=== an answer that is larger than this gateway takes
--- config
    location / { bedrock on; bedrock_max_frame_size 64k; proxy_pass http://bedrock; }
--- chat: sim.big.kib-128
--- error: 502 server_error InternalServerException - Bedrock's answer is larger than this gateway takes: see bedrock_max_frame_size.

=== an exception as the first frame has its own status
--- chat: sim.exception.type-throttling "stream":true
--- error: 429 rate_limit_error ThrottlingException - Too many requests, please wait before trying again.
--- access_log eval
qr/^429 converse_stream api=openai .* stream=exception exception=throttlingException .* ttft=- .* id=[0-9a-f-]{36}/
--- error_log
stream exception: throttlingException

=== and Bedrock's request id
--- chat: sim.exception.type-validation "stream":true
--- error_code: 400
--- response_headers_like
x-request-id: [0-9a-f-]{36}
--- response_body_like: "type":"invalid_request_error"
--- error_log
stream exception: validationException

=== an error frame first
--- chat: sim.error-frame "stream":true
--- error_code: 500
--- response_body_like: "type":"server_error"
--- error_log
stream exception

=== nothing but a cut first frame
--- chat: sim.truncated.at-0 "stream":true
--- error: 502 server_error stream_truncated - Bedrock's answer ended early.
--- error_log
stream truncated

=== a damaged first frame
--- chat: sim.corrupt.at-0 "stream":true
--- error: 502 server_error stream_corrupt - Bedrock's answer was damaged on the way.
--- error_log
stream corrupt

=== without bedrock_hold_headers the first frame's exception comes as an event
--- config
    location / { bedrock on; bedrock_hold_headers off; proxy_pass http://bedrock; }
--- chat: sim.exception.type-throttling "stream":true
--- response_headers
Content-Type: text/event-stream
--- response_body eval
qq(data: {"error":{"message":"Too many requests, please wait before trying again.","type":"rate_limit_error","param":null,"code":"ThrottlingException"}}\n\n)
--- error_log
stream exception: throttlingException

=== an exception in mid-stream
--- chat: sim.exception.at-3.type-modelstreamerror "stream":true
--- response_body_like: "content":" from"\},"finish_reason":null\}\]\}\s+data: \{"error":\{"message":"The model failed while it was streaming\.","type":"server_error","param":null,"code":"ModelStreamErrorException"\}\}\n\n\z
--- access_log eval
qr/^200 converse_stream .* in=- out=- .* stream=exception exception=modelStreamErrorException /
--- error_log
stream exception: modelStreamErrorException

=== a damaged frame in mid-stream: what was good, then the error, and nothing after it
--- chat: sim.corrupt.at-3 "stream":true
--- response_body_like: "content":" from"\},"finish_reason":null\}\]\}\s+data: \{"error":\{"message":"Bedrock's answer was damaged on the way\.","type":"server_error","param":null,"code":"stream_corrupt"\}\}\n\n\z
--- access_log
stream=corrupt
--- error_log
stream corrupt

=== a stream that ends early
--- chat: sim.truncated.at-3 "stream":true
--- response_body_like: "content":" from"\},"finish_reason":null\}\]\}\s+data: \{"error":\{"message":"Bedrock's answer ended early\.","type":"server_error","param":null,"code":"stream_truncated"\}\}\n\n\z
--- access_log
stream=truncated
--- error_log
stream truncated

=== a connection that breaks in mid-stream
--- chat: sim.reset.at-3 "stream":true
--- response_body_like: data: \{"error":\{"message":"Bedrock's answer ended early\.".*"code":"stream_truncated"\}\}\n\n\z
--- access_log
stream=truncated
--- error_log
stream truncated

=== silence in mid-stream
--- config
    location / { bedrock on; proxy_read_timeout 200ms; proxy_pass http://bedrock; }
--- chat: sim.stall.at-3 "stream":true
--- response_body_like: data: \{"error":\{"message":"Bedrock's answer ended early\.".*"code":"stream_truncated"\}\}\n\n\z
--- access_log
stream=truncated
--- error_log
upstream timed out

=== a body that is too large
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_max_body_size 10; }
--- chat: any.model
--- error: 413 invalid_request_error RequestEntityTooLargeException - The request body is larger than the gateway allows.
--- sent_count: 0
--- error_log
client intended to send too large body

=== no connection to Bedrock
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; }
--- chat: any.model "stream":true
--- error: 502 server_error ServiceUnavailableException - The gateway got no valid answer from Bedrock.
--- error_log
Connection refused

=== no answer in time
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_read_timeout 100ms; }
--- chat: sim.stall
--- error: 504 server_error ServiceUnavailableException - Bedrock did not answer in time.
--- error_log
upstream timed out

=== limit_req
--- http_config
    limit_req_zone $server_name zone=one:1m rate=1r/m;
--- config
    location / { bedrock on; limit_req zone=one; limit_req_log_level info; limit_req_status 429; proxy_pass http://bedrock; }
--- request eval
[('POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}') x 2]
--- error_code eval
[200, 429]
--- response_body_like eval
['chat.completion', '^\{"error":\{"message":"Too many requests, please wait before trying again.","type":"rate_limit_error","param":null,"code":"ThrottlingException"\}\}$']
--- sent_count eval
[1, 1]

=== a key that nginx does not take
--- config
    location / { bedrock on; if ($http_authorization != "Bearer right") { return 401; } proxy_pass http://bedrock; }
--- chat: any.model
--- more_headers
Authorization: Bearer wrong
--- error: 401 authentication_error UnrecognizedClientException - The request is not authenticated.
--- sent_count: 0

=== bedrock_api openai at any path, before the path was looked at
--- config
    location / { bedrock on; bedrock_api openai; client_max_body_size 10; proxy_pass http://bedrock; }
--- request
POST /any
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}
--- error_code: 413
--- response_body_like: ^\{"error":\{.*"type":"invalid_request_error"
--- error_log
client intended to send too large body

=== error_page takes it
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 = @own; }
    location @own { return 200 "own page\n"; }
--- chat: sim.throttled
--- response_body
own page

=== error_page to another region, signed anew
--- config
    proxy_intercept_errors on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model eu.other:0; proxy_pass http://bedrock; }
--- chat: sim.throttled
--- response_body_like: "object":"chat.completion",.*"model":"sim.throttled",.*Hello from
--- sent_count: 2
--- sent eval
["POST /model/eu.other%3A0/converse", qr{^authorization: .*/eu-west-1/bedrock/aws4_request}]
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- access_log eval
qr/^200 converse api=openai model=eu\.other:0 requested=sim\.throttled region=eu-west-1 in=25 out=12 .* exception=- /

=== a stream whose first frame is an exception goes to another region
--- config
    proxy_intercept_errors on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model eu.other; proxy_pass http://bedrock; }
--- chat: sim.exception "stream":true,"stream_options":{"include_usage":true}
--- response_headers
Content-Type: text/event-stream
--- response_body_like: ^data: \{"id":"chatcmpl-[0-9a-f-]+",.*"model":"sim.exception",(?s:.*)"total_tokens":37\}\}\s+data: \[DONE\]\s+$
--- sent_count: 2
--- sent
POST /model/eu.other/converse-stream
--- access_log eval
qr/^200 converse_stream api=openai model=eu\.other .* region=eu-west-1 in=25 out=12 .* stream=complete exception=- /
--- error_log
stream exception: throttlingException

=== a whole answer that is none goes there, too
--- config
    proxy_intercept_errors on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 502 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model eu.other; proxy_pass http://bedrock; }
--- chat: sim.http-200-html
--- response_body_like: "object":"chat.completion"
--- sent_count: 2
--- access_log
200 converse api=openai model=eu.other requested=sim.http-200-html region=eu-west-1
