#!/usr/bin/env bash
# run.sh (make run): nginx with the module, before bedrock-sim or (UPSTREAM=aws) the real service. Two requests show what it
# does; then it stays up until Ctrl-C. Everything is on 127.0.0.1, in build/run.
#
#   UPSTREAM=aws   the real service, with your credentials from the environment and AWS_REGION
#   MODEL=ID       the model to ask          PORT=N  nginx's port, else a free one
#   ONCE=1         end after the two requests: exit 0 only if status, text and log line of both were right
# shellcheck disable=SC2034,SC2317  # used by name: ${!name}, trap, wait_for
set -euo pipefail
# The stand-in wants no build for production: this one takes a minute, and has a place of its own.
if [ "${UPSTREAM:-sim}" = sim ]; then
    export BEDROCK_PROFILE=demo BEDROCK_MODULE=${BEDROCK_MODULE:-$(cd "$(dirname "$0")/.." && pwd)/build/demo/ngx_http_bedrock_module.so}
fi
. "$(dirname "$0")/lib.sh"

upstream=${UPSTREAM:-sim}
case $upstream in sim | aws) ;; *) die "UPSTREAM is sim or aws, not $upstream" ;; esac
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}

if [ -e "$MODULE" ]; then
    say "building what has changed"
elif [ "$upstream" = sim ]; then
    say "the first build takes one to three minutes on two cores, and 500 MB in $CARGO_OUT; packages that are missing up to" \
        "650 MB (make clean removes the builds). It is for this demo: without AWS's credential providers, and not optimized"
else
    say "the first build is the one for production: five to ten minutes on two cores, and 1 GB in $CARGO_OUT"
fi
"$ROOT/scripts/install.sh" run
if [ "$upstream" = sim ]; then "$ROOT/scripts/build.sh" all; else "$ROOT/scripts/build.sh" module >/dev/null; fi
say "built, after $SECONDS s"

run=$BUILD/run
rm -rf "$run"
mkdir -p "$run/tmp"

NGINX_PID='' SIM_PID=''
stop() {
    for pid in $NGINX_PID $SIM_PID; do
        if kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
    done
}
trap stop EXIT
trap 'exit 130' INT TERM

if [ "$upstream" = sim ]; then
    REGION=us-east-1
    for name in ${!AWS_*}; do unset "$name"; done
    # bedrock-sim checks every signature against this key.
    export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
    model=${MODEL:-anthropic.claude-sonnet-4-5-20250929-v1:0}
    start_sim "$run/sim.port" "$run/sim.log" --region "$REGION"
    ENDPOINT=127.0.0.1:$SIM_PORT UPSTREAM=127.0.0.1:$SIM_PORT SCHEME=http RESOLVE=
    say "bedrock-sim is on 127.0.0.1:$SIM_PORT"
else
    case $REGION in
    us-gov-*) profile=us-gov. ;;
    us-* | eu-*) profile=${REGION%%-*}. ;;
    ap-*) profile=apac. ;;
    *) profile= ;;
    esac
    model=${MODEL:-${profile}amazon.nova-lite-v1:0}
    case $REGION in cn-*) suffix=amazonaws.com.cn ;; *) suffix=amazonaws.com ;; esac
    ENDPOINT=bedrock-runtime.$REGION.$suffix UPSTREAM=bedrock-runtime.$REGION.$suffix:443 SCHEME=https RESOLVE='bedrock_resolve;'
    [ -n "${AWS_ACCESS_KEY_ID:-}${AWS_BEARER_TOKEN_BEDROCK:-}" ] ||
        die "no credentials in the environment: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK"
fi

