"""C21: what is in a jail gets neither the project's dotenv files nor credentials, nor out of it. The attack table has a column of it
(test_c20_tiers.py); here is what is tried beside that."""

import errno
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess

import pytest

from envseal_support import binary, wait_gone, wait_until
from jail_support import Project, has_namespaces, write
from tier_support import SHELLS_READ

pytestmark = [pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file"),
              pytest.mark.skipif(not has_namespaces(), reason="this machine lets plain users make no namespaces")]
TOKEN = b"in-the-env-file"


@pytest.fixture
def project(tmp_path, original):
    return Project(tmp_path, original)


@pytest.mark.parametrize("script", [
    "cat .env", "cat < .env", "cp .env copy; cat copy", "ln .env link; cat link", "ln -s .env link; cat link", "mv .env moved; cat moved",
    "rm .env", "echo > .env", "chmod 600 .env; cat .env", "cat $PWD/.env", "cat /proc/self/cwd/.env", "cat /proc/self/root$PWD/.env",
    "cat /proc/$PPID/cwd/.env", "cat /proc/$PPID/root$PWD/.env", "mv app other; cat other/.env.local", "cat /proc/1/root$PWD/.env",
    "tar cf - . | tar tf - >/dev/null; tar cf - .env", "umount .env; cat .env", "unshare -Ur cat .env", "unshare -m cat .env",
    "nsenter -t $PPID -m cat .env", "git init -q .; git add -f .env; git show :.env", "dd if=.env", "mount --bind . /tmp; cat /tmp/.env",
])
def test_dotenv_file_cannot_be_had(project, script):
    result = project.jail("-q", "--", "/bin/bash", "-c", script)
    assert TOKEN not in result.out + result.err and b"in-the-other" not in result.out + result.err, result
    assert (project.work / ".env").read_bytes() == b"TOKEN=" + TOKEN + b"\n"
    assert (project.work / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [".env", ".env.local", ".env.production", ".envrc", ".env_old", ".env-1", ".env~", ".env2", ".env#", ".env copy",
                                  ".envrc~", ".envrc.local"])
def test_names_that_are_hidden(project, name):
    write(project.work / "deep/er" / name, "TOKEN=x\n")
    assert project.sh(f"cat 'deep/er/{name}'").out == b""


@pytest.mark.parametrize("name", [".env.example", ".env.sample", ".env.template", ".env.prod.dist", ".envseal", ".environment", ".envrcs"])
def test_names_that_are_not(project, name):
    write(project.work / "deep/er" / name, "TOKEN=x\n")
    assert project.sh(f"cat deep/er/{name}").out == b"TOKEN=x\n"


def test_dotenv_file_behind_a_link(project):
    (project.work / ".env").unlink()
    write(project.work / "config/secret", "TOKEN=in-the-env-file\n")
    (project.work / ".env").symlink_to("config/secret")
    result = project.sh("cat .env; cat config/secret")
    assert result.out == b"", result


@pytest.mark.parametrize("descriptor", ["folder", "file"])
def test_open_descriptors_are_no_way_in(project, descriptor):
    fd = os.open(project.work if descriptor == "folder" else project.work / ".env", os.O_RDONLY)
    os.set_inheritable(fd, True)
    result = project.sh(f"cat /proc/self/fd/{fd}/.env; cat /dev/fd/{fd}; cat <&{fd}", pass_fds=[fd])
    os.close(fd)
    assert TOKEN not in result.out, result


