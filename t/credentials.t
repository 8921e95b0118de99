# What nginx -t says of bedrock_credentials blocks. What they are good for is in signing.t.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

our $Role = 'role_arn arn:aws:iam::123456789012:role/x;';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start with this block, and says TEXT, file and line.
add_block_preprocessor(sub {
    my $block = shift;
    my $text = $block->refused // return;
    chomp $text;
    delete $ENV{$_} for grep { /^AWS_/ && $_ ne 'AWS_EC2_METADATA_DISABLED' } keys %ENV;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

run_tests();

__DATA__

=== no source
--- http_config: bedrock_credentials a { access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive "a": has no source: add "source static;" or another

=== an empty block
--- http_config: bedrock_credentials a { }
--- refused: "bedrock_credentials" directive "a": has no source: add "source static;" or another

=== an unknown source
--- http_config: bedrock_credentials a { source magic; }
--- refused: "bedrock_credentials" directive "a": source "magic" is not known: it must be one of static, environment, profile, web_identity, container, imds, process, api_key, default

=== a key id without its secret
--- http_config: bedrock_credentials a { source static; access_key_id A; }
--- refused: "bedrock_credentials" directive "a": needs secret_access_key

=== a secret without its key id
--- http_config: bedrock_credentials a { source static; secret_access_key B; }
--- refused: "bedrock_credentials" directive "a": needs access_key_id

=== an unknown parameter
--- http_config: bedrock_credentials a { source static; access_key A; }
--- refused: unknown parameter "access_key" in bedrock_credentials: it takes source, access_key_id, secret_access_key, session_token, role_arn, session_name, external_id, token_file, sts_region, sts_endpoint

=== a parameter of another source
--- http_config: bedrock_credentials a { source environment; access_key_id A; }
--- refused: "bedrock_credentials" directive "a": source environment takes no access_key_id

=== a parameter twice
--- http_config: bedrock_credentials a { source static; access_key_id A; access_key_id B; }
--- refused: "access_key_id" is given twice

=== a parameter without value
--- http_config: bedrock_credentials a { source static; access_key_id; }
--- refused: "access_key_id" takes one value

=== an empty value
--- http_config: bedrock_credentials a { source static; access_key_id ""; }
--- refused: "access_key_id" takes one value

=== two values
--- http_config: bedrock_credentials a { source static; access_key_id A B; }
--- refused: "access_key_id" takes one value

=== a key id that would break the header it stands in
--- http_config: bedrock_credentials a { source static; access_key_id "A B/"; secret_access_key B; }
--- refused: "bedrock_credentials" directive "a":

=== a missing file
--- http_config: bedrock_credentials a { source static; access_key_id A; secret_access_key file:/nowhere/key; }
--- refused: "bedrock_credentials" directive "a": secret_access_key: cannot read "/nowhere/key": No such file or directory

=== a directory
--- http_config: bedrock_credentials a { source static; access_key_id A; secret_access_key file:/tmp; }
--- refused: "bedrock_credentials" directive "a": secret_access_key: cannot read "/tmp"

=== an empty file
--- user_files
>>> key

--- http_config: bedrock_credentials a { source static; access_key_id A; secret_access_key file:$TEST_NGINX_HTML_DIR/key; }
--- refused: /html/key" is empty

=== a name twice
--- http_config: bedrock_credentials test { source static; access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive "test" is duplicate

=== the name default
--- http_config: bedrock_credentials default { source static; access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive cannot be called "default": bedrock_auth gives that word a meaning of its own

=== the name off
--- http_config: bedrock_credentials off { source static; access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive cannot be called "off"

=== the name bearer
--- http_config: bedrock_credentials bearer { source static; access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive cannot be called "bearer"

=== no name
--- http_config: bedrock_credentials { source static; }
--- refused: invalid number of arguments in "bedrock_credentials" directive

=== no block
--- http_config: bedrock_credentials a;
--- refused: directive "bedrock_credentials" has no opening "{"

=== in a server
--- config: bedrock_credentials a { source static; access_key_id A; secret_access_key B; }
--- refused: "bedrock_credentials" directive is not allowed here

=== an environment without keys
--- http_config: bedrock_credentials a { source environment; }
--- refused: "bedrock_credentials" directive "a": AWS_ACCESS_KEY_ID is not set in nginx's environment

=== a block after what names it
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { bedrock on; bedrock_auth later; proxy_pass http://bedrock; }
    }
    bedrock_credentials later { source static; access_key_id A; secret_access_key B; }

=== a source without its value
--- http_config: bedrock_credentials a { source profile; }
--- refused: source profile needs a value after it

=== a process without command
--- http_config: bedrock_credentials a { source process; }
--- refused: source process needs a value after it

=== an API key without key
--- http_config: bedrock_credentials a { source api_key; }
--- refused: source api_key needs a value after it

=== a value that the source does not take
--- http_config: bedrock_credentials a { source imds yes; }
--- refused: source imds takes no value after it

=== a source with two values
--- http_config: bedrock_credentials a { source profile dev prod; }
--- refused: "source" takes one value

=== a source twice
--- http_config: bedrock_credentials a { source imds; source container; }
--- refused: "source" is given twice

=== an API key with a role
--- http_config: bedrock_credentials a { source api_key K; role_arn arn:aws:iam::123456789012:role/x; }
--- refused: source api_key takes no role_arn

=== an API key of two words
--- http_config: bedrock_credentials a { source api_key "a b"; }
--- refused: the value is not one word of visible characters

=== an API key in a file that is not there
--- http_config: bedrock_credentials a { source api_key file:/nowhere/key; }
--- refused: cannot read "/nowhere/key": No such file or directory

=== a session token in a file that is not there
--- http_config: bedrock_credentials a { source static; access_key_id A; secret_access_key B; session_token file:/nowhere/token; }
--- refused: session_token: cannot read "/nowhere/token"

=== a container without its endpoint
--- http_config: bedrock_credentials a { source container; }
--- refused: source container needs AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI in nginx's environment

=== a web identity without token
--- http_config: bedrock_credentials a { source web_identity; role_arn arn:aws:iam::123456789012:role/x; }
--- refused: needs token_file, or AWS_WEB_IDENTITY_TOKEN_FILE in nginx's environment

=== a web identity without role
--- http_config: bedrock_credentials a { source web_identity; token_file /etc/passwd; }
--- refused: needs role_arn, or AWS_ROLE_ARN in nginx's environment

=== a web identity whose token is not there
--- http_config: bedrock_credentials a { source web_identity; role_arn arn:aws:iam::123456789012:role/x; token_file /nowhere/token; }
--- refused: token_file "/nowhere/token" is not there

=== a web identity with an external id
--- http_config: bedrock_credentials a { source web_identity; role_arn arn:aws:iam::123456789012:role/x; token_file /etc/passwd; external_id x; }
--- refused: source web_identity takes no external_id

=== a token file where there is none
--- http_config: bedrock_credentials a { source imds; token_file /etc/passwd; }
--- refused: source imds takes no token_file

=== no ARN
--- http_config: bedrock_credentials a { source imds; role_arn gateway; }
--- refused: role_arn "gateway" is not a role's ARN such as arn:aws:iam::123456789012:role/NAME

=== a user's ARN
--- http_config: bedrock_credentials a { source imds; role_arn arn:aws:iam::123456789012:user/x; }
--- refused: is not a role's ARN

=== a session name with a blank
--- http_config: bedrock_credentials a { source imds; role_arn arn:aws:iam::123456789012:role/x; session_name "a b"; }
--- refused: session_name "a b" must be 2 to 64 letters, digits or _=,.@-

=== a session name of one letter
--- http_config: bedrock_credentials a { source imds; role_arn arn:aws:iam::123456789012:role/x; session_name a; }
--- refused: session_name "a" must be 2 to 64

=== a session name without role
--- http_config: bedrock_credentials a { source imds; session_name me; }
--- refused: session_name is for a role: add role_arn, or remove it

=== an external id without role
--- http_config: bedrock_credentials a { source static; access_key_id A; secret_access_key B; external_id x; }
--- refused: external_id is for a role: add role_arn, or remove it

=== an STS endpoint without scheme
--- http_config: bedrock_credentials a { source imds; role_arn arn:aws:iam::123456789012:role/x; sts_endpoint sts.amazonaws.com; }
--- refused: sts_endpoint "sts.amazonaws.com" must begin with https:// (or http://)

=== bedrock_auth names nobody
--- config
    location / { bedrock on; bedrock_auth nobody; proxy_pass http://bedrock; }
--- refused: bedrock_auth names "nobody" at

=== a time that is none
--- config
    location / { bedrock on; bedrock_credentials_timeout soon; proxy_pass http://bedrock; }
--- refused: "bedrock_credentials_timeout" directive has value "soon": it must be a time such as 500ms, 5s or 1m

=== a time twice
--- config
    location / { bedrock on; bedrock_credentials_timeout 1s; bedrock_credentials_timeout 2s; proxy_pass http://bedrock; }
--- refused: "bedrock_credentials_timeout" directive is duplicate

=== bearer without key
--- config
    location / { bedrock on; bedrock_auth bearer; proxy_pass http://bedrock; }
--- refused: "bedrock_auth" directive needs the key: "bedrock_auth bearer KEY" or "bearer file:PATH"

=== every source, right
--- http_config eval
qq{
    bedrock_credentials a { source profile dev; }
    bedrock_credentials b { source imds; $main::Role session_name me\@here; external_id "what they said"; sts_region eu-west-1; }
    bedrock_credentials c { source process "/usr/local/bin/keys --for gateway"; $main::Role sts_endpoint http://127.0.0.1:1; }
    bedrock_credentials d { source api_key K; }
    bedrock_credentials e { source default; sts_region us-gov-west-1; }
    bedrock_credentials f { source web_identity; role_arn arn:aws-cn:iam::123456789012:role/a/path/x; token_file /etc/passwd; }
    bedrock_credentials g { source static; access_key_id A; secret_access_key B; session_token T; $main::Role }
}
--- config
    location / { bedrock on; bedrock_credentials_timeout 1500ms; proxy_pass http://bedrock; }
--- request
POST /model/a.model/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
--- error_code: 200
--- no_error_log
[emerg]
[alert]

=== by a variable
--- http_config
    map $http_x_tenant $who { default nobody; one test; two other; }
    bedrock_credentials other { source static; access_key_id AKIDEXAMPLE; secret_access_key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY; }
--- config
    location / {
        bedrock on; bedrock_auth $who; proxy_pass http://bedrock;
        add_header X-Credentials $bedrock_credentials;
        add_header X-Expire "[$bedrock_credentials_expire]";
    }
--- request
POST /model/a.model/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
X-Tenant: two
--- error_code: 200
--- response_headers
X-Credentials: other
X-Expire: []
--- no_error_log: [alert]

=== by a variable that names nobody
--- http_config
    map $http_x_tenant $who { default nobody; one test; }
--- config
    location / { bedrock on; bedrock_auth $who; proxy_pass http://bedrock; }
--- request
POST /model/a.model/converse
{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}
--- more_headers
Content-Type: application/json
--- error_code: 500
--- response_body_unlike: nobody
--- error_log: bedrock_auth: there is no bedrock_credentials "nobody"
