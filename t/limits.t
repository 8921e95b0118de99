# Limits of output tokens and guardrails hold for every operation, or the request is refused.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a limit where the client has none
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100}}

=== a limit below the client's
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /
{"inferenceConfig":{"topP":0.50,"maxTokens":4096},"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent_body
{"inferenceConfig":{"topP":0.50,"maxTokens":100},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== a limit above the client's
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse-stream
{"inferenceConfig":{"maxTokens":7},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent_body
{"inferenceConfig":{"maxTokens":7},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== a limit in an invoke, in the model's own field
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/meta.llama3-v1:0/invoke
{"prompt":"Hi","max_gen_len":2048}
--- sent_body
{"prompt":"Hi","max_gen_len":100}

=== a limit in a streamed invoke
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/us.amazon.nova-lite-v1:0/invoke-with-response-stream
{"messages":[],"inferenceConfig":{"maxTokens":2048}}
--- sent_body
{"messages":[],"inferenceConfig":{"maxTokens":100}}

=== a limit on a body in a file
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; client_body_in_file_only clean; proxy_pass http://bedrock; }
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100}}

=== an invoke of a model whose format is not known
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/invoke
{}
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body_like: ^\{"message":"This gateway limits output tokens, and cannot do so here: the model's id does not show
--- sent_count: 0

=== more tokens through the model's native fields
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"max_tokens":4096}}
--- error_code: 403
--- response_body_like: additionalModelRequestFields asks for more output tokens
--- sent_count: 0

=== a managed prompt brings its own limit
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDE12345:3/converse
{}
--- error_code: 403
--- response_body_like: a managed prompt brings its own limit
--- sent_count: 0

=== count-tokens generates nothing
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/count-tokens
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}
--- sent_body
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}

=== a guardrail
--- config
    location / { bedrock on; bedrock_guardrail gr1 7 trace=enabled; proxy_pass http://bedrock; }
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"7","trace":"enabled"}}

=== wins over the client's
--- config
    location / { bedrock on; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","guardrailConfig":{"guardrailIdentifier":"mine"},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent_body
{"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"7"},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== in an invoke by headers, over the client's
--- config
    location / { bedrock on; bedrock_guardrail gr1 7 trace=enabled_full; proxy_pass http://bedrock; }
--- request
POST /model/any.model/invoke
{}
--- more_headers
X-Amzn-Bedrock-GuardrailIdentifier: mine
X-Amzn-Bedrock-GuardrailVersion: 1
X-Amzn-Bedrock-Trace: DISABLED
--- sent
x-amzn-bedrock-guardrailidentifier: gr1
x-amzn-bedrock-guardrailversion: 7
x-amzn-bedrock-trace: ENABLED_FULL

=== the client's own where the operator has none
--- request
POST /model/any.model/invoke
{}
--- more_headers
X-Amzn-Bedrock-GuardrailIdentifier: mine
X-Amzn-Bedrock-GuardrailVersion: 1
--- sent
x-amzn-bedrock-guardrailidentifier: mine
x-amzn-bedrock-guardrailversion: 1

=== a guardrail and the client's own signature do not go together
--- config
    location / { bedrock on; bedrock_auth off; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /model/any.model/invoke
{}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- sent_count: 0

=== more tokens among more fields than can be read
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request eval
"POST /model/any.model/converse\n" . '{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{'
. join('', map { "\"k$_\":1," } 0 .. 10000) . '"max_tokens":9999}}'
--- error_code: 403
--- response_body_like: additionalModelRequestFields cannot be read
--- sent_count: 0

=== more tokens in an array
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":[{"max_tokens":9999}]}
--- error_code: 403
--- sent_count: 0

=== more tokens deep in a model's own fields
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"generation_config":{"MAX_NEW_TOKENS":101}}}
--- error_code: 403
--- response_body_like: additionalModelRequestFields asks for more output tokens in MAX_NEW_TOKENS
--- sent_count: 0

=== several answers to an invoke
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/mistral.large/invoke
{"messages":[],"n":3}
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body chop
{"message":"This gateway limits output tokens, and cannot do so here: n asks for more than one answer."}
--- sent_count: 0

=== several answers on Bedrock's own OpenAI path
--- config
    location / { bedrock on; bedrock_api native; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /openai/v1/chat/completions
{"model":"any.model","messages":[],"n":3}
--- error_code: 403
--- sent_count: 0

=== a response in the background
--- config
    location / { bedrock on; bedrock_responses_via native; proxy_pass http://bedrock; }
--- request
POST /openai/v1/responses
{"model":"any.model","input":"Hi","background":true}
--- error_code: 403
--- response_body_like: takes no background responses
--- sent_count: 0

=== a budget for thinking above the limit
--- config
    location / { bedrock on; bedrock_max_output_tokens 3000; proxy_pass http://bedrock; }
--- request
POST /model/anthropic.claude-sonnet-4-20250514-v1:0/invoke
{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"Hi"}],"max_tokens":20000,"thinking":{"type":"enabled","budget_tokens":16000}}
--- sent_body
{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"Hi"}],"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":1500}}

=== no room for thinking
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
--- request
POST /model/anthropic.claude-sonnet-4-20250514-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"reasoning_config":{"type":"enabled","budget_tokens":2000},"top_k":5}}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"additionalModelRequestFields":{"top_k":5},"inferenceConfig":{"maxTokens":100}}

=== content that a guardrail would not look at
--- config
    location / { bedrock on; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"guardContent":{"text":{"text":"a"}}},{"text":"b"}]}]}
--- error_code: 403
--- response_body_like: puts a guardrail on every request
--- sent_count: 0

=== tags that would narrow a guardrail
--- config
    location / { bedrock on; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /model/any.model/invoke
{"amazon-bedrock-guardrailConfig":{"tagSuffix":"x"},"prompt":"Hi"}
--- sent_body
{"prompt":"Hi"}
