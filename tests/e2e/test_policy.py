"""`policy`: rules are made, shown, removed, exchanged, explained and tested; and what a run makes of them."""

import hashlib
import json
import shlex
import shutil
import subprocess

import pytest

from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, binary, copy_vault, direct_only, finish

pytestmark = direct_only("the rules of this vault are what is tested")

SYSTEM = {"path": "/usr/bin/true", "binding": "system", "digest": "0" * 64}


def rules(vault, *options):
    return {rule["id"]: rule for rule in json.loads(vault.ok("policy", "export", *options).out)["rules"]}


def allow(vault, *words, status=0, **more):
    return vault.run("policy", "allow", *words, status=status, **more)


def deny(vault, *words, status=0, **more):
    return vault.run("policy", "deny", *words, status=status, **more)


def explain(vault, *words, status, **more):
    return vault.run("policy", "explain", "--json", *words, status=status, **more).json()


def records(vault, kind):
    return [record for record in vault.records() if record["kind"] == kind]


def rule_of(**more):
    return {"id": "one", "effect": "deny", "secrets": ["X"], "program": {"binding": "any"}, "argv": {"mode": "any"},
            "created": 1700000000} | more


def set_of(*items):
    return {"version": 1, "rules": list(items)}


def file_of(vault, content, name="rules.json"):
    path = vault.work / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


# --------------------------------------------------------------------------------------------------------- allow, deny


def test_allow_makes_a_rule_that_a_run_uses(vault):
    allow(vault, "-s", "API_TOKEN", "--", "true")
    rule = rules(vault)["rule-1"]
    assert rule.pop("created") > 1700000000 and rule.pop("paired", True)
    assert rule == {"id": "rule-1", "effect": "allow", "secrets": ["API_TOKEN"], "variables": ["API_TOKEN"],
                    "deliveries": ["variable"], "program": {"binding": "system", "path": "/usr/bin/true"},
                    "argv": {"mode": "exact", "arguments": ["/usr/bin/true"]}, "directory": str(vault.work)}
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    [record] = records(vault, "run.intent")
    assert record["decision"] == {"effect": "allow", "rules": ["rule-1"], "by": "rule", "level": "standard"}


def test_deny_refuses_a_run(vault):
    deny(vault, "-s", "API_TOKEN", "--", "true")
    result = vault.run("run", "-s", "API_TOKEN", "--", "true", status=125)
    assert "rule-1" in result.talk and "envseal policy rm rule-1" in result.talk
    vault.ok("run", "-s", "API_TOKEN", "--", "echo")


def test_deny_without_a_program_is_for_all(vault):
    deny(vault, "-s", "team/*", "--id", "team")
    rule = rules(vault)["team"]
    assert (rule["program"], rule["argv"], rule["secrets"]) == ({"binding": "any"}, {"mode": "any"}, ["team/*"])
    assert "directory" not in rule and "deliveries" not in rule
    vault.run("run", "-s", "team/deploy-key", "--", "true", status=125)
    vault.ok("run", "-s", "API_TOKEN", "--", "true")


def test_each_way_of_giving_has_a_rule(vault):
    allow(vault, "-s", "API_TOKEN", "-s", "DATABASE_URL=DB:file", "-s", "team/deploy-key=-", "-s", "x/*=X_*", "-s",
          "tag:blue=BLUE_*", "--id", "all", "--", "true")
    made = rules(vault)
    assert [(made[name]["deliveries"], made[name]["secrets"], made[name].get("variables")) for name in ("all", "all-2", "all-3")] == [
        (["variable"], ["API_TOKEN", "x/*", "tag:blue"], ["API_TOKEN", "X_*", "BLUE_*"]),
        (["file"], ["DATABASE_URL"], ["DB"]), (["stdin"], ["team/deploy-key"], None)]
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    assert explain(vault, "-s", "DATABASE_URL=DB:file", "--", "true", status=0)["effect"] == "allow"
    assert explain(vault, "-s", "DATABASE_URL=DB", "--", "true", status=1)["secrets"][0]["nearest"]["reason"] == "other-delivery"


def test_tags_allow_by_tag(vault):
    vault.ok("tag", "API_TOKEN", "--add", "blue")
    allow(vault, "-s", "tag:blue=API_*", "--", "true")
    assert explain(vault, "-s", "API_TOKEN", "--", "true", status=0)["effect"] == "allow"
    assert explain(vault, "-s", "DATABASE_URL=API_URL", "--", "true", status=1)["effect"] == "ask"


def test_options_of_a_rule(vault):
    sub = vault.work / "sub"
    sub.mkdir()
    allow(vault, "-s", "API_TOKEN", "--id", "a.b-1", "--argv", "prefix", "--dir", "sub/../sub", "--tier", "hardened",
          "--redaction", "--for", "8h", "--uses", "3", "--boot", "--", "ls", "-l")
    rule = rules(vault, "--all")["a.b-1"]
    assert rule["argv"] == {"mode": "prefix", "arguments": ["/usr/bin/ls", "-l"]}
    assert (rule["directory"], rule["tier"], rule["redaction"], rule["uses"]) == (str(sub), "hardened", True, 3)
    assert rule["expires"] - rule["created"] == 8 * 3600 and len(rule["boot"]) == 36
    assert rules(vault) == {}
    allow(vault, "-s", "API_TOKEN", "--dir", "any", "--argv", "any", "--", "ls")
    assert "directory" not in rules(vault)["rule-1"] and rules(vault)["rule-1"]["argv"] == {"mode": "any"}


