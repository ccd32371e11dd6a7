"""Approval on a terminal: the question, what an answer becomes, and when there is no question any more."""

import json
import os
import re
import shutil
import subprocess

import pexpect
import pytest

from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, direct_only, finish, spawn

pytestmark = direct_only("it asks on the asker's own terminal; tests/e2e/test_console.py asks elsewhere")

CONTROL_C, CONTROL_D = "\x03", "\x04"
QUESTION = "a program asks for secrets"
ONCE, SESSION, TIME, ALWAYS = (f"Passphrase to approve {words}: $" for words in (
    "once", "for this session", "for 8 hours", "always"))
PROMPTS = {"s": SESSION, "t": TIME, "a": ALWAYS}
PLAIN = r"(?:^|\n)Passphrase: $"
RUN = ["run", "-s", "API_TOKEN", "--"]


def script_make(vault, name, text):
    path = vault.work / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def deploy(vault):
    return script_make(vault, "deploy", "#!/bin/sh\necho deployed\n")


def approve(vault, words, letter="", passphrase=PASSPHRASE, **more):
    """Answers the whole question. -> what was shown, what came then, the status."""
    child = vault.spawn(*words, **more)
    return (*answer(child, letter, passphrase), *finish(child))


def answer(child, letter="", passphrase=PASSPHRASE):
    child.expect(ONCE)
    shown = child.before
    assert QUESTION in shown, shown
    for key in letter:
        child.send(key + "\r")
        child.expect(PROMPTS[key])
        shown += child.before
    child.send(passphrase + "\r")
    return (shown,)


def quiet(vault, words, **more):
    """A run that asks for the passphrase, and no more. -> what came then, the status"""
    child = vault.spawn(*words, **more)
    child.expect("Passphrase[^:]*: $")
    assert QUESTION not in child.before and child.after == "Passphrase: ", child.before + child.after
    child.send(PASSPHRASE + "\r")
    return finish(child)


def records(vault, kind):
    return [record for record in vault.records() if record["kind"] == kind]


def decision(vault):
    return records(vault, "run.intent")[-1]["decision"]


def rules(vault, *options):
    return {rule["id"]: rule for rule in json.loads(vault.ok("policy", "export", *options).out)["rules"]}


# ------------------------------------------------------------------------------------------------- what an answer becomes


def test_once_leaves_nothing(vault, deploy):
    for _ in range(2):
        _, text, status = approve(vault, [*RUN, deploy])
        assert status == 0 and "deployed" in text
        assert decision(vault) == {"effect": "ask", "rules": [], "by": "once", "level": "standard"}
    assert rules(vault, "--all") == {}


def test_always_becomes_a_rule(vault, deploy):
    shown, text, status = approve(vault, [*RUN, deploy], "a")
    assert status == 0 and "deployed" in text
    assert "as a rule, until `envseal policy rm` takes it away" in shown
    assert decision(vault) == {"effect": "ask", "rules": [], "by": "always", "level": "standard", "made": ["rule-1"]}
    [rule] = rules(vault).values()
    assert rule["made"] == "prompt" and rule["redaction"] is True and rule["directory"] == str(vault.work)
    assert rule["program"]["binding"] == "exact" and rule["argv"] == {"mode": "exact", "arguments": [str(deploy)]}
    text, status = quiet(vault, [*RUN, deploy])
    assert status == 0 and "deployed" in text
    assert decision(vault) == {"effect": "allow", "rules": ["rule-1"], "by": "rule", "level": "standard"}
    result = vault.ok(*RUN, deploy)
    assert QUESTION not in result.talk and decision(vault)["by"] == "rule"
    assert len(rules(vault)) == 1
    vault.check()
    assert_nowhere(SECRETS.values(), vault.log.read_bytes())


def test_the_rule_is_for_these_arguments_and_secrets(vault, deploy):
    approve(vault, [*RUN, deploy], "a")
    for words in ([*RUN, deploy, "more"], ["run", "-s", "API_TOKEN=OTHER", "--", deploy],
                  ["run", "-s", "API_TOKEN", "-s", "DATABASE_URL", "--", deploy]):
        assert approve(vault, words)[2] == 0
    folder = vault.work.parent / "elsewhere"
    folder.mkdir()
    assert approve(vault, [*RUN, deploy], cwd=folder)[2] == 0
    assert quiet(vault, [*RUN, deploy])[1] == 0


