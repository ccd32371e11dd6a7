"""docs/environment.md names every variable that is read, and exactly those that are dropped."""

import json
import re
import subprocess

import pytest

from docs_support import ROOT, binary

TEXT = (ROOT / "docs" / "environment.md").read_text()
READ, _, DROPPED = TEXT.partition("## Dropped for programs")


def names_in(text):
    return re.findall(r"`([A-Za-z_][A-Za-z0-9_]*\*?)`", text)


def dropped_names():
    """Those of the tables' second column."""
    names = []
    for line in DROPPED.splitlines():
        if line.startswith("| "):
            names += names_in(line.split("|")[2])
    return names


def test_every_variable_that_is_read_is_named():
    read = set()
    for path in (ROOT / "src").rglob("*.c"):
        read |= set(re.findall(r'(?:getenv|variable_absolute|home_dir)\("([A-Z_]+)"', path.read_text()))
    for path in (ROOT / "src" / "guard").glob("*.c"):
        for line in path.read_text().splitlines():
            if "static const char *const" in line:
                read |= set(re.findall(r'"([A-Z][A-Z_]+)"', line))
    assert {"DISPLAY", "ENVSEAL_HOME", "HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"} <= read
    assert read <= set(names_in(READ)), read - set(names_in(READ))


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    home = tmp_path_factory.mktemp("environment") / "vault"
    passphrase = home.parent / "passphrase"
    passphrase.write_text("quiet otter maps lemon stairs\n")
    passphrase.chmod(0o600)
    env = {"PATH": "/usr/bin:/bin", "ENVSEAL_HOME": str(home)}
    for arguments in (["init", "--pwhash", "interactive"], ["set", "NAME", "--generate", "20"]):
        subprocess.run([binary(), *arguments, "--passphrase-file", passphrase], env=env, check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=60)
    return home


def explain(vault, variables):
    env = {"PATH": "/usr/bin:/bin", "ENVSEAL_HOME": str(vault)} | variables
    result = subprocess.run([binary(), "run", "-s", "NAME", "--explain", "--json", "--", "true"], env=env,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_every_named_variable_is_dropped(vault):
    names = [name.replace("*", "ANYTHING") for name in dropped_names() if name != "ENVSEAL_*"]
    assert len(names) > 100
    # One of these is read by a sanitizer, where envseal was built with it.
    dropped = set(explain(vault, dict.fromkeys(names, "detect_leaks=0"))["dropped"])
    assert set(names) - dropped == set()


def test_ordinary_variables_are_not_dropped(vault):
    names = ["USER", "LOGNAME", "SHELL", "COLUMNS", "CI", "MY_SETTING", "NODE_ENV", "FOO_BAR_1"]
    assert set(explain(vault, dict.fromkeys(names, "1"))["dropped"]) & set(names) == set()


def test_the_page_lists_what_the_table_lists():
    source = (ROOT / "src" / "policy" / "steering.c").read_text()
    table = re.search(r"steering\[\] = \{(.*?)\n\};", source, re.DOTALL)[1]
    listed = re.findall(r'"([^"]+)"', table)
    assert len(listed) > 100
    assert sorted(dropped_names()) == sorted(listed)