def test_a_prefix_and_a_folder_allow_no_more_than_they_say(vault):
    (vault.work / "in").mkdir()
    allow(vault, "-s", "API_TOKEN", "--argv", "prefix", "--dir", "in", "--", "ls", "-l")
    words = ("-s", "API_TOKEN", "--", "ls")
    assert explain(vault, *words, "-l", "x", status=0, cwd=vault.work / "in")["effect"] == "allow"
    for more, cwd, reason in ((["-l"], vault.work, "other-directory"), (["-a", "-l"], vault.work / "in", "other-arguments")):
        found = explain(vault, *words, *more, status=1, cwd=cwd)["secrets"][0]["nearest"]
        assert (found["id"], found["reason"]) == ("rule-1", reason)


@pytest.mark.parametrize("mode", ["any", "prefix"])
@pytest.mark.parametrize("program", ["sh", "python3", "make", "curl", "env"])
def test_open_ended_programs_need_exact_arguments(vault, mode, program):
    if not shutil.which(program, path="/usr/bin:/bin"):
        pytest.skip(f"{program} is not installed")
    result = allow(vault, "-s", "API_TOKEN", "--argv", mode, "--", program, "x", status=2)
    assert "leave --argv out" in result.talk and "script" in result.talk
    assert rules(vault) == {}


def test_a_changed_program_is_asked_about_again(vault):
    program = vault.work / "tool"
    shutil.copy("/usr/bin/true", program)
    allow(vault, "-s", "API_TOKEN", "--", "./tool")
    rule = rules(vault)["rule-1"]
    assert rule["program"]["binding"] == "exact"
    assert rule["program"]["digest"] == hashlib.blake2b(program.read_bytes(), digest_size=32).hexdigest()
    shutil.copy("/usr/bin/false", program)
    found = explain(vault, "-s", "API_TOKEN", "--", "./tool", status=1)["secrets"][0]["nearest"]
    assert (found["id"], found["reason"]) == ("rule-1", "program-changed")
    assert vault.ok("policy", "list", "--json").json()["states"] == {"rule-1": "changed"}
    program.unlink()
    assert vault.ok("policy", "list", "--json").json()["states"] == {"rule-1": "gone"}
    assert "  state       gone\n" in vault.ok("policy", "list").text


def test_a_script_behind_env_is_seen_in_the_list(vault):
    script = vault.work / "report"
    script.write_text("#!/usr/bin/env python3\n")
    script.chmod(0o755)
    allow(vault, "-s", "API_TOKEN", "--", "./report")
    assert vault.ok("policy", "list", "--json").json()["states"] == {"rule-1": "ok"}


def test_a_changed_script_is_asked_about_again(vault):
    script = vault.work / "deploy.py"
    script.write_text("print(1)\n")
    words = ("-s", "API_TOKEN", "--", "python3", "deploy.py")
    allow(vault, *words)
    assert rules(vault)["rule-1"]["script"]["path"] == str(script.resolve())
    assert explain(vault, *words, status=0)["effect"] == "allow"
    script.write_text("print(2)\n")
    found = explain(vault, *words, status=1)
    assert found["secrets"][0]["nearest"]["reason"] == "script-changed"
    assert vault.ok("policy", "list", "--json").json()["states"] == {"rule-1": "changed"}
    assert found["next"] == "envseal policy allow -s API_TOKEN -- python3 deploy.py"
    script.unlink()
    assert vault.ok("policy", "list", "--json").json()["states"] == {"rule-1": "gone"}


def test_kept_variables_are_part_of_a_rule(vault):
    allow(vault, "-s", "API_TOKEN", "--keep-env", "LD_LIBRARY_PATH", "--", "true")
    assert rules(vault)["rule-1"]["environment"] == ["LD_LIBRARY_PATH"]
    words = ("-s", "API_TOKEN", "--", "true")
    assert explain(vault, "--keep-env", "LD_LIBRARY_PATH", *words, status=0)["effect"] == "allow"
    assert explain(vault, *words, status=0)["effect"] == "allow"
    found = explain(vault, "--keep-env", "LD_PRELOAD", *words, status=1)
    assert found["secrets"][0]["nearest"]["reason"] == "kept-variable"
    assert found["next"] == "envseal policy allow -s API_TOKEN --keep-env LD_PRELOAD -- true"


def test_a_secret_goes_into_its_own_variable_alone(vault):
    allow(vault, "-s", "API_TOKEN=ONE", "-s", "DATABASE_URL=TWO", "--", "true")
    assert explain(vault, "-s", "DATABASE_URL=TWO", "-s", "API_TOKEN=ONE", "--", "true", status=0)["effect"] == "allow"
    found = explain(vault, "-s", "API_TOKEN=TWO", "--", "true", status=1)
    assert found["secrets"][0]["nearest"]["reason"] == "other-variable"


def test_the_same_rule_is_there_once(vault):
    allow(vault, "-s", "API_TOKEN", "--", "true")
    result = allow(vault, "-s", "API_TOKEN", "--id", "again", "--", "true", status=1)
    assert "rule rule-1 says the same already" in result.talk
    allow(vault, "-s", "API_TOKEN", "--id", "rule-1", "--", "false", status=1)
    # Two rules, of which one is there: none is added.
    allow(vault, "-s", "API_TOKEN", "-s", "DATABASE_URL=D:file", "--", "true", status=1)
    assert set(rules(vault)) == {"rule-1"}


def test_a_notice_names_the_deny_that_overrules(vault):
    deny(vault, "-s", "team/*", "--id", "no")
    for words in (["-s", "team/deploy-key"], ["-s", "team/a*=A_*"]):
        result = allow(vault, *words, "--", "true")
        assert "rule no still denies" in result.talk and "envseal policy rm no" in result.talk
    assert "denies" not in allow(vault, "-s", "API_TOKEN", "--", "true").talk


