"""What the documentation tests share: where things lie, and how a manual page and a help text are read."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAN = ROOT / "docs" / "man"


def build_dir():
    return Path(os.environ.get("ENVSEAL_BUILD", ROOT / "build")).resolve()


def binary():
    path = Path(os.environ.get("ENVSEAL", ROOT / "build" / "envseal")).resolve()
    assert path.is_file(), f"{path} is not there: build it with `make`, or set ENVSEAL"
    return path


def command_names():
    """The commands of the table, read from its source, so that a test never compares the program with itself."""
    table = (ROOT / "src" / "cli" / "command_table.c").read_text()
    rows = table.split("command_rows[] = {", 1)[1]
    names = re.findall(r'\.name = "([^"]+)"', rows)
    assert len(names) == len(set(names)) and len(names) >= 20
    return names


def run_envseal(arguments, home=None):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    if home:
        env["ENVSEAL_HOME"] = str(home)
    return subprocess.run(
        [binary(), *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


class Help:
    """`envseal CMD --help`, taken apart."""

    def __init__(self, command):
        result = run_envseal([*command.split(), "--help"])
        assert result.returncode == 0 and result.stderr == "", (command, result)
        self.text = result.stdout
        head, _, options = self.text.partition("\n\nOptions:\n")
        usage, _, summary = head.partition("\n\n")
        assert usage.startswith("Usage: "), self.text
        self.synopsis = usage.removeprefix("Usage: ")
        self.summary = summary.strip()
        self.options = {}
        for line in options.splitlines():
            match = re.match(r"  (?:-(\w), |    )--([\w-]+)(?: ((?!  )\S+))?(?:  |$)", line)
            if match and match[2] != "help":
                self.options[match[2]] = (match[1], match[3])


def man_file(command):
    return MAN / f"envseal-{command.split()[0]}.1.scd"


def plain(text):
    """scdoc source without its markup: *bold*, _underlined_ and backslashes. An underscore inside a word is text."""
    text = re.sub(r"\\(.)", lambda match: f"\x00{ord(match[1])}\x00", text)
    text = text.replace("*", "")
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "", text)
    return re.sub(r"\x00(\d+)\x00", lambda match: chr(int(match[1])), text)


class Man:
    """A manual page's source, taken apart by sections."""

    def __init__(self, path):
        self.text = path.read_text()
        self.sections = {}
        title = None
        for line in self.text.splitlines():
            if line.startswith("# "):
                title = line[2:]
                self.sections[title] = []
            elif title:
                self.sections[title].append(line)

    def section(self, title):
        return "\n".join(self.sections.get(title, []))

    def synopses(self):
        paragraphs = [" ".join(part.split()) for part in self.section("SYNOPSIS").split("\n\n")]
        return [plain(part) for part in paragraphs if part]

    def name(self):
        return plain(self.section("NAME").strip())

    def options(self):
        """long name -> (short name, value, text)"""
        found = {}
        for part in re.split(r"\n(?=\*-)", "\n" + self.section("OPTIONS")):
            head, _, body = part.strip("\n").partition("\n")
            match = re.fullmatch(r"(?:-(\w), )?--([\w-]+)(?: (\S+))?", plain(head))
            if match:
                assert match[2] not in found, f"--{match[2]} is described twice"
                found[match[2]] = (match[1], match[3], body.strip())
            else:
                assert not head.startswith("*-"), head
        return found
