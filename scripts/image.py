"""What Docker would do with docker/Dockerfile and docker/compose.yaml, as far as these two use it. For test-image.sh."""

import ctypes
import json
import os
import pathlib
import shlex
import subprocess
import sys

import yaml

ROOT, WORK = map(pathlib.Path, sys.argv[1:])
# In memory: an overlay's layers must not lie in each other, and "/" is one.
LAYERS = WORK / "layers"
HOME = pathlib.Path.home()
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
ARGS = {"NGINX_DOWNLOAD": f"file://{WORK}/download", "PROFILE": "demo"}


def run(*command, **more):
    subprocess.run(list(map(str, command)), check=True, **more)


class Image:
    """Files of lower directories, with what is written in a directory of its own."""

    def __init__(self, name, lower):
        self.path, upper, scratch = (LAYERS / name / part for part in ("root", "upper", "scratch"))
        for directory in (self.path, upper, scratch):
            directory.mkdir(parents=True)
        self.layers = [upper, *lower]
        self.environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
        self.directory = "/"
        self.entrypoint = []
        lowerdir = ":".join(map(str, lower))
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lowerdir},upperdir={upper},workdir={scratch}", self.path)
        for shared in ("proc", "dev", "tmp"):
            run("mount", "--rbind", f"/{shared}", self.path / shared)

    def command(self, *command):
        return ["chroot", str(self.path), "env", "-i", *(f"{k}={v}" for k, v in self.environment.items()),
                "sh", "-c", 'cd "$0" && exec "$@"', self.directory, *command]

    def inside(self, path):
        return self.path / os.path.join(self.directory, path).lstrip("/")


def base(name):
    """What stands for an image of a registry."""
    lower = [pathlib.Path("/")]
    if name.startswith("nginx:"):
        lower.insert(0, LAYERS / "nginx-image")
    if name.startswith("rust:"):
        rust = LAYERS / "rustup"
        (rust / "usr/local").mkdir(parents=True)
        (rust / "usr/local/rustup").symlink_to(os.environ.get("RUSTUP_HOME", HOME / ".rustup"))
        (rust / "usr/local/cargo").symlink_to(os.environ.get("CARGO_HOME", HOME / ".cargo"))
        lower.insert(0, rust)
    return lower


def copy(words, image, images):
    source = ROOT
    if words[0].startswith("--from="):
        source = images[words.pop(0).removeprefix("--from=")].path
    *sources, target = words
    target_path = image.inside(target)
    if sources == ["."]:
        target_path.mkdir(parents=True, exist_ok=True)
        # What .dockerignore leaves.
        files = "git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C"
        run("bash", "-c", f"{files} {target_path}", cwd=ROOT)
        return
    if target.endswith("/"):
        target_path.mkdir(parents=True, exist_ok=True)
    for path in sources:
        run("cp", "-a", source / path.lstrip("/"), target_path)


def build():
    """Each stage of the Dockerfile, by its name."""
    lines = (ROOT / "docker/Dockerfile").read_text().replace("\\\n", " ").splitlines()
    images, image, known = {}, None, {}
    for line in filter(None, (line.partition("#")[0].strip() if line.startswith("#") else line.strip() for line in lines)):
        print("==", line[:110], flush=True, file=sys.stderr)
        instruction, _, rest = line.partition(" ")
        if instruction == "ARG":
            name, _, default = rest.partition("=")
            known[name] = ARGS.get(name, default)
            if image:
                image.environment[name] = known[name]
        elif instruction == "FROM":
            of, _, name = rest.split()
            for argument, value in known.items():
                of = of.replace("${%s}" % argument, value)
            parent = images.get(of)
            image = images[name] = Image(name, parent.layers if parent else base(of))
            if parent:
                image.environment, image.directory = dict(parent.environment), parent.directory
        elif instruction == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                image.environment[name] = value.replace("$PATH", image.environment["PATH"])
        elif instruction == "WORKDIR":
            image.directory = rest
            image.inside(".").mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            copy(rest.split(), image, images)
        elif instruction == "RUN":
            run(*image.command("sh", "-c", rest))
        elif instruction == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif instruction != "USER":
            sys.exit(f"docker/Dockerfile: {instruction} is not known here")
    return images


def start(images):
    """The services of the compose file, each by its name at 127.0.0.1. Gives the port that one of them publishes."""
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    hosts = "127.0.0.1 localhost " + " ".join(services) + "\n"
    ready = []

    def up(name):
        if name in ready:
            return
        service = services[name]
        for other in service.get("depends_on", []):
            up(other)
        image = images[service["build"]["target"]]
        (image.path / "etc/hosts").unlink(missing_ok=True)
        (image.path / "etc/hosts").write_text(hosts)
        for volume in service.get("volumes", []):
            source, target, _ = volume.split(":")
            run("cp", ROOT / "docker" / source, image.inside(target))
        # What nginx's own image has as its command.
        command = [*image.entrypoint, *service.get("command", [])] or ["nginx", "-g", "daemon off;"]
        subprocess.Popen(image.command(*command))
        ready.append(name)

    for name in services:
        up(name)


def main():
    LAYERS.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", LAYERS)
    run("cp", "-a", WORK / "image", LAYERS / "nginx-image")
    images = build()
    ctypes.CDLL(None).unshare(NEW_NETWORK)
    run("ip", "link", "set", "lo", "up")
    start(images)
    url = "http://127.0.0.1:8080/"
    curl = ["curl", "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--fail-with-body"]
    run(*curl, url + "healthz")
    body = {"model": "us.amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    answer = subprocess.run([*curl, url, "-H", "Content-Type: application/json", "-d", json.dumps(body)], capture_output=True, check=True)
    text = json.loads(answer.stdout)["output"]["message"]["content"][0]["text"]
    assert text.startswith("Hello from"), answer.stdout
    print("==", text, file=sys.stderr)


main()
