# What the log knows of tokens, stop reasons and text. What is not known is never 0.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== converse
--- access_log
in=25 out=12 total=37 read=- write=- stop=end_turn stream=- exception=- tools=0 ttft=- latency=0.042

=== converse-stream
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/in=25 out=12 total=37 read=- write=- stop=end_turn stream=complete exception=- tools=0 ttft=\d+\.\d{3} latency=0\.042 /

=== as server-sent events
--- request
POST /
{"model":"sim.cached","stream":true,"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Accept: text/event-stream
--- access_log
in=10 out=20 total=1230 read=1000 write=200 stop=end_turn stream=complete

=== cached tokens
--- request
POST /model/sim.cached/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
in=10 out=20 total=1230 read=1000 write=200

=== cached tokens, streamed
--- request
POST /model/sim.cached/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
in=10 out=20 total=1230 read=1000 write=200 stop=end_turn stream=complete

=== no usage
--- request
POST /model/sim.no-usage/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
in=- out=- total=- read=- write=- stop=end_turn stream=- exception=- tools=0 ttft=- latency=0.042

=== no usage, streamed
--- request
POST /model/sim.no-usage/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/ in=- out=- total=- .* stop=end_turn stream=complete .* latency=0\.042 /

=== no metadata
--- request
POST /model/sim.no-metadata/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/ in=- out=- total=- .* stop=end_turn .* latency=- /

=== no metadata, streamed: the content is whole, the counts are not known
--- request
POST /model/sim.no-metadata/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^200 .* in=- out=- total=- .* stop=end_turn stream=truncated .* latency=- /
--- error_log
stream truncated: the upstream ended it early

=== a tool call
--- request
POST /model/sim.tool/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=tool_use stream=- exception=- tools=1

=== two tool calls
--- request
POST /model/sim.tools/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=tool_use stream=- exception=- tools=2

=== two tool calls, streamed
--- request
POST /model/sim.tools/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=tool_use stream=complete exception=- tools=2

=== max_tokens
--- request
POST /model/sim.max-tokens/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=max_tokens stream

=== stop_sequence, streamed
--- request
POST /model/sim.stop-sequence/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=stop_sequence stream=complete

=== guardrail_intervened
--- request
POST /model/sim.guardrail/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=guardrail_intervened stream

=== content_filtered, streamed
--- request
POST /model/sim.filtered/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=content_filtered stream=complete

=== model_context_window_exceeded, streamed
--- request
POST /model/sim.context-window/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=model_context_window_exceeded stream=complete

=== a stop reason that nobody knows yet
--- request
POST /model/sim.new-stop/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
stop=a_stop_reason_from_the_future stream=complete

=== events that nobody knows yet
--- request
POST /model/sim.unknown-event/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
in=25 out=12 total=37 read=- write=- stop=end_turn stream=complete

=== invoke tells its counts in headers
--- request
POST /model/meta.llama.sim.cached/invoke
{"prompt":"Hi"}
--- access_log eval
qr/^200 invoke .* in=10 out=20 total=1230 read=1000 write=200 .* latency=0\.042 /

=== and they pass to the client
--- request
POST /model/meta.llama/invoke
{"prompt":"Hi"}
--- response_headers
X-Amzn-Bedrock-Input-Token-Count: 25
X-Amzn-Bedrock-Output-Token-Count: 12

=== invoke without counts
--- request
POST /model/meta.llama.sim.no-usage/invoke
{"prompt":"Hi"}
--- access_log
200 invoke api=native model=meta.llama.sim.no-usage requested=meta.llama.sim.no-usage region=us-east-1 in=- out=- total=- read=- write=-

=== count-tokens
--- request
POST /model/any.model/count-tokens
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}
--- access_log eval
qr/^200 count_tokens .* in=42 out=- total=- .* stop=- .* tools=- /

=== what else an answer tells
--- http_config
    log_format more '$bedrock_service_tier|$bedrock_invoked_model|$bedrock_cache_write_1h_tokens|$bedrock_reasoning_tokens|$bedrock_guardrail_action|$bedrock_tool_calls';
    upstream answer { server unix:$TEST_NGINX_HTML_DIR/answer.sock; }
    server {
        listen       unix:$TEST_NGINX_HTML_DIR/answer.sock;
        default_type application/json;
        return 200 '{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","name":"n","input":{},"type":"server_tool_use"}},{"text":"x"}]}},"stopReason":"end_turn","serviceTier":{"type":"priority"},"trace":{"guardrail":{"actionReason":"No action."},"promptRouter":{"invokedModelId":"us.routed"}},"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3,"cacheDetails":[{"ttl":"1h","inputTokens":4}]},"additionalModelResponseFields":{"usage":{"output_tokens_details":{"thinking_tokens":5}}}}';
    }
