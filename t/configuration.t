# What nginx -t says of a gateway's location as a whole, where each directive's value is right for itself.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line. `--- warned: TEXT`: it starts, and says TEXT as well.
# `--- silent`: it starts and says nothing at all. `--- env`: NAME=VALUE lines for the environment that nginx is started in.
add_block_preprocessor(sub {
    my $block = shift;
    delete @ENV{grep { /^AWS_(?!EC2_)/ } keys %ENV};
    my %set = ($block->env // '') =~ /^(\w+)=(.*)$/mg;
    @ENV{keys %set} = values %set;
    my $starts = sub {
        $block->set_value(request => 'GET /__sim/requests');
        $block->set_value(ignore_response => 1);
    };
    if (defined(my $text = $block->refused)) {
        chomp $text;
        $block->set_value(must_die => 1);
        $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
        $block->set_value(no_error_log => undef);
    } elsif (defined($text = $block->warned)) {
        chomp $text;
        $starts->();
        $block->set_value(error_log => qr/\[warn\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
        $block->set_value(no_error_log => "[emerg]\n[error]");
    } elsif (defined $block->silent) {
        $starts->();
        $block->set_value(no_error_log => "[emerg]\n[error]\n[warn]");
    }
});

our $Bare = <<"_EOC_";
    upstream bedrock { server 127.0.0.1:$SimPort; }
    bedrock_credentials test { source static; access_key_id A; secret_access_key B; }
    bedrock_auth test;
_EOC_
our $NoParams = "$Bare bedrock_region us-east-1;\n";
our $Sim = 'location /__sim/ { bedrock off; proxy_pass http://bedrock; }';

run_tests();

__DATA__

=== no region anywhere
--- bare
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- refused: "bedrock on" needs a region in location "/": set bedrock_region, or AWS_REGION in nginx's environment

=== no region for a location that inherits the rest
--- bare
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config
    bedrock on;
    location /a { bedrock_region us-east-1; proxy_pass http://bedrock; }
    location /b { proxy_pass http://bedrock; }
--- refused: "bedrock on" needs a region in location "/b"

=== a region in the environment that is none
--- bare
--- env
AWS_REGION=Frankfurt
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config
    location / { bedrock on; proxy_pass http://bedrock; }
--- refused: needs a region in location "/", and "Frankfurt" in nginx's environment is none: it must be a name such as us-east-1

=== a region in the environment
--- bare
--- env
AWS_DEFAULT_REGION=us-west-2
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config eval
"$::Sim location / { bedrock on; proxy_pass http://bedrock; }"
--- silent

=== a region by variable
--- bare
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config eval
"$::Sim location / { bedrock on; bedrock_region \$http_x_region; proxy_pass http://bedrock; }"
--- silent

=== no region is needed where nothing is a gateway
--- bare
--- http_config eval: "$::Bare include \$TEST_NGINX_BEDROCK_CONF/bedrock_params;"
--- config eval
"bedrock on; $::Sim location / { return 204; }"
--- warned: "bedrock on" does nothing: there is no proxy_pass in the locations that it holds for

=== bedrock on without proxy_pass
--- config
    location / { bedrock on; }
--- refused: "bedrock on" needs a proxy_pass in the same location "/": without it nothing goes to Bedrock; add "proxy_pass https://HOST;", or remove "bedrock on"

=== bedrock on without proxy_pass, in a named location
--- config
    location @gateway { bedrock on; }
--- refused: "bedrock on" needs a proxy_pass in the same location "@gateway"

=== bedrock on with fastcgi_pass
--- config
    location / { bedrock on; fastcgi_pass 127.0.0.1:1; }
--- refused: "bedrock on" needs a proxy_pass in the same location "/": fastcgi_pass at

=== bedrock on with uwsgi_pass, by variable
--- config
    location / { bedrock on; uwsgi_pass $host; }
--- refused: "bedrock on" needs a proxy_pass in the same location "/": uwsgi_pass at

=== bedrock on with grpc_pass
--- config
    location / { bedrock on; grpc_pass grpc://bedrock; }
--- refused: "bedrock on" needs a proxy_pass in the same location "/": grpc_pass at

=== bedrock on with fastcgi_pass after proxy_pass, which wins
--- config
    location / { bedrock on; proxy_pass http://bedrock; fastcgi_pass 127.0.0.1:1; }
--- refused: "bedrock on" needs a proxy_pass in the same location "/": fastcgi_pass at

=== bedrock on with fastcgi_pass before proxy_pass
--- config
    location / { bedrock on; fastcgi_pass 127.0.0.1:1; proxy_pass http://bedrock; }
--- warned: "fastcgi_pass" directive does nothing beside proxy_pass in location "/"

=== bedrock on with another handler
--- config
    location /status { bedrock on; stub_status; }
--- warned: "bedrock on" needs a proxy_pass in the same location "/status": another directive makes the answer here

=== bedrock on with return alone
--- config
    location / { bedrock on; return 204; }
--- warned: "bedrock on" needs a proxy_pass in the same location "/": with return alone it does nothing here

=== bedrock on with try_files alone
--- config
    location / { bedrock on; try_files $uri @gateway; }
    location @gateway { bedrock on; proxy_pass http://bedrock; }
--- warned: "bedrock on" needs a proxy_pass in the same location "/": with try_files alone it does nothing here

=== return before proxy_pass
--- config
    location / { bedrock on; return 204; proxy_pass http://bedrock; }
--- warned: "return" directive answers every request in location "/", so none goes to Bedrock

=== return in an if, and after a break
--- config
    location /a { bedrock on; if ($http_x) { return 401; } proxy_pass http://bedrock; }
    location /b { bedrock on; if ($http_x) { break; } return 401; proxy_pass http://bedrock; }
    location /c { bedrock on; rewrite ^/c/d /model/a/converse break; return 401; proxy_pass http://bedrock; }
--- silent

=== bedrock on in a location whose own locations are the gateways
--- config
    location /a { bedrock on; location /a/b { proxy_pass http://bedrock; } location /a/c { return 204; } }
    location /d { bedrock on; if ($http_x) { proxy_pass http://bedrock; } }
--- silent

=== bedrock on in a location in which nothing is a gateway
--- config
    location /a { bedrock on; location /a/b { return 204; } }
--- warned: "bedrock on" does nothing: there is no proxy_pass in the locations that it holds for

=== locations below bedrock on that are no gateways stay as they are
--- config
    bedrock on;
    location / { proxy_pass http://bedrock; }
    location /static/ { alias html/; }
    location = /moved { return 301 /; }
    location = /status { stub_status; }
    location /php/ { fastcgi_pass 127.0.0.1:1; }
    location /try/ { try_files $uri =404; }
--- request
GET /status
--- error_code: 200
--- response_body_like: ^Active connections
--- no_error_log
[warn]
[emerg]

=== an upstream of another kind below bedrock on gets the client's own request
--- config
    bedrock on;
    location / { proxy_pass http://bedrock; }
    location /php/ { fastcgi_pass 127.0.0.1:1; }
--- request
GET /php/x
--- error_code: 502
--- response_body_like: (?s)^<.*<hr><center>(?:nginx|openresty|tengine|freenginx)\b
--- sent_count: 0
--- error_log
connect() failed

=== a path in proxy_pass
--- config
    location / { bedrock on; proxy_pass http://bedrock/v2/; }
--- refused: "proxy_pass" directive has the path "/v2/" in location "/", where Bedrock is called: give no path, not even "/", after the host

=== a lone slash in proxy_pass, below bedrock on
--- config
    location / { proxy_pass http://bedrock/; }
    bedrock on;
--- refused: "proxy_pass" directive has the path "/" in location "/"

=== a query in proxy_pass
--- config
    location / { bedrock on; proxy_pass http://bedrock?x=1; }
--- refused: "proxy_pass" directive has the path "?x=1" in location "/"

=== a path after a socket
--- config
    location / { bedrock on; proxy_pass http://unix:/tmp/bedrock.sock:/x; }
--- refused: "proxy_pass" directive has the path "/x" in location "/"

=== a path after a variable
--- config
    location / { bedrock on; proxy_pass http://$bedrock_host/; }
--- refused: "proxy_pass" directive has the path "/" in location "/"

=== what proxy_pass may have
--- config
    location /a { bedrock on; proxy_pass http://unix:/tmp/bedrock.sock; }
    location /b { bedrock on; proxy_pass http://$bedrock_host; }
    location /c { bedrock on; proxy_pass http://bedrock$bedrock_uri; }
    location /d { bedrock on; proxy_pass http://bedrock$request_uri; }
    location /e { bedrock off; proxy_pass http://bedrock/; }
    location /f { bedrock on; proxy_pass $http_x_where; }
--- silent

=== bedrock_params is not there
--- bare
--- http_config eval: $::NoParams
--- config
    location / { bedrock on; proxy_pass https://bedrock; }
--- refused: "proxy_pass" directive has nginx send the Host "bedrock", and "bedrock-runtime.us-east-1.amazonaws.com" is signed: include bedrock_params in this location, or add "proxy_set_header Host $bedrock_host;"

=== bedrock_params is not there, but the Host is right
--- bare
--- http_config eval: "$::NoParams resolver 127.0.0.1;"
--- config eval
"$::Sim location / { bedrock on; set \$where bedrock-runtime.us-east-1.amazonaws.com; proxy_pass https://\$where; }"
--- warned: "proxy_pass" directive is in location "/" without bedrock_params: include it there or above, or set what it would: "

=== bedrock_params is not there, and TLS would ask for another name
--- bare
--- http_config eval: $::NoParams
--- config eval
"$::Sim location / { bedrock on; proxy_pass https://bedrock; proxy_http_version 1.1; proxy_set_header Host \$bedrock_host; proxy_ssl_verify off; }"
--- warned: or set what it would: "proxy_ssl_server_name on; proxy_ssl_name $bedrock_host"

=== what bedrock_params sets may be set by hand
--- bare
--- http_config eval: $::NoParams
--- config eval
"$::Sim location / {
    bedrock on; proxy_pass https://bedrock; proxy_http_version 1.1; proxy_set_header host \$bedrock_host;
    proxy_ssl_server_name on; proxy_ssl_name \$bedrock_host; proxy_ssl_verify off;
}"
--- silent

=== another region in the upstream than in bedrock_region
--- http_config
    upstream regional { bedrock_resolve; server 127.0.0.1:9; server bedrock-runtime.us-west-2.amazonaws.com:443; }
--- config
    location / { bedrock on; bedrock_region eu-west-1; bedrock_endpoint bedrock-runtime.eu-west-1.amazonaws.com; proxy_pass https://regional; }
--- warned: "proxy_pass" directive leads to "bedrock-runtime.us-west-2.amazonaws.com", and requests are signed for "bedrock-runtime.eu-west-1.amazonaws.com": name the same region in bedrock_region and in the address

=== TLS to a server without a port
--- http_config
    upstream portless { bedrock_resolve; server bedrock.test; }
--- config
    location / { bedrock on; proxy_pass https://portless; }
--- warned: "proxy_pass" directive speaks TLS to "bedrock.test" of upstream "portless" at port 80: write "server bedrock.test:443"

=== the same region in the upstream
--- http_config
    upstream regional { bedrock_resolve; server Bedrock-Runtime.us-west-2.amazonaws.com:443; }
--- config
    location / { bedrock on; bedrock_endpoint bedrock-runtime.us-west-2.amazonaws.com; proxy_pass https://regional; }
--- request: GET /__sim/requests
--- ignore_response
--- no_error_log
leads to
[emerg]

=== servers that are not Bedrock's own
--- http_config
    upstream other { server [::1]:9; server unix:/tmp/bedrock.socket; server 127.0.0.1:443; }
    upstream plain { server 127.0.0.1; }
--- config
    location /a { bedrock on; bedrock_endpoint bedrock-runtime.us-east-1.amazonaws.com; proxy_pass https://other; }
    location /b { bedrock on; bedrock_endpoint bedrock-runtime-fips.us-east-1.amazonaws.com; proxy_pass https://other; }
    location /c { bedrock on; bedrock_endpoint bedrock-runtime.us-east-1.amazonaws.com; proxy_pass http://plain; }
--- silent

=== a Host that is not the signed one
--- config
    location / { bedrock on; proxy_set_header Host other.host; proxy_pass https://bedrock; }
--- refused: "proxy_set_header" directive has nginx send the Host "other.host", and "127.0.0.1:

=== a proxy_set_header of the location's own drops those of bedrock_params
--- config
    location / { bedrock on; proxy_set_header X-Any 1; proxy_pass https://bedrock; }
--- refused: (the proxy_set_header at

=== a Host that no signature covers
--- config
    location / { bedrock on; bedrock_auth bearer KEY; proxy_set_header Host other.host; proxy_pass https://bedrock; }
--- warned: "proxy_set_header" directive has nginx send the Host "other.host"

=== a Host that something before Bedrock may mend
--- config
    location / { bedrock on; proxy_set_header X-Any 1; proxy_pass http://bedrock; }
--- warned: "proxy_pass" directive has nginx send the Host "bedrock", and "127.0.0.1:

=== a Host by variable
--- config
    location /a { bedrock on; proxy_set_header Host $http_x; proxy_pass http://bedrock; }
    location /b { bedrock on; bedrock_endpoint $host; proxy_set_header Host $host; proxy_pass http://bedrock; }
    location /c { bedrock on; bedrock_auth off; proxy_set_header Host other; proxy_pass http://bedrock; }
--- silent

=== proxy_http_version 1.0
--- config
    location / { bedrock on; proxy_http_version 1.0; proxy_pass http://bedrock; }
--- warned: without bedrock_params: include it there or above, or set what it would: "proxy_http_version 1.1"

=== proxy_method
--- config
    location / { bedrock on; proxy_method PUT; proxy_pass http://bedrock; }
--- refused: "proxy_method" directive changes the method, and Bedrock takes POST only: remove it

=== proxy_method above
--- config
    proxy_method GET;
    location / { bedrock on; proxy_pass http://bedrock; }
--- refused: "proxy_method" directive changes the method

=== proxy_pass_request_headers
--- config
    location / { bedrock on; proxy_pass_request_headers off; proxy_pass http://bedrock; }
--- refused: "proxy_pass_request_headers" directive keeps back the headers that authorize requests to Bedrock

=== proxy_pass_request_body
--- config
    location / { bedrock on; proxy_pass_request_body off; proxy_pass http://bedrock; }
--- refused: "proxy_pass_request_body" directive keeps back the body that Bedrock is asked with

=== proxy_set_body
--- config
    location / { bedrock on; proxy_set_body "{}"; proxy_pass http://bedrock; }
--- refused: "proxy_set_body" directive replaces the body that was signed

=== proxy_set_body by variable
--- config
    location / { bedrock on; proxy_set_body $request_body; proxy_pass http://bedrock; }
--- warned: "proxy_set_body" directive replaces the body that was signed

=== proxy_set_body where nothing is signed
--- config
    location / { bedrock on; bedrock_auth bearer KEY; proxy_set_body "{}"; proxy_pass http://bedrock; }
--- warned: "proxy_set_body" directive replaces the body that was signed

=== proxy_set_header X-Amz-Date
--- config
    location / { bedrock on; proxy_set_header X-Amz-Date 20200101T000000Z; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- refused: "proxy_set_header" directive overrides "X-Amz-Date", which the module signs and sends

=== proxy_set_header Authorization, emptied
--- config
    location / { bedrock on; proxy_set_header authorization ""; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- refused: "proxy_set_header" directive overrides "authorization"

=== proxy_set_header Authorization: its value is not shown
--- config
    location / { bedrock on; proxy_set_header Authorization "Bearer HUSH"; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- warned: "proxy_set_header" directive overrides "Authorization"
--- no_error_log
HUSH

=== proxy_set_header Content-Length
--- config
    location / { bedrock on; proxy_set_header Content-Length 0; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- refused: "proxy_set_header" directive overrides "Content-Length"

=== proxy_set_header Content-Type
--- config
    location / { bedrock on; proxy_set_header Content-Type text/plain; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- warned: "proxy_set_header" directive overrides "Content-Type"

=== proxy_set_header X-Amzn-Bedrock-Trace
--- config
    location / { bedrock on; proxy_set_header X-Amzn-Bedrock-Trace ENABLED; proxy_set_header Host $bedrock_host; proxy_pass http://bedrock; }
--- warned: "proxy_set_header" directive overrides "X-Amzn-Bedrock-Trace"

=== headers that may be set
--- config
    location / {
        bedrock on; proxy_pass http://bedrock;
        proxy_set_header Host $bedrock_host; proxy_set_header Connection ""; proxy_set_header X-Team a; proxy_set_header Accept "";
        proxy_set_header Content-Type application/json; proxy_set_header Transfer-Encoding ""; proxy_method POST;
    }
--- silent

=== nginx's own errors are still its own: twice
--- config
    location / { bedrock on; proxy_pass http://bedrock; proxy_pass http://bedrock; }
--- refused: "proxy_pass" directive is duplicate

=== nginx's own errors are still its own: out of place
--- config
    proxy_pass http://bedrock;
--- refused: "proxy_pass" directive is not allowed here

=== nginx's own errors are still its own: too many words
--- config
    location / { bedrock on; proxy_pass http://bedrock now; }
--- refused: invalid number of arguments in "proxy_pass" directive

=== nginx's own errors are still its own: no such scheme
--- config
    location / { bedrock on; proxy_pass ftp://bedrock; }
--- refused: invalid URL prefix

=== nginx's own errors are still its own: in a block
--- config
    location / { if ($http_x) { proxy_set_header X y; } }
--- refused: "proxy_set_header" directive is not allowed here

=== proxy_pass in limit_except
--- config
    location / { bedrock on; proxy_pass http://127.0.0.1:1; limit_except GET { proxy_pass http://bedrock; } }
--- sent
POST /model/any.model/converse

=== bedrock_resolve with a balancer that keeps addresses of its own
--- http_config: upstream a { random two; bedrock_resolve; server localhost:1; }
--- refused: "random" directive in upstream "a" does not work with "bedrock_resolve": remove one of the two

=== the same, after it
--- http_config: upstream a { bedrock_resolve; server localhost:1; random; }
--- refused: "random" directive in upstream "a" does not work with "bedrock_resolve": remove one of the two

=== bedrock_resolve with a zone
--- http_config: upstream a { zone a 64k; bedrock_resolve; server localhost:1; }
--- refused: "zone" directive in upstream "a" does not work with "bedrock_resolve": remove one of the two

=== random and zone without it
--- http_config: upstream a { zone a 64k; random; server localhost:1; }
--- silent

=== bedrock_resolve and nginx's own resolve
--- http_config: upstream a { bedrock_resolve; server localhost:1 resolve; }
--- refused: "server" directive has parameter "resolve" beside "bedrock_resolve", which looks its name up already: remove one of the two

=== bedrock_resolve and no name
--- http_config: upstream a { bedrock_resolve; server 127.0.0.1:1; server unix:/run/none; }
--- warned: "bedrock_resolve" directive does nothing in upstream "a": none of its servers has a name

=== bedrock_resolve and a name that is not known
--- http_config: upstream a { bedrock_resolve; server name.invalid:1; }
--- warned: host "name.invalid" could not be looked up (

=== bedrock_resolve and more names than it follows
--- http_config eval
"upstream a { bedrock_resolve; " . join('', map { "server localhost:1; server host$_.invalid:1; " } 1 .. 128) . "}"
--- refused: "bedrock_resolve" directive looks up 128 names at most in all upstreams, and there are more

=== bedrock_api aws and rules about models: bedrock_allow_models
--- config
    location / { bedrock on; bedrock_api aws; bedrock_allow_models a*; proxy_pass http://bedrock; }
--- refused: "bedrock_allow_models" cannot hold in location "/", where bedrock_api is "aws"

=== bedrock_api aws and rules about models: bedrock_max_output_tokens, above
--- config
    bedrock_max_output_tokens $http_x_max;
    location / { bedrock on; bedrock_api aws; proxy_pass http://bedrock; }
--- refused: "bedrock_max_output_tokens" cannot hold in location "/"

=== bedrock_api aws and rules about models: bedrock_guardrail
--- config
    location / { bedrock on; bedrock_api aws; bedrock_guardrail gr1 1; proxy_pass http://bedrock; }
--- refused: "bedrock_guardrail" cannot hold in location "/"

=== bedrock_api aws and rules about models: bedrock_model
--- config
    location / { bedrock on; bedrock_api aws; bedrock_model m; proxy_pass http://bedrock; }
--- refused: "bedrock_model" cannot hold in location "/"

=== bedrock_api aws and proxy_method
--- config
    location / { bedrock on; bedrock_api aws; proxy_method POST; proxy_pass http://bedrock; }
--- refused: "proxy_method" directive changes the method, which is signed as the client sends it: remove it

=== bedrock_api aws and proxy_cache
--- http_config: proxy_cache_path cache keys_zone=c:1m;
--- config
    location / { bedrock on; bedrock_api aws; proxy_cache c; proxy_pass http://bedrock; }
--- warned: "proxy_cache" directive makes a GET of a HEAD, which is signed as the client sends it: add "proxy_cache_convert_head off"

=== bedrock_api aws and proxy_cache, where HEAD stays
--- http_config: proxy_cache_path cache keys_zone=c:1m;
--- config
    location / { bedrock on; bedrock_api aws; proxy_cache c; proxy_cache_convert_head off; proxy_pass http://bedrock; }
    location /off/ { bedrock on; bedrock_api aws; proxy_cache off; proxy_pass http://bedrock; }
    location /post/ { bedrock on; proxy_cache c; proxy_pass http://bedrock; }
--- silent

=== proxy_method on mantle
--- config
    location / { bedrock on; bedrock_service bedrock-mantle; proxy_method POST; proxy_pass http://bedrock; }
--- refused: "proxy_method" directive changes the method, which is signed as the client sends it: remove it
