"""The README's examples, typed on a terminal: what is printed is what the README shows.

A block marked with <!-- run --> is a console session: lines that begin with "$ " are typed, the others are what comes back.
The blocks run in order, in one folder, with one vault. What differs from machine to machine (process numbers, digests, times,
the folder) may differ; everything else must be the same, trailing blanks apart.
"""

import os
import re

import pexpect
import pytest

from docs_support import ROOT, binary

README = (ROOT / "README.md").read_text()
PASSPHRASE = "quiet otter maps lemon stairs"
VALUE = "not-a-real-token-7c1e59"
ANSWERS = {r"[Pp]assphrase(?: for the vault| to approve once)?: $": PASSPHRASE, r"The same once more: $": PASSPHRASE,
           r"Value of \w+: $": VALUE}


def sessions():
    """[(command, expected output)]"""
    steps = []
    for block in re.findall(r"<!-- run -->\n```console\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return [(command, "\n".join(lines)) for command, lines in steps]


def normal(text, folder=None):
    text = text.replace("\r\n", "\n")
    if folder:
        text = text.replace(str(folder), "/home/you/shop")
    # What is above the shell, and whether an AI agent is, is the reader's own.
    text = re.sub(r"^(  asked by    \w+) \(\d+\).*(?:\n  agent  .*)?$", r"\1 (N)", text, flags=re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def type_command(command, folder, env):
    # With something behind it bash stays, as the shell that a reader types into does.
    child = pexpect.spawn("/bin/bash", ["--norc", "-c", f"{command}\nexit $?"], cwd=str(folder), env=env, encoding="utf-8",
                          timeout=60, dimensions=(50, 400))
    seen = ""
    patterns = [*ANSWERS, pexpect.EOF]
    while True:
        found = child.expect(patterns)
        seen += child.before
        if patterns[found] is pexpect.EOF:
            break
        seen += child.after
        child.sendline(ANSWERS[patterns[found]])
    child.close()
    return seen, child.exitstatus


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    base = tmp_path_factory.mktemp("readme")
    folder = base / "shop"
    folder.mkdir()
    os.symlink(binary(), base / "envseal")
    env = {"PATH": f"{base}:/usr/local/bin:/usr/bin:/bin", "HOME": str(base),
           "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    return folder, env


def test_there_is_a_first_five_minutes():
    commands = " ".join(command for command, _ in sessions())
    for word in ("init", "set", "import", "run", "list", "audit verify"):
        assert f"envseal {word}" in commands, word


def test_examples_print_what_the_readme_shows(place):
    folder, env = place
    for command, expected in sessions():
        seen, status = type_command(command, folder, env)
        assert normal(seen, folder) == normal(expected), command
        assert status == 0, command


def test_commands_in_the_text_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
