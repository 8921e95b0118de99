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
    location / { bedrock on; proxy_set_header Host other.host; proxy_pass http://bedrock; }
--- error_code: 502
--- error_log eval
qr/\[error\] .* what is sent is not what was signed: the Host is "other\.host" instead of "127\.0\.0\.1:\d+" \(include bedrock_params/

=== a location's own proxy_set_header drops those of bedrock_params
--- config
    location / { bedrock on; proxy_set_header X-Any 1; proxy_pass http://bedrock; }
--- error_code: 502
--- error_log
what is sent is not what was signed: the Host is "bedrock" instead of "127.0.0.1:

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
what is sent is not what was signed: the path is another one (give proxy_pass no path

=== a lone slash in proxy_pass
--- config
    location / { bedrock on; set $slash /; proxy_pass http://bedrock$slash; }
--- request
POST /p/model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- error_code: 404
--- error_log
what is sent is not what was signed: the path is another one (give proxy_pass no path, not even "/"

=== a Host that the client chooses, and no line of its own in the log
--- config
    location / { bedrock on; set $host_of_client $http_x_host; proxy_set_header Host $host_of_client; proxy_pass http://bedrock; }
--- more_headers eval
"X-Host: \x7fx\"y" . ("z" x 1000)
--- ignore_response
--- error_log eval
qr/the Host is "\\u\{7f\}x\\"yz{251}" instead of/
--- log_level: info
--- no_error_log eval
qr/z{252}/

=== another method
--- config
    location / { bedrock on; set $method PUT; proxy_method $method; proxy_pass http://bedrock; }
--- ignore_response
--- error_log eval
qr/\[error\] .* what is sent is not what was signed: the method is "PUT" instead of "POST" \(see proxy_method\), client/

=== another Content-Type
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header Connection ""; proxy_set_header Content-Type text/plain;
    }
--- error_code: 502
--- error_log eval
qr/\[error\] .* what is sent is not what was signed: missing or changed: content-type \(see proxy_set_header, proxy_pass_request_headers\), client/

=== another date, and another authorization, by variables
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header X-Amz-Date $http_x_date; proxy_set_header Authorization "Bearer $http_x_hush";
    }
--- more_headers
X-Hush: HUSH
--- ignore_response
--- error_log eval
qr/\[error\] .* what is sent is not what was signed: missing or changed: authorization, x-amz-date \(/
--- no_error_log
HUSH
--- log_level: info

=== a session token that is not signed
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header X-Amz-Security-Token HUSH;
    }
--- ignore_response
--- error_log
what is sent is not what was signed: added: x-amz-security-token (see proxy_set_header)

=== a header of invoke that is not signed
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header X-Amzn-Bedrock-Trace ENABLED;
    }
--- request
POST /model/any.model/invoke
{}
--- ignore_response
--- error_log
what is sent is not what was signed: added: x-amzn-bedrock-trace (see proxy_set_header)

=== another body
--- config
    location / { bedrock on; set $body '{"messages":[]}'; proxy_set_body $body; proxy_pass http://bedrock; }
--- error_code: 502
--- error_log
what is sent is not what was signed: the body, or its length, is another one (see proxy_set_body

=== no body for one that is in a file
--- config
    location / { bedrock on; client_body_in_file_only on; proxy_set_body $request_body; proxy_pass http://bedrock; }
--- ignore_response
--- error_log
what is sent is not what was signed: the body, or its length, is another one (see proxy_set_body

=== the body itself, as proxy_set_body has it
--- config
    location / { bedrock on; proxy_set_body $request_body; proxy_pass http://bedrock; }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== another length
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header Content-Length $http_x_length;
    }
--- more_headers
X-Length: 10
--- ignore_response
--- error_log
what is sent is not what was signed: the body, or its length, is another one (see proxy_set_body, proxy_pass_request_body, proxy_set_header)

=== what differs is said where error_page takes the answer, too, and once for each attempt
--- config
    proxy_intercept_errors on;
    location / { bedrock on; set $other other.host; proxy_set_header Host $other; proxy_pass http://bedrock; error_page 403 = @next; }
    location @next { bedrock on; proxy_pass http://bedrock; }
--- sent_count: 2
--- error_log
the Host is "other.host" instead of "127.0.0.1:
--- grep_error_log: what is sent is not what was signed
--- grep_error_log_out
what is sent is not what was signed

=== all of it in one line
--- config
    location / {
        bedrock on; set $x x; proxy_method $x; proxy_set_body $x; proxy_set_header Host $x; proxy_set_header Content-Type $x; proxy_pass http://bedrock;
    }
--- ignore_response
--- error_log eval
qr/not what was signed: the method is "x" .*; the Host is "x" .*; missing or changed: content-type .*; the body, or its length/
--- grep_error_log: what is sent is not what was signed
--- grep_error_log_out
what is sent is not what was signed

=== bodies in a file, a large one, and one in pieces are what was signed
--- config
    location / { bedrock on; client_body_buffer_size 1k; proxy_request_buffering off; proxy_pass http://bedrock; }
--- request eval
['POST /' . "\n" . '{"model":"any.model","messages":[{"role":"user","content":[{"text":"' . 'x' x 20000 . '"}]}]}',
 'POST /model/any.model/converse' . "\n" . '{"messages":[{"role":"user","content":[{"text":"' . 'x' x 400000 . '"}]}]}']
--- error_code eval
[200, 200]
--- no_error_log
not what was signed

=== another service
--- config
    location / { bedrock on; bedrock_service other-service; proxy_pass http://bedrock; }
--- error_code: 502
--- sent eval
qr{/us-east-1/other-service/aws4_request}
--- error_log
Credential should be scoped to correct service

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
