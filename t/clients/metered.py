"""A gateway that counts, and traffic that has something of everything: what bedrock_status shows is not zero for long."""

import http.client
import itertools
import json
import threading
from datetime import date, datetime, timedelta, timezone

from conftest import KEY_ID, SECRET, Nginx, defaults

# More teams than series, and more keys than the smallest zone has room for.
HTTP = """
    bedrock_status_zone   status:4m label=team $http_x_team series=128;
    bedrock_prices        {directory}/prices;
    bedrock_price_unknown free;
    bedrock_limit_zone    $http_x_team zone=money:1m budget=1usd/day label=$http_x_team;
    bedrock_limit_zone    all zone=soft:64k budget=1r/day;
    bedrock_limit_zone    all zone=few:64k rate=1r/h;
    bedrock_limit_zone    $http_x_key zone=keys:64k rate=1r/h;
    bedrock_credentials   role {{ source process "/bin/cat {directory}/keys.json"; }}
    bedrock_credentials   broken {{ source process /bin/false; }}
"""
# The stand-in's scripts are in the names of models.
PRICES = """
currency usd; per 1000000; date {today};
model *nova-lite*     {{ input 0.06; output 0.24; cache_read 0.015; }}
model *claude-sonnet* {{ input 3; output 15; cache_read 0.3; cache_write 3.75; cache_write_1h 6; }}
"""
SERVER = """
    location /bedrock/ { bedrock_status; access_log off; }
    location /         { bedrock on; bedrock_limit zone=money; bedrock_limit zone=keys; proxy_pass http://bedrock; }
    location /drain/   { bedrock on; bedrock_client_abort drain; proxy_pass http://bedrock; }
    location /few/     { bedrock on; bedrock_limit zone=few; proxy_pass http://bedrock; }
    location /dry/     { bedrock on; bedrock_limit zone=few; bedrock_limit_dry_run on; proxy_pass http://bedrock; }
    location /soft/    { bedrock on; bedrock_limit zone=soft soft=0%; bedrock_limit_dry_run on; proxy_pass http://bedrock; }
    location /role/    { bedrock on; bedrock_auth role; proxy_pass http://bedrock; }
    location /broken/  { bedrock on; bedrock_auth broken; proxy_pass http://bedrock; }
"""
MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]
JSON = {"Content-Type": "application/json"}
NOVA, CLAUDE = "us.amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
# The last has no price.
KINDS = [(NOVA, "search"), (CLAUDE, "search"), (NOVA, "docs"), ("nobody.knows-v1", "docs")]


def asked(gateway, path, script, model=NOVA, leave=False, **headers):
    """A request of the stand-in's script; with `leave` its client goes away at the first bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", path.format(model=f"{model}.sim.{script}"), json.dumps({"messages": MESSAGES}), {**JSON, **headers})
    answer = connection.getresponse()
    try:
        answer.read1(1) if leave else answer.read()
    except http.client.IncompleteRead:
        pass
    answer.close()
    connection.close()


WHOLE, STREAM = "/model/{model}/converse", "/model/{model}/converse-stream"
ROUND = [
    (WHOLE, "text"), (WHOLE, "cached"), (WHOLE, "no-usage"), (WHOLE, "throttled"), (WHOLE, "http-502-html"),
    (STREAM, "long.frames-20.pace-5"), (STREAM, "exception.at-3"), (STREAM, "truncated"), (STREAM, "corrupt"),
    ("/few" + WHOLE, "text"), ("/dry" + WHOLE, "text"), ("/soft" + WHOLE, "text"), ("/role" + WHOLE, "text"),
]
LEAVING = [(STREAM, "long.frames-50.pace-20"), ("/drain" + STREAM, "long.frames-20.pace-20")]


def metered(directory, sim):
    """The gateway, in that directory."""
    expires = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = {"Version": 1, "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Expiration": expires}
    (directory / "keys.json").write_text(json.dumps(keys))
    (directory / "prices").write_text(PRICES.format(today=date.today()))
    return Nginx(directory, SERVER, HTTP.format(directory=directory) + defaults(sim.port), workers=2)


class Traffic:
    """Rounds of all kinds of requests, until the end: a context manager."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._held = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)

    def __enter__(self):
        # A stream that stays open.
        self._held.request("POST", STREAM.format(model=f"{NOVA}.sim.stall"), json.dumps({"messages": MESSAGES}), JSON)
        self._held.getresponse().read1(1)
        for model, team in KINDS:
            self._round(model, team)
        for _ in range(500):
            self._stranger()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._held.close()

    def _run(self):
        for model, team in itertools.cycle(KINDS):
            self._round(model, team)
            self._stranger()
            if self._stop.wait(0.1):
                return

    def _stranger(self):
        """One of whom nothing is known: neither the key nor the team has been seen."""
        number = next(self._numbers)
        asked(self._gateway, WHOLE, "text", **{"X-Key": f"key-{number}", "X-Team": f"team-{number}"})

    def _round(self, model, team):
        for path, script in ROUND:
            asked(self._gateway, path, script, model, **{"X-Team": team})
        for path, script in LEAVING:
            asked(self._gateway, path, script, model, leave=True, **{"X-Team": team})
        # No model is known of what is no JSON.
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=20)
        connection.request("POST", "/chat", "no JSON", {**JSON, "X-Team": team})
        connection.getresponse().read()
        connection.close()
