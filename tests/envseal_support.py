"""What the tests of the real program share: a vault in a folder of its own, and ways to run envseal against it."""

import json
import os
import pathlib
import random
import re
import select
import shutil
import subprocess
import sys
import time

import pexpect
import pytest

import broker_rule

ROOT = pathlib.Path(__file__).resolve().parent.parent
PASSPHRASE = "quiet otter maps lemon stairs"
PYTHON = "/usr/bin/python3"

# What lies in a vault made by the fixture `vault`. Every value is long, so that no test finds one by chance.
SECRETS = {
    "API_TOKEN": b"tok-4f9Jc2LmQx81ZwPe",
    "DATABASE_URL": b"postgres://shop:correct-horse-77@db/shop",
    "team/deploy-key": b"dk_Xv3nB8yT5sRq0Ha6",
}

TAKES_PASSPHRASE = {"init", "set", "rename", "copy", "rm", "tag", "rollback", "verify", "confirm", "import", "run",
                    "inject", "pipe", "redact", "audit verify", "audit accept", "totp setup", "totp rm", "totp status",
                    "security show", "security set", "policy allow", "policy deny", "policy list", "policy rm",
                    "policy export", "policy import", "policy explain", "policy test", "grants", "grants rm"}
# Commands whose names have two words.
TWO_WORDS = {"audit", "policy", "security", "totp"}
# Set, the suites run their programs through a broker: `scripts/test --broker`.
THROUGH_BROKER = bool(os.environ.get("ENVSEAL_TEST_BROKER"))
BROKER_RUNS = {"run", "pipe"}
LENT = []  # vaults that a broker was started for


def binary():
    path = pathlib.Path(os.environ.get("ENVSEAL", ROOT / "build" / "envseal")).resolve()
    assert path.is_file(), f"{path} is not there: build it with `make`, or set ENVSEAL"
    return str(path)


