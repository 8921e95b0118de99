"""The status page of a real nginx, under traffic: its figures are those of the document and of the access log."""

import http.client
import json
import re
from collections import Counter

from conftest import ROOT, defaults, eventually
from status_browser import expect, open_page  # noqa: F401  a fixture
from status_document import MARKUP

NOVA, CLAUDE = "us.amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NAMELESS = {"": "no model: refused before", "other": "other models"}
BODY = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
HTTP = """
    bedrock_prices       {root}/nginx-conf/bedrock_prices;
    bedrock_status_zone  status:1m label=team $http_x_team;
    bedrock_limit_zone   $http_x_team zone=daily:1m budget=5r/day label=$http_x_team;
"""
SERVER = """
    location /bedrock/ { bedrock_status; access_log off; }
    location / { bedrock on; proxy_pass http://bedrock; }
    location /limited/ { rewrite ^/limited(/.*) $1 break; bedrock on; bedrock_limit zone=daily; proxy_pass http://bedrock; }
"""


def ask(gateway, model, team="search", operation="converse", before=""):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", f"{before}/model/{model}/{operation}", json.dumps(BODY), {"Content-Type": "application/json", "X-Team": team})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def traffic(gateway):
    """Requests of three teams, and how many they are."""
    statuses = Counter()
    for _ in range(6):
        statuses[ask(gateway, NOVA)] += 1
        statuses[ask(gateway, f"{NOVA}.sim.cached", "assistant")] += 1
        statuses[ask(gateway, CLAUDE, "assistant", "converse-stream")] += 1
        statuses[ask(gateway, NOVA, "batch", before="/limited")] += 1
    statuses[ask(gateway, NOVA, MARKUP)] += 1
    statuses[ask(gateway, f"{NOVA}.sim.throttled")] += 1
    statuses[ask(gateway, f"{CLAUDE}.sim.exception", operation="converse-stream")] += 1
    return statuses


def log(gateway, requests):
    """The access log, once it has so many lines."""
    assert eventually(lambda: len(gateway._lines()) >= requests), gateway.errors()
    return [gateway.next_log() for _ in range(requests)]


def as_rate(value):
    """How the page writes it."""
    return f"{value:.0f}" if value == 0 or value >= 99.95 else f"{value:.2f}" if value < 0.095 else f"{value:.1f}"


def as_money(text):
    amount = float(text)
    places = 2 if amount == 0 or amount >= 0.0995 else 3 if amount >= 0.01 else 4
    return "<$0.0001" if 0 < amount < 0.00005 else f"${amount:.{places}f}"


def test_figures_are_those_of_the_document_and_of_the_access_log(nginx, sim, open_page):
    gateway = nginx(SERVER, HTTP.format(root=ROOT) + defaults(sim.port), workers=2)
    page = open_page(gateway).live().poll()
    expect(page.tab.locator("#start")).to_be_visible()
    statuses = traffic(gateway)
    lines = log(gateway, statuses.total())
    assert statuses == Counter(int(line["status"]) for line in lines)
    page.poll(2)
    expect(page.tab.locator("#start")).to_be_hidden()
    first, last = page.documents[0], page.documents[-1]
    seconds = last["time"] - first["time"]

    for table, name_of in [("models", lambda one: one["model"]), ("groups", lambda one: one["labels"]["team"])]:
        for one in last[table]:
            row = page.row(table, NAMELESS.get(one["model"], one["model"]) if table == "models" else name_of(one))
            cost = f" · {as_money(one['cost'])}"
            expect(row.locator("small")).to_have_text(f"{one['requests']} request{'s' if one['requests'] != 1 else ''}{cost}")
            expect(row.get_by_role("cell").nth(1)).to_have_text(as_rate(one["requests"] / min(60, seconds)))
    for one in last["models"]:
        # What a limit refuses has a model in the document; the log knows the requested one.
        logged = [line for line in lines if (line["model"] or line["requested_model"]) == one["model"]]
        if one["model"] not in NAMELESS:
            assert one["requests"] == len(logged)
            assert abs(float(one["cost"]) - sum(float(line["cost"] or 0) for line in logged)) < 1e-8

    ends = Counter(line["stream_status"] for line in lines if line["stream_status"])
    for name, label in [("complete", "complete"), ("exception", "exception of Bedrock")]:
        expect(page.row("streams", label).get_by_role("cell").last).to_have_text(str(ends[name]))
    refused = [line for line in lines if line["limit_status"] == "REJECTED"]
    assert len(refused) == 1
    expect(page.tab.locator("#refusals tbody tr")).to_have_count(len(refused))
    expect(page.tab.locator("#refusals tbody tr")).to_contain_text("daily")
    expect(page.tab.locator("#limits li").first).to_contain_text(re.compile("batchdaily · budget100 %5 of 5 requestsresets in"))
    expect(page.tile("First token").locator(".figure")).to_have_text(re.compile(r"\d+m?s p50|[\d.]+m?s p50"))
    expect(page.tile("Cost").locator(".beside")).to_have_text(as_money(last["cost"]["today"]) + "today, UTC")
    assert page.tab.locator("img").count() == 0
    expect(page.row("groups", MARKUP)).to_be_visible()

    # A reload loses nothing, and an nginx that went away is told.
    gateway.reload()
    page.poll(2)
    expect(page.row("models", CLAUDE).first).to_contain_text("6 requests")
    gateway.close()
    page.tab.clock.run_for(1000)
    page.tab.clock.run_for(8000)
    expect(page.tab.locator("#problem")).to_contain_text("The server does not answer.")
    page.messages.clear()
