# For bench-peers.sh: sourced, not run. What `make bench` measures is in run.py.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# 54 frames: messageStart, 50 deltas, contentBlockStop, messageStop, metadata. Each is a write of its own, as Bedrock's are.
MODEL=${MODEL:-sim.long.frames-50}
NATIVE='{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}'
CHAT='{"model":"'$MODEL'","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

work=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
PIDS=()
finish() {
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# start_gateway: bedrock-sim, and one worker of nginx before it: SIM_PORT, PORT, WORKER.
start_gateway() {
    local name
    for name in ${!AWS_*}; do unset "$name"; done
    start_sim "$work/sim.port" "$work/sim.log" --no-auth
    PIDS+=("$SIM_PID")
    PORT=$(free_port)
    cat >"$work/nginx.conf" <<CONF
load_module $BUILD/ngx_http_bedrock_module.so;
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log error;
events {}
http {
    access_log off;
    client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fcgi;
    uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
    keepalive_requests 1000000;
    upstream bedrock { server 127.0.0.1:$SIM_PORT; keepalive 64; keepalive_requests 1000000; }
    include $ROOT/nginx-conf/bedrock_params;
    bedrock_credentials bench { source static; access_key_id AKIDEXAMPLE; secret_access_key wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY; }
    bedrock_auth bench;
    bedrock_region us-east-1;
    bedrock_endpoint 127.0.0.1:$SIM_PORT;
    server {
        listen 127.0.0.1:$PORT;
        location /model/ { bedrock on; proxy_pass http://bedrock; }
        location /v1/    { bedrock on; proxy_pass http://bedrock; }
        location /plain/ { proxy_set_header Host bedrock; proxy_set_header Connection ""; proxy_pass http://bedrock/; }
    }
}
CONF
    "$(nginx_binary)" -p "$work/" -e "$work/error.log" -c "$work/nginx.conf" 2>"$work/nginx.err" &
    local master=$!
    PIDS+=("$master")
    wait_for 10 curl -s -o /dev/null "http://127.0.0.1:$PORT/plain/__sim/count" || { cat "$work"/error.log "$work/nginx.err" >&2; die "nginx did not start"; }
    WORKER=$(cat "/proc/$master/task/$master/children")
    WORKER=${WORKER%% *}
}

# expect URL BODY TEXT COUNT [HEADER...]: one answer is what is measured.
expect() {
    local url=$1 body=$2 text=$3 count=$4 found; shift 4
    found=$(curl -sS --max-time 60 -H 'Content-Type: application/json' "$@" -d "$body" "$url" | tee "$work/answer" | grep -ao "$text" | wc -l)
    [ "$found" -eq "$count" ] || { head -c 2000 "$work/answer" >&2; die "$url: $found times '$text', and not $count"; }
}

# The ticks (1/100 s, user and system) of a process and those below it.
ticks() {
    local pid sum=0 stat
    for pid in $(descendants "$1"); do
        stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        # Behind the name, which may hold anything, utime and stime are the fields 12 and 13.
        # shellcheck disable=SC2086
        set -- ${stat##*) }
        sum=$((sum + ${12} + ${13}))
    done
    echo "$sum"
}

descendants() {
    local child
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descendants "$child"; done
}

# load PID SECONDS CONNECTIONS URL BODY [HEADER...]: streams, one after the other on each connection. Sets STREAMS, SECS (of the
# run) and TICKS (of PID).
load() {
    local pid=$1 seconds=$2 connections=$3 url=$4 body=$5 before header; shift 5
    {
        echo 'wrk.method = "POST"'
        printf 'wrk.body = [[%s]]\n' "$body"
        echo 'wrk.headers["Content-Type"] = "application/json"'
        for header; do printf 'wrk.headers["%s"] = [[%s]]\n' "${header%%: *}" "${header#*: }"; done
        echo 'function done(summary) local e = summary.errors
              io.write(string.format("RESULT %d %f %d\n", summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout)) end'
    } >"$work/load.lua"
    before=$(ticks "$pid")
    wrk -t 1 -c "$connections" -d "${seconds}s" --timeout 60s -s "$work/load.lua" "$url" >"$work/load.out"
    TICKS=$(($(ticks "$pid") - before))
    read -r _ STREAMS SECS FAILED < <(grep RESULT "$work/load.out")
    [ "$FAILED" -eq 0 ] && [ "$STREAMS" -gt 0 ] || { cat "$work/load.out" >&2; die "$url: $FAILED of $STREAMS failed"; }
}

calc() { awk "BEGIN { printf \"$1\", $2 }"; }
median() { sort -n | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }
