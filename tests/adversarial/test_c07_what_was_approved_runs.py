"""C7: the digest that the approval shows and the log keeps is that of the bytes that the kernel executes."""

import errno
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from attack_support import h
from envseal_support import PASSPHRASE, PYTHON, finish

OLD, NEW = "#!/bin/sh\necho old content\n", "#!/bin/sh\necho new content\n"
PROMPT = "Passphrase to approve once: $"


def digest_of(path):
    return subprocess.run(["b2sum", "-l", "256", str(path)], capture_output=True, check=True, text=True).stdout.split()[0]


def write_program(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o755)
    return path


def intent(vault, action="run"):
    return vault.records(kind=f"{action}.intent")[-1]


def ask(vault, *words):
    """A run that has shown what it asks for, and waits for the passphrase. -> (terminal, what it shows)"""
    child = vault.spawn("run", "-s", "API_TOKEN", *words)
    child.expect(PROMPT)
    return child, child.before


def approve(child):
    child.send(PASSPHRASE + "\r")
    return finish(child)


# ------------------------------------------------------------------------------------------------ replaced at the prompt


def in_place(path):
    path.write_text(NEW)


def by_rename(path):
    write_program(path.with_name("other"), NEW).rename(path)


def folder_swapped(path):
    path.parent.rename(path.parent.with_name("away"))
    path.parent.mkdir()
    write_program(path, NEW)


def by_link(path):
    write_program(path.with_name("other"), NEW)
    path.unlink()
    path.symlink_to("other")


def closed(path):
    path.chmod(0)


def shortened(path):
    os.truncate(path, 11)


SWAPS = [in_place, by_rename, folder_swapped, by_link, closed, shortened, pathlib.Path.unlink]


@pytest.mark.parametrize("kind", ["script", "binary"])
@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__)
def test_replaced_between_prompt_and_passphrase(vault, kind, swap):
    (vault.work / "bin").mkdir()
    tool = write_program(vault.work / "bin/tool", OLD if kind == "script" else pathlib.Path("/bin/echo").read_bytes())
    digest = digest_of(tool)
    child, shown = ask(vault, "--", "bin/tool", *([] if kind == "script" else ["old content"]))
    assert digest in shown and f"{tool}  (a sealed copy of this file)" in shown
    swap(tool)
    text, status = approve(child)
    assert status == 0 and "old content" in text and "new content" not in text
    program = intent(vault)["program"]
    assert (program["digest"], program["binding"], program["path"]) == (digest, "copy", str(tool))


def test_a_link_turned_between_prompt_and_passphrase(vault):
    for name, content in (("first", OLD), ("second", NEW)):
        write_program(vault.work / name, content)
    (vault.work / "tool").symlink_to("first")
    child, shown = ask(vault, "--", "./tool")
    assert str(vault.work / "first") in shown
    (vault.work / "turned").symlink_to("second")
    (vault.work / "turned").rename(vault.work / "tool")
    text, status = approve(child)
    assert status == 0 and "old content" in text
    program = intent(vault)["program"]
    assert program["path"] == str(vault.work / "first") and program["digest"] == digest_of(vault.work / "first")


@pytest.mark.parametrize("swap", [in_place, by_rename], ids=lambda swap: swap.__name__)
def test_an_interpreter_replaced_between_prompt_and_passphrase(vault, swap):
    """The interpreter is what the kernel executes; where the user could change it, it is pinned as well."""
    shell = write_program(vault.work / "shell", pathlib.Path("/bin/dash").read_bytes())
    write_program(vault.work / "tool", f"#!{shell}\necho old content\n")
    digest = digest_of(shell)
    child, shown = ask(vault, "--", "./tool")
    assert str(shell) in shown
    swap(shell)
    text, status = approve(child)
    assert status == 0 and "old content" in text
    assert intent(vault)["program"]["interpreter"] == {
        "path": str(shell), "digest": digest, "size": os.path.getsize("/bin/dash"), "binding": "copy"}


def test_the_interpreter_of_a_script_is_recorded(shared):
    for line, real in (("#!/bin/sh", "/bin/sh"), (f"#! {PYTHON}\t-I ", PYTHON), ("#!/usr/bin/env sh", "/bin/sh")):
        write_program(shared.work / "tool", f"{line}\n")
        shared.ok("run", "-s", "API_TOKEN", "--", "./tool")
        interpreter = intent(shared)["program"]["interpreter"]
        assert interpreter["path"] == os.path.realpath(real) and interpreter["digest"] == digest_of(real)
        assert interpreter["binding"] == "system"


def test_a_program_found_first_is_pinned_when_another_comes_before_it(vault):
    """A new file in an earlier folder of PATH, made at the prompt, is not looked for again."""
    for folder in ("early", "late"):
        (vault.work / folder).mkdir()
    tool = write_program(vault.work / "late/tool", OLD)
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "tool", env={"PATH": f"{vault.work}/early:{vault.work}/late:/usr/bin:/bin"})
    child.expect(PROMPT)
    assert str(tool) in child.before
    write_program(vault.work / "early/tool", NEW)
    text, status = approve(child)
    assert status == 0 and "old content" in text and intent(vault)["program"]["path"] == str(tool)


