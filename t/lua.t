# Lua beside the gateway: it chooses, reads and changes, with its module loaded before this one or after it. Its filters get the
# answer as the client will: that of the gateway, not Bedrock's. More of Lua in t/beside.t and t/variables.t.
use lib 't/lib';
use Test::Nginx::Bedrock;

repeat_each(1);
plan 'no_plan';

our $Body = '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}';
our $Converse = sub { "POST /model/$_[0]/converse\n$Body" };
our $Stream = sub { "POST /model/$_[0]/converse-stream\n$Body" };
our $Plain = sub {
    my ($model, $stream) = @_;
    my $more = $stream ? '"stream":true,' : '';
    qq(POST /chat\n{"model":"$model",$more"messages":[{"role":"user","content":[{"text":"Hello"}]}]});
};
our $Journal = 'GET /__sim/requests';

# What Lua's filters see of each answer, for `GET /seen`: the header filter the status and the type, the body filter the text.
our $Watch = <<'_EOC_';
    location = /seen { bedrock off; content_by_lua_block { ngx.print(ngx.shared.seen:get('log')) } }
    header_filter_by_lua_block {
        local seen = ngx.shared.seen
        if ngx.var.bedrock_operation then
            seen:set('log', (seen:get('log') or '') .. ngx.status .. ' ' .. ngx.header.content_type .. '\n')
            ngx.header['X-Lua'] = 'seen'
        end
    }
    body_filter_by_lua_block {
        local seen = ngx.shared.seen
        if ngx.var.bedrock_operation then seen:set('log', seen:get('log') .. ngx.arg[1]) end
    }
_EOC_
our $Shared = 'lua_shared_dict seen 1m;';

run_tests();

__DATA__

=== rewrite_by_lua chooses the model
--- lua
--- config
    location / {
        set $m '';
        rewrite_by_lua_block { ngx.var.m = 'team-' .. ngx.req.get_headers()['X-Team'] }
        bedrock on;
        bedrock_model $m;
        proxy_pass http://bedrock;
    }
--- more_headers
X-Team: blue
--- request eval: [$::Converse->('a.model'), $::Journal]
--- response_body_like eval: [qr/Hello from/, qr{"target":"/model/team-blue/converse","verdict":"ok"}]
--- access_log eval
qr/^200 converse .* model=team-blue requested=a\.model /



=== rewrite_by_lua chooses by the model that only the body names
--- lua: first
--- config
    location / {
        set $m '';
        rewrite_by_lua_block { ngx.var.m = 'eu.' .. ngx.var.bedrock_requested_model }
        bedrock on;
        bedrock_model $m;
        proxy_pass http://bedrock;
    }
--- request eval: [$::Plain->('a.model'), $::Journal]
--- more_headers
Content-Type: application/json
--- response_body_like eval: [qr/Hello from/, qr{"target":"/model/eu\.a\.model/converse","verdict":"ok"}]



=== access_by_lua chooses anew for each attempt
--- lua
--- http_config
    proxy_intercept_errors on;
--- config
    location / {
        set $m '';
        access_by_lua_block { ngx.var.m = 'sim.exception' }
        bedrock on;
        bedrock_model $m;
        proxy_pass http://bedrock;
        error_page 429 = @other;
    }
    location @other {
        access_by_lua_block { ngx.var.m = 'other.model' }
        bedrock on;
        bedrock_model $m;
        proxy_pass http://bedrock;
    }
--- request eval: [$::Stream->('a.model'), $::Journal]
--- response_body_like eval
[qr/messageStart.*"totalTokens":37/s, qr{"/model/sim\.exception/converse-stream","verdict":"ok".*"/model/other\.model/converse-stream","verdict":"ok"}]
--- access_log eval
qr/^200 .* model=other\.model requested=a\.model .* stream=complete exception=- /m



=== the variables in each of Lua's phases
--- lua
--- http_config eval: $::Shared
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        access_by_lua_block { ngx.ctx.access = ngx.var.bedrock_operation .. ' ' .. tostring(ngx.var.bedrock_host) }
        header_filter_by_lua_block { ngx.ctx.header = ngx.var.bedrock_model .. ' ' .. tostring(ngx.var.bedrock_stop_reason) }
        body_filter_by_lua_block { ngx.ctx.last = ngx.arg[2]; ngx.ctx.body = ngx.var.bedrock_stop_reason }
        log_by_lua_block {
            local v = {}
            for _, name in ipairs { 'api', 'region', 'input_tokens', 'output_tokens', 'total_tokens', 'stream_status', 'exception' } do
                v[#v + 1] = tostring(ngx.var['bedrock_' .. name])
            end
            local c = ngx.ctx
            ngx.shared.seen:set('log', table.concat({ c.access, c.header, tostring(c.last), c.body, table.concat(v, ' ') }, '|'))
        }
    }
    location = /seen { bedrock off; content_by_lua_block { ngx.print(ngx.shared.seen:get('log')) } }
