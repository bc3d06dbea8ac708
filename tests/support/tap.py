# SPDX-License-Identifier: MIT
"""TAP lines for tests that are scripts: a case a line, why below a failed one."""
import sys


class Tap:
    def __init__(self):
        self.failed = 0

    def case(self, name, problems=()):
        """Report a case; problems: texts, none if it passed."""
        problems = [str(problem) for problem in problems]
        print(f"{'not ok' if problems else 'ok'} - {name}")
        for problem in problems:
            for line in problem.rstrip().splitlines() or [""]:
                print(f"# {line}")
        self.failed += bool(problems)
        sys.stdout.flush()

    def skip(self, name, why):
        print(f"ok - {name} # SKIP {why}")

    def exit(self):
        sys.exit(1 if self.failed else 0)
