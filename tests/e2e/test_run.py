"""`run`, `inject` and `pipe`: which program starts, with what, and how its end is passed on."""

import json
import os
import re
import signal
import subprocess

import pytest

from envseal_support import PASSPHRASE, PYTHON, ROOT, SECRETS, assert_nowhere, masked

TOKEN = SECRETS["API_TOKEN"].decode()


def run(vault, *command, options=("-s", "API_TOKEN"), action="run", **more):
    return vault.run(action, *options, "--", *command, **more)


def write_program(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o755)
    return path


def test_more_secrets_than_a_run_may_have(shared):
    words = [word for number in range(257) for word in ("-s", f"API_TOKEN=V{number}")]
    result = run(shared, "true", options=words, status=125)
    assert "more than 256 secrets" in result.talk


# ---------------------------------------------------------------------------------------------------------- exit status


@pytest.mark.parametrize("action", ["run", "inject"])
@pytest.mark.parametrize("status", [0, 1, 3, 42, 125, 126, 127, 128, 255])
def test_the_programs_status(shared, action, status):
    result = run(shared, "sh", "-c", f"exit {status}", action=action, status=status)
    assert result.out == result.err == b""


@pytest.mark.parametrize("action", ["run", "inject"])
@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE,
    signal.SIGUSR1, signal.SIGALRM, signal.SIGRTMIN], ids=lambda n: n.name)
def test_a_program_ended_by_a_signal(shared, action, number):
    result = run(shared, "sh", "-c", f"kill -{int(number)} $$", action=action)
    assert result.status == -number, result
    assert result.err == b""


def test_a_shell_sees_128_and_the_signal(shared):
    words = shared.words(["run", "-s", "API_TOKEN", "--", "sh", "-c", "kill -TERM $$"])
    done = subprocess.run(["sh", "-c", '"$@"; echo $?', "sh", *words], env=shared.env, capture_output=True, timeout=60)
    assert done.stdout == b"143\n"


@pytest.mark.parametrize("options, says", [
    (["-s", "NOBODY"], "envseal set NOBODY"), (["-s", "bad name"], "name"), (["-s", "API_TOKEN="], "NAME=VAR"),
    (["-s", "API_TOKEN=1x"], "no digit first"), (["-s", "API_TOKEN=PATH"], "PATH"),
    (["-s", "API_TOKEN=LD_PRELOAD"], "LD_PRELOAD"),
    (["-s", "API_TOKEN=BASH_ENV:file"], "BASH_ENV"), (["-s", "API_TOKEN=ENVSEAL_X"], "ENVSEAL_X"),
    (["-s", "API_TOKEN", "-s", "DATABASE_URL=API_TOKEN"], "two secrets"),
    (["-s", "API_TOKEN", "--profile", "x"], "--profile"),
    (["-s", "API_TOKEN", "--json"], "--explain"), (["--nonsense"], "--nonsense"), (["stray"], "no operand"),
    ([], ".envseal"),
    (["-s", "API_TOKEN", "--keep-env", "ENVSEAL_HOME"], "ENVSEAL_HOME")],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_own_failures_are_125(shared, options, says):
    before = len(shared.records())
    result = run(shared, "sh", "-c", "echo started", options=options, status=125)
    assert result.out == b"" and says in result.talk and result.talk.startswith("envseal: run: ")
    assert len(shared.records()) == before


def test_no_program_is_125(shared):
    for words in (["run", "-s", "API_TOKEN"], ["run", "-s", "API_TOKEN", "--"], ["pipe", "API_TOKEN"]):
        assert "wants a program behind --" in shared.run(*words, status=125).talk


def test_a_wrong_passphrase_is_125_and_starts_nothing(vault):
    vault.write_passphrase("something else")
    result = run(vault, "sh", "-c", "echo started", status=125, direct=True)
    assert result.out == b"" and vault.records()[-1]["kind"] == "unlock.failed"


def test_no_terminal_is_125_and_names_the_options(shared):
    result = run(shared, "true", passphrase=False, status=125)
    assert "--passphrase-fd" in result.talk and "--passphrase-file" in result.talk


def test_no_vault_is_125(no_vault):
    assert "envseal init" in run(no_vault, "true", status=125).talk


@pytest.mark.parametrize("make, status, says", [
    (lambda path: path.write_text("#!/bin/sh\n"), 126, "chmod +x"),
    (lambda path: path.mkdir(), 126, "it is a folder"),
    (lambda path: (os.mkfifo(path), path.chmod(0o755)), 126, "not a regular file"),
    (lambda path: write_program(path, "echo no first line\n"), 126, "#!/bin/sh"),
    (lambda path: write_program(path, ""), 126, "neither a binary"),
    (lambda path: write_program(path, "#!/no/such/interpreter\n"), 126, "/no/such/interpreter"),
    (lambda path: write_program(path, "#!\n"), 126, "interpreter"),
    (lambda path: write_program(path, b"\x7fELF" + bytes(60)), 126, "cannot"),
    (lambda path: path.symlink_to("nowhere"), 127, "there is no program"),
    (lambda path: path.symlink_to(path), 126, "symbolic links"),
    (lambda path: None, 127, "there is no program")])
def test_what_cannot_be_executed(vault, make, status, says):
    make(vault.work / "program")
    result = run(vault, "./program", status=status)
    assert says in result.talk and result.out == b""


def test_unreadable_and_set_id_programs_are_refused(vault):
    with open("/bin/true", "rb") as source:
        path = write_program(vault.work / "program", source.read())
    path.chmod(0o111)
    assert "cannot be pinned" in run(vault, "./program", status=126).talk
    path.chmod(0o4755)
    assert "set-id" in run(vault, "./program", status=126).talk


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "", "./none", "echo/"])
def test_a_program_that_is_not_there(shared, name):
    assert "there is no program" in run(shared, name, status=127).talk