def test_standard_input_that_is_a_folder(project):
    fd = os.open(project.work, os.O_RDONLY)
    process = project.popen([binary(), "jail", "--", "cat", "/proc/self/fd/0/.env"], stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, said = process.communicate(timeout=60)
    os.close(fd)
    assert process.returncode == 125 and out == b"" and b"descriptor 0 is a folder" in said, said


@pytest.mark.parametrize("script", [
    "echo x > ~/.bashrc", "echo x > ~/.profile", "mkdir -p ~/.config/git; echo x > ~/.config/git/config", "rm ~/.bashrc", "ln -s /etc/passwd ~/.x",
    "echo x > ~/.ssh/authorized_keys", "mv ~/.bashrc ~/.cache/pip/", "echo x > .git/hooks/post-commit", "rm -rf .git/hooks; mkdir .git/hooks",
    "mv .git g; mkdir -p .git/hooks; echo x > .git/hooks/post-commit", "mv .git/hooks .git/h; mkdir .git/hooks; echo > .git/hooks/x",
    "touch /var/tmp/../../../$HOME/x", "echo x > /proc/$PPID/fd/1",
])
def test_what_runs_outside_cannot_be_changed(project, script):
    hooks = project.work / ".git/hooks"
    hooks.mkdir(parents=True)
    write(hooks / "pre-commit", "#!/bin/sh\n", 0o700)
    project.sh("true")  # makes the folders of caches
    before = sorted(path.relative_to(project.home) for path in project.home.rglob("*"))
    project.jail("-q", "--", "/bin/bash", "-c", script)
    assert sorted(path.relative_to(project.home) for path in project.home.rglob("*")) == before
    assert (hooks / "pre-commit").read_text() == "#!/bin/sh\n" and (project.home / ".bashrc").read_text() == "# mine\n"


@pytest.mark.parametrize("calls", [None, {"clone": errno.EPERM}], ids=["mounts", "none"])
@pytest.mark.parametrize("is_there", [True, False])
def test_what_shells_read_at_their_start(project, is_there, calls):
    """Neither changed nor made, replaced, linked or moved there: with mounts and without."""
    project.sh("true")  # makes the folders of caches
    for path in SHELLS_READ if is_there else []:
        write(project.home / path, "# mine\n")
    before = {path: path.lstat().st_mode for path in project.home.rglob("*")}
    script = "cd; for at in " + " ".join(SHELLS_READ) + """; do
        mkdir -p "${at%/*}"; mv .cache/pip "${at%/*}"; ln -s /tmp "${at%/*}"; echo x > "$at"; mv project/notes "$at"
        ln -f project/notes "$at"; ln -sf notes "$at"; rm -f "$at"; mv "$at" project/; done
        mv .cache .c; mv .cache/pip .cache/zsh; rmdir .cache/uv; echo mine > .cache/pip/mine"""
    result = project.sh(script, calls=calls)
    made = project.home / ".cache/pip/mine"
    assert made.read_text() == "mine\n", result
    assert {path: path.lstat().st_mode for path in project.home.rglob("*") if path != made} == before, result
    assert not is_there or all((project.home / path).read_text() == "# mine\n" for path in SHELLS_READ)


def test_hooks_that_are_not_there_yet(project):
    (project.work / ".git").mkdir()
    project.sh("mkdir .git/hooks; echo x > .git/hooks/post-commit; rmdir .git/hooks; mv .git/hooks .git/h; mv .git g")
    assert [path.name for path in (project.work / ".git").rglob("*")] == ["hooks"]


@pytest.mark.parametrize("place", ["project", ".cache"])
def test_profile_is_not_the_agents_to_change(project, place):
    profile = write(project.home / place / "deep/profile", "base = shell\nhide = notes\n")
    result = project.jail("--profile", profile, "--", "cat", "notes")
    assert result.status == 125 and result.out == b"" and "the agent could change the profile" in result.talk, result


CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('connected')"


def listening(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_sockets_of_the_desktop_are_not_there(project, tmp_path):
    runtime = project.base / "run"
    runtime.mkdir(mode=0o700)
    with listening(runtime / "bus"), listening(runtime / "tmux/default"):
        for name in ("bus", "tmux/default"):
            words = ["/usr/bin/python3", "-c", CONNECT, str(runtime / name)]
            assert project.run(*words).out == b"connected\n"
            assert project.jail("--", *words, env={"XDG_RUNTIME_DIR": str(runtime)}).out == b""


@pytest.mark.parametrize("place", [".ssh/master", ".docker/run/docker.sock", ".gnupg/S.gpg-agent", ".config/gh/x"])
def test_sockets_in_what_is_hidden_are_not_reached(project, place):
    path = project.home / place
    with listening(path):
        words = ["/usr/bin/python3", "-c", CONNECT, str(path)]
        assert project.run(*words).out == b"connected\n"
        assert project.jail("--", *words).out == b""
        assert project.jail("--read", path, "--", *words).out == b"connected\n"


def test_envseals_own_files_are_closed(project):
    folder = project.vault.dir
    result = project.sh(f"cat {folder}/vault.db {folder}/audit.jsonl; echo x >> {folder}/audit.jsonl; rm {folder}/vault.db; touch {folder}/x; "
                        f"mv {folder} {folder}2; mkdir {folder}/y")
    assert result.out == b"" and result.talk.count("Permission denied") >= 4, result
    project.vault.check()


def test_jail_is_not_left_by_envseal(project):
    result = project.sh(f"{binary()} jail -q --write ~/.ssh --read ~/.ssh --degrade -- cat ~/.ssh/id_ed25519 {project.home}/.env")
    assert result.out == b"", result


def test_no_new_rights(project):
    result = project.jail("--", "grep", "-E", "NoNewPrivs|Cap(Inh|Prm|Eff|Bnd|Amb)|Seccomp:", "/proc/self/status")
    values = [line.split()[1].strip("0") for line in result.text.splitlines()]
    assert values == ["", "", "", "", "", "1", "2"], result


def relays(port):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"envseal-relay", f"localhost:{port}".encode()]:
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_relay_ends_with_the_agent(project, how):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        agent = project.popen([binary(), "jail", "-q", "--net", "allow", f"localhost:{port}", "--", "/bin/sh", "-c", "echo on; read line"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert agent.stdout.readline() == b"on\n"
        wait_until(lambda: len(relays(port)) == 1)
        [relay] = relays(port)
        if how == "ends":
            agent.stdin.close()
        else:
            agent.send_signal(signal.SIGKILL)
        agent.wait(60)
        try:
            wait_gone(relay)
        except AssertionError:
            os.kill(relay, signal.SIGKILL)
            raise
        assert relays(port) == []


LEFT = """import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
ready, told = os.pipe()
if os.fork():
    os.read(ready, 1)
    os._exit(0)
os.setsid() if sys.argv[1] == "session" else os.setpgid(0, 0)
os.write(told, b"x")
signal.pause()
"""


@pytest.mark.parametrize("how", ["session", "group"])
def test_what_is_left_in_a_jail_and_has_the_terminal_is_named(project, how):
    """It could take the passphrase: by tcsetpgrp(3), or by a read before envseal's."""
    left = write(project.work / "left", LEFT)
    script = write(project.base / "script", f'{binary()} jail -q -- /usr/bin/python3 {left} {how}; {binary()} unlock; echo "ended $?"\n')
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(project.work)
        os.execve("/bin/sh", ["sh", str(script)], project.env)
    said = b""
    while b"Passphrase:" not in said:
        said += os.read(fd, 4096)
    found = re.search(rb"process (\d+) \(python3\), which a jail or another sandbox holds, has this terminal too", said)
    if found:
        os.kill(int(found[1]), signal.SIGKILL)
    os.write(fd, b"\x03")
    os.waitpid(pid, 0)
    os.close(fd)
    assert found, said
