"""The configurations of nginx-conf/, put where docs/quickstart.md says, for an nginx in a directory of its own: as they are
shipped, but for ports, directories, the addresses of AWS, and TLS to it."""

import os
import re
import subprocess
from datetime import date
from pathlib import Path

from conftest import KEY_ID, MODULE, NGINX, ROOT, SECRET, eventually, free_port, listens, stop

CONFIGURATIONS = ROOT / "nginx-conf"
WHOLE = CONFIGURATIONS / "nginx.conf"
SNIPPETS = sorted(set(CONFIGURATIONS.glob("*.conf")) - {WHOLE})
EXAMPLES = [*SNIPPETS, WHOLE]
# What stands beside nginx.conf.
INCLUDED = ["bedrock_params", "bedrock_json", "claude_models"]
BESIDE = [*INCLUDED, "bedrock_prices"]
# Debian's nginx.conf, as far as it matters to what is in conf.d.
AROUND = "include {home}/modules-enabled/*.conf;\npid logs/nginx.pid;\nevents {{}}\nhttp {{ include conf.d/*.conf; }}\n"


def place(example, home, upstream=None):
    """Lays the example out in `home`; the ports that it listens on, by those that it names. With `upstream` requests go to that
    port of this machine, in the clear."""
    for name in "conf/conf.d", "modules", "modules-enabled", "logs", "tls":
        (home / name).mkdir(parents=True)
    (home / "modules/ngx_http_bedrock_module.so").symlink_to(MODULE)
    (home / "modules-enabled/50-mod-http-bedrock.conf").write_text("load_module modules/ngx_http_bedrock_module.so;\n")
    beside(home / "conf")
    ports = {}
    text = adapted(example.read_text(), "logs", home, ports, upstream)
    if example == WHOLE:
        certificate(home / "tls")
        user = "user root;" if os.getuid() == 0 else ""
        (home / "conf/nginx.conf").write_text(text.replace("user                 www-data;", user))
    else:
        (home / "conf/conf.d/bedrock.conf").write_text(text)
        (home / "conf/nginx.conf").write_text(AROUND.format(home=home))
    return ports


def beside(directory):
    """Puts there what stands beside nginx.conf. Prices that are old some day are worth a warning, but no fault of a configuration."""
    for name in BESIDE:
        text = (CONFIGURATIONS / name).read_text()
        (directory / name).write_text(re.sub(r"\bdate \d{4}-\d\d-\d\d;", f"date {date.today()};", text))


def adapted(text, logs, etc, ports, upstream=None):
    """A configuration with other directories and ports; which ports instead of which goes into `ports`."""

    def listen(found):
        ports[found[2]] = ports.get(found[2]) or free_port()
        return f"listen{found[1]}127.0.0.1:{ports[found[2]]}"

    there = f"localhost:{upstream or 9};"
    text = re.sub(r"(server\s+)bedrock-runtime[^;]*:443;", rf"\g<1>{there}", text)
    # An upstream whose name is not followed would be out of date some day.
    assert text.count("bedrock_resolve;") == text.count(there) == len(re.findall(r"^ *upstream ", text, re.M))
    assert "bedrock-runtime" not in re.sub(r"#.*", "", text)
    text = text.replace("/var/log/nginx/", f"{logs}/").replace("/etc/nginx/", f"{etc}/").replace("/run/nginx.pid", "logs/nginx.pid")
    text = re.sub(r"listen\s+\[::\].*;", "", text)
    text = re.sub(r"\blisten(\s+)(?:127\.0\.0\.1:)?(\d+)", listen, text)
    if upstream:
        text = text.replace("https://bedrock", "http://bedrock")
        text = re.sub(r"^( *)bedrock_region ", rf"\1bedrock_endpoint 127.0.0.1:{upstream};\n\g<0>", text, flags=re.M)
    return text


def certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=gateway.example.com",
         "-keyout", directory / "gateway.key", "-out", directory / "gateway.crt"],
        check=True, capture_output=True)


def configuration_test(home, environment=None):
    """nginx -t, with these variables beside PATH."""
    return subprocess.run(
        [NGINX, "-t", "-p", f"{home}/", "-e", "logs/error.log", "-c", "conf/nginx.conf"],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **(environment or {})})


class Running:
    """nginx with what `place` laid out, and the stand-in's keys in its environment: a context manager."""

    def __init__(self, home, ports, configuration="conf/nginx.conf"):
        self.home, self.ports, self.configuration = Path(home), ports, configuration

    def __enter__(self):
        self.process = subprocess.Popen(
            [NGINX, "-p", f"{self.home}/", "-e", "logs/error.log", "-c", self.configuration, "-g", "daemon off;"],
            env={"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET},
            stderr=subprocess.PIPE)
        up = lambda: all(map(listens, self.ports.values())) or self.process.poll() is not None  # noqa: E731
        assert eventually(up) and self.process.poll() is None, self.process.stderr.read()
        return self

    def __exit__(self, *_):
        stop(self.process)
