"""C8: variables that load or steer code do not reach the program, and PATH is cleaned."""

import os
import pathlib
import shutil
import subprocess

import pytest

from envseal_support import PASSPHRASE, PYTHON, finish

SECRET = ["-s", "API_TOKEN"]
PATH = "/usr/local/bin:/usr/bin:/bin"


def environment_of(vault, words, env, **more):
    result = vault.ok(*words, "--", "env", "-0", env=env, **more)
    return dict(entry.split("=", 1) for entry in result.text.split("\0") if entry)


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


# ---------------------------------------------------------------------------------------------------------------- names


# What an attacker would set, from the manuals of the tools rather than from the table in the documentation.
STEERING = {
    "LD_PRELOAD": "", "LD_LIBRARY_PATH": "/evil", "LD_AUDIT": "", "LD_DEBUG_OUTPUT": "/evil/out", "GLIBC_TUNABLES": "glibc.malloc.check=1",
    "GCONV_PATH": "/evil", "HOSTALIASES": "/evil/hosts", "RES_OPTIONS": "ndots:9", "RESOLV_HOST_CONF": "/evil", "MALLOC_TRACE": "/evil/out",
    "NLSPATH": "/evil/%N", "LOCPATH": "/evil", "TMPDIR": "/evil", "BASH_ENV": "/evil/rc", "ENV": "/evil/rc", "SHELLOPTS": "xtrace",
    "BASHOPTS": "extdebug", "PS4": "$(touch /evil/x)", "PROMPT_COMMAND": "touch /evil/x", "IFS": "/", "CDPATH": "/evil", "GLOBIGNORE": "*",
    "BASH_FUNC_ls%%": "() { touch /evil/x; }", "BASH_FUNC_ls()": "() { touch /evil/x; }", "ZDOTDIR": "/evil", "FPATH": "/evil",
    "BASH_LOADABLES_PATH": "/evil", "PYTHONPATH": "/evil", "PYTHONHOME": "/evil", "PYTHONSTARTUP": "/evil/rc.py", "PYTHONINSPECT": "1",
    "PYTHONBREAKPOINT": "os.system", "PYTHONWARNINGS": "all:0:antigravity.x:0:0", "PYTHONUSERBASE": "/evil", "PYTHONPYCACHEPREFIX": "/evil",
    "VIRTUAL_ENV": "/evil", "PIP_INDEX_URL": "http://evil", "NODE_OPTIONS": "--require=/evil/x.js", "NODE_PATH": "/evil",
    "NODE_EXTRA_CA_CERTS": "/evil/ca", "NODE_TLS_REJECT_UNAUTHORIZED": "0", "npm_config_script_shell": "/evil/sh", "npm_config_registry": "http://evil",
    "NPM_CONFIG_USERCONFIG": "/evil/npmrc", "PERL5OPT": "-Mevil", "PERL5LIB": "/evil", "PERL5DB": "BEGIN {}", "PERLLIB": "/evil",
    "RUBYOPT": "-revil", "RUBYLIB": "/evil", "GEM_PATH": "/evil", "BUNDLE_GEMFILE": "/evil/Gemfile", "CLASSPATH": "/evil/x.jar",
    "JAVA_TOOL_OPTIONS": "-javaagent:/evil/x.jar", "_JAVA_OPTIONS": "-javaagent:/evil/x.jar", "JDK_JAVA_OPTIONS": "-javaagent:/evil/x.jar",
    "DOTNET_STARTUP_HOOKS": "/evil/x.dll", "CORECLR_PROFILER_PATH": "/evil/x.so", "PHPRC": "/evil", "PHP_INI_SCAN_DIR": "/evil",
    "LUA_INIT": "os.execute('touch /evil/x')", "LUA_CPATH": "/evil/?.so", "R_PROFILE": "/evil/rc", "JULIA_LOAD_PATH": "/evil",
    "ERL_FLAGS": "-s evil", "GOFLAGS": "-toolexec=/evil/x", "RUSTC_WRAPPER": "/evil/x", "CARGO_BUILD_RUSTC": "/evil/x", "AWKPATH": "/evil",
    "GIT_SSH_COMMAND": "/evil/x", "GIT_SSH": "/evil/x", "GIT_EXTERNAL_DIFF": "/evil/x", "GIT_PAGER": "/evil/x", "GIT_EDITOR": "/evil/x",
    "GIT_ASKPASS": "/evil/x", "GIT_PROXY_COMMAND": "/evil/x", "GIT_EXEC_PATH": "/evil", "GIT_TEMPLATE_DIR": "/evil", "GIT_DIR": "/evil",
    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.pager", "GIT_CONFIG_VALUE_0": "/evil/x", "GIT_CONFIG_GLOBAL": "/evil/config",
    "GIT_SSL_NO_VERIFY": "1", "SSH_ASKPASS": "/evil/x", "SSH_AUTH_SOCK": "/evil/agent", "RSYNC_RSH": "/evil/x", "LESSOPEN": "|/evil/x %s",
    "LESSCLOSE": "/evil/x", "PAGER": "/evil/x", "MANPAGER": "/evil/x", "EDITOR": "/evil/x", "VISUAL": "/evil/x", "BROWSER": "/evil/x",
    "SUDO_ASKPASS": "/evil/x", "VIMINIT": ":!touch /evil/x", "TAR_OPTIONS": "--checkpoint-action=exec=/evil/x", "MAKEFLAGS": "--eval=x",
    "MAKEFILES": "/evil/x.mk", "CC": "/evil/cc", "CFLAGS": "-B/evil", "GCC_EXEC_PREFIX": "/evil", "COMPILER_PATH": "/evil", "CPATH": "/evil",
    "PKG_CONFIG_PATH": "/evil", "CMAKE_TOOLCHAIN_FILE": "/evil", "http_proxy": "http://evil", "HTTPS_PROXY": "http://evil",
    "ALL_PROXY": "socks5://evil", "SSL_CERT_FILE": "/evil/ca", "SSL_CERT_DIR": "/evil", "CURL_CA_BUNDLE": "/evil/ca", "REQUESTS_CA_BUNDLE": "/evil/ca",
    "SSLKEYLOGFILE": "/evil/keys", "OPENSSL_CONF": "/evil/conf", "OPENSSL_ENGINES": "/evil", "CURL_HOME": "/evil", "WGETRC": "/evil/rc",
    "GNUPGHOME": "/evil", "KRB5_CONFIG": "/evil", "TERMINFO": "/evil", "TERMCAP": "/evil", "INPUTRC": "/evil", "KUBECONFIG": "/evil",
    "AWS_CONFIG_FILE": "/evil", "AWS_ENDPOINT_URL_S3": "http://evil", "DOCKER_HOST": "tcp://evil", "CLOUDSDK_CONFIG": "/evil",
    "TF_CLI_CONFIG_FILE": "/evil", "ANSIBLE_LIBRARY": "/evil", "PSQLRC": "/evil", "PGSERVICEFILE": "/evil", "MYSQL_HOME": "/evil",
    "XDG_CONFIG_HOME": "/evil", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/evil", "QT_PLUGIN_PATH": "/evil", "GTK_MODULES": "evil",
    "GIO_EXTRA_MODULES": "/evil", "DEBUGINFOD_URLS": "http://evil", "ASAN_OPTIONS": "log_path=/evil", "ENVSEAL_HOME": None,
    "_PYTHON_SYSCONFIGDATA_NAME": "evil", "JAVACMD": "/evil/x", "TCLLIBPATH": "/evil",
    "TCL_LIBRARY": "/evil", "RIPGREP_CONFIG_PATH": "/evil/rc", "OPENAI_BASE_URL": "http://evil", "ANTHROPIC_BASE_URL": "http://evil",
}
BY_VALUE = {"ANY_NAME": "() { :;}; touch /evil/x", "Another_1": "() {", "TZ": ":/evil/zone", "TERM": "../../evil", "LANG": "/evil/locale",
            "LC_MESSAGES": "../evil", "LANGUAGE": "/evil", "COLORTERM": "a/b"}
