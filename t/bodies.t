# However the client's body comes, it reaches Bedrock whole: chunked, in a file, large, over HTTP/2.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';
run_tests();

__DATA__

=== a chunked body
--- raw_request eval
"POST /model/any.model/converse HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
. "d\r\n{\"messages\":[\r\n2b\r\n{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]}\r\n0\r\n\r\n"
--- sent
content-length: 56
--- not_sent
transfer-encoding
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== a chunked body in the plain form
--- raw_request eval
"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
. "15\r\n{\"model\":\"any.model\",\r\n37\r\n\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]}\r\n0\r\n\r\n"
--- sent
content-length: 56
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== Expect: 100-continue is nginx's to answer
--- more_headers
Expect: 100-continue
--- error_code: 100
--- response_body_like: HTTP/1.1 200 OK
--- not_sent
expect

=== an HTTP/1.0 client
--- request
POST /model/any.model/converse HTTP/1.0
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_body_like: Hello from the Bedrock stand-in

=== an HTTP/2 client
--- http2
--- request
POST /model/a.b-v1:0/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- response_body_like: Hello from the Bedrock stand-in
--- sent
POST /model/a.b-v1%3A0/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== an HTTP/2 client with the plain form and a stream
--- http2
--- request
POST /
{"model":"any.model","stream":true,"messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent
POST /model/any.model/converse-stream
--- access_log
stream=complete

=== requests on one connection do not mix
--- pipelined_requests eval
['POST /model/first/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}', 'POST /
{"model":"second","messages":[{"role":"user","content":[{"text":"x"}]}]}']
--- error_code eval
[200, 200]
--- sent_count: 2
--- sent
POST /model/second/converse
--- sent_body
{"messages":[{"role":"user","content":[{"text":"x"}]}]}

=== a body in a file
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 1k; }
--- request eval
'POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 5000 . '"}]}]}'
--- sent
content-length: 5054
--- sent_body eval
'{"messages":[{"role":"user","content":[{"text":"' . 'x' x 5000 . '"}]}]}'
--- error_log
a client request body is buffered to a temporary file

=== a body in a file, in the plain form
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 1k; }
--- request eval
'POST /
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 5000 . '"}]}],"model":"any.model"}'
--- sent
content-length: 5054
--- sent_body eval
'{"messages":[{"role":"user","content":[{"text":"' . 'x' x 5000 . '"}]}]}'
--- error_log
a client request body is buffered to a temporary file

=== a short body in a file
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_in_file_only clean; }
--- request
POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== a body in two buffers
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 64k; }
--- request eval
['POST /
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 20000 . '"}]}],"model":"any.model"}']
--- sent_body eval
'{"messages":[{"role":"user","content":[{"text":"' . 'x' x 20000 . '"}]}]}'

=== a large body, worked on in a thread
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 1m; }
--- request eval
'POST /
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 300000 . '"}]}],"model":"any.model"}'
--- sent
POST /model/any.model/converse
content-length: 300054

=== a large body in a file
--- config
    location / { bedrock on; proxy_pass http://bedrock; client_body_buffer_size 8k; }
--- request eval
'POST /
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 300000 . '"}]}],"model":"any.model"}'
--- sent
POST /model/any.model/converse
content-length: 300054

=== a body that comes in pieces
--- request eval
[['POST /
{"model":"any.mod', {value => 'el","messages":[{"role":"us', delay_before => 0.1}, {value => 'er","content":[{"text":"Hi"}]}]}', delay_before => 0.1}]]
--- sent_body
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}

=== a large body over HTTP/2
--- http2
--- request eval
'POST /
{"messages":[{"role":"user","content":[{"text":"' . 'x' x 300000 . '"}]}],"model":"any.model"}'
--- sent
content-length: 300054

=== a connection goes on after a refusal whose body nobody read
--- pipelined_requests eval
['PUT /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}', 'POST /model/any.model/converse
{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}']
--- error_code eval
[405, 200]
--- sent_count: 1

=== a connection goes on after a refusal that read the body
--- config
    location / { bedrock on; bedrock_allow_models any.*; proxy_pass http://bedrock; }
--- pipelined_requests eval
['POST /
{"model":"other.model","messages":[]}', 'POST /
{"model":"any.model","messages":[{"role":"user","content":[{"text":"Hi"}]}]}']
--- error_code eval
[403, 200]
--- sent_count: 1
