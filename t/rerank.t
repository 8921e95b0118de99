# Cohere's Rerank through InvokeModel. What becomes of each parameter: crates/gateway/tests/rerank.rs.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== Cohere: the second version
--- request
POST /v2/rerank
{"model":"cohere.rerank-v3-5:0","query":"two words","documents":["none","words","two words"],"top_n":2,"max_tokens_per_doc":100}
--- more_headers
Authorization: Bearer anything
X-Client-Name: c
--- sent
POST /model/cohere.rerank-v3-5%3A0/invoke
content-type: application/json
--- not_sent
x-client-name
--- sent_body: {"query":"two words","documents":["none","words","two words"],"top_n":2,"max_tokens_per_doc":100,"api_version":2}
--- response_headers
Content-Type: application/json
--- response_body_like eval: qr/\A\{"id":"[0-9a-f-]{36}","results":\[\{"index":2,"relevance_score":1\.0\},\{"index":1,"relevance_score":0\.5\}\],"meta":\{"api_version":\{"version":"2"\},"billed_units":\{"search_units":1\}\}\}\z/
--- access_log eval
qr/^200 invoke api=cohere model=cohere\.rerank-v3-5:0 requested=cohere\.rerank-v3-5:0 region=us-east-1 in=- out=- .* stream=- exception=- .* id=[0-9a-f-]{36}/

=== Amazon: the first version, with the documents in the answer, by an alias
--- config
    location / {
        bedrock on; bedrock_alias rerank-english-v3.0 amazon.rerank-v1:0; bedrock_allow_models *.rerank-*;
        proxy_pass http://bedrock;
    }
--- request
POST /cohere/v1/rerank
{"model":"rerank-english-v3.0","query":"b","documents":[{"text":"a","id":"1"},{"text":"b","id":"2"}],"return_documents":true,"top_n":9}
--- sent
POST /model/amazon.rerank-v1%3A0/invoke
--- sent_body: {"query":"b","documents":["a","b"],"top_n":2}
--- response_body_like: "results":\[\{"index":1,"relevance_score":1.0,"document":\{"text":"b","id":"2"\}\},\{"index":0,"relevance_score":0.0,"document":\{"text":"a","id":"1"\}\}\],"meta":\{"api_version":\{"version":"1"\}
--- access_log
 model=amazon.rerank-v1:0 requested=rerank-english-v3.0 region=us-east-1

=== search units are a variable
--- http_config
    log_format units 'units=$bedrock_search_units';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log units; }
--- request eval
qq(POST /v2/rerank\n{"model":"amazon.rerank-v1:0","query":"b","documents":[) . '"a",' x 100 . '"a"]}'
--- response_body_like: "billed_units":\{"search_units":2\}
--- access_log eval
qr/^units=2$/

=== of Bedrock's own form, too
--- http_config
    log_format units 'units=$bedrock_search_units';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log units; }
--- request
POST /model/amazon.rerank-v1:0/invoke
{"query":"b","documents":["a"]}
--- response_body: {"results":[{"index":0,"relevance_score":0.0}]}
--- access_log eval
qr/^units=1$/

=== and of nothing else
--- http_config
    log_format units 'units=$bedrock_search_units';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log units; }
--- access_log eval
qr/^units=-$/

=== what is left out is told in the log
--- request
POST /v2/rerank
{"model":"amazon.rerank-v1:0","query":"b","documents":["a"],"max_tokens_per_doc":100}
--- sent_body: {"query":"b","documents":["a"]}
--- error_code: 200
--- error_log
left out max_tokens_per_doc

=== an error names the parameter
--- request
POST /v1/rerank
{"model":"cohere.rerank-v3-5:0","query":"b","documents":[]}
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body eval
qq({"message":"\\"documents\\" must not be empty."})
--- sent_count: 0

=== another model
--- request
POST /v2/rerank
{"model":"amazon.nova-lite-v1:0","query":"b","documents":["a"]}
--- error_code: 400
--- response_body_like: \A\{"message":"\\"model\\" must be one of
--- sent_count: 0

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models amazon.*; proxy_pass http://bedrock; }
--- request
POST /v2/rerank
{"model":"cohere.rerank-v3-5:0","query":"b","documents":["a"]}
--- error_code: 403
--- response_body_like: \A\{"message":"This gateway does not allow
--- sent_count: 0

=== another method
--- request
GET /v2/rerank
--- error_code: 405
--- response_headers
Allow: POST
--- response_body_like: \A\{"message":"

=== Bedrock's error in Cohere's shape
--- request
POST /v2/rerank
{"model":"cohere.rerank-v3-5.sim.throttled","query":"b","documents":["a"]}
--- error_code: 429
--- response_headers
Retry-After: 1
--- response_body_like: \A\{"id":"[0-9a-f-]{36}","message":"
--- access_log eval
qr/^429 invoke api=cohere .* in=- out=- .* exception=ThrottlingException/

=== with bedrock_api cohere at any path
--- config
    location / { bedrock on; bedrock_api cohere; proxy_pass http://bedrock; }
--- request
POST /rank
{"model":"amazon.rerank-v1:0","query":"b","documents":["a"]}
--- response_body_like: "meta":\{"api_version":\{"version":"2"\}

=== with another bedrock_api
--- config
    location / { bedrock on; bedrock_api openai; proxy_pass http://bedrock; }
--- request
POST /v1/rerank
{"model":"amazon.rerank-v1:0","query":"b","documents":["a"]}
--- error_code: 404
--- response_body_like: \{"error":\{"message":"This gateway does not serve rerank where bedrock_api names another API
--- sent_count: 0

=== bedrock_max_output_tokens and bedrock_guardrail
--- config
    location / { bedrock on; bedrock_max_output_tokens 5; bedrock_guardrail g1 2; proxy_pass http://bedrock; }
--- request
POST /v2/rerank
{"model":"amazon.rerank-v1:0","query":"b","documents":["a"]}
--- sent
x-amzn-bedrock-guardrailidentifier: g1
x-amzn-bedrock-guardrailversion: 2
--- sent_body: {"query":"b","documents":["a"]}