SESSION = 'exec 3<"$2"; "$1" policy allow --passphrase-fd 3 -s API_TOKEN --session -- true && "$1" policy explain ' \
          '--passphrase-file "$2" -s API_TOKEN -- true'


def test_a_session_rule_ends_with_it(vault):
    words = ["/bin/sh", "-c", SESSION, "sh", binary(), str(vault.passphrase_file)]
    done = subprocess.run(words, env=vault.env, cwd=vault.work, capture_output=True, start_new_session=True, timeout=60)
    assert done.returncode == 0, done
    rule = rules(vault, "--all")["grant-1"]
    assert rule["session"]["pid"] > 0 and rule["boot"]
    assert explain(vault, "-s", "API_TOKEN", "--", "true", status=1)["secrets"][0]["nearest"]["reason"] == "other-session"
    assert vault.ok("policy", "list", "--json").json()["states"] == {"grant-1": "ended"}
    # It is its own session's leader here.
    assert "no session" in allow(vault, "-s", "API_TOKEN", "--session", "--", "true", status=2).talk


BAD_ALLOW = [
    ([], 2, "name them with -s NAME"), (["-s", "NOT_THERE"], 1, "there is no secret NOT_THERE"), (["-s", "a b"], 2, "name"),
    (["-s", "db/*"], 2, "into which variables"), (["-s", "tag:x"], 2, "into which variables"), (["-s", "db/\x1b*=X"], 2, "secrets"),
    (["-s", "API_TOKEN="], 2, "-s wants"), (["-s", "API_TOKEN=LD_PRELOAD"], 2, "LD_PRELOAD"),
    (["-s", "db/*=LD_*"], 2, "steers"), (["-s", "API_TOKEN", "--id", "a/b"], 2, "'id'"),
    (["-s", "API_TOKEN", "--id", "x" * 65], 2, "--id is too long"), (["-s", "API_TOKEN", "--id", "a\nb"], 2, "'id'"),
    (["-s", "API_TOKEN", "--for", "0"], 2, "--for"), (["-s", "API_TOKEN", "--for", "0h"], 2, "--for"),
    (["-s", "API_TOKEN", "--for", "2030-01-01"], 2, "--for"), (["-s", "API_TOKEN", "--for", "99999999999h"], 2, "--for"),
    (["-s", "API_TOKEN", "--uses", "0"], 2, "--uses"), (["-s", "API_TOKEN", "--uses", "1000001"], 2, "--uses"),
    (["-s", "API_TOKEN", "--uses", "9" * 40], 2, "--uses"), (["-s", "API_TOKEN", "--argv", "some"], 2, "--argv"),
    (["-s", "API_TOKEN", "--tier", "none"], 2, "--tier"), (["-s", "API_TOKEN", "--dir", "nowhere"], 2, "nowhere"),
    (["-s", "API_TOKEN", "--dir", "/etc/passwd"], 2, "not a folder"), (["-s", "API_TOKEN", "--keep-env", "PATH"], 2, "PATH"),
    (["-s", "API_TOKEN"] * 300, 2, "at most 64"), (["-s", "API_TOKEN"] * 600, 2, "too many options"), (["-s", "API_TOKEN"] * 65, 2, "at most 64"),
]


@pytest.mark.parametrize("words, status, text", BAD_ALLOW, ids=[str(number) for number in range(len(BAD_ALLOW))])
def test_what_allow_refuses(shared, words, status, text):
    before = rules(shared, "--all")
    result = allow(shared, *words, "--", "true", status=status)
    assert text in result.talk and "\x1b" not in result.talk and rules(shared, "--all") == before


def test_ids_of_several_rules_fit(vault):
    words = ("-s", "API_TOKEN", "-s", "DATABASE_URL=D:file", "--id")
    assert "at most" in allow(vault, *words, "x" * 63, "--", "true", status=2).talk
    allow(vault, *words, "x" * 62, "--", "true")
    assert set(rules(vault)) == {"x" * 62, "x" * 62 + "-2"}


def test_what_the_command_line_wants(shared):
    allow(shared, "-s", "API_TOKEN", status=2)
    allow(shared, "-s", "API_TOKEN", "--", status=2)
    deny(shared, "-s", "API_TOKEN", "--", status=2)
    deny(shared, "-s", "API_TOKEN=X", "--", "true", status=2)
    deny(shared, "-s", "API_TOKEN", "--argv", "any", status=2)
    deny(shared, "-s", "API_TOKEN", "--uses", "1", "--", "true", status=2)
    allow(shared, "-s", "API_TOKEN", "--", "not-a-program-at-all", status=127)
    allow(shared, "-s", "API_TOKEN", "--", "true", "a\x01b", status=2)
    assert rules(shared, "--all") == {}


def test_nothing_happens_without_the_passphrase(vault):
    for words in (["allow", "-s", "API_TOKEN", "--", "true"], ["deny", "-s", "API_TOKEN"], ["list"], ["export"], ["rm", "x"],
                  ["explain", "-s", "API_TOKEN", "--", "true"], ["import", file_of(vault, set_of())]):
        vault.run("policy", *words, passphrase=False, status=4)
    vault.write_passphrase("not the passphrase")
    vault.run("policy", "allow", "-s", "API_TOKEN", "--", "true", status=5)
    vault.write_passphrase(PASSPHRASE)
    assert rules(vault, "--all") == {} and records(vault, "policy.allow") == []


