"""What the tests run inside a guest."""

import os

from .process import repository
from .report import CaseFailed

SCRIPTS = os.path.join(repository(), "tests", "vm", "guest-scripts")


def script(name):
    """The text of one of vm/guest-scripts/."""
    with open(os.path.join(SCRIPTS, name), encoding="utf-8") as file:
        return file.read()


class Shell:
    """Scripts in a guest, for whoever has its `agent()` and the `timeout` of a script."""

    def script(self, name, **env):
        """Run one of vm/guest-scripts/ in the guest; its output."""
        return self.shell(script(name), name, **env)

    def shell(self, text, name=None, **env):
        """Run shell commands in the guest; their output. They must succeed."""
        status, output = self.try_shell(text, **env)
        if status:
            raise CaseFailed(f"{name or text}: exit {status} in the guest\n{output.strip()}")
        return output

    def try_shell(self, text, **env):
        """Run shell commands in the guest; (exit status, output)."""
        return self.agent().run(text, timeout=self.timeout, env=env)
