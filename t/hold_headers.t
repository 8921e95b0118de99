# bedrock_hold_headers: an exception in a stream's first frame becomes the HTTP status that it stands for, so that error_page
# and SDKs see what they would have seen over HTTP. Cuts inside the first frame: t/clients/test_beside.py.
use lib 't/lib';
use Test::Nginx::Bedrock;

repeat_each(1);
plan 'no_plan';

our $Body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}';
our $Stream = sub { "POST /model/$_[0]/converse-stream\n$Body" };

run_tests();

__DATA__

=== throttling is 429
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.type-throttling')
--- error_code: 429
--- response_headers_like
Content-Type: application/json
x-amzn-ErrorType: ThrottlingException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body chop
{"message":"Too many requests, please wait before trying again."}
--- access_log eval
qr/^429 converse_stream .* in=- out=- total=- .* stream=exception exception=throttlingException .* ttft=- .* id=[0-9a-f-]{36}/



=== validation is 400
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.type-validation')
--- error_code: 400
--- response_headers_like
x-amzn-ErrorType: ValidationException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$



=== a model's error in the stream is 424
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.type-modelstreamerror')
--- error_code: 424
--- response_headers_like
x-amzn-ErrorType: ModelStreamErrorException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$



=== an internal error is 500
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.type-internalserver')
--- error_code: 500
--- response_headers_like
x-amzn-ErrorType: InternalServerException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$



=== an unavailable service is 503
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.type-serviceunavailable')
--- error_code: 503
--- response_headers_like
x-amzn-ErrorType: ServiceUnavailableException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$



=== a model that takes too long is 408
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: "POST /model/sim.exception.type-modeltimeout/invoke-with-response-stream\n{}"
--- error_code: 408
--- response_headers_like
x-amzn-ErrorType: ModelTimeoutException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$



=== an error frame is 500
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.error-frame')
--- error_code: 500
--- response_headers_like
x-amzn-ErrorType: \S+
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^500 .* stream=exception exception=\w+/



=== the first frame may come in pieces
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.split-1.pace-1')
--- error_code: 429
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- response_body_like: ^\{"message":".+"\}$



=== a good first frame in pieces is followed by all others
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.text.split-1')
--- response_body_like eval: qr/^\0\0.{10}\x0b:event-type\x07\0\x0cmessageStart.*metadata.*"totalTokens":37.{5}/s
--- access_log eval
qr/^200 .* in=25 out=12 .* stream=complete/
--- no_error_log
[error]



=== an answer with a length is held too
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception.length')
--- error_code: 429
--- response_body_like: ^\{"message":".+"\}$



=== the plain form as server-sent events is held too
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /
{"model":"sim.exception","stream":true,"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- error_code: 429
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"message":".+"\}$



