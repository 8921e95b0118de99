#!/usr/bin/env bash
# openai.sh: what a stream costs nginx's worker, in CPU time (user and system, from /proc): OpenAI's server-sent events through
# the module, Bedrock's own bytes through the module, and the same bytes through a plain proxy_pass, in turn.
# ROUNDS=5 SECONDS_EACH=2 CONNECTIONS=8
set -euo pipefail
. "$(dirname "$0")/gateway.bash"

"$ROOT/scripts/install.sh" bench
start_gateway
url=http://127.0.0.1:$PORT
names=(plain native openai)
declare -A urls=([plain]=$url/plain/model/$MODEL/converse-stream [native]=$url/model/$MODEL/converse-stream [openai]=$url/v1/chat/completions)
declare -A bodies=([plain]=$NATIVE [native]=$NATIVE [openai]=$CHAT)
declare -A texts=([plain]=contentBlockDelta [native]=contentBlockDelta [openai]='"content":"[^"]')
declare -A sizes
for name in "${names[@]}"; do
    expect "${urls[$name]}" "${bodies[$name]}" "${texts[$name]}" 50
    sizes[$name]=$(wc -c <"$work/answer")
done
for ((round = 0; round < ${ROUNDS:-5}; round++)); do
    for name in "${names[@]}"; do
        load "$WORKER" "${SECONDS_EACH:-2}" "${CONNECTIONS:-8}" "${urls[$name]}" "${bodies[$name]}"
        calc '%.1f\n' "$TICKS * 1e6 / $(getconf CLK_TCK) / $STREAMS" >>"$work/$name"
    done
done
plain=$(median <"$work/plain")
echo "CPU of nginx's worker for a stream of 54 frames, median of ${ROUNDS:-5} rounds of ${SECONDS_EACH:-2} s with ${CONNECTIONS:-8} connections:"
for name in "${names[@]}"; do
    micros=$(median <"$work/$name")
    printf '%-8s %6d bytes %8.1f µs  %s times plain proxy_pass\n' "$name" "${sizes[$name]}" "$micros" "$(calc '%.2f' "$micros / $plain")"
done
