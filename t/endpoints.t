# Where a request goes: the Host and path that are sent must be those that were signed.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a Host that is not the signed one
--- config
    location / { bedrock on; set $other other.host; proxy_set_header Host $other; proxy_pass http://bedrock; }
--- error_code: 403
--- error_log eval
qr/\[error\] .* the Host sent \(other\.host\) is not the one that was signed \(127\.0\.0\.1:\d+\): include bedrock_params/

=== a location's own proxy_set_header drops those of bedrock_params
--- config
    location / {
        bedrock on; set $endpoint 127.0.0.1:$TEST_NGINX_SIM_PORT; bedrock_endpoint $endpoint;
        proxy_set_header X-Any 1; proxy_pass http://bedrock;
    }
--- error_code: 403
--- error_log
the Host sent (bedrock) is not the one that was signed

=== bedrock_params repeated in such a location
--- config
    location / { bedrock on; proxy_set_header X-Any 1; include $TEST_NGINX_BEDROCK_CONF/bedrock_params; proxy_pass http://bedrock; }
--- sent
x-any: 1

=== a path in proxy_pass
--- config
    location / { bedrock on; proxy_pass http://bedrock/v2$uri; }
--- error_code: 404
--- error_log
the path sent is not the one that was signed: give proxy_pass no path

=== a lone slash in proxy_pass
--- config
    location / { bedrock on; set $slash /; proxy_pass http://bedrock$slash; }
--- request
POST /p/model/any.model/converse
{"messages":[{"role":"user","content":[]}]}
--- error_code: 404
--- error_log
the path sent is not the one that was signed: give proxy_pass no path, not even "/"

=== another service
--- config
    location / { bedrock on; bedrock_service other-service; proxy_pass http://bedrock; }
--- error_code: 403
--- sent eval
qr{/us-east-1/other-service/aws4_request}

=== an endpoint with a port is the Host
--- config
    location / { bedrock on; bedrock_endpoint vpce-1.example.com:8443; proxy_pass http://bedrock; }
--- sent
host: vpce-1.example.com:8443

=== an endpoint by variable
--- config
    location / { bedrock on; bedrock_endpoint $http_x_endpoint; proxy_pass http://bedrock; }
--- more_headers
X-Endpoint: eu.example.com
--- sent
host: eu.example.com

=== an endpoint by variable that is none
--- config
    location / { bedrock on; bedrock_endpoint $http_x_endpoint; proxy_pass http://bedrock; }
--- more_headers
X-Endpoint: https://eu.example.com/
--- error_code: 500
--- sent_count: 0
--- error_log
bedrock_endpoint: "https://eu.example.com/" has a scheme

=== a region by variable, and its host
--- config
    location / { bedrock on; bedrock_region $http_x_region; set $none ''; bedrock_endpoint $none; proxy_pass http://bedrock; }
--- more_headers
X-Region: ap-southeast-2
--- sent eval
['host: bedrock-runtime.ap-southeast-2.amazonaws.com', qr{/ap-southeast-2/bedrock/}]
--- access_log
region=ap-southeast-2

=== China
--- config
    location / { bedrock on; bedrock_region cn-north-1; set $none ''; bedrock_endpoint $none; proxy_pass http://bedrock; }
--- sent
host: bedrock-runtime.cn-north-1.amazonaws.com.cn

=== GovCloud
--- config
    location / { bedrock on; bedrock_region us-gov-west-1; set $none ''; bedrock_endpoint $none; proxy_pass http://bedrock; }
--- sent
host: bedrock-runtime.us-gov-west-1.amazonaws.com

=== the European sovereign cloud
--- config
    location / { bedrock on; bedrock_region eusc-de-east-1; set $none ''; bedrock_endpoint $none; proxy_pass http://bedrock; }
--- sent
host: bedrock-runtime.eusc-de-east-1.amazonaws.eu

=== a region by variable that is none
--- config
    location / { bedrock on; bedrock_region $http_x_region; proxy_pass http://bedrock; }
--- more_headers
X-Region: evil.com/
--- error_code: 500
--- sent_count: 0
--- error_log
bedrock_region: "evil.com/" is not a region name such as us-east-1
