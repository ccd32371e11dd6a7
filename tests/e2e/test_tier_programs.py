"""Real programs in every tier: each cell of the list in tests/tier_programs.py. What works is asserted by its effect, and
what breaks by how it ends."""

import contextlib
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.request

import pytest

import tier_server
from envseal_support import ROOT, copy_vault, direct_only, finish, wait_until
from tier_programs import BREAKS, OPENED, ROWS, TIERS, WORKS

pytestmark = [direct_only("a tier is the same through a broker"), pytest.mark.mechanism]

NO_NETWORK = "Network is unreachable"
GIT_ID = "[user]\n\tname = Anne\n\temail = anne@example.com\n"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_listening(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 10):
        return True
    return False


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


# ------------------------------------------------------------------------------------------------------------ the scene


class Scene:
    """A home with what programs look for, servers outside, and a working folder in the home for each test."""

    def __init__(self, room, original):
        self.vault = copy_vault(original, room)
        self.home = self.vault.home
        self.work = None
        self.stack = contextlib.ExitStack()
        self.ports = {}
        self.env = {}
        write(self.home / ".gitconfig", GIT_ID)
        write(self.home / ".npmrc", "registry=https://registry.example.com/\n")
        (self.home / ".cache/tool").mkdir(parents=True)

    def run(self, tier, words, options=()):
        return self.vault.run("run", "--tier", tier, "-q", "-s", "API_TOKEN", *options, "--", *words, cwd=self.work, env=self.env)

    def spawn(self, tier, words):
        env = self.env | {"TERM": "xterm"}
        return self.vault.spawn("run", "--tier", tier, "-q", "-s", "API_TOKEN", "--", *words, passphrase=True, cwd=self.work, env=env)

    def popen(self, tier, words):
        return self.vault.popen("run", "--tier", tier, "-q", "-s", "API_TOKEN", "--", *words, cwd=self.work, env=self.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def server(self, *words, port):
        """A program outside, which listens there once this returns."""
        process = subprocess.Popen([str(word) for word in words], env=self.vault.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(process.wait, 60)
        self.stack.callback(process.terminate)
        wait_until(lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, f"{words} ended with {process.returncode}"

    def port(self, name, start):
        """Of the server of that name, which `start` starts the first time."""
        if name not in self.ports:
            self.ports[name] = start(self)
        return self.ports[name]

    def endpoint(self, name):
        return ["--net", "allow", f"localhost:{self.ports[name]}"]


def git_server(scene):
    repository(scene)
    port = free_port()
    # In the foreground, as one process: what daemon and serving process there are ends with it.
    scene.server("git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all", f"--base-path={scene.home / 'src'}",
                 port=port)
    return port


def repository(scene):
    path = scene.home / "src/project"
    if not path.exists():
        git = ["git", "-C", str(path)]
        path.mkdir(parents=True)
        write(path / "README", "a project\n")
        for words in (["init", "-q"], ["add", "README"], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *words], env=scene.vault.env, check=True)
    return path


def http_server(scene):
    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from outside\n")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    scene.stack.callback(server.shutdown)
    return server.server_port


def database_server(scene):
    server = tier_server.Database()
    scene.stack.callback(server.done)
    return server.port


def ssh_server(scene):
    """sshd as a plain user lets that user in, and nobody else."""
    folder, key, port = scene.home / "sshd", scene.home / ".ssh/id_ed25519", free_port()
    folder.mkdir()
    key.parent.mkdir(mode=0o700)
    for path in (folder / "host", key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    shutil.copy(f"{key}.pub", folder / "authorized")
    config = write(folder / "config", f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
                   f"StrictModes no\nAuthorizedKeysFile {folder}/authorized\n")
    scene.server("/usr/sbin/sshd", "-D", "-f", config, port=port)
    return port


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """In no folder for temporary files, where there is such a place: lockdown hides those."""
    parent = os.environ.get("ENVSEAL_TEST_ROOM")
    yield pathlib.Path(tempfile.mkdtemp(prefix="p", dir=parent)) if parent else tmp_path_factory.mktemp("room")


@pytest.fixture(scope="module")
def scenery(room, original):
    scene = Scene(room, original)
    with scene.stack:
        yield scene


@pytest.fixture
def scene(scenery):
    scenery.work = pathlib.Path(tempfile.mkdtemp(prefix="work", dir=scenery.home))
    scenery.env = {}
    return scenery


# -------------------------------------------------------------------------------------------------------- the programs


class Program:
    """How a program of the list is run. `broken`: tier -> (status, what it says) where it does not work by itself."""

    always = ()  # options, in whatever tier
    broken = {}

    def prepare(self, scene):
        """Puts things into the working folder. -> words"""
        raise NotImplementedError

    def options(self, scene, tier):
        """With which it works, where it is opened."""
        raise NotImplementedError

    def effect(self, scene, result):
        """Asserts what it did; its status was 0."""
        raise NotImplementedError

    def run(self, scene, tier, words, options):
        return scene.run(tier, words, [*self.always, *options])

    def works(self, scene, tier, words, options):
        result = self.run(scene, tier, words, options)
        assert result.status == 0, result
        self.effect(scene, result)


class Prints(Program):
    """Words, files, and what comes out, whole."""

    def __init__(self, words, out, files=(), broken=None, options=None):
        self.words, self.out, self.files, self.more = words, out, dict(files), options
        self.broken = broken or {}

    def prepare(self, scene):
        for name, text in self.files.items():
            write(scene.work / name, text)
        return self.words

    def options(self, scene, tier):
        return self.more

    def effect(self, scene, result):
        assert result.text == self.out, result


BASH = r"""
set -e
sleep 100 & kill %1; wait %1 || echo "job $?"
cat <<END
here, $((1 + 2))
END
cat <<<string
diff <(printf 'a\nb\n') <(printf 'a\nb\n') && echo same
printf '3\n1\n2\n' | sort | tee sorted | head -n 1
paste -sd, sorted
"""

PERL = r"""
use File::Temp; use IO::Socket::UNIX;
my $file = File::Temp->new; print $file "written\n"; close $file;
open(my $in, "<", $file->filename) or die; print <$in>;
my $pid = open(my $pipe, "-|") // die; unless ($pid) { print "child\n"; exit 0 } print <$pipe>; close $pipe or die;
my ($a, $b) = IO::Socket::UNIX->socketpair(AF_UNIX, SOCK_STREAM, 0) or die; print $a "pair\n"; close $a; print <$b>;
print `echo shell`;
"""

PYTHON = """
import multiprocessing, os, subprocess, tempfile

def square(number):
    return number * number

def take(semaphore, queue):
    with semaphore:
        queue.put(os.getpid())

if __name__ == "__main__":
    semaphore, queue = multiprocessing.Semaphore(1), multiprocessing.Queue()
    children = [multiprocessing.Process(target=take, args=(semaphore, queue)) for _ in range(2)]
    for child in children:
        child.start()
    print({queue.get(), queue.get()} == {child.pid for child in children})
    for child in children:
        child.join()
    with multiprocessing.Pool(2) as pool:
        print(pool.map(square, [2, 3]))
    print(subprocess.check_output(["echo", "sub"], text=True), end="")
    with tempfile.TemporaryFile() as file:
        print(file.write(b"four"))
"""
PYTHON_OUT = "True\n[4, 9]\nsub\n4\n"

NODE = """
const { execFileSync } = require("child_process"), { Worker } = require("worker_threads"), fs = require("fs");
fs.writeFileSync("made", execFileSync("echo", ["child"]));
new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true })
    .on("message", (message) => console.log(fs.readFileSync("made", "utf8") + message));
"""
PACKAGE = '{"name": "small", "version": "1.0.0", "scripts": {"test": "node --test --test-reporter=tap"}}'
PACKAGE_TEST = """
const test = require("node:test"), assert = require("node:assert");
test("adds", () => assert.equal(1 + 1, 2));
test("spawns", () => assert.equal(require("child_process").execFileSync("echo", ["x"]).toString(), "x\\n"));
"""


class Npm(Prints):
    def effect(self, scene, result):
        assert "# pass 2\n# fail 0\n" in result.text, result


class Npmrc(Prints):
    """It takes a file that it may not read for none."""

    def run(self, scene, tier, words, options):
        result = scene.run(tier, words, options)
        if result.text == "https://registry.npmjs.org/\n":
            result.status = ("another registry", result.status)
        return result

    def options(self, scene, tier):
        return ["--read", scene.home / ".npmrc"]


class Git(Program):
    def prepare(self, scene):
        script = 'set -e; git clone -q "$1" copy; cd copy; echo more >>README; git commit -qam second; git log --format=%an:%s'
        return ["sh", "-c", script, "sh", repository(scene)]

    def effect(self, scene, result):
        assert result.text == "Anne:second\nAnne:first\n", result
        assert (scene.work / "copy/README").read_text() == "a project\nmore\n"


class GitServer(Program):
    broken = {"lockdown": (128, f"unable to connect to localhost:.*{NO_NETWORK}")}

    def prepare(self, scene):
        return ["git", "clone", "-q", f"git://localhost:{scene.port('git', git_server)}/project", "copy"]

    def options(self, scene, tier):
        return scene.endpoint("git")

    def effect(self, scene, result):
        assert (scene.work / "copy/README").read_text() == "a project\n"


MAKEFILE = """
CFLAGS = -std=gnu17 -D_GNU_SOURCE -I.
main: main.c libbase.a
	$(CC) $(CFLAGS) -o $@ $^
libbase.a: $(patsubst %.c,%.o,$(wildcard base/*.c))
	$(AR) rcs $@ $^
"""
MAIN = """
#include <stdio.h>
#include "base/base.h"
int main(void)
{
	printf("%s\\n", err_run_status(ERR_USAGE) == 125 ? "linked" : "?");
	return 0;
}
"""


class Make(Prints):
    """A static library of this project, and a program with it; of a copy, since the sources may lie in what lockdown hides."""

    def prepare(self, scene):
        shutil.copytree(ROOT / "src/base", scene.work / "base")
        return super().prepare(scene)


class Cache(Program):
    broken = {"hardened": (2, "cannot create .*: Permission denied"), "lockdown": (2, "cannot create .*: Read-only file system")}

    def prepare(self, scene):
        (scene.home / ".cache/tool/made").unlink(missing_ok=True)
        return ["sh", "-c", "echo made >~/.cache/tool/made"]

    def options(self, scene, tier):
        return ["--write", scene.home / ".cache/tool"]

    def effect(self, scene, result):
        assert (scene.home / ".cache/tool/made").read_text() == "made\n"


SQL = "pragma journal_mode = wal; create table t (a); insert into t values (7); select a from t"


class Psql(Program):
    broken = {"lockdown": (2, NO_NETWORK)}

    def prepare(self, scene):
        port = str(scene.port("database", database_server))
        return ["psql", "-X", "-A", "-t", "-h", "localhost", "-p", port, "-U", "anne", "-d", "shop", "-c", "select 1"]

    def options(self, scene, tier):
        return scene.endpoint("database")

    def effect(self, scene, result):
        assert result.text == "a row\n", result


class Curl(Program):
    broken = {"lockdown": (7, "Failed to connect to localhost port")}

    def prepare(self, scene):
        return ["curl", "-sS", "--noproxy", "*", f"http://localhost:{scene.port('http', http_server)}/"]

    def options(self, scene, tier):
        return scene.endpoint("http")

    def effect(self, scene, result):
        assert result.text == "from outside\n", result


class Ssh(Program):
    """By -i: ssh looks for the home in passwd, not in HOME."""

    broken = {"hardened": (255, r"Load key .*: Permission denied(.|\n)*Permission denied \(publickey"), "lockdown": (255, NO_NETWORK)}

    def prepare(self, scene):
        port = scene.port("ssh", ssh_server)
        options = [word for option in ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=known", "IdentityAgent=none")
                   for word in ("-o", option)]
        return ["ssh", "-F", "none", *options, "-i", scene.home / ".ssh/id_ed25519", "-p", str(port), "localhost", "echo over there"]

    def options(self, scene, tier):
        network = scene.endpoint("ssh") if tier == "lockdown" else []
        return ["--read", scene.home / ".ssh/id_ed25519", *network]

    def effect(self, scene, result):
        assert result.text == "over there\n", result


class Agent(Program):
    always = ("--keep-env", "SSH_AUTH_SOCK")
    broken = {"lockdown": (2, "Error connecting to agent: No such file or directory")}

    def prepare(self, scene):
        path = pathlib.Path(tempfile.mkdtemp(prefix="agent-")) / "socket"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, env=scene.vault.env)
        scene.stack.callback(process.wait, 60)
        scene.stack.callback(process.terminate)
        wait_until(path.exists)
        key = scene.work / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a key", "-f", key], check=True)
        scene.env = {"SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", key], env=scene.vault.env | scene.env, check=True)
        return ["ssh-add", "-l"]

    def effect(self, scene, result):
        assert "a key (ED25519)" in result.text, result


BOTH = """
import http.server, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/file").read().decode())
"""


class Server(Program):
    """Reached from outside, then ended by a signal, which it passes on."""

    broken = {"lockdown": None}

    def port_words(self, port):
        raise NotImplementedError

    def prepare(self, scene):
        write(scene.work / "page", "from inside\n")
        self.number = free_port()
        return self.port_words(self.number)

    def works(self, scene, tier, words, options):
        process = self.start(scene, tier, words)
        wait_until(lambda: is_listening(self.number) or process.poll() is not None)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.number}/page", timeout=60) as answer:
            assert answer.read() == b"from inside\n"
        self.end(process)

    def start(self, scene, tier, words):
        process = scene.popen(tier, words)
        self.said = process.stdout.readline()  # listening
        return process

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM

    def breaks(self, scene, tier, words):
        """It listens, in a network that nobody else is in."""
        process = self.start(scene, tier, words)
        assert str(self.number) in self.said.decode(), (self.said, process.communicate())
        assert not is_listening(self.number)
        self.end(process)


