"""C16: a rule allows exactly what it says. What a rule allowed is told by the decision in the record of a run, or by `policy
explain`; the passphrase that the tests give approves the rest, so a run that no rule allows is one that would be asked about."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from attack_support import log_read
from envseal_support import PYTHON

TRUE, TOUCH = pathlib.Path("/usr/bin/true"), pathlib.Path("/usr/bin/touch")
SECRET = ("-s", "API_TOKEN")


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def put_copy(source, path):
    shutil.copy(source, path)
    path.chmod(0o755)
    return path


def allow(vault, *words, status=0, **more):
    return vault.run("policy", "allow", *words, status=status, **more)


def explains(vault, *words, **more):
    """Whether the rules allow it."""
    result = vault.run("policy", "explain", *words, **more)
    assert result.status in (0, 1), result
    return result.status == 0


def intents(vault, action="run"):
    return [record for record in map(json.loads, log_read(vault)) if record["kind"] == f"{action}.intent"]


def by_rule(vault, *words, action="run", status=0, **more):
    """Runs it. -> whether a rule allowed it"""
    before = len(intents(vault, action))
    vault.run(action, *words, status=status, **more)
    [record] = intents(vault, action)[before:]
    decision = record["decision"]
    assert (decision["effect"], decision["by"]) in (("allow", "rule"), ("ask", "passphrase")), record
    return decision["effect"] == "allow"


# ------------------------------------------------------------------------------------------------------ what is executed


SWAPPER = """
import os, shutil, sys
how, good, evil, tool = sys.argv[1:]
contents = [open(path, "rb").read() for path in (good, evil)]
print("on", flush=True)
while os.getppid() > 1:
    for content in contents:
        target = tool if how == "in place" else tool + ".new"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o755)
        os.write(descriptor, content)
        os.ftruncate(descriptor, len(content))
        os.close(descriptor)
        if how == "rename":
            os.rename(target, tool)
        for _ in range(200_000):
            pass
"""


@contextlib.contextmanager
def swapping(how, tool):
    process = subprocess.Popen([PYTHON, "-c", SWAPPER, how, str(TRUE), str(TOUCH), str(tool)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"on\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("how", ["rename", "in place"])
def test_a_binary_swapped_between_check_and_start(vault, how):
    """Twenty whole runs; tests/unit/test_program_swap.c does a thousand without the vault around them."""
    tool, marker = put_copy(TRUE, vault.work / "tool"), vault.work / "marker"
    allow(vault, *SECRET, "--", "./tool", "marker")
    assert by_rule(vault, *SECRET, "--", "./tool", "marker")
    allowed = 0
    with swapping(how, tool):
        for _ in range(20):
            before = len(intents(vault))
            result = vault.run("run", *SECRET, "--", "./tool", "marker")
            found = intents(vault)[before:]
            if result.status == 126:
                assert found == [] and not marker.exists()
                continue
            if found[0]["decision"]["effect"] == "allow":
                assert result.status == 0 and not marker.exists(), result
                allowed += 1
            marker.unlink(missing_ok=True)
    assert allowed > 0
    put_copy(TOUCH, tool)
    assert not by_rule(vault, *SECRET, "--", "./tool", "marker") and marker.exists()


@pytest.fixture
def ruled(vault):
    """A rule for `true`, found on the PATH, and a folder with programs of an attacker's."""
    (vault.work / "evil").mkdir()
    allow(vault, *SECRET, "--", "true")
    assert by_rule(vault, *SECRET, "--", "true")
    return vault


def test_a_name_put_first_on_the_path(ruled):
    evil = put_copy(TOUCH, ruled.work / "evil/true")
    env = {"PATH": f"{evil.parent}:/usr/bin:/bin"}
    assert not by_rule(ruled, *SECRET, "--", "true", status=1, env=env)
    evil.unlink()
    # The program itself under a name that the attacker can turn.
    evil.symlink_to(TRUE)
    assert not by_rule(ruled, *SECRET, "--", "true", env=env)
    evil.unlink()
    put_copy(TRUE, evil)
    assert not by_rule(ruled, *SECRET, "--", "true", env=env)
    evil.unlink()
    assert by_rule(ruled, *SECRET, "--", "true", env=env)


