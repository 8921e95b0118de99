# Beside other modules: access control, limits, Lua, subrequests, caches and several servers see what they would see without
# this module, and can decide what it does. mirror and gzip, where the moment matters: t/clients/test_beside.py.
use lib 't/lib';
use Test::Nginx::Bedrock;

repeat_each(1);
plan 'no_plan';

our $Body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}';
our $Converse = sub { "POST /model/$_[0]/converse\n$Body" };
our $Stream = sub { "POST /model/$_[0]/converse-stream\n$Body" };
our $Plain = sub { qq(POST /chat\n{"model":"$_[0]","messages":[{"role":"user","content":[{"text":"Hello"}]}]}) };
our $Journal = 'GET /__sim/requests';

# A backend for auth_request that says what it saw, and which model it grants.
our $Auth = <<'_EOC_';
    location = /auth {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header Host backend;
        proxy_pass http://127.0.0.1:$server_port/backend;
    }
    location = /backend {
        access_log off;
        add_header X-Seen "$http_authorization|$http_x_amz_date|$http_x_amz_security_token|$http_cookie" always;
        add_header X-Model granted.model always;
        if ($http_cookie = bad) { return 403; }
        return 204;
    }
_EOC_

run_tests();

__DATA__

=== auth_request: the backend sees the client's own headers, and no signature
--- config eval
$::Auth . <<'_EOC_';
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        auth_request /auth;
        auth_request_set $seen $upstream_http_x_seen;
        add_header X-Seen $seen;
    }
_EOC_
--- request eval: $::Plain->('a.model')
--- more_headers
Authorization: Bearer mine
Cookie: good
Content-Type: application/json
--- response_headers
X-Seen: Bearer mine|||good
--- response_body_like: Hello from
--- access_log eval
qr/^200 converse .* model=a\.model .* in=25 /



=== auth_request_set chooses the model
--- config eval
$::Auth . <<'_EOC_';
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        auth_request /auth;
        auth_request_set $m $upstream_http_x_model;
        bedrock_model $m;
    }
_EOC_
--- request eval: [$::Converse->('a.model'), $::Journal]
--- response_body_like eval: [qr/Hello from/, qr{"target":"/model/granted\.model/converse","verdict":"ok"}]
--- access_log eval
qr/^200 converse .* model=granted\.model requested=a\.model /



=== auth_request refuses: nothing is sent, and the error is in the client's dialect
--- config eval
$::Auth . '    location / { bedrock on; proxy_pass http://bedrock; auth_request /auth; }'
--- request eval: [$::Converse->('a.model'), $::Journal]
--- more_headers
Cookie: bad
--- error_code eval: [403, 200]
--- response_headers_like eval: ['x-amzn-ErrorType: AccessDeniedException', 'Content-Type: application/json']
--- response_body_like eval: [qr/^\{"message":".+"\}$/, qr/^\[\]$/]



=== auth_request, then an exception in the first frame, then another region
--- config eval
$::Auth . <<'_EOC_';
    proxy_intercept_errors on;
    location / { bedrock on; proxy_pass http://bedrock; auth_request /auth; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; auth_request /auth; }
_EOC_
--- request eval: $::Stream->('sim.exception')
--- response_body_like eval: qr/messageStart.*"totalTokens":37/s
--- access_log eval
qr/^200 .* model=good .* region=eu-west-1 .* stream=complete exception=- /m



=== limit_req by the model that was asked for
--- http_config
    limit_req_zone $bedrock_requested_model zone=model:1m rate=1r/m;
    limit_req_status 429;
--- config
    location / { bedrock on; proxy_pass http://bedrock; limit_req zone=model; }
--- request eval: [$::Plain->('model.a'), $::Plain->('model.a'), $::Plain->('model.b'), $::Journal]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 429, 200, 200]
--- response_body_like eval
[qr/Hello from/, qr/^\{"message":".+"\}$/, qr/Hello from/, qr{"target":"/model/model\.a/converse"[^\]]*\}.*"target":"/model/model\.b/converse"}]
--- response_headers_like eval: ['', 'x-amzn-ErrorType: ThrottlingException', '', '']