# --------------------------------------------------------------------------------------------------- on the terminal


def test_the_rule_is_shown_before_the_passphrase(vault):
    child = vault.spawn("policy", "allow", "-s", "API_TOKEN", "--uses", "2", "--", "echo", "a\x1b[2Jb", "two  blanks")
    text, status = finish(child)
    assert status == 2 and "\x1b" not in text
    child = vault.spawn("policy", "allow", "-s", "API_TOKEN", "--uses", "2", "--", "echo", "one\ttab", "x" + " " * 300 + "y")
    child.expect("Passphrase to add this rule: ")
    shown = child.before
    assert "from now on these secrets are given without a question" in shown
    for part in ("secrets     API_TOKEN", "in variable ", "$API_TOKEN", "/usr/bin/echo", "only root can change it",
                 "after 2 more uses", str(vault.work)):
        assert part in shown
    assert " " * 20 not in shown and "\t" not in shown
    assert rules(vault, "--all") == {}
    child.sendline(PASSPHRASE)
    text, status = finish(child)
    assert status == 0 and "grant-1  allow" in text
    assert set(rules(vault, "--all")) == {"grant-1"}


def test_what_cannot_be_read_is_not_asked(vault):
    child = vault.spawn("policy", "allow", "-s", "API_TOKEN", "--", "echo", *("y" * 1000 for _ in range(20)))
    text, status = finish(child)
    assert status == 4 and "more than can be read" in text and "Passphrase" not in text


# ------------------------------------------------------------------------------------------------------- rm, records


def test_rm_is_all_or_none(vault):
    for name in ("one", "two", "three"):
        deny(vault, "-s", "API_TOKEN", "--id", name, "--dir", vault.work if name == "one" else "/" if name == "two" else "any")
    assert "there is no rule four" in vault.run("policy", "rm", "one", "four", status=1).talk
    assert set(rules(vault)) == {"one", "two", "three"}
    result = vault.ok("policy", "rm", "two", "one", "two", "--json").json()
    assert result["removed"] == ["one", "two"] and set(rules(vault)) == {"three"}
    vault.run("policy", "rm", status=2)
    assert "\x1b" not in vault.run("policy", "rm", "a\x1b[2Jb", status=1).talk


def test_changes_are_recorded_without_arguments(vault):
    allow(vault, "-s", "API_TOKEN", "--id", "one", "--", "echo", "not-for-the-log")
    deny(vault, "-s", "team/*", "--id", "two")
    vault.ok("policy", "rm", "one", "two")
    [made], [refused], [removed] = (records(vault, f"policy.{kind}") for kind in ("allow", "deny", "rm"))
    assert made["secrets"] == ["API_TOKEN"] and made["rules_left_out"] == 0
    rule = made["rules"][0]
    assert len(rule.pop("argv_digest")) == 64 and rule.pop("paired") in (True, False)
    assert rule == {"id": "one", "effect": "allow", "secrets": ["API_TOKEN"], "variables": ["API_TOKEN"], "program": "/usr/bin/echo",
                    "binding": "system", "argv": "exact", "script": None, "environment": [], "directory": str(vault.work),
                    "tier": "standard", "read": [], "write": [], "network": "host", "endpoints": [], "shield": True,
                    "degrade": False, "redaction": False, "expires": 0, "uses": None, "boot": False, "session": 0}
    assert refused["rules"][0]["program"] is None and refused["rules"][0]["argv_digest"] is None
    assert [rule["id"] for rule in removed["rules"]] == ["one", "two"]
    assert b"not-for-the-log" not in vault.log.read_bytes()
    shown = vault.ok("audit", "show", "--kind", "policy").text
    assert [line.split()[2] for line in shown.splitlines()] == ["policy.allow", "policy.deny", "policy.rm"]
    vault.check()
    assert_nowhere(SECRETS.values(), vault.log.read_bytes())


# ----------------------------------------------------------------------------------------------------- export, import


def test_export_and_import_are_inverse(vault, tmp_path_factory):
    allow(vault, "-s", "API_TOKEN", "--id", "one", "--", "echo", "é", "line\nbreak")
    deny(vault, "-s", "team/*", "--id", "two")
    allow(vault, "-s", "API_TOKEN", "--id", "soon", "--for", "8h", "--", "ls")
    exported = vault.ok("policy", "export").out
    assert set(rules(vault)) == {"one", "two"} and set(rules(vault, "--all")) == {"one", "two", "soon"}
    assert exported.endswith(b"}\n") and exported.count(b"\n") == 1 and exported.isascii()
    other = copy_vault(vault, tmp_path_factory.mktemp("other"))
    other.ok("policy", "rm", "one", "two", "soon")
    result = other.ok("policy", "import", file_of(other, exported.decode()))
    assert result.text == "added    one\nadded    two\n" and "2 added, 0 changed, 0 removed" in result.talk
    assert other.ok("policy", "export").out == exported
    again = other.ok("policy", "import", file_of(other, exported.decode()), "--json").json()
    assert (again["added"], again["unchanged"]) == ([], ["one", "two"])
    assert len(records(other, "policy.import")) == 1
    other.check()