--- pipelined_requests eval: [$::Stream->('a.model'), 'GET /seen']
--- response_body_like eval
[qr/messageStart/, qr/^converse_stream nil\|a\.model nil\|true\|end_turn\|native us-east-1 25 12 37 complete nil$/]



=== body_filter_by_lua: the usage is known when its event passes
--- lua
--- http_config eval: $::Shared
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        body_filter_by_lua_block {
            if ngx.arg[1]:find('metadata', 1, true) then ngx.shared.seen:set('log', ngx.var.bedrock_total_tokens) end
        }
    }
    location = /seen { bedrock off; content_by_lua_block { ngx.print(ngx.shared.seen:get('log')) } }
--- pipelined_requests eval: [$::Stream->('a.model'), 'GET /seen']
--- response_body_like eval: [qr/messageStart/, qr/^37$/]



=== Lua's filters get the events that the client gets
--- lua
--- http_config eval: $::Shared
--- config eval
$::Watch . 'location / { bedrock on; proxy_pass http://bedrock; }'
--- pipelined_requests eval: [$::Plain->('a.model', 1), 'GET /seen']
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval
[qr/^(?:event|data): .*messageStop/s, qr{\A200 text/event-stream[^\n]*\n(?:event|data): [^\0]*messageStop[^\0]*\z}]



=== the same with Lua's module loaded first
--- lua: first
--- http_config eval: $::Shared
--- config eval
$::Watch . 'location / { bedrock on; proxy_pass http://bedrock; }'
--- pipelined_requests eval: [$::Plain->('a.model', 1), 'GET /seen']
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval
[qr/^(?:event|data): .*messageStop/s, qr{\A200 text/event-stream[^\n]*\n(?:event|data): [^\0]*messageStop[^\0]*\z}]



=== body_filter_by_lua changes what the client gets, and everything is counted
--- lua
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1]:gsub('Hello', 'Good morning') }
    }
--- request eval: $::Plain->('a.model', 1)
--- more_headers
Content-Type: application/json
Accept: text/event-stream
--- response_body_like eval: qr/Good morning.*messageStop/s
--- access_log eval
qr/^200 .* total=37 .* stop=end_turn stream=complete /
--- no_error_log
[error]



=== header_filter_by_lua changes a held header
--- lua
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        header_filter_by_lua_block { ngx.header['X-Model'] = ngx.var.bedrock_model; ngx.header['x-amzn-RequestId'] = nil }
    }
--- request eval: $::Stream->('a.model')
--- response_headers
X-Model: a.model
x-amzn-RequestId:
--- response_body_like: messageStart



=== an exception in the first frame: Lua's filters get the error, once
--- lua
--- http_config eval: $::Shared
--- config eval
$::Watch . 'location / { bedrock on; proxy_pass http://bedrock; }'
--- pipelined_requests eval: [$::Stream->('sim.exception'), 'GET /seen']
--- error_code eval: [429, 200]
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval: [qr/^\{"message":".+"\}$/, qr{\A429 application/json\n\{"message":"[^\n]+"\}\z}]



=== the same with Lua's module loaded first
--- lua: first
--- http_config eval: $::Shared
--- config eval
$::Watch . 'location / { bedrock on; proxy_pass http://bedrock; }'
--- pipelined_requests eval: [$::Stream->('sim.exception'), 'GET /seen']
--- error_code eval: [429, 200]
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval: [qr/^\{"message":".+"\}$/, qr{\A429 application/json\n\{"message":"[^\n]+"\}\z}]