def test_a_relative_path_and_another_folder(ruled):
    put_copy(TRUE, ruled.work / "true")
    (ruled.work / "link").symlink_to(TRUE)
    evil = ruled.work / "evil"
    put_copy(TRUE, evil / "true")
    for word, cwd in (("./true", None), ("./link", None), ("evil/true", None), ("./true", evil), ("evil/../true", None),
                      ("true", ruled.home), ("true", "/"), ("true", ruled.base)):
        assert not by_rule(ruled, *SECRET, "--", word, cwd=cwd), (word, cwd)
    # A folder below it is in it.
    assert by_rule(ruled, *SECRET, "--", "true", cwd=evil)
    for path in ("", ".", "evil", ".:/usr/bin", "/proc/self/cwd:/usr/bin"):
        put_copy(TOUCH, ruled.work / "true")
        result = ruled.run("run", *SECRET, "--", "true", "marker", env={"PATH": path})
        assert result.status in (0, 127), (path, result)
        assert result.status == 127 or intents(ruled)[-1]["decision"]["effect"] == "ask"


def test_a_folder_that_became_another(vault):
    """The folder of the rule renamed away, and a link of its name put there."""
    (vault.work / "in").mkdir()
    allow(vault, *SECRET, "--", "true", cwd=vault.work / "in")
    assert explains(vault, *SECRET, "--", "true", cwd=vault.work / "in")
    (vault.work / "in").rename(vault.work / "out")
    (vault.work / "in").symlink_to("out")
    assert not explains(vault, *SECRET, "--", "true", cwd=vault.work / "in")
    assert not explains(vault, *SECRET, "--", "true", cwd=vault.work)


def test_links_to_and_from_the_program(vault):
    good, tool = put_copy(TRUE, vault.work / "good"), vault.work / "tool"
    tool.symlink_to("good")
    allow(vault, *SECRET, "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool")
    for word in ("./good", "../work/tool", str(tool)):
        assert not by_rule(vault, *SECRET, "--", word), word
    os.link(good, vault.work / "hard")
    (vault.work / "soft").symlink_to("tool")
    for word in ("./hard", "./soft"):
        assert not by_rule(vault, *SECRET, "--", word), word
    put_copy(TOUCH, vault.work / "evil")
    tool.unlink()
    tool.symlink_to("evil")
    assert not by_rule(vault, *SECRET, "--", "./tool", status=1)
    tool.unlink()
    os.link(vault.work / "evil", tool)
    assert not by_rule(vault, *SECRET, "--", "./tool", status=1)


def test_another_name_and_any_arguments(vault):
    """Arguments are any, the content is not: a link of another name is the same program, an edit of one byte is another."""
    tool = put_copy(TRUE, vault.work / "tool")
    allow(vault, *SECRET, "--argv", "any", "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool", "x")
    with tool.open("ab") as file:
        file.write(b"\0")
    assert not by_rule(vault, *SECRET, "--", "./tool", "x")


def fifo(path):
    os.mkfifo(path)
    path.chmod(0o755)


def set_id(path):
    put_copy(TRUE, path).chmod(0o4755)


def set_group_id(path):
    put_copy(TRUE, path).chmod(0o2755)


def a_loop(path):
    path.symlink_to(path.name)


REPLACED = {"deleted": (lambda path: None, 127), "a fifo": (fifo, 126), "a folder": (pathlib.Path.mkdir, 126),
            "set-uid": (set_id, 126), "set-gid": (set_group_id, 126), "a broken link": (lambda path: path.symlink_to("x"), 127),
            "a device": (lambda path: path.symlink_to("/dev/zero"), 126), "a loop": (a_loop, 126),
            "not executable": (lambda path: put_copy(TRUE, path).chmod(0o644), 126),
            "empty": (lambda path: write_program(path, ""), 126)}


@pytest.mark.parametrize("what", REPLACED)
def test_what_takes_the_place_of_the_program(vault, what):
    make, status = REPLACED[what]
    tool = put_copy(TRUE, vault.work / "tool")
    allow(vault, *SECRET, "--", "./tool")
    before = len(intents(vault))
    tool.unlink()
    make(tool)
    result = vault.run("run", *SECRET, "--", "./tool", status=status)
    assert "/tool" in result.talk and result.out == b"" and len(intents(vault)) == before


# ------------------------------------------------------------------------------------------------------- programs in programs