def test_import_changes_only_when_told(vault):
    file = file_of(vault, set_of(rule_of(), rule_of(id="two")))
    vault.ok("policy", "import", file)
    changed = file_of(vault, set_of(rule_of(secrets=["Y"]), rule_of(id="three")), "changed.json")
    assert "rule one already" in vault.run("policy", "import", changed, status=1).talk
    assert set(rules(vault)) == {"one", "two"}
    dry = vault.ok("policy", "import", changed, "--force", "--dry-run")
    assert dry.text == "changed  one\nadded    three\n" and "--dry-run" in dry.talk
    assert rules(vault)["one"]["secrets"] == ["X"]
    vault.ok("policy", "import", changed, "--force")
    assert set(rules(vault)) == {"one", "two", "three"} and rules(vault)["one"]["secrets"] == ["Y"]
    result = vault.ok("policy", "import", file, "--replace", "--json").json()
    assert (result["changed"], result["unchanged"], result["removed"]) == (["one"], ["two"], ["three"])
    assert set(rules(vault)) == {"one", "two"} and rules(vault)["one"]["secrets"] == ["X"]


def test_replace_removes_what_the_file_lacks(vault):
    vault.ok("policy", "import", file_of(vault, set_of(rule_of(), rule_of(id="two"))))
    result = vault.ok("policy", "import", "--replace", file_of(vault, set_of(rule_of(secrets=["Z"]), rule_of(id="nine"))))
    assert result.text == "added    nine\nchanged  one\nremoved  two\n"
    assert set(rules(vault)) == {"one", "nine"}
    record = records(vault, "policy.import")[-1]
    assert record["removed"] == ["two"] and record["replace"] is True
    assert sorted(rule["id"] for rule in record["rules"]) == ["nine", "one", "two"]
    vault.ok("policy", "import", "--replace", file_of(vault, set_of()))
    assert rules(vault) == {}


def test_import_asks_on_the_terminal(vault):
    file = file_of(vault, set_of(rule_of(id="one", secrets=["API_TOKEN"])))
    for answer, status, there in (("n", 4, set()), ("y", 0, {"one"})):
        child = vault.spawn("policy", "import", file)
        child.expect("Passphrase: ")
        child.sendline(PASSPHRASE)
        child.expect(r"Take these changes\? \[y/N\] ")
        assert "add one  deny" in child.before and "program     any" in child.before
        child.send(answer + "\r")
        assert finish(child)[1] == status
        assert set(rules(vault)) == there


def test_a_change_meanwhile_is_not_overwritten(vault):
    file = file_of(vault, set_of(rule_of(id="one")))
    child = vault.spawn("policy", "import", "--replace", file)
    child.expect("Passphrase: ")
    child.sendline(PASSPHRASE)
    child.expect(r"Take these changes\? \[y/N\] ")
    deny(vault, "-s", "API_TOKEN", "--id", "meanwhile")
    child.send("y\r")
    text, status = finish(child)
    assert status == 4 and "changed meanwhile" in text and set(rules(vault)) == {"meanwhile"}


BAD_SETS = [
    ("", 2), ("[]", 2), ("{}", 2), ("nonsense", 2), (json.dumps(set_of()) + "x", 2), ('{"version":2,"rules":[]}', 2),
    ('{"version":1,"rules":[],"more":1}', 2), ('{"version":1,"version":1,"rules":[]}', 2),
    ('{"version":1,"rules":' + "[" * 5000 + "]" * 5000 + "}", 2), ('{"version":1e400,"rules":[]}', 2),
    ('{"version":' + "9" * 400 + ',"rules":[]}', 2), (set_of(rule_of(extra=1)), 2), (set_of(rule_of(), rule_of()), 2),
    (set_of(rule_of(id="a/b")), 2), (set_of(rule_of(id="a\u001bb")), 2), (set_of(rule_of(effect="allow")), 2),
    (set_of(rule_of(expires=1700000001)), 2), (set_of(rule_of(created=99999999999)), 2), (set_of(rule_of(uses=0)), 2),
    (set_of(rule_of(secrets=["x"] * 65)), 2), (set_of(rule_of(secrets=["\u202e"])), 2), (set_of(rule_of(created=1.5)), 2),
    (set_of(rule_of(boot="01234567-89ab-cdef-0123-456789abcdef")), 2),
    (set_of(*(rule_of(id=f"r{number}") for number in range(16385))), 2),
    ('{"version":1,"rules":[]' + " " * (16 << 20) + "}", 2), ("\x00" * 10, 2),
]


@pytest.mark.parametrize("content, status", BAD_SETS, ids=[str(number) for number in range(len(BAD_SETS))])
def test_bad_sets_change_nothing(shared, content, status):
    before = rules(shared, "--all")
    result = shared.run("policy", "import", file_of(shared, content), "--force", status=status)
    assert result.talk.count("\n") == 1 and "\x1b" not in result.talk and "\u202e" not in result.talk
    assert rules(shared, "--all") == before and result.out == b""


