"""C17: the question is answered by the human alone. Here the asker holds the terminal and knows everything but the passphrase."""

import json
import os
import re

import pexpect
import pytest

from attack_support import log_read, log_rehash, log_write
from envseal_support import PASSPHRASE, PYTHON, finish, spawn

QUESTION = "Passphrase to approve [^:]*: $"
WORDS = ("-s", "API_TOKEN", "--", "/usr/bin/touch", "ran")
COOL_DOWN = r"denied in a row, so nothing is asked for now; try again in \d+ seconds?"


def ask(vault, *words, **more):
    child = vault.spawn("run", *(words or WORDS), **more)
    child.expect(QUESTION)
    return child


def deny(child):
    child.send("\r")
    text, status = finish(child)
    assert status == 125 and "denied at the prompt" in text


def assert_nothing_ran(vault):
    assert not (vault.work / "ran").exists()
    assert "run.intent" not in [record["kind"] for record in vault.records()]
    assert vault.ok("policy", "export", "--all").json()["rules"] == []


# --------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("keys", ["y\r", "yes\r", "Y\r", "o\ro\ro\r", "a\ry\r", "a\r\r", "s\r\r", "t\ryes\r", "ok\r", "1\r",
                                  "y\ny\n", "\r\r\r\r", "a\ra\ra\r", "approve\r", "\x1b\r", "o", "\ty\r",
                                  "passphrase\r", PASSPHRASE.upper() + "\r",
                                  PASSPHRASE + " \r", " " + PASSPHRASE + "\r", PASSPHRASE[:8] + "\r", "a" * 5000 + "\r"],
                         ids=lambda keys: repr(keys[:12]))
def test_an_asker_that_answers_itself(vault, keys):
    """Whatever is typed without the passphrase: a choice at most, and then an empty line, which denies."""
    child = ask(vault)
    for line in re.findall(r"[^\r\n]*[\r\n]|[^\r\n]+$", keys):
        child.send(line)
        if line[-1] in "\r\n" and child.expect([QUESTION, pexpect.EOF]) == 1:
            break
    else:
        child.send("\x15\r")
        child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 125
    assert_nothing_ran(vault)


@pytest.mark.parametrize("letter", ["a", "s", "t"])
def test_a_wider_choice_with_a_guess(vault, letter):
    child = ask(vault)
    child.send(letter + "\r")
    child.expect(QUESTION)
    child.send("guess number one\r")
    text, status = finish(child)
    assert status == 125 and "does not open this vault" in text
    assert_nothing_ran(vault)
    assert "unlock.failed" in [record["kind"] for record in vault.records()]


def test_guesses_through_the_question_are_counted(vault):
    """As any other guess is (C15), also when others than the human make them."""
    for number in range(3):
        child = ask(vault)
        child.send(f"guess number {number}\r")
        assert finish(child)[1] == 125
    assert [record["count"] for record in vault.records(kind="unlock.failed")] == [1, 2, 3]


@pytest.mark.parametrize("keys", ["a\r", "a\ra\ra\r", "y\r", "\r", "\x03", "d\r", "q", PASSPHRASE[:5]], ids=repr)
def test_what_is_typed_ahead_neither_answers_nor_chooses(vault, keys):
    """Nothing of it is left for the question: the choice is still the narrowest, and the passphrase is what was typed."""
    gate = vault.base / "gate"
    os.mkfifo(gate)
    words = vault.words(["run", *WORDS], passphrase=False)
    script = f"trap '' INT; stty -isig; echo ready; read line < '{gate}'; stty isig; trap - INT; exec \"$@\""
    child = spawn(["/bin/sh", "-c", script, "sh", *words], env=vault.env, cwd=vault.work)
    child.expect("ready")
    child.send(keys)
    gate.write_text("go\n")
    child.expect(QUESTION)
    assert child.after == "Passphrase to approve once: "
    child.send(PASSPHRASE + "\r")
    _, status = finish(child)
    assert status == 0 and (vault.work / "ran").exists()
    assert vault.ok("policy", "export", "--all").json()["rules"] == []


@pytest.mark.parametrize("text", [f"{PASSPHRASE}\n", "o\ny\n" * 1000], ids=["passphrase", "answers"])
def test_no_answer_comes_from_standard_input(vault, text):
    result = vault.run("run", *WORDS, passphrase=False, input=text, status=125)
    assert "no terminal" in result.talk
    assert_nothing_ran(vault)


def test_a_log_that_says_it_was_allowed_before(vault):
    """A false record behind the anchor makes the first question a short one; the whole one comes all the same."""
    vault.ok("run", *WORDS)
    (vault.work / "ran").unlink()
    line = next(line for line in log_read(vault) if json.loads(line)["kind"] == "run.intent")
    record = json.loads(line) | {"decision": {"effect": "allow", "rules": ["rule-1"], "by": "rule", "level": "standard"}}
    last = json.loads(log_read(vault)[-1])
    log_write(vault, [*log_read(vault), *log_rehash([json.dumps(record)], last["seq"] + 1, last["hash"])])
    child = vault.spawn("run", *WORDS)
    if child.expect(["Passphrase: $", QUESTION]) == 0:
        child.send(PASSPHRASE + "\r")
        child.expect(QUESTION)
    assert "API_TOKEN" in child.before and "/usr/bin/touch" in child.before
    deny(child)
    assert not (vault.work / "ran").exists()


