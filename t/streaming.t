# What becomes of the stand-in's streams, and what the logs say of them. What arrives when, what is cut where, and how a
# client sees it: t/clients/test_streaming.py.
use lib 't/lib';
use Test::Nginx::Bedrock;

repeat_each(1);
plan 'no_plan';

our $Body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}';
our $Stream = sub { "POST /model/$_[0]/converse-stream\n$Body" };
our $Invoke = sub { "POST /model/$_[0]/invoke-with-response-stream\n" . '{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}' };
our $Plain = sub { qq(POST /chat\n{"model":"$_[0]","stream":true,"messages":[{"role":"user","content":[{"text":"Hello"}]}]}) };

run_tests();

__DATA__

=== a native stream: Bedrock's headers and bytes
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('a.model')
--- response_headers_like
Content-Type: application/vnd\.amazon\.eventstream
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like eval: qr/\A\0\0.{10}\x0b:event-type\x07\0\x0cmessageStart.*"totalTokens":37/s
--- access_log eval
qr/^200 converse_stream api=native .* in=25 out=12 total=37 .* stop=end_turn stream=complete exception=- tools=0 ttft=\d+\.\d+ latency=0\.042 id=[0-9a-f-]{36}/
--- no_error_log
[error]



=== a client that asks natively gets frames, whatever it accepts
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('a.model')
--- more_headers
Accept: text/event-stream
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- response_body_like eval: qr/\A\0\0/



=== the plain form without Accept gets frames
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Plain->('a.model')
--- more_headers
Content-Type: application/json
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- response_body_like eval: qr/\A\0\0/



=== the plain form as server-sent events
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Plain->('a.model')
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_headers_like
Content-Type: text/event-stream
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like eval
qr/\Aevent: messageStart\ndata: \{[^\n]*\}\n\n(?:event: contentBlock\w+\ndata: \{[^\n]*\}\n\n)+event: messageStop\ndata: [^\n]*"end_turn"[^\n]*\n\nevent: metadata\ndata: [^\n]*"totalTokens":37[^\n]*\n\n\z/
--- access_log eval
qr/^200 converse_stream api=converse .* in=25 out=12 .* stream=complete/



=== characters that are cut between writes come out whole
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Plain->('sim.unicode.split-1')
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_body_like eval
use utf8;
qr/\A(?:event: \w+\ndata: \{[^\n\x{FFFD}]*\}\n\n)+\z/
--- access_log eval
qr/ stream=complete /
--- no_error_log
[error]



=== a tool call
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.tools.glue')
--- response_body_like: get_weather
--- access_log eval
qr/ stop=tool_use stream=complete exception=- tools=2 /



=== cached tokens
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.cached.split-11')
--- response_body_like: messageStart
--- access_log eval
qr/ in=10 out=20 total=\d+ read=1000 write=200 /



=== a stop reason that nobody knows yet
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.new-stop')
--- response_body_like: a_stop_reason_from_the_future
--- access_log eval
qr/ stop=a_stop_reason_from_the_future stream=complete /
--- no_error_log
[error]



=== events that nobody knows yet pass, natively and as server-sent events
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- pipelined_requests eval: [$::Stream->('sim.unknown-event'), $::Plain->('sim.unknown-event')]
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_body_like eval: [qr/eventFromTheFuture/, qr/^event: eventFromTheFuture\ndata: [^\n]*"future":true/m]
--- access_log eval
[qr/api=native .* stream=complete /, qr/api=converse .* stream=complete /]



=== an Anthropic model's stream
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Invoke->('anthropic.claude-3-haiku-20240307-v1:0')
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- response_body_like eval: qr/\A\0\0.{10}\x0b:event-type\x07\0\x05chunk/s
--- access_log eval
qr/^200 invoke_stream .* in=25 out=12 .* stop=end_turn stream=complete /



=== an Anthropic model's stream with an exception
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Invoke->('anthropic.sim.exception.at-2.type-modeltimeout')
--- response_body_like: modelTimeoutException
--- access_log eval
qr/^200 invoke_stream .* stream=exception exception=modelTimeoutException /
--- grep_error_log eval: qr/bedrock: stream \w+: \w+/
--- grep_error_log_out
bedrock: stream exception: modelTimeoutException



=== an error frame in mid-stream
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- pipelined_requests eval: [$::Stream->('sim.error-frame.at-2'), $::Plain->('sim.error-frame.at-2')]
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_body_like eval: [qr/:message-type\x07\0\x05error/, qr/messageStart.*"message":/s]
--- access_log eval
[qr/^200 .* api=native .* stream=exception exception=\w+/m, qr/^200 .* api=converse .* stream=exception exception=\w+/m]



=== an HTTP error instead of a stream
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.throttled')
--- error_code: 429
--- response_headers
Retry-After: 1
--- response_headers_like
x-amzn-ErrorType: ThrottlingException.*
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^429 .* stream=- exception=ThrottlingException/



=== 200 and HTML instead of a stream passes
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.http-200-html')
--- error_code: 200
--- response_headers
Content-Type: text/html
--- response_body_like: <html>
--- access_log eval
qr/^200 .* in=- out=- .* stream=- exception=-/



=== what the log knows of a stream without usage, and without metadata
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- pipelined_requests eval: [$::Stream->('sim.no-usage'), $::Stream->('sim.no-metadata')]
--- response_body_like eval: [qr/messageStop/, qr/messageStop/]
--- access_log eval
[
    qr/model=sim\.no-usage .* in=- out=- total=- read=- write=- stop=end_turn stream=complete .* latency=0\.042/,
    qr/model=sim\.no-metadata .* in=- out=- total=- read=- write=- stop=end_turn stream=truncated .* latency=- /,
]



=== HTTP/1.0 clients get the whole stream
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- raw_request eval
"POST /model/a.model/converse-stream HTTP/1.0\r\nContent-Length: " . length($::Body) . "\r\n\r\n$::Body"
--- response_body_like eval: qr/\A\0\0.*"totalTokens":37/s
--- access_log eval
qr/ stream=complete /
