# Who authorizes a request to Bedrock, and with which headers. The stand-in checks every signature on its own.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- env`: NAME=VALUE lines for the environment that nginx is started in.
add_block_preprocessor(sub {
    my $block = shift;
    delete @ENV{grep { /^AWS_(?!EC2_)/ } keys %ENV};
    my %set = ($block->env // '') =~ /^(\w+)=(.*)$/mg;
    @ENV{keys %set} = values %set;
});

run_tests();

__DATA__

=== a signature that Bedrock accepts
--- sent eval
qr{^authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$}

=== of a path that is encoded twice in it
--- request
POST /model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== of a stream
--- request
POST /model/any.model/converse-stream
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== of a changed body
--- request
POST /
{"messages":[{"role":"user","content":[{"text":"東京"}]}],"model":"any.model"}

=== of an invoke, its own headers with it
--- request
POST /model/any.model/invoke
{}
--- more_headers
Content-Type: application/json
X-Amzn-Bedrock-Trace: ENABLED
--- sent eval
qr{SignedHeaders=content-type;host;x-amz-date;x-amzn-bedrock-trace,}

=== a session token is sent and signed
--- http_config
    bedrock_credentials session {
        source            static;
        access_key_id     ASIAEXAMPLE;
        secret_access_key secret;
        session_token     the+token/=;
    }
--- config
    location / { bedrock on; bedrock_auth session; proxy_pass http://bedrock; }
--- error_code: 502
--- error_log
AWS does not accept the gateway's credentials or signature: UnrecognizedClientException (403): The security token
--- sent eval
['x-amz-security-token: the+token/=', qr{Credential=ASIAEXAMPLE/.*SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,}]

=== a secret from a file
--- user_files
>>> secret
  wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- http_config
    bedrock_credentials team {
        source            static;
        access_key_id     AKIDEXAMPLE;
        secret_access_key file:$TEST_NGINX_HTML_DIR/secret;
    }
--- config
    location / { bedrock on; bedrock_auth team; proxy_pass http://bedrock; }

=== a wrong secret
--- http_config
    bedrock_credentials wrong { source static; access_key_id AKIDEXAMPLE; secret_access_key wrong; }
--- config
    location / { bedrock on; bedrock_auth wrong; proxy_pass http://bedrock; }
--- error_code: 502
--- response_headers
X-Amzn-ErrorType: ServiceUnavailableException
--- response_body chop
{"message":"The gateway got no valid answer from Bedrock."}
--- access_log
exception=InvalidSignatureException
--- error_log
AWS does not accept the gateway's credentials or signature: InvalidSignatureException (403): The request signature

=== a Bedrock API key
--- config
    location / { bedrock on; bedrock_auth bearer bedrock-api-key-EXAMPLE; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE
--- not_sent
x-amz-date
x-amz-security-token

=== a Bedrock API key from a file
--- user_files
>>> key
bedrock-api-key-EXAMPLE
--- config
    location / { bedrock on; bedrock_auth bearer file:$TEST_NGINX_HTML_DIR/key; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== keys per tenant by map
--- http_config
    bedrock_credentials other { source static; access_key_id AKIDOTHER; secret_access_key x; }
    map $http_x_team $keys { red test; blue other; }
--- config
    location / { bedrock on; bedrock_auth $keys; proxy_pass http://bedrock; }
--- request eval
[('POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}') x 2]
--- more_headers eval
["X-Team: red\n", "X-Team: blue\n"]
--- error_code eval
[200, 502]
--- response_headers eval
['', 'X-Amzn-ErrorType: ServiceUnavailableException']
--- no_error_log
[alert]

=== a name that no block has
--- http_config
    map $http_x_team $keys { red test; default nobody; }
--- config
    location / { bedrock on; bedrock_auth $keys; proxy_pass http://bedrock; }
--- error_code: 500
--- response_headers
X-Amzn-ErrorType: InternalServerException
--- response_body chop
{"message":"The gateway is not configured correctly; its error log says more."}
--- sent_count: 0
--- error_log
bedrock_auth: there is no bedrock_credentials "nobody"

=== no name at all
--- config
    location / { bedrock on; set $keys ''; bedrock_auth $keys; proxy_pass http://bedrock; }
--- error_code: 500
--- sent_count: 0
--- error_log
bedrock_auth: there is no bedrock_credentials ""

=== names that nobody wrote are no names: the place of a bearer key
--- config
    location / { bedrock on; bedrock_auth $http_x_team; proxy_pass http://bedrock; }
    location /key/ { bedrock on; bedrock_auth bearer bedrock-api-key-EXAMPLE; proxy_pass http://bedrock; }
--- more_headers eval
"X-Team: bearer key at $ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf:58"
--- request eval
["POST /model/any.model/converse\n{}"]
--- error_code: 500
--- sent_count: 0
--- error_log
bedrock_auth: there is no bedrock_credentials "bearer key at

=== names that nobody wrote are no names: default, with keys in the environment
--- env
AWS_ACCESS_KEY_ID=AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- config
    location / { bedrock on; bedrock_auth $http_x_team; proxy_pass http://bedrock; }
    location /default/ { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
    location /unset/ { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- more_headers
X-Team: default
--- error_code: 500
--- sent_count: 0
--- error_log
bedrock_auth: there is no bedrock_credentials "default"

=== other words of bedrock_auth are no names either
--- config
    location / { bedrock on; bedrock_auth $http_x_team; proxy_pass http://bedrock; }
--- request eval
[('POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}') x 4]
--- more_headers eval
["X-Team: off\nAuthorization: Bearer mine\n", "X-Team: bearer\n", "X-Team: Test\n", "X-Team: test \n"]
--- error_code eval
[500, 500, 500, 200]
--- sent_count eval
[0, 0, 0, 1]
--- no_error_log: [alert]

=== the default chain under a name, for a variable
--- env
AWS_ACCESS_KEY_ID=AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- http_config
    bedrock_credentials chain { source default; }
    map $http_x_team $keys { red chain; }
--- config
    location / { bedrock on; bedrock_auth $keys; proxy_pass http://bedrock; add_header X-Source $bedrock_credentials; }
--- more_headers
X-Team: red
--- sent eval
qr/Credential=AKIDEXAMPLE/
--- response_headers
X-Source: chain

=== bearer keys of one line of the configuration
--- user_files
>>> auth.conf
bedrock_auth bearer bedrock-api-key-EXAMPLE;
--- config
    location /a/ { bedrock on; include ../html/auth.conf; proxy_pass http://bedrock; }
    location / { bedrock on; include ../html/auth.conf; proxy_pass http://bedrock; add_header X-Source "[$bedrock_credentials]"; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE
--- response_headers
X-Source: []

=== keys from the environment
--- env
AWS_ACCESS_KEY_ID=AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent eval
qr/Credential=AKIDEXAMPLE/

=== temporary keys from the environment
--- env
AWS_ACCESS_KEY_ID=ASIAEXAMPLE
AWS_SECRET_ACCESS_KEY=x
AWS_SESSION_TOKEN=the-token
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- error_code: 502
--- sent
x-amz-security-token: the-token
--- error_log
AWS does not accept the gateway's credentials or signature

=== a source that is the environment
--- env
AWS_ACCESS_KEY_ID=AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- http_config
    bedrock_credentials from_env { source environment; }
--- config
    location / { bedrock on; bedrock_auth from_env; proxy_pass http://bedrock; }
--- sent eval
qr/Credential=AKIDEXAMPLE/

=== an API key from the environment comes before keys
--- env
AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE
AWS_ACCESS_KEY_ID=AKIDOTHER
AWS_SECRET_ACCESS_KEY=x
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== the environment says it all
--- bare
--- env
AWS_REGION=eu-west-1
AWS_DEFAULT_REGION=us-west-2
AWS_ACCESS_KEY_ID=AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
--- http_config
    include $TEST_NGINX_BEDROCK_CONF/bedrock_params;
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:$TEST_NGINX_SIM_PORT; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent eval
['host: bedrock-runtime.eu-west-1.amazonaws.com', qr{/eu-west-1/bedrock/}]

=== AWS_DEFAULT_REGION where there is no AWS_REGION
--- bare
--- env
AWS_DEFAULT_REGION=us-west-2
AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE
--- http_config
    include $TEST_NGINX_BEDROCK_CONF/bedrock_params;
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:$TEST_NGINX_SIM_PORT; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
host: bedrock-runtime.us-west-2.amazonaws.com

=== no credentials anywhere
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- error_code: 503
--- sent_count: 0
--- timeout: 2
--- error_log
bedrock: credentials "default" could not be fetched: nothing found in the API key of the environment (AWS_BEARER_TOKEN_BEDROCK is not set)
bedrock: no credentials "default": they could not be fetched, a line above says why

=== no region in the variable, and no other
--- bare
--- env
AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE
--- config
    location / { bedrock on; bedrock_region $http_x_region; proxy_pass http://127.0.0.1:$TEST_NGINX_SIM_PORT; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 500
--- sent_count: 0
--- error_log
no region: set bedrock_region, or AWS_REGION in nginx's environment

=== an API key out of a variable
--- config
    location / { bedrock on; set $key bedrock-api-key-EXAMPLE; bedrock_auth bearer $key; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== no API key in the variable
--- config
    location / { bedrock on; bedrock_auth bearer $http_x_key; proxy_pass http://bedrock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: MissingAuthenticationTokenException
--- sent_count: 0

=== more than an API key in the variable
--- config
    location / {
        bedrock on; bedrock_auth bearer $key; proxy_pass http://bedrock;
        rewrite_by_lua_block { ngx.var.key = 'key\r\nX-Evil: 1' } set $key '';
    }
--- lua
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: MissingAuthenticationTokenException
--- sent_count: 0

=== bedrock_auth off without the client's own
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: MissingAuthenticationTokenException
--- response_body chop
{"message":"Missing Authentication Token"}
--- sent_count: 0

=== bedrock_auth off with the client's API key
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- request
POST /p/model/a:b/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
Cookie: a=b
X-Forwarded-For: 10.0.0.1
--- sent
POST /model/a:b/converse
authorization: Bearer bedrock-api-key-EXAMPLE
--- not_sent
cookie
x-forwarded-for

=== bedrock_auth off with the client's signature
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- request
POST /model/a%3Ab/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Host: what.was.signed
X-Amz-Date: 20200101T000000Z
X-Amz-Security-Token: mine
X-Signed: 1
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20200101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token;x-signed, Signature=00
--- error_code: 403
--- sent
POST /model/a%3Ab/converse
host: what.was.signed
x-amz-date: 20200101T000000Z
x-amz-security-token: mine
x-signed: 1
authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20200101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token;x-signed, Signature=00

=== bedrock_auth off sends what was checked, and nothing behind a fragment
--- config
    location / { bedrock on; bedrock_auth off; bedrock_allow_models amazon.*; proxy_pass http://bedrock; }
--- raw_request eval
"POST /p/model/amazon.nova-lite-v1:0/count-tokens#/model/anthropic.opus/converse HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nConnection: close\r\n"
. "Authorization: Bearer bedrock-api-key-EXAMPLE\r\n\r\n{\"input\":{}}"
--- error_code_like: ^(200|400)$
--- sent
POST /model/amazon.nova-lite-v1:0/count-tokens
--- access_log
count_tokens api=native model=amazon.nova-lite-v1:0 requested=amazon.nova-lite-v1:0

=== nor the model that the fragment hides
--- config
    location / { bedrock on; bedrock_auth off; bedrock_allow_models amazon.*; proxy_pass http://bedrock; }
--- raw_request eval
"POST /model/anthropic.opus/converse#/model/amazon.nova-lite-v1:0/count-tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n"
. "Authorization: Bearer bedrock-api-key-EXAMPLE\r\n\r\n{}"
--- error_code: 403
--- sent_count: 0

=== bedrock_auth off behind a rewrite: what nginx decoded is no second request
--- config
    location / {
        rewrite (?s)^/team(/.*)$ $1 break;
        bedrock on; bedrock_auth off; proxy_pass http://bedrock;
    }
--- request
POST /team/model/any.model/converse%3Fx%20HTTP/1.1%0D%0AHost:x%0D%0A%0D%0APOST%20/denied
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code_like: ^40[03]$
--- sent_count: 0

=== bedrock_auth off behind a rewrite
--- config
    location / {
        rewrite ^/team(/.*)$ $1 break;
        bedrock on; bedrock_auth off; proxy_pass http://bedrock;
    }
--- request
POST /team/model/any.model/converse?a=1
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- sent
POST /model/any.model/converse

=== bedrock_auth off changes no body
--- config
    location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
Authorization: Bearer bedrock-api-key-EXAMPLE
--- error_code: 403
--- response_headers
X-Amzn-ErrorType: AccessDeniedException
--- sent_count: 0

=== the client's own headers do not come through
--- more_headers
Authorization: Bearer mine
Cookie: a=b
X-Amz-Date: 20200101T000000Z
X-Amz-Security-Token: mine
X-Amz-Content-Sha256: 00
X-Api-Key: mine
X-Forwarded-For: 10.0.0.1
X-Any: 1
TE: trailers
Amz-Sdk-Invocation-Id: 1
Accept-Encoding: gzip
User-Agent: aws-sdk-any/1
--- sent eval
[qr/^authorization: AWS4/, qr/^x-amz-date: 202[^0]/, 'accept-encoding: identity', 'user-agent: aws-sdk-any/1']
--- not_sent
cookie
x-amz-security-token
x-amz-content-sha256
x-api-key
x-forwarded-for
x-any
te
amz-sdk-invocation-id

=== but the log has them
--- http_config
    log_format own '$request_uri $http_x_team $http_authorization $http_x_amz_date $content_length $request_length';
--- config
    location / { bedrock on; proxy_pass http://bedrock; access_log logs/access.log own; }
--- request
POST /p/model/a%253Ab/converse?x=1
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- more_headers
X-Team: red
Authorization: mine
X-Amz-Date: 2020
--- access_log eval
qr{^/p/model/a%253Ab/converse\?x=1 red mine 2020 56 \d+$}

=== the secret key is in no log, at any level
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"the prompt"}]}]}
--- no_error_log
wJalrXUtnFEMI
