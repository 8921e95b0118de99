# Clients that speak OpenAI's Chat Completions: what Bedrock is asked, what they get, what the log knows. Errors are in
# openai_errors.t, names of models in models.t, real SDKs in t/clients/.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- chat: MODEL MEMBERS`: a request to that model; MEMBERS are JSON that goes before its messages.
our $Messages = '"messages":[{"role":"user","content":"Hello"}]';
add_block_preprocessor(sub {
    my $block = shift;
    my $chat = $block->chat // return;
    chomp $chat;
    my ($model, $members) = split / /, $chat, 2;
    $members = defined $members ? "$members," : '';
    $block->set_value(request => qq(POST /v1/chat/completions\n{"model":"$model",$members$main::Messages}));
});

# What a client reads of a stream, in a few words for each event.
our $Events = sub {
    return join '', map { chomp; "$_\n" } map {
        s/^data: //r =~ s/"id":"chatcmpl-[0-9a-f-]{36}","object":"chat\.completion\.chunk","created":\d{10},"model":/"chunk":/r
    } split /\n\n/, shift;
};

run_tests();

__DATA__

=== a whole answer
--- chat: any.model
--- response_headers_like
Content-Type: application/json
x-request-id: [0-9a-f-]{36}
x-amzn-requestid: [0-9a-f-]{36}
--- response_body_like eval
qr/^\{"id":"chatcmpl-[0-9a-f-]{36}","object":"chat\.completion","created":\d{10},"model":"any\.model","choices":\[\{"index":0,"message":\{"role":"assistant","content":"Hello from the Bedrock stand-in\.","refusal":null\},"logprobs":null,"finish_reason":"stop"\}\],"usage":\{"prompt_tokens":25,"completion_tokens":12,"total_tokens":37\}\}$/
--- sent
POST /model/any.model/converse
content-type: application/json
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- access_log eval
qr/^200 converse api=openai model=any\.model requested=any\.model region=us-east-1 in=25 out=12 total=37 read=- write=- stop=end_turn stream=- exception=- tools=0 ttft=- latency=0\.042 id=[0-9a-f-]{36}/

=== a model that is an ARN
--- chat: arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse
--- response_body_like: "model":"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
--- access_log eval
qr{^200 converse api=openai model=arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc }

=== nothing of the client's own headers goes on
--- chat: any.model
--- more_headers
Authorization: Bearer sk-any-string
OpenAI-Organization: org-1
X-Stainless-Lang: python
X-Request-Id: of-the-client
Cookie: a=b
Accept: text/event-stream
--- sent
POST /model/any.model/converse
--- not_sent
openai-organization
x-stainless-lang
x-request-id
cookie
accept
--- response_body_like: "object":"chat.completion"

=== a stream
--- chat: any.model "stream":true
--- response_headers_like
Content-Type: text/event-stream
Cache-Control: no-cache
x-request-id: [0-9a-f-]{36}
--- response_body_filters eval: $::Events
--- response_body
{"chunk":"any.model","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":" from"},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":" the"},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":" Bedrock"},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":" stand"},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{"content":"-in."},"finish_reason":null}]}
{"chunk":"any.model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
[DONE]
--- sent
POST /model/any.model/converse-stream
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- access_log eval
qr/^200 converse_stream api=openai .* in=25 out=12 total=37 .* stop=end_turn stream=complete exception=- tools=0 ttft=0\.\d+ latency=0\.042 id=[0-9a-f-]{36}/

=== a stream with its usage
--- chat: any.model "stream":true,"stream_options":{"include_usage":true}
--- response_body_filters eval: $::Events
--- response_body_like
^\{"chunk":"any\.model","choices":\[\{"index":0,"delta":\{"role":"assistant","content":""\},"finish_reason":null\}\],"usage":null\}
(?s:.*)
\{"chunk":"any\.model","choices":\[\],"usage":\{"prompt_tokens":25,"completion_tokens":12,"total_tokens":37\}\}
\[DONE\]$

=== cached tokens are part of the prompt for the client, and apart in the log
--- chat: sim.cached
--- response_body_like: "usage":\{"prompt_tokens":1210,"completion_tokens":20,"total_tokens":1230,"prompt_tokens_details":\{"cached_tokens":1000,"cache_write_tokens":200\}\}
--- access_log
in=10 out=20 total=1230 read=1000 write=200

=== cached tokens in a stream
--- chat: sim.cached "stream":true,"stream_options":{"include_usage":true}
--- response_body_like: "usage":\{"prompt_tokens":1210,"completion_tokens":20,"total_tokens":1230,"prompt_tokens_details":\{"cached_tokens":1000,"cache_write_tokens":200\}\}
--- access_log
in=10 out=20 total=1230 read=1000 write=200 stop=end_turn stream=complete

=== a usage that is not known is not made up
--- chat: sim.no-usage
--- response_body_unlike: "usage"
--- access_log
in=- out=- total=- read=- write=- stop=end_turn

=== nor in a stream
--- chat: sim.no-usage "stream":true,"stream_options":{"include_usage":true}
--- response_body_like: "usage":null\}\s+data: \[DONE\]\s+$
--- access_log
in=- out=- total=-