=== an exception in the first frame that error_page takes: Lua's filters get the other answer only
--- lua
--- http_config eval: "proxy_intercept_errors on; $::Shared"
--- config eval
$::Watch . <<'_EOC_';
    location / { bedrock on; proxy_pass http://bedrock; error_page 429 = @other; }
    location @other { bedrock on; bedrock_model good; proxy_pass http://bedrock; }
_EOC_
--- pipelined_requests eval: [$::Stream->('sim.exception'), 'GET /seen']
--- error_code eval: [200, 200]
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval
[qr/messageStart.*"totalTokens":37/s, qr{\A200 application/vnd\.amazon\.eventstream\n.*messageStart.*"totalTokens":37}s]



=== a refusal: Lua's filters get it in the client's dialect, and may replace it
--- lua
--- http_config eval: $::Shared
--- config
    location / {
        bedrock on;
        bedrock_allow_models good.*;
        proxy_pass http://bedrock;
        header_filter_by_lua_block {
            ngx.header.content_length = nil
            ngx.header['X-Status'] = ngx.status .. ' ' .. ngx.header['x-amzn-ErrorType']
        }
        body_filter_by_lua_block {
            if ngx.arg[1] ~= '' then ngx.arg[1] = '{"message":"ask your administrator"}' end
        }
    }
--- request eval: $::Converse->('a.model')
--- error_code: 403
--- response_headers
X-Status: 403 AccessDeniedException
--- response_body chop
{"message":"ask your administrator"}



=== Bedrock's own error: header_filter_by_lua and body_filter_by_lua get it
--- lua
--- http_config eval: $::Shared
--- config eval
$::Watch . 'location / { bedrock on; proxy_pass http://bedrock; }'
--- pipelined_requests eval: [$::Converse->('sim.throttled'), 'GET /seen']
--- error_code eval: [429, 200]
--- response_headers_like eval: ['X-Lua: seen', '']
--- response_body_like eval: [qr/^\{"message":".+"\}$/, qr{\A429 application/json\n\{"message":"[^\n]+"\}\z}]



=== header_filter_by_lua ends an answer with an error of its own
--- lua
--- config
    header_filter_by_lua_block { if ngx.status == 200 then return ngx.exit(503) end }
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Converse->('a.model')
--- error_code: 503
--- response_headers
x-amzn-ErrorType: ServiceUnavailableException
--- response_body_like: ^\{"message":".+"\}$
--- no_error_log
[error]



=== the same with a stream
--- lua
--- config
    header_filter_by_lua_block { if ngx.status == 200 then return ngx.exit(503) end }
    location / { bedrock on; bedrock_hold_headers off; proxy_pass http://bedrock; }
--- request eval: $::Stream->('a.model')
--- error_code: 503
--- response_headers
x-amzn-ErrorType: ServiceUnavailableException
--- response_body_like: ^\{"message":".+"\}$
--- no_error_log
[error]



=== the same with a held header
--- lua
--- config
    header_filter_by_lua_block { if ngx.status == 200 then return ngx.exit(503) end }
    location / { bedrock on; proxy_pass http://bedrock; }
--- request eval: $::Stream->('a.model')
--- error_code: 503
--- response_headers
x-amzn-ErrorType: ServiceUnavailableException
--- response_body_like: ^\{"message":".+"\}$
--- no_error_log
[error]



=== a subrequest whose answer fails gets the error itself, whatever error_page says
--- lua
--- config
    location /v1/ {
        bedrock on;
        proxy_intercept_errors on;
        error_page 502 = @other;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
    location @other { bedrock off; return 200 other; }
    location = /ask {
        bedrock off;
        content_by_lua_block {
            ngx.req.set_header('Content-Type', 'application/json')
            local body = '{"model":"a.model","messages":[{"role":"user","content":"Hi"}]}'
            local answer = ngx.location.capture('/v1/chat/completions', { method = ngx.HTTP_POST, body = body })
            ngx.print(answer.status, ' ', answer.body)
        }
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{x}"
--- request
GET /ask
--- response_body_like: ^502 \{"error":\{
--- no_error_log
[alert]



=== a subrequest gets a large answer whole, though it is asked for it as soon as the upstream has ended
--- lua
--- config
    location /v1/ { bedrock on; proxy_pass http://bedrock; }
    location = /ask {
        bedrock off;
        content_by_lua_block {
            ngx.req.set_header('Content-Type', 'application/json')
            local body = '{"model":"sim.big.kib-512","messages":[{"role":"user","content":"Hi"}]}'
            local answer = ngx.location.capture('/v1/chat/completions', { method = ngx.HTTP_POST, body = body })
            ngx.print(answer.status, ' ', #answer.body:match('"content":"([^"]*)"'))
        }
    }
--- request
GET /ask
--- response_body: 200 524288
--- no_error_log
[error]
[alert]
