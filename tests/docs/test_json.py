"""The members of --json objects that the manual names are those that are printed."""

import json
import re
import subprocess

import pytest

from docs_support import Man, binary, man_file

VALUE = "not-a-real-token-7c1e59"

# command line, standard input; in this order, in one vault
STEPS = [
    ("init --json --pwhash interactive", ""),
    ("set A --stdin --raw --json", VALUE),
    ("copy A B --json", ""),
    ("rename B C --json", ""),
    ("tag C --add x --json", ""),
    ("set C --generate 20 --force --json", ""),
    ("rollback C --json", ""),
    ("history C --json", None),
    ("verify A --json", VALUE),
    ("set D --generate 20 --locked --json", None),
    ("confirm --yes --json", ""),
    ("import BAD --dry-run --json", None),
    ("import GOOD --dry-run --json", None),
    ("list --json", None),
    ("list --health --json", ""),
    ("show A --json", None),
    ("show A --coverage --json", ""),
    ("show A --health --json", ""),
    ("selftest --json", None),
    ("run -s A --reason tests --explain --json -- true", None),
    ("policy allow -s A --id one --json -- true", ""),
    ("policy deny -s C --id two --for 8h --json", ""),
    ("policy list --json", ""),
    ("policy export --json", ""),
    ("policy explain -s C --json -- true", ""),
    ("policy explain -s A --json -- false", ""),
    ("policy explain -s A --json -- echo \x01", ""),
    ("policy import RULES --dry-run --json", ""),
    ("policy test CASES --json", None),
    ("grants --json", ""),
    ("grants rm two --json", ""),
    ("policy rm one --json", ""),
    ("audit verify --json", ""),
    ("totp status --json", ""),
    ("audit blast-radius A --json", None),
    ("rm C D --yes --json", ""),
    ("security show --json", ""),
    ("doctor --json", None),
    ("version --json", None),
]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    passphrase = folder / "passphrase"
    passphrase.write_text("quiet otter maps lemon stairs\n")
    passphrase.chmod(0o600)
    (folder / "GOOD").write_text(f"TOKEN={VALUE}\nPORT=3000\n")
    (folder / "BAD").write_text(f"TOKEN={VALUE}\nnot an assignment\n")
    rule = {"id": "three", "effect": "deny", "secrets": ["X"], "program": {"binding": "any"}, "argv": {"mode": "any"},
            "created": 1700000000}
    case = {"name": "a", "secrets": [{"name": "X", "delivery": "stdin"}], "argv": ["x"], "directory": "/", "expect": "deny",
            "program": {"path": "/x", "binding": "system", "digest": "0" * 64}}
    rules = {"version": 1, "rules": [rule]}
    (folder / "RULES").write_text(json.dumps(rules))
    (folder / "CASES").write_text(json.dumps({"version": 1, "rules": rules, "cases": [case]}))
    env = {"PATH": "/usr/bin:/bin", "ENVSEAL_HOME": str(folder / "vault")}
    objects = {}
    for line, given in STEPS:
        words = line.split()
        # None: needs no passphrase
        key = [] if given is None else ["--passphrase-file", str(passphrase)]
        at = 2 if line.startswith(("audit", "policy", "grants rm", "security", "totp")) else 1
        result = subprocess.run([binary(), *words[:at], *key, *words[at:]], input=given or "", env=env, cwd=folder,
                                capture_output=True, text=True, timeout=600)
        # What doctor and selftest find is not the question here.
        statuses = (2,) if "BAD" in words else (1,) if "--health" in words or "explain" in words else {"doctor": (0, 1), "selftest": (0, 6)}.get(words[0], (0,))
        assert result.returncode in statuses, (line, result)
        objects.setdefault(line, json.loads(result.stdout))
    return objects


def members(value, depth):
    names = set()
    if isinstance(value, dict):
        names |= set(value)
        for item in value.values():
            names |= members(item, depth - 1) if depth else set()
    if isinstance(value, list):
        for item in value:
            names |= members(item, depth)
    return names


def in_manual(command):
    text = Man(man_file(command)).options()["json"][2]
    return {name.replace("\\", "") for name in re.findall(r"(?<!\w)_([a-z0-9\\_]+?)_(?!\w)", text)}


@pytest.mark.parametrize("line", [line for line, _ in STEPS if not line.startswith(("list", "show", "audit", "import", "policy", "grants"))])
def test_members_are_those_of_the_manual(printed, line):
    documented = in_manual(line.split()[0])
    # What is under "program" and "secrets" of an explanation is what the audit log has: docs/format-audit.md.
    found = members(printed[line], 0 if line.startswith("run") else 2)
    if line.startswith("run"):
        documented -= {"manifest"}
    assert found == documented
    assert printed[line]["version"] == 1


def test_import_has_the_members_of_the_manual(printed):
    good, bad = printed["import GOOD --dry-run --json"], printed["import BAD --dry-run --json"]
    assert members(good, 2) | members(bad, 2) == in_manual("import")
    assert (good["ok"], bad["ok"], good["problems"], bad["lines"]) == (True, False, [], [])


def test_list_has_the_members_of_the_manual(printed):
    listed, health = printed["list --json"], printed["list --health --json"]
    assert members(listed, 2) | members(health, 2) == in_manual("list")
    # A has no finding but C, its rolled back copy, is the same.
    assert [row["name"] for row in health["secrets"]] == ["A", "C"] and health["ok"] is False


def test_coverage_and_health_members_are_in_the_manual(printed):
    assert members(printed["show A --coverage --json"], 2) | members(printed["show A --health --json"], 2) == in_manual("show")


def test_show_has_the_members_of_list(printed):
    shown, listed = printed["show A --json"], printed["list --json"]["secrets"][0]
    assert set(shown) == set(listed) | {"version"}


@pytest.mark.parametrize("line", [line for line, _ in STEPS if line.startswith("audit")])
def test_audit_members_are_in_the_manual(printed, line):
    assert members(printed[line], 2) <= in_manual("audit")


def test_policy_has_the_members_of_the_manual(printed):
    found = set()
    for line in (line for line, _ in STEPS if line.startswith("policy") and "export" not in line):
        # A program is what the audit log has, and a rule what docs/format-policy.md has.
        whole = {key: value for key, value in printed[line].items() if key != "program"}
        found |= {"program"} & set(printed[line])
        found |= members(whole, 2 if "explain" in line or "test" in line else 0)
    assert found == in_manual("policy")
    assert set(printed["policy export --json"]) == {"rules", "version"}
    assert printed["policy explain -s C --json -- true"]["next"] == "envseal policy rm two"


def test_grants_have_the_members_of_the_manual(printed):
    rule = set(printed["policy list --json"]["rules"][1]) | {"expires"}
    found = members(printed["grants --json"], 1) - rule | set(printed["grants rm two --json"])
    assert found | {"session_alive"} == in_manual("grants")
