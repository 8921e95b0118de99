# state= of bedrock_limit_zone: which files it takes. What outlives nginx is in t/clients/test_limit_state.py.
use lib 't/lib';
use Test::Nginx::Bedrock;
require './t/gateway.pl';

repeat_each(1);
plan 'no_plan';

# `--- refused: TEXT`: nginx does not start, and says TEXT, file and line.
add_block_preprocessor(sub {
    my $block = shift;
    my $text = $block->refused // return;
    chomp $text;
    $block->set_value(must_die => 1);
    $block->set_value(error_log => qr/\[emerg\] .*\Q$text\E.* in \S+nginx\.conf:\d+$/m);
});

our $Location = 'location / { bedrock on; bedrock_limit zone=z; proxy_pass http://bedrock; }';
our $Sent = 'POST /model/any.model/converse';

run_tests();

__DATA__

=== a file for a budget, from nginx's prefix on
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html/budget.state;
--- config eval: $::Location
--- sent eval: $::Sent

=== a file for a rate, with its whole path
--- http_config: bedrock_limit_zone all zone=z:1m rate=9r/m burst=9r state=$TEST_NGINX_HTML_DIR/rate.state;
--- config eval: $::Location
--- sent eval: $::Sent

=== a file for a limit that a variable gives
--- http_config
    map $host $most { default 9r; }
    bedrock_limit_zone all zone=z:1m budget=$most/day state=html/given.state;
--- config eval: $::Location
--- sent eval: $::Sent

=== a $ means nothing in the name of a file
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html/$host.state;
--- config eval: $::Location
--- sent eval: $::Sent

=== requests in progress
--- http_config: bedrock_limit_zone all zone=z:1m concurrency=1 state=open.state;
--- refused: "bedrock_limit_zone" directive has "state=" for zone "z", which counts requests in progress: none of them outlives nginx, so remove it

=== requests in progress, as a variable says
--- http_config: bedrock_limit_zone all zone=z:1m concurrency=$arg_most state=open.state;
--- refused: "bedrock_limit_zone" directive has "state=" for zone "z", which counts requests in progress: none of them outlives nginx, so remove it

=== no file
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=;
--- refused: "bedrock_limit_zone" directive needs a file: "state=…"

=== two files
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=a.state state=b.state;
--- refused: "bedrock_limit_zone" directive has "state=" twice

=== a directory that does not exist
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=/nowhere/at/all/z.state;
--- refused: "bedrock_limit_zone" directive has state file "/nowhere/at/all/z.state", whose directory cannot be used: No such file or directory (os error 2); make the directory, for the user of nginx's workers

=== a directory that is a file
--- user_files eval: [['letter' => 'Dear Bedrock']]
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html/letter/z.state;
--- refused eval: qq{letter/z.state", whose directory cannot be used: not a directory; make the directory}

=== a directory for a file
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html;
--- refused: servroot/html", which is something else: name another file

=== a file that is something else
--- user_files eval: [['letter' => 'Dear Bedrock']]
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html/letter;
--- refused: html/letter", which is something else: name another file

=== two zones with one file
--- http_config
    bedrock_limit_zone all zone=y:1m rate=9r/m state=logs/one.state;
    bedrock_limit_zone all zone=z:1m budget=9r/day state=html/../logs/one.state;
--- refused: html/../logs/one.state", which is that of zone "y": name another file

=== a file that is not whole is not used
--- user_files eval: [['torn' => "bedrock\x1a"]]
--- http_config: bedrock_limit_zone all zone=z:1m budget=9r/day state=html/torn;
--- config eval: $::Location
--- sent eval: $::Sent
--- error_log eval: qr{\[alert\] .*zone "z": its state file "\S+/html/torn" is not used: it is not whole\. Counting begins anew, and what there is will be kept as "\S+/html/torn\.broken"}
