# Errors that nginx or Bedrock made, as clients and the log see them.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a body that is too large
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_max_body_size 10; }
--- error_code: 413
--- response_headers
Content-Type: application/json
X-Amzn-ErrorType: RequestEntityTooLargeException
--- response_body chop
{"message":"The request body is larger than the gateway allows."}
--- sent_count: 0
--- error_log
client intended to send too large body

=== a chunked body that is too large, in the plain form
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_max_body_size 10; }
--- raw_request eval
"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"model\":\"any.model\"\r\n0\r\n\r\n"
--- error_code: 413
--- response_headers
X-Amzn-ErrorType: RequestEntityTooLargeException
--- sent_count: 0
--- error_log
chunked body

=== no connection to Bedrock
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; }
--- error_code: 502
--- response_headers
Content-Type: application/json
X-Amzn-ErrorType: ServiceUnavailableException
--- response_body chop
{"message":"The gateway got no valid answer from Bedrock."}
--- access_log
502 converse api=native model=any.model
--- error_log
Connection refused

=== no answer in time
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_read_timeout 100ms; }
--- request
POST /model/sim.stall/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 504
--- response_headers
X-Amzn-ErrorType: ServiceUnavailableException
--- response_body chop
{"message":"Bedrock did not answer in time."}
--- error_log
upstream timed out

=== limit_req
--- http_config
    limit_req_zone $server_name zone=one:1m rate=1r/m;
--- config
    location / { bedrock on; limit_req zone=one; limit_req_log_level info; proxy_pass http://bedrock; }
--- request eval
[('POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}') x 2]
--- error_code eval
[200, 503]
--- response_headers eval
['', "Content-Type: application/json\nX-Amzn-ErrorType: ServiceUnavailableException"]
--- response_body_like eval
['Hello', '^\{"message":"The service is not available now, please try again."\}$']
--- sent_count eval
[1, 1]

=== limit_req by the model, with status 429
--- http_config
    limit_req_zone $bedrock_requested_model zone=one:1m rate=1r/m;
--- config
    location / { bedrock on; limit_req zone=one; limit_req_log_level info; limit_req_status 429; proxy_pass http://bedrock; }
--- request eval
[map { qq(POST /\n{"model":"$_","messages":[{"role":"user","content":[{"text":"Hi"}]}]}) } 'a', 'b', 'a']
--- error_code eval
[200, 200, 429]
--- response_headers eval
['', '', 'X-Amzn-ErrorType: ThrottlingException']
--- sent_count eval
[1, 2, 2]

=== auth_basic keeps its header
--- config
    location / { bedrock on; auth_basic closed; auth_basic_user_file /dev/null; proxy_pass http://bedrock; }
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="closed"
Content-Type: application/json
X-Amzn-ErrorType: UnrecognizedClientException
--- sent_count: 0

=== error_page takes nginx's own error
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; error_page 502 = @own; }
    location @own { return 503 "own page\n"; }
--- error_code: 503
--- response_body
own page
--- error_log
Connection refused

=== error_page takes a body that is too large
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_max_body_size 10; error_page 413 /413.txt; }
    location = /413.txt { alias html/413.txt; }
--- user_files
>>> 413.txt
Too large.
--- error_code: 413
--- response_body
Too large.
--- error_log
client intended to send too large body

=== Bedrock's error passes as it is
--- request
POST /model/sim.throttled/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 429
--- response_headers
Content-Type: application/json
X-Amzn-ErrorType: ThrottlingException
Retry-After: 1
--- response_body chop
{"message":"Too many requests, please wait before trying again."}
--- access_log eval
qr/^429 converse .* in=- out=- total=- .* stop=- stream=- exception=ThrottlingException .* id=[0-9a-f-]{36}$/

=== and keeps its request id
--- request
POST /model/sim.http-400-validation/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 400
--- response_headers_like
x-amzn-requestid: [0-9a-f-]{36}

=== an error with more members
--- request
POST /model/sim.http-424-modelerror/invoke
{}
--- error_code: 424
--- response_headers
X-Amzn-ErrorType: ModelErrorException
--- response_body_like: "originalStatusCode":500

=== an error type with a suffix
--- request
POST /model/sim.http-503-serviceunavailable.coral.retry-30/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 503
--- response_headers
X-Amzn-ErrorType: ServiceUnavailableException:http://internal.amazon.com/coral/com.amazon.bedrock/
Retry-After: 30
--- access_log
exception=ServiceUnavailableException tools

=== an error instead of a stream
--- request
POST /model/sim.throttled/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 429
--- response_headers
X-Amzn-ErrorType: ThrottlingException
Content-Type: application/json
Retry-After: 1
--- access_log
429 converse_stream api=native model=sim.throttled

=== an error instead of server-sent events
--- request
POST /
{"model":"sim.throttled","stream":true,"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Accept: text/event-stream
--- error_code: 429
--- response_headers
X-Amzn-ErrorType: ThrottlingException
Content-Type: application/json
--- response_body chop
{"message":"Too many requests, please wait before trying again."}

=== an HTML error
--- request
POST /model/sim.http-502-html/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 502
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>
--- access_log
502 converse api=native model=sim.http-502-html

=== an empty error
--- request
POST /model/sim.http-500-empty/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 500
--- response_body
--- access_log
500 converse

=== error_page takes Bedrock's error with proxy_intercept_errors
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 = @own; }
    location @own { return 200 "own page\n"; }
--- request
POST /model/sim.throttled/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_body
own page
--- access_log
200 converse api=native model=-

=== and leaves it without
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @own; }
    location @own { return 200 "own page\n"; }