EVERYDAY = {
    "HOME": "/srv/me", "USER": "me", "LOGNAME": "me", "SHELL": "/bin/bash", "PWD": "/srv", "LC_CTYPE": "en_US.UTF-8", "LINES": "50",
    "COLUMNS": "120", "NODE_ENV": "test", "CI": "true", "DEBUG": "app:*", "PORT": "3000", "DATABASE_HOST": "db.example", "AWS_REGION": "eu-west-1",
    "GIT_AUTHOR_NAME": "A. B.", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1", "NO_COLOR": "1", "RAILS_ENV": "test", "GOOS": "linux", "lower": "case",
    "EMPTY": "", "MULTI": "two\nlines", "EQUALS": "a=b=c", "NOT_A_FUNCTION": "(){ x }", "LDAP": "x", "PYTHO": "x", "MY_LD_PRELOAD": "x", "ld_preload": "x",
}


@pytest.mark.parametrize("words", [["run", *SECRET], ["inject", *SECRET], ["pipe", "API_TOKEN"]], ids=lambda words: words[0])
def test_what_reaches_the_program(shared, words):
    steering = {name: value for name, value in STEERING.items() if value is not None}
    assert len(steering) > 120
    found = environment_of(shared, words, steering | BY_VALUE | EVERYDAY)
    assert not set(found) & (set(STEERING) | set(BY_VALUE))
    assert {name: found.get(name) for name in EVERYDAY} == EVERYDAY
    assert set(found) == set(EVERYDAY) | {"PATH", "LC_ALL"} | ({"API_TOKEN"} if words[0] != "pipe" else set())
    explained = shared.ok(*words, "--explain", "--json", "--", "true", env=steering | BY_VALUE, passphrase=False).json()
    # The names are shown, also those that are none; what stands in them is not.
    assert set(STEERING) | set(BY_VALUE) <= set(explained["dropped"])
    assert "evil" not in str(explained)


