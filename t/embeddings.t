# OpenAI's embeddings through InvokeModel. What becomes of each parameter: crates/gateway/tests/embeddings.rs.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== Titan: one text, and its tokens in the log
--- request
POST /v1/embeddings
{"model":"amazon.titan-embed-text-v2:0","input":"two words","dimensions":256}
--- more_headers
Authorization: Bearer anything
OpenAI-Organization: o
x-stainless-lang: python
--- sent
POST /model/amazon.titan-embed-text-v2%3A0/invoke
content-type: application/json
--- sent_body: {"inputText":"two words","dimensions":256}
--- response_headers_like
Content-Type: application/json
x-request-id: [0-9a-f-]{36}
--- response_body_like eval: qr/\A\{"object":"list","data":\[\{"object":"embedding","index":0,"embedding":\[-?[0-9.]+(,-?[0-9.]+){255}\]\}\],"model":"amazon\.titan-embed-text-v2:0","usage":\{"prompt_tokens":2,"total_tokens":2\}\}\z/
--- access_log eval
qr/^200 invoke api=openai model=amazon\.titan-embed-text-v2:0 requested=amazon\.titan-embed-text-v2:0 region=us-east-1 in=2 out=- .* stream=- exception=- .* id=[0-9a-f-]{36}/

=== Cohere: several texts, by an alias, in base64
--- config
    location / {
        bedrock on; bedrock_alias text-embedding-3-small cohere.embed-multilingual-v3; bedrock_allow_models cohere.*;
        proxy_pass http://bedrock;
    }
--- request
POST /openai/v1/embeddings
{"input":["one","and two"],"model":"text-embedding-3-small","encoding_format":"base64","input_type":"search_query"}
--- sent_body: {"texts":["one","and two"],"input_type":"search_query"}
--- response_body_like eval: qr/\A\{"object":"list","data":\[\{"object":"embedding","index":0,"embedding":"[A-Za-z0-9+\/]{5460,5464}={0,2}"\},\{"object":"embedding","index":1,"embedding":"[^"]+"\}\],"model":"text-embedding-3-small","usage":\{"prompt_tokens":3,"total_tokens":3\}\}\z/
--- access_log
 model=cohere.embed-multilingual-v3 requested=text-embedding-3-small region=us-east-1 in=3 out=-

=== Cohere 4, which answers by type
--- request
POST /v1/embeddings
{"model":"us.cohere.embed-v4:0","input":["one"],"dimensions":512}
--- sent_body: {"texts":["one"],"input_type":"search_document","output_dimension":512}
--- response_body_like: "embedding":\[(-?[0-9.]+,){511}

=== several texts for Titan
--- request
POST /v1/embeddings
{"model":"amazon.titan-embed-text-v1","input":["a","b"]}
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body eval
qq({"error":{"message":"\\"input\\" must be one text: this model takes one at a time, so send a request for each.","type":"invalid_request_error","param":"input","code":"ValidationException"}})
--- sent_count: 0

=== an application profile does not show whose model it is
--- request
POST /v1/embeddings
{"model":"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc","input":"a"}
--- error_code: 400
--- response_body_like: does not show whose model it is.*"param":"model"
--- sent_count: 0

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models amazon.*; proxy_pass http://bedrock; }
--- request
POST /v1/embeddings
{"model":"cohere.embed-english-v3","input":"a"}
--- error_code: 403
--- response_body_like: "type":"permission_error"
--- sent_count: 0

=== another method
--- request
GET /v1/embeddings
--- error_code: 405
--- response_headers
Allow: POST
--- response_body_like: \{"error":\{"message"

=== Bedrock's error in OpenAI's shape
--- request
POST /v1/embeddings
{"model":"cohere.embed-v4.sim.throttled","input":"a"}
--- error_code: 429
--- response_headers
Retry-After: 1
--- response_body_like: "type":"rate_limit_error","param":null,"code":"ThrottlingException"
--- access_log eval
qr/^429 invoke api=openai .* in=- out=- .* exception=ThrottlingException/

=== with bedrock_api openai at any path
--- config
    location / { bedrock on; bedrock_api openai; proxy_pass http://bedrock; }
--- request
POST /team/embeddings?api-version=1
{"model":"amazon.titan-embed-text-v1","input":["a"]}
--- response_body_like: "embedding":\[(-?[0-9.]+,){1535}