def test_a_rule_of_one_script_is_none_of_the_interpreter(vault):
    (vault.work / "good.py").write_text("print(1)\n")
    (vault.work / "evil.py").write_text("print(2)\n")
    allow(vault, *SECRET, "--", "python3", "good.py")
    assert explains(vault, *SECRET, "--", "python3", "good.py")
    for words in (["-c", "print(2)"], ["-c", "good.py"], ["-i", "good.py"], ["-m", "good"], ["-"], [], ["evil.py"], ["./good.py"],
                  ["good.py", "x"], ["evil.py", "good.py"], ["-Wd", "good.py"], ["--", "good.py"], [str(vault.work / "good.py")]):
        assert not explains(vault, *SECRET, "--", "python3", *words), words
    for words in (["env", "python3", "good.py"], ["sh", "-c", "python3 good.py"], ["/usr/bin/env", "python3", "good.py"],
                  ["nice", "python3", "good.py"], ["xargs", "python3", "good.py"]):
        assert not explains(vault, *SECRET, "--", *words), words


LAUNCHERS = {
    "sh": (["sh", "-c", "exit 0"],
           [["sh", "-c", "exit 0 "], ["sh", "-c"], ["sh"], ["sh", "-c", "exit 0", "x"], ["sh", "-xc", "exit 0"],
            ["bash", "-c", "exit 0"], ["sh", "-c", "exit 0; id"]]),
    "find": (["find", ".", "-name", "x"],
             [["find", ".", "-name", "x", "-exec", "sh", "-c", "id", ";"], ["find", ".", "-name", "x", "-delete"],
              ["find", ".", "-name", "*"], ["find", ".", "-exec", "id", ";"], ["find", "/", "-name", "x"]]),
    "env": (["env", "A=1", "true"],
            [["env", "A=1", "sh"], ["env", "LD_PRELOAD=x.so", "true"], ["env", "true"], ["env", "-S", "A=1 true"],
             ["env", "A=1", "true", "x"], ["env", "A=1"]]),
}


@pytest.mark.parametrize("program", LAUNCHERS)
def test_launchers_start_nothing_else(vault, program):
    words, others = LAUNCHERS[program]
    allow(vault, *SECRET, "--", *words)
    assert explains(vault, *SECRET, "--", *words)
    for other in others:
        assert not explains(vault, *SECRET, "--", *other), other


def test_a_launcher_has_no_rule_with_open_arguments(vault):
    """Not by its own name, and not behind a link or as a copy under a name of the list."""
    (vault.work / "harmless").symlink_to("/usr/bin/python3")
    put_copy("/usr/bin/env", vault.work / "env")
    for word in ("find", "env", "sh", "python3", "./harmless", "./env"):
        for mode in ("any", "prefix"):
            assert "leave --argv out" in allow(vault, *SECRET, "--argv", mode, "--", word, "x", status=2).talk, word


# ----------------------------------------------------------------------------------------------------------- what changed


def test_a_script_changed_after_approval(vault):
    script = write_program(vault.work / "tool", "#!/bin/sh\nexit 0\n")
    allow(vault, *SECRET, "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool")
    for text in ("#!/bin/sh\nexit 0 \n", "#!/bin/bash\nexit 0\n", "#!/bin/sh -x\nexit 0\n", "#!/usr/bin/env sh\nexit 0\n"):
        write_program(script, text)
        assert not by_rule(vault, *SECRET, "--", "./tool"), text
    write_program(script, "#!/bin/sh\nexit 0\n")
    assert by_rule(vault, *SECRET, "--", "./tool")


def test_an_interpreter_of_the_users_changed(vault):
    interpreter = put_copy("/usr/bin/dash", vault.work / "interp")
    write_program(vault.work / "tool", f"#!{interpreter}\nexit 0\n")
    allow(vault, *SECRET, "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool")
    for source in ("/usr/bin/true", "/usr/bin/bash"):
        put_copy(source, interpreter)
        assert not by_rule(vault, *SECRET, "--", "./tool"), source
    interpreter.unlink()
    interpreter.symlink_to("/usr/bin/bash")
    assert not by_rule(vault, *SECRET, "--", "./tool")
    interpreter.unlink()
    put_copy("/usr/bin/dash", interpreter)
    assert by_rule(vault, *SECRET, "--", "./tool")


def test_an_interpreter_that_the_path_leads_to(vault):
    """`#!/usr/bin/env sh` is what the PATH makes of it: what is pinned is what was found."""
    write_program(vault.work / "tool", "#!/usr/bin/env sh\nexit 0\n")
    (vault.work / "evil").mkdir()
    allow(vault, *SECRET, "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool")
    put_copy("/usr/bin/true", vault.work / "evil/sh")
    assert not by_rule(vault, *SECRET, "--", "./tool", env={"PATH": f"{vault.work}/evil:/usr/bin:/bin"})