def test_a_letter_is_taken_back(vault, deploy):
    _, _, status = approve(vault, [*RUN, deploy], "ta")
    assert status == 0 and decision(vault)["by"] == "always"
    child = vault.spawn(*RUN, deploy, "x")
    child.expect(ONCE)
    child.send("a\r")
    child.expect(ALWAYS)
    child.send("o\r")
    child.expect(ONCE)
    child.send(PASSPHRASE + "\r")
    assert finish(child)[1] == 0 and decision(vault)["by"] == "once" and len(rules(vault, "--all")) == 1


@pytest.mark.parametrize("keys", ["d\r", "\r", CONTROL_C, CONTROL_D], ids=repr)
def test_a_human_who_denies(vault, deploy, keys):
    child = vault.spawn(*RUN, deploy)
    child.expect(ONCE)
    child.send("a\r")
    child.expect(ALWAYS)
    child.send(keys)
    text, status = finish(child)
    assert status == 125 and "deployed" not in text
    [record] = records(vault, "run.denied")
    assert record["by_human"] is True and record["secrets"][0]["name"] == "API_TOKEN"
    assert rules(vault, "--all") == {} and not records(vault, "run.intent")
    vault.check()


def test_a_wrong_passphrase_makes_no_rule(vault, deploy):
    _, text, status = approve(vault, [*RUN, deploy], "a", "not the passphrase")
    assert status == 125 and "deployed" not in text
    assert records(vault, "unlock.failed") and rules(vault, "--all") == {}


def test_a_grant_for_a_time(vault, deploy):
    shown, _, status = approve(vault, [*RUN, deploy], "t")
    assert status == 0 and "for 8 hours, or until a restart" in shown
    [grant] = vault.ok("grants", "--json").json()["grants"]
    assert grant["id"] == "grant-1" and grant["state"] == "ok" and "boot" in grant
    assert grant["expires"] - grant["created"] == 8 * 3600
    assert quiet(vault, [*RUN, deploy])[1] == 0
    assert decision(vault)["rules"] == ["grant-1"]
    vault.ok("grants", "rm", "grant-1")
    # The log still says that it was allowed, so the question comes behind the passphrase.
    child = vault.spawn(*RUN, deploy)
    child.expect(PLAIN)
    child.send(PASSPHRASE + "\r")
    answer(child)
    assert finish(child)[1] == 0 and decision(vault)["by"] == "once"
    assert approve(vault, [*RUN, deploy])[2] == 0


def shell(vault):
    """A shell that leads the session of its terminal."""
    env = vault.env | {"PS1": "ready> ", "E": " ".join(vault.words(RUN, passphrase=False))}
    child = spawn(["/bin/bash", "--norc", "--noprofile", "-i"], env=env, cwd=vault.work)
    child.expect("ready> ")
    child.sendline("bind 'set enable-bracketed-paste off'; stty -echo")
    child.expect("ready> ")
    return child


def test_a_grant_for_the_session(vault, deploy):
    first, other = shell(vault), shell(vault)
    first.sendline("$E ./deploy")
    [shown] = answer(first, "s")
    assert f"until the session of process {first.pid} ends" in shown
    first.expect("deployed.*ready> ")
    [grant] = vault.ok("grants", "--json").json()["grants"]
    assert grant["session"]["pid"] == first.pid and grant["session_alive"]
    first.sendline("$E ./deploy")
    first.expect("Passphrase[^:]*: $")
    assert first.after == "Passphrase: " and QUESTION not in first.before
    first.send(PASSPHRASE + "\r")
    first.expect("deployed.*ready> ")
    # Another session is asked, though the log says it was allowed.
    other.sendline("$E ./deploy")
    other.expect(PLAIN)
    other.send(PASSPHRASE + "\r")
    other.expect(ONCE)
    assert QUESTION in other.before
    other.send("d\r")
    other.expect("denied at the prompt.*ready> ")
    other.close(force=True)
    first.sendline("exit")
    first.expect(pexpect.EOF)
    first.close()
    [grant] = vault.ok("grants", "--json").json()["grants"]
    assert (grant["session_alive"], grant["state"]) == (False, "ended")