class Entries:
    """An environment as execve(2) takes it: names may come twice."""

    def __init__(self, entries):
        self.entries = entries

    def items(self):
        return self.entries


def test_a_second_entry_of_a_name(shared):
    """Which of two counts depends on who looks, so one that is harmless could hide one that is not."""
    pairs = [("TWICE", "first"), ("TWICE", "() { :;}; touch evil"), ("HIDDEN", "() { :;}; touch evil"), ("HIDDEN", "second"),
             ("LD_PRELOAD", "/evil/1"), ("LD_PRELOAD", "/evil/2"), ("API_TOKEN", "caller 1"), ("API_TOKEN", "caller 2"),
             ("PATH", "/usr/bin:/bin"), ("PATH", ".:/evil")]
    others = [(name, value) for name, value in shared.env.items() if name != "PATH"]
    words = shared.words(["run", *SECRET, "--", "env", "-0"])
    done = subprocess.run(words, env=Entries([*others, *pairs]), capture_output=True, cwd=shared.work, timeout=60, check=True)
    entries = [entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry]
    names = [name for name, _ in entries]
    assert len(names) == len(set(names)) and b"LD_PRELOAD" not in names
    found = dict(entries)
    assert found[b"TWICE"] == b"first" and found.get(b"HIDDEN") in (b"second", None)
    assert found[b"PATH"] == b"/usr/bin:/bin" and found[b"API_TOKEN"] == b"[ENVSEAL:REDACTED API_TOKEN]"


# --------------------------------------------------------------------------------------------------- attacks that do work


