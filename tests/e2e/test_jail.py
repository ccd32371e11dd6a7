"""envseal jail: an agent works in it as it does outside, and says in a sentence what it cannot give."""

import errno
import json
import os
import signal
import socket
import subprocess

import pytest

from envseal_support import PASSPHRASE, SECRETS, binary, direct_only, spawn
from jail_support import CALLS, MACHINE, Project, has_namespaces, write

needs_calls = pytest.mark.skipif(MACHINE not in CALLS, reason="numbers of system calls are not known for this machine")
needs_namespaces = pytest.mark.skipif(not has_namespaces(), reason="this machine lets plain users make no namespaces")
plain_user = pytest.mark.skipif(os.geteuid() == 0, reason="root's files and capabilities are others")
pytestmark = [plain_user, pytest.mark.mechanism]

NO_NAMESPACES = {"clone": errno.EPERM}


@pytest.fixture
def project(tmp_path, original):
    return Project(tmp_path, original)


# --------------------------------------------------------------------------------------------------------- the agent


def test_agent_keeps_what_it_is_started_with(project):
    script = 'cat; echo "$0 $1 $KEPT $(pwd)"; echo talk >&2; exit 7'
    result = project.jail("--quiet", "--", "/bin/sh", "-c", script, "--", "two words", env={"KEPT": "kept"}, input=b"typed\n")
    assert result.status == 7 and result.out == f"typed\n-- two words kept {project.work}\n".encode() and result.err == b"talk\n", result