=== off: 200 and the frame
--- config
    location / { bedrock on; bedrock_hold_headers off; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 200
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- response_body_like eval: qr/^\0\0.{10}\x0f:exception-type\x07\0\x13throttlingException/s
--- access_log eval
qr/^200 .* stream=exception exception=throttlingException/
--- grep_error_log eval: qr/bedrock: stream \w+/
--- grep_error_log_out
bedrock: stream exception



=== a damaged first frame is 502
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.corrupt.at-0')
--- error_code: 502
--- response_headers
x-amzn-ErrorType: InternalServerException
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^502 .* stream=corrupt/
--- grep_error_log eval: qr/bedrock: stream \w+/
--- grep_error_log_out
bedrock: stream corrupt



=== an end in the first frame is 502
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.truncated.at-0')
--- error_code: 502
--- response_headers
x-amzn-ErrorType: InternalServerException
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^502 .* stream=truncated/



=== a connection that breaks in the first frame is 502
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.reset.at-0')
--- error_code: 502
--- response_headers
x-amzn-ErrorType: InternalServerException
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^502 .* stream=truncated/



=== silence instead of the first frame is an error of nginx's kind
--- config
    location / { bedrock on; proxy_read_timeout 200ms; proxy_pass http://bedrock; }
--- request eval: $::Stream->('sim.stall.at-0')
--- error_code_like: ^50[24]$
--- response_headers_like
x-amzn-ErrorType: \w+Exception
--- response_body_like: ^\{"message":".+"\}$



=== error_page without proxy_intercept_errors leaves Bedrock's errors alone
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @other; }
    location @other { return 200 "other"; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 429
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- response_body_like: ^\{"message":".+"\}$



=== error_page for other statuses leaves it alone
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 500 503 = @other; }
    location @other { return 200 "other"; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 429
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- response_body_like: ^\{"message":".+"\}$



=== error_page takes it to a named location
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 = @other; }
    location @other { default_type text/plain; return 200 "other"; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 200
--- response_headers
Content-Type: text/plain
! x-amzn-ErrorType
! x-amzn-RequestId
--- response_body chop
other



=== error_page takes it to a static file, and the status stays
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 /busy.html; }
    location = /busy.html { internal; }
--- user_files
>>> busy.html
Busy.
--- request eval: $::Stream->('sim.exception')
--- error_code: 429
--- response_headers
Content-Type: text/html
! x-amzn-ErrorType
--- response_body
Busy.



=== error_page takes it to a path that returns
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 =503 /busy; }
    location = /busy { internal; default_type text/plain; return 503 "later"; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 503
--- response_body chop
later



=== error_page takes it to another host
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 http://status.example/busy; }
--- request eval: $::Stream->('sim.exception')
--- error_code: 302
--- response_headers
Location: http://status.example/busy
--- response_body_like: 302 Found



=== error_page takes a stream that broke before its first frame was whole
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 502 = @other; }
    location @other { return 200 "other"; }
--- request eval: $::Stream->('sim.reset.at-0')
--- error_code: 200
--- response_body chop
other



=== error_page takes a stream whose first frame is damaged
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 502 = @other; }
    location @other { return 200 "other"; }
--- request eval: $::Stream->('sim.corrupt.at-0')
--- error_code: 200
--- response_body chop
other



=== nothing is repeated once an event went out
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 500 502 503 = @other; }
    location @other { return 200 "other"; }
--- request eval: $::Stream->('sim.exception.at-1')
--- error_code: 200
--- response_body_like eval: qr/messageStart.*throttlingException/s
--- access_log eval
qr/^200 .* stream=exception exception=throttlingException/



=== one after the other on a keep-alive connection
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- pipelined_requests eval
[$::Stream->('sim.exception'), $::Stream->('sim.exception.type-validation'), $::Stream->('sim.text')]
--- error_code eval: [429, 400, 200]
--- response_body_like eval
[qr/^\{"message":"Too many .*"\}$/, qr/^\{"message":".+"\}$/, qr/messageStart.*"totalTokens":37/s]
--- access_log eval
[
    qr/^429 .* in=- .* stop=- stream=exception exception=throttlingException/m,
    qr/^400 .* in=- .* stop=- stream=exception exception=validationException/m,
    qr/^200 .* in=25 .* stop=end_turn stream=complete exception=- /m,
]



=== one after the other into error_page on a keep-alive connection
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 = @other; }
    location @other { return 200 "other\n"; }
--- pipelined_requests eval
[map { $::Stream->('sim.exception') } 1 .. 3]
--- response_body eval
["other\n", "other\n", "other\n"]
--- no_error_log
[alert]



=== an exception whose connection ends with it
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
my $file = "$Test::Nginx::Bedrock::Root/fixtures/eventstream/v23_throttling.bin";
open my $in, '<:raw', $file or die "$file: $!";
local $/;
"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nConnection: close\r\n\r\n" . <$in>;
--- request eval: $::Stream->('a.model')
--- error_code: 429
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- response_body_like: ^\{"message":".+"\}$
