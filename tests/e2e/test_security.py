"""`security show` and `security set`, and what the configuration file of the machine forces."""

import pathlib
import re
import shutil
import subprocess

import pytest

from envseal_support import PASSPHRASE, binary

CONFIG = "/etc/envseal/envseal.conf"


def shown(vault, **more):
    return vault.ok("security", "show", "--json", **more).json()


def actions(found):
    return {row["id"]: row for row in found["findings"]}


def test_a_new_vault_is_at_standard(vault):
    found = shown(vault)
    assert (found["level"], found["sealed_level"]) == ("standard", "standard")
    assert found["file"] == {"path": CONFIG, "level": "standard", "pinentry": None}
    assert [level["level"] for level in found["levels"] if level["in_force"]] == ["standard"]
    rows = actions(found)
    assert (rows["tracer"]["worst"], rows["tracer"]["action"], rows["tracer"]["set"]) == ("bad", "warn", None)
    assert rows["swap"]["action"] == rows["core-pattern"]["action"] == "note"


def test_the_table_says_what_each_level_demands(vault):
    levels = {level["level"]: level for level in shown(vault)["levels"]}
    assert [levels[name]["tier"] for name in ("standard", "hardened", "lockdown")] == ["standard", "hardened", "lockdown"]
    assert [levels[name]["factor"] for name in ("standard", "hardened", "lockdown")] == [
        "passphrase", "passphrase and code", "passphrase and code"]
    assert [levels[name]["unredacted"] for name in ("standard", "hardened", "lockdown")] == [
        "on request", "never", "never"]
    for key in ("by_path", "keep_env", "unshielded", "degrade"):
        assert [levels[name][key] for name in ("standard", "hardened", "lockdown")] == ["on request", "by rule", "never"]
    assert [levels[name]["bad"] for name in ("standard", "hardened", "lockdown")] == ["warn", "ask", "deny"]
    text = vault.ok("security", "show").text
    assert "standard *" in text and "the weakest tier that a run can have" in text and "hardened *" not in text
    for name in actions(shown(vault)):
        assert re.search(rf"^{name} ", text, re.MULTILINE), name


def test_the_findings_are_those_of_doctor(vault):
    told = [finding["id"] for finding in vault.run("doctor", "--json").json()["findings"]]
    assert [row["id"] for row in shown(vault)["findings"]] == told[:told.index("configuration")]


def test_findings_are_set_and_recorded(vault):
    vault.ok("security", "set", "--finding", "core-pattern=deny", "--finding", "swap=ask")
    rows = actions(shown(vault))
    assert (rows["core-pattern"]["action"], rows["core-pattern"]["set"]) == ("deny", "deny")
    assert vault.ok("security", "set", "standard", "--finding", "swap=level", "--json").json()["level"] == "standard"
    rows = actions(shown(vault))
    assert (rows["swap"]["action"], rows["swap"]["set"]) == ("note", None)
    first, second = vault.records(kind="security.set")
    plain = {"level": "standard", "findings": {}, "version": 1}
    assert first["old"] == plain and first["new"] == plain | {"findings": {"core-pattern": "deny", "swap": "ask"}}
    assert second["old"] == first["new"] and second["new"] == plain | {"findings": {"core-pattern": "deny"}}
    vault.check()


@pytest.mark.parametrize("level", ["hardened", "lockdown"])
def test_a_level_that_wants_a_code(vault, level):
    result = vault.run("security", "set", level, status=4)
    assert level in result.talk and "totp setup" in result.talk
    assert shown(vault)["sealed_level"] == "standard" and not vault.records(kind="security.set")


@pytest.mark.parametrize("words, says", [
    ([], "name a level"), (["strict"], "standard, hardened or lockdown"), (["--finding", "swap"], "ID=ACTION"),
    (["--finding", "swap=never"], "note, warn, ask or deny"), (["--finding", "swop=deny"], "nearest is 'swap'"),
    (["--finding", "=deny"], "no finding of that name")])
def test_what_cannot_be_set(vault, words, says):
    """It is told before the passphrase is read."""
    vault.write_passphrase("not it at all")
    result = vault.run("security", "set", *words, status=2)
    assert says in result.talk and result.out == b""
    assert not vault.records(kind="unlock.failed") and not vault.records(kind="security.set")


def test_the_passphrase_is_wanted(vault):
    assert "terminal" in vault.run("security", "show", passphrase=False, status=4).talk
    vault.run("security", "set", "--finding", "swap=ask", passphrase=False, status=4)
    vault.write_passphrase("not it at all")
    vault.run("security", "show", status=5)
    vault.run("security", "set", "--finding", "swap=ask", status=5)
    assert not vault.records(kind="security.set")


def test_asked_on_the_terminal(vault):
    child = vault.spawn("security", "set", "--finding", "swap=ask")
    child.expect("Passphrase: ")
    child.sendline(PASSPHRASE)
    child.expect("level standard in force")
    child.wait()
    assert child.exitstatus == 0 and actions(shown(vault))["swap"]["set"] == "ask"