def test_files_that_are_none(shared, fifo):
    loop = shared.work / "loop"
    loop.symlink_to("loop")
    for path, status in ((shared.work, 2), (loop, 2), (shared.work / "nowhere", 1), ("/dev/null", 2), ("/dev/zero", 2)):
        shared.run("policy", "import", path, status=status)
        shared.run("policy", "test", path, status=status)
    # A pipe is read, as from process substitution.
    child = shared.popen("policy", "import", fifo, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    fifo.write_text("{")
    assert child.wait(60) == 2
    child.communicate()


def test_many_rules(vault):
    """As many as there can be go in and come out."""
    many = set_of(*(rule_of(id=f"r{number:05}") for number in range(16384)))
    vault.ok("policy", "import", file_of(vault, many))
    assert len(rules(vault)) == 16384
    more = file_of(vault, set_of(rule_of(id="more")), "more.json")
    for option in ([], ["--dry-run"]):
        assert "16385 rules" in vault.run("policy", "import", more, *option, status=2).talk
    assert "16384" in deny(vault, "-s", "API_TOKEN", status=2).talk
    [record] = records(vault, "policy.import")
    assert record["rules_left_out"] == 16384 - len(record["rules"]) > 0
    found = explain(vault, "-s", "API_TOKEN", "--", "true", status=1)["secrets"][0]
    assert (found["rules_for_other_secrets"], found["rules"]) == (16384, [])
    vault.check()


# ------------------------------------------------------------------------------------------------------------- explain


def test_explain_says_which_rule_and_why(vault):
    allow(vault, "-s", "API_TOKEN", "--id", "exact", "--", "echo", "a")
    allow(vault, "-s", "API_TOKEN", "--id", "wide", "--argv", "prefix", "--", "echo")
    deny(vault, "-s", "team/*", "--id", "no")
    found = explain(vault, "-s", "API_TOKEN", "--", "echo", "a", status=0)
    [secret] = found["secrets"]
    assert (found["effect"], found["next"], secret["rule"], secret["nearest"]) == ("allow", None, "exact", None)
    assert [(rule["id"], rule["reason"]) for rule in secret["rules"]] == [("exact", "decides"), ("wide", "less-specific")]
    assert secret["rules_for_other_secrets"] == 1
    found = explain(vault, "-s", "API_TOKEN", "-s", "team/deploy-key", "--", "echo", "b", status=1)
    assert [secret["rule"] for secret in found["secrets"]] == ["wide", "no"]
    assert (found["effect"], found["next"]) == ("deny", "envseal policy rm no")
    text = vault.run("policy", "explain", "-s", "API_TOKEN", "--", "true", status=1).text
    assert text.splitlines()[:2] == ["ask  /usr/bin/true", "API_TOKEN in $API_TOKEN: ask; rule exact came nearest: it is for another program"]
    assert text.endswith("to allow it:\n  envseal policy allow -s API_TOKEN -- true\n")


def test_explain_takes_the_manifest(vault):
    (vault.work / ".envseal").write_text("TOKEN=API_TOKEN\n")
    found = explain(vault, "--", "true", status=1)
    assert [(secret["name"], secret["variable"]) for secret in found["secrets"]] == [("API_TOKEN", "TOKEN")]
    assert found["next"] == "envseal policy allow -s API_TOKEN=TOKEN -- true"


def test_explain_runs_and_changes_nothing(vault):
    mark = vault.work / "mark"
    before = len(vault.records())
    explain(vault, "-s", "API_TOKEN", "--", "touch", mark, status=1)
    assert not mark.exists() and len(vault.records()) == before


HARD_WORDS = [
    ["plain", "a b", "", "it's", '"', "$HOME", "`id`", "a\\b", "*", "~", "!!", "x=1", "=x", "--", "-n", "{a,b}", "a;b", "a|b", "#x", "^x"],
    ["two  blanks", "a\nb", "a\n7", "tab\there", "100%d", "%s\n%d", "é", "日本\n", "ends\n", "many\n\n\n", "-\n", "a'\n'b", "\\n\n", "a!b\nc!"],
]


@pytest.mark.parametrize("words", HARD_WORDS, ids=["ascii", "printf"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "dash"])
def test_the_next_command_works_when_pasted(vault, tmp_path, shell, words):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    if shell == "dash":
        words = [word for word in words if not word.endswith("\n")]
    tool = tmp_path / "bin" / "envseal"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nfirst=$1 second=$2\nshift 2\nexec {shlex.quote(binary())} "$first" "$second" '
                    f'--passphrase-file {shlex.quote(str(vault.passphrase_file))} "$@"\n')
    tool.chmod(0o755)
    run = ("-s", "API_TOKEN", "-s", "team/deploy-key=KEY:file", "--", "echo", *words)
    command = explain(vault, *run, status=1)["next"]
    assert command.isascii() and command.isprintable() and "  " not in command
    env = vault.env | {"PATH": f"{tool.parent}:{vault.env['PATH']}"}
    options = {"bash": ["--norc"], "zsh": ["-f"], "dash": []}[shell]
    done = subprocess.run([shell, *options, "-c", command], env=env, cwd=vault.work, capture_output=True, timeout=60)
    assert done.returncode == 0, (command, done)
    assert explain(vault, *run, status=0)["effect"] == "allow"


def test_rules_that_ask_are_named_where_an_allow_is_not_enough(vault):
    ask = rule_of(id="ask", effect="ask", secrets=["API_TOKEN"], program={"binding": "system", "path": "/usr/bin/true"},
                  argv={"mode": "exact", "arguments": ["/usr/bin/true"]}, directory=str(vault.work))
    vault.ok("policy", "import", file_of(vault, set_of(ask)))
    found = explain(vault, "-s", "API_TOKEN", "--", "true", status=1)
    assert (found["secrets"][0]["rule"], found["next"]) == ("ask", "envseal policy rm ask")
    # A wider one is overruled by what is more specific.
    vault.ok("policy", "import", "--force", file_of(vault, set_of(ask | {"directory": "/"})))
    assert explain(vault, "-s", "API_TOKEN", "--", "true", status=1)["next"] == "envseal policy allow -s API_TOKEN -- true"


def test_where_no_rule_can_allow_it(vault):
    found = explain(vault, "-s", "API_TOKEN", "--", "echo", "a\x01b", status=1)
    assert "control characters" in found["no_next"] and "next" not in found
    assert "no rule can allow it" in vault.run("policy", "explain", "-s", "API_TOKEN", "--", "echo", "\x01", status=1).text