class PythonServer(Server):
    def port_words(self, port):
        return ["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port)]


class NodeServer(Server):
    def port_words(self, port):
        return ["node", "-e", f"""
            const server = require("http").createServer((_, answer) => answer.end(require("fs").readFileSync("page")));
            server.listen({port}, "127.0.0.1", () => console.log("listening at {port}"));"""]


class Vim(Program):
    def prepare(self, scene):
        return ["vim", "-N", "file"]

    def works(self, scene, tier, words, options):
        child = scene.spawn(tier, words)
        child.expect(r"\[New\]")
        child.send("ifrom vim\x1b:wq\r")
        text, status = finish(child)
        assert status == 0 and not re.search(r"E\d+:", text), text
        assert (scene.work / "file").read_text() == "from vim\n"


class Less(Program):
    def prepare(self, scene):
        write(scene.work / "lines", "".join(f"line {number}\n" for number in range(1000)))
        return ["less", "lines"]

    def works(self, scene, tier, words, options):
        child = scene.spawn(tier, words)
        child.expect("line 1\r\n")
        child.send("/line 70$\r")
        child.expect("line 110\r\n")
        child.send("!echo from $((6 * 7))\r")
        child.expect("from 42\r\n")
        child.send("\rq")
        assert finish(child)[1] == 0


NO_TERMINAL = (1, "failed to create pseudo-terminal: Permission denied")
TMUX = """
tmux -S socket -f /dev/null new-session -d 'echo in a window >made; tmux -S socket wait-for -S done; read line' || exit 1
tmux -S socket wait-for done; cat made; tmux -S socket kill-server
"""


class Gdb(Prints):
    """It ends with 0 whatever happens."""

    def run(self, scene, tier, words, options):
        result = scene.run(tier, words, options)
        if "exited with code 07" not in result.text:
            result.status = ("not run", result.status)
        return result

    def effect(self, scene, result):
        pass


class Su(Prints):
    """Directly it is refused; behind a shell it gains nothing."""

    def prepare(self, scene):
        subprocess.run(self.words, env=scene.vault.env, stdout=subprocess.DEVNULL, check=True)  # it can gain something
        result = scene.run("standard", ["su", "-c", "id"])
        assert result.status == 126 and "it is a set-id program" in result.talk, result
        return self.words


TRACE_REFUSED = (1, r"PTRACE_TRACEME, \.\.\.\): Operation not permitted")
GDB_REFUSED = (("not run", 1), "ptrace: Operation not permitted")
PROGRAMS = {
    "bash": Prints(["bash", "script"], "job 143\nhere, 3\nstring\nsame\n1\n1,2,3\n", {"script": BASH}),
    "perl": Prints(["perl", "script"], "written\nchild\npair\nshell\n", {"script": PERL}),
    "python": Prints(["python3", "script"], PYTHON_OUT, {"script": PYTHON}),
    "venv": Prints(["sh", "-c", "python3 -m venv --without-pip venv && venv/bin/python script && . venv/bin/activate && "
                    "python -c 'import sys; print(sys.prefix != sys.base_prefix)'"], PYTHON_OUT + "True\n", {"script": PYTHON}),
    "node": Prints(["node", "script.js"], "child\n42\n", {"script.js": NODE}),
    "npm": Npm(["npm", "test"], "", {"package.json": PACKAGE, "small.test.js": PACKAGE_TEST}),
    "npmrc": Npmrc(["npm", "config", "get", "registry"], "https://registry.example.com/\n",
                   broken=dict.fromkeys(("hardened", "lockdown"), (("another registry", 0), ""))),
    "git": Git(),
    "git-server": GitServer(),
    "make": Make(["sh", "-c", "make -s -j2 main && ./main"], "linked\n", {"main.c": MAIN, "Makefile": MAKEFILE}),
    "cache": Cache(),
    "sqlite": Prints(["sqlite3", "data", SQL], "wal\n7\n"),
    "psql": Psql(),
    "curl": Curl(),
    "ssh": Ssh(),
    "agent": Agent(),
    "both": Prints(["python3", "script"], "inside\n\n", {"script": BOTH, "file": "inside\n"}, {"lockdown": (1, NO_NETWORK)},
                   ["--net", "loopback"]),
    "http-server": PythonServer(),
    "node-server": NodeServer(),
    "vim": Vim(),
    "less": Less(),
    "script": Prints(["script", "-qec", "tty | cut -d/ -f1-3", "/dev/null"], "/dev/pts\r\n",
                     broken=dict.fromkeys(("hardened", "lockdown"), NO_TERMINAL)),
    "tmux": Prints(["sh", "-c", TMUX], "in a window\n",
                   broken=dict.fromkeys(("hardened", "lockdown"), (1, "create window failed: fork failed: Permission denied"))),
    "gdb": Gdb(["gdb", "-nx", "-q", "-batch", "-ex", "run", "--args", "/bin/sh", "-c", "exit 7"], "",
               broken=dict.fromkeys(("hardened", "lockdown"), GDB_REFUSED)),
    "strace": Prints(["strace", "-qq", "-e", "trace=none", "echo", "traced"], "traced\n",
                     broken=dict.fromkeys(("hardened", "lockdown"), TRACE_REFUSED)),
    "su": Su(["sh", "-c", "chage -l $(id -un)"], "", broken=dict.fromkeys(TIERS, (1, "chage: cannot open /etc/shadow"))),
}


# ------------------------------------------------------------------------------------------------------------ the tests


def can_unshare():
    words = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(words, capture_output=True, timeout=60).returncode == 0


@pytest.fixture(params=TIERS)
def tier(request):
    if request.param != "standard" and not can_unshare():
        pytest.skip("plain users have no namespaces here")
    if request.param == "lockdown" and not os.environ.get("ENVSEAL_TEST_ROOM"):
        pytest.skip("the home is in a folder for temporary files, which lockdown hides: set ENVSEAL_TEST_ROOM")
    return request.param


def assert_breaks(scene, program, tier, words):
    if isinstance(program, Server):
        program.breaks(scene, tier, words)
        return
    status, said = program.broken[tier]
    result = program.run(scene, tier, words, [])
    assert result.status == status, result
    assert re.search(said, result.talk + result.text, re.DOTALL), result


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_program(scene, tier, row):
    program, cell = PROGRAMS[row.id], getattr(row, tier)
    words = program.prepare(scene)
    assert (tier in program.broken) == (cell != WORKS)
    if shutil.which(os.fspath(words[0])) is None:
        pytest.skip(f"{words[0]} is not installed")
    if cell in (BREAKS, OPENED):
        assert_breaks(scene, program, tier, words)
    if cell in (WORKS, OPENED):
        program.works(scene, tier, words, program.options(scene, tier) if cell == OPENED else [])
