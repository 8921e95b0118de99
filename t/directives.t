# What nginx -t says of each directive's values, and how they are inherited.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line.
add_block_preprocessor(sub {
    my $block = shift;
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

run_tests();

__DATA__

=== good values
--- http_config
    bedrock_credentials other { source static; access_key_id A; secret_access_key B; session_token C; }
    bedrock_large_bodies 300k;
--- config
    location / {
        bedrock                   on;
        bedrock_api               auto;
        bedrock_region            eu-central-2;
        bedrock_endpoint          [::1]:8443;
        bedrock_service           bedrock;
        bedrock_model             arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0;
        bedrock_alias             gpt-4o us.a.b-v1:0;
        bedrock_alias             vendor/a:b$c arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0;
        bedrock_alias             smart        arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1 as=anthropic.claude-sonnet-4-6;
        bedrock_model_family      *profile/b2  claude-5;
        bedrock_model_family      my.*         us.amazon.nova-pro-v1:0;
        bedrock_model_feature     *opus-5-5*   structured=native cache=off;
        bedrock_model_feature     openai.gpt-7* effort=reasoning.effort:low,medium,high,max sampling=off stop=off;
        bedrock_allow_models      *;
        bedrock_max_output_tokens 1;
        bedrock_guardrail         arn:aws:bedrock:us-east-1:123456789012:guardrail/gr1 DRAFT trace=enabled_full;
        bedrock_auth              test;
        bedrock_credentials_timeout 1m;
        bedrock_anthropic_via     invoke;
        bedrock_responses_via     native;
        bedrock_anthropic_beta    context-1m-2025-08-07 a-*;
        bedrock_client_abort      drain;
        bedrock_max_frame_size    1k;
        bedrock_hold_headers      off;
        bedrock_ping              30s;
        bedrock_response_text     0;
        proxy_pass                http://bedrock;
    }
    location /more/ {
        bedrock                   off;
        bedrock_api               openai;
        bedrock_alias             gpt-4o other.model;
        bedrock_endpoint          $host:$server_port;
        bedrock_allow_models      a.* *b ?c;
        bedrock_max_output_tokens 18446744073709551615;
        bedrock_guardrail         gr1 7 trace=enabled;
        bedrock_auth              $http_x_team;
        bedrock_credentials_timeout 500ms;
        bedrock_anthropic_via     auto;
        bedrock_responses_via     auto;
        bedrock_anthropic_beta    pass;
        bedrock_client_abort      close;
        bedrock_max_frame_size    24M;
        bedrock_hold_headers      on;
        bedrock_ping              off;
        bedrock_response_text     64K;
    }
--- sent
host: [::1]:8443

=== values come from the server
--- config
    bedrock on;
    bedrock_region eu-west-1;
    bedrock_model server.model;
    bedrock_response_text 1k;
    location / { proxy_pass http://bedrock; }
--- access_log
model=server.model requested=any.model region=eu-west-1

=== a location's own values win, one by one
--- config
    bedrock on;
    bedrock_region eu-west-1;
    bedrock_model server.model;
    location / { bedrock_region eu-west-2; location /model/ { bedrock_model location.model; proxy_pass http://bedrock; } }
--- access_log
model=location.model requested=any.model region=eu-west-2

=== allowed models are replaced, not added
--- config
    bedrock_allow_models any.*;
    location / { bedrock on; bedrock_allow_models other.*; proxy_pass http://bedrock; }
--- error_code: 403

=== a wrong value shows its own file and line
--- user_files
>>> wrong.conf
# one
bedrock maybe;
--- config
    include ../html/wrong.conf;
--- must_die
--- error_log eval
qr{\[emerg\] .*"bedrock" directive has value "maybe": it must be "on" or "off" in \S+/html/wrong\.conf:2$}m

=== bedrock: not a flag
--- config: bedrock 1;
--- refused: "bedrock" directive has value "1": it must be "on" or "off"

=== bedrock: no value
--- config: bedrock;
--- refused: invalid number of arguments in "bedrock" directive

=== bedrock: twice
--- config: bedrock on; bedrock off;
--- refused: "bedrock" directive is duplicate

=== bedrock: in if
--- config: location / { if ($http_x) { bedrock on; } }
--- refused: "bedrock" directive is not allowed here

=== bedrock_api: not known
--- config: bedrock_api grpc;
--- refused: "bedrock_api" directive has value "grpc": it must be "auto", "converse", "openai", "responses", "anthropic", "cohere", "native" or "aws"

=== bedrock_api: twice
--- config: bedrock_api auto; bedrock_api auto;
--- refused: "bedrock_api" directive is duplicate

=== bedrock_api: anthropic
--- config
    location / { bedrock on; bedrock_api anthropic; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":"Hi"}]}
--- access_log
200 converse api=anthropic

=== bedrock_anthropic_via: not known
--- config: bedrock_anthropic_via messages;
--- refused: "bedrock_anthropic_via" directive has value "messages": it must be "auto", "invoke" or "converse"

=== bedrock_anthropic_via: no value
--- config: bedrock_anthropic_via;
--- refused: invalid number of arguments in "bedrock_anthropic_via" directive

=== bedrock_anthropic_via: twice
--- config: bedrock_anthropic_via auto; bedrock_anthropic_via auto;
--- refused: "bedrock_anthropic_via" directive is duplicate

=== bedrock_anthropic_via: a location's own value wins
--- config
    bedrock_anthropic_via converse;
    location / { bedrock on; bedrock_anthropic_via invoke; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"sim.text","max_tokens":1,"messages":[]}
--- access_log
200 invoke api=anthropic

=== bedrock_anthropic_via: comes from the server
--- config
    bedrock_anthropic_via converse;
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.x","max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}
--- access_log
200 converse api=anthropic

=== bedrock_responses_via: not known
--- config: bedrock_responses_via invoke;
--- refused: "bedrock_responses_via" directive has value "invoke": it must be "auto", "converse" or "native"

=== bedrock_responses_via: no value
--- config: bedrock_responses_via;
--- refused: invalid number of arguments in "bedrock_responses_via" directive

=== bedrock_responses_via: twice
--- config: bedrock_responses_via auto; bedrock_responses_via auto;
--- refused: "bedrock_responses_via" directive is duplicate

=== bedrock_responses_via: a location's own value wins
--- config
    bedrock_responses_via converse;
    location / { bedrock on; bedrock_responses_via native; proxy_pass http://bedrock; }
--- request
POST /v1/responses
{"model":"sim.text","input":"Hi"}
--- access_log
200 openai_responses api=responses

=== bedrock_responses_via: comes from the server
--- config
    bedrock_responses_via native;
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /v1/responses
{"model":"sim.text","input":"Hi"}
--- access_log
200 openai_responses api=responses

=== bedrock_anthropic_beta: no flag
--- config: bedrock_anthropic_beta a,b;
--- refused: "bedrock_anthropic_beta" directive has value "a,b": it must be "auto", "pass", "drop" or flags such as context-1m-2025-08-07, in which * and ? stand for any characters and for one

=== bedrock_anthropic_beta: a flag beside drop
--- config: bedrock_anthropic_beta a-1 drop;
--- refused: "bedrock_anthropic_beta" directive has value "drop": it must be "auto",

=== bedrock_anthropic_beta: auto beside a flag
--- config: bedrock_anthropic_beta auto a-1;
--- refused: "bedrock_anthropic_beta" directive has value "auto": it must be "auto",

=== bedrock_anthropic_beta: auto
--- config
    bedrock_anthropic_beta drop;
    location / { bedrock on; bedrock_anthropic_beta auto; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.claude-sonnet-4-6","max_tokens":1,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"v","anthropic_beta":["context-1m-2025-08-07","a"]}
--- sent_body
{"max_tokens":1,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"v","anthropic_beta":["context-1m-2025-08-07"]}

=== bedrock_anthropic_beta: no value
--- config: bedrock_anthropic_beta;
--- refused: invalid number of arguments in "bedrock_anthropic_beta" directive

=== bedrock_anthropic_beta: twice
--- config: bedrock_anthropic_beta drop; bedrock_anthropic_beta a;
--- refused: "bedrock_anthropic_beta" directive is duplicate

=== bedrock_anthropic_beta: a location's own value wins
--- config
    bedrock_anthropic_beta drop;
    location / { bedrock on; bedrock_anthropic_beta pass; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"anthropic.x","max_tokens":1,"messages":[],"anthropic_version":"v","anthropic_beta":["a"]}
--- sent_body
{"max_tokens":1,"messages":[],"anthropic_version":"v","anthropic_beta":["a"]}

=== bedrock_region: no name of a region
--- config: bedrock_region us_east_1;
--- refused: "bedrock_region" directive has value "us_east_1": it must be a region name such as us-east-1

=== bedrock_region: capitals
--- config: bedrock_region US-EAST-1;
--- refused: "bedrock_region" directive has value "US-EAST-1": it must be a region name such as us-east-1

=== bedrock_region: empty
--- config: bedrock_region "";
--- refused: "bedrock_region" directive has value "": it must be a region name such as us-east-1

=== bedrock_region: no such variable
--- config: bedrock_region $no_such;
--- must_die
--- error_log
unknown "no_such" variable

=== bedrock_region: twice
--- config: bedrock_region us-east-1; bedrock_region us-east-2;
--- refused: "bedrock_region" directive is duplicate

=== bedrock_endpoint: a scheme
--- config: bedrock_endpoint https://x.example.com;
--- refused: "bedrock_endpoint" directive has a wrong value: "https://x.example.com" has a scheme: give host[:port] alone, the scheme belongs in proxy_pass

=== bedrock_endpoint: a path
--- config: bedrock_endpoint x.example.com/v1;
--- refused: "bedrock_endpoint" directive has a wrong value: "x.example.com/v1" has a path: give host[:port] alone

=== bedrock_endpoint: a port that is none
--- config: bedrock_endpoint x.example.com:65536;
--- refused: "bedrock_endpoint" directive has a wrong value: "x.example.com:65536" has a port that is no number up to 65535

=== bedrock_endpoint: an empty port
--- config: bedrock_endpoint x.example.com:;
--- refused: "bedrock_endpoint" directive has a wrong value: "x.example.com:" has a port that is no number up to 65535

=== bedrock_endpoint: no host
--- config: bedrock_endpoint "x y";
--- refused: "bedrock_endpoint" directive has a wrong value: "x y" is not a host name

=== bedrock_endpoint: empty
--- config: bedrock_endpoint "";
--- refused: "bedrock_endpoint" directive has a wrong value: "" is not a host name

=== bedrock_endpoint: twice
--- config: bedrock_endpoint a; bedrock_endpoint b;
--- refused: "bedrock_endpoint" directive is duplicate

=== bedrock_credentials_zone: too small
--- http_config: bedrock_credentials_zone 32k;
--- refused: "bedrock_credentials_zone" directive has value "32k": it must be "off" or a size from 64k, such as 1m

=== bedrock_credentials_zone: no size
--- http_config: bedrock_credentials_zone on;
--- refused: "bedrock_credentials_zone" directive has value "on"

=== bedrock_credentials_zone: twice
--- http_config: bedrock_credentials_zone off; bedrock_credentials_zone 1m;
--- refused: "bedrock_credentials_zone" directive is duplicate

=== bedrock_service: no name of a service
--- config: bedrock_service "be/drock";
--- refused: "bedrock_service" directive has value "be/drock"

=== bedrock_service: twice
--- config: bedrock_service bedrock; bedrock_service bedrock;
--- refused: "bedrock_service" directive is duplicate

=== bedrock_model: no id
--- config: bedrock_model "any model";
--- refused: "bedrock_model" directive has value "any model"

=== bedrock_model: two of them
--- config: bedrock_model a b;
--- refused: invalid number of arguments in "bedrock_model" directive

=== bedrock_model: twice
--- config: bedrock_model a; bedrock_model b;
--- refused: "bedrock_model" directive is duplicate

=== bedrock_alias: no model
--- config: bedrock_alias gpt-4o;
--- refused: invalid number of arguments in "bedrock_alias" directive

=== bedrock_alias: an empty name
--- config: bedrock_alias "" a.model;
--- refused: "bedrock_alias" directive has name "": it must be letters, digits and signs without blanks

=== bedrock_alias: a blank in the name
--- config: bedrock_alias "my model" a.model;
--- refused: "bedrock_alias" directive has name "my model": it must be letters, digits and signs without blanks

=== bedrock_alias: no id
--- config: bedrock_alias gpt-4o "a model";
--- refused: "bedrock_alias" directive has model "a model": it must be a model id or ARN

=== bedrock_alias: a variable
--- config: bedrock_alias gpt-4o $model;
--- refused: "bedrock_alias" directive has model "$model": it must be a model id or ARN

=== bedrock_alias: a third parameter that says nothing
--- config: bedrock_alias gpt-4o a.model anthropic.claude-sonnet-4-6;
--- refused: "bedrock_alias" directive has parameter "anthropic.claude-sonnet-4-6": it must be "as=" and a model id or a family

=== bedrock_alias: as a model that nobody knows
--- config: bedrock_alias gpt-4o a.model as=other.model;
--- refused: "bedrock_alias" directive has model "other.model": it must be the id of a model whose family is known, or a family's name

=== bedrock_model_family: no family
--- config: bedrock_model_family a.model claude-17;
--- refused: "bedrock_model_family" directive has model "claude-17": it must be the id of a model whose family is known, or a family's name

=== bedrock_model_family: no pattern
--- config: bedrock_model_family "a model" claude-5;
--- refused: "bedrock_model_family" directive has pattern "a model": it must be a model id or ARN, in which * and ? stand for any characters and for one

=== bedrock_model_family: only one parameter
--- config: bedrock_model_family claude-5;
--- refused: invalid number of arguments in "bedrock_model_family" directive

=== bedrock_model_feature: nothing is said
--- config: bedrock_model_feature a.model;
--- refused: invalid number of arguments in "bedrock_model_feature" directive

=== bedrock_model_feature: no such feature
--- config: bedrock_model_feature a.model colour=red;
--- refused: "bedrock_model_feature" directive has no feature "colour": it must be one of system, stream_tools, tool_choice, tool_ids, tool_result, cache, cache_ttl, effort, reasoning_back, structured, strict, web_search, sampling, top_k, stop, max_tokens, tier

=== bedrock_model_feature: no such value
--- config: bedrock_model_feature a.model cache=on;
--- refused: "bedrock_model_feature" directive has value "on" for "cache": it must be "off", "messages" or "all"

=== bedrock_model_feature: a word
--- config: bedrock_model_feature a.model cache;
--- refused: "bedrock_model_feature" directive has parameter "cache": it must be KEY=VALUE

=== bedrock_model_feature: twice
--- config: bedrock_model_feature a.model stop=off stop=3;
--- refused: "bedrock_model_feature" directive has "stop" twice

=== bedrock_alias: a name twice
--- config: bedrock_alias gpt-4o a.model; bedrock_alias other a.model; bedrock_alias gpt-4o b.model;
--- refused: "bedrock_alias" directive names "gpt-4o" twice

=== bedrock_allow_models: none
--- config: bedrock_allow_models;
--- refused: invalid number of arguments in "bedrock_allow_models" directive

=== bedrock_allow_models: a pattern that fits no id
--- config: bedrock_allow_models any.* "a model";
--- refused: "bedrock_allow_models" directive has value "a model": it must be a model id or ARN, in which * and ? stand for any characters

=== bedrock_allow_models: an empty pattern
--- config: bedrock_allow_models "";
--- refused: "bedrock_allow_models" directive has value "": it must be a model id or ARN

=== bedrock_allow_models: variables beside patterns
--- config: bedrock_allow_models any.* $host;
--- refused: "bedrock_allow_models" directive has value "$host" beside others: a list with variables is one parameter

=== bedrock_allow_models: a variable that there is not
--- config: bedrock_allow_models $no_such_models;
--- must_die
--- error_log
unknown "no_such_models" variable

=== bedrock_allow_models: twice
--- config: bedrock_allow_models a; bedrock_allow_models b;
--- refused: "bedrock_allow_models" directive is duplicate

=== bedrock_max_output_tokens: nothing
--- config: bedrock_max_output_tokens 0;
--- refused: "bedrock_max_output_tokens" directive has value "0": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: negative
--- config: bedrock_max_output_tokens -1;
--- refused: "bedrock_max_output_tokens" directive has value "-1": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: a unit
--- config: bedrock_max_output_tokens 4k;
--- refused: "bedrock_max_output_tokens" directive has value "4k": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: too large
--- config: bedrock_max_output_tokens 18446744073709551616;
--- refused: "bedrock_max_output_tokens" directive has value "18446744073709551616": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: a sign
--- config: bedrock_max_output_tokens +1;
--- refused: "bedrock_max_output_tokens" directive has value "+1": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: empty
--- config: bedrock_max_output_tokens "";
--- refused: "bedrock_max_output_tokens" directive has value "": it must be a whole number from 1, or "off"

=== bedrock_max_output_tokens: a variable that there is not
--- config: bedrock_max_output_tokens $no_such_limit;
--- must_die
--- error_log
unknown "no_such_limit" variable

=== bedrock_max_output_tokens: twice
--- config: bedrock_max_output_tokens 1; bedrock_max_output_tokens 1;
--- refused: "bedrock_max_output_tokens" directive is duplicate

=== bedrock_guardrail: no version
--- config: bedrock_guardrail gr1;
--- refused: invalid number of arguments in "bedrock_guardrail" directive

=== bedrock_guardrail: another trace
--- config: bedrock_guardrail gr1 1 trace=on;
--- refused: "bedrock_guardrail" directive has parameter "trace=on": it must be "trace=enabled" or "trace=enabled_full"

=== bedrock_guardrail: another parameter
--- config: bedrock_guardrail gr1 1 async;
--- refused: "bedrock_guardrail" directive has parameter "async": it must be "trace=enabled" or "trace=enabled_full"

=== bedrock_guardrail: an id that is none
--- config: bedrock_guardrail "gr 1" 1;
--- refused: "bedrock_guardrail" directive has id "gr 1": it must be a guardrail's id or ARN

=== bedrock_guardrail: a version that is none
--- config: bedrock_guardrail gr1 latest;
--- refused: "bedrock_guardrail" directive has version "latest"

=== bedrock_guardrail: no id
--- config: bedrock_guardrail "" 1;
--- refused: "bedrock_guardrail" directive has

=== bedrock_guardrail: twice
--- config: bedrock_guardrail gr1 1; bedrock_guardrail gr1 2;
--- refused: "bedrock_guardrail" directive is duplicate

=== bedrock_auth: a name that no block has
--- config: bedrock_auth nobody;
--- must_die
--- error_log eval
qr/\[emerg\] .*bedrock_auth names "nobody" at \S+nginx\.conf:\d+, but there is no "bedrock_credentials nobody \{ … \}" at http level/

=== bedrock_auth: no variable with that name
--- config: bedrock_auth $no_such;
--- must_die
--- error_log
unknown "no_such" variable

=== bedrock_auth: an empty name
--- config: bedrock_auth "";
--- must_die
--- error_log eval
qr/\[emerg\] .*bedrock_auth.* ""/

=== bedrock_auth: bearer without a key
--- config: bedrock_auth bearer;
--- refused: "bedrock_auth" directive needs the key: "bedrock_auth bearer KEY" or "bearer file:PATH"

=== bedrock_credentials_timeout: no time
--- config: bedrock_credentials_timeout soon;
--- refused: "bedrock_credentials_timeout" directive has value "soon": it must be a time such as 500ms, 5s or 1m

=== bedrock_auth: bearer with an empty key
--- config: bedrock_auth bearer "";
--- refused: "bedrock_auth" directive failed: the value is empty

=== bedrock_auth: bearer with a blank in the key
--- config: bedrock_auth bearer "a b";
--- refused: "bedrock_auth" directive failed: the value is not one word of visible characters

=== bedrock_auth: bearer with a missing file
--- config: bedrock_auth bearer file:/nowhere/key;
--- refused: "bedrock_auth" directive failed: cannot read "/nowhere/key": No such file or directory

=== bedrock_auth: a relative path begins where nginx.conf is, as for ssl_certificate
--- config: bedrock_auth bearer file:key;
--- must_die
--- error_log eval
qr{cannot read "\S+/conf/key": No such file or directory}

=== bedrock_auth: bearer with an empty file
--- user_files
>>> key

--- config: bedrock_auth bearer file:$TEST_NGINX_HTML_DIR/key;
--- refused: /html/key" is empty

=== bedrock_auth: bearer with a file of two lines
--- user_files
>>> key
one
two
--- config: bedrock_auth bearer file:$TEST_NGINX_HTML_DIR/key;
--- refused: "bedrock_auth" directive failed:

=== bedrock_auth: off with a parameter
--- config: bedrock_auth off test;
--- refused: "bedrock_auth" directive has an extra parameter after "off": only "bearer" takes one

=== bedrock_auth: two names
--- config: bedrock_auth test test;
--- refused: "bedrock_auth" directive has an extra parameter after "test": only "bearer" takes one

=== bedrock_auth: twice
--- config: bedrock_auth test; bedrock_auth test;
--- refused: "bedrock_auth" directive is duplicate

=== bedrock_client_abort: not known
--- config: bedrock_client_abort on;
--- refused: "bedrock_client_abort" directive has value "on": it must be "close" or "drain"

=== bedrock_client_abort: twice
--- config: bedrock_client_abort close; bedrock_client_abort close;
--- refused: "bedrock_client_abort" directive is duplicate

=== bedrock_max_frame_size: no size
--- config: bedrock_max_frame_size big;
--- refused: "bedrock_max_frame_size" directive has value "big": it must be a size such as 512, 64k or 24m

=== bedrock_max_frame_size: negative
--- config: bedrock_max_frame_size -1k;
--- refused: "bedrock_max_frame_size" directive has value "-1k": it must be a size such as 512, 64k or 24m

=== bedrock_max_frame_size: too small
--- config: bedrock_max_frame_size 1023;
--- refused: "bedrock_max_frame_size" directive has too small a value: events need at least 1k

=== bedrock_max_frame_size: twice
--- config: bedrock_max_frame_size 1m; bedrock_max_frame_size 1m;
--- refused: "bedrock_max_frame_size" directive is duplicate

=== bedrock_large_bodies: no size
--- http_config: bedrock_large_bodies lots;
--- config
--- refused: "bedrock_large_bodies" directive has value "lots": it must be a size such as 512, 64k or 24m

=== bedrock_large_bodies: none at all
--- http_config: bedrock_large_bodies 0;
--- config
--- refused: "bedrock_large_bodies" directive has value "0": bodies would wait for ever

=== bedrock_large_bodies: twice
--- http_config: bedrock_large_bodies 1m; bedrock_large_bodies 1m;
--- config
--- refused: "bedrock_large_bodies" directive is duplicate

=== bedrock_large_bodies: of one worker, so not of a location
--- config: bedrock_large_bodies 1m;
--- refused: "bedrock_large_bodies" directive is not allowed here

=== bedrock_ping: no time
--- config: bedrock_ping soon;
--- refused: "bedrock_ping" directive has value "soon": it must be a time such as 15s, or "off"

=== bedrock_ping: never is said otherwise
--- config: bedrock_ping 0;
--- refused: "bedrock_ping" directive has value "0": it must be a time such as 15s, or "off"

=== bedrock_ping: twice
--- config: bedrock_ping 1s; bedrock_ping off;
--- refused: "bedrock_ping" directive is duplicate

=== bedrock_hold_headers: not a flag
--- config: bedrock_hold_headers yes;
--- refused: "bedrock_hold_headers" directive has value "yes": it must be "on" or "off"

=== bedrock_hold_headers: twice
--- config: bedrock_hold_headers on; bedrock_hold_headers on;
--- refused: "bedrock_hold_headers" directive is duplicate

=== bedrock_response_text: no size
--- config: bedrock_response_text k;
--- refused: "bedrock_response_text" directive has value "k": it must be a size such as 512, 64k or 24m

=== bedrock_response_text: too large to count
--- config: bedrock_response_text 99999999999999999999m;
--- refused: "bedrock_response_text" directive has value "99999999999999999999m": it must be a size such as 512, 64k or 24m

=== bedrock_response_text: twice
--- config: bedrock_response_text 0; bedrock_response_text 1;
--- refused: "bedrock_response_text" directive is duplicate

=== bedrock_resolve: good values
--- http_config
    upstream a { bedrock_resolve; server localhost:1; }
    upstream b { least_conn; bedrock_resolve valid=100ms; server localhost:1 weight=2 max_fails=0 fail_timeout=1s max_conns=3; keepalive 2; }
    upstream c { bedrock_resolve ipv6=off valid=1h; server localhost; server 127.0.0.1:1 down; server unix:/run/none; server [::1]:1 backup; }
    upstream d { hash $request_id consistent; bedrock_resolve ipv6=on; server localhost:1; }
--- request
GET /__sim/requests
--- ignore_response
--- no_error_log
[warn]
[error]

=== bedrock_resolve: no parameter of it
--- http_config: upstream a { bedrock_resolve 10s; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive has parameter "10s": it must be "valid=TIME" or "ipv6=on|off"

=== bedrock_resolve: neither on nor off
--- http_config: upstream a { bedrock_resolve ipv6=no; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive has parameter "ipv6=no": it must be "valid=TIME" or "ipv6=on|off"

=== bedrock_resolve: no time
--- http_config: upstream a { bedrock_resolve valid=often; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive has parameter "valid=often": it must be a time of at least 100ms, such as 10s or 1m

=== bedrock_resolve: all the time
--- http_config: upstream a { bedrock_resolve valid=0; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive has parameter "valid=0": it must be a time of at least 100ms, such as 10s or 1m

=== bedrock_resolve: a parameter twice
--- http_config: upstream a { bedrock_resolve valid=1s valid=2s; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive has a second parameter "valid=2s"

=== bedrock_resolve: too many parameters
--- http_config: upstream a { bedrock_resolve valid=1s ipv6=off valid=2s; server localhost:1; }
--- config
--- refused: invalid number of arguments in "bedrock_resolve" directive

=== bedrock_resolve: twice
--- http_config: upstream a { bedrock_resolve; bedrock_resolve; server localhost:1; }
--- config
--- refused: "bedrock_resolve" directive is duplicate

=== bedrock_resolve: after a server, whose name has been looked up already
--- http_config: upstream a { server 127.0.0.1:1; bedrock_resolve; }
--- config
--- refused: "bedrock_resolve" directive must stand before the "server" lines of its upstream

=== bedrock_resolve: not in an upstream
--- config: bedrock_resolve;
--- refused: "bedrock_resolve" directive is not allowed here

=== bedrock_resolve: nginx's own errors of a server are still its own
--- http_config: upstream a { bedrock_resolve; server localhost:1 wait=1; }
--- config
--- refused: invalid parameter "wait=1"

=== bedrock_resolve: a port that is none
--- http_config: upstream a { bedrock_resolve; server localhost:65536; }
--- config
--- refused: invalid port in upstream "localhost:65536"

=== bedrock_resolve: backup servers alone
--- http_config: upstream a { bedrock_resolve; server localhost:1 backup; }
--- config
--- must_die
--- error_log: no servers in upstream "a"

=== a server without bedrock_resolve is nginx's own
--- http_config: upstream a { server name.invalid:1; }
--- config
--- refused: host not found in upstream "name.invalid:1"
