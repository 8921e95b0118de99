# Bedrock's own OpenAI and Anthropic paths: passed as they are, signed, read for the log. The shapes of their answers:
# crates/gateway/tests/vendor_api.rs.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

our $Native = 'location / { bedrock on; bedrock_api native; proxy_pass http://bedrock; }';
our $Chat = sub { qq(POST /openai/v1/chat/completions\n{"model":"$_[0]", "messages":[] ,"stream":$_[1],"stream_options":{"include_usage":true}}) };
our $Responses = sub { qq(POST /openai/v1/responses\n{"model":"$_[0]", "input":"Hi" ,"stream":$_[1]}) };
our $Messages = sub { qq(POST /anthropic/v1/messages\n{"model":"$_[0]", "messages":[] ,"max_tokens":9,"stream":$_[1]}) };

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== chat, behind a prefix
--- config eval: $::Native
--- request
POST /team-a/openai/v1/chat/completions?x=1
{"model" : "openai.gpt-oss-20b-1:0","messages":[], "n":1.0}
--- more_headers
Content-Type: application/json
Authorization: Bearer anything
x-stainless-lang: python
x-api-key: anything
--- sent
POST /openai/v1/chat/completions
accept: application/json
accept-encoding: identity
--- sent_body: {"model" : "openai.gpt-oss-20b-1:0","messages":[], "n":1.0}
--- response_body_like: "content":"Hello from the Bedrock stand-in\."
--- access_log eval
qr/^200 openai_chat api=native model=openai\.gpt-oss-20b-1:0 requested=openai\.gpt-oss-20b-1:0 .* in=25 out=12 total=37 .* stop=stop stream=- exception=- tools=0 ttft=- /

