# What the gateway refuses: in Bedrock's shape, and before anything is sent.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: STATUS EXCEPTION MESSAGE`: that answer, and nothing reaches Bedrock.
add_block_preprocessor(sub {
    my $block = shift;
    my $refused = $block->refused // return;
    chomp $refused;
    my ($status, $exception, $message) = split / /, $refused, 3;
    $message =~ s/"/\\"/g;
    $block->set_value(error_code => $status);
    $block->set_value(response_headers => "Content-Type: application/json\nX-Amzn-ErrorType: $exception");
    $block->set_value(response_body => qq({"message":"$message"}));
    $block->set_value(sent_count => 0);
});

run_tests();

__DATA__

=== no model
--- request
POST /
{"messages":[]}
--- refused: 400 ValidationException The request names no model: put "model" into the body.

=== an empty model
--- request
POST /
{"model":"","messages":[]}
--- refused: 400 ValidationException The request names no model: put "model" into the body.

=== a model that is no string
--- request
POST /
{"model":["a"],"messages":[]}
--- refused: 400 ValidationException "model" must be a string.

=== a stream that is no flag
--- request
POST /
{"model":"a","stream":"true","messages":[]}
--- refused: 400 ValidationException "stream" must be true or false.

=== model twice
--- request
POST /
{"model":"a","messages":[],"model":"b"}
--- error_code: 400
--- response_headers
X-Amzn-ErrorType: ValidationException
--- response_body_like: ^\{"message":"The request body is ambiguous: .*model
--- sent_count: 0

=== model twice, once escaped
--- request
POST /
{"model":"a","messages":[],"mod\u0065l":"b"}
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is ambiguous: .*model
--- sent_count: 0

=== stream twice
--- request
POST /
{"model":"a","stream":false,"stream":true}
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is ambiguous: .*stream
--- sent_count: 0

=== broken JSON
--- request
POST /
{"model":"a",
--- error_code: 400
--- response_headers
Content-Type: application/json
X-Amzn-ErrorType: ValidationException
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== an array
--- request
POST /
[{"model":"a"}]
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== more after the object
--- request
POST /
{"model":"a","messages":[]} {}
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== no UTF-8
--- request eval
qq(POST /\n{"model":"a\xff"})
--- refused: 400 ValidationException The request body is not a JSON object: it is not UTF-8.

=== no body
--- request
POST /
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== no body on a native path
--- request
POST /model/any.model/converse
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== broken JSON on a native path
--- request
POST /model/any.model/converse-stream
{"messages":
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== a broken body in a file
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_in_file_only clean; }
--- request
POST /
{"model":"a",
--- error_code: 400
--- response_body_like: ^\{"message":"The request body is not a JSON object: 
--- sent_count: 0

=== GET
--- request
GET /model/any.model/converse
--- error_code: 405
--- response_headers
Allow: POST
X-Amzn-ErrorType: UnknownOperationException
--- response_body chop
{"message":"This operation takes POST requests only."}
--- sent_count: 0

=== GET where there is no operation
--- request
GET /favicon.ico
--- refused: 404 UnknownOperationException This gateway does not serve pages: at this path it takes POST requests only.

=== HEAD of the root, with which some clients look whether there is anybody
--- request
HEAD /
--- error_code: 404
--- response_body

=== what is not served is said in the form of the API that it belongs to: OpenAI's
--- request
POST /v1/images/generations
{"model":"any.model","prompt":"a cat","messages":[]}
--- error_code: 404
--- response_body_like: ^\{"error":\{"message":"This gateway does not serve /v1/images/generations\."

=== and Anthropic's
--- request
POST /v1/messages/batches
{"model":"any.model","messages":[]}
--- error_code: 404
--- response_body_like: ^\{"type":"error","error":\{"type":"not_found_error","message":"This gateway does not serve /v1/messages/batches\."

=== PUT
--- request
PUT /
{"model":"any.model","messages":[]}
--- refused: 405 UnknownOperationException This operation takes POST requests only.

=== OPTIONS
--- request
OPTIONS /model/any.model/converse
--- refused: 405 UnknownOperationException This operation takes POST requests only.

=== HEAD
--- request
HEAD /model/any.model/converse
--- error_code: 405
--- response_headers
Content-Type: application/json
--- response_body
--- sent_count: 0

=== a body that is no JSON by its type
--- more_headers
Content-Type: text/plain
--- refused: 415 UnsupportedMediaTypeException The request body must be application/json.

=== a type that only begins right
--- more_headers
Content-Type: application/jsonl
--- refused: 415 UnsupportedMediaTypeException The request body must be application/json.

=== a type with a parameter is JSON
--- more_headers
Content-Type: Application/JSON ; charset=utf-8
--- sent
content-type: application/json

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models other.*; proxy_pass http://bedrock; }
--- refused: 403 AccessDeniedException This gateway does not allow the model any.model.

=== a model that is not allowed, in the plain form
--- config
    location / { bedrock on; bedrock_allow_models other.*; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","messages":[]}
--- refused: 403 AccessDeniedException This gateway does not allow the model any.model.

=== a model that is not allowed, twice encoded
--- config
    location / { bedrock on; bedrock_allow_models *v2:*; proxy_pass http://bedrock; }
--- request
POST /model/a-v1%253A0/invoke
{}
--- refused: 403 AccessDeniedException This gateway does not allow the model a-v1:0.

=== an alias to a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models other.*; bedrock_model any.model; proxy_pass http://bedrock; }
--- request
POST /model/other.model/converse
{"messages":[]}
--- refused: 403 AccessDeniedException This gateway does not allow the model any.model.

=== an id that goes up
--- request
POST /model/x/../any.model/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== an id that goes up, encoded
--- request
POST /model/x%2F%2e%2E%2Fany.model/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== an id that goes up, encoded twice
--- request
POST /model/x%252F%252e%252E%252Fany.model/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== an id that goes up, in the body
--- request
POST /
{"model":"../../guardrail","messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== NUL
--- request
POST /model/any%00model/converse
{"messages":[]}
--- error_code: 400
--- sent_count: 0

=== NUL, encoded twice
--- request
POST /model/any%2500model/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== NUL, in the body
--- request
POST /
{"model":"any\u0000model","messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== a line break
--- request
POST /model/any%0D%0AHost:%20x/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== a line break, in the body
--- request
POST /
{"model":"any\r\nHost: x","messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== a question mark
--- request
POST /model/any%3Fmodel/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== what is no UTF-8
--- request
POST /model/any%FF/converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== an empty id
--- request
POST /model//converse
{"messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== a guardrail's id that goes up
--- request
POST /guardrail/..%2Fx/version/1/apply
{"source":"INPUT","content":[{"text":"Hi"}]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== bedrock_model with a client's header in it
--- config
    location / { bedrock on; bedrock_model $http_x_model; proxy_pass http://bedrock; }
--- more_headers
X-Model: a/../../b
--- refused: 400 ValidationException The provided model identifier is invalid.

=== access control comes first
--- config
    location / { bedrock on; deny all; proxy_pass http://bedrock; }
--- request
POST /
not JSON
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body chop
{"message":"The gateway does not allow this request."}
--- sent_count: 0
--- error_log
access forbidden by rule

=== error_page takes a refusal
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 400 =422 /own; }
    location = /own { internal; return 200 "own page\n"; }
--- request
POST /
{"messages":[]}
--- error_code: 422
--- response_body
own page
--- sent_count: 0

=== a refusal is in the log
--- request
POST /
{"messages":[]}
--- error_code: 400
--- access_log
400 converse api=converse model=- requested=-
--- error_log
[info]
bedrock: refused with 400 ValidationException: The request names no model

=== a model name that would begin another request
--- config
    location / {
        bedrock on; bedrock_model any.model; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host;
        proxy_set_header Connection "";
        proxy_set_header X-Requested-Model $bedrock_requested_model;
    }
--- request
POST /
{"model":"x\r\nContent-Length: 0\r\n\r\nPOST /model/denied/converse HTTP/1.1\r\nHost: x\r\n\r\n","messages":[]}
--- refused: 400 ValidationException The provided model identifier is invalid.

=== the same in a path
--- config
    location / { bedrock on; bedrock_model any.model; proxy_pass http://bedrock; add_header X-Model $bedrock_requested_model always; }
--- request
POST /model/x%250d%250aX-Evil:%25201/converse
{"messages":[{"role":"user","content":[]}]}
--- error_code: 400
--- response_headers
X-Evil:
X-Model:
--- sent_count: 0

=== a model name that is too long for a key
--- request eval
"POST /\n{\"model\":\"" . 'x' x 2049 . '","messages":[]}'
--- refused: 400 ValidationException The provided model identifier is invalid.

=== a header that cannot be signed
--- request
POST /model/any.model/invoke
{}
--- more_headers eval
"Content-Type: application/json;\tx=y"
--- refused: 400 ValidationException The header content-type is given twice, or has a character that it must not have.

=== a header with bytes above 0x7f
--- request
POST /model/any.model/invoke
{}
--- more_headers eval
"X-Amzn-Bedrock-Trace: \xff\xfe"
--- refused: 400 ValidationException The header x-amzn-bedrock-trace is given twice, or has a character that it must not have.

=== a header with DEL
--- more_headers eval
"User-Agent: a\x7fb"
--- refused: 400 ValidationException The header user-agent is given twice, or has a character that it must not have.

=== a header with VT that is signed
--- request
POST /model/any.model/invoke
{}
--- more_headers eval
"X-Amzn-Bedrock-Trace: a\x0bb"
--- refused: 400 ValidationException The header x-amzn-bedrock-trace is given twice, or has a character that it must not have.

=== a header twice that is signed
--- request
POST /model/any.model/invoke
{}
--- more_headers
X-Amzn-Bedrock-Trace: ENABLED
X-Amzn-Bedrock-Trace: DISABLED
--- refused: 400 ValidationException The header x-amzn-bedrock-trace is given twice, or has a character that it must not have.

=== a session that is no name
--- config
    location / { bedrock on; proxy_pass http://bedrock; add_header X-Session "<$bedrock_session_id>" always; }
--- more_headers eval
"X-Claude-Code-Session-Id: a\x7fb"
--- error_code: 400
--- response_headers
X-Session: <>
--- sent_count: 0
