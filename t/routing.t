# From the client's path, and from what its body names, to the path and body that reach Bedrock.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== converse
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse
content-type: application/json
content-length: 56
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
200 converse api=native model=any.model requested=any.model

=== converse-stream
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse-stream
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- access_log
200 converse_stream api=native

=== invoke
--- request
POST /model/meta.llama/invoke
{"prompt":"Hi"}
--- sent
POST /model/meta.llama/invoke
--- sent_body
{"prompt":"Hi"}
--- access_log
200 invoke api=native

=== invoke-with-response-stream
--- request
POST /model/meta.llama/invoke-with-response-stream
{"prompt":"Hi"}
--- sent
POST /model/meta.llama/invoke-with-response-stream
--- access_log
200 invoke_stream api=native

=== count-tokens
--- request
POST /model/any.model/count-tokens
{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}
--- sent
POST /model/any.model/count-tokens
--- access_log
200 count_tokens api=native

=== ApplyGuardrail
--- request
POST /guardrail/gr1/version/DRAFT/apply
{"source":"INPUT","content":[{"text":"Hi"}]}
--- sent
POST /guardrail/gr1/version/DRAFT/apply
--- access_log
200 apply_guardrail api=native model=-

=== a prefix is stripped
--- request
POST /team/a/model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse

=== a prefix before a guardrail is stripped
--- request
POST /team/a/guardrail/gr1/version/1/apply
{"source":"INPUT","content":[{"text":"Hi"}]}
--- sent
POST /guardrail/gr1/version/1/apply

=== the last /model/ is the one
--- request
POST /model/x/model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse

=== a colon in an id goes out encoded once
--- request
POST /model/anthropic.claude-3-haiku-20240307-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/anthropic.claude-3-haiku-20240307-v1%3A0/converse
--- access_log
model=anthropic.claude-3-haiku-20240307-v1:0

=== so does an encoded one
--- request
POST /model/a.b-v1%3a0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a.b-v1%3A0/converse

=== and one encoded twice
--- request
POST /model/a.b-v1%253A0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a.b-v1%3A0/converse

=== an ARN as it is
--- request
POST /x/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse
--- access_log
requested=arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0

=== an ARN with its slash encoded
--- request
POST /model/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fus.a.b-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse

=== an ARN encoded twice
--- request
POST /model/arn%253Aaws%253Abedrock%253Aus-east-1%253A123456789012%253Ainference-profile%252Fus.a.b-v1%253A0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse

=== a guardrail's ARN
--- request
POST /guardrail/arn:aws:bedrock:us-east-1:123456789012:guardrail/gr1/version/3/apply
{"source":"INPUT","content":[{"text":"Hi"}]}
--- sent
POST /guardrail/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aguardrail%2Fgr1/version/3/apply

=== a query does not go on
--- request
POST /model/any.model/converse?debug=1
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse

=== a native body goes out byte for byte
--- request
POST /model/any.model/converse
{ "messages" : [ {"content":[{"text":"\u00fc é 東"}], "role":"user"} ],  "inferenceConfig":{"topP":0.50,"temperature":1E-1} }
--- sent_body
{ "messages" : [ {"content":[{"text":"\u00fc é 東"}], "role":"user"} ],  "inferenceConfig":{"topP":0.50,"temperature":1E-1} }

=== invoke takes any body and type
--- request
POST /model/any.model/invoke
no JSON at all
--- more_headers
Content-Type: text/x-any
Accept: image/png
X-Amzn-Bedrock-Trace: ENABLED
X-Amzn-Bedrock-PerformanceConfig-Latency: optimized
--- sent
content-type: text/x-any
accept: image/png
x-amzn-bedrock-trace: ENABLED
x-amzn-bedrock-performanceconfig-latency: optimized
--- sent_body
no JSON at all

=== the plain form at any path
--- request
POST /chat
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
200 converse api=converse model=any.model requested=any.model

=== with "stream": true
--- request
POST /
{"stream":true,"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse-stream
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_headers
Content-Type: application/vnd.amazon.eventstream
--- access_log
200 converse_stream api=converse

=== with "stream": false
--- request
POST /
{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"model":"any.model","stream":false}
--- sent
POST /model/any.model/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== only the two members are cut out
--- request
POST /
{ "system":[{"text":"\u0041\/"}] ,	"model" : "any.model" , "messages":[{"role":"user","content":[{"text":"Hi"}]}], "stream":true, "additionalModelRequestFields":{"model":1,"stream":2}, "inferenceConfig":{"topP":0.50} }
--- sent_body eval
qq({ "system":[{"text":"\\u0041\\/"}] , "messages":[{"role":"user","content":[{"text":"Hi"}]}], "additionalModelRequestFields":{"model":1,"stream":2}, "inferenceConfig":{"topP":0.50} })

=== a model's ARN in the body
--- request
POST /
{"model":"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse

=== an id in the body that is encoded
--- request
POST /
{"model":"a.b-v1%3A0","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/a.b-v1%3A0/converse
--- access_log
model=a.b-v1:0