# ------------------------------------------------------------------------------------------------------------ arguments


ARGUMENTS = ["", " ", "a b", "'", '"', "$HOME", "*", "--", "-s", "--help", "\n", "\x1b[31m", "ü", b"\xff\xfe",
    "x" * 100_000]


@pytest.mark.parametrize("action", ["run", "inject"])
def test_arguments_arrive_untouched(shared, action):
    program = "import os, sys; os.write(1, repr([os.fsencode(word) for word in sys.argv[1:]]).encode())"
    # There is no rule about such words; tests/e2e/test_console.py has them approved.
    result = run(shared, PYTHON, "-c", program, *ARGUMENTS, action=action, status=0, direct=True)
    assert result.text == repr([word if isinstance(word, bytes) else word.encode() for word in ARGUMENTS])


def test_very_many_arguments(shared):
    words = [f"argument-{i}" for i in range(20_000)]
    result = run(shared, PYTHON, "-c", "import sys; print(len(sys.argv), sys.argv[-1])", *words, status=0, direct=True)
    assert result.text.split() == ["20001", "argument-19999"]


# --------------------------------------------------------------------------------------------------- which program runs


def test_scripts_get_their_arguments(vault):
    write_program(vault.work / "script", "#!/bin/sh\nprintf '%s|' \"$@\"\n")
    assert run(vault, "./script", "a b", "", "c", status=0).text == "a b||c|"
    write_program(vault.work / "script", f"#!{PYTHON} -I\nimport sys\nprint(sys.argv[1:], sys.flags.isolated)\n")
    assert run(vault, "./script", "x", status=0).text == "['x'] 1\n"
    write_program(vault.work / "script", "#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:])\n")
    assert run(vault, vault.work / "script", "x", status=0).text == "['x']\n"


def test_a_script_is_a_copy_and_by_path_is_not(vault):
    script = write_program(vault.work / "script", "#!/bin/sh\necho \"$0\"\n")
    assert run(vault, "./script", status=0).text.startswith("/proc/self/fd/")
    result = run(vault, "./script", options=["-s", "API_TOKEN", "--by-path"], status=0, direct=True)
    assert os.path.realpath(vault.work / result.text.strip()) == str(script)
    intents = vault.records(kind="run.intent")
    assert [record["program"]["binding"] for record in intents] == ["copy", "by-path"]
    assert intents[0]["program"]["interpreter"]["binding"] == "system"


def test_a_copied_binary_runs_and_is_named(vault):
    with open("/bin/echo", "rb") as source:
        write_program(vault.work / "mine", source.read())
    assert run(vault, "./mine", "hello", status=0).text == "hello\n"
    program = vault.records(kind="run.intent")[-1]["program"]
    assert program["path"] == str(vault.work / "mine") and program["binding"] == "copy"
    digest = subprocess.run(["b2sum", "--length=256", "/bin/echo"], capture_output=True, text=True).stdout.split()[0]
    assert program["digest"] == digest


