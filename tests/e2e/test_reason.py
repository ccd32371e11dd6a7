"""--reason: what the asker says it is for, in the question and in the log; --no-wait: nobody is asked."""

import pytest

from envseal_support import PASSPHRASE, direct_only, finish

pytestmark = direct_only("the question is what is tested")

ONCE = "Passphrase to approve once: $"
PLAIN = r"(?:^|\n)Passphrase: $"
QUESTION = "a program asks for secrets"
TRUE = ["-s", "API_TOKEN", "--", "/bin/true"]


def last(vault, kind):
    return [record for record in vault.records() if record["kind"] == kind][-1]


@pytest.mark.parametrize("words", [
    ["run", "--reason", "to migrate \x1b[2J", *TRUE],
    ["inject", "--reason", "to migrate \x1b[2J", *TRUE],
    ["pipe", "API_TOKEN", "--reason", "to migrate \x1b[2J", "--", "/bin/true"],
], ids=["run", "inject", "pipe"])
def test_the_question_shows_it_and_the_log_keeps_it(vault, words):
    child = vault.spawn(*words)
    child.expect(ONCE)
    assert "\n  reason      to migrate \\x1b[2J\r\n" in child.before
    child.send(PASSPHRASE + "\r")
    _, status = finish(child)
    assert status == 0
    assert last(vault, f"{words[0]}.intent")["reason"] == "to migrate \\x1b[2J"


def test_what_was_denied_has_it_too(vault):
    child = vault.spawn("run", "--reason", "for fun", *TRUE)
    child.expect(ONCE)
    child.send("d\r")
    assert finish(child)[1] == 125
    denied = last(vault, "run.denied")
    assert denied["reason"] == "for fun" and denied["by_human"] is True and "cool_down" not in denied


def test_a_value_in_it_is_masked(vault):
    value = "tOk3n-in-a-reason-0815"
    vault.set("IN_REASON", value)
    vault.ok("run", "--reason", f"with {value}", "-s", "IN_REASON", "--", "/bin/true")
    assert last(vault, "run.intent")["reason"] == "with [ENVSEAL:REDACTED IN_REASON]"


@pytest.mark.parametrize("blank", ["", " ", "\t \n"])
def test_a_blank_one_is_none(vault, blank):
    vault.ok("run", "--reason", blank, *TRUE)
    assert "reason" not in last(vault, "run.intent")


def test_a_long_one_is_refused(vault):
    before = len(vault.records())
    result = vault.run("run", "--reason", "r" * 501, *TRUE, status=125)
    assert "the reason has 501 bytes" in result.talk
    assert len(vault.records()) == before
    vault.ok("run", "--reason", "r" * 500, *TRUE)
    assert last(vault, "run.intent")["reason"] == "r" * 500


def test_explain_says_it(vault):
    assert vault.ok("run", "--explain", "--json", "--reason", "to try", *TRUE).json()["reason"] == "to try"
    assert "reason        to try\n" in vault.ok("run", "--explain", "--reason", "to try", *TRUE).text
    assert "reason" not in vault.ok("run", "--explain", "--json", *TRUE).json()


# ----------------------------------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize("words", [["run", "--no-wait", *TRUE], ["pipe", "API_TOKEN", "--no-wait", "--", "/bin/true"]],
                         ids=["run", "pipe"])
def test_nobody_is_asked(vault, words):
    child = vault.spawn(*words)
    child.expect(PLAIN)
    assert QUESTION not in child.before and "it runs only if a rule allows it" in child.before
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 125 and "no rule allows this" in text and "--no-wait" in text and QUESTION not in text
    assert "by_human" not in last(vault, f"{words[0]}.denied")


def test_what_a_rule_allows_runs(vault):
    vault.ok("policy", "allow", "--dir", "any", *TRUE)
    child = vault.spawn("run", "--no-wait", *TRUE)
    child.expect(PLAIN)
    child.send(PASSPHRASE + "\r")
    assert finish(child)[1] == 0


def test_by_an_option_the_passphrase_approves_nothing_then(vault):
    result = vault.run("run", "--no-wait", *TRUE, status=125)
    assert "no rule allows this" in result.talk and "by_human" not in last(vault, "run.denied")
    vault.ok("policy", "allow", "--dir", "any", *TRUE)
    vault.ok("run", "--no-wait", *TRUE)


def test_inject_does_not_take_it(vault):
    assert "--no-wait" in vault.run("inject", "--no-wait", *TRUE, status=125).talk
