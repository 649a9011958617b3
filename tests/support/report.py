"""Count and print test cases, in the one form that tools/check reads.

A line for each case as it ends, and a last line `N passed, N failed`, to which
`, N skipped` is added if there are any. See CONTRIBUTING.md.
"""

import subprocess
import sys


class Failure(Exception):
    """What was expected is not so; the message says what is."""


class Skip(Exception):
    """The case cannot be tried here; the message says why."""


class Report:
    """Runs the cases of one program and keeps the count."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def case(self, name, function, *arguments):
        """Run one case: it fails by raising, and skips by raising Skip."""
        try:
            remark = function(*arguments)
        except Skip as why:
            self.skipped += 1
            print(f'skipped {name}: {why}', flush=True)
        except (Failure, OSError, subprocess.SubprocessError) as why:
            self.failed += 1
            print(f'FAILED  {name}: {why}', flush=True)
        else:
            self.passed += 1
            print(f'passed  {name}' + (f' ({remark})' if remark else ''),
                  flush=True)

    def end(self):
        """Print the last line and leave with the status that it means."""
        line = f'{self.passed} passed, {self.failed} failed'
        if self.skipped:
            line += f', {self.skipped} skipped'
        print(line)
        sys.exit(1 if self.failed or not self.passed + self.skipped else 0)


def run(*command, **options):
    """The standard output of a command that has to succeed."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          errors='replace', check=False, **options)
    if done.returncode:
        raise Failure(f'`{" ".join(command)}` ended with {done.returncode}:\n'
                      f'{done.stdout}')
    return done.stdout
