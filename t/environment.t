# `env` in nginx.conf, and what the error log says at start.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
log_level('info');

our $Keys = "env AWS_ACCESS_KEY_ID=AKIDEXAMPLE;\nenv AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY;\n";
our $FromEnvironment = 'bedrock_credentials given { source environment; }';

# `--- env`: lines NAME=value, the environment of nginx.
add_block_preprocessor(sub {
    my $block = shift;
    delete $ENV{$_} for grep { /^AWS_/ && $_ ne 'AWS_EC2_METADATA_DISABLED' } keys %ENV;
    my %set = ($block->env // '') =~ /^(\w+)=(.*)$/mg;
    @ENV{keys %set} = values %set;
});

run_tests();

__DATA__

=== keys with values
--- main_config eval: $::Keys
--- http_config eval: $::FromEnvironment
--- config
    location / { bedrock on; bedrock_auth given; proxy_pass http://bedrock; }
--- sent_count: 1

=== keys with values, for the default source
--- main_config eval: $::Keys
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent_count: 1

=== a region with a value
--- main_config
    env AWS_REGION=eu-west-3;
--- bare
--- http_config eval
$Test::Nginx::Bedrock::Defaults =~ s/bedrock_region .*?;//r
--- config
    access_log logs/access.log llm;
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- access_log
region=eu-west-3

=== an API key with a value, which has an equals sign
--- main_config
    env AWS_BEARER_TOKEN_BEDROCK=the-key==;
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- error_code: 502
--- error_log
Please make sure your API Key is valid
--- sent
authorization: Bearer the-key==

=== the first value counts, as for every process, and an empty one is none
--- main_config
    env AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE;
    env AWS_BEARER_TOKEN_BEDROCK=second;
    env AWS_PROFILE=;
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== it wins over the environment of the process
--- env: AWS_BEARER_TOKEN_BEDROCK=exported
--- main_config
    env AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE;
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== exported and passed on
--- env: AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-EXAMPLE
--- main_config
    env AWS_BEARER_TOKEN_BEDROCK;
--- config
    location / { bedrock on; bedrock_auth default; proxy_pass http://bedrock; }
--- sent
authorization: Bearer bedrock-api-key-EXAMPLE

=== no value
--- main_config
    env AWS_ACCESS_KEY_ID=;
    env AWS_SECRET_ACCESS_KEY=x;
--- http_config eval: $::FromEnvironment
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- must_die
--- error_log
AWS_ACCESS_KEY_ID is not set in nginx's environment

=== behind http
--- post_main_config
    env AWS_REGION=eu-west-3;
    env OTHER=x;
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- error_log eval
qr/\[warn\] .*bedrock: "env AWS_REGION=…;" stands behind "http", where it comes too late: move it above "http"\n/
--- no_error_log eval
["OTHER", "eu-west-3"]

=== the version, in the log once and in a variable everywhere
--- config
    location /plain { return 200 "$bedrock_version\n"; }
    location / { bedrock on; proxy_pass http://bedrock; }
--- request
GET /plain
--- response_body_like: ^\d+\.\d+\.\d+$
--- error_log eval
qr/\[notice\] .*bedrock: module nginx-bedrock\/\d+\.\d+\.\d+, with(out)? AWS's credential providers\n/
--- no_error_log
[warn]
