# Which locations are gateways, and which model they call: inheritance, set, if, map, rewrite, bedrock_api.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== bedrock off leaves a location alone
--- config
    bedrock on;
    location /model/ { bedrock off; proxy_pass http://bedrock; }
--- more_headers
X-Any: 1
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: MissingAuthenticationTokenException
--- sent
x-any: 1
--- access_log
403 - api=- model=- requested=-

=== the default is off
--- config
    location / { proxy_pass http://bedrock; }
--- error_code: 403
--- access_log
403 - api=-

=== a static location below bedrock on stays static
--- config
    bedrock on;
    location / { proxy_pass http://bedrock; }
    location /static/ { alias html/; }
--- user_files
>>> page.txt
A page.
--- request
GET /static/page.txt
--- response_body
A page.
--- sent_count: 0
--- access_log
200 - api=-

=== its own errors stay nginx's
--- config
    bedrock on;
    location / { proxy_pass http://bedrock; }
    location /static/ { alias html/; }
--- request
GET /static/none.txt
--- error_code: 404
--- response_body_like: <hr><center>(?:nginx|openresty|tengine|freenginx)\b
--- sent_count: 0
--- error_log
No such file

=== return in a gateway location
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
    location = /health { bedrock on; return 200 "fine\n"; }
--- request
GET /health
--- response_body
fine
--- sent_count: 0

=== a model by set and if
--- config
    location / {
        bedrock on;
        set $model any.model;
        if ($http_x_fast) { set $model fast.model; }
        bedrock_model $model;
        proxy_pass http://bedrock;
    }
--- request
POST /model/x/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
X-Fast: 1
--- sent
POST /model/fast.model/converse
--- access_log
model=fast.model requested=x

=== an alias by map
--- http_config
    map $bedrock_requested_model $model {
        fast     amazon.nova-lite-v1:0;
        ~^big-   anthropic.big;
    }
--- config
    location / { bedrock on; bedrock_model $model; proxy_pass http://bedrock; }
--- request
POST /
{"model":"fast","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/amazon.nova-lite-v1%3A0/converse
--- access_log
model=amazon.nova-lite-v1:0 requested=fast

=== an empty bedrock_model leaves the client's
--- http_config
    map $bedrock_requested_model $model { fast amazon.nova-lite-v1:0; }
--- config
    location / { bedrock on; bedrock_model $model; proxy_pass http://bedrock; }
--- sent
POST /model/any.model/converse

=== bedrock_model for requests that name none
--- config
    location / { bedrock on; bedrock_model any.model; proxy_pass http://bedrock; }
--- request
POST /
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse
--- access_log
model=any.model requested=-

=== an allowed model
--- config
    location / { bedrock on; bedrock_allow_models other.* any.mod?l; proxy_pass http://bedrock; }
--- sent
POST /model/any.model/converse

=== the model that is called must be allowed, not the alias
--- config
    location / { bedrock on; bedrock_model any.model; bedrock_allow_models any.*; proxy_pass http://bedrock; }
--- request
POST /model/x/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse

=== proxy_pass inside if
--- config
    location / {
        bedrock on;
        proxy_pass http://127.0.0.1:1;
        if ($http_x_live) { proxy_pass http://bedrock; }
    }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
X-Live: 1
--- sent
POST /model/any.model/converse

=== proxy_pass with a variable
--- config
    location / { bedrock on; set $where 127.0.0.1:$TEST_NGINX_SIM_PORT; proxy_pass http://$where; }
--- request
POST /model/a:b/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a%3Ab/converse

=== rewrite to a native path
--- config
    location / { bedrock on; rewrite ^/chat$ /model/any.model/converse break; proxy_pass http://bedrock; }
--- request
POST /chat
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse
--- access_log
200 converse api=native model=any.model

=== rewrite to a native path in another location
--- config
    rewrite ^/chat/(.*)$ /model/$1/converse;
    location /model/ { bedrock on; proxy_pass http://bedrock; }
--- request
POST /chat/a.b-v1:0
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a.b-v1%3A0/converse

=== rewrite to the path of a dialect
--- config
    location / { bedrock on; rewrite ^/ask$ /v1/chat/completions break; proxy_pass http://bedrock; }
--- request
POST /ask
{"model":"any.model","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/any.model/converse
--- access_log
200 converse api=openai model=any.model

=== rewrite to a path that says nothing leaves the client's
--- config
    location / { bedrock on; rewrite ^ /anything break; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"Hi"}]}
--- sent
POST /model/any.model/converse
--- access_log
200 converse api=openai model=any.model

=== try_files to a named location
--- config
    location / { try_files $uri @bedrock; }
    location @bedrock { bedrock on; proxy_pass http://bedrock; }
--- request
POST /model/a.b-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a.b-v1%3A0/converse

=== bedrock_api native knows Bedrock's paths only
--- config
    location / { bedrock on; bedrock_api native; proxy_pass http://bedrock; }
--- request
POST /chat
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 404
--- response_headers
X-Amzn-ErrorType: UnknownOperationException
--- response_body_like: ^\{"message":"This path is none of Bedrock's
--- sent_count: 0

=== bedrock_api native takes a native path
--- config
    location / { bedrock on; bedrock_api native; proxy_pass http://bedrock; }
--- access_log
200 converse api=native

=== bedrock_api converse looks into the body, whatever the path
--- config
    location / { bedrock on; bedrock_api converse; proxy_pass http://bedrock; }
--- request
POST /model/not.me/invoke
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse
--- access_log
200 converse api=converse model=any.model requested=any.model

=== bedrock_api auto below another
--- config
    bedrock_api converse;
    location / { bedrock on; bedrock_api auto; proxy_pass http://bedrock; }
--- access_log
200 converse api=native
