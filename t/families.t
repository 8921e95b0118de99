# Which family a model belongs to, as $bedrock_model_family says. What nginx -t says of the directives is in directives.t.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- said`: a location whose log says the family, with these directives.
add_block_preprocessor(sub {
    my $block = shift;
    return unless defined $block->said;
    my $more = $block->said;
    chomp $more;
    $block->set_value(http_config => ($block->http_config // '') . "log_format family '\$bedrock_model family=\$bedrock_model_family.';");
    $block->set_value(config => ($block->config // '') . <<"_EOC_");
    location / {
        bedrock on;
        $more
        proxy_pass http://bedrock;
        access_log logs/access.log family;
    }
_EOC_
    $block->set_value(request => <<'_EOC_') unless defined $block->request;
POST /v1/chat/completions
{"model":"smart","messages":[{"role":"user","content":"Hello"}]}
_EOC_
});

run_tests();

__DATA__

=== by the id
--- said: bedrock_alias smart in.anthropic.claude-opus-5;
--- access_log
in.anthropic.claude-opus-5 family=claude-5.

=== an ARN hides it
--- said: bedrock_alias smart arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1;
--- access_log
family=profile-unknown.

=== an alias says it
--- said: bedrock_alias smart arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1 as=us.amazon.nova-pro-v1:0;
--- access_log
family=nova-1.

=== a directive says it, and more than the id
--- said: bedrock_model_family anthropic.claude-opus-5* unknown; bedrock_model_family * nova-1; bedrock_alias smart us.anthropic.claude-opus-5;
--- access_log
us.anthropic.claude-opus-5 family=unknown.

=== a client's name says it, with a tail
--- said: bedrock_model arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1;
--- request
POST /v1/chat/completions
{"model":"claude-sonnet-4-6[1m]","messages":[{"role":"user","content":"Hello"}]}
--- access_log
family=claude-4-6.

=== the tail is no part of the id
--- said: bedrock_max_output_tokens 100;
--- request
POST /v1/chat/completions
{"model":"us.amazon.nova-pro-v1:0[1m]","messages":[{"role":"user","content":"Hello"}]}
--- sent
POST /model/us.amazon.nova-pro-v1%3A0/converse
--- access_log
us.amazon.nova-pro-v1:0 family=nova-1.

=== on a native path, too
--- said: bedrock_region eu-west-1;
--- request
POST /model/qwen.qwen3-32b-v1%3A0/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- access_log
qwen.qwen3-32b-v1:0 family=qwen3.

=== lists are inherited where a level has none of its own
--- http_config
    bedrock_model_family some.* grok;
--- said: bedrock_alias smart some.model;
--- access_log
some.model family=grok.

=== the info line names what was left out, and nothing of it
--- said: bedrock_alias smart us.anthropic.claude-opus-4-7;
--- request
POST /v1/chat/completions
{"model":"smart","temperature":0.123,"stop":["\n"],"messages":[{"role":"user","content":"Hello"}]}
--- error_log
bedrock: for claude-4-7: left out temperature, stop
--- no_error_log
0.123

=== none where nothing was
--- said: bedrock_alias smart us.anthropic.claude-opus-4-7;
--- no_error_log
bedrock: for

=== a feature counts more than the table
--- said: bedrock_alias smart us.amazon.nova-pro-v1:0; bedrock_model_feature amazon.nova-* sampling=off;
--- request
POST /v1/chat/completions
{"model":"smart","temperature":0.5,"top_p":0.5,"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":9}}

=== tools that cannot be streamed: called without a stream, answered with one
--- said: bedrock_alias smart us.meta.llama3-3-70b-instruct-v1:0.sim.tool;
--- request
POST /v1/chat/completions
{"model":"smart","stream":true,"messages":[{"role":"user","content":"Hello"}],"tools":[{"type":"function","function":{"name":"get_weather"}}]}
--- response_headers
Content-Type: text/event-stream
--- response_body_like: "name":"get_weather".*"finish_reason":"tool_calls".*\[DONE\]
--- sent
POST /model/us.meta.llama3-3-70b-instruct-v1%3A0.sim.tool/converse

=== an error of such a call is no stream
--- said: bedrock_alias smart us.meta.llama3-3-70b-instruct-v1:0.sim.throttled;
--- request
POST /v1/chat/completions
{"model":"smart","stream":true,"messages":[{"role":"user","content":"Hello"}],"tools":[{"type":"function","function":{"name":"get_weather"}}]}
--- error_code: 429
--- response_body_like: "type":"rate_limit_error"

=== an answer in JSON, by a tool's input
--- said: bedrock_alias smart us.amazon.nova-pro-v1:0.sim.json;
--- request
POST /v1/chat/completions
{"model":"smart","messages":[{"role":"user","content":"Hello"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"city":{"type":"string"}}}}}}
--- response_body_like: "content":"\{\\"city\\":.*"finish_reason":"stop"

=== a model that Converse does not serve is refused by name
--- said: bedrock_alias smart openai.gpt-5.5;
--- request
POST /v1/messages
{"model":"smart","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}
--- error_code: 400
--- response_body_like: "model\\" is not served by Converse

=== a search of the web, where the model has it
--- said: bedrock_alias smart us.amazon.nova-2-lite-v1:0.sim.grounded;
--- request
POST /v1/responses
{"model":"smart","input":"How high?","tools":[{"type":"web_search"}]}
--- sent_body: {"messages":[{"role":"user","content":[{"text":"How high?"}]}],"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}}]}}
--- response_body_like: "type":"url_citation","start_index":0,"end_index":16,"url":"https://www\.toureiffel\.paris/en"

=== and where the operator does not want it
--- said: bedrock_alias smart us.amazon.nova-2-lite-v1:0; bedrock_model_feature * web_search=off;
--- request
POST /v1/responses
{"model":"smart","input":"How high?","tools":[{"type":"web_search"}]}
--- sent_body: {"messages":[{"role":"user","content":[{"text":"How high?"}]}]}
--- error_log
left out tools.web_search

=== and where the model has none and must
--- said: bedrock_alias smart us.amazon.nova-pro-v1:0;
--- request
POST /v1/chat/completions
{"model":"smart","messages":[{"role":"user","content":"How high?"}],"web_search_options":{}}
--- error_code: 400
--- response_body_like: which Bedrock does not have for models of the family nova-1.*"param":"web_search_options"
