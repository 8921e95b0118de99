#!/usr/bin/env bash
# bench-peers.sh: streams per second, and CPU time for each, of the module beside a plain proxy_pass of the same bytes, LiteLLM and
# Portkey's gateway: the same stand-in for Bedrock behind, the same load generator (wrk) before, one after the other. The others
# are fetched into build/peers; what cannot be is said, and left out. SECONDS_EACH=10 CONNECTIONS=8
set -euo pipefail
. "$(dirname "$0")/../benches/gateway.bash"

LITELLM=1.106.2
PORTKEY=1.15.2
PEERS=$BUILD/peers
SECONDS_EACH=${SECONDS_EACH:-10}
CONNECTIONS=${CONNECTIONS:-8}

"$ROOT/scripts/install.sh" bench
"$ROOT/scripts/build.sh" all
start_gateway
url=http://127.0.0.1:$PORT
rows=()

# measure NAME PID URL BODY [HEADER...]
measure() {
    local name=$1; shift
    say "$name"
    load "$1" 2 "$CONNECTIONS" "${@:2}"     # warm
    load "$1" "$SECONDS_EACH" "$CONNECTIONS" "${@:2}"
    rows+=("$name $(calc '%.2f %.1f' "$STREAMS / $SECS, $TICKS * 1e6 / $(getconf CLK_TCK) / $STREAMS")")
}

left_out() { say "$1 is left out: $2"; }

# Starts a gateway in the background, its output in NAME.log: STARTED.
run() {
    local name=$1; shift
    "$@" >"$work/$name.log" 2>&1 &
    STARTED=$!
    PIDS+=("$STARTED")
}

litellm() {
    if [ ! -x "$PEERS/litellm-$LITELLM/bin/litellm" ]; then
        say "fetching litellm $LITELLM"
        local python=/usr/bin/python3
        [ -x "$python" ] || python=python3
        if ! "$python" -m venv "$PEERS/litellm-$LITELLM" ||
            ! "$PEERS/litellm-$LITELLM/bin/pip" install --quiet --disable-pip-version-check "litellm[proxy]==$LITELLM" >&2; then
            rm -rf "$PEERS/litellm-$LITELLM"
            left_out LiteLLM "pip could not install litellm[proxy] $LITELLM"
            return
        fi
    fi
    local port key
    port=$(free_port)
    cat >"$work/litellm.yaml" <<CONF
model_list:
  - model_name: $MODEL
    litellm_params:
      model: bedrock/converse/$MODEL
      aws_access_key_id: AKIDEXAMPLE
      aws_secret_access_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: http://127.0.0.1:$SIM_PORT
CONF
    key=sk-$(head -c 24 /dev/urandom | base64 | tr -d '+/')
    run litellm env LITELLM_MASTER_KEY="$key" LITELLM_LOCAL_MODEL_COST_MAP=True "$PEERS/litellm-$LITELLM/bin/litellm" --config "$work/litellm.yaml" --host 127.0.0.1 --port "$port" --telemetry False
    wait_for 180 curl -s -o /dev/null "http://127.0.0.1:$port/health/liveliness" || { tail -5 "$work/litellm.log" >&2; left_out LiteLLM "it does not start"; return; }
    expect "http://127.0.0.1:$port/v1/chat/completions" "$CHAT" '"content":"[^"]' 50 -H "Authorization: Bearer $key"
    measure "LiteLLM-$LITELLM" "$STARTED" "http://127.0.0.1:$port/v1/chat/completions" "$CHAT" "Authorization: Bearer $key"
    kill "$STARTED"
}

portkey() {
    local home=$PEERS/portkey-$PORTKEY port
    if [ ! -f "$home/node_modules/@portkey-ai/gateway/build/start-server.js" ]; then
        say "fetching @portkey-ai/gateway $PORTKEY"
        mkdir -p "$home"
        npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "@portkey-ai/gateway@$PORTKEY" >&2 || {
            left_out Portkey "npm could not install @portkey-ai/gateway $PORTKEY"
            return
        }
    fi
    port=$(free_port)
    run portkey env TRUSTED_CUSTOM_HOSTS=127.0.0.1 node "$home/node_modules/@portkey-ai/gateway/build/start-server.js" --headless --port="$port"
    wait_for 60 curl -s -o /dev/null "http://127.0.0.1:$port/" || { tail -5 "$work/portkey.log" >&2; left_out Portkey "it does not start"; return; }
    local headers=("x-portkey-provider: bedrock" "x-portkey-aws-access-key-id: AKIDEXAMPLE" "x-portkey-aws-region: us-east-1"
        "x-portkey-aws-secret-access-key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" "x-portkey-custom-host: http://127.0.0.1:$SIM_PORT")
    local -a curls=()
    for header in "${headers[@]}"; do curls+=(-H "$header"); done
    expect "http://127.0.0.1:$port/v1/chat/completions" "$CHAT" '"content":"[^"]' 50 "${curls[@]}"
    measure "Portkey-$PORTKEY" "$STARTED" "http://127.0.0.1:$port/v1/chat/completions" "$CHAT" "${headers[@]}"
    kill "$STARTED"
}

expect "$url/v1/chat/completions" "$CHAT" '"content":"[^"]' 50
measure "plain-proxy_pass" "$WORKER" "$url/plain/model/$MODEL/converse-stream" "$NATIVE"
measure "nginx-bedrock" "$WORKER" "$url/v1/chat/completions" "$CHAT"
litellm
portkey

ours=$(printf '%s\n' "${rows[@]}" | awk '$1 == "nginx-bedrock" { print $2, $3 }')
echo "Streams of 54 frames as OpenAI's server-sent events (plain proxy_pass: Bedrock's own bytes), $CONNECTIONS connections, ${SECONDS_EACH} s,"
echo "one process each; stand-in, load generator and gateway on the same $(nproc) processors. Ratios: nginx-bedrock to it."
printf '%-20s %10s %8s %14s %8s\n' gateway streams/s ratio "CPU µs/stream" ratio
printf '%s\n' "${rows[@]}" | awk -v ours="$ours" '{ split(ours, o, " "); printf "%-20s %10.1f %8.1f %14.1f %8.1f\n", $1, $2, o[1] / $2, $3, $3 / o[2] }'