def test_what_explain_refuses(shared):
    for words, status in ((["-s", "NOT_THERE", "--", "true"], 1), (["--", "true"], 2), (["-s", "API_TOKEN"], 2),
                          (["-s", "API_TOKEN", "--", "nothing-like-this"], 127), (["-s", "db/*=X", "--", "true"], 2)):
        shared.run("policy", "explain", *words, status=status)


# ---------------------------------------------------------------------------------------------------------------- test


def case_of(**more):
    return {"name": "a case", "secrets": [{"name": "X", "delivery": "variable", "variable": "X"}], "program": SYSTEM,
            "argv": ["true"], "directory": "/work", "expect": "deny"} | more


def cases_of(*cases, rules=None):
    return {"version": 1, "cases": list(cases), "rules": set_of(rule_of()) if rules is None else rules}


ALLOW = rule_of(id="yes", effect="allow", secrets=["Y", "tag:blue"], program={"binding": "system", "path": "/usr/bin/true"},
                argv={"mode": "prefix", "arguments": ["true"]}, deliveries=["variable"], variables=["Y*"], directory="/work",
                redaction=True, expires=1800000000)
BLUE = [{"name": "B", "tags": ["red", "blue"], "delivery": "variable", "variable": "Y1"}]


def test_cases_that_pass_and_fail(no_vault):
    wanted = set_of(rule_of(), ALLOW)
    good = [case_of(rule="one"), case_of(secrets=BLUE, expect="allow", rule="yes"),
            case_of(secrets=BLUE, expect="ask", directory="/else"), case_of(secrets=BLUE, expect="ask", redaction=False),
            case_of(secrets=BLUE, expect="ask", now=1800000000), case_of(secrets=BLUE, expect="allow", argv=["true", "x"]),
            case_of(secrets=BLUE, expect="ask", kept=["PYTHONPATH"]), case_of(secrets=BLUE, expect="ask", script_unread=True),
            case_of(secrets=BLUE, expect="ask", program=SYSTEM | {"binding": "by-path"}),
            case_of(secrets=BLUE + [{"name": "X", "delivery": "stdin"}], expect="deny", rule="one")]
    result = no_vault.run("policy", "test", file_of(no_vault, cases_of(*good, rules=wanted)), passphrase=False, status=0)
    assert (result.text, result.talk) == (f"{len(good)} passed, 0 failed\n", "")
    bad = [case_of(name="wrong\x1b[2J", expect="allow"), case_of(rule="two"), case_of(secrets=BLUE, rule="one", expect="allow")]
    result = no_vault.run("policy", "test", file_of(no_vault, cases_of(*good, *bad, rules=wanted)), passphrase=False, status=1)
    lines = result.text.splitlines()
    assert lines[-1] == f"{len(good)} passed, 3 failed" and len(lines) == 4 and "\x1b" not in result.text
    assert lines[0] == "FAILED wrong\\x1b[2J: expected allow, got deny for X; rule one: it decides"
    assert "by rule two" in lines[1] and "rule yes" in lines[2]
    found = no_vault.run("policy", "test", file_of(no_vault, cases_of(*bad, rules=wanted)), "--json", passphrase=False,
                         status=1).json()
    assert (found["passed"], found["failed"], [row["ok"] for row in found["cases"]]) == (0, 3, [False] * 3)


OPEN = ALLOW | {"tier": "hardened", "read": ["/home/u/.aws"], "write": ["/srv"], "degrade": True}
OPENINGS = [
    ({}, "allow"), ({"tier": "hardened"}, "allow"), ({"tier": "lockdown"}, "allow"), ({"tier": "standard"}, "ask"),
    ({"read": ["/home/u/.aws/config"]}, "allow"), ({"read": ["/home/u"]}, "ask"), ({"write": ["/srv"]}, "allow"),
    ({"write": ["/srv", "/etc"]}, "ask"), ({"degrade": True}, "allow"), ({"shield": False}, "ask"),
    ({"shield": True, "degrade": False, "network": "none"}, "allow"), ({"network": "loopback"}, "ask"),
    ({"network": "allow", "endpoints": ["a.example:443"]}, "ask"),
]


@pytest.mark.parametrize("asked, expect", OPENINGS, ids=[str(number) for number in range(len(OPENINGS))])
def test_cases_about_the_sandbox(no_vault, asked, expect):
    case = case_of(secrets=BLUE, expect=expect, now=1750000000, **asked)
    result = no_vault.run("policy", "test", "--json", file_of(no_vault, cases_of(case, rules=set_of(OPEN))), passphrase=False)
    assert result.status == 0, result
    reason = result.json()["cases"][0]["reason"]
    assert reason == ("decides" if expect == "allow" else "weaker-tier" if asked.get("tier") else "other-sandbox")


def test_cases_for_the_rules_of_the_vault(vault):
    deny(vault, "-s", "X*", "--id", "one", status=0)
    cases = {"version": 1, "cases": [case_of(rule="one")]}
    assert vault.ok("policy", "test", file_of(vault, cases)).text == "1 passed, 0 failed\n"
    vault.run("policy", "test", file_of(vault, cases), passphrase=False, status=4)


def without(case, key):
    return {name: value for name, value in case.items() if name != key}