=== content that is whole is done, though the counts never came
--- chat: sim.no-metadata "stream":true,"stream_options":{"include_usage":true}
--- response_body_like: "finish_reason":"stop"\}\],"usage":null\}\s+data: \[DONE\]\s+$
--- access_log eval
qr/^200 .* in=- out=- .* stop=end_turn stream=truncated /
--- error_log
stream truncated: the upstream ended it early

=== why it ended, in OpenAI's words
--- chat: sim.max-tokens
--- response_body_like: "finish_reason":"length"
--- access_log
stop=max_tokens

=== why a stream ended
--- chat: sim.guardrail "stream":true
--- response_body_like: "finish_reason":"content_filter"
--- access_log
stop=guardrail_intervened stream=complete

=== a reason that nobody knows yet
--- chat: sim.new-stop "stream":true
--- response_body_like: "finish_reason":"stop"
--- access_log
stop=a_stop_reason_from_the_future stream=complete

=== events that nobody knows yet
--- chat: sim.unknown-event "stream":true
--- response_body_like: "finish_reason":"stop"\}\]\}\s+data: \[DONE\]\s+$
--- response_body_unlike: future
--- access_log
stream=complete

=== calls of tools
--- chat: amazon.nova-pro-v1:0.sim.tools "tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}],"tool_choice":"required"
--- response_body_like: "content":"I will look\.","refusal":null,"tool_calls":\[\{"id":"tooluse_Sim0001","type":"function","function":\{"name":"get_weather","arguments":"\{\\"city\\":\\"Paris\\"\}"\}\},\{"id":"tooluse_Sim0002".*"finish_reason":"tool_calls"
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{"type":"object"}}}}],"toolChoice":{"any":{}}}}
--- access_log
stop=tool_use stream=- exception=- tools=2

=== calls of tools in a stream
--- chat: sim.tools "stream":true
--- response_body_filters eval: $::Events
--- response_body_like
\{"tool_calls":\[\{"index":0,"id":"tooluse_Sim0001","type":"function","function":\{"name":"get_weather","arguments":""\}\}\]\}(?s:.*)
(?s:.*)\{"tool_calls":\[\{"index":1,"id":"tooluse_Sim0002","type":"function","function":\{"name":"get_time","arguments":""\}\}\]\}(?s:.*)
(?s:.*)"finish_reason":"tool_calls"\}\]\}
\[DONE\]$
--- access_log
stop=tool_use stream=complete exception=- tools=2

=== reasoning
--- chat: sim.reasoning
--- response_body_like: "reasoning_content":".+","thinking_blocks":\[\{"type":"thinking","thinking":".+","signature":".+"\}\]

=== reasoning in a stream
--- chat: sim.reasoning "stream":true
--- response_body_like: "reasoning_content":.*"thinking_blocks":\[\{"index":0,"type":"thinking","signature":

=== characters that are cut between writes come out whole
--- chat: sim.unicode.split-1 "stream":true
--- response_body_like eval
qr/"content":" 東京,"\}.*"content":" 😀🎉"\}.*\[DONE\]/s
--- access_log
stream=complete

