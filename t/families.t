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