BAD_CASES = [
    "", "[]", "{}", '{"version":1}', {"version": 2, "cases": []}, {"version": "1", "cases": []}, {"version": 1, "cases": {}},
    {"version": 1, "cases": [], "more": 1}, '{"version":1,"version":1,"cases":[]}', '{"version":1,"cases":' + "[" * 5000,
    cases_of([]), cases_of(1), cases_of(rules=[]), cases_of(rules=set_of(rule_of(more=1))), cases_of(case_of(more=1)),
    *(cases_of(without(case_of(), key)) for key in ("name", "secrets", "program", "argv", "directory", "expect")),
    cases_of(case_of(name="x" * 256)), cases_of(case_of(name=1)), cases_of(case_of(secrets=[])), cases_of(case_of(secrets={})),
    cases_of(case_of(secrets=[{"name": "X"}])), cases_of(case_of(secrets=[{"name": "X", "delivery": "air"}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "variable"}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "stdin", "variable": "X"}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "variable", "variable": "1"}])),
    cases_of(case_of(secrets=[{"name": "a b", "delivery": "stdin"}])), cases_of(case_of(secrets=[{"name": "X", "delivery": "stdin", "x": 1}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "stdin", "tags": ["t"] * 65}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "stdin", "tags": [1]}])),
    cases_of(case_of(secrets=[{"name": "X", "delivery": "stdin"}] * 257)),
    cases_of(case_of(program={})), cases_of(case_of(program=SYSTEM | {"binding": "exact"})), cases_of(case_of(program=SYSTEM | {"digest": "0"})),
    cases_of(case_of(program=SYSTEM | {"path": "true"})), cases_of(case_of(program=SYSTEM | {"interpreter": {}})),
    cases_of(case_of(program=SYSTEM | {"interpreter": SYSTEM | {"interpreter": SYSTEM}})),
    cases_of(case_of(argv=[])), cases_of(case_of(argv=[1])), cases_of(case_of(argv="true")), cases_of(case_of(argv=["x"] * 4097)),
    cases_of(case_of(directory="work")), cases_of(case_of(directory=1)), cases_of(case_of(expect="maybe")), cases_of(case_of(expect=1)),
    cases_of(case_of(tier="none")), cases_of(case_of(read="/a")), cases_of(case_of(write=["a"])), cases_of(case_of(write=["/a"] * 65)),
    cases_of(case_of(network="host")), cases_of(case_of(endpoints=[1])), cases_of(case_of(endpoints=["a:1"] * 33)),
    cases_of(case_of(shield=1)), cases_of(case_of(degrade="yes")), cases_of(case_of(redaction=1)), cases_of(case_of(now=0)), cases_of(case_of(now=-1)),
    cases_of(case_of(now=1.5)), cases_of(case_of(now=10 ** 30)), cases_of(case_of(boot=1)), cases_of(case_of(boot="x" * 37)),
    cases_of(case_of(session={})), cases_of(case_of(session={"pid": 0, "start": 1})), cases_of(case_of(session={"pid": 1, "start": 1, "x": 1})),
    cases_of(case_of(kept="X")), cases_of(case_of(kept=[1])), cases_of(case_of(kept=["X"] * 257)), cases_of(case_of(script={})),
    cases_of(case_of(script={"path": "x", "digest": "0" * 64})), cases_of(case_of(script={"path": "/x", "digest": 1})),
    cases_of(case_of(script_unread=0)), cases_of(case_of(boottime="1")), cases_of(case_of(rule=1)), cases_of(case_of(rule="x" * 65)),
    cases_of(*[case_of()] * 16385),
]


@pytest.mark.parametrize("content", BAD_CASES, ids=[str(number) for number in range(len(BAD_CASES))])
def test_bad_cases(no_vault, content):
    result = no_vault.run("policy", "test", file_of(no_vault, content), passphrase=False, status=2)
    assert result.out == b"" and result.talk.startswith("envseal: policy test: ") and result.talk.count("\n") == 1


def test_cases_say_what_the_vault_decides(vault):
    """The same question, asked of the run and as a case."""
    allow(vault, "-s", "API_TOKEN", "--id", "one", "--", "true")
    case = case_of(secrets=[{"name": "API_TOKEN", "delivery": "variable", "variable": "API_TOKEN"}], argv=["/usr/bin/true"],
                   directory=str(vault.work), expect="allow", rule="one")
    cases = {"version": 1, "cases": [case], "rules": json.loads(vault.ok("policy", "export").out)}
    assert vault.run("policy", "test", file_of(vault, cases), passphrase=False, status=0).text == "1 passed, 0 failed\n"
    assert explain(vault, "-s", "API_TOKEN", "--", "true", status=0)["secrets"][0]["rule"] == "one"


def test_words_of_pairs(vault):
    pair = rule_of(id="one", effect="allow", secrets=["A", "B"], variables=["X", "Y"], deliveries=["variable"], paired=True,
                   program={"binding": "system", "path": "/usr/bin/true"}, environment=["LD_LIBRARY_PATH"],
                   script={"path": "/x.py", "digest": "0" * 64}, argv={"mode": "exact", "arguments": ["true", "/x.py"]})
    vault.ok("policy", "import", file_of(vault, set_of(pair, pair | {"id": "two", "paired": False, "deliveries": ["file"]})))
    one, two = vault.ok("policy", "list").text.split("two  allow\n")
    assert "  in variable A as $X, B as $Y\n" in one and "  in file of  $X, $Y\n" in two
    assert "  script      /x.py  (with this content alone)\n" in one and "  may keep    $LD_LIBRARY_PATH\n" in one
    assert vault.ok("policy", "list", "--json").json()["states"] == {"one": "gone", "two": "gone"}


def test_rules_are_nowhere_in_the_open(vault):
    allow(vault, "-s", "API_TOKEN", "--id", "the-hidden-rule", "--", "echo", "hidden-argument")
    assert_nowhere([b"hidden-argument", b"the-hidden-rule"], vault.database.read_bytes())
    assert b"hidden-argument" not in vault.log.read_bytes()
