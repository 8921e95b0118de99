# The module loads, a request gets to the stand-in and back, and the log line says what happened.
use lib 't/lib';
use Test::Nginx::Bedrock;

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== plain converse
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /model/anthropic.claude-3-haiku-20240307-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
--- response_body_like: Hello from the Bedrock stand-in\.
--- access_log eval
qr/^200 converse .* model=anthropic\.claude-3-haiku-20240307-v1:0 .* in=25 out=12 /

=== a stream as server-sent events
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","stream":true,"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_headers
Content-Type: text/event-stream
--- access_log eval
qr/200 converse_stream .* in=25 out=12 .* stream=complete .* ttft=\d/
--- no_error_log
[error]