def test_a_symbolic_link_keeps_its_name_in_argv(vault):
    (vault.work / "mysh").symlink_to("/bin/sh")
    assert run(vault, "./mysh", "-c", "echo $0", status=0).text == "./mysh\n"
    assert vault.records(kind="run.intent")[-1]["program"]["path"] == os.path.realpath("/bin/sh")


def test_the_path_is_searched_after_cleaning(vault):
    write_program(vault.work / "ls", "#!/bin/sh\necho hijacked\n")
    env = {"PATH": f".:{vault.work.name}::/nowhere:/tmp:/usr/bin:/bin"}
    result = run(vault, "ls", "-d", "/", status=0, env=env)
    assert result.text == "/\n"
    env = {"PATH": f"{vault.work}:/usr/bin"}
    assert run(vault, "ls", status=0, env=env).text == "hijacked\n"
    assert run(vault, "env", status=0, env={"PATH": ".::/usr/bin:rel:/bin"}).text.count("PATH=/usr/bin:/bin\n") == 1


def test_without_a_path(shared):
    run(shared, "/bin/true", env={"PATH": None}, status=0)
    # Where nothing of it is fit to be used, the system's own folders are searched.
    run(shared, "true", env={"PATH": "."}, status=0)


# ------------------------------------------------------------------------------------------------------------- delivery


def environment_of(vault, *options, action="run", **more):
    """What the program gets, told by itself in hexadecimal pieces that no filter knows."""
    program = ("import os\nfor name, value in os.environb.items():\n"
               "    print(name.hex(), '.'.join(str(byte) for byte in value))")
    result = vault.run(action, *options, "--", PYTHON, "-c", program, status=0, **more)
    found = {}
    for line in result.text.splitlines():
        name, _, value = line.partition(" ")
        found[bytes.fromhex(name).decode()] = bytes(int(byte) for byte in value.split(".") if byte)
    return found


@pytest.mark.parametrize("action", ["run", "inject"])
def test_secrets_in_variables(shared, action):
    found = environment_of(shared, "-s", "API_TOKEN", "-s", "DATABASE_URL=DB", "-s", "team/deploy-key", action=action)
    assert found["API_TOKEN"] == SECRETS["API_TOKEN"]
    assert found["DB"] == SECRETS["DATABASE_URL"] and "DATABASE_URL" not in found
    assert found["TEAM_DEPLOY_KEY"] == SECRETS["team/deploy-key"]


def test_a_secret_replaces_the_callers_variable(shared):
    found = environment_of(shared, "-s", "API_TOKEN", env={"API_TOKEN": "old"})
    assert found["API_TOKEN"] == SECRETS["API_TOKEN"]


@pytest.mark.parametrize("action", ["run", "inject"])
def test_a_secret_as_a_file(shared, action):
    program = """if true; then
        test "${API_TOKEN+set}" || echo not in a variable
        echo "$F" | cut -d/ -f1-4; cat "$F" | tr 'a-zA-Z' 'n-za-mN-ZA-M'; cat "$F" | wc -c
        (echo more >> "$F") 2>/dev/null || echo sealed; fi"""
    result = shared.run(action, "-s", "API_TOKEN=F:file", "--", "sh", "-c", program, status=0)
    lines = result.text.split("\n")
    assert lines[0] == "not in a variable" and lines[1] == "/proc/self/fd" and lines[-2] == "sealed"
    assert str(len(TOKEN)) in lines[2]


def test_a_large_value_goes_by_file_only(empty):
    value = b"0123456789abcdef" * 65536
    empty.set("BIG", value)
    result = empty.run("run", "-s", "BIG", "--", "true", status=125)
    assert "BIG" in result.talk and ":file" in result.talk
    assert empty.ok("run", "-s", "BIG=F:file", "--", "sh", "-c", 'wc -c < "$F"').text == "1048576\n"


def test_a_nul_byte_goes_by_file_only(empty):
    empty.set("NUL", b"abc\0defghijk")
    result = empty.run("run", "-s", "NUL", "--", "true", status=125)
    assert "NUL" in result.talk and ":file" in result.talk
    assert empty.value("NUL") == b"abc\0defghijk"
    assert empty.ok("pipe", "NUL", "--", "wc", "-c").text == "12\n"


def test_pipe_gives_the_value_on_standard_input_alone(shared):
    result = shared.ok("pipe", "API_TOKEN", "--", "sh", "-c", "tr 'a-zA-Z' 'n-za-mN-ZA-M'; env")
    lines = result.out.splitlines()
    assert lines[0].startswith(TOKEN.encode().translate(bytes.maketrans(
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        b"nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM")))
    assert_nowhere([TOKEN.encode()], result.out)
    assert shared.ok("pipe", "API_TOKEN", "--", "cat").text == masked("API_TOKEN")
    assert shared.records(kind="pipe.intent")[-1]["secrets"] == [{"name": "API_TOKEN", "delivery": "stdin"}]


