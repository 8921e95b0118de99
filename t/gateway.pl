# What blocks about requests through the gateway share: `require './t/gateway.pl'` after `use Test::Nginx::Bedrock`.
#
# A block without them gets a location `/` with `bedrock on`, a small Converse request, and `--- no_error_log: [error]`.
# What reached the stand-in is checked by
#   `--- sent`        lines of the last request's head: `POST /path`, `name: value` with the name in lower case
#   `--- not_sent`    names of headers that it has not
#   `--- sent_body`   its body, byte for byte
#   `--- sent_count`  how many requests there were; 1 where one of the others is given
use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use Test::More;
use Test::Nginx::Bedrock;

# Where a block's `--- user_files` are.
$ENV{TEST_NGINX_HTML_DIR} = html_dir();

add_block_preprocessor(sub {
    my $block = shift;
    my $default = sub { my ($name, $value) = @_; $block->set_value($name => $value) unless defined $block->$name };
    unless (defined $block->bare) {
        $default->(config => 'location / { bedrock on; proxy_pass http://bedrock; }');
        $default->(request => qq(POST /model/any.model/converse\n{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}))
            unless defined $block->raw_request || defined $block->pipelined_requests;
    }
    $default->(no_error_log => '[error]') unless defined $block->error_log;
    # Test::Nginx writes `http2 on` for nginx from 1.19.9, but it is 1.25.1 that has the directive.
    my $version = \$Test::Nginx::Util::NginxVersion;
    $$version = '1.019008' if defined $block->http2 && $$version < '1.025001';
});

add_response_body_check(sub {
    my ($block, undef, $index) = @_;
    my $name = $block->name;
    my $count = $block->sent_count;
    $count = $count->[$index] if ref $count;
    return unless grep { defined } $count, $block->sent, $block->not_sent, $block->sent_body;
    my $journal = HTTP::Tiny->new->get("http://127.0.0.1:$SimPort/__sim/requests")->{content};
    my @requests = @{ JSON::PP->new->decode($journal) };
    is(scalar @requests, $count // 1, "$name - number of requests that reached Bedrock");
    my $request = $requests[-1] or return;
    my @head = ("$request->{method} $request->{target}", map { lc($_->[0]) . ": $_->[1]" } @{ $request->{headers} });
    for my $wanted (lines_of($block->sent)) {
        my $found = grep { ref $wanted ? /$wanted/ : $_ eq $wanted } @head;
        ok($found, "$name - sent: $wanted") or diag join "\n", @head;
    }
    for my $header (lines_of($block->not_sent)) {
        ok(!grep({ /^\Q$header\E: /i } @head), "$name - not sent: $header") or diag join "\n", @head;
    }
    if (defined(my $body = $block->sent_body)) {
        chomp $body;
        is($request->{body}, $body, "$name - body sent");
    }
});

sub lines_of { return map { !defined ? () : ref eq 'ARRAY' ? @$_ : ref ? $_ : split /\n/ } shift }

1;