--- request
POST /model/sim.throttled/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 429
--- response_body_like: Too many requests

=== AWS's verdict on the gateway's signature, which quotes the request
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / {
            default_type application/json;
            add_header x-amzn-ErrorType InvalidSignatureException always;
            return 403 '{"message":"It does not match.\\n\\nThe Canonical String should have been\\n\'POST\\nx-amz-security-token:TOKEN-EXAMPLE\\n\'"}';
        }
    }
--- config
    location / { bedrock on; bedrock_responses_via native; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- request eval
[map { "POST /$_\n" . '{"model":"any.model","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":5}' }
    'model/any.model/converse', 'model/any.model/converse-stream', 'model/any.model/invoke', 'plain',
    'v1/chat/completions', 'v1/messages', 'openai/v1/responses']
--- error_code eval
[(502) x 7]
--- response_body_unlike eval
[(qr/ignature|Canonical|TOKEN/) x 7]
--- error_log
AWS does not accept the gateway's credentials or signature: InvalidSignatureException (403): It does not match.
x-amz-security-token:***
--- no_error_log
TOKEN-EXAMPLE

=== nor do headers tell of it, and nothing leads elsewhere
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        absolute_redirect off;
        location / {
            default_type application/json;
            add_header X-Amz-Security-Token TOKEN-EXAMPLE always;
            add_header x-amzn-ErrorMessage TOKEN-EXAMPLE always;
            add_header X-Other "arn:aws:sts::123456789012:assumed-role/TOKEN-EXAMPLE/i" always;
            if ($uri ~ converse$) { return 302 /TOKEN-EXAMPLE; }
            return 403 '{"message":"no"}';
        }
    }
--- config
    location / { bedrock on; bedrock_responses_via native; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- request eval
[map { "POST /$_\n" . '{"model":"any.model","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":5}' }
    'model/any.model/converse', 'model/any.model/invoke', 'plain', 'v1/chat/completions', 'v1/messages', 'openai/v1/responses']
--- error_code eval
[302, 403, 302, 502, 502, 403]
--- raw_response_headers_unlike eval
[(qr/TOKEN|^Location/mi) x 6]

=== the client's own credentials are judged to its face
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / {
            default_type application/json;
            add_header x-amzn-ErrorType InvalidSignatureException always;
            return 403 '{"message":"It does not match."}';
        }
    }
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- more_headers
Authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=00
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: InvalidSignatureException
--- response_body chop
{"message":"It does not match."}