def test_pipe_to_a_program_that_does_not_read(shared):
    shared.run("pipe", "API_TOKEN", "--", "sh", "-c", "exit 9", status=9)


def test_one_secret_in_two_variables_is_named_once(shared):
    result = shared.ok("run", "-s", "API_TOKEN", "-s", "API_TOKEN=B", "--", "sh", "-c", 'echo "$B"')
    assert result.text == masked("API_TOKEN") + "\n"
    assert "masked 1 time: API_TOKEN (raw on stdout, 1)\n" in result.talk


def test_inject_becomes_the_program(shared):
    process = shared.popen("inject", "-s", "API_TOKEN", "--", "sh", "-c", 'echo $$; echo "$API_TOKEN"',
        stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    assert out.decode().split() == [str(process.pid), TOKEN]
    assert shared.records(kind="inject.intent")[-1]["argv"][0] == "sh"


def test_a_deposit_is_never_used(vault):
    vault.ok("set", "NEW", "--generate", "20", "--locked", passphrase=False)
    for action in ("run", "inject"):
        assert "envseal confirm NEW" in run(vault, "true", options=["-s", "NEW"], action=action, status=125, direct=True).talk
    assert "envseal confirm NEW" in vault.run("pipe", "NEW", "--", "cat", status=125, direct=True).talk


# ---------------------------------------------------------------------------------------------------------- environment


def dropped_names():
    """Every name of the table in docs/environment.md; a member for each family."""
    table = (ROOT / "docs/environment.md").read_text().split("## Dropped for programs")[1]
    names = []
    for line in table.splitlines():
        cells = line.split("|")
        if len(cells) == 5 and "`" in cells[2]:
            names += re.findall(r"`([^`]+)`", cells[2])
    assert len(names) > 200
    return [name.replace("*", "SOMETHING") for name in names]


def test_variables_that_steer_code_are_dropped(shared):
    # One of these is read by a sanitizer, where envseal was built with it.
    env = {name: "detect_leaks=0" for name in dropped_names()}
    found = environment_of(shared, "-s", "API_TOKEN", env=env)
    assert not set(env) & set(found)


@pytest.mark.parametrize("name, value", [
    ("FOO", "bar"), ("foo_bar", ""), ("EMPTY", ""), ("MULTI", "two\nlines"), ("USER", "me"), ("NODE_ENV", "test"),
    ("TZ", "UTC"),
    ("NO_COLOR", "1"), ("PYTHONUNBUFFERED", "1"), ("GIT_AUTHOR_NAME", "A B"), ("LC_TIME", "de_DE.UTF-8"),
    ("EQUALS", "a=b=c"),
    ("BYTES", b"\xff\xfe"), ("LONG", "x" * 100_000)])
def test_other_variables_pass(shared, name, value):
    found = environment_of(shared, "-s", "API_TOKEN", env={name: value})
    assert found[name] == (value if isinstance(value, bytes) else value.encode())


@pytest.mark.parametrize("name, value", [
    ("BASH_FUNC_ls%%", "() { echo x; }"), ("ANY", "() { :;}; echo x"), ("TZ", "/etc/passwd"), ("TZ", "../x"),
    ("TERM", "../../x"),
    ("LANG", "/tmp/locale"), ("ENVSEAL_ANYTHING", "x"), ("1BAD", "x"), ("a-b", "x")])
def test_values_that_steer_code_are_dropped(shared, name, value):
    assert name not in environment_of(shared, "-s", "API_TOKEN", env={name: value})


def test_keep_env_keeps_one(shared):
    env = {"PYTHONPATH": "/x", "NODE_OPTIONS": "--y", "LESS": "z"}
    found = environment_of(shared, "-s", "API_TOKEN", "--keep-env", "LESS", "--keep-env", "NODE_OPTIONS", env=env)
    assert found["LESS"] == b"z" and found["NODE_OPTIONS"] == b"--y" and "PYTHONPATH" not in found
    assert shared.records(kind="run.intent")[-1]["kept"] == ["LESS", "NODE_OPTIONS"]


# -------------------------------------------------------------------------------------------------------------- explain


def test_explain_runs_nothing_and_needs_no_passphrase(vault):
    before = vault.files()
    write_program(vault.work / "script", "#!/bin/sh\ntouch it-ran\n")
    env = {"LD_PRELOAD": "/x", "PATH": ".:/usr/bin:/nowhere"}
    words = ["run", "--explain", "-s", "API_TOKEN", "-s", "DATABASE_URL=F:file", "--keep-env", "LESS"]
    result = vault.ok(*words, "--", "./script", "a b", passphrase=False, env=env)
    for text in ("./script", "a b", str(vault.work / "script"), "/usr/bin/dash", "API_TOKEN -> variable API_TOKEN",
                 "DATABASE_URL -> file F", "LD_PRELOAD", "/usr/bin", "/nowhere", "copy", "LESS"):
        assert text in result.text, text
    found = vault.ok(*words, "--json", "--", "./script", "a b", passphrase=False, env=env).json()
    assert found["argv"] == ["./script", "a b"] and found["program"]["path"] == str(vault.work / "script")
    assert found["program"]["interpreter"]["path"] == "/usr/bin/dash"
    assert "LD_PRELOAD" in found["dropped"] and found["path"] == "/usr/bin" and "/nowhere" in found["path_dropped"]
    assert found["secrets"][1] == {"name": "DATABASE_URL", "delivery": "file", "variable": "F"}
    assert re.fullmatch(r"[0-9a-f]{64}", found["program"]["digest"])
    assert not (vault.work / "it-ran").exists() and vault.files() == before


@pytest.mark.parametrize("command, status", [(["no-such"], 127), (["/etc/passwd"], 126)])
def test_explain_fails_as_run_would(shared, command, status):
    shared.run("run", "--explain", "-s", "API_TOKEN", "--", *command, passphrase=False, status=status)
    shared.run("run", "--explain", "-s", "NOBODY", "--", "true", passphrase=False, status=125)


def test_explain_of_inject_and_pipe(shared):
    for words in (["inject", "--explain", "--json", "-s", "API_TOKEN"], ["pipe", "API_TOKEN", "--explain", "--json"]):
        assert shared.ok(*words, "--", "true", passphrase=False).json()["action"] == words[0]


# ----------------------------------------------------------------------------------------------------------- the record


def test_intent_and_outcome(vault):
    run(vault, "sh", "-c", f"echo {TOKEN}; echo $API_TOKEN >&2; exit 7", status=7)
    intent, outcome = vault.records()[-2:]
    assert intent["kind"] == "run.intent" and outcome["kind"] == "run.outcome"
    assert intent["argv"][2] == f"echo {masked('API_TOKEN')}; echo $API_TOKEN >&2; exit 7"
    assert intent["directory"] == str(vault.work) and intent["asker"]["pid"] == os.getpid()
    assert intent["secrets"] == [{"name": "API_TOKEN", "delivery": "variable", "variable": "API_TOKEN"}]
    assert outcome["status"] == 7 and outcome["signal"] == 0 and outcome["leak_total"] == 2
    leaks = {(leak["stream"], leak["form"], leak["offset"]) for leak in outcome["leaks"]}
    assert leaks == {("stdout", "raw", 0), ("stderr", "raw", 0)}
    assert_nowhere(SECRETS.values(), json.dumps(vault.records()))


def test_a_program_that_fails_to_start_is_recorded(vault):
    write_program(vault.work / "bad", "#!/bin/sh\n")
    run(vault, "sh", "-c", "kill -9 $$")
    outcome = vault.records()[-1]
    assert outcome["status"] == 137 and outcome["signal"] == 9


def test_the_passphrase_is_not_in_the_programs_reach(shared):
    program = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    result = run(shared, PYTHON, "-c", program, status=0)
    assert json.loads(result.text) in ([0, 1, 2, 3], [0, 1, 2])
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode() + b"\n")
    result = shared.run("run", "-s", "API_TOKEN", "--passphrase-fd", str(read), "--", PYTHON, "-c", program,
        passphrase=False,
                        pass_fds=[read, write], status=0)
    assert json.loads(result.text) in ([0, 1, 2, 3], [0, 1, 2])
    os.close(read)
    os.close(write)


def test_the_program_has_no_terminal_of_envseals(shared):
    result = run(shared, "sh", "-c", "ps -o sid= -p $$ | tr -d ' \\n'; echo -$$-", status=0)
    session, process = result.text.strip("-\n").split("-")
    assert session == process


def test_no_new_privileges(shared):
    assert "NoNewPrivs:\t1" in run(shared, "sh", "-c", "cat /proc/self/status", status=0).text
