# Variables where another module asks on the way: in a subrequest they are those of the request that it belongs to.
use strict;
use warnings;

use Test::Nginx::Bedrock;
require './t/gateway.pl';

plan 'no_plan';     # a block is skipped where nginx has no Lua

run_tests();

__DATA__

=== auth_request decides by the model, the operation and the dialect
--- http_config
    map "$bedrock_api $bedrock_operation $bedrock_requested_model" $allowed {
        "openai converse_stream good.model" yes;
        default no;
    }
--- config
    location / { bedrock on; auth_request /auth; proxy_pass http://bedrock; }
    location = /auth { internal; if ($allowed = no) { return 403; } return 204; }
--- request eval
["POST /v1/chat/completions\n" . '{"model":"good.model","stream":true,"messages":[{"role":"user","content":"Hi"}]}',
 "POST /v1/chat/completions\n" . '{"model":"bad.model","stream":true,"messages":[{"role":"user","content":"Hi"}]}']
--- error_code eval: [200, 403]
--- no_error_log
[alert]
--- sent_count eval: [1, 1]



=== they can be sent on to who decides
--- config
    location / { bedrock on; auth_request /auth; proxy_pass http://bedrock; }
    location = /auth {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Model "$bedrock_requested_model $bedrock_api";
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/decide;
    }
    location = /decide { if ($http_x_model = "any.model native") { return 204; } return 403; }
--- error_code: 200
--- no_error_log
[alert]



=== one that is a request to the gateway itself has its own
--- lua
--- config
    location /model/ { bedrock on; proxy_pass http://bedrock; }
    location = /both {
        bedrock off;
        content_by_lua_block {
            local answer = ngx.location.capture("/model/inner.model/converse", { method = ngx.HTTP_POST, body = '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}' })
            ngx.say(answer.status, " ", ngx.var.bedrock_requested_model)
        }
    }
--- request
GET /both
--- response_body
200 nil