SOURCE = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void mark(void) { close(open(MARK, O_CREAT | O_WRONLY, 0600)); }
unsigned la_version(unsigned version) { return version; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A shared library that leaves a mark when it is loaded. -> (library, mark)"""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no compiler")
    folder = tmp_path_factory.mktemp("library")
    (folder / "evil.c").write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", f'-DMARK="{folder}/mark"', "-o", folder / "evil.so", folder / "evil.c"], check=True)
    return folder / "evil.so", folder / "mark"


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("variable", ["LD_PRELOAD", "LD_AUDIT"])
def test_a_library_is_loaded_by_nobody(shared, library, variable):
    evil, mark = library
    env = {variable: str(evil)}
    subprocess.run(["/bin/true"], env=env, check=True)
    assert mark.exists(), "the attack itself works"
    mark.unlink()
    for words in (["run", *SECRET, "--", "true"], ["inject", *SECRET, "--", "true"], ["pipe", "API_TOKEN", "--", "cat"], ["list"], ["doctor"],
                  ["run", "--explain", *SECRET, "--", "true"]):
        shared.run(*words, env=env)
        assert not mark.exists(), words
    # Kept by name it is loaded, by the program alone.
    shared.ok("run", *SECRET, "--keep-env", variable, "--explain", "--", "true", env=env, passphrase=False)
    assert not mark.exists()
    shared.ok("run", *SECRET, "--keep-env", variable, "--", "true", env=env)
    assert mark.exists() and shared.records(kind="run.intent")[-1]["kept"] == [variable]
    mark.unlink()


# name: (program, arguments, variables, files); @ stands for the folder they are in. Each leaves the file `mark` there.
ATTACKS = {
    "PYTHONPATH": (PYTHON, ["-c", "pass"], {"PYTHONPATH": "@"}, {"sitecustomize.py": "open('@/mark', 'w')"}),
    "PYTHONUSERBASE": (PYTHON, ["-c", "import os"], {"PYTHONPATH": "@", "PYTHONUSERBASE": "@"}, {"usercustomize.py": "open('@/mark', 'w')"}),
    "_PYTHON_SYSCONFIGDATA_NAME": (PYTHON, ["-c", "import sysconfig; sysconfig.get_config_vars()"], {"_PYTHON_SYSCONFIGDATA_NAME": "evil"},
                                   {"evil.py": "open('@/mark', 'w')"}),
    "BASH_ENV": ("bash", ["-c", ":"], {"BASH_ENV": "@/rc"}, {"rc": "> @/mark"}),
    "BASH_ENV command": ("bash", ["-c", ":"], {"BASH_ENV": "$(> @/mark)"}, {}),
    "ENV": ("dash", ["-i", "-c", ":"], {"ENV": "@/rc"}, {"rc": "> @/mark"}),
    "function": ("bash", ["-c", "ls"], {"BASH_FUNC_ls%%": "() { > @/mark; }"}, {}),
    "PS4": ("bash", ["-c", ":"], {"SHELLOPTS": "xtrace", "PS4": "$(> @/mark)"}, {}),
    "PERL5OPT": ("perl", ["-e", "1"], {"PERL5OPT": "-Mevil", "PERL5LIB": "@"}, {"evil.pm": "open(F, '>', '@/mark'); 1;"}),
    "PERL5DB": ("perl", ["-d", "-e", "1"], {"PERL5DB": "BEGIN { open(F, '>', '@/mark') } sub DB::DB {}"}, {}),
    "NODE_OPTIONS": ("node", ["-e", "0"], {"NODE_OPTIONS": "--require=@/evil.js"}, {"evil.js": "require('fs').writeFileSync('@/mark', '')"}),
    "GIT_SSH_COMMAND": ("git", ["ls-remote", "ssh://nobody.invalid/x"], {"GIT_SSH_COMMAND": "> @/mark; false"}, {}),
    "GIT_CONFIG": ("git", ["evil"], {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "alias.evil", "GIT_CONFIG_VALUE_0": "!> @/mark"}, {}),
    "TAR_OPTIONS": ("tar", ["cf", "/dev/null", "/etc/hostname"], {"TAR_OPTIONS": "--checkpoint=1 '--checkpoint-action=exec=sh @/rc'"},
                    {"rc": "> @/mark"}),
    "MAKEFLAGS": ("make", ["-f", "@/makefile"], {"MAKEFLAGS": "SHELL=@/rc"},
                  {"rc": "#!/bin/sh\n> @/mark\n", "makefile": "all:\n\techo $$HOME\n"}),
    "MAKEFILES": ("make", ["-f", "@/makefile"], {"MAKEFILES": "@/rc"}, {"rc": "X := $(shell > @/mark)\n", "makefile": "all:\n\techo $$HOME\n"}),
    "EDITOR": ("git", ["config", "--file", "@/config", "--edit"], {"EDITOR": "> @/mark; true"}, {"config": "[a]\n"}),
    "TCL_LIBRARY": ("tclsh", [], {"TCL_LIBRARY": "@"}, {"init.tcl": "close [open @/mark w]\n"}),
    "PATH": ("sh", ["-c", "ls"], {"PATH": f".:{PATH}"}, {"ls": "#!/bin/sh\n> @/mark\n"}),
    "PATH, empty entry": ("sh", ["-c", "ls"], {"PATH": f":{PATH}"}, {"ls": "#!/bin/sh\n> @/mark\n"}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_that_works_without_envseal(shared, tmp_path, attack):
    program, arguments, variables, files = ATTACKS[attack]
    if shutil.which(program, path=PATH) is None:
        pytest.skip(f"there is no {program}")
    arguments = [word.replace("@", str(tmp_path)) for word in arguments]
    for name, text in files.items():
        write_program(tmp_path / name, text.replace("@", str(tmp_path)))
    env = {name: value.replace("@", str(tmp_path)) for name, value in variables.items()}
    mark = tmp_path / "mark"
    direct = subprocess.run([shutil.which(program, path=PATH), *arguments], env=shared.env | env, cwd=tmp_path, capture_output=True,
                            stdin=subprocess.DEVNULL, timeout=60, start_new_session=True)
    if not mark.exists():
        pytest.skip(f"this {program} is not open to it: {direct.stderr[-200:]}")
    mark.unlink()
    for action in ("run", "inject"):
        shared.run(action, *SECRET, "--", program, *arguments, env=env, cwd=tmp_path)
        assert not mark.exists(), action


# ----------------------------------------------------------------------------------------------------------------- PATH


@pytest.fixture
def folders(tmp_path):
    """Folders of every sort. -> {name: path}"""
    base = tmp_path / "folders"
    for name, mode in (("good", 0o755), ("private", 0o700), ("world", 0o777), ("sticky", 0o1777), ("others", 0o757)):
        (base / name).mkdir(parents=True)
        (base / name).chmod(mode)
    (base / "world/below").mkdir()
    (base / "file").write_text("")
    (base / "link-to-world").symlink_to("world")
    (base / "link-to-good").symlink_to("good")
    (base / "link-to-nothing").symlink_to("nowhere")
    (base / "link-through-world").symlink_to("world/below")
    return {path.name: path for path in base.iterdir()} | {"below": base / "world/below", "missing": base / "missing"}


BAD = ["world", "sticky", "others", "below", "file", "missing", "link-to-world", "link-to-nothing", "link-through-world"]


def test_unsafe_entries_of_the_path_are_removed(shared, folders):
    bad = [str(folders[name]) for name in BAD]
    bad += [f"{folders['world']}/../good", f"{folders['good']}/../world", "", ".", "..", "bin", "./bin", "~/bin", "usr/bin", "-"]
    good = [str(folders[name]) for name in ("good", "private", "link-to-good")]
    mixed = [entry for pair in zip(bad, (good + ["/usr/bin", "/bin"]) * 4) for entry in pair]
    env = {"PATH": ":".join(mixed)}
    clean = ":".join([*good, "/usr/bin", "/bin"])
    assert environment_of(shared, ["run", *SECRET], env)["PATH"] == clean
    explained = shared.ok("run", "--explain", "--json", *SECRET, "--", "true", env=env, passphrase=False).json()
    assert explained["path"] == clean and sorted(explained["path_dropped"]) == sorted(bad)
    # Also a program that is only there is not found.
    for name in ("world", "sticky", "others", "below"):
        write_program(folders[name] / "only-here", "#!/bin/sh\ntouch started\n")
    write_program(shared.work / "only-here", "#!/bin/sh\ntouch started\n")
    shared.run("run", *SECRET, "--", "only-here", env=env, status=127)
    assert not (shared.work / "started").exists()


def test_what_is_written_in_the_text_counts_as_well(shared, folders):
    """Others could put a link in the place of a folder that is named on the way, though it leads back to a good one."""
    roundabout = f"{folders['world']}/../good"
    folders["world"].joinpath("below").chmod(0o755)
    assert environment_of(shared, ["run", *SECRET], {"PATH": f"{roundabout}:/usr/bin"})["PATH"] == "/usr/bin"


@pytest.mark.parametrize("by_link", [False, True])
def test_a_program_put_in_front_is_shown_by_its_real_path(vault, by_link):
    """The folder is the user's own, so it stays in PATH: what is found there is for the human to see."""
    (vault.work / "evil").mkdir()
    evil = write_program(vault.work / "evil/true", "#!/bin/sh\necho not the one you meant\n")
    folder = vault.work / "evil"
    if by_link:
        (vault.work / "usr").mkdir()
        (vault.work / "usr/bin").symlink_to(folder)
        folder = vault.work / "usr/bin"
    env = {"PATH": f"{folder}:/usr/bin:/bin"}
    text = vault.ok("run", "--explain", *SECRET, "--", "true", env=env, passphrase=False).text
    assert [line.split(None, 1)[1] for line in text.splitlines() if line.startswith("program")] == [str(evil)]
    child = vault.spawn("run", *SECRET, "--", "true", env=env)
    child.expect("Passphrase to approve once: $")
    assert f"{evil}  (a sealed copy of this file)" in child.before and "system file" not in child.before
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "not the one you meant" in text
    assert vault.records(kind="run.intent")[-1]["program"]["path"] == str(evil)


# ----------------------------------------------------------------------------------------------------------- exceptions


def test_what_is_kept_is_shown_and_recorded(vault):
    env = {"LESSOPEN": "|/evil/x %s", "PYTHONPATH": "/evil", "PAGER": "/evil/x"}
    child = vault.spawn("run", *SECRET, "--keep-env", "PAGER", "--", "env", env=env)
    child.expect("Passphrase to approve once: $")
    rows = {line.split()[0]: line.split(None, 1)[1] for line in child.before.splitlines() if line.startswith("  ")}
    assert rows["kept"] == "PAGER"
    assert {"LESSOPEN", "PYTHONPATH", "ENVSEAL_HOME"} <= set(rows["dropped"].split(", ")) and "PAGER" not in rows["dropped"].split(", ")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "PAGER=/evil/x" in text and "PYTHONPATH" not in text and "LESSOPEN" not in text
    record = vault.records(kind="run.intent")[-1]
    assert record["kept"] == ["PAGER"] and {"LESSOPEN", "PYTHONPATH"} <= set(record["dropped"])


@pytest.mark.parametrize("variable", ["PATH", "ENVSEAL_HOME", "ENVSEAL_ANY", "", "A B", "A=B", "LD_*", "*"])
def test_what_cannot_be_kept(shared, variable):
    before = shared.log.read_bytes()
    shared.run("run", *SECRET, "--keep-env", variable, "--", "touch", "started", status=125)
    assert not (shared.work / "started").exists() and shared.log.read_bytes() == before


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "PATH", "BASH_ENV", "HOME", "ENV", "PYTHONSTARTUP", "NODE_OPTIONS", "GIT_SSH_COMMAND",
                                      "PERL5OPT", "LESSOPEN", "PS4", "IFS", "TERM", "LANG", "TZ", "ENVSEAL_HOME", "http_proxy", "CARGO_ALIAS_X_TOKEN"])
def test_no_secret_goes_into_a_steering_variable(shared, variable):
    """Whoever may store a value (as set --locked allows) could choose what the program loads."""
    before = shared.log.read_bytes()
    for suffix in ("", ":file"):
        for action in ("run", "inject"):
            result = shared.run(action, "-s", f"API_TOKEN={variable}{suffix}", "--", "/usr/bin/touch", "started", status=125)
            assert variable in result.talk and result.out == b""
    shared.run("run", "-s", f"API_TOKEN={variable}", "--keep-env", "LESS", "--explain", "--", "true", passphrase=False, status=125)
    assert not (shared.work / "started").exists() and shared.log.read_bytes() == before


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "ld/preload", "ld-preload", "bash-env"])
def test_a_secrets_own_name_does_not_steer_either(empty, name):
    """-s NAME without a variable makes one of the name."""
    empty.set(name, b"/evil/x.so and more")
    assert "steers" in empty.run("run", "-s", name, "--", "touch", "started", status=125).talk
    assert not (empty.work / "started").exists()
    assert empty.ok("run", "-s", f"{name}=HARMLESS", "--", "sh", "-c", 'test -n "$HARMLESS"').out == b""