=== chat, streamed
--- config eval: $::Native
--- request eval: $::Chat->('sim.cached', 'true')
--- sent
accept: text/event-stream
--- response_headers
Content-Type: text/event-stream; charset=utf-8
--- response_body_like eval: qr/\Adata: \{.*"content":" stand".*data: \[DONE\]\n\n\z/s
--- access_log eval
qr/^200 openai_chat api=native model=sim\.cached .* in=10 out=20 total=1030 read=1000 write=- stop=stop stream=complete exception=- tools=0 ttft=\d/

=== chat with tools, streamed, a few bytes at a time
--- config eval: $::Native
--- request eval: $::Chat->('sim.tools.split-7', 'true')
--- response_body_like: \[DONE\]
--- access_log eval
qr/stop=tool_calls stream=complete exception=- tools=2 ttft=\d/

=== chat, an error in the stream
--- config eval: $::Native
--- request eval: $::Chat->('sim.exception.at-3', 'true')
--- response_body_like: "code":"ThrottlingException"
--- access_log eval
qr/^200 .* in=- out=- .* stream=exception exception=ThrottlingException /
--- error_log
stream exception: ThrottlingException

=== chat, an error before the stream
--- config eval: $::Native
--- request eval: $::Chat->('sim.throttled', 'true')
--- error_code: 429
--- response_headers
Retry-After: 1
x-amzn-ErrorType: ThrottlingException
--- access_log eval
qr/^429 openai_chat .* stream=- exception=ThrottlingException /

=== chat, cut short: the client's connection is broken off
--- config eval: $::Native
--- request eval: $::Chat->('sim.truncated.at-3', 'true')
--- ignore_response
--- access_log eval
qr/^200 .* in=- out=- .* stream=truncated /
--- error_log
stream truncated: the upstream ended it early

=== responses
--- config eval: $::Native
--- request eval: $::Responses->('sim.tool', 'false')
--- sent
POST /openai/v1/responses
--- sent_body: {"model":"sim.tool", "input":"Hi" ,"stream":false}
--- access_log eval
qr/^200 openai_responses api=native model=sim\.tool .* in=25 out=12 total=37 .* stop=completed stream=- exception=- tools=1 /

=== responses, streamed
--- config eval: $::Native
--- request eval: $::Responses->('sim.tools', 'true')
--- response_body_like eval: qr/\Aevent: response\.created\n.*event: response\.completed\n/s
--- access_log eval
qr/^200 openai_responses api=native .* in=25 out=12 total=37 .* stop=completed stream=complete exception=- tools=2 ttft=\d/

=== responses, incomplete
--- config eval: $::Native
--- request eval: $::Responses->('sim.max-tokens', 'true')
--- response_body_like: event: response\.incomplete
--- access_log
 stop=max_output_tokens stream=complete exception=-

=== messages
--- config eval: $::Native
--- request eval: $::Messages->('anthropic.claude-x', 'false')
--- more_headers
anthropic-version: 2023-06-01
anthropic-beta: b
x-api-key: anything
--- sent
POST /anthropic/v1/messages
anthropic-version: 2023-06-01
anthropic-beta: b
--- not_sent
x-api-key
--- access_log eval
qr/^200 anthropic_messages api=native model=anthropic\.claude-x .* in=25 out=12 total=37 .* stop=end_turn stream=- exception=- tools=0 /

=== messages, streamed
--- config eval: $::Native
--- request eval: $::Messages->('sim.cached', 'true')
--- response_body_like eval: qr/\Aevent: message_start\n.*event: message_stop\n/s
--- access_log eval
qr/^200 anthropic_messages api=native .* in=10 out=20 total=1230 read=1000 write=200 stop=end_turn stream=complete exception=- tools=0 ttft=\d/

=== messages, an error in the stream
--- config eval: $::Native
--- request eval: $::Messages->('sim.exception.at-3.type-serviceunavailable', 'true')
--- response_body_like: event: error
--- access_log
 stream=exception exception=ServiceUnavailableException
--- error_log
stream exception: ServiceUnavailableException

=== under auto chat is translated, not passed
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /openai/v1/chat/completions
{"model":"a.model","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/a.model/converse
--- access_log
200 converse api=openai

=== an alias: one member changes
--- config
    location / {
        bedrock on; bedrock_api native; bedrock_alias small openai.gpt-oss-20b-1:0; bedrock_allow_models openai.*;
        proxy_pass http://bedrock;
    }
--- request eval: $::Chat->('small', 'false')
--- sent_body: {"model":"openai.gpt-oss-20b-1:0", "messages":[] ,"stream":false,"stream_options":{"include_usage":true}}
--- access_log
 model=openai.gpt-oss-20b-1:0 requested=small

=== a model that is not allowed
--- config
    location / { bedrock on; bedrock_allow_models openai.*; proxy_pass http://bedrock; }
--- request eval: $::Responses->('anthropic.x', 'false')
--- error_code: 403
--- sent_count: 0

=== the model decides in map, as $bedrock_requested_model
--- http_config
    map $bedrock_requested_model $other { small openai.gpt-oss-20b-1:0; default ""; }
--- config
    location / { bedrock on; bedrock_api native; bedrock_model $other; proxy_pass http://bedrock; }
--- request eval: $::Responses->('small', 'false')
--- sent_body: {"model":"openai.gpt-oss-20b-1:0", "input":"Hi" ,"stream":false}

=== a limit of tokens
--- config
    location / { bedrock on; bedrock_api native; bedrock_max_output_tokens 5; proxy_pass http://bedrock; }
--- request eval: $::Messages->('m', 'false')
--- sent_body: {"model":"m", "messages":[] ,"max_tokens":5,"stream":false}

=== a limit of tokens on a body in a file
--- config
    location / {
        bedrock on; bedrock_api native; bedrock_max_output_tokens 5; client_body_in_file_only clean; proxy_pass http://bedrock;
    }
--- request eval: $::Responses->('m', 'false')
--- sent_body: {"model":"m", "input":"Hi" ,"stream":false,"max_output_tokens":5}

=== a guardrail for chat
--- config
    location / { bedrock on; bedrock_api native; bedrock_guardrail g1 2; proxy_pass http://bedrock; }
--- request eval: $::Chat->('m', 'false')
--- sent
x-amzn-bedrock-guardrailidentifier: g1
x-amzn-bedrock-guardrailversion: 2

=== a guardrail where none can be put on
--- config
    location / { bedrock on; bedrock_api native; bedrock_guardrail g1 2; proxy_pass http://bedrock; }
--- request eval: $::Messages->('m', 'false')
--- error_code: 403
--- response_body_like: takes none
--- sent_count: 0

=== the client's own key
--- config
    location / { bedrock on; bedrock_auth off; bedrock_responses_via native; proxy_pass http://bedrock; }
--- request eval: $::Responses->('m', 'false')
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE
--- access_log
200 openai_responses

=== the client's own key, and a translation
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- request eval: $::Responses->('m', 'false')
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code: 403
--- sent_count: 0

=== the client's own key, on a path that is not Bedrock's
--- config
    location / { bedrock on; bedrock_auth off; bedrock_responses_via native; proxy_pass http://bedrock; }
--- request
POST /v1/responses
{"model":"m","input":"Hi"}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code: 403
--- sent_count: 0

=== the client's own key, and a model that would have to change
--- config
    location / { bedrock on; bedrock_auth off; bedrock_responses_via native; bedrock_alias small m; proxy_pass http://bedrock; }
--- request eval: $::Responses->('small', 'false')
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code: 403
--- sent_count: 0

=== no model
--- config eval: $::Native
--- request
POST /openai/v1/chat/completions
{"messages":[]}
--- error_code: 400
--- sent_count: 0

=== another of OpenAI's paths
--- config eval: $::Native
--- request
POST /openai/v1/audio/speech
{"model":"m"}
--- error_code: 404
--- sent_count: 0
