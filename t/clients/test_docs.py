"""Each nginx configuration that the documentation shows, whole or in part: nginx -t accepts it, without a warning."""

import os
import re
import textwrap
from pathlib import Path

import pytest

from conftest import MODULE, ROOT, free_port
from ready import CONFIGURATIONS, INCLUDED, beside, configuration_test

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LUA = [f"/usr/lib/nginx/modules/{name}.so" for name in ("ndk_http_module", "ngx_http_lua_module")]

# What stands in `http`: of the module's own directives, those of which directives.md says so. A `location` stands in a `server`,
# and anything else in a `location` that has `bedrock on`.
CONTEXTS = re.findall(r"^## (bedrock\w*)$.*?^\*\*Context:\*\* (.*?)$", (ROOT / "docs/directives.md").read_text(), re.M | re.S)
IN_HTTP = ["limit_conn_zone", "limit_req_zone", "log_format", "map", "server", "upstream"]
IN_HTTP += [name for name, contexts in CONTEXTS if contexts == "`http`"]
# Directives that go where those that they are shown with go.
ANYWHERE = ["access_log", "error_log", "include", "proxy_intercept_errors"]
# What the pages take for given, and the reader has.
GIVEN = """
upstream bedrock { bedrock_resolve; server bedrock-runtime.us-east-1.amazonaws.com:443; keepalive 64; }
upstream gateway { server 127.0.0.1:9; }
map $http_x_api_key $client_key { default $http_x_api_key; }
map $remote_user $team { default $remote_user; }
include bedrock_json;
"""
# Of a location that is not shown itself.
LOCATION = ["bedrock on;", "bedrock_region us-east-1;", "include bedrock_params;", "proxy_pass https://bedrock;"]
# Parts of an example that the page shows before, by how they begin: what that has around them.
IN_SERVER = {
    ("aws.md", "location = /foundation-models"): "bedrock_region us-east-1; bedrock_api aws; include bedrock_params;",
    ("failover.md", "location @eu"): "include bedrock_params;",
}
# What ECS and EKS set.
ENVIRONMENT = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/bedrock-gateway",
    "AWS_WEB_IDENTITY_TOKEN_FILE": __file__,
}


class Statement:
    """A directive with its parameters and its block, if it has one."""

    def __init__(self, source):
        self.source = source
        self.words = [word for word in re.findall(r'"[^"]*"|[^\s{;"]+|[{;]', re.sub(r"(?m)^\s*#.*", "", source))]
        self.name = self.words[0]

    def defines(self):
        """The variable, upstream, zone, format or credentials that others may name."""
        before = self.words[: self.words.index("{")] if "{" in self.words else self.words[:-1]
        zones = [word.removeprefix("zone=").partition(":")[0] for word in before if word.startswith("zone=")]
        match self.name:
            case "map":
                return before[-1]
            case "upstream" | "log_format" | "bedrock_credentials":
                return before[1]
            case "limit_req_zone" | "limit_conn_zone" | "bedrock_limit_zone":
                return zones[0]
            case "include" if before[1] == "bedrock_json":
                return before[1]
            case "bedrock_status_zone":
                # A page names no zone: there is one.
                return "bedrock_status"
        return None