def test_what_no_rule_can_be_made_for(vault, deploy):
    child = vault.spawn("run", "-s", "API_TOKEN", "--by-path", "--", deploy)
    child.expect(ONCE)
    assert "always" not in child.before and "this session" not in child.before
    child.send("a\r")
    child.expect("that is none of the choices")
    child.expect(ONCE)
    child.send(PASSPHRASE + "\r")
    assert finish(child)[1] == 0 and rules(vault, "--all") == {}


# ------------------------------------------------------------------------------------------------------------ changes


def test_an_edited_script_is_asked_for_and_said(vault, deploy):
    approve(vault, [*RUN, deploy], "a")
    quiet(vault, [*RUN, deploy])
    deploy.write_text("#!/bin/sh\necho deployed another\n")
    shown, text, status = approve(vault, [*RUN, deploy], "a")
    assert status == 0 and "deployed another" in text
    assert "the program has changed since it last got these secrets, at 20" in shown
    assert decision(vault)["made"] == ["rule-2"]
    assert quiet(vault, [*RUN, deploy])[1] == 0 and decision(vault)["rules"] == ["rule-2"]


def test_another_interpreter_is_said(vault):
    own = vault.work / "own-shell"
    shutil.copy("/usr/bin/dash", own)
    script = script_make(vault, "tool", f"#!{own}\necho interpreted\n")
    approve(vault, [*RUN, script], "a")
    assert quiet(vault, [*RUN, script])[1] == 0
    with own.open("ab") as file:
        file.write(b"\0")
    shown, text, status = approve(vault, [*RUN, script])
    assert status == 0 and "the script's interpreter has changed since" in shown
    assert "the program has changed" not in shown


def test_by_option_a_change_is_a_notice(vault, deploy):
    result = vault.ok(*RUN, deploy)
    assert decision(vault) == {"effect": "ask", "rules": [], "by": "passphrase", "level": "standard"}
    assert "no longer covers" not in result.talk
    vault.ok("policy", "allow", "-s", "API_TOKEN", "--", deploy)
    vault.ok(*RUN, deploy)
    assert decision(vault)["by"] == "rule"
    deploy.write_text("#!/bin/sh\necho changed\n")
    result = vault.ok(*RUN, deploy)
    assert "rule rule-1 no longer covers API_TOKEN" in result.talk and "approved by the passphrase" in result.talk
    assert decision(vault)["by"] == "passphrase"


def normal_day(vault):
    (vault.work / "Makefile").write_text("test:\n\t@echo tested\n")
    (vault.work / "deploy.py").write_text("print('deployed')\n")
    script_make(vault, "npm-like", "#!/usr/bin/env python3\nprint('built')\n")
    return [(["make", "test"], "tested"), (["python3", "deploy.py"], "deployed"),
            (["openssl", "version"], "OpenSSL")]


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("openssl"), reason="wants make and openssl")
def test_a_normal_day(vault):
    """Three approvals, then thirty runs without a question; then one edit, which is said."""
    day = normal_day(vault)
    for words, says in day:
        _, text, status = approve(vault, [*RUN, *words], "a")
        assert status == 0 and says in text, text
    assert len(rules(vault)) == 3
    for words, says in day:
        text, status = quiet(vault, [*RUN, *words])
        assert status == 0 and says in text
        for _ in range(9):
            result = vault.ok(*RUN, *words)
            assert QUESTION not in result.talk and says in result.text
    runs = records(vault, "run.intent")
    assert len(runs) == 33 and all(run["decision"]["by"] == "rule" for run in runs[3:])
    (vault.work / "deploy.py").write_text("print('deployed otherwise')\n")
    shown, text, status = approve(vault, [*RUN, "python3", "deploy.py"])
    assert status == 0 and "deployed otherwise" in text
    assert "the file that the program is told to run has changed since it last got these secrets" in shown
    for words, _ in (day[0], day[2]):
        assert quiet(vault, [*RUN, *words])[1] == 0


def test_a_script_of_env(vault):
    """`#!/usr/bin/env python3` looks its interpreter up anew each time."""
    script = script_make(vault, "npm-like", "#!/usr/bin/env python3\nprint('built')\n")
    _, text, status = approve(vault, [*RUN, script], "a")
    assert status == 0 and "built" in text
    assert quiet(vault, [*RUN, script])[1] == 0


