# Test::Nginx for this module: `use Test::Nginx::Bedrock;` in place of Test::Nginx::Socket, and a block holds only what it is
# about. Every block gets
#   - the module loaded; with `--- lua` and `--- echo` those modules too, after it, or Lua's before it with `--- lua: first`
#   - upstream bedrock, the stand-in, whose journal is emptied before each block; GET /__sim/requests asks for it
#   - static credentials "test", region us-east-1, bedrock_params, and an access log with every variable: see $Defaults
# `--- access_log` and `--- error_log` wait for their lines, which may be written after the client has its answer.
# `--- bare` leaves out all but the loaded modules and log_format llm, for blocks that bring their own.
package Test::Nginx::Bedrock;

use strict;
use warnings;

use Test::Nginx::Socket -Base;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($SimPort $Root);

our $SimPort = $ENV{TEST_BEDROCK_SIM_PORT} || die "run this with scripts/test-nginx.sh: TEST_BEDROCK_SIM_PORT is not set\n";
our $Module = $ENV{TEST_BEDROCK_MODULE} || die "TEST_BEDROCK_MODULE is not set\n";
our $Root = abs_path(dirname(__FILE__) . '/../../../..');

# $TEST_NGINX_SIM_PORT and $TEST_NGINX_BEDROCK_CONF may stand in a block's configuration.
$ENV{TEST_NGINX_SIM_PORT} = $SimPort;
$ENV{TEST_NGINX_BEDROCK_CONF} = "$Root/nginx-conf";

our $LogFormat = <<'_EOC_';
    log_format llm '$status $bedrock_operation api=$bedrock_api model=$bedrock_model requested=$bedrock_requested_model '
        'region=$bedrock_region in=$bedrock_input_tokens out=$bedrock_output_tokens total=$bedrock_total_tokens '
        'read=$bedrock_cache_read_tokens write=$bedrock_cache_write_tokens stop=$bedrock_stop_reason '
        'stream=$bedrock_stream_status exception=$bedrock_exception tools=$bedrock_tool_calls '
        'ttft=$bedrock_time_to_first_token latency=$bedrock_latency id=$bedrock_request_id';
_EOC_

our $Defaults = <<"_EOC_";
    upstream bedrock { server 127.0.0.1:$SimPort; keepalive 16; }
    bedrock_credentials test {
        source            static;
        access_key_id     AKIDEXAMPLE;
        secret_access_key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY;
    }
    bedrock_auth     test;
    bedrock_region   us-east-1;
    bedrock_endpoint 127.0.0.1:$SimPort;
    include          $Root/nginx-conf/bedrock_params;
_EOC_

our $ServerDefaults = <<'_EOC_';
    access_log logs/access.log llm;
    location /__sim/ { bedrock off; proxy_pass http://bedrock; }
_EOC_

no_root_location();
no_long_string();

# For scripts/test-matrix.sh: the directory below which an nginx that is not installed has its files, and the names of the
# modules that there are none of for it ("lua echo").
my $files = $ENV{TEST_NGINX_ROOT} // '';
my @without = split ' ', $ENV{TEST_NGINX_WITHOUT} // '';
my $modules_path = $files . (`$Test::Nginx::Util::NginxBinary -V 2>&1` =~ /--modules-path=(\S+)/ ? $1 : 'modules');

add_block_preprocessor(sub {
    my $block = shift;

    for my $module (@without) {
        $block->set_value(skip_eval => qq{1: \$skip_reason = "this nginx has no $module module"}) if defined $block->$module;
    }
    my @modules = grep { $_ ne 'none' } $Module;
    if (defined $block->lua) {
        my @lua = map { "$modules_path/$_.so" } qw(ndk_http_module ngx_http_lua_module);
        @modules = $block->lua =~ /first/ ? (@lua, @modules) : (@modules, @lua);
    }
    push @modules, "$modules_path/ngx_http_echo_module.so" if defined $block->echo;
    my $main = join '', map { "load_module $_;\n" } @modules;
    $block->set_value(main_config => $main . ($block->main_config // ''));

    my $http = $LogFormat;
    $http .= $Defaults unless defined $block->bare;
    $http .= "    lua_package_path '$files/usr/share/lua/5.1/?.lua;;';\n" if defined $block->lua;
    $block->set_value(http_config => $http . ($block->http_config // ''));

    $block->set_value(config => $ServerDefaults . ($block->config // '')) unless defined $block->bare;

    forget_sim_requests();
});

# Empties the stand-in's journal.
sub forget_sim_requests () {
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$SimPort", Timeout => 5)
        or die "bedrock-sim is gone from port $SimPort: $!\n";
    print $socket "DELETE /__sim/requests HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n";
    1 while <$socket>;
}

# Lines in a log may come after the answer: wait until each pattern of `access_log` and `error_log` is there, for 5 seconds at
# most. Only then Test::Nginx's own check passes or fails it.
for my $log ([access_log => \$Test::Nginx::Util::AccLogFile], [error_log => \$Test::Nginx::Util::ErrLogFile]) {
    no strict 'refs';
    no warnings qw(redefine prototype);
    my ($section, $file) = @$log;
    my $check = \&{"Test::Nginx::Socket::check_$section"};
    *{"Test::Nginx::Socket::check_$section"} = sub {
        my ($block) = @_;
        if (defined(my $patterns = $block->$section)) {
            my @patterns = ref $patterns eq 'ARRAY' ? @$patterns
                : ref $patterns ? $patterns : split /\n+/, $patterns;
            my $deadline = time + 5;
            while (time < $deadline) {
                my $text = content_of($$file);
                last unless grep { defined && !(ref() ? $text =~ $_ : index($text, $_) >= 0) } @patterns;
                sleep 0.02;
            }
        }
        # Where the response is ignored, Test::Nginx would not look at the access log either.
        Test::Nginx::Socket::check_access_log($block, $_[2], $_[3])
            if $section eq 'error_log' && defined $block->ignore_response;
        goto &$check;
    };
}

sub content_of ($) {
    open my $in, '<', shift or return '';
    local $/;
    return scalar(<$in>) // '';
}

1;