def seeded(name):
    """A random generator whose seed is printed, so that a failure can be tried again with PROPERTY_SEED."""
    seed = int(os.environ.get("PROPERTY_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"{name}: PROPERTY_SEED={seed}", file=sys.stderr)
    return random.Random(seed)


def base_environment(home):
    sanitizers = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp")} | sanitizers


class Result:
    """How one call ended. `out` and `err` are bytes; `text` and `talk` are the same, decoded."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    @property
    def text(self):
        return self.out.decode("utf-8", "backslashreplace")

    @property
    def talk(self):
        return self.err.decode("utf-8", "backslashreplace")

    def json(self):
        found = json.loads(self.out)
        assert found["version"] == 1
        return found

    def __repr__(self):
        return f"<{self.args} ended with {self.status}\nstdout: {self.out[:2000]!r}\nstderr: {self.err[:4000]!r}>"


class Vault:
    def __init__(self, base, home_variable=True):
        self.base = pathlib.Path(base)
        self.home = self.base / "home"
        self.work = self.base / "work"
        self.dir = self.base / "vault" if home_variable else self.home / ".local/share/envseal"
        self.passphrase_file = self.base / "passphrase"
        self.env = base_environment(self.home)
        self.has_broker = self.is_lent_broker = False
        if home_variable:
            self.env["ENVSEAL_HOME"] = str(self.dir)
        for folder in (self.home, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.write_passphrase(PASSPHRASE)

    # ------------------------------------------------------------------------------------------------------ the broker

    def unlock(self, *options, **more):
        """Leaves a broker behind; `lock` ends it."""
        self.has_broker = True
        return self.ok("unlock", "--passphrase-file", self.passphrase_file, *options, **more)

    def lock(self):
        self.has_broker = False
        return self.ok("lock")

    def broker(self):
        return self.ok("status", "--json").json()

    def lend_broker(self):
        """To a test that knows of none. What cannot be unlocked is looked at directly."""
        done = self.run("unlock", "--passphrase-file", self.passphrase_file)
        self.has_broker = self.is_lent_broker = done.status == 0
        LENT.append(self)

    def allow(self, words, cwd=None, env=None):
        """A rule for exactly this run: what its plan says goes where. False where it has no secrets."""
        return broker_rule.allow(self.passphrase_file, [binary(), *words], self.environment(env), cwd or self.work)

    def through_broker(self, args, cwd, env):
        """The line of a run that a rule permits; None where it is to be direct. Nobody is there to be asked."""
        if not self.has_broker and os.path.exists(self.database):
            self.lend_broker()
        if not self.has_broker:
            return None
        words = [binary(), args[0], "--no-wait", *args[1:]]
        if args[-1] == "--":  # the program comes later
            return [PYTHON, "-I", "-S", str(ROOT / "tests/broker_rule.py"), str(self.passphrase_file), *words]
        return words if self.allow(args, cwd, env) else None

    @property
    def database(self):
        return self.dir / "vault.db"

    @property
    def log(self):
        return self.dir / "audit.jsonl"

    def write_passphrase(self, text):
        self.passphrase_file.write_text(text + "\n")
        self.passphrase_file.chmod(0o600)

    def words(self, args, passphrase=True, cwd=None, env=None, direct=False):
        """The whole command line; the passphrase option goes right behind the command. `direct`: never through a broker."""
        args = [os.fspath(arg) if not isinstance(arg, bytes) else arg for arg in args]
        if THROUGH_BROKER and passphrase and not direct and is_broker_run(args):
            through_broker = self.through_broker(args, cwd, env)
            if through_broker:
                return through_broker
        command = args[:2] if args[:1] and (args[0] in TWO_WORDS or args[:2] == ["grants", "rm"]) else args[:1]
        option = self.passphrase_option(passphrase) if " ".join(command) in TAKES_PASSPHRASE else []
        return [binary(), *command, *option, *args[len(command):]]

    def passphrase_option(self, passphrase):
        if passphrase:
            return ["--passphrase-file", str(self.passphrase_file)]
        return ["--direct"] if self.is_lent_broker else []  # of which the test does not know

    def environment(self, more):
        env = self.env | {name: value for name, value in (more or {}).items() if value is not None}
        for name, value in (more or {}).items():
            if value is None:
                env.pop(name, None)
        return env

    def run(self, *args, input=b"", passphrase=True, env=None, cwd=None, status=None, timeout=120, direct=False, **more):
        """Runs envseal in a session of its own, without a terminal. `status` is asserted when given."""
        words = self.words(args, passphrase, cwd, env, direct)
        if "stdin" not in more:
            more["input"] = input if isinstance(input, bytes) else input.encode()
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run(words, env=self.environment(env), cwd=cwd or self.work, timeout=timeout,
                              start_new_session=True, **more)
        result = Result(words[1:], done.returncode, done.stdout or b"", done.stderr or b"")
        if status is not None:
            assert result.status == status, result
        return result

    def ok(self, *args, **more):
        return self.run(*args, status=0, **more)

    def popen(self, *args, passphrase=True, env=None, cwd=None, direct=False, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("start_new_session", True)
        words = self.words(args, passphrase, cwd, env, direct)
        return subprocess.Popen(words, env=self.environment(env), cwd=cwd or self.work, **more)

    def spawn(self, *args, passphrase=False, env=None, cwd=None, **more):
        """envseal on a terminal of its own, which is its controlling terminal."""
        words = self.words(args, passphrase, cwd, env)
        return spawn(words, env=self.environment(env), cwd=cwd or self.work, **more)

    def init(self):
        return self.ok("init", "--pwhash", "interactive")

    def set(self, name, value, *options, **more):
        value = value if isinstance(value, bytes) else value.encode()
        return self.ok("set", name, "--stdin", "--raw", *options, input=value, **more)

    def names(self):
        return [entry["name"] for entry in self.ok("list", "--json").json()["secrets"]]

    def entry(self, name):
        return self.ok("show", name, "--json").json()

    def is_value(self, name, value):
        value = value if isinstance(value, bytes) else value.encode()
        result = self.run("verify", name, "--raw", input=value)
        assert result.status in (0, 1), result
        return result.status == 0

    def value(self, name):
        """The value as a program gets it, looked at where no filter is."""
        return self.ok("inject", "-s", f"{name}=VALUE_OF_TEST:file", "--", "/bin/sh", "-c",
                       'cat "$VALUE_OF_TEST"').out

    def records(self, **filters):
        options = [word for key, value in filters.items() for word in (f"--{key}", value)]
        return self.ok("audit", "show", "--json", *options).json()["records"]

    def check(self):
        """Log and vault hold together, and nothing is open."""
        return self.ok("audit", "verify", "--json").json()

    def files(self):
        """Every file under the vault's folder, with what is in it."""
        paths = (path for path in sorted(self.dir.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.dir)): path.read_bytes() for path in paths}


def is_broker_run(args):
    """Whether this line starts a program that a broker can start."""
    return bool(args) and args[0] in BROKER_RUNS and "--" in args and "--explain" not in args


def direct_only(reason):
    """For tests and modules of what there is in direct mode only."""
    return pytest.mark.skipif(THROUGH_BROKER, reason=f"direct mode only: {reason}")


def spawn(words, env, cwd, **more):
    more.setdefault("timeout", 60)
    more.setdefault("dimensions", (50, 300))
    return pexpect.spawn(words[0], words[1:], env=env, cwd=str(cwd), encoding="utf-8", codec_errors="backslashreplace",
                         **more)


def finish(child):
    """Everything that comes until the end. -> (text, status); a signal is 128 + its number."""
    child.expect(pexpect.EOF)
    text = child.before
    child.close()
    return text, child.exitstatus if child.exitstatus is not None else 128 + child.signalstatus


def copy_vault(source, base):
    """A vault of its own with the same content, in no time."""
    target = Vault(base)
    shutil.copytree(source.dir, target.dir, ignore=shutil.ignore_patterns("broker.sock"))
    return target


def assert_nowhere(values, text):
    text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    for value in values:
        assert value not in text, "a value is where none may be"


def masked(name, form=None):
    return f"[ENVSEAL:REDACTED {name}{' ' + form if form else ''}]"


def leaks_of(result):
    """The notice about masks, or None."""
    found = re.search(r"masked (\d+) times?: (.*)", result.talk)
    return found and (int(found[1]), found[2])


def process_state(pid):
    """The letter of proc(5), "X" when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def told_pid(text):
    """A process's number as `echo $$-` has printed it through a filter. A line of digits alone may begin a dump of a value
    (20655 does, of API_TOKEN in octal), and then waits for what follows."""
    return int(text.strip().removesuffix("-"))


def is_alive(pid):
    """Whether there is such a process, and it is more than a zombie."""
    return process_state(pid) not in "ZX"


def wait_until(condition, seconds=60):
    """For what nothing tells when it happens."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def wait_gone(pid, seconds=60):
    """Waits until the process has ended, whoever its parent is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([descriptor], [], [], seconds)
    os.close(descriptor)
    assert ready, f"process {pid} is still there"