# ------------------------------------------------------------------------------------------------------- waiting values


@pytest.fixture
def waiting(vault):
    vault.ok("set", "NEW", "--generate", "20", "--locked", passphrase=False)
    return ["run", "-s", "NEW", "--", "sh", "-c", "test -n \"$NEW\" && echo started"]


def test_a_waiting_value_is_refused_by_option(vault, waiting):
    result = vault.run(*waiting, status=125)
    assert "NEW was stored while locked and is not confirmed" in result.talk and "envseal confirm NEW" in result.talk


@pytest.mark.parametrize("letter", ["", "a"], ids=["once", "always"])
def test_approving_takes_a_waiting_value(vault, waiting, letter):
    shown, text, status = approve(vault, waiting, letter)
    assert status == 0 and "started" in text
    assert re.search(r"NEW: stored while locked at \d{4}-\S+ and never confirmed; approving takes this value", shown)
    last = [record["kind"] for record in vault.records()][-3:]
    assert last == ["secret.confirm", "run.intent", "run.outcome"]
    assert records(vault, "secret.confirm")[0]["secrets"] == ["NEW"] and vault.entry("NEW")["value_version"] == 1
    assert len(rules(vault)) == len(letter)
    vault.ok(*waiting)
    vault.check()


def test_a_waiting_value_that_is_denied_stays(vault, waiting):
    child = vault.spawn(*waiting)
    answer(child, passphrase="d")
    assert finish(child)[1] == 125 and not records(vault, "secret.confirm")
    vault.run(*waiting, status=125)


def test_a_waiting_value_that_was_replaced_is_refused(vault, waiting):
    child = vault.spawn(*waiting)
    child.expect(ONCE)
    vault.ok("set", "NEW", "--generate", "20", "--locked", "--force", passphrase=False)
    child.send("a\r")
    child.expect(ALWAYS)
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 125 and "started" not in text and "NEW" in text
    assert not records(vault, "secret.confirm") and not records(vault, "run.intent") and rules(vault) == {}
    vault.run(*waiting, status=125)
    vault.check()


def test_a_rule_does_not_take_a_waiting_value(vault, waiting):
    """Nobody has seen it: the question is shown though a rule allows the run."""
    vault.ok("rm", "NEW", "--yes")
    vault.set("NEW", "confirmed-5Kd8")
    vault.ok("policy", "allow", "-s", "NEW", *waiting[3:])
    vault.ok("rm", "NEW", "--yes")
    vault.ok("set", "NEW", "--generate", "20", "--locked", passphrase=False)
    vault.run(*waiting, status=125)
    shown, _, status = approve(vault, waiting)
    assert status == 0 and "approving takes this value" in shown and decision(vault)["by"] == "rule"


@pytest.fixture
def replacing(vault):
    """A run of a secret whose confirmed value somebody wants to replace; it tells which value it got."""
    vault.set("NEW", "confirmed-5Kd8")
    vault.ok("set", "NEW", "--generate", "20", "--locked", "--force", passphrase=False)
    return ["run", "-s", "NEW", "--", "sh", "-c", "test \"$NEW\" = confirmed-5Kd8 && echo older || echo newer"]


@pytest.mark.parametrize("letters", [[], ["c", "c"]], ids=["untouched", "twice"])
def test_a_value_that_would_replace_one_is_shown_and_left(vault, replacing, letters):
    child = vault.spawn(*replacing)
    child.expect(ONCE)
    shown = " ".join(child.before.split())
    assert "NEW: a new value, stored while locked at " in shown and "not used unless you take it (c)" in shown
    for letter in letters:
        child.send(letter + "\r")
        child.expect("Passphrase to approve once(, and to take the new values)?: $")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "older" in text and vault.entry("NEW")["pending"] is True
    assert not records(vault, "secret.confirm")


def test_a_value_that_would_replace_one_is_taken_when_asked_for(vault, replacing):
    child = vault.spawn(*replacing)
    child.expect(ONCE)
    child.send("c\r")
    child.expect("Passphrase to approve once, and to take the new values: $")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "newer" in text and vault.entry("NEW")["pending"] is False
    assert records(vault, "secret.confirm")[0]["secrets"] == ["NEW"]
    vault.check()