def test_by_path_is_marked(vault):
    tool = write_program(vault.work / "tool", OLD)
    child, shown = ask(vault, "--by-path", "--", "./tool")
    assert f"{tool}  (run by path as asked: it can be swapped until it starts)" in shown and "sealed copy" not in shown
    assert approve(child)[1] == 0
    program = intent(vault)["program"]
    assert program["binding"] == "by-path" and program["digest"] == digest_of(tool)
    found = vault.ok("run", "--explain", "--json", "--by-path", "-s", "API_TOKEN", "--", "./tool", passphrase=False).json()
    assert found["program"]["binding"] == "by-path"
    # What only root can change is pinned all the same, and called so.
    vault.ok("run", "--by-path", "-s", "API_TOKEN", "--", "true")
    assert intent(vault)["program"]["binding"] == "system"


@pytest.mark.parametrize("action", ["inject", "pipe"])
def test_the_other_two_pin_as_well(vault, action):
    tool = write_program(vault.work / "tool", OLD)
    words = ["pipe", "API_TOKEN"] if action == "pipe" else ["inject", "-s", "API_TOKEN"]
    digest = digest_of(tool)
    child = vault.spawn(*words, "--", "./tool")
    child.expect(PROMPT)
    assert digest in child.before
    in_place(tool)
    text, status = approve(child)
    assert status == 0 and "old content" in text and intent(vault, action)["program"]["digest"] == digest


# ------------------------------------------------------------------------------------------------- replaced all the time


HEAD, LINES = "#!/bin/sh\n", 8_000  # some pages, so that a copy can catch half of each content


def content_of(letters):
    return HEAD + "".join(f"echo {letter}\n" for letter in letters)


# Each says that it has begun, and goes on until it is ended.
SWAPPERS = {
    "in place": "f = os.open('tool', os.O_WRONLY)\nwhile True:\n    os.pwrite(f, a, 0); os.pwrite(f, b, 0)",
    "rename": "while True:\n    for n in (a, b):\n        f = os.open('new', os.O_WRONLY | os.O_CREAT, 0o755)\n"
              "        os.write(f, n); os.close(f); os.rename('new', 'tool')",
    "link": "os.rename('tool', 'one')\nf = os.open('two', os.O_WRONLY | os.O_CREAT, 0o755)\nos.write(f, b); os.close(f)\n"
            "os.symlink('one', 'new'); os.rename('new', 'tool')\nwhile True:\n    for n in ('one', 'two'):\n        os.symlink(n, 'new'); os.rename('new', 'tool')",
}