# ----------------------------------------------------------------------------------------------- the configuration file

# A machine of its own, in which the tests' user is root: ROOT PROGRAM VAULT FILE, then the words behind the program.
MACHINE = """
set -e
root=$1 program=$2 vault=$3 file=$4
shift 4
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir -p usr proc dev b vault etc tmp
mount --rbind /usr usr
mount --rbind /proc proc
mount --rbind /dev dev
mount --bind "$vault" vault
for name in bin lib lib64; do ln -s "usr/$name" "$name"; done
cp "$program" b/envseal
if [ -n "$file" ]; then
	mkdir etc/envseal
	cp "$file" etc/envseal/envseal.conf
	chmod 644 etc/envseal/envseal.conf
fi
exec env -i PATH=/usr/bin:/usr/sbin ENVSEAL_HOME=/vault/vault chroot . /b/envseal "$@"
"""


def machine(vault, tmp_path, content, *words, status=0):
    root, script, file = tmp_path / "root", tmp_path / "machine", tmp_path / "conf"
    root.mkdir(exist_ok=True)
    script.write_text(MACHINE)
    if content is not None:
        file.write_text(content)
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", script, root, binary(), vault.base,
         file if content is not None else "", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert result.returncode == status, result
    return result


@pytest.fixture
def can_make_machines(vault, tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    if pathlib.Path(binary()).read_bytes()[:2] == b"#!":
        pytest.skip("envseal is started by a script here, which such a machine does not have")
    (tmp_path / "root").mkdir()
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none",
                            tmp_path / "root"], capture_output=True, text=True, timeout=60)
    if probe.returncode != 0:
        pytest.skip(f"namespaces cannot be made here: {probe.stderr.strip()}")


KEY = ["--passphrase-file", "/vault/passphrase"]


def test_the_file_forces_more(vault, tmp_path, can_make_machines):
    text = "[security]\nlevel = hardened\n[findings]\ncore-pattern = deny\n[approval]\npinentry = /usr/bin/pinentry\n"
    told = machine(vault, tmp_path, text, "security", "show", *KEY).stdout
    assert "level hardened in force: the vault has standard" in told and "forces hardened" in told
    assert "hardened *" in told and "standard *" not in told and "/usr/bin/pinentry" in told
    assert re.search(r"^core-pattern +note +deny, forced: deny$", told, re.MULTILINE)
    assert re.search(r"^tracer +bad +ask, forced: ask$", told, re.MULTILINE)
    for words in (["standard"], ["--finding", "core-pattern=ask"], ["--finding", "tracer=note"]):
        result = machine(vault, tmp_path, text, "security", "set", *words, *KEY, status=4)
        assert CONFIG in result.stderr and "forces" in result.stderr
    assert "configuration file of this machine forces the level hardened" in machine(
        vault, tmp_path, text, "doctor", status=0).stdout
    assert not vault.records(kind="security.set")


def test_without_the_file_nothing_is_forced(vault, tmp_path, can_make_machines):
    told = machine(vault, tmp_path, None, "security", "show", *KEY).stdout
    assert "forces none" in told and "standard *" in told


@pytest.mark.parametrize("content, says", [
    ("[security]\nlevel = strict\n", "line 2"), ("[security]\r\nlevel = hardened\r\n", "line 1"),
    ("# fine\nnonsense-8Qw\n", "line 2"), ("[findings]\nnonsense-8Qw = deny\n", "line 2")])
def test_a_broken_file_is_a_refusal(vault, tmp_path, can_make_machines, content, says):
    for words in (["show"], ["set", "--finding", "swap=ask"]):
        result = machine(vault, tmp_path, content, "security", *words, *KEY, status=2)
        assert f"{CONFIG} {says}: " in result.stderr and "nonsense" not in result.stderr
    told = machine(vault, tmp_path, content, "doctor", status=1).stdout
    assert re.search(rf"^\[bad \] configuration +{CONFIG} {says}: ", told, re.MULTILINE) and "nonsense" not in told


def test_a_file_that_others_can_change_is_a_refusal(vault, tmp_path, can_make_machines):
    script = MACHINE.replace("chmod 644", "chmod 666")
    (tmp_path / "open").write_text(script)
    (tmp_path / "conf").write_text("[security]\nlevel = hardened\n")
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", tmp_path / "open", tmp_path / "root", binary(),
         vault.base, tmp_path / "conf", "security", "show", *KEY],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert result.returncode == 4 and CONFIG in result.stderr and "others than root" in result.stderr


def test_a_namespace_is_told(vault, tmp_path, can_make_machines):
    told = machine(vault, tmp_path, None, "doctor").stdout
    assert re.search(r"^\[warn\] user-namespace ", told, re.MULTILINE)