def replaced_by_a_link(script):
    script.unlink()
    script.with_name("other.py").write_text("print(1)\n")
    script.symlink_to("other.py")


def replaced_by_a_folder(script):
    script.unlink()
    script.mkdir()


def replaced_by_a_fifo(script):
    script.unlink()
    os.mkfifo(script)


def unreadable(script):
    script.chmod(0o200)


CHANGES = {"edited": lambda script: script.write_text("print(2)\n"), "emptied": lambda script: script.write_text(""),
           "a blank more": lambda script: script.write_text("print(1) \n"), "deleted": pathlib.Path.unlink,
           "moved": lambda script: script.rename(script.with_name("x.py")), "a link": replaced_by_a_link,
           "a folder": replaced_by_a_folder, "a fifo": replaced_by_a_fifo, "unreadable": unreadable}


@pytest.mark.parametrize("change", CHANGES)
def test_a_script_as_an_argument(vault, change):
    script = vault.work / "deploy.py"
    script.write_text("print(1)\n")
    words = (*SECRET, "--", "python3", "deploy.py")
    allow(vault, *words)
    assert explains(vault, *words)
    CHANGES[change](script)
    assert not explains(vault, *words)


def test_a_copy_of_the_script_elsewhere(vault):
    (vault.work / "sub").mkdir()
    for name in ("deploy.py", "copy.py", "sub/deploy.py"):
        (vault.work / name).write_text("print(1)\n")
    allow(vault, *SECRET, "--", "python3", "deploy.py")
    assert not explains(vault, *SECRET, "--", "python3", "copy.py")
    assert not explains(vault, *SECRET, "--", "python3", "sub/deploy.py")
    assert not explains(vault, *SECRET, "--", "python3", "deploy.py", cwd=vault.work / "sub")
    assert explains(vault, *SECRET, "--", "python3", "deploy.py")


@pytest.mark.parametrize("words", [["make"], ["make", "test"], ["make", "-C", "."], ["make", "-f", "Makefile"]], ids=" ".join)
def test_a_makefile_changed(vault, words):
    makefile = vault.work / "Makefile"
    makefile.write_text("test:\n\t@true\n")
    allow(vault, *SECRET, "--", *words)
    assert explains(vault, *SECRET, "--", *words)
    makefile.write_text("test:\n\t@touch marker\n")
    assert not explains(vault, *SECRET, "--", *words)
    makefile.write_text("test:\n\t@true\n")
    assert explains(vault, *SECRET, "--", *words)
    if words[-1] != "Makefile":
        for name in ("makefile", "GNUmakefile"):
            (vault.work / name).write_text("test:\n\t@touch marker\n")
            assert not explains(vault, *SECRET, "--", *words), name
    makefile.unlink()
    assert not explains(vault, *SECRET, "--", *words)
    if words == ["make"]:
        for more in (["-f", "evil"], ["--eval=$(shell id)"], ["SHELL=/tmp/sh"], ["-C", "/tmp"]):
            assert not explains(vault, *SECRET, "--", *words, *more), more


# ------------------------------------------------------------------------------------------------------------- the request


def test_arguments_to_the_byte(vault):
    put_copy(TRUE, vault.work / "tool")
    allow(vault, *SECRET, "--", "./tool", "--env", "staging", "a b")
    assert explains(vault, *SECRET, "--", "./tool", "--env", "staging", "a b")
    for words in (["--env", "Staging", "a b"], ["--env", "stagin", "a b"], ["--env", "staging ", "a b"],
                  ["--env", "staging", "a  b"], ["--env", "staging", "a\tb"], ["--env", "staging\n", "a b"],
                  ["--env", "staging"], ["--env", "staging", "a", "b"], ["--env=staging", "a b"],
                  ["--env", "staging", "a b", ""], ["", "--env", "staging", "a b"], ["--env", "a b", "staging"],
                  ["--env", "staging a b"], ["--env", "staging", "a b", "--env", "production"], [],
                  ["--", "--env", "staging", "a b"],
                  ["--env", "st\u0430ging", "a b"], ["--env", "staging", "a\u00a0b"]):
        assert not explains(vault, *SECRET, "--", "./tool", *words), words
    assert not explains(vault, *SECRET, "--", "../work/tool", "--env", "staging", "a b")


