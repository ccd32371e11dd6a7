"""`doctor`: every finding is a line with what it means, and the exit status says whether one is bad."""

import json
import pathlib
import re
import subprocess

import pytest

from envseal_support import SECRETS, assert_nowhere, binary

LINE = re.compile(r"\[(ok  |note|warn|bad )\] ([a-z][a-z-]+) +(\S.*)")
REMEDY = re.compile(r" {26}-> \S.*")
CLAIM = re.compile(r"^### (C\d+)\. (.+)$", re.MULTILINE)
THREATS = pathlib.Path(__file__).parents[2] / "docs/threats.md"
BESIDE_CLAIMS = ["standard", "hardened", "lockdown", "jail-masks"]


def findings(vault, *options, status=0):
    result = vault.run("doctor", "--json", *options, status=status)
    found = result.json()
    assert set(found) == {"version", "findings", "promises", "ok"} and found["ok"] is (status == 0)
    for finding in found["findings"]:
        assert set(finding) == {"id", "category", "severity", "text", "remedy"}
        assert finding["severity"] in ("ok", "note", "warn", "bad") and finding["text"]
        assert finding["severity"] in ("ok", "note") or finding["remedy"], finding
    assert (status == 0) == all(finding["severity"] != "bad" for finding in found["findings"])
    assert_nowhere(SECRETS.values(), result.out + result.err)
    by_id = {finding["id"]: finding for finding in found["findings"]}
    assert len(by_id) == len(found["findings"]), "an id is there once"
    assert_promises(found["promises"], by_id)
    return by_id


def assert_promises(promises, found):
    assert len({promise["id"] for promise in promises}) == len(promises)
    for promise in promises:
        assert set(promise) == {"id", "title", "holds", "depends", "because"}
        assert promise["holds"] is (promise["because"] == [])
        assert set(promise["because"]) <= set(promise["depends"]) <= set(found), promise
        assert all(found[finding]["severity"] != "ok" for finding in promise["because"])
        # A finding that is bad is never of no account.
        assert all(finding in promise["because"] for finding in promise["depends"] if found[finding]["severity"] == "bad")


def promises(vault, **options):
    return {promise["id"]: promise for promise in vault.run("doctor", "--json", **options).json()["promises"]}


def with_passphrase(vault):
    return ["--passphrase-file", str(vault.passphrase_file)]


def test_text_and_json_tell_the_same(vault):
    found = findings(vault)
    above, _, below = vault.ok("doctor").text.partition("\n\n")
    lines = above.splitlines()
    told = [LINE.fullmatch(line) for line in lines if not REMEDY.fullmatch(line)]
    assert all(told), lines
    assert [(match[2], match[1].strip(), match[3]) for match in told] == [
        (finding["id"], finding["severity"], finding["text"]) for finding in found.values()]
    remedies = [finding["remedy"] for finding in found.values() if finding["remedy"]]
    assert [line.strip() for line in lines if REMEDY.fullmatch(line)] == [f"-> {remedy}" for remedy in remedies]
    assert below.startswith("What is promised")


def test_promises_in_text_and_json(vault):
    """One that holds and one that does not: with why, and what to do."""
    env = {"TMUX": "/tmp/tmux-1/default,1,0", "DISPLAY": ":0"}
    result = vault.run("doctor", "--json", env=env).json()
    found = {finding["id"]: finding for finding in result["findings"]}
    lines = vault.run("doctor", env=env).text.partition("\n\n")[2].splitlines()[1:]
    expected = []
    for promise in result["promises"]:
        depends = f" ({', '.join(promise['depends'])})" if promise["depends"] else ""
        expected.append(f"[{'yes ' if promise['holds'] else 'no  '}] {promise['id']:18} {promise['title']}{depends}")
        for cause in promise["because"]:
            expected.append(f"{'':26}{cause}: {found[cause]['text']}")
            if found[cause]["remedy"]:
                expected.append(f"{'':26}-> {found[cause]['remedy']}")
    assert lines == expected
    told = {promise["id"]: promise for promise in result["promises"]}
    assert {"terminal-multiplexer", "display"} <= set(told["C17"]["because"]) and told["C1"]["holds"]


def test_the_promises_are_those_of_the_page(no_vault):
    told = [(promise["id"], promise["title"]) for promise in promises(no_vault).values()]
    claims = CLAIM.findall(THREATS.read_text())
    assert len(claims) >= 18
    assert [row for row in told if row[0].startswith("C")] == claims
    assert [row[0] for row in told if not row[0].startswith("C")] == BESIDE_CLAIMS


