"""Bills: what the log and the zones say that requests of all kinds have used, against what the stand-in has charged for them. By default
2,000 requests; BILLS=100000 BILLS_SEED=7 are so many, of that mixture."""

import asyncio
import http.client
import json
import os
import random
from fractions import Fraction

from bills import Account, ask_all, mixture, price_file
from conftest import defaults, eventually

COUNT = int(os.environ.get("BILLS", "2000"))
SEED = os.environ.get("BILLS_SEED") or random.SystemRandom().randrange(1 << 32)
FIELDS = "charge charged reserved cost operation model request_id stream_status".split()
# A budget in money is kept in pico-dollars.
UNITS = {"tokens": 1, "usd": 10**12}
HTTP = """
    bedrock_prices prices;
    bedrock_status_zone status:1m;
    bedrock_limit_zone all zone=tokens:1m budget=1000Mt/total;
    bedrock_limit_zone all zone=usd:1m    budget=1Musd/total;
    map $request_uri $zone { ~^/usd/ usd; default tokens; }
    log_format bill escape=json '{"number":"$http_x_number","zone":"$zone","status":"$status"%s}';
"""
LOCATION = """
    location /%s/ {
        bedrock on; bedrock_client_abort drain; bedrock_limit zone=%s;
        access_log bills.log bill;
        proxy_pass http://bedrock;
    }
"""


def used(gateway, zone):
    """Units that are used of a zone's only key."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/status/json")
    zones = json.load(connection.getresponse())["limits"]
    connection.close()
    [key] = next(one["top"] for one in zones if one["zone"] == zone)
    return Fraction(key["used"]) * UNITS[zone]


def test_every_request_is_charged_as_the_stand_in_has_it(nginx, sim, tmp_path):
    print(f"BILLS_SEED={SEED}")
    prices = tmp_path / "prices"
    prices.write_text(price_file())
    level = HTTP.replace(" prices;", f" {prices};") % "".join(f',"{name}":"$bedrock_{name}"' for name in FIELDS)
    server = "".join(LOCATION % (zone, zone) for zone in UNITS) + "location /status/ { bedrock_status; }"
    gateway = nginx(server, level + defaults(sim.port), workers=2, connections=2048)
    requests = list(mixture(COUNT, random.Random(str(SEED))))

    lost = asyncio.run(ask_all(gateway.port, requests, [f"/{zone}" for zone in UNITS]))
    assert lost == 0
    log = gateway.directory / "bills.log"
    assert eventually(lambda: log.read_bytes().count(b"\n") >= COUNT, 20)
    lines = [{name: value or None for name, value in json.loads(line).items()} for line in log.read_text().splitlines()]
    assert sorted(int(line["number"]) for line in lines) == list(range(COUNT))

    account, bills = Account(), sim.bills()
    for line in lines:
        account.hold(line, requests[int(line["number"])], bills)
    print(dict(account.charges))
    assert not account.faults, "\n".join([f"{len(account.faults)} of {COUNT}", *account.faults[:20]])
    for zone in UNITS:
        assert used(gateway, zone) == account.charged[zone]