def test_a_prefix_ends_at_a_whole_argument(vault):
    put_copy(TRUE, vault.work / "tool")
    allow(vault, *SECRET, "--argv", "prefix", "--", "./tool", "get")
    assert explains(vault, *SECRET, "--", "./tool", "get", "x")
    for words in (["getx"], ["ge", "t"], [], ["x", "get"], ["", "get"], ["--config=evil", "get"]):
        assert not explains(vault, *SECRET, "--", "./tool", *words), words


def test_variables_deliveries_and_secrets(vault):
    allow(vault, "-s", "API_TOKEN=ONE", "-s", "DATABASE_URL=TWO", "--", "true")
    assert explains(vault, "-s", "API_TOKEN=ONE", "-s", "DATABASE_URL=TWO", "--", "true")
    for words in (["API_TOKEN=TWO", "DATABASE_URL=ONE"], ["API_TOKEN=ONE", "DATABASE_URL=ONE_"], ["API_TOKEN=one"],
                  ["API_TOKEN"],
                  ["API_TOKEN=ONE:file"], ["DATABASE_URL=ONE"], ["team/deploy-key=ONE"],
                  ["API_TOKEN=ONE", "DATABASE_URL=TWO", "team/deploy-key=THREE"], ["API_TOKEN=ONE", "API_TOKEN=THREE"]):
        assert not explains(vault, *[word for name in words for word in ("-s", name)], "--", "true"), words
    assert not by_rule(vault, "-s", "API_TOKEN=TWO", "-s", "DATABASE_URL=ONE", "--", "true")


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PYTHONSTARTUP", "NODE_OPTIONS",
                                  "PERL5OPT", "GIT_SSH_COMMAND", "PROMPT_COMMAND", "PATH", "IFS"])
def test_a_secret_steers_nothing(shared, name):
    """Neither may a rule say it, nor does a run do it."""
    for form in ("", ":file"):
        result = allow(shared, "-s", f"API_TOKEN={name}{form}", "--", "true", status=2)
        assert name in result.talk and "steers" in result.talk, result
        result = shared.run("run", "-s", f"API_TOKEN={name}{form}", "--", "/usr/bin/touch", "ran", status=125)
        assert name in result.talk and not (shared.work / "ran").exists()


def test_a_pattern_does_not_reach_steering_variables(vault):
    allow(vault, "-s", "API_TOKEN=*", "--", "true")
    assert explains(vault, "-s", "API_TOKEN=ANY", "--", "true")
    for name in ("LD_PRELOAD", "BASH_ENV"):
        assert vault.run("policy", "explain", "-s", f"API_TOKEN={name}", "--", "true").status != 0


def test_options_that_the_rule_does_not_have(vault):
    put_copy(TRUE, vault.work / "tool")
    allow(vault, *SECRET, "--redaction", "--", "./tool")
    assert by_rule(vault, *SECRET, "--", "./tool")
    assert not by_rule(vault, *SECRET, "--keep-env", "LD_LIBRARY_PATH", "--", "./tool")
    assert not by_rule(vault, *SECRET, "--by-path", "--", "./tool")
    assert not by_rule(vault, *SECRET, "--", "./tool", action="inject")
    assert by_rule(vault, *SECRET, "--", "./tool")


def test_a_tier_that_the_run_does_not_want(vault):
    allow(vault, *SECRET, "--tier", "lockdown", "--", "true")
    assert not by_rule(vault, *SECRET, "--tier", "standard", "--", "true")


@pytest.mark.parametrize("more", [["--write", "."], ["--write", "/"], ["--read", "/etc"], ["--no-shield"], ["--degrade"]])
def test_openness_that_the_rule_does_not_have(vault, more):
    (vault.work / "out").mkdir()
    allow(vault, *SECRET, "--write", "out", "--read", "out", "--", "true")
    assert by_rule(vault, *SECRET, "--", "true") and by_rule(vault, *SECRET, "--write", "out", "--read", "out", "--", "true")
    assert not by_rule(vault, *SECRET, *more, "--", "true")


def test_a_link_does_not_move_what_the_rule_opens(vault):
    """Who may write to a folder can put a link to another one in its place."""
    (vault.work / "out").mkdir()
    allow(vault, *SECRET, "--write", "out", "--", "true")
    (vault.work / "out").rmdir()
    (vault.work / "out").symlink_to("/")
    assert "leads elsewhere now" in vault.run("run", *SECRET, "--", "true", status=125).talk
    assert intents(vault, "run") == []