def statements(text):
    """The directives of the outermost level, each with the comments before it."""
    found, depth, start = [], 0, 0
    for token in re.finditer(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|(?:\$\{|[^\s{};"'#])+""", text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        assert depth >= 0, text
        if depth == 0 and token[0] in ";}":
            found.append(Statement(text[start : token.end()]))
            start = token.end()
    rest = re.sub(r"#.*", "", text[start:]).strip()
    assert depth == 0 and not rest, f"not a whole directive: {rest}"
    return found


class Example:
    def __init__(self, page, position, text):
        self.page = page
        self.line = page.read_text()[:position].count("\n") + 1
        self.text = text
        self.statements = statements(text)

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def examples(page):
    text = page.read_text()
    blocks = re.finditer(r"^ *```nginx\n(.*?)^ *```$", text, re.M | re.S)
    # Files of a ConfigMap.
    files = re.finditer(r"^  [\w.-]+\.conf: \|\n((?:    .*\n|\n)+)", text, re.M)
    return [Example(page, found.start(), textwrap.dedent(found[1])) for found in (*blocks, *files)]


EXAMPLES = [example for page in PAGES for example in examples(page)]


def with_included(text):
    shipped = [(CONFIGURATIONS / name).read_text() for name in re.findall(r"include\s+(\w+);", text) if name in INCLUDED]
    return "\n".join([re.sub(r"#.*", "", text), *shipped])


def lacking(example):
    """What the example uses and does not define: from the page, the example before it rather than one behind it, or given."""
    others = sorted((other for other in EXAMPLES if other.page == example.page and other is not example),
                    key=lambda other: (other.line > example.line, abs(other.line - example.line)))
    on_offer = [statement for other in others for statement in other.statements] + statements(GIVEN)
    have = {statement.defines() for statement in example.statements}
    added = []
    text = with_included(example.text + "\n".join(LOCATION))
    while True:
        wanted = next((statement for statement in on_offer if (name := statement.defines()) and name not in have
                       and re.search(rf"(?<![\w$]){re.escape(name)}(?![\w-])", text)), None)
        if wanted is None:
            return added
        have.add(wanted.defines())
        added.append(wanted)
        text += with_included(wanted.source)


def whole(example):
    """A configuration around it."""
    shown = example.statements
    names = {statement.name for statement in shown}
    in_location = [s for s in shown if s.name not in (*IN_HTTP, *ANYWHERE, "location")]
    levels = {"http": [], "server": [], "location": []}
    for statement in shown:
        if statement.name in IN_HTTP:
            level = "http"
        elif statement.name == "location":
            level = "server"
        elif statement.name in ANYWHERE:
            level = "location" if in_location else "server" if "location" in names else "http" if names & {*IN_HTTP} else "location"
        else:
            level = "location"
        levels[level].append(statement.source)
    http = [statement.source for statement in lacking(example)] + levels["http"]
    server, location = levels["server"], levels["location"]
    for (page, start), around in IN_SERVER.items():
        if (page, start) == (example.page.name, example.text[: len(start)]):
            server.insert(0, around)
    if location or not server and "server" not in names:
        mine = [line for line in LOCATION if not any(re.match(rf"\s*{line.split()[0]}\s", text) and line.split()[0] != "include" for text in location)]
        server.append("location / {\n" + "\n".join(mine + location) + "\n}")
    if server:
        http.append("server {\nlisten 8080;\n" + "\n".join(server) + "\n}")
    return "\n".join(http)


def adapted(text, home):
    """With this test's directories and ports, and with addresses of this machine for hosts of others."""
    text = re.sub(r"(?<=listen)(\s+)(?:127\.0\.0\.1:)?\d+", lambda found: f"{found[1]}127.0.0.1:{free_port()}", text)
    text = text.replace("/var/log/nginx/", f"{home}/logs/").replace("/etc/nginx/", f"{home}/conf/")
    text = text.replace("/run/secrets/", f"{home}/secrets/").replace("/var/lib/nginx/", f"{home}/")
    for state in map(Path, re.findall(r"state=([^\s;]+)", text)):
        state.parent.mkdir(parents=True, exist_ok=True)
    for secret in map(Path, re.findall(r"file:([^\s;}]+)", text)):
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("EXAMPLE\n")
    # nginx looks up the names of servers and of proxy_pass when it starts.
    text = re.sub(r"(\bserver\s+)[\w.-]+:443(?=[; ])", r"\g<1>localhost:9", text)
    upstreams = set(re.findall(r"\bupstream\s+(\S+)", text))
    hosts = set(re.findall(r"proxy_pass\s+https?://([\w.-]+)", text)) - upstreams
    return "\n".join([*(f"upstream {host} {{ server 127.0.0.1:9; }}" for host in sorted(hosts)), text])


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_nginx_accepts(example, tmp_path):
    # nginx would take port 80.
    assert [server.source for server in example.statements if server.name == "server" and "listen" not in server.words] == []
    for name in "conf", "logs":
        (tmp_path / name).mkdir()
    beside(tmp_path / "conf")
    modules = [MODULE]
    if "_by_lua_" in example.text:
        modules = [*LUA, MODULE]
    (tmp_path / "conf/nginx.conf").write_text(
        "".join(f"load_module {module};\n" for module in modules)
        + ("user root;\n" if os.getuid() == 0 else "")
        + "pid logs/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n"
        + adapted(whole(example), tmp_path)
        + "\n}\n")
    result = configuration_test(tmp_path, ENVIRONMENT)
    said = f"{example}\n{result.stderr}\n{(tmp_path / 'conf/nginx.conf').read_text()}"
    # Part of an example may declare what another part uses.
    warnings = [line for line in result.stderr.splitlines() if "[warn]" in line and "limits nothing" not in line]
    assert result.returncode == 0 and not warnings, said


def test_no_example_is_missed():
    """A block that looks like nginx's and is not marked so would not be tested."""
    for page in PAGES:
        for language, text in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", page.read_text(), re.M | re.S):
            assert language in ("nginx", "yaml") or not re.search(r"^\s*(bedrock_\w+ .*;|location .*\{)$", text, re.M), f"{page.name}: {text}"
    assert all(any(page == example.page.name and example.text.startswith(start) for example in EXAMPLES) for page, start in IN_SERVER)
