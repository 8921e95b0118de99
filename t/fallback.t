# error_page to another region, model or account: each attempt is planned and signed anew from what the client sent.
use lib 't/lib';
use Test::Nginx::Bedrock;
use JSON::PP ();

repeat_each(1);
plan 'no_plan';

our $Body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}';
our $Plain = '{"model":"sim.throttled","messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":1e2}}';
our $Journal = 'GET /__sim/requests';

# A second account and two more regions; each fallback is for the stand-in's journal to show.
our $Regions = <<'_EOC_';
    bedrock_credentials eu_account {
        source            static;
        access_key_id     AKIDEXAMPLE;
        secret_access_key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY;
    }
    proxy_intercept_errors on;
_EOC_

# One line for each request in the stand-in's journal.
sub journal {
    my ($answer) = @_;
    return $answer unless $answer =~ /^\[\{/;
    my $lines = '';
    for my $request (@{ JSON::PP::decode_json($answer) }) {
        my %seen;
        my @twice = grep { $seen{ lc $_ }++ == 1 } map { $_->[0] } @{ $request->{headers} };
        my ($signed) = map { $_->[1] } grep { lc $_->[0] eq 'authorization' } @{ $request->{headers} };
        my $scope = ($signed // '') =~ m{Credential=\w+/\d{8}/([^,]+)} ? $1 : '-';
        $lines .= join(' ', $scope, $request->{target}, $request->{verdict}, @twice ? "twice: @twice" : 'once', $request->{body}) . "\n";
    }
    return $lines;
}

run_tests();

__DATA__

=== HTTP 429 goes to another region and model, signed anew
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model eu.other:0; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.throttled/converse\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval
[
    qr/Hello from the Bedrock stand-in/,
    qr{\Aus-east-1/bedrock/aws4_request /model/sim\.throttled/converse ok once \Q$::Body\E
eu-west-1/bedrock/aws4_request /model/eu\.other%3A0/converse ok once \Q$::Body\E
\z},
]
--- access_log eval
qr/^200 converse api=native model=eu\.other:0 requested=sim\.throttled region=eu-west-1 in=25 out=12 total=37 .* exception=- /m
--- no_error_log
[error]



=== HTTP 500 goes to another region
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.http-500-internalserver/converse\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval: [qr/Hello from/, qr{^us-east-1/.* ok once .*\neu-west-1/.* /model/good/converse ok once}]



=== HTTP 503 goes to another region
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.http-503-serviceunavailable/converse\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval: [qr/Hello from/, qr{^us-east-1/.* ok once .*\neu-west-1/.* /model/good/converse ok once}]



=== a region that cannot be reached
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; error_page 502 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; }
--- request eval: ["POST /model/a.model/converse\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval: [qr/Hello from/, qr{\Aeu-west-1/bedrock/aws4_request /model/a\.model/converse ok once .*\n\z}]



=== an exception in the first frame goes to another region and model
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model eu.other; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.exception/converse-stream\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_headers_like eval
["Content-Type: application/vnd.amazon.eventstream\nx-amzn-RequestId: [0-9a-f-]{36}", "Content-Type: application/json"]
--- response_body_like eval
[
    qr/\A\0\0.{10}\x0b:event-type\x07\0\x0cmessageStart.*"totalTokens":37/s,
    qr{\Aus-east-1/\S+ /model/sim\.exception/converse-stream ok once \Q$::Body\E
eu-west-1/\S+ /model/eu\.other/converse-stream ok once \Q$::Body\E
\z},
]
--- access_log eval
qr/^200 converse_stream .* model=eu\.other .* region=eu-west-1 in=25 out=12 .* stop=end_turn stream=complete exception=- /m



=== the other account's key signs, and the first one's does not go along
--- http_config eval: $::Regions
--- config
    location / { bedrock on; bedrock_auth bearer bedrock-api-key-EXAMPLE; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_auth eu_account; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.throttled/converse\n$::Body", $::Journal]
--- error_code eval: [200, 200]
--- response_body_like eval
[qr/Hello from/, qr/"auth":"bearer".*"verdict":"ok".*"auth":"sigv4".*Credential=AKIDEXAMPLE\/\d+\/eu-west-1.*"verdict":"ok"/]



=== the plain form: the second attempt starts from the client's body, not from the first one's
--- http_config eval: $::Regions
--- config
    location / { bedrock on; bedrock_max_output_tokens 50; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /chat\n$::Plain", $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval
[
    qr/Hello from/,
    qr{\Aus-east-1/\S+ /model/sim\.throttled/converse ok once .*"maxTokens":50\}\}
eu-west-1/\S+ /model/good/converse ok once \{"messages":\[\{"role":"user","content":\[\{"text":"Hello"\}\]\}\],"inferenceConfig":\{"maxTokens":1e2\}\}
\z},
]
--- access_log eval
qr/^200 converse api=converse model=good requested=sim\.throttled /m



=== the plain form as a stream: the second attempt's events, as server-sent events
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request
POST /chat
{"model":"sim.exception","stream":true,"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Accept: text/event-stream
Content-Type: application/json
--- error_code: 200
--- response_headers
Content-Type: text/event-stream
! x-amzn-ErrorType
--- response_body_like: \Aevent: messageStart\n
--- access_log eval
qr/^200 converse_stream .* model=good .* stream=complete/m



=== error_page to a path instead of a name
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = /eu; }
    location = /eu { internal; bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.throttled/converse\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval: [qr/Hello from/, qr{\Aus-east-1/.*\neu-west-1/\S+ /model/good/converse ok once \Q$::Body\E\n\z}]



=== three regions in a chain, the last one answers
--- http_config eval: $::Regions
--- config
    recursive_error_pages on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @west; }
    location @west { bedrock on; bedrock_region us-west-2; bedrock_model sim.exception.type-serviceunavailable; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.exception/converse-stream\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval
[qr/messageStart.*"totalTokens":37/s, qr{\Aus-east-1/.* ok once .*\nus-west-2/.* ok once .*\neu-west-1/\S+ /model/good/converse-stream ok once \Q$::Body\E\n\z}]
--- access_log eval
qr/^200 .* model=good .* region=eu-west-1 .* stream=complete exception=- /m



=== three regions in a chain, all fail: the client gets the last error
--- http_config eval: $::Regions
--- config
    recursive_error_pages on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @west; }
    location @west { bedrock on; bedrock_region us-west-2; bedrock_model sim.http-500-internalserver; proxy_pass http://bedrock; error_page 429 500 503 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model sim.exception.type-serviceunavailable; proxy_pass http://bedrock; }
--- request eval: "POST /model/sim.exception/converse-stream\n$::Body"
--- error_code: 503
--- response_headers_like
Content-Type: application/json
x-amzn-ErrorType: ServiceUnavailableException
x-amzn-RequestId: [0-9a-f-]{36}
--- response_body_like: ^\{"message":".+"\}$
--- access_log eval
qr/^503 .* model=sim\.exception\.type-serviceunavailable .* region=eu-west-1 .* stream=exception exception=serviceUnavailableException/m



=== without recursive_error_pages the second error is the client's
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @west; }
    location @west { bedrock on; bedrock_region us-west-2; bedrock_model sim.exception.type-serviceunavailable; proxy_pass http://bedrock; error_page 503 = @never; }
    location @never { return 200 "never"; }
--- request eval: "POST /model/sim.exception/converse-stream\n$::Body"
--- error_code: 503
--- response_headers
x-amzn-ErrorType: ServiceUnavailableException
--- response_body_like: ^\{"message":".+"\}$



=== nothing of a failed attempt stays when return answers
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 502 = @other; }
    location @other { return 200 "sorry"; }
--- request eval: "POST /model/sim.reset.at-0/converse-stream\n$::Body"
--- error_code: 200
--- response_body chop
sorry
--- access_log eval
qr/^200 .* in=- out=- .* stream=- exception=- tools=- /m



=== nothing of a failed attempt stays when a static file answers
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 502 = /sorry.txt; }
    location = /sorry.txt { }
--- user_files eval: [["sorry.txt", "sorry"]]
--- request eval: "POST /model/sim.reset.at-0/converse-stream\n$::Body"
--- error_code: 200
--- response_body chop
sorry
--- access_log eval
qr/^200 .* in=- out=- .* stream=- exception=- tools=- /m



=== nothing of a failed attempt stays when another server answers
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 502 = @other; }
    location @other { proxy_set_header Host own; proxy_pass http://127.0.0.1:$server_port; rewrite ^ /own break; }
    location = /own { bedrock off; access_log off; return 200 "sorry"; }
--- request eval: "POST /model/sim.reset.at-0/converse-stream\n$::Body"
--- error_code: 200
--- response_body chop
sorry
--- access_log eval
qr/^200 .* in=- out=- .* stream=- exception=- tools=- /m



=== counts of an attempt that failed late do not stay
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model sim.no-usage; proxy_pass http://bedrock; }
--- request eval: "POST /model/sim.throttled/converse\n$::Body"
--- error_code: 200
--- response_body_like: Hello from
--- access_log eval
qr/^200 .* region=eu-west-1 in=- out=- total=- .* exception=- /m



=== a location that is no gateway gets the client's request, and nothing of ours
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @own; }
    location @own { bedrock off; proxy_set_header Host own; proxy_pass http://127.0.0.1:$server_port/own; }
    location = /own { bedrock off; return 200 "$request_method|$http_authorization|$http_x_amz_date|$http_x_amz_security_token|$http_x_own|$http_accept_encoding|$http_content_length"; }
--- request eval: "POST /model/sim.throttled/converse\n$::Body"
--- more_headers
Authorization: Bearer the client's own
X-Own: kept
Accept-Encoding: br
--- error_code: 200
--- response_body chop
POST|Bearer the client's own|||kept|br|59



=== a self-hosted model as the last resort gets the client's headers and body, at its own path
--- lua
--- http_config eval
$::Regions . <<'_EOC_';
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location = /own {
            access_log off;
            content_by_lua_block {
                ngx.req.read_body()
                local headers = ngx.req.get_headers()
                local ours = {}
                for name in pairs(headers) do
                    if name:find('^x%-amz') or name == 'authorization' then ours[#ours + 1] = name end
                end
                ngx.say(table.concat(ours, ','), '|', headers.cookie, '|', ngx.req.get_body_data())
            }
        }
    }
_EOC_
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @own; }
    location @own { rewrite ^ /own break; proxy_set_header Host own; proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- request eval: "POST /chat\n$::Plain"
--- more_headers
Content-Type: application/json
Cookie: mine
--- error_code: 200
--- response_body eval: "|mine|$::Plain\n"



=== two fallbacks in a row on a keep-alive connection
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- pipelined_requests eval
["POST /model/sim.exception/converse-stream\n$::Body", "POST /model/sim.throttled/converse\n$::Body", "POST /model/sim.exception/converse-stream\n$::Body", $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200, 200, 200]
--- response_body_like eval
[qr/messageStart.*totalTokens/s, qr/Hello from/, qr/messageStart.*totalTokens/s, qr/\A(?:us-east-1.* ok once .*\neu-west-1.* ok once .*\n){3}\z/]



=== every attempt has its own Host
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_endpoint localhost:$TEST_NGINX_SIM_PORT; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /model/sim.exception/converse-stream\n$::Body", $::Journal]
--- error_code eval: [200, 200]
--- response_body_like eval
[qr/messageStart/, qr/\["Host","127\.0\.0\.1:$::SimPort"\].*\["Host","localhost:$::SimPort"\].*"verdict":"ok"/]



=== a body in a file is there for every attempt
--- http_config eval: $::Regions
--- config
    client_body_in_file_only clean;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- request eval: ["POST /chat\n$::Plain", $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval: [qr/Hello from/, qr{\Aus-east-1/.* ok once (.*)\neu-west-1/\S+ /model/good/converse ok once \1\n\z}]



=== a chain of first-frame exceptions that leads nowhere ends with the last one, in the client's dialect
--- http_config eval: $::Regions
--- config
    recursive_error_pages on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @again; }
    location @again { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; error_page 429 = @again; }
--- request
POST /v1/chat/completions
{"model":"sim.exception","stream":true,"messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Content-Type: application/json
--- error_code: 429
--- response_body_like: ^\{"error":\{"message":.*"type":"rate_limit_error"
--- access_log
429 converse_stream api=openai model=sim.exception requested=sim.exception region=eu-west-1 in=- out=- total=- read=- write=- stop=- stream=exception exception=throttlingException
--- error_log
stream exception: throttlingException
--- no_error_log
[alert]



=== the same natively, to a path
--- http_config eval: $::Regions
--- config
    recursive_error_pages on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = /again; }
    location /again { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; error_page 429 = /again; }
--- request eval: "POST /model/sim.exception/converse-stream\n$::Body"
--- error_code: 429
--- response_body_like: ^\{"message":
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- access_log
429 converse_stream api=native model=sim.exception requested=sim.exception region=eu-west-1
--- error_log
stream exception: throttlingException
--- no_error_log
[alert]



=== a chain that nginx itself goes round ends in the client's dialect
--- http_config eval: $::Regions
--- config
    recursive_error_pages on;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @again; }
    location @again { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; error_page 429 = @again; }
--- request
POST /v1/chat/completions
{"model":"sim.throttled","messages":[{"role":"user","content":"Hi"}]}
--- more_headers
Content-Type: application/json
--- error_code: 500
--- response_body_like: ^\{"error":\{"message":
--- access_log
500 converse api=openai model=sim.throttled requested=sim.throttled region=eu-west-1 in=- out=- total=- read=- write=- stop=- stream=- exception=ThrottlingException
--- error_log
cycle
--- no_error_log
[alert]



=== from bedrock-mantle to bedrock-runtime: there it is translated
--- http_config eval: $::Regions
--- config
    location / { bedrock on; bedrock_service bedrock-mantle; proxy_pass http://bedrock; error_page 400 429 500 503 = @runtime; }
    location @runtime { bedrock on; bedrock_model sim.text; proxy_pass http://bedrock; }
--- request eval: [qq(POST /v1/chat/completions\n{"model":"sim.http-429-throttling","messages":[{"role":"user","content":"Hi"}]}), $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval
[
    qr/"object":"chat.completion"/,
    qr{\Aus-east-1/bedrock-mantle/aws4_request /v1/chat/completions .*\nus-east-1/bedrock/aws4_request /model/sim\.text/converse ok },
]



=== from bedrock-runtime to bedrock-mantle: there it is not
--- http_config eval: $::Regions
--- config
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 500 503 = @mantle; }
    location @mantle { bedrock on; bedrock_service bedrock-mantle; bedrock_model zai.glm-4.7; proxy_pass http://bedrock; }
--- request eval: [qq(POST /v1/chat/completions\n{"model":"sim.http-429-throttling","messages":[{"role":"user","content":"Hi"}]}), $::Journal]
--- response_body_filters eval: \&main::journal
--- error_code eval: [200, 200]
--- response_body_like eval
[
    qr/"object":\s*"chat.completion"/,
    qr{\Aus-east-1/bedrock/aws4_request /model/sim\.http-429-throttling/converse ok .*\nus-east-1/bedrock-mantle/aws4_request /v1/chat/completions ok },
]
