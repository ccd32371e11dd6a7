"""Files and folders of the vault that are not what they must be, and disks that do not take what they should."""

import os
import re

import pytest

MENDING = re.compile(r"(?:mend it with|remove it with|move it away with): (.*)")


def mending_command(result):
    found = MENDING.search(result.talk)
    assert found, result
    return found[1]


@pytest.mark.parametrize("name", ["vault.db", "audit.jsonl", "."])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_open_to_others(vault, name, mode):
    path = vault.dir / name
    path.chmod(mode | 0o100 if name == "." else mode)
    result = vault.run("set", "NEW", "--generate", "20", status=4)
    vault.run("run", "-s", "API_TOKEN", "--", "/bin/true", status=125)
    assert os.system(mending_command(result)) == 0
    vault.set("NEW", b"a value for the new one")
    assert vault.check()["ok"]