# ----------------------------------------------------------------------------------------------------- deny, ask, nobody


def denied_by(vault, rule):
    record = records(vault, "run.denied")[-1]
    assert record["decision"] == {"effect": "deny", "rules": [rule]} and "by_human" not in record
    assert not records(vault, "run.intent")
    vault.check()


def test_a_deny_holds_by_option_too(vault, deploy):
    vault.ok("policy", "deny", "-s", "API_*", "--id", "never")
    result = vault.run(*RUN, deploy, status=125)
    assert "rule never denies API_TOKEN" in result.talk and "deployed" not in result.text
    denied_by(vault, "never")
    _, text, status = approve(vault, [*RUN, deploy], "a")
    assert status == 125 and "rule never denies API_TOKEN" in text
    assert len(records(vault, "run.denied")) == 2 and set(rules(vault)) == {"never"}
    denied_by(vault, "never")


def test_a_deny_that_comes_while_it_is_asked_wins(vault, deploy):
    child = vault.spawn(*RUN, deploy)
    child.expect(ONCE)
    vault.ok("policy", "deny", "-s", "API_TOKEN", "--id", "late")
    child.send("a\r")
    child.expect(ALWAYS)
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 125 and "rule late denies API_TOKEN" in text and "deployed" not in text
    denied_by(vault, "late")
    assert set(rules(vault)) == {"late"}


def test_an_ask_is_answered_by_the_option(vault, deploy):
    ask = {"id": "look", "effect": "ask", "secrets": ["API_TOKEN"], "program": {"binding": "any"}, "argv": {"mode": "any"},
           "created": 1700000000}
    (vault.work / "rules.json").write_text(json.dumps({"version": 1, "rules": [ask]}))
    vault.ok("policy", "import", "rules.json")
    vault.ok(*RUN, deploy)
    assert decision(vault) == {"effect": "ask", "rules": ["look"], "by": "passphrase", "level": "standard"}
    assert approve(vault, [*RUN, deploy])[2] == 0 and decision(vault)["rules"] == ["look"]


def test_nobody_to_ask(vault, deploy):
    result = vault.run(*RUN, deploy, passphrase=False, status=125)
    assert "terminal" in result.talk and "--passphrase-file" in result.talk and "deployed" not in result.text
    assert not records(vault, "run.intent")


def test_denied_three_times(vault, deploy):
    """Then nothing is asked for a while, and a run by option is as before."""
    for keys in ("d\r", "\r", CONTROL_C):
        child = vault.spawn(*RUN, deploy)
        child.expect(ONCE)
        child.send(keys)
        assert finish(child)[1] == 125
    text, status = finish(vault.spawn(*RUN, deploy))
    assert status == 125 and re.search(r"3 requests were denied in a row, .* try again in \d+ seconds?", text)
    assert QUESTION not in text
    denied = records(vault, "run.denied")
    assert len([record for record in denied if record.get("by_human")]) >= 3
    vault.ok(*RUN, deploy)
    assert approve(vault, [*RUN, deploy])[2] == 0


def test_what_is_refused_in_the_cool_down_does_not_lengthen_it(vault, deploy):
    for _ in range(3):
        child = vault.spawn(*RUN, deploy)
        answer(child, passphrase="d")
        assert finish(child)[1] == 125
    for _ in range(2):
        text, status = finish(vault.spawn(*RUN, deploy))
        assert status == 125 and "3 requests were denied in a row" in text
    assert len([record for record in records(vault, "run.denied") if record.get("by_human")]) == 3


# -------------------------------------------------------------------------------------------------------------- digests


def test_the_digest_of_a_large_system_program(vault):
    """It is read once and then known by the vault; the record has it each time."""
    path = os.path.realpath("/usr/bin/python3")
    assert os.stat(path).st_size > 1 << 20
    digest = subprocess.run(["b2sum", "--length=256", path], capture_output=True, text=True).stdout.split()[0]
    for _ in range(2):
        vault.ok(*RUN, "python3", "-c", "")
    shown, _, status = approve(vault, [*RUN, "python3", "-c", ""])
    assert status == 0 and digest in shown
    programs = [record["program"] for record in records(vault, "run.intent")]
    assert [(program["path"], program["digest"]) for program in programs] == [(path, digest)] * 3
    vault.check()
