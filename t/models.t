# bedrock_alias, and the models that GET /v1/models lists. What nginx -t says of bedrock_alias is in directives.t.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- aliased`: a location with two aliases.
add_block_preprocessor(sub {
    my $block = shift;
    return unless defined $block->aliased;
    my $more = $block->aliased;
    chomp $more;
    $block->set_value(config => <<"_EOC_");
    location / {
        bedrock on;
        bedrock_alias gpt-4o us.amazon.nova-pro-v1:0;
        bedrock_alias best   arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0;
        $more
        proxy_pass http://bedrock;
    }
_EOC_
});

run_tests();

__DATA__

=== an alias in a chat completion: the client reads its own word
--- aliased
--- request
POST /v1/chat/completions
{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"gpt-4o"
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse
--- access_log
model=us.amazon.nova-pro-v1:0 requested=gpt-4o

=== of an ARN
--- aliased
--- request
POST /v1/chat/completions
{"model":"best","stream":true,"messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"best".*\[DONE\]
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse-stream

=== on a native path
--- aliased
--- request
POST /model/gpt-4o/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse
--- access_log
200 converse api=native model=us.amazon.nova-pro-v1:0 requested=gpt-4o

=== in the plain form
--- aliased
--- request
POST /
{"model":"gpt-4o","messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}

=== a name with a slash, and one with a blank that is encoded
--- config
    location / { bedrock on; bedrock_alias openai/gpt-4o any.model; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"openai/gpt-4o"
--- sent
POST /model/any.model/converse

=== another name goes on as it is
--- aliased
--- request
POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/any.model/converse

=== case counts
--- aliased
--- request
POST /v1/chat/completions
{"model":"GPT-4o","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/GPT-4o/converse

=== an alias is not looked up again
--- config
    location / { bedrock on; bedrock_alias a b; bedrock_alias b c; proxy_pass http://bedrock; }
--- request
POST /model/a/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- sent
POST /model/b/converse

=== bedrock_model wins
--- aliased: bedrock_model operators.model;
--- request
POST /v1/chat/completions
{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/operators.model/converse

=== an empty bedrock_model does not
--- aliased: bedrock_model $arg_none;
--- request
POST /v1/chat/completions
{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse

=== the list of allowed models holds for what is called
--- aliased: bedrock_allow_models us.amazon.*;
--- request
POST /v1/chat/completions
{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"gpt-4o"
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse

=== and not for the name
--- aliased: bedrock_allow_models gpt-*;
--- request
POST /v1/chat/completions
{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}
--- error_code: 403
--- response_body_like: This gateway does not allow the model us.amazon.nova-pro-v1:0
--- sent_count: 0

=== from the server
--- config
    bedrock_alias fast any.model;
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"fast","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/any.model/converse

=== a location's aliases replace those of the server
--- config
    bedrock_alias fast any.model;
    location / { bedrock on; bedrock_alias smart other.model; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"fast","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/fast/converse

=== a fallback may have aliases of its own
--- config
    proxy_intercept_errors on;
    location / { bedrock on; bedrock_alias fast sim.throttled; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_alias fast eu.model; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"fast","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"fast"
--- sent_count: 2
--- sent
POST /model/eu.model/converse

=== with the client's own signature there is nothing that could be changed
--- aliased: bedrock_auth off;
--- request
POST /model/gpt-4o/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Authorization: Bearer x
--- error_code: 403
--- response_body_like: This gateway does not sign
--- sent_count: 0

=== the list
--- aliased: bedrock_allow_models us.amazon.* us.anthropic.claude-x;
--- request
GET /v1/models
--- response_headers
Content-Type: application/json
--- response_body chop
{"object":"list","data":[{"id":"gpt-4o","object":"model","type":"model","display_name":"gpt-4o","owned_by":"amazon-bedrock","created":0,"created_at":"1970-01-01T00:00:00Z"},{"id":"us.anthropic.claude-x","object":"model","type":"model","display_name":"us.anthropic.claude-x","owned_by":"amazon-bedrock","created":0,"created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"gpt-4o","last_id":"us.anthropic.claude-x"}
--- sent_count: 0
--- access_log
200 list_models api=openai model=- requested=- region=- in=- out=-

=== behind a prefix, with a slash and a query
--- aliased
--- request
GET /team/v1/models/?limit=20
--- response_body_like: ^\{"object":"list","data":\[\{"id":"gpt-4o"
--- sent_count: 0

=== one model
--- aliased
--- request
GET /v1/models/gpt-4o
--- response_body chop
{"id":"gpt-4o","object":"model","type":"model","display_name":"gpt-4o","owned_by":"amazon-bedrock","created":0,"created_at":"1970-01-01T00:00:00Z"}
--- sent_count: 0
--- access_log
200 list_models api=openai model=- requested=gpt-4o

=== one whose name has a slash
--- config
    location / { bedrock on; bedrock_alias openai/gpt-4o any.model; proxy_pass http://bedrock; }
--- request
GET /v1/models/openai%2Fgpt-4o
--- response_body_like: ^\{"id":"openai/gpt-4o"
--- sent_count: 0

=== one that is not there
--- aliased
--- request
GET /v1/models/gpt-5
--- error_code: 404
--- response_headers
Content-Type: application/json
--- response_body chop
{"error":{"message":"There is no model of this name; GET /v1/models lists those there are.","type":"not_found_error","param":null,"code":"ResourceNotFoundException"}}
--- sent_count: 0

=== HEAD
--- aliased
--- request
HEAD /v1/models
--- response_headers_like
Content-Type: application/json
Content-Length: [1-9]\d+
--- response_body
--- sent_count: 0

=== HEAD of one that is not there
--- aliased
--- request
HEAD /v1/models/gpt-5
--- error_code: 404
--- response_body
--- sent_count: 0

=== POST
--- aliased
--- request
POST /v1/models
{}
--- error_code: 405
--- response_headers
Allow: GET, HEAD
--- response_body chop
{"error":{"message":"This operation takes GET, HEAD requests only.","type":"invalid_request_error","param":null,"code":"UnknownOperationException"}}
--- sent_count: 0

=== a GET with a body
--- aliased
--- pipelined_requests eval
["GET /v1/models\n{}", "GET /v1/models/best"]
--- error_code eval
[200, 200]
--- response_body_like eval
['^\{"object":"list"', '^\{"id":"best"']
--- sent_count: 0

=== access control comes first
--- aliased: deny all;
--- request
GET /v1/models
--- error_code: 403
--- response_body_like: "type":"permission_error"
--- sent_count: 0
--- error_log
access forbidden by rule

=== over HTTP/2
--- aliased
--- http2
--- request
GET /v1/models/best
--- response_body_like: ^\{"id":"best"
--- sent_count: 0

=== bedrock_api native has no such path
--- aliased: bedrock_api native;
--- request
GET /v1/models
--- error_code: 404
--- response_headers
X-Amzn-ErrorType: UnknownOperationException
--- sent_count: 0

=== a list without models says why
--- config
    location / { bedrock on; bedrock_allow_models any.*; proxy_pass http://bedrock; }
--- request
GET /v1/models
--- response_body_like: ^\{"object":"list","data":\[\],"has_more":false,"first_id":null,"last_id":null,"message":"This gateway has no names of models to list\. Its operator adds them with bedrock_alias
--- error_log
[warn]
bedrock: This gateway has no names of models to list.
--- sent_count: 0