=== any path, with bedrock_api openai
--- config
    location / { bedrock on; bedrock_api openai; proxy_pass http://bedrock; }
--- request
POST /model/of.the.path/converse
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "object":"chat.completion"
--- sent
POST /model/any.model/converse
--- access_log
200 converse api=openai model=any.model

=== a prefix, a slash at the end, and a query
--- request
POST /team/a/v1/chat/completions/?api-version=1
{"model":"any.model","messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "object":"chat.completion"
--- sent
POST /model/any.model/converse

=== bedrock_api converse takes it for its own
--- config
    location / { bedrock on; bedrock_api converse; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- response_body_like: "output":\{"message":
--- access_log
200 converse api=converse

=== a model that is set by the operator; the client reads its own word for it
--- config
    location / { bedrock on; bedrock_model called.model; proxy_pass http://bedrock; }
--- chat: gpt-4o
--- response_body_like: "model":"gpt-4o"
--- sent
POST /model/called.model/converse
--- access_log
model=called.model requested=gpt-4o

=== no model is needed where the operator sets one
--- config
    location / { bedrock on; bedrock_model called.model; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: "model":"called.model"

=== map sees the model before the request is planned
--- http_config
    map $bedrock_requested_model $model { default ""; "~^gpt-" mapped.model; }
--- config
    location / { bedrock on; bedrock_model $model; proxy_pass http://bedrock; }
--- chat: gpt-4o
--- sent
POST /model/mapped.model/converse

=== the operator's limits
--- config
    location / { bedrock on; bedrock_max_output_tokens 100; bedrock_guardrail gr1 7; proxy_pass http://bedrock; }
--- chat: any.model "max_completion_tokens":5000
--- sent_body eval
'{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":100},"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"7"}}'

=== variables about the request and the answer
--- http_config
    log_format own '$bedrock_operation|$bedrock_api|$bedrock_requested_model|$bedrock_model|$bedrock_region|$bedrock_host|$bedrock_uri|'
                   '$bedrock_input_tokens|$bedrock_output_tokens|$bedrock_total_tokens|$bedrock_stop_reason|$bedrock_latency|'
                   '$bedrock_tool_calls|$bedrock_stream_status|$bedrock_exception|$bedrock_response_text';
--- config
    location / { bedrock on; bedrock_endpoint x.example.com; bedrock_response_text 1k; proxy_pass http://bedrock; access_log logs/access.log own; }
--- chat: a%3A0 "stream":true
--- access_log eval
qr{^converse_stream\|openai\|a:0\|a:0\|us-east-1\|x\.example\.com\|/model/a%3A0/converse-stream\|25\|12\|37\|end_turn\|0\.042\|0\|complete\|-\|Hello from the Bedrock stand-in\.$}

=== in Lua, before the request is sent
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        access_by_lua_block { if ngx.var.bedrock_api == "openai" and ngx.var.bedrock_requested_model == "any.model" then return ngx.exit(403) end }
    }
--- lua
--- chat: any.model
--- error_code: 403
--- response_body_like: ^\{"error":\{"message":".+","type":"permission_error"
--- sent_count: 0

=== a header that access control made stays
--- config
    location / { bedrock on; proxy_pass http://bedrock; add_header X-Tokens $bedrock_operation; }
--- chat: any.model
--- response_headers
X-Tokens: converse

=== gzip takes the whole answer, and its length is right
--- config
    location / { bedrock on; gzip on; gzip_min_length 1; gzip_types application/json; gzip_proxied any; proxy_pass http://bedrock; }
--- chat: sim.big.kib-64
--- response_body_like: "content":"(?:fifteen letters ){4096}"

=== HEAD is no chat
--- request
HEAD /v1/chat/completions
--- error_code: 405
--- response_headers
Allow: POST
Content-Type: application/json
--- response_body
--- sent_count: 0

=== over HTTP/2
--- http2
--- chat: any.model "stream":true
--- response_body_like: "finish_reason":"stop"\}\]\}\s+data: \[DONE\]\s+$
--- sent
POST /model/any.model/converse-stream
--- access_log
stream=complete

=== an HTTP/1.0 client
--- request
POST /v1/chat/completions HTTP/1.0
{"model":"any.model","stream":true,"messages":[{"role":"user","content":"Hello"}]}
--- response_body_like: data: \[DONE\]\s+$

=== a large image, planned and hashed in a thread
--- request eval
'POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,' . 'iVBORw0K' x 50000 . '"}}]}]}'
--- response_body_like: "object":"chat.completion"
--- sent
POST /model/any.model/converse
content-length: 400116
--- access_log
200 converse api=openai model=any.model requested=any.model

=== a body in a file
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 1k; }
--- request eval
'POST /v1/chat/completions
{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' . '/9j/4AAQ' x 1000 . '"}}]}],"stream":true,"model":"any.model"}'
--- sent
POST /model/any.model/converse-stream
--- sent_body eval
'{"messages":[{"role":"user","content":[{"image":{"format":"jpeg","source":{"bytes":"' . '/9j/4AAQ' x 1000 . '"}}}]}]}'
--- error_log
a client request body is buffered to a temporary file

=== requests on one connection do not mix
--- pipelined_requests eval
[map { qq(POST /v1/chat/completions\n{"model":"$_","stream":true,"messages":[{"role":"user","content":"Hello"}]}) } 'first', 'second']
--- error_code eval
[200, 200]
--- response_body_like eval
['"model":"first".*\[DONE\]', '"model":"second".*\[DONE\]']
--- sent_count: 2