def test_where_no_namespaces_can_be_had(no_vault):
    """In a namespace that allows no further ones: what needs them does not hold, and the rest does."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    result = subprocess.run([*inside, binary(), "doctor", "--json"], env=no_vault.environment(None), capture_output=True)
    told = json.loads(result.stdout)
    found = {finding["id"]: finding for finding in told["findings"]}
    held = {promise["id"]: promise for promise in told["promises"]}
    for name in ("user-namespaces", "network-namespaces", "mounts", "proc-mount", "helper-namespaces", "namespace-join"):
        assert "max_user_namespaces is 0" in found[name]["text"] and "sysctl" in found[name]["remedy"]
    assert "user-namespaces" in held["hardened"]["because"] and {"mounts", "proc-mount"} <= set(held["lockdown"]["because"])
    assert held["jail-masks"]["because"] == ["user-namespaces", "mounts", "namespace-join"]
    assert found["shield"]["severity"] == "ok"
    # Whoever made the namespace can read what is in it.
    assert all("user-namespace" in held[name]["because"] for name in ("C4", "C7", "C16", "C18", "C19"))
    assert held["C21"]["because"] == promises(no_vault)["C21"]["because"] and held["C1"]["holds"]


def test_without_a_vault(no_vault):
    found = findings(no_vault)
    assert found["vault"]["severity"] == "note" and "envseal init" in found["vault"]["remedy"]
    assert "audit-chain" not in found and not no_vault.dir.exists()


def test_what_the_machine_enforces(no_vault):
    found = findings(no_vault)
    for name in ("process-dumpable", "core-limit", "ptrace-scope", "memory-lock", "swap", "landlock", "landlock-scope",
                 "landlock-sockets", "seccomp", "seccomp-notify", "user-namespaces", "network-namespaces", "mounts", "proc-mount",
                 "terminal", "variables", "uinput", "screen-recorder"):
        assert name in found, name
    assert found["process-dumpable"]["severity"] == found["core-limit"]["severity"] == "ok"
    assert "no controlling terminal" in found["terminal"]["text"]
    env = {"LD_PRELOAD": "/nowhere.so", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "DISPLAY": ":0"}
    assert not found["path-writable"]["text"].startswith("not known")
    assert "(" in found["vault-filesystem"]["text"]
    changed = no_vault.run("doctor", "--json", env=env).json()["findings"]
    differing = {new["id"] for old, new in zip(found.values(), changed) if old != new}
    assert {"preload", "variables", "remote", "display"} <= differing


def test_with_a_vault(vault):
    before = vault.files()
    found = findings(vault)
    assert found["vault"]["severity"] == found["audit-chain"]["severity"] == "ok"
    assert f"{len(vault.records())} records" in found["audit-chain"]["text"]
    assert "vault-verify" not in found and "secrets-weak" not in found
    assert vault.files() == before


def test_with_the_passphrase_everything_is_verified(vault):
    found = findings(vault, *with_passphrase(vault))
    assert found["vault-verify"]["severity"] == "ok" and re.search(r"all \d+ rows", found["vault-verify"]["text"])
    vault.write_passphrase("not it at all")
    assert "passphrase" in findings(vault, *with_passphrase(vault), status=1)["vault-verify"]["text"]


def test_usage(vault):
    assert "one of them" in vault.run("doctor", *with_passphrase(vault), "--passphrase-fd", "3", status=2).talk


def test_secrets_that_want_attention(vault):
    vault.set("SHORT", b"abc", "--allow-weak")
    vault.ok("set", "WAITING", "--generate", "20", "--locked")
    assert {name: found["severity"] for name, found in findings(vault).items() if name.startswith("secrets-")} == {
        "secrets-weak": "warn", "secrets-waiting": "warn"}
    found = findings(vault)
    assert found["secrets-weak"]["text"].startswith("1 of 5 secrets")
    assert found["secrets-waiting"]["text"].startswith("1 ") and "envseal confirm" in found["secrets-waiting"]["remedy"]
    vault.ok("confirm", "--yes")
    vault.ok("rm", "SHORT", "--yes")
    assert not [name for name in findings(vault) if name.startswith("secrets-")]


@pytest.mark.parametrize("path, mode", [("", 0o755), ("vault.db", 0o644), ("audit.jsonl", 0o640)])
def test_open_modes_are_bad(vault, path, mode):
    target = vault.dir / path
    target.chmod(mode)
    bad = [finding for finding in findings(vault, status=1).values() if finding["severity"] == "bad"]
    assert any("chmod" in finding["text"] for finding in bad), bad


def test_a_vault_that_is_none(vault):
    vault.database.write_bytes(b"not a database at all " * 400)
    assert findings(vault, status=1)["vault"]["severity"] == "bad"


def test_a_damaged_log(vault):
    text = vault.log.read_bytes()
    vault.log.write_bytes(text.replace(b"API_TOKEN", b"API_TOKEX", 1))
    found = findings(vault, status=1)["audit-chain"]
    assert found["severity"] == "bad" and "hash does not match" in found["text"]


def test_a_cut_log_shows_with_the_passphrase(vault):
    lines = vault.log.read_bytes().splitlines(keepends=True)
    vault.log.write_bytes(b"".join(lines[:-1]))
    assert findings(vault)["audit-chain"]["severity"] == "ok"
    found = findings(vault, *with_passphrase(vault), status=1)["vault-verify"]
    assert found["severity"] == "bad" and "the tail was cut" in found["text"]


def test_a_log_that_is_gone(vault):
    vault.log.unlink()
    found = findings(vault, status=1)
    assert found["audit-chain"]["severity"] == "bad" and "envseal audit accept" in found["audit-chain"]["remedy"]
    assert findings(vault, *with_passphrase(vault), status=1)["vault-verify"]["severity"] == "bad"


def test_a_changed_value_shows_with_the_passphrase(vault):
    data = bytearray(vault.database.read_bytes())
    at = data.rindex(b"API_TOKEN")
    data[at:at + 9] = b"API_TOKEX"
    vault.database.write_bytes(data)
    assert [finding["severity"] for finding in findings(vault, *with_passphrase(vault),
                                                        status=1).values()].count("bad") >= 1
