# Anthropic's Messages: through invoke for Claude, through Converse for others.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== Claude goes through invoke
--- request
POST /v1/messages?beta=true
{"model":"us.anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Content-Type: application/json
Accept: application/json
Authorization: Bearer client
X-Api-Key: client
Anthropic-Version: 2023-06-01
Anthropic-Beta: a-1,fine-grained-tool-streaming-2025-05-14,advanced-tool-use-2025-11-20
X-Stainless-Lang: python
X-Claude-Code-Session-Id: 5e55
--- sent
POST /model/us.anthropic.claude-x/invoke
content-type: application/json
--- not_sent
x-api-key
anthropic-version
anthropic-beta
x-stainless-lang
x-claude-code-session-id
accept
--- sent_body
{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["fine-grained-tool-streaming-2025-05-14","tool-search-tool-2025-10-19"]}
--- response_headers_like
Content-Type: application/json
request-id: [0-9a-f-]{36}
--- response_body_like: ^\{.*"text":"Hello from the Bedrock stand-in\.".*"type":"message"
--- access_log eval
qr/^200 invoke api=anthropic model=us\.anthropic\.claude-x requested=us\.anthropic\.claude-x .* in=25 out=12 total=37 .* stop=end_turn stream=- /

=== in events
--- request
POST /v1/messages
{"model":"us.anthropic.claude-x","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/us.anthropic.claude-x/invoke-with-response-stream
--- response_headers
Content-Type: text/event-stream
--- response_body_like eval
qr/\Aevent: message_start\ndata: \{.*\n\nevent: content_block_start\ndata: (?:.|\n)*event: message_delta\ndata: .*\n\nevent: message_stop\ndata: \{"type":"message_stop"\}\n\n\z/
--- access_log eval
qr/^200 invoke_stream api=anthropic .* in=25 out=12 .* stop=end_turn stream=complete /

=== the cached tokens of an invoke stream, in the log
--- request
POST /v1/messages
{"model":"anthropic.sim.cached","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- response_body_unlike: invocationMetrics
--- access_log eval
qr/ in=10 out=20 total=1230 read=1000 write=200 stop=end_turn stream=complete /

=== another model goes through Converse
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"system":"S","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/amazon.nova-x/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"system":[{"text":"S"}],"inferenceConfig":{"maxTokens":9}}
--- response_headers_like
Content-Type: application/json
request-id: [0-9a-f-]{36}
--- response_body_like eval
qr/\A\{"id":"msg_[0-9a-f-]{36}","type":"message","role":"assistant","model":"amazon\.nova-x","content":\[\{"type":"text","text":"Hello from the Bedrock stand-in\."\}\],"stop_reason":"end_turn","stop_sequence":null,"usage":\{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":12\}\}\z/
--- access_log eval
qr/^200 converse api=anthropic .* in=25 out=12 .* stop=end_turn stream=- /

=== in events, too
--- request
POST /v1/messages
{"model":"amazon.nova-sim.tools","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/amazon.nova-sim.tools/converse-stream
--- response_headers
Content-Type: text/event-stream
--- response_body_like eval
qr/\Aevent: message_start\ndata: .*\n\nevent: ping\n(?:.|\n)*"index":2,"content_block":\{"type":"tool_use"(?:.|\n)*"stop_reason":"tool_use"(?:.|\n)*"output_tokens":12\}\}\n\nevent: message_stop\ndata: .*\n\n\z/
--- access_log eval
qr/^200 converse_stream api=anthropic .* stop=tool_use stream=complete exception=- tools=2 /

=== Claude through Converse where the operator wants that
--- config
    location / { bedrock on; bedrock_anthropic_via converse; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"stop_sequences":["E"],"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Anthropic-Beta: x-1,fine-grained-tool-streaming-2025-05-14
--- sent
POST /model/anthropic.claude-x/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":9,"stopSequences":["E"]},"additionalModelRequestFields":{"anthropic_beta":["fine-grained-tool-streaming-2025-05-14"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}

=== an application profile through invoke where the operator says that it is Claude's
--- config
    location / { bedrock on; bedrock_anthropic_via invoke; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/invoke
--- access_log
200 invoke api=anthropic

=== any path, where the operator says what clients speak
--- config
    location / { bedrock on; bedrock_api anthropic; proxy_pass http://bedrock; }
--- request
POST /chat
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/anthropic.claude-x/invoke

=== only some beta flags
--- config
    location / { bedrock on; bedrock_anthropic_beta compact-* fine-grained-tool-streaming-2025-05-14; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Anthropic-Beta: context-1m-2025-08-07, compact-2026-01-12, fine-grained-tool-streaming-2025-05-14
--- sent_body
{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["compact-2026-01-12","fine-grained-tool-streaming-2025-05-14"]}

=== no beta flags
--- config
    location / { bedrock on; bedrock_anthropic_beta drop; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_beta":["b-2"]}
--- more_headers
Anthropic-Beta: a-1
--- sent_body
{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31"}

=== all beta flags as they came
--- config
    location / { bedrock on; bedrock_anthropic_beta pass; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_beta":["b-2"]}
--- more_headers
Anthropic-Beta: a-1, advanced-tool-use-2025-11-20
--- sent_body
{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_beta":["b-2","a-1","advanced-tool-use-2025-11-20"],"anthropic_version":"bedrock-2023-05-31"}
--- error_code: 400
--- response_body_like: invalid beta flag
--- no_error_log
left out
[error]

=== what is dropped is named in the error log, once
--- log_level: info
--- request
POST /v1/messages
{"model":"us.anthropic.claude-sonnet-4-6","max_tokens":9,"service_tier":"auto","messages":[{"role":"user","content":"Hi"}],"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"tools":[{"name":"t","input_schema":{"type":"object"},"eager_input_streaming":true}]}
--- more_headers
Anthropic-Beta: claude-code-20250219,context-1m-2025-08-07,a secret
--- sent_body
{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"t","input_schema":{"type":"object"}}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07","fine-grained-tool-streaming-2025-05-14"]}
--- error_log
bedrock: for claude-4-6: left out service_tier, beta claude-code-20250219, beta flags that are none, tools[].eager_input_streaming, context_management.edits[], context_management; completed beta fine-grained-tool-streaming-2025-05-14
--- no_error_log
secret
[error]

=== members go with their flags
--- config
    location / { bedrock on; bedrock_anthropic_beta drop; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}}
--- more_headers
Anthropic-Beta: context-management-2025-06-27
--- sent_body
{"max_tokens":50,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31"}

=== the older place of output_config.format
--- request
POST /v1/messages
{"model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","max_tokens":50,"messages":[{"role":"user","content":"Hi"}],"output_format":{"type":"json_schema", "schema":{"type":"object","properties":{},"additionalProperties":false}}}
--- sent_body
{"max_tokens":50,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31","output_config":{"format":{"type":"json_schema", "schema":{"type":"object","properties":{},"additionalProperties":false}}}}

=== an answer that was malformed is an error in Anthropic's form
--- http_config
    upstream answer { server unix:$TEST_NGINX_HTML_DIR/answer.sock; }
    server {
        listen       unix:$TEST_NGINX_HTML_DIR/answer.sock;
        default_type application/json;
        return 200 '{"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"malformed_tool_use","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}';
    }
--- config
    location / { bedrock on; proxy_pass http://answer; }
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 424
--- response_body_like eval
qr/\A\{"type":"error","error":\{"type":"api_error","message":"The model's output was malformed/
--- access_log eval
qr/^424 converse .* in=1 out=2 .* stop=malformed_tool_use /

=== the limit of output tokens, on both routes
--- config
    location / { bedrock on; bedrock_max_output_tokens 5; proxy_pass http://bedrock; }
--- request eval
['POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"v"}',
'POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}']
--- sent_count eval
[1, 2]
--- error_code eval
[200, 200]
--- response_body_like eval
['message', 'message']

=== the limit, as invoke gets it
--- config
    location / { bedrock on; bedrock_max_output_tokens 5; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"v"}
--- sent_body
{"max_tokens":5,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"v"}

=== the limit, as Converse gets it
--- config
    location / { bedrock on; bedrock_max_output_tokens 5; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":5}}

=== a guardrail goes in headers to invoke
--- config
    location / { bedrock on; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
X-Amzn-Bedrock-GuardrailIdentifier: mine
X-Amzn-Bedrock-GuardrailVersion: DRAFT
--- sent
x-amzn-bedrock-guardrailidentifier: gr1
x-amzn-bedrock-guardrailversion: 7

=== and in the body to Converse
--- config
    location / { bedrock on; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":9},"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"7"}}

=== names of Claude's, from the shipped file
--- config
    location / { bedrock on; include $TEST_NGINX_BEDROCK_CONF/claude_models; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke
--- access_log
model=us.anthropic.claude-sonnet-4-5-20250929-v1:0 requested=claude-sonnet-4-5 

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models us.anthropic.*; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 403
--- response_body chop
{"type":"error","error":{"type":"permission_error","message":"This gateway does not allow the model amazon.nova-x."},"request_id":null}
--- sent_count: 0

=== a parameter that is wrong
--- request
POST /v1/messages
{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"video"}]}]}
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"type":"error","error":\{"type":"invalid_request_error","message":"\\"messages\[0\]\.content\[0\]\.type\\" must be .*"\},"request_id":null\}$
--- sent_count: 0

=== a body that is too large
--- config
    location / { bedrock on; client_max_body_size 10; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 413
--- response_body chop
{"type":"error","error":{"type":"request_too_large","message":"The request body is larger than the gateway allows."},"request_id":null}
--- error_log
client intended to send too large body

=== no connection to Bedrock
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 502
--- response_body chop
{"type":"error","error":{"type":"api_error","message":"The gateway got no valid answer from Bedrock."},"request_id":null}
--- error_log
Connection refused

=== no answer in time
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_read_timeout 100ms; }
--- request
POST /v1/messages
{"model":"anthropic.sim.stall","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 504
--- response_body chop
{"type":"error","error":{"type":"timeout_error","message":"Bedrock did not answer in time."},"request_id":null}
--- error_log
upstream timed out

=== too many requests, before the answer
--- request
POST /v1/messages
{"model":"anthropic.sim.throttled","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 429
--- response_headers_like
Retry-After: 1
request-id: [0-9a-f-]{36}
--- response_body_like: ^\{"type":"error","error":\{"type":"rate_limit_error","message":".*"\},"request_id":"[0-9a-f-]{36}"\}$
--- access_log
exception=ThrottlingException

=== too many requests, as the first event
--- request
POST /v1/messages
{"model":"amazon.nova-sim.exception","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 429
--- response_body_like: ^\{"type":"error","error":\{"type":"rate_limit_error"
--- error_log
stream exception: throttlingException

=== too many requests, in the middle of an invoke stream
--- request
POST /v1/messages
{"model":"anthropic.sim.exception.at-3","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- response_body_like eval
qr/\Aevent: message_start\n(?:.|\n)*event: error\ndata: \{"type":"error","error":\{"type":"rate_limit_error","message":".*"\},"request_id":"[0-9a-f-]{36}"\}\n\n\z/
--- access_log
stream=exception exception=throttlingException
--- error_log
stream exception: throttlingException

=== in the middle of Converse's
--- request
POST /v1/messages
{"model":"amazon.nova-sim.exception.at-3","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- response_body_like eval
qr/\Aevent: message_start\n(?:.|\n)*event: error\ndata: \{"type":"error","error":\{"type":"rate_limit_error",.*\n\n\z/
--- error_log
stream exception: throttlingException

=== a stream that breaks ends with an error
--- request eval
[map { qq(POST /v1/messages\n{"model":"$_","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}) }
    qw(anthropic.sim.truncated.at-4 anthropic.sim.corrupt.at-4 amazon.nova-sim.truncated.at-4 amazon.nova-sim.reset.at-4)]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
[(qr/event: error\ndata: \{"type":"error","error":\{"type":"api_error",.*\n\n\z/) x 4]
--- response_body_unlike eval
[('message_stop') x 4]
--- error_log eval
qr/stream (?:truncated|corrupt)/

=== tokens are counted
--- request
POST /v1/messages/count_tokens?beta=true
{"model":"us.anthropic.claude-sonnet-4-6","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/anthropic.claude-sonnet-4-6/count-tokens
--- response_headers
Content-Type: application/json
--- response_body chop
{"input_tokens":42}
--- access_log eval
qr/^200 count_tokens api=anthropic .* in=42 out=- /

=== tokens are counted through Converse where the operator wants that
--- config
    location / { bedrock on; bedrock_anthropic_via converse; proxy_pass http://bedrock; }
--- request
POST /v1/messages/count_tokens
{"model":"eu.anthropic.claude-sonnet-4-6","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/anthropic.claude-sonnet-4-6/count-tokens
--- sent_body
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}
--- response_body chop
{"input_tokens":42}

=== nobody counts the tokens of other models
--- request
POST /v1/messages/count_tokens
{"model":"eu.amazon.nova-pro-v1:0","messages":[{"role":"user","content":"Hi"}]}
--- error_code: 400
--- sent_count: 0
--- response_body_like: "invalid_request_error","message":".*CountTokens

=== the models that clients may name
--- config
    location / { bedrock on; bedrock_api anthropic; include $TEST_NGINX_BEDROCK_CONF/claude_models; proxy_pass http://bedrock; }
--- request
GET /v1/models
--- response_body_like: "id":"claude-sonnet-4-5".*"type":"model"
--- sent_count: 0

=== another method
--- request
GET /v1/messages
--- error_code: 405
--- response_headers
Allow: POST
--- response_body_like: ^\{"type":"error","error":\{"type":"invalid_request_error"

=== a body in a file, with an image
--- config
    location / { bedrock on; client_body_in_file_only clean; proxy_pass http://bedrock; }
--- request eval
my $image = 'A' x 600_000;
qq(POST /v1/messages\n{"model":"amazon.nova-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"$image"}}]}]})
--- sent eval
my $image = 'A' x 600_000;
'content-length: ' . length
    qq({"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"$image"}}}]}],"inferenceConfig":{"maxTokens":9}})
--- access_log
200 converse api=anthropic

=== the session of a client
--- http_config
    log_format own '$bedrock_session_id|$bedrock_output_tokens';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
X-Claude-Code-Session-Id: 5e55-10
--- access_log eval
qr/^5e55-10\|12$/

=== the session of a client that Bedrock could not be reached for
--- http_config
    log_format own '$status|$bedrock_session_id';
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; access_log logs/access.log own; }
--- request
POST /v1/messages
{"model":"anthropic.claude-x","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
X-Claude-Code-Session-Id: 5e55-10
--- error_code: 502
--- access_log eval
qr/^502\|5e55-10$/
--- error_log
Connection refused
