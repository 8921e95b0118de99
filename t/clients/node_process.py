"""A program of node/ that makes calls: a line of JSON in, a line of what an application would see out."""

import json
import os
import subprocess

from conftest import NODE_MODULES, ROOT


class Node:
    """One process for all calls: Node and the packages take a second to load."""

    def __init__(self, program, **environment):
        self.process = subprocess.Popen(
            ["node", "--no-warnings", ROOT / "t/clients/node" / program],
            env={"PATH": os.environ["PATH"], "TEST_NODE_MODULES": NODE_MODULES, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, **what):
        print(json.dumps(what), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, "node has ended"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