CONF=$ROOT/nginx-conf PORT=${PORT:-$(free_port)}
export AWS_REGION=$REGION
conf=$(<"$ROOT/nginx-conf/demo.conf.in")
for name in MODULE CONF PORT REGION ENDPOINT UPSTREAM SCHEME RESOLVE; do conf=${conf//@$name@/"${!name}"}; done
printf '%s\n' "$conf" >"$run/nginx.conf"

# As root, workers run as root as well: another user might not get into this directory.
directives='daemon off;'
[ "$(id -u)" -ne 0 ] || directives+=' user root;'
nginx=$(nginx_binary)
"$nginx" -p "$run/" -e error.log -c "$run/nginx.conf" -g "$directives" 2>"$run/stderr.log" &
NGINX_PID=$!
up() { [ -s "$run/nginx.pid" ] || ! kill -0 "$NGINX_PID" 2>/dev/null; }
wait_for 10 up || true
[ -s "$run/nginx.pid" ] || { cat "$run/stderr.log" >&2; die "nginx did not start, see $run/error.log"; }
url=http://127.0.0.1:$PORT
say "nginx $(nginx_version "$nginx") with the module is on $url"

# Every text in an answer, be it JSON or server-sent events. (perl-base has no module for JSON.)
texts() {
    perl -CO -ne '
        while (/"text"\s*:\s*"((?:[^"\\]|\\.)*)"/g) {
            my $text = $1;
            utf8::decode($text);
            $text =~ s/\\(?:u([0-9a-fA-F]{4})|(.))/defined $1 ? chr hex $1 : $2 eq "n" ? "\n" : $2 eq "t" ? "\t" : $2/ge;
            print $text;
        }' "$1"
}

bad=0
# ask NAME BODY CURL-OPTION...: one request; shows the answer's text and its line in the access log, and checks both.
ask() {
    local name=$1 body=$2 status text line lines
    shift 2
    lines=$(wc -l <"$run/llm.log" 2>/dev/null || echo 0)
    status=$(curl -sS -N --max-time 120 -o "$run/$name.out" -w '%{http_code}' -H 'Content-Type: application/json' -d "$body" "$@") || true
    logged() { [ "$(wc -l <"$run/llm.log" 2>/dev/null || echo 0)" -gt "$lines" ]; }
    wait_for 5 logged || true
    text=$(texts "$run/$name.out" 2>/dev/null || true)
    line=$(tail -n 1 "$run/llm.log" 2>/dev/null || true)
    printf '\n%s: HTTP %s\n  text: %s\n  log:  %s\n' "$name" "$status" "$text" "$line"
    local fault=
    [ "$status" = 200 ] || fault='the status is not 200'
    [ -n "$text" ] || fault=${fault:-the answer has no text}
    if [ "$upstream" = sim ] && [ -z "${MODEL:-}" ]; then
        [ "$text" = 'Hello from the Bedrock stand-in.' ] || fault=${fault:-the text is not the expected one}
        [[ $line == *" in=25 out=12 "* ]] || fault=${fault:-the log line has not the tokens 25 and 12}
    fi
    [[ $line == *" $model "* ]] || fault=${fault:-the log line does not name the model}
    [[ $line =~ \ in=[0-9]+\ out=[0-9]+\  ]] || fault=${fault:-the log line has no tokens}
    [ "$name" = plain ] || [[ $line =~ \ ttft=[0-9.]+\ complete$ ]] ||
        fault=${fault:-the log line has no time to first token, or the stream is not complete}
    [ -z "$fault" ] || { bad=1; printf '  WRONG: %s\n' "$fault"; head -c 2000 "$run/$name.out" 2>/dev/null || true; }
}

messages='"messages": [{"role": "user", "content": [{"text": "Say hello."}]}]'
ask streaming "{\"model\": \"$model\", \"stream\": true, $messages}" -H 'Accept: text/event-stream' "$url/"
ask plain "{$messages}" "$url/model/$model/converse"

[ -z "${ONCE:-}" ] || exit "$bad"

python=python3
[ ! -x "$BUILD/venv/bin/python3" ] || python=$BUILD/venv/bin/python3
cat <<EOF

Now it is yours, until Ctrl-C (files: $run). To paste:

curl -N $url/ -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \\
     -d '{"model": "$model", "stream": true, $messages}'

# with boto3; the key is not looked at, nginx signs with its own
AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any $python -c '
import boto3
client = boto3.client("bedrock-runtime", region_name="$REGION", endpoint_url="$url")
answer = client.converse(modelId="$model", messages=[{"role": "user", "content": [{"text": "Say hello."}]}])
print(answer["output"]["message"]["content"][0]["text"], answer["usage"])'

tail -f $run/llm.log
EOF
wait "$NGINX_PID" || true
exit "$bad"
