"""Every configuration in nginx-conf/ loads as it is shipped, but for names that need a network."""

import re
import shutil
import subprocess

import pytest

from conftest import MODULE, NGINX, ROOT

EXAMPLES = sorted((ROOT / "nginx-conf").glob("*.conf"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_loads(example, tmp_path):
    for name in ("modules", "logs", "conf"):
        (tmp_path / name).mkdir()
    (tmp_path / "modules/ngx_http_bedrock_module.so").symlink_to(MODULE)
    # As on a real machine, what is included is beside nginx.conf.
    for name in ("bedrock_params", "claude_models"):
        shutil.copy(ROOT / "nginx-conf" / name, tmp_path / "conf")
    text = re.sub(r"(server\s+)bedrock-runtime[^;]*:443;", r"\g<1>127.0.0.1:9;", example.read_text())
    assert "bedrock-runtime" not in re.sub(r"#.*", "", text)
    (tmp_path / "conf/nginx.conf").write_text(text.replace("/var/log/nginx/", "logs/"))
    tested = subprocess.run(
        [NGINX, "-t", "-p", f"{tmp_path}/", "-e", "logs/error.log", "-c", "conf/nginx.conf", "-g", "pid logs/nginx.pid;"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert tested.returncode == 0 and "[warn]" not in tested.stderr, tested.stderr