@pytest.fixture(params=SWAPPERS)
def swapper(request, vault):
    write_program(vault.work / "tool", content_of("A" * LINES))
    contents = f"a, b = ('#!/bin/sh\\n' + 'echo A\\n' * {LINES}).encode(), ('#!/bin/sh\\n' + 'echo B\\n' * {LINES}).encode()\n"
    program = "import os\n" + contents + SWAPPERS[request.param].replace("while True", "os.write(1, b'.')\nwhile True", 1)
    process = subprocess.Popen([PYTHON, "-I", "-c", program], cwd=vault.work, stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"."
    yield request.param
    assert process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_ran_is_what_was_recorded(vault, swapper):
    """The script tells line by line what it consists of, so its content can be put together again from what it printed."""
    ran = set()
    for _ in range(20):
        result = vault.run("run", "-s", "API_TOKEN", "--", "./tool")
        while result.status == 126 and swapper != "in place" and "replaced while it was looked at" in result.talk:
            assert result.out == b""
            result = vault.run("run", "-s", "API_TOKEN", "--", "./tool")
        assert result.status == 0, result
        letters = result.text.replace("\n", "")
        assert len(letters) == LINES and set(letters) <= {"A", "B"}
        assert intent(vault)["program"]["digest"] == h(content_of(letters).encode()).hex()
        ran.add(letters)
    # Halves of both are no harm when they are what was shown. A replaced file is never a half.
    assert swapper == "in place" or ran <= {"A" * LINES, "B" * LINES}


def test_the_copy_cannot_be_written(vault):
    """Without the shield it can be found through the program's descriptors, and its owner is the attacker."""
    for name in ("told", "gate"):
        os.mkfifo(vault.work / name)
    content = f"#!/bin/sh\necho $$ > told\nread word < gate\n{'# padding' * 40_000}\necho the old end\n"
    write_program(vault.work / "tool", content)
    process = vault.popen("run", "--no-shield", "-s", "API_TOKEN", "--", "./tool", stdout=subprocess.PIPE)
    pid = int((vault.work / "told").read_text())
    copies = [path for path in pathlib.Path(f"/proc/{pid}/fd").iterdir() if "memfd:" in os.readlink(path)]
    assert copies
    for copy in copies:
        os.chmod(copy, 0o777)
        descriptor = os.open(copy, os.O_RDWR)
        for attack in (lambda: os.pwrite(descriptor, b"echo gone\n", 50), lambda: os.ftruncate(descriptor, 60),
                       lambda: os.ftruncate(descriptor, 10_000_000), lambda: os.close(os.open(copy, os.O_RDWR | os.O_TRUNC))):
            with pytest.raises(PermissionError) as refused:
                attack()
            assert refused.value.errno == errno.EPERM
        assert os.pread(descriptor, len(content) + 1, 0) == content.encode()
        os.close(descriptor)
    (vault.work / "gate").write_text("go\n")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and out == b"the old end\n"


# --------------------------------------------------------------------------------------------------------------- refused


def with_mode(mode, content):
    def make(path):
        write_program(path, content)
        path.chmod(mode)
        assert path.stat().st_mode & 0o7777 == mode
    return make


def set_id_behind_a_link(path):
    with_mode(0o4755, pathlib.Path("/bin/true").read_bytes())(path.with_name("behind"))
    path.symlink_to("behind")


def set_id_interpreter(path):
    with_mode(0o4755, pathlib.Path("/bin/dash").read_bytes())(path.with_name("shell"))
    write_program(path, f"#!{path.with_name('shell')}\n")


def fifo(path):
    os.mkfifo(path)
    path.chmod(0o755)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
    path.chmod(0o755)


TRUE = pathlib.Path("/bin/true").read_bytes()
REFUSED = {
    "set-uid binary": (with_mode(0o4755, TRUE), "set-id"), "set-gid binary": (with_mode(0o2755, TRUE), "set-id"),
    "set-uid script": (with_mode(0o4755, OLD), "set-id"), "both": (with_mode(0o6755, TRUE), "set-id"),
    "link to set-uid": (set_id_behind_a_link, "set-id"), "set-uid interpreter": (set_id_interpreter, "set-id"),
    "fifo": (fifo, "not a regular file"), "socket": (unix_socket, "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "not a regular file"),
    "folder": (pathlib.Path.mkdir, "it is a folder"), "unreadable": (with_mode(0o111, TRUE), "cannot be pinned"),
    "not executable": (with_mode(0o644, OLD), "chmod +x"), "no header": (with_mode(0o755, "echo\n"), "#!/bin/sh"),
    "relative interpreter": (with_mode(0o755, "#!sh\n"), "absolute path"),
    "interpreter cut off": (with_mode(0o755, f"#!/bin/sh {'x' * 300}\n"), "255 bytes"),
    "NUL in the first line": (with_mode(0o755, "#!/bin/sh\0 x\n"), "NUL"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_pinned_is_refused(shared, tmp_path, what):
    make, says = REFUSED[what]
    make(tmp_path / "tool")
    before = shared.log.read_bytes()
    for options in ([], ["--by-path"]):
        result = shared.run("run", *options, "-s", "API_TOKEN", "--", tmp_path / "tool", status=126)
        assert says in result.talk and result.out == b""
    shared.run("run", "--explain", "-s", "API_TOKEN", "--", tmp_path / "tool", status=126, passphrase=False)
    assert shared.log.read_bytes() == before


def test_a_system_set_id_program_is_refused(shared):
    found = next((path for path in map(shutil.which, ("su", "passwd", "mount", "chfn", "newgrp"))
                  if path and os.stat(path).st_mode & 0o6000), None)
    if found is None:
        pytest.skip("there is no set-id program")
    assert "set-id" in shared.run("run", "-s", "API_TOKEN", "--", found, status=126).talk


# ------------------------------------------------------------------------------------------------------------- arguments


def test_the_arguments_shown_are_those_that_arrive(vault):
    program = "import os, sys; os.write(1, b'\\0'.join(os.fsencode(word) for word in sys.argv[1:]))"
    words = ["plain", "two words", "", "--flag=x", "a' 'b", "back\\slash", "$(id)", "line\nbreak", "\x1b[1A\x1b[2K", "tab\t"]
    tool = write_program(vault.work / "tool", f"#!{PYTHON} -I\n{program}\n")
    child, shown = ask(vault, "--", "./tool", *words)
    assert "\x1b" not in shown
    line = next(line for line in shown.splitlines() if line.strip().startswith("command"))
    assert line.split(None, 1)[1] == (r"./tool plain 'two words' '' --flag=x 'a\' \'b' 'back\\slash' '$(id)' 'line\nbreak' "
                                      r"'\x1b[1A\x1b[2K' 'tab\t'")
    child.close(force=True)
    result = vault.ok("run", "-s", "API_TOKEN", "--", tool, *words)
    assert result.out == "\0".join(words).encode()
    explained = vault.ok("run", "--explain", "--json", "-s", "API_TOKEN", "--", tool, *words, passphrase=False).json()
    record = intent(vault)
    assert explained["argv"] == record["argv"] and explained["argv_digest"] == record["argv_digest"]
    packed = b"".join(len(word.encode()).to_bytes(4, "little") + word.encode() for word in [str(tool), *words])
    assert record["argv_digest"] == h(packed).hex()
