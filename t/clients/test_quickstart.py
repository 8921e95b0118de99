"""docs/quickstart.md, "In an nginx that you have", as it stands there: its commands, on a system that has only what Debian's nginx brings."""

import json
import os
import re
import subprocess

from conftest import MODULE, ROOT, eventually
from ready import AROUND, Running, adapted

PAGE = (ROOT / "docs/quickstart.md").read_text()
# The system's directories, each below the test's own.
DIRECTORIES = ["/usr/lib/nginx/modules", "/usr/local/bin", "/etc/nginx", "/var/log/nginx"]


def commands(heading):
    """The shell commands below a heading."""
    section = re.search(rf"^### {heading}\n(.*?)(?=^###? |\Z)", PAGE, re.M | re.S)[1]
    return "".join(re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S))


def run(script, home, port=8080):
    for directory in DIRECTORIES:
        script = script.replace(directory, f"{home}{directory}")
    script = script.replace(":8080/", f":{port}/")
    script = script.replace("sudo ", "").replace("build/ngx_http_bedrock_module.so", MODULE)
    environment = {"PATH": f"{home}/usr/local/bin:/usr/sbin:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_word_by_word(tmp_path, sim):
    # What there is, and nothing else: no directory for modules.
    for directory in "etc/nginx/modules-enabled", "etc/nginx/conf.d", "var/log/nginx", "logs":
        (tmp_path / directory).mkdir(parents=True)
    etc = tmp_path / "etc/nginx"
    run(commands("Put it in place"), tmp_path)
    run(commands("Configure it"), tmp_path)
    # nginx's prefix is /usr/share/nginx on Debian, with a link from modules.
    (tmp_path / "modules").symlink_to(tmp_path / "usr/lib/nginx/modules")
    (etc / "nginx.conf").write_text(AROUND.format(home=etc))
    ports = {}
    snippet = etc / "conf.d/bedrock.conf"
    snippet.write_text(adapted(snippet.read_text(), tmp_path / "var/log/nginx", etc, ports, sim.port))
    assert re.search(r"^[^#]*\bbedrock_region us-east-1;", snippet.read_text(), re.M)
    start, rest = commands("Start it").split("\n", 1)
    assert start == "sudo nginx -t && sudo systemctl restart nginx"
    with Running(tmp_path, ports, etc / "nginx.conf"):
        log = tmp_path / "var/log/nginx/bedrock.json"
        curl, after = rest.split("tail ", 1)
        answer = run(curl, tmp_path, ports["8080"])
        assert '"text":"Hello' in answer.replace(" ", "") and "messageStop" in answer
        assert eventually(lambda: log.read_text().endswith("\n"))
        line, table = run(f"tail {after}", tmp_path).split("\n", 1)
    assert json.loads(line)["output_tokens"] == "12"
    assert re.search(r"^us\.amazon\.nova-lite-v1:0 +1 +0 +0 +25 +12 ", table, re.M)


def test_what_the_page_shows_is_in_the_file():
    shown = re.search(r"The main part of this file:\n\n```nginx\n(.*?)```", PAGE, re.S)[1]
    indented = "".join(f"    {line}" for line in shown.splitlines(True))
    assert indented in (ROOT / "nginx-conf/minimal.conf").read_text()
    for name in re.findall(r"\]\(\.\./(nginx-conf/[^)]*)\)", PAGE):
        assert (ROOT / name).is_file()
    assert os.access(ROOT / "tools/nginx-bedrock-usage", os.X_OK)