# ---------------------------------------------------------------------------------------------------------------- floods


def test_three_denials_in_a_row(vault):
    for _ in range(3):
        deny(ask(vault))
    child = vault.spawn("run", *WORDS)
    text, status = finish(child)
    assert status == 125 and re.search("3 requests were " + COOL_DOWN, text) and "Passphrase" not in text
    assert_nothing_ran(vault)


def test_what_ends_the_cool_down_is_no_request(vault):
    """Another program, another secret, another action, another folder, and files of the log put aside."""
    for _ in range(3):
        deny(ask(vault))
    vault.run("audit", "rotate", passphrase=False)
    vault.run("set", "NEW", "--locked", "--stdin", passphrase=False, input="x" * 20)
    for words in (["run", "-s", "DATABASE_URL", "--", "true"], ["inject", *WORDS], ["run", "--by-path", *WORDS]):
        text, status = finish(vault.spawn(*words, cwd=vault.home))
        assert status == 125 and re.search(COOL_DOWN, text) and "Passphrase" not in text, text


def test_refusals_do_not_lengthen_the_cool_down(vault):
    """Else an asker that goes on asking would keep the human from ever being asked again."""
    for _ in range(3):
        deny(ask(vault))
    for _ in range(5):
        text, status = finish(vault.spawn("run", *WORDS))
        assert status == 125 and re.search("3 requests were " + COOL_DOWN, text), text
    by_human = [record for record in vault.records(kind="run.denied") if record.get("by_human")]
    assert len(by_human) == 3


def open_questions(children, seen):
    """Reads what there is, without waiting long. -> the children whose question stands there"""
    for child in children:
        try:
            while True:
                seen[child] += child.read_nonblocking(65536, timeout=0.05)
        except (pexpect.TIMEOUT, pexpect.EOF):
            pass
    return [child for child in children if re.search(QUESTION, seen[child])]


def test_a_flood_of_requests_at_once(vault):
    """One question at a time; and those that waited for their turn are refused too when three were denied."""
    children = [vault.spawn("run", *WORDS) for _ in range(6)]
    seen = dict.fromkeys(children, "")
    left, asked = list(children), 0
    while left:
        standing = open_questions(left, seen)
        assert len(standing) <= 1, "two questions at once"
        for child in standing:
            asked += 1
            child.send("\r")
            rest, status = finish(child)
            assert status == 125
            seen[child] += rest
            left.remove(child)
        for child in [child for child in left if not child.isalive()]:
            seen[child] += child.read() or ""
            assert child.exitstatus == 125 and re.search(COOL_DOWN, seen[child]), seen[child]
            left.remove(child)
    assert asked == 3
    assert_nothing_ran(vault)


# ---------------------------------------------------------------------------------------------------------- what it shows


HOSTILE = ["\x1b]0;title\x07", "\x1b[8m", "\x9b2J", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2800", "\u3164", "\u00ad",
           "\u0430pi", "\r\n", "\n", "\x7f", "\u0301" * 50, "\U000e0041"]


@pytest.mark.parametrize("where", ["argument", "folder", "program", "script"])
def test_nothing_outside_ascii_reaches_the_screen(vault, where):
    """Escapes, direction marks, look-alikes and blanks that nobody sees stand as what they are."""
    for text in HOSTILE:
        words, cwd = ["true", text], vault.work
        if where == "folder":
            cwd = vault.work / text
            cwd.mkdir()
            words = ["true"]
        elif where == "program":
            (vault.work / text).write_text("#!/bin/sh\n")
            (vault.work / text).chmod(0o755)
            words = [f"./{text}"]
        elif where == "script":
            (vault.work / f"{text}.py").write_text("")
            words = [PYTHON, f"{text}.py"]
        child = vault.spawn("run", "-s", "API_TOKEN", "--", *words, cwd=cwd)
        child.expect("Passphrase to approve once: ")
        shown = child.before.replace("\r\n", "\n")
        assert re.fullmatch(r"[\n -~]*", shown), (text, shown)
        assert len(re.findall(r"^  command ", shown, re.M)) == 1 and "\\" in shown, (text, shown)
        child.close(force=True)


def test_ten_thousand_blanks(vault):
    """What stands behind them is not off the screen: too long is refused, and as much as fits is seen to the end."""
    text, status = finish(vault.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c", ":" + " " * 10_000 + "; touch ran"))
    assert status == 125 and "more than can be read" in text
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c", ":" + " " * 2_000 + "; touch ran")
    child.expect("Passphrase to approve once: ")
    assert "; touch ran" in child.before
    child.close(force=True)
    assert_nothing_ran(vault)
