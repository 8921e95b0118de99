# Rules that a variable gives: each team is a row of a map, and a team without a row gets nothing.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# Teams of all blocks, each with what its rules are.
add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => <<'_EOC_' . ($block->http_config // ''));
    map $http_x_team $models {
        search  "us.amazon.nova-* any.*";
        docs    "  us.anthropic.claude-*
                 us.amazon.nova-lite-v1:0  ";
        one     any.model;
        all     *;
        blank   "  ";
        wrong   "any.* not{a}pattern";
        bytes   "\xff\xfe";
    }
    map $http_x_team $tokens {
        search  100;
        docs    4096;
        one     18446744073709551615;
        all     off;
        zero    0;
        signed  +5;
        unit    4k;
        blank   " ";
        large   18446744073709551616;
        word    "a\"b";
    }
_EOC_
    $block->set_value(more_headers => 'X-Team: ' . $block->team) if defined $block->team;
});

run_tests();

__DATA__

=== a team's models
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: search
--- sent
POST /model/any.model/converse

=== a team's models, and one that is another team's
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: docs
--- error_code: 403
--- response_body_like: This gateway does not allow the model any\.model
--- sent_count: 0

=== a list with line breaks and blanks around it
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: docs
--- request
POST /model/us.amazon.nova-lite-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/us.amazon.nova-lite-v1%3A0/converse

=== all models
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: all
--- sent
POST /model/any.model/converse

=== text and a variable in one parameter
--- config
    location / { bedrock on; bedrock_allow_models "any.* $models"; proxy_pass http://bedrock; }
--- sent
POST /model/any.model/converse

=== no models for a team without a row
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body_like: ^\{"message":"This gateway does not know which models it may call for this request\."\}$
--- error_log
bedrock: bedrock_allow_models has value "" for this request: it must be model ids or ARNs with blanks between them, "*" for all
--- sent_count: 0

=== no models where there are blanks only
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: blank
--- error_code: 403
--- error_log
bedrock_allow_models has value ""
--- sent_count: 0

=== no models where one is none
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: wrong
--- error_code: 403
--- error_log
bedrock_allow_models has value "not{a}pattern" for this request
--- sent_count: 0

=== no models where the value is no text
--- config
    location / { bedrock on; bedrock_allow_models $http_x_models; proxy_pass http://bedrock; }
--- more_headers eval: "X-Models: \xff\xfe"
--- error_code: 403
--- error_log
bedrock_allow_models has value ""
--- sent_count: 0

=== in OpenAI's form
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- request
POST /v1/chat/completions
{"model":"any.model","messages":[{"role":"user","content":"Hi"}]}
--- error_code: 403
--- response_body_like: ^\{"error":\{"message":"This gateway does not know which models
--- error_log
bedrock_allow_models has value ""
--- sent_count: 0

=== in Anthropic's form
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- request
POST /v1/messages
{"model":"any.model","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}
--- error_code: 403
--- response_body_like: ^\{"type":"error","error":\{"type":"permission_error","message":"This gateway does not know which models
--- error_log
bedrock_allow_models has value ""
--- sent_count: 0

=== a guardrail call names no model, and no rule can be checked for it either
--- config
    location / { bedrock on; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- request
POST /guardrail/gr1/version/1/apply
{"source":"INPUT","content":[{"text":{"text":"Hi"}}]}
--- error_code: 403
--- error_log
bedrock_allow_models has value ""
--- sent_count: 0

=== a team's list of models
--- config
    location / { bedrock on; bedrock_alias fast any.model; bedrock_alias smart us.anthropic.claude-x; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- team chomp: one
--- request
GET /v1/models
--- response_body_like: ^\{"object":"list","data":\[\{"id":"fast",[^{]*\},\{"id":"any.model",[^{]*\}\]

=== no list of models for a team without a row
--- config
    location / { bedrock on; bedrock_alias fast any.model; bedrock_allow_models $models; proxy_pass http://bedrock; }
--- request
GET /v1/models
--- error_code: 403
--- error_log
bedrock_allow_models has value ""

=== by the model that the client asks for
--- http_config
    map $bedrock_requested_model $mine { any.model any.model; default us.amazon.*; }
--- config
    location / { bedrock on; bedrock_allow_models $mine; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse

=== a team's limit
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: search
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100}}

=== the largest limit there is
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: one
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":7}}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":7}}

=== a team without a limit
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: all
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== off in a location below a limit
--- config
    bedrock_max_output_tokens 5;
    location / { bedrock on; bedrock_max_output_tokens off; proxy_pass http://bedrock; }
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== no limit is known for a team without a row
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- response_body_like: ^\{"message":"This gateway limits output tokens, and does not know the limit for this request\."\}$
--- error_log
bedrock: bedrock_max_output_tokens has value "" for this request: it must be a whole number from 1, or "off"
--- sent_count: 0

=== no limit is known from zero
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: zero
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value "0" for this request
--- sent_count: 0

=== no limit is known from a sign
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: signed
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value "+5" for this request
--- sent_count: 0

=== no limit is known from a unit
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: unit
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value "4k" for this request
--- sent_count: 0

=== no limit is known from blanks
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: blank
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value " " for this request
--- sent_count: 0

=== no limit is known from too large a number
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: large
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value "18446744073709551616" for this request
--- sent_count: 0

=== no limit is known from a word
--- config
    location / { bedrock on; bedrock_max_output_tokens $tokens; proxy_pass http://bedrock; }
--- team chomp: word
--- error_code: 403
--- error_log
bedrock_max_output_tokens has value "a\"b" for this request
--- sent_count: 0