=== a verdict that nginx keeps in its cache
--- http_config
    proxy_cache_path html/cache keys_zone=answers:1m;
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; return 403 '{"__type":"x#SignatureDoesNotMatch","message":"TOKEN-EXAMPLE"}'; }
    }
--- config
    location / {
        bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock;
        proxy_cache answers; proxy_cache_methods POST; proxy_cache_key $request_uri; proxy_cache_valid any 1m;
    }
--- request eval
[(qq(POST /model/any.model/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]})) x 2]
--- error_code eval
[502, 502]
--- response_body_unlike eval
[(qr/TOKEN/) x 2]
--- error_log
SignatureDoesNotMatch (403)

=== a verdict with a good status out of nginx's cache, where another location has put it
--- http_config
    proxy_cache_path html/cache keys_zone=answers:1m;
    proxy_cache answers; proxy_cache_methods POST; proxy_cache_key $bedrock_model; proxy_cache_valid any 1m;
    add_header X-Cache $upstream_cache_status always;
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location /model/bad.model/ { default_type application/json; return 200 '{"__type":"x#SignatureDoesNotMatch","message":"TOKEN-EXAMPLE"}'; }
        location /model/good.model/ {
            default_type application/json;
            add_header X-Amz-Security-Token TOKEN-EXAMPLE;
            add_header X-Amzn-Error-Message TOKEN-EXAMPLE;
            return 200 '{"output":{}}';
        }
        location /model/packed.model/ { default_type application/json; add_header Content-Encoding br; return 200 'TOKEN-EXAMPLE, packed'; }
    }
--- config
    location /clients/ { bedrock on; bedrock_auth off; proxy_buffering on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
    location / { bedrock on; proxy_buffering on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- request eval
[map { my $model = $_; map { qq(POST $_/model/$model.model/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}) } '/clients', '' } qw(bad good packed)]
--- more_headers
Authorization: the client's own
--- error_code eval
[200, 502, 200, 200, 200, 502]
--- response_headers eval
["X-Cache: MISS", "X-Cache: HIT", "X-Cache: MISS\nX-Amz-Security-Token: TOKEN-EXAMPLE", "X-Cache: HIT\n!X-Amz-Security-Token\n!X-Amzn-Error-Message",
 "X-Cache: MISS", "X-Cache: HIT\n!Content-Encoding"]
--- response_body_like eval
[qr/TOKEN/, qr/^\{"message":"The gateway got no valid answer from Bedrock."\}$/, qr/output/, qr/^\{"output":\{\}\}$/,
 qr/TOKEN/, qr/^\{"message":"The gateway got no valid answer from Bedrock."\}$/]
--- no_error_log
[alert]

=== an error in a coding that was not asked for is not passed on unread
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; add_header Content-Encoding gzip always; return 403 'TOKEN-EXAMPLE, packed'; }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 403
--- response_headers
!Content-Encoding
X-Amzn-ErrorType: AccessDeniedException
--- response_body chop
{"message":"The gateway does not allow this request."}
--- error_log
Bedrock's answer cannot be looked at, so that the client does not get it: Content-Encoding is gzip (403, -)

=== a permission error says what is missing, and not who asked
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / {
            default_type application/json;
            add_header x-amzn-ErrorType AccessDeniedException always;
            return 403 '{"message":"User: arn:aws:sts::123456789012:assumed-role/Gateway/i-1 is not authorized to perform: bedrock:InvokeModel"}';
        }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body chop
{"message":"User: the gateway is not authorized to perform: bedrock:InvokeModel"}
--- error_log
AWS refuses this to the gateway: AccessDeniedException (403): User: arn:aws:sts::123456789012:assumed-role/Gateway/i-1

=== a permission error about a model passes
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / {
            default_type application/json;
            add_header x-amzn-ErrorType AccessDeniedException always;
            return 403 "{\"message\": \"You don't have access to the model with the specified model ID.\"}";
        }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 403
--- response_body chop
{"message": "You don't have access to the model with the specified model ID."}
