"""What nginx-conf/ has for Prometheus and Grafana, against a real Prometheus that scrapes a real nginx under traffic: every query of the
dashboard and of the alerts has data, and every alert's text can be written."""

import json
import re
import urllib.request

import pytest

from conftest import ROOT, eventually
from metered import Traffic, metered
from prometheus import Prometheus, promtool

ALERTS = ROOT / "nginx-conf/alerts.yml"
DASHBOARD = json.loads((ROOT / "nginx-conf/grafana-bedrock.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = [variable for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
METRICS = "/bedrock/metrics"
ENDS = ["complete", "exception", "truncated", "corrupt", "aborted", "drained"]


def test_the_rules_are_rules():
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_fires_and_is_silent():
    result = promtool("test", "rules", ROOT / "t/clients/alerts_test.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    names = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    fired = re.findall(r'alertname="(\w+)",alertstate="firing"', (ROOT / "t/clients/alerts_test.yml").read_text())
    assert set(fired) == set(names) and len(names) == len(set(names))
    told = re.findall(r"^\| `(Bedrock\w+)` \| (\w+) \|", (ROOT / "docs/operations.md").read_text(), re.M)
    assert told == re.findall(r"- alert: (\w+)$.*?severity: (\w+)", ALERTS.read_text(), re.M | re.S)


def without_bounds(rules):
    """The same alerts, with no bounds and no patience: each that has data fires."""
    text = re.sub(r"\s*(?:[<>]=?|==) [\d.]+\b(?=\s|$)", "", rules, flags=re.M)
    return re.sub(r"^ *for: .*\n", "", text, flags=re.M)


@pytest.fixture(scope="module")
def gateway_under_traffic(sim_process, tmp_path_factory):
    gateway = metered(tmp_path_factory.mktemp("gateway"), sim_process)
    with Traffic(gateway):
        yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def prometheus(gateway_under_traffic, tmp_path_factory):
    directory = tmp_path_factory.mktemp("prometheus")
    rules = directory / "alerts.yml"
    rules.write_text(without_bounds(ALERTS.read_text()))
    with Prometheus(directory, gateway_under_traffic.port, METRICS, rules) as one:
        assert eventually(lambda: one.query("count_over_time(bedrock_workers[1m]) > 3"), 30)
        yield one


def filled(expression, **chosen):
    """A query of the dashboard, as Grafana sends it."""
    values = {"__rate_interval": "15s", "__range": "1m", **{variable["name"]: variable["allValue"] for variable in VARIABLES}, **chosen}
    text = re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)
    return text


QUERIES = [(panel, target["expr"]) for panel in PANELS for target in panel["targets"]]


@pytest.mark.parametrize("panel, expression", QUERIES, ids=[f"{panel['title']}-{number}" for number, (panel, _) in enumerate(QUERIES)])
def test_each_panel_has_data(prometheus, panel, expression):
    # Data is more than zeros.
    found = eventually(lambda: [one for one in prometheus.query(filled(expression)) if one[1]], 20)
    assert found, filled(expression)
    # What a legend names is there.
    for name in re.findall(r"{{(\w+)}}", "".join(target["legendFormat"] for target in panel["targets"] if target["expr"] == expression)):
        assert any(labels.get(name) for labels, _ in found), (name, found)


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable["name"])
def test_each_variable_has_values(prometheus, variable):
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
    values = prometheus.ask(f"label/{label}/values", **{"match[]": metric})
    assert values
    # And choosing one chooses some of the requests.
    every = filled("sum(bedrock_requests_total{instance=~\"$instance\",model=~\"$model\",team=~\"$team\"})")
    one = filled("sum(bedrock_requests_total{instance=~\"$instance\",model=~\"$model\",team=~\"$team\"})", **{variable["name"]: values[-1]})
    assert 0 < prometheus.query(one)[0][1] <= prometheus.query(every)[0][1]


def test_each_alert_has_data_and_a_text(prometheus):
    def silent():
        return [rule["name"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"] if not rule["alerts"]]

    assert eventually(lambda: not silent()), silent()
    for rule in (rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]):
        assert rule["annotations"].keys() == {"summary", "description"} and rule["labels"]["severity"] in ("critical", "warning")
        for alert in rule["alerts"]:
            for name, text in rule["annotations"].items():
                assert "<error" not in alert["annotations"][name], alert["annotations"][name]
                missing = [label for label in re.findall(r"\$labels\.(\w+)", text) if label not in alert["labels"]]
                assert not missing, (rule["name"], missing)


@pytest.mark.parametrize("expression", [
    'bedrock_requests_total{model="",status="400"}', 'bedrock_requests_total{status="502"}',
    'bedrock_exceptions_total{exception=~"(?i)throttlingexception"}', *(f'bedrock_streams_total{{status="{end}"}}' for end in ENDS),
    *(f'bedrock_usage_unknown_total{{reason="{reason}"}}' for reason in ("aborted", "truncated", "error", "absent")),
    *(f'bedrock_tokens_total{{type="{kind}"}}' for kind in ("input", "output", "cache_read", "cache_write", "cache_write_1h")),
    *(f'bedrock_limit_requests_total{{result="{result}"}}' for result in ("passed", "soft", "rejected", "rejected_dry_run")),
    *(f'bedrock_cost_usd_total{{team="{team}"}}' for team in ("search", "docs")), 'bedrock_price_missing_total{team="docs"}',
    "bedrock_limit_zone_evictions_total", "bedrock_series_overflow_total", "bedrock_streams_open"])
def test_what_is_rare_has_happened(prometheus, expression):
    assert eventually(lambda: prometheus.query(f"sum({expression}) > 0"), 20), prometheus.query(expression)


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert len({panel["title"] for panel in PANELS}) >= len(PANELS) - 1
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}" and panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] and 'instance=~"$instance"' in target["expr"]
    # No panel lies on another, and none hangs over.
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def fetched(gateway, path):
    with urllib.request.urlopen(gateway.url + path) as answer:
        return answer.read().decode()


def test_the_metrics_are_those_of_the_docs(gateway_under_traffic):
    """Each with its type and its labels, and no other."""
    text = fetched(gateway_under_traffic, METRICS)
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    labels = {}
    for name, found in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$", text, re.M):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', found))
    documented = re.findall(r"^\| `(bedrock_\w+)` \| (\w+) \|([^|]*)\|", (ROOT / "docs/metrics.md").read_text(), re.M)
    told = {name: (kind, set(re.findall(r"`(\w+)`", words)) | ({"team"} if "labels" in words else set())) for name, kind, words in documented}
    assert told == {name: (kind, labels[name] - {"le"}) for name, kind in types.items()}


def test_the_document_is_that_of_the_docs(gateway_under_traffic):
    document = json.loads(fetched(gateway_under_traffic, "/bedrock/json"))
    section = (ROOT / "docs/metrics.md").read_text().partition("## 6.")[2].partition("## 7.")[0]
    rows = dict(re.findall(r"^\| (`.*?) \| (.*) \|$", section, re.M))
    assert {name for names in rows for name in re.findall(r"`(\w+)`", names)} == document.keys()
    for names, told in rows.items():
        for name in re.findall(r"`(\w+)`", names):
            # Of what has members each is told.
            one = document[name][0] if isinstance(document[name], list) and document[name] else document[name]
            if isinstance(one, dict) and name not in ("statuses", "streams", "exceptions", "usage_unknown"):
                assert one.keys() - set(re.findall(r"`(\w+)`", told)) == set(), name


def test_the_metrics_are_well_formed(gateway_under_traffic):
    text = fetched(gateway_under_traffic, METRICS)
    result = promtool("check", "metrics", input=text)
    assert result.returncode == 0 and not result.stderr, result.stderr
