# What \$bedrock_* hold and where they can be read: log_format, add_header, map, Lua.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== about the request
--- http_config
    log_format own '$bedrock_operation|$bedrock_api|$bedrock_requested_model|$bedrock_model|$bedrock_region|$bedrock_host|$bedrock_uri';
--- config
    location / { bedrock on; bedrock_model b:1; bedrock_endpoint x.example.com; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /p/model/a%3A0/converse?x
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr{^converse\|native\|a:0\|b:1\|us-east-1\|x\.example\.com\|/model/b%3A1/converse$}

=== about the answer
--- http_config
    log_format own '$bedrock_input_tokens|$bedrock_output_tokens|$bedrock_total_tokens|$bedrock_cache_read_tokens|'
                   '$bedrock_cache_write_tokens|$bedrock_prompt_tokens|$bedrock_stop_reason|$bedrock_latency|$bedrock_tool_calls|$bedrock_request_id';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /model/sim.cached/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr{^10\|20\|1230\|1000\|200\|1210\|end_turn\|0\.042\|0\|[0-9a-f-]{36}$}

=== about a stream
--- http_config
    log_format own '$bedrock_stream_status|$bedrock_exception|$bedrock_time_to_first_token|$bedrock_latency|$bedrock_stop_reason';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr{^complete\|-\|0\.\d{3}\|0\.042\|end_turn$}

=== about a stream that failed
--- http_config
    log_format own '$status|$bedrock_stream_status|$bedrock_exception|$bedrock_input_tokens|$bedrock_stop_reason';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /model/sim.exception.at-3/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr{^200\|exception\|throttlingException\|-\|-$}
--- error_log
stream exception: throttlingException

=== the first content delta counts, not the first byte
--- http_config
    log_format own 'ttft=$bedrock_time_to_first_token rt=$request_time';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /model/sim.text.first-200.pace-100/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log eval
qr{^ttft=0\.(29|[3-9]\d)\d rt=[1-9]}

=== an answer that is no stream has neither
--- access_log eval
qr/ stream=- .* ttft=- /

=== the response text
--- http_config
    log_format own '$bedrock_response_text';
--- config
    location / { bedrock on; bedrock_response_text 1k; proxy_pass http://bedrock; access_log logs/access.log own; }
--- access_log eval
qr/^Hello from the Bedrock stand-in\.$/

=== the session that a client names
--- http_config
    log_format own '$bedrock_session_id';
    limit_req_zone $bedrock_session_id zone=one:1m rate=1r/m;
--- config
    location / { bedrock on; limit_req zone=one; limit_req_log_level info; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request eval
[(qq(POST /model/any.model/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]})) x 2]
--- more_headers
X-Claude-Code-Session-Id: 5e55
--- error_code eval
[200, 503]
--- sent_count eval
[1, 1]
--- response_body_like eval
['Hello', 'not available']
--- access_log eval
qr/^5e55$/

=== a client that names no session
--- http_config
    log_format own '[$bedrock_session_id]';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- access_log
[-]

=== the operation that Anthropic's Messages come to
--- http_config
    log_format own '$bedrock_operation|$bedrock_api|$bedrock_requested_model|$bedrock_model|$bedrock_uri';
--- config
    location / { bedrock on; bedrock_alias claude anthropic.claude-x; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /v1/messages
{"model":"claude","max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}
--- access_log eval
qr{^invoke\|anthropic\|claude\|anthropic\.claude-x\|/model/anthropic\.claude-x/invoke$}

=== all of them are unknown where there is no gateway
--- http_config
    log_format own '$bedrock_operation$bedrock_api$bedrock_requested_model$bedrock_model$bedrock_region$bedrock_host$bedrock_uri'
                   '$bedrock_input_tokens$bedrock_output_tokens$bedrock_total_tokens$bedrock_prompt_tokens$bedrock_cache_read_tokens'
                   '$bedrock_cache_write_tokens$bedrock_stop_reason$bedrock_time_to_first_token$bedrock_latency'
                   '$bedrock_stream_status$bedrock_exception$bedrock_request_id$bedrock_tool_calls$bedrock_response_text$bedrock_session_id'
                   '$bedrock_credentials$bedrock_credentials_expire$bedrock_cache_write_1h_tokens$bedrock_reasoning_tokens'
                   '$bedrock_service_tier$bedrock_invoked_model$bedrock_guardrail_action$bedrock_search_units';
--- config
    location / { return 200; access_log logs/access.log own; }
--- access_log eval
qr/^-{30}$/

=== a refused request has those about the request
--- config
    location / { bedrock on; bedrock_allow_models other.*; proxy_pass http://bedrock; }
--- error_code: 403
--- access_log eval
qr/^403 converse api=native model=- requested=any\.model region=- in=- out=- total=- .* id=-$/

=== in add_header
--- config
    location / { bedrock on; proxy_pass http://bedrock; add_header X-Model $bedrock_model; add_header X-Operation $bedrock_operation; }
--- response_headers
X-Model: any.model
X-Operation: converse

=== an unknown one makes no header
--- config
    location / { bedrock on; proxy_pass http://bedrock; add_header X-Exception "$bedrock_exception"; }
--- response_headers
! X-Exception

=== in map
--- http_config
    map $bedrock_operation $kind { converse_stream stream; converse whole; default other; }
    map $bedrock_input_tokens $size { ~^..$ small; "" unknown; }
    log_format own '$kind $size';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- access_log eval
qr/^whole small$/

=== in the condition of access_log
--- http_config
    map $bedrock_exception $failed { "" 0; default 1; }
    log_format own 'failed';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own if=$failed; }
--- request
POST /model/sim.throttled/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 429
--- access_log
failed

=== in the condition of access_log, where it does not hold
--- http_config
    map $bedrock_exception $failed { "" 0; default 1; }
    log_format own 'failed';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own if=$failed; }
--- no_access_log
failed

=== in Lua, before the request is sent
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        access_by_lua_block {
            if ngx.var.bedrock_requested_model == "any.model" then return ngx.exit(403) end
        }
    }
--- lua
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- sent_count: 0

=== in Lua, on the way back
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        header_filter_by_lua_block { ngx.header["X-Model"] = ngx.var.bedrock_model .. " " .. ngx.var.bedrock_api }
    }
--- lua
--- response_headers
X-Model: any.model native

=== in Lua, for the log
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        log_by_lua_block {
            ngx.log(ngx.NOTICE, "tokens: ", ngx.var.bedrock_input_tokens + ngx.var.bedrock_output_tokens,
                    ", exception: ", tostring(ngx.var.bedrock_exception))
        }
    }
--- lua
--- error_log
tokens: 37, exception: nil

=== in Lua, after a stream
--- config
    location / {
        bedrock on;
        proxy_pass http://bedrock;
        log_by_lua_block { ngx.log(ngx.NOTICE, "stream: ", ngx.var.bedrock_stream_status, " ", ngx.var.bedrock_total_tokens) }
    }
--- lua
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_log
stream: complete 37

=== they cannot be set
--- config
    location / { bedrock on; set $bedrock_model x; proxy_pass http://bedrock; }
--- must_die
--- error_log
the duplicate "bedrock_model" variable

=== no value has a control character, whoever chose it
--- http_config
    log_format own escape=none '<$bedrock_response_text|$bedrock_stop_reason>';
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / {
            default_type application/json;
            return 200 '{"output":{"message":{"content":[{"text":"a\\nb\\u0085c\\u007fd"}]}},"stopReason":"x\\r\\ny\\u0000"}';
        }
    }
--- config
    location / {
        bedrock on; bedrock_response_text 1k; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock;
        access_log logs/access.log own;
    }
--- access_log
<a b c d|x  y >

=== in proxy_set_header $http_ is of the call, and set keeps what the client sent
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/aws.sock;
        location / { default_type application/json; return 200 '{"output":"$http_x_direct|$http_x_kept"}'; }
    }
--- config
    location / {
        bedrock on;
        set $team $http_x_team;
        proxy_set_header Host $bedrock_host;
        proxy_set_header X-Direct "-$http_x_other";
        proxy_set_header X-Kept $team;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/aws.sock;
    }
--- request
POST /model/a.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
X-Team: red
X-Other: blue
--- response_body chop
{"output":"-|red"}