def test_agent_is_this_process(project):
    """No process of envseal's stays beside it: session, group and number are its own."""
    script = 'cat /proc/$$/stat; echo $PPID'
    process = project.popen([binary(), "jail", "--", "/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True)
    stat, parent = process.communicate(timeout=60)[0].splitlines()
    assert int(stat.split()[0]) == process.pid and int(parent) == os.getpid()
    assert int(stat.rpartition(")")[2].split()[2]) == os.getpgrp()


def test_end_by_signal(project):
    process = project.popen([binary(), "jail", "--", "/bin/sh", "-c", "kill -TERM $$"])
    assert process.wait(timeout=60) == -signal.SIGTERM


def test_signals_that_were_ignored_stay_so(project):
    process = project.popen([binary(), "jail", "--", "grep", "SigIgn", "/proc/self/status"], stdout=subprocess.PIPE, text=True,
                            restore_signals=False)
    assert process.communicate(timeout=60)[0] == [line for line in open("/proc/self/status") if line.startswith("SigIgn")][0]


@pytest.mark.parametrize("words, status, sentence", [
    (["--", "no-such-agent"], 127, "there is no program 'no-such-agent' on the PATH"),
    (["--", "./no-such-agent"], 127, "there is no program ./no-such-agent"),
    (["--", "./notes"], 126, "./notes cannot be executed"),
    (["--", "/tmp"], 126, "/tmp cannot be executed"),
    ([], 125, "wants an agent behind --"),
    (["--check", "--", "true"], 125, "--check starts no program"),
    (["--json", "--", "true"], 125, "--json goes with --check"),
    (["--profile", "nobody", "--", "true"], 125, "there is no profile nobody; there are claude, codex, cursor, gemini and shell"),
    (["--profile", "./none", "--", "true"], 125, "cannot open the profile ./none"),
    (["--net", "allow", "--", "true"], 125, "--net allow wants to know where to"),
    (["--net", "some", "--", "true"], 125, "--net wants host, none, loopback or allow"),
    (["--write", "none", "--", "true"], 125, "cannot make"),
    (["--write", "/", "--", "true"], 125, "/ cannot be writable as a whole"),
    (["--hide", "a*b/c", "--", "true"], 125, "one '*' is understood, in the last part of a path"),
    (["example.org:443", "--", "true"], 125, "takes no operand but endpoints"),
])
def test_refusals(project, words, status, sentence):
    result = project.jail(*words)
    assert result.status == status and sentence in result.talk and result.out == b"", result


def test_file_without_a_format(project):
    write(project.work / "agent", "no program\n", 0o700)
    result = project.jail("--", "./agent")
    assert result.status == 126 and "cannot start ./agent: Exec format error" in result.talk, result


def test_script_without_its_interpreter(project):
    write(project.work / "agent", "#!/no/such/interpreter\n", 0o700)
    result = project.jail("--", "./agent")
    assert result.status == 127 and "its interpreter or its loader is missing" in result.talk, result


def test_in_the_home_itself(project):
    result = project.jail("--", "true", cwd=project.home)
    assert result.status == 125 and "the whole home would be the agent's to change" in result.talk, result


def test_in_a_folder_that_was_deleted(project):
    result = project.run("/bin/sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$0" jail -- true', binary())
    assert result.status == 125 and "the working directory cannot be named" in result.talk, result


def test_with_closed_descriptors(project):
    script = 'for n in 0 1 2; do test -e /proc/$$/fd/$n && echo $n >&2; done; exit 3'
    result = project.run("/bin/sh", "-c", '"$0" jail -q -- /bin/sh -c "$1" <&- >&-; exit $?', binary(), script)
    assert result.status == 3 and result.talk == "2\n", result


@needs_namespaces
def test_other_descriptors_are_closed(project):
    folder = os.open(project.work, os.O_RDONLY)
    result = project.sh("ls /proc/$$/fd", pass_fds=[folder])
    os.close(folder)
    assert set(result.text.split()) <= {"0", "1", "2"}, result


def test_variables_that_lead_to_closed_sockets_are_dropped(project):
    given = {"TMUX": "a", "SSH_AUTH_SOCK": "b", "DISPLAY": ":0", "DBUS_SESSION_BUS_ADDRESS": "c", "TMUX_OTHER": "d", "API_KEY": "e"}
    result = project.jail("--", "env", env=given)
    names = {line.partition("=")[0] for line in result.text.splitlines()}
    assert names & set(given) == {"TMUX_OTHER", "API_KEY"}, result


# ----------------------------------------------------------------------------------------------- what works in the project


def test_project_is_the_agents(project):
    result = project.sh("set -e; mkdir -p src; echo a > src/a; mv src/a src/b; rm notes; cat src/b; cat .env.example; echo c > ~/.cache/pip/c; "
                        "cat ~/.bashrc; t=$(mktemp); echo $t; rm $t")
    assert result.status == 0 and result.text.startswith("a\nTOKEN=\n# mine\n/tmp/"), result


def test_git_python_and_compiler(project):
    script = """set -e
git init -q . && git config user.name a && git config user.email a@b && git add notes && git commit -qm one && git log --format=%s
python3 -c 'import tempfile, subprocess; print(subprocess.run(["echo", tempfile.gettempdir()], capture_output=True, text=True).stdout)'
echo 'int main(void) { return 4; }' > a.c && cc -o a a.c && ./a || echo $?
"""
    result = project.sh(script)
    assert result.status == 0 and result.text == f"one\n{project.env['TMPDIR']}\n\n4\n", result


@needs_namespaces
def test_new_terminals_can_be_made(project):
    result = project.jail("--", "/usr/bin/python3", "-c", "import os, pty; a, b = pty.openpty(); os.write(b, b'x'); print(os.read(a, 1), os.ttyname(b))")
    assert result.text.startswith("b'x' /dev/pts/"), result


def test_job_control(project):
    child = spawn([binary(), "jail", "--", "/bin/bash", "--norc", "-i"], project.env | {"PS1": "prompt> "}, project.work)
    child.expect("prompt> ")
    child.sendline("sh -c 'echo re''ady; exec sleep 300'")
    child.expect("ready")
    child.sendcontrol("z")
    child.expect("Stopped")
    child.expect("prompt> ")
    child.sendline("fg")
    child.expect("exec sleep 300'\r\n")
    child.sendintr()
    child.expect("prompt> ")
    child.sendline("tty > /dev/null; echo typed > /dev/tty; exit 5")
    child.expect("typed")
    child.expect(["exit", "\r\n"])
    child.wait()
    assert child.exitstatus == 5


def test_caches_and_temporary_files(project):
    """Those in ~/.cache that there are, and made where they are missing those of common tools; a link to elsewhere is none."""
    (project.home / ".cache").rmdir()
    project.sh("true")
    assert {path.name for path in (project.home / ".cache").iterdir()} >= {"go-build", "pip", "uv"}
    (project.home / ".cache/link").symlink_to(project.home / ".config")
    for name in (".npm", ".cargo/registry", "go/pkg", ".cache/mypy", ".config"):
        (project.home / name).mkdir(parents=True)
    (project.home / ".cargo/bin").mkdir()
    result = project.sh("set -e; touch ~/.npm/a ~/.cargo/registry/a ~/go/pkg/a ~/.cache/mypy/a ~/.cache/uv/a $TMPDIR/a /var/tmp/jail-test; rm -f /var/tmp/jail-test; "
                        "touch ~/.cargo/bin/a ~/.cache/a ~/.cache/link/a")
    assert result.status == 1 and result.talk.count("cannot touch") == 3, result
    assert all(f"/{name}'" in result.talk for name in (".cargo/bin/a", ".cache/a", ".cache/link/a")), result


@needs_namespaces
def test_temporary_files_of_others_are_not_there(project, tmp_path):
    mark = write(tmp_path / "mark", "x")
    made = f"/tmp/in-the-jail-{os.getpid()}"
    result = project.sh(f"cat {mark}; ls /run; touch {made}")
    assert str(mark).startswith(str(project.base.parent)) or "No such file" in result.talk, result
    assert not os.path.exists(made)


# ------------------------------------------------------------------------------------------------------------- profiles


@pytest.mark.parametrize("name, folder", [("claude", ".claude"), ("codex", ".codex"), ("gemini", ".gemini"), ("cursor", ".cursor")])
def test_profiles_open_the_agents_own_folder_alone(project, name, folder):
    others = " ".join(f"{other}/auth.json" for other in (".claude", ".codex", ".gemini", ".cursor") if other != folder)
    for other in others.split():
        write(project.home / other, "token\n")
    result = project.sh(f"echo a > ~/{folder}/state && cat ~/{folder}/state; cd; cat {others}", "--profile", name)
    assert result.out == b"a\n" and result.talk.count("Permission denied") == 3, result


def test_profile_goes_by_the_agents_name(project):
    agent = write(project.work / "claude", "#!/bin/sh\necho a > ~/.claude/state; echo '{}' > ~/.claude.json; cat ~/.claude.json\n", 0o700)
    assert project.jail("--", agent).out == b"{}\n"
    assert (project.home / ".claude.json").stat().st_mode & 0o777 == 0o600
    result = project.jail("--profile", "shell", "--", agent)
    assert result.out == b"" and "Permission denied" in result.talk, result


def test_hide_read_and_write(project):
    write(project.work / "keys/one.pem", "pem\n")
    write(project.home / "other/file", "other\n")
    result = project.sh("cat ~/other/file; echo b > ~/other/file; cat ~/.ssh/id_ed25519; cat keys/one.pem", "--hide", "keys/*.pem", "--write",
                        "~/other", "--read", "~/.ssh/id_ed25519")
    if has_namespaces():
        assert result.out == b"other\nprivate key\n" and "one.pem: Permission denied" in result.talk, result
    assert (project.home / "other/file").read_text() == "b\n"


def test_profile_file(project):
    write(project.home / "data/file", "data\n")
    profile = write(project.base / "profile", "; mine\nbase = codex\nhide = ~/data\nwrite = ~/other\nread = ~/.ssh/id_ed25519\n")
    (project.home / "other").mkdir()
    result = project.sh("cat ~/data/file; touch ~/other/a && cat ~/.ssh/id_ed25519; touch ~/.codex/a && echo codex", "--profile", profile)
    assert result.out == b"private key\ncodex\n" and "data/file: Permission denied" in result.talk, result


@pytest.mark.parametrize("text, sentence", [
    ("base = someone\n", "line 1: the base is none of"),
    ("base = codex\nbase = codex\n", "line 2: the base stands twice"),
    ("\nshow = ~/a\n", "line 2: the key is none of base, hide, read and write"),
    ("[jail]\nhide = a\n", "line 2: it has no sections"),
    ("what\n", "line 1: it is not key = value"),
    ("hide = a\n  b\n", "line 2: it begins with a blank"),
    ("hide = " + 4000 * "a" + "\n", "line 1: it is too long"),
    ("hide =\n", "is empty"),
])
def test_profile_files_that_are_refused(project, text, sentence):
    profile = write(project.base / "profile", text)
    result = project.jail("--profile", profile, "--", "true")
    assert result.status == 125 and sentence in result.talk, result


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_profile_file_that_others_can_change(project, mode):
    profile = write(project.base / "profile", "base = codex\n", mode)
    result = project.jail("--profile", profile, "--", "true")
    assert result.status == 125 and "others can change the profile" in result.talk and "chmod go-w" in result.talk, result


# -------------------------------------------------------------------------------------------------------------- network


def listening():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server, server.getsockname()[1]


CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 20); print('connected')"


@needs_namespaces
@pytest.mark.parametrize("mode, is_open", [(None, True), ("host", True), ("none", False), ("loopback", False)])
def test_network_modes(project, mode, is_open):
    server, port = listening()
    options = ["--net", mode] if mode else []
    result = project.jail(*options, "--", "/usr/bin/python3", "-c", CONNECT, "127.0.0.1", str(port))
    server.close()
    assert (result.out == b"connected\n") == is_open, result


@needs_namespaces
def test_network_allow(project):
    (server, port), (other, other_port) = listening(), listening()
    for number, is_open in ((port, True), (other_port, False)):
        result = project.jail("--net", "allow", f"localhost:{port}", "--", "/usr/bin/python3", "-c", CONNECT, "localhost", str(number))
        assert (result.out == b"connected\n") == is_open, result
    server.close()
    other.close()


@needs_calls
def test_network_of_its_own_needs_namespaces(project):
    result = project.jail("--net", "none", "--", "true", calls=NO_NAMESPACES)
    assert result.status == 126 and "cannot give user-namespace (Operation not permitted)" in result.talk, result
    result = project.jail("--net", "none", "--degrade", "--", "/bin/echo", "runs", calls=NO_NAMESPACES)
    assert result.out == b"runs\n" and "without network-namespace" in result.talk, result


# ------------------------------------------------------------------------------------------- where the kernel gives less


@needs_calls
@pytest.mark.parametrize("calls", [{"clone": errno.EPERM}, {"clone": errno.ENOSPC}, {"mount": errno.EPERM}, {"move_mount": errno.ENOSYS},
                                   {"open_tree": errno.EPERM}, {"mount_setattr": errno.ENOSYS}, {"setns": errno.EPERM}],
                         ids=lambda calls: " ".join(calls))
def test_without_mounts_it_says_what_stays_open(project, calls):
    result = project.sh("cat .env ~/.ssh/id_ed25519 ~/.env; touch new && echo made", calls=calls)
    assert result.status == 0 and result.out == b"TOKEN=in-the-env-file\nmade\n", result
    assert "no mount namespace is to be had here" in result.talk, result
    assert str(project.work / ".env") in result.talk and str(project.work / "app/.env.local") in result.talk, result
    assert str(project.home / ".env,") not in result.talk and result.talk.count(": Permission denied") >= 2, result
    assert project.jail("--quiet", "--", "true", calls=calls).talk == ""


@needs_calls
@pytest.mark.parametrize("call, error", [("landlock_create_ruleset", errno.ENOSYS), ("landlock_create_ruleset", errno.EOPNOTSUPP)])
def test_without_landlock_it_is_refused(project, call, error):
    result = project.jail("--", "true", calls={call: error})
    assert result.status == 126 and "cannot give landlock" in result.talk, result
    result = project.sh("cat .env; cat ~/.env; cat ~/.ssh/id_ed25519", "--degrade", calls={call: error})
    assert "without landlock" in result.talk and b"ABOVE" in result.out, result
    assert (b"private key" in result.out) != has_namespaces(), result


@needs_calls
def test_no_layer_left(project):
    calls = {"landlock_restrict_self": errno.E2BIG}
    result = project.jail("--", "true", calls=calls)
    assert result.status == 126 and "as many Landlock domains as there may be" in result.talk, result
    result = project.jail("--degrade", "--", "true", calls=calls)
    assert result.status == 0 and "without landlock (Argument list too long)" in result.talk, result


def test_jail_in_a_jail(project):
    result = project.sh(f"{binary()} jail -- /bin/sh -c 'cat .env; cat ~/.ssh/id_ed25519; touch a && echo made'; echo $?")
    assert result.out == b"made\n0\n" and result.talk.count("id_ed25519: Permission denied") == 1, result


def test_jails_until_no_layer_is_left(project):
    script = write(project.work / "deeper", f'#!/bin/sh\n[ "$1" = 0 ] && echo bottom && exit 0\nexec {binary()} jail -q -- "$0" $(($1 - 1))\n', 0o700)
    assert project.run(script, "5").out == b"bottom\n"
    result = project.run(script, "20")
    assert result.status == 126 and "as many Landlock domains as there may be" in result.talk, result


@direct_only("the broker would run it elsewhere")
@needs_namespaces
def test_jail_in_a_tier(project):
    result = project.run(*project.vault.words(["run", "--tier", "hardened", "-s", "API_TOKEN", "--", binary(), "jail", "--", "/bin/sh", "-c",
                                               "cat ~/.ssh/id_ed25519; echo runs"]))
    assert result.status == 0 and result.out == b"runs\n" and "no mount namespace is to be had here" in result.talk, result


# ------------------------------------------------------------------------------------------------------- record and check


def test_record(project):
    project.jail("--hide", "notes", "--", "/bin/sh", "-c", "exit 3")
    record = project.vault.records(kind="jail")[-1]
    assert record["kind"] == "jail.start" and record["program"] == "/bin/sh" and record["profile"] == "shell"
    assert record["directory"] == str(project.work) and str(project.home / ".ssh") in record["hidden"]
    assert str(project.work / ".env") in record["masked"] and str(project.work) in record["writable"] and record["network"] == "host"
    assert bool(record["missing"]) != has_namespaces()
    project.vault.check()


def test_without_a_vault_nothing_is_recorded(project):
    result = project.sh("echo runs", env={"ENVSEAL_HOME": str(project.base / "none")})
    assert result.out == b"runs\n" and result.err == b"" or not has_namespaces(), result


@needs_namespaces
def test_check(project):
    result = project.jail("--check", "--json")
    assert result.status == 0, result
    found = result.json()
    rows = {row["id"]: row for row in found["rows"]}
    assert found["ok"] and found["open"] == 0 and {row["result"] for row in found["rows"]} == {"closed", "allowed", "not here"}
    for name in ("proc-environ", "ptrace-attach", "signal", "ssh-key", "dotenv", "tmp-socket", "abstract", "vault-read", "io-uring"):
        assert rows[name]["result"] == "closed", rows[name]
    what = [row["what"] for row in found["rows"] if row["id"] == "dotenv-file"]
    assert {f"read {project.work / '.env'}", f"read {project.work / 'app/.env.local'}", f"read {project.home / '.env'}"} == set(what)
    table = project.jail("--check")
    assert table.status == 0 and table.text.startswith("RESULT") and "OPEN" not in table.text


@needs_calls
def test_check_says_what_is_open(project):
    result = project.jail("--check", "--json", calls=NO_NAMESPACES)
    found = result.json()
    rows = {row["what"]: row for row in found["rows"]}
    assert result.status == 1 and not found["ok"] and found["open"] >= 3, result
    row = rows[f"read {project.work / '.env'}"]
    assert row["result"] == "OPEN" and row["remark"].startswith("needs a mount namespace, which is not to be had here"), row
    assert rows[f"read {project.home / '.ssh/id_ed25519'}"]["result"] == "closed"


def test_check_leaves_nothing_behind(project):
    before = set(os.listdir("/tmp"))
    project.jail("--check")
    assert not [name for name in set(os.listdir("/tmp")) - before if name.startswith("envseal-jail-")]
    assert sorted(os.listdir(project.work)) == sorted([".env", ".env.example", "app", "notes"])


# ------------------------------------------------------------------------------------------------------------- the broker


@direct_only("it starts a broker of its own")
class TestBroker:
    PROGRAM = ["/bin/sh", "-c", "pwd; cat ~/.ssh/id_ed25519; echo ${API_TOKEN:+given}"]

    @pytest.fixture
    def open_project(self, project):
        script = write(project.work / "deploy", "#!/bin/sh\npwd; cat ~/.ssh/id_ed25519; echo ${API_TOKEN:+given}\n", 0o700)
        project.vault.ok("policy", "allow", "-s", "API_TOKEN", "--dir", "any", "--", script)
        project.vault.unlock()
        yield project
        project.vault.lock()

    RUN = f"{binary()} run --no-wait -s API_TOKEN -- {{}}/deploy"

    @needs_namespaces
    def test_run_from_inside_is_hardened(self, open_project):
        project = open_project
        result = project.sh(self.RUN.format(project.work))
        assert result.status == 0 and result.out == f"{project.work}\ngiven\n".encode(), result
        assert "id_ed25519: Permission denied" in result.talk
        intent, outcome = project.vault.records(kind="run")[-2:]
        assert intent["tier"] == "hardened" and intent["asker"]["confined"] is True and "landlock" in outcome["sandbox"]["applied"]

    def test_run_from_outside_is_not(self, open_project):
        project = open_project
        result = project.run("/bin/sh", "-c", self.RUN.format(project.work))
        assert result.out == f"{project.work}\nprivate key\ngiven\n".encode(), result
        intent = project.vault.records(kind="run")[-2]
        assert intent["tier"] == "standard" and "confined" not in intent["asker"]

    @needs_calls
    @needs_namespaces
    def test_any_filter_counts(self, open_project):
        result = open_project.run("/bin/sh", "-c", self.RUN.format(open_project.work), calls={"mount": errno.EPERM})
        assert b"private key" not in result.out and b"given" in result.out, result

    @needs_namespaces
    def test_a_user_namespace_counts(self, open_project):
        result = open_project.run("unshare", "--user", "--map-root-user", "/bin/sh", "-c", self.RUN.format(open_project.work))
        assert b"private key" not in result.out, result

    @needs_namespaces
    def test_a_weaker_tier_cannot_be_asked_for(self, open_project):
        project = open_project
        result = project.sh(self.RUN.format(project.work).replace("run ", "run --tier standard "))
        assert b"private key" not in result.out, result

    def test_names_and_status(self, open_project):
        result = open_project.sh(f"{binary()} list --json && {binary()} status")
        assert result.status == 0, result
        listed = json.JSONDecoder().raw_decode(result.text)[0]
        assert {entry["name"] for entry in listed["secrets"]} == set(SECRETS) and "unlocked" in result.text

    def test_direct_mode_is_closed(self, open_project):
        passphrase = write(open_project.work / "passphrase", PASSPHRASE + "\n")
        result = open_project.sh(f"{binary()} run --passphrase-file {passphrase} -s API_TOKEN -- /bin/true")
        assert result.status == 125 and "is closed to this process, as it is in `envseal jail`" in result.talk, result

    @needs_namespaces
    def test_from_a_folder_that_only_the_jail_has(self, open_project):
        result = open_project.sh(f"mkdir /tmp/mine && cd /tmp/mine && {self.RUN.format(open_project.work)}")
        assert result.status == 125 and "is not to be seen from the broker" in result.talk, result