--- config
    location / { bedrock on; proxy_pass http://answer; access_log logs/access.log more; }
--- access_log
priority|us.routed|4|5|NONE|0

=== and of an invoke
--- http_config
    log_format more '$bedrock_service_tier|$bedrock_invoked_model|$bedrock_cache_write_1h_tokens|$bedrock_reasoning_tokens|$bedrock_guardrail_action';
    upstream answer { server unix:$TEST_NGINX_HTML_DIR/answer.sock; }
    server {
        listen       unix:$TEST_NGINX_HTML_DIR/answer.sock;
        default_type application/json;
        add_header X-Amzn-Bedrock-Service-Tier flex;
        return 200 '{"content":[],"amazon-bedrock-guardrailAction":"INTERVENED","usage":{"input_tokens":1,"output_tokens":2,"cache_creation":{"ephemeral_1h_input_tokens":4},"output_tokens_details":{"thinking_tokens":5}}}';
    }
--- config
    location / { bedrock on; proxy_pass http://answer; access_log logs/access.log more; }
--- request
POST /model/anthropic.x/invoke
{"max_tokens":1,"messages":[]}
--- access_log
flex|-|4|5|GUARDRAIL_INTERVENED

=== what a guardrail did to an answer
--- http_config
    log_format more '$bedrock_stop_reason|$bedrock_guardrail_action|$bedrock_service_tier|$bedrock_invoked_model|$bedrock_cache_write_1h_tokens|$bedrock_reasoning_tokens';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log more; }
--- request
POST /model/sim.guardrail/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
guardrail_intervened|GUARDRAIL_INTERVENED|-|-|-|-

=== and to nothing but a text
--- http_config
    log_format more '$bedrock_guardrail_action';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log more; }
--- request
POST /guardrail/gr1/version/1/apply
{"source":"INPUT","content":[]}
--- access_log
NONE

=== ApplyGuardrail
--- request
POST /guardrail/gr1/version/1/apply
{"source":"INPUT","content":[{"text":"Hi"}]}
--- access_log eval
qr/^200 apply_guardrail .* model=- requested=- .* in=- out=- total=- .* tools=- /

=== an HTML page with status 200
--- request
POST /model/sim.http-200-html/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>
--- access_log eval
qr/^200 converse .* in=- out=- total=- .* stop=- /

=== an HTML page with status 200 instead of a stream
--- request
POST /model/sim.http-200-html/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>
--- access_log
200 converse_stream

=== an empty answer with status 200
--- request
POST /model/sim.http-200-empty/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_body
--- access_log eval
qr/^200 converse .* in=- out=- total=- .* stop=- /

=== the text of an answer
--- http_config
    log_format text escape=json '"$bedrock_response_text"';
--- config
    location / { bedrock on; bedrock_response_text 1k; proxy_pass http://bedrock; access_log logs/access.log text; }
--- request
POST /model/sim.unicode/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^"Gr\xc3\xbc\xc3\x9fe aus .* \\"quoted\\" \\\\ and a tab \."$/

=== of a stream
--- http_config
    log_format text '[$bedrock_response_text]';
--- config
    location / { bedrock on; bedrock_response_text 1k; proxy_pass http://bedrock; access_log logs/access.log text; }
--- request
POST /model/sim.tools/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^\[I will look\.\]$/

=== up to the size that is asked for
--- http_config
    log_format text '[$bedrock_response_text]';
--- config
    location / { bedrock on; bedrock_response_text 8; proxy_pass http://bedrock; access_log logs/access.log text; }
--- access_log eval
qr/^\[Hello fr\]$/

=== up to that size, streamed
--- http_config
    log_format text '[$bedrock_response_text]';
--- config
    location / { bedrock on; bedrock_response_text 8; proxy_pass http://bedrock; access_log logs/access.log text; }
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^\[Hello fr\]$/

=== and no half character
--- http_config
    log_format text escape=none '[$bedrock_response_text]';
--- config
    location / { bedrock on; bedrock_response_text 3; proxy_pass http://bedrock; access_log logs/access.log text; }
--- request
POST /model/sim.unicode/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^\[Gr\]$/

=== of a long answer that is streamed
--- http_config
    log_format text '[$bedrock_response_text] $bedrock_output_tokens';
--- config
    location / { bedrock on; bedrock_response_text 12; proxy_pass http://bedrock; access_log logs/access.log text; }
--- request
POST /model/sim.long.frames-2000.glue/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr/^\[word word wo\] 2000$/

=== none unless it is asked for
--- http_config
    log_format text '[$bedrock_response_text]';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log text; }
--- access_log eval
qr/^\[-\]$/

=== counts under an escaped name
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; return 200 '{"us\\u0061ge":{"input\\u0054okens":12,"outputTokens":34}}'; }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 200
--- access_log
in=12 out=34 total=46

=== an error costs nothing
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; return 400 '{"message":"x","usage":{"inputTokens":12,"outputTokens":34}}'; }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 400
--- access_log
in=- out=- total=-

=== an array is no answer
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; return 200 '[{"usage":{"inputTokens":12,"outputTokens":34}}]'; }
    }
--- config
    location / { bedrock on; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock; }
--- error_code: 200
--- access_log
in=- out=- total=-