=== limit_req that delays: the request is signed and answered afterwards
--- http_config
    limit_req_zone $bedrock_requested_model zone=model:1m rate=30r/m;
--- config
    add_header X-Limit $limit_req_status;
    location / { bedrock on; proxy_pass http://bedrock; limit_req zone=model burst=10; }
--- request eval: [$::Converse->('a.model'), $::Plain->('a.model'), $::Stream->('a.model')]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 200, 200]
--- response_headers eval: ['X-Limit: PASSED', 'X-Limit: DELAYED', 'X-Limit: DELAYED']
--- response_body_like eval: [qr/Hello from/, qr/Hello from/, qr/messageStart.*"totalTokens":37/s]



=== limit_req that delays, then an exception in the first frame, then another region
--- http_config
    limit_req_zone $bedrock_requested_model zone=model:1m rate=2r/s;
    proxy_intercept_errors on;
--- config
    add_header X-Limit $limit_req_status;
    limit_req zone=model burst=10;
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @eu; }
    location @eu { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
--- pipelined_requests eval: [($::Stream->('sim.exception')) x 3]
--- error_code eval: [200, 200, 200]
--- response_headers eval: ['X-Limit: PASSED', 'X-Limit: DELAYED', 'X-Limit: DELAYED']
--- response_body_like eval: [(qr/messageStart.*"totalTokens":37/s) x 3]



=== map from the model that was asked for
--- http_config
    map $bedrock_requested_model $mapped { ~^small  good.small; default ""; }
--- config
    location / { bedrock on; bedrock_model $mapped; proxy_pass http://bedrock; }
--- request eval: [$::Plain->('small-1'), $::Plain->('other'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_like eval: [qr/Hello from/, qr/Hello from/, qr{/model/good\.small/converse".*/model/other/converse"}]



=== access_by_lua chooses the model and the region
--- lua
--- config
    location / {
        set $m '';
        set $r '';
        access_by_lua_block {
            ngx.var.m = 'eu.' .. ngx.var.bedrock_requested_model
            ngx.var.r = 'eu-central-1'
        }
        bedrock on;
        bedrock_model $m;
        bedrock_region $r;
        proxy_pass http://bedrock;
    }
--- request eval: [$::Plain->('a.model'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_like eval: [qr/Hello from/, qr{"region":"eu-central-1",.*"target":"/model/eu\.a\.model/converse","verdict":"ok"}]



=== access_by_lua changes the body, and that one is signed
--- lua
--- config
    location / {
        access_by_lua_block {
            ngx.req.read_body()
            ngx.req.set_body_data((ngx.req.get_body_data():gsub('Hello', 'Hello, all of you')))
        }
        bedrock on;
        proxy_pass http://bedrock;
    }
--- request eval: [$::Converse->('a.model'), $::Journal]
--- response_body_like eval: [qr/Hello from/, qr{"body":".*Hello, all of you.*"verdict":"ok"}]



=== Lua refuses: the error is in the client's dialect
--- lua
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_by_lua_block { return ngx.exit(429) } }
--- request eval: $::Converse->('a.model')
--- error_code: 429
--- response_headers
x-amzn-ErrorType: ThrottlingException
--- response_body_like: ^\{"message":".+"\}$



=== header_filter_by_lua, body_filter_by_lua and log_by_lua read the variables
--- lua
--- http_config
    lua_shared_dict seen 1m;
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        header_filter_by_lua_block { ngx.header['X-Model'] = ngx.var.bedrock_model .. ' ' .. ngx.var.bedrock_operation }
        body_filter_by_lua_block {
            if ngx.arg[2] then ngx.ctx.at_the_end = ngx.var.bedrock_stop_reason end
        }
        log_by_lua_block {
            ngx.shared.seen:set('log', ngx.var.bedrock_input_tokens .. '+' .. ngx.var.bedrock_output_tokens .. ' ' .. ngx.ctx.at_the_end)
        }
    }
    location = /seen { bedrock off; content_by_lua_block { ngx.say(ngx.shared.seen:get('log')) } }
--- pipelined_requests eval: [$::Stream->('a.model'), 'GET /seen']
--- response_headers eval: ['X-Model: a.model converse_stream', '']
--- response_body_like eval: [qr/messageStart.*"totalTokens":37/s, qr/^25\+12 end_turn$/]



=== log_by_lua reads what failed
--- lua
--- http_config
    lua_shared_dict seen 1m;
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        log_by_lua_block {
            ngx.shared.seen:set('log', ngx.var.bedrock_exception .. ' ' .. tostring(ngx.var.bedrock_input_tokens) .. ' ' .. ngx.status)
        }
    }
    location = /seen { bedrock off; content_by_lua_block { ngx.say(ngx.shared.seen:get('log')) } }
--- pipelined_requests eval: [$::Stream->('sim.exception'), 'GET /seen']
--- error_code eval: [429, 200]
--- response_body_like eval: [qr/message/, qr/^throttlingException nil 429$/]



=== a subrequest from Lua: a whole answer
--- lua
--- config
    location /model/ { bedrock on; proxy_pass http://bedrock; }
    location = /ask {
        bedrock off;
        content_by_lua_block {
            local answer = ngx.location.capture('/model/a.model/converse', { method = ngx.HTTP_POST,
                body = '{"messages":[{"role":"user","content":[{"text":"from Lua"}]}]}' })
            ngx.say(answer.status, ' ', answer.truncated, ' ', answer.body)
        }
    }
--- request eval: ["GET /ask", $::Journal]
--- response_body_like eval
[qr/^200 false \{.*Hello from the Bedrock stand-in.*\}$/, qr/"body":".*from Lua.*"verdict":"ok"/]



=== subrequests from Lua: several at once, streams and errors among them
--- lua
--- config
    location /model/ { bedrock on; proxy_pass http://bedrock; }
    location = /ask {
        bedrock off;
        content_by_lua_block {
            local options = { method = ngx.HTTP_POST, body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}' }
            local answers = { ngx.location.capture_multi({
                { '/model/first/converse', options },
                { '/model/second/converse-stream', options },
                { '/model/sim.throttled/converse', options },
            }) }
            for _, answer in ipairs(answers) do
                ngx.say(answer.status, ' ', answer.truncated, ' ', answer.body:match('totalTokens":%d+') or answer.body)
            end
        }
    }
--- request eval: ["GET /ask", $::Journal]
--- response_body_like eval
[qr/\A200 false totalTokens":37\n200 false totalTokens":37\n429 false \{"message":".*\}\n\z/, qr/^(?!.*SignatureException).*$/]



=== a subrequest does not change the request it belongs to
--- lua
--- config
    location /model/ { bedrock on; proxy_pass http://bedrock; }
    location = /chat {
        access_by_lua_block {
            local answer = ngx.location.capture('/model/classifier/converse', { method = ngx.HTTP_POST,
                body = '{"messages":[{"role":"user","content":[{"text":"which?"}]}]}' })
            ngx.var.m = answer.status == 200 and 'chosen' or 'none'
        }
        set $m '';
        bedrock on;
        bedrock_model $m;
        proxy_pass http://bedrock;
    }
--- request eval: [$::Plain->('a.model'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/Hello from/, qr{which\?.*/model/classifier/converse","verdict":"ok".*Hello.*/model/chosen/converse","verdict":"ok"}]
--- access_log eval
qr/^200 converse api=converse model=chosen requested=a\.model /m



=== a dead server is passed over, with the same signature
--- http_config
    upstream pool { server 127.0.0.1:1; server 127.0.0.1:$TEST_NGINX_SIM_PORT; }
--- config
    add_header X-Tried $upstream_addr;
    location / { bedrock on; proxy_pass http://pool; }
--- request eval: [$::Plain->('a.model'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_headers_like eval: ["X-Tried: 127\\.0\\.0\\.1:1, 127\\.0\\.0\\.1:\\d+", '']
--- response_body_like eval: [qr/Hello from/, qr/^\[(?!.*"verdict".*"verdict").*"verdict":"ok"\}\]$/]



=== a server that answers 503 is passed over where proxy_next_upstream says so
--- http_config
    upstream pool { server 127.0.0.1:$TEST_NGINX_RAND_PORT_1; server 127.0.0.1:$TEST_NGINX_SIM_PORT; }
--- config
    location / { bedrock on; proxy_pass http://pool; proxy_next_upstream error http_503 non_idempotent; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
--- request eval: $::Stream->('a.model')
--- response_body_like eval: qr/messageStart.*"totalTokens":37/s
--- access_log eval
qr/^200 .* stream=complete exception=- /



=== a cache for whole answers
--- http_config
    proxy_cache_path ./cache keys_zone=answers:1m;
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        proxy_buffering on;
        proxy_cache answers;
        proxy_cache_methods POST;
        proxy_cache_key "$bedrock_model $bedrock_operation $request_body";
        proxy_cache_valid 200 1m;
        add_header X-Cache $upstream_cache_status;
    }
--- request eval: [$::Plain->('a.model'), $::Plain->('a.model'), $::Plain->('b.model'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: HIT', 'X-Cache: MISS', '']
--- response_body_like eval
[qr/Hello from/, qr/Hello from/, qr/Hello from/, qr{^\[(?!.*/model/a\.model.*/model/a\.model).*/model/b\.model}]



=== echo serves beside a gateway
--- echo
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
    location = /hello { bedrock off; echo hello; }
--- request eval: ["GET /hello", $::Converse->('a.model')]
--- response_body_like eval: [qr/^hello\n$/, qr/Hello from/]



=== a post_action that fails does not touch the answer
--- config
    location / { bedrock on; proxy_pass http://bedrock; post_action @after; }
    location @after { bedrock off; proxy_set_header Host x; proxy_pass http://127.0.0.1:1; }
--- request eval: $::Stream->('a.model')
--- response_body_like eval: qr/messageStart.*"totalTokens":37/s
--- no_error_log
[alert]



=== headers of ours stay out of a location that is no gateway
--- config
    location /model/ { bedrock on; proxy_pass http://bedrock; }
    location = /own { bedrock off; return 200 "$http_authorization|$bedrock_model|$bedrock_input_tokens"; }
--- request eval: "POST /own\n$::Body"
--- more_headers
Authorization: mine
--- response_body chop
mine||



=== from a cache an answer comes in the client's form, and nothing was spent on it
--- http_config
    proxy_cache_path ./cache keys_zone=answers:1m;
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        proxy_buffering on;
        proxy_cache answers;
        proxy_cache_methods POST;
        proxy_cache_key "$bedrock_model $bedrock_operation $request_body";
        proxy_cache_valid 200 1m;
        add_header X-Cache $upstream_cache_status;
    }
--- pipelined_requests eval
[(qq(POST /v1/chat/completions\n{"model":"a.model","messages":[{"role":"user","content":"Hi"}]})) x 2]
--- more_headers
Content-Type: application/json
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: HIT']
--- response_body_like eval
[(qr/^\{"id":"chatcmpl-.*"total_tokens":37\}\}$/s) x 2]
--- access_log eval
[qr/^200 converse api=openai .* in=25 /, qr/^200 converse api=openai .* in=- /]

=== a mirror that is a gateway, and gets no body
--- config
    location / { bedrock on; mirror /shadow; mirror_request_body off; proxy_pass http://bedrock; }
    location = /shadow { internal; bedrock on; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_body_like: Hello from
--- no_error_log
exited on signal

=== an error arrives whole, however slowly it is sent
--- config
    location / { bedrock on; limit_rate 150; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{
--- error_code: 400
--- timeout: 10
--- response_body_like: ^\{"message":"The request body is not a JSON object.*"\}$
