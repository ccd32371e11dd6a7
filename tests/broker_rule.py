"""A rule for exactly one run: what its plan says goes where. As a program, for lines whose end only a shell knows:
`broker_rule.py PASSPHRASE_FILE ENVSEAL run ... -- PROGRAM` makes the rule and becomes the rest of its line."""

import json
import os
import signal
import subprocess
import sys


def call(words, env, cwd):
    return subprocess.run(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True,
                          timeout=60)


def allow(passphrase_file, words, env=None, cwd=None):
    """-> false where no rule can be: the run has no secrets. What does not run at all needs none."""
    at = words.index("--")
    explained = call([*words[:2], "--explain", "--json", *words[2:]], env, cwd)
    if explained.returncode != 0:
        return True
    plan = json.loads(explained.stdout)
    if not plan["secrets"]:
        return False
    options = [word for secret in plan["secrets"] for word in ("-s", f"{secret['name']}={delivery(secret)}")]
    options += [word for name in plan.get("kept", []) for word in ("--keep-env", name)]
    call([words[0], "policy", "allow", "--passphrase-file", passphrase_file, *options, "--dir", "any", *words[at:]], env, cwd)
    return True


def delivery(secret):
    variable = secret.get("variable")
    return {"stdin": "-", "file": f"{variable}:file"}.get(secret["delivery"], variable)


if __name__ == "__main__":
    allow(sys.argv[1], sys.argv[2:])
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and that would be handed on
        signal.signal(number, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
