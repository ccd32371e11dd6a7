"""What the security level and the findings say to a run: by option, by rule, and at the question with its code."""

import shutil
import subprocess

import pytest

from envseal_support import PASSPHRASE, copy_vault, direct_only, finish, wait_until
from totp_support import Setup, step_now

pytestmark = [direct_only("the rules of this vault are what is tested"), pytest.mark.mechanism]

QUESTION = "a program asks for secrets"
PLAIN = r"(?:^|\n)Passphrase: $"
CODE_ONCE, CODE_ALWAYS = "Code to approve once: $", "Code to approve always: $"
UNRULED = ["run", "-s", "API_TOKEN", "--", "sh", "-c", "echo unruled"]
RULED = ["run", "-s", "API_TOKEN", "--", "sh", "-c", 'echo "ruled [$PORT] [$LESS]"']
INJECTED = ["inject", *RULED[1:]]
KEPT = ["run", "-s", "API_TOKEN", "--keep-env", "LESS", "--", "sh", "-c", 'echo "kept [$LESS]"']


class Coded:
    """A vault with a second factor, and the app. `factory` makes folders."""

    def __init__(self, vault, app):
        self.vault, self.app = vault, app

    def copy(self, base):
        other = Coded(copy_vault(self.vault, base), self.app)
        other.last = self.last
        return other

    last = 0

    def code(self):
        """One that was not used. Where two came too fast, the third waits for its time."""
        wait_until(lambda: self.last <= step_now(), 90)
        self.last = max(step_now(), self.last + 1)
        return self.app.code(self.last)

    def security(self, *words, code=None):
        child = self.vault.spawn("security", "set", *words, passphrase=True)
        if self.is_coded(words):
            child.expect("Code: $")
            child.send((code or self.code()) + "\r")
        return finish(child)

    level = "standard"

    def is_coded(self, words):
        return self.level != "standard" or "hardened" in words or "lockdown" in words

    def raise_to(self, level):
        # What this machine is like is no part of these tests.
        rows = self.vault.ok("security", "show", "--json").json()["findings"]
        text, status = self.security(level, *(word for row in rows for word in ("--finding", f"{row['id']}=note")))
        assert status == 0, text
        self.level = level
        return self


@pytest.fixture(scope="module")
def coded(tmp_path_factory, original):
    vault = copy_vault(original, tmp_path_factory.mktemp("coded"))
    vault.ok("policy", "allow", "--id", "ruled", "--dir", "any", *RULED[1:])
    vault.ok("policy", "allow", "--id", "kept", "--dir", "any", *KEPT[1:])
    setup = Setup(vault).done()
    coded = Coded(vault, setup.app)
    coded.last = setup.app.last
    return coded


@pytest.fixture(scope="module")
def hardened_original(tmp_path_factory, coded):
    return coded.copy(tmp_path_factory.mktemp("hardened")).raise_to("hardened")


@pytest.fixture(scope="module")
def lockdown_original(tmp_path_factory, coded):
    return coded.copy(tmp_path_factory.mktemp("lockdown")).raise_to("lockdown")


def copied(coded, base):
    other = coded.copy(base)
    other.level = coded.level
    return other


@pytest.fixture
def hardened(tmp_path, hardened_original):
    return copied(hardened_original, tmp_path)


@pytest.fixture
def lockdown(tmp_path, lockdown_original):
    return copied(lockdown_original, tmp_path)


def ask(coded, words, letter="", **more):
    """Up to the question, behind the passphrase. -> the child; what is shown is in child.shown"""
    child = coded.vault.spawn(*words, **more)
    child.expect(PLAIN)
    assert QUESTION not in child.before
    child.send(PASSPHRASE + "\r")
    child.expect(CODE_ONCE)
    child.shown = child.before
    assert QUESTION in child.shown
    if letter:
        child.send(letter + "\r")
        child.expect(CODE_ALWAYS)
    return child


def answer(child, code):
    child.send(code + "\r")
    return finish(child)


def records(coded, kind):
    return [record for record in coded.vault.records() if record["kind"] == kind]


def decision(coded):
    return records(coded, "run.intent")[-1]["decision"]


# ------------------------------------------------------------------------------------------------------------- hardened


def by_agent(coded, tmp_path, *words):
    """The same, started by a process that calls itself like an agent. -> the status, and what it said"""
    agent = tmp_path / "codex"
    shutil.copy("/bin/sh", agent)
    done = subprocess.run([agent, "-c", '"$@"; exit $?', "codex", *coded.vault.words(words)], env=coded.vault.env,
                          cwd=coded.vault.work, capture_output=True, start_new_session=True, timeout=60, check=False)
    return done.returncode, done.stderr.decode()


def test_an_agent_says_what_it_is_for(hardened, tmp_path):
    status, text = by_agent(hardened, tmp_path, *RULED)
    assert status == 125 and "at the level hardened an agent says what it is for: --reason TEXT" in text, text
    denied = records(hardened, "run.denied")[-1]
    assert "by_human" not in denied and denied["error"] == "denied"
    assert by_agent(hardened, tmp_path, RULED[0], "--reason", " ", *RULED[1:])[0] == 125
    assert by_agent(hardened, tmp_path, RULED[0], "--reason", "to deploy", *RULED[1:])[0] == 0
    assert records(hardened, "run.intent")[-1]["reason"] == "to deploy"
    hardened.vault.ok(*RULED)


def test_by_option_only_with_a_rule(hardened):
    result = hardened.vault.run(*UNRULED, status=125)
    assert "no rule allows this" in result.talk and "envseal policy explain" in result.talk and not result.out
    [denied] = records(hardened, "run.denied")
    assert "by_human" not in denied
    result = hardened.vault.ok(*RULED)
    assert "ruled" in result.text and QUESTION not in result.talk
    assert decision(hardened) == {"effect": "allow", "rules": ["ruled"], "by": "rule", "level": "hardened"}
    hardened.vault.check()


def test_with_a_rule_the_terminal_asks_for_the_passphrase(hardened):
    child = hardened.vault.spawn(*RULED)
    child.expect(PLAIN)
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "ruled" in text and QUESTION not in text


def test_the_question_wants_a_code(hardened):
    child = ask(hardened, UNRULED)
    assert "hardened" in child.shown
    code = hardened.code()
    text, status = answer(child, code)
    assert status == 0 and "unruled" in text
    assert decision(hardened) == {"effect": "ask", "rules": [], "by": "once", "level": "hardened"}
    # The same code once more. One of the next step can only be looked at in its time.
    wait_until(lambda: hardened.last <= step_now(), 90)
    text, status = answer(ask(hardened, UNRULED), code)
    assert status == 125 and "used already" in text and "unruled\r\n" not in text
    assert records(hardened, "totp.failed")[-1]["used"] is True and len(records(hardened, "run.intent")) == 1
    hardened.vault.check()


def test_a_wrong_code(hardened):
    text, status = answer(ask(hardened, UNRULED, "a"), hardened.app.wrong()[0])
    assert status == 125 and "the code is wrong" in text
    assert records(hardened, "totp.failed")[-1]["used"] is False and not records(hardened, "run.intent")
    assert {rule["id"] for rule in hardened.vault.ok("policy", "list", "--json").json()["rules"]} == {"ruled", "kept"}


def test_always_with_a_code(hardened):
    text, status = answer(ask(hardened, UNRULED, "a"), hardened.code())
    assert status == 0 and "unruled" in text
    assert decision(hardened)["made"] == ["rule-1"] and decision(hardened)["by"] == "always"
    assert "unruled" in hardened.vault.ok(*UNRULED).text


def test_deny_at_the_code(hardened):
    text, status = answer(ask(hardened, UNRULED), "d")
    assert status == 125 and "denied" in text
    assert records(hardened, "run.denied")[-1]["by_human"] is True


def test_the_environment_is_an_allow_list(hardened, coded):
    env = {"PORT": "3000", "LESS": "-R"}
    assert hardened.vault.ok(*RULED, env=env).text == "ruled [] []\n"
    (hardened.vault.work / ".envseal").write_text('API_TOKEN=API_TOKEN\nPORT="3000"\n')
    assert hardened.vault.ok("run", *RULED[3:], env={"PORT": "1"}).text == "ruled [3000] []\n"
    # At standard the caller's are handed on, but for what steers.
    assert coded.vault.ok(*RULED, env=env).text == "ruled [3000] []\n"


def by_path(vault):
    """A system program is pinned by root, and runs by path anyway."""
    script = vault.work / "own"
    script.write_text("#!/bin/sh\necho ruled\n")
    script.chmod(0o755)
    return ["run", "-s", "API_TOKEN", "--by-path", "--", script]


def test_what_is_only_allowed_by_rule(hardened):
    vault = hardened.vault
    asked = ["run", "-s", "API_TOKEN"]
    for words in (by_path(vault), [*asked, "--keep-env", "LESS", "--", *UNRULED[4:]], [*asked, "--no-shield", "--", *UNRULED[4:]],
                  [*asked, "--degrade", "--", *UNRULED[4:]], [*asked, "--degrade", *RULED[3:]]):
        result = vault.run(*words, status=125)
        assert "the level hardened permits" in result.talk and "only where a rule allows it" in result.talk
        child = vault.spawn(*words)
        child.expect(PLAIN)
        child.send(PASSPHRASE + "\r")
        text, status = finish(child)
        assert status == 125 and "only where a rule allows it" in text and QUESTION not in text
    assert vault.ok(*KEPT, env={"LESS": "-R"}).text == "kept [-R]\n"


def plan(coded):
    return records(coded, "run.intent")[-1]["sandbox"]


def test_the_level_is_the_weakest_tier(hardened):
    vault = hardened.vault
    assert "ruled" in vault.ok(*RULED).text
    assert (plan(hardened)["tier"], plan(hardened)["shield"], plan(hardened)["degrade"]) == ("hardened", True, False)
    vault.ok(*RULED[:3], "--tier", "lockdown", *RULED[3:])
    assert plan(hardened)["tier"] == "lockdown"
    result = vault.run(*RULED[:3], "--tier", "standard", *RULED[3:], status=125)
    assert "the security level runs programs in the tier hardened at least" in result.talk
    assert records(hardened, "run.denied")[-1]["status"] == 125


@pytest.mark.parametrize("words", [INJECTED, ["inject", *UNRULED[1:]]])
def test_inject_has_no_such_tier(hardened, words):
    assert "the tier hardened needs a process of envseal's beside it" in hardened.vault.run(*words, status=125).talk
    assert records(hardened, "inject.denied") and not records(hardened, "inject.intent")


def test_a_rule_lets_a_run_be_weaker(hardened):
    """What asks for it needs a rule that has it; the rule itself makes it so."""
    vault = hardened.vault
    child = vault.spawn("policy", "allow", "--id", "open", *RULED[1:3], "--no-shield", "--degrade", "--write", "/var/tmp", "--", "true",
                        passphrase=True)
    child.expect("Code: $")
    child.send(hardened.code() + "\r")
    text, status = finish(child)
    assert status == 0, text
    vault.ok(*RULED[:3], "--", "true")
    assert (plan(hardened)["shield"], plan(hardened)["degrade"]) == (False, True)
    vault.ok(*RULED[:3], "--no-shield", "--degrade", "--", "true")


def test_the_question_shows_the_levels_tier(hardened):
    child = ask(hardened, UNRULED)
    assert "  tier        hardened" in child.shown.replace("\r", "")
    text, status = answer(child, hardened.code())
    assert status == 0 and plan(hardened)["tier"] == "hardened"


def test_a_waiting_value_at_the_question(hardened):
    hardened.vault.ok("set", "NEW", "--generate", "20", "--locked", passphrase=False)
    words = ["run", "-s", "NEW", "--", "sh", "-c", "echo new"]
    hardened.vault.run(*words, status=125)
    child = ask(hardened, words)
    assert "approving takes this value" in child.shown
    text, status = answer(child, hardened.code())
    assert status == 0 and "new" in text and records(hardened, "secret.confirm")[-1]["secrets"] == ["NEW"]


def test_down_again_wants_a_code(hardened):
    result = hardened.vault.run("security", "set", "standard", status=4)
    assert "code" in result.talk
    text, status = hardened.security("standard", code=hardened.app.wrong()[0])
    assert status == 5 and "the code is wrong" in text
    hardened.vault.run(*UNRULED, status=125)
    text, status = hardened.security("standard")
    assert status == 0
    hardened.vault.ok(*UNRULED)


# ------------------------------------------------------------------------------------------------------------- lockdown


def test_a_rule_does_not_help(lockdown):
    for words in (RULED, UNRULED):
        result = lockdown.vault.run(*words, status=125)
        assert "ruled" not in result.text
    child = ask(lockdown, RULED)
    assert "lockdown" in child.shown and "always" not in child.shown and "8 hours" not in child.shown
    assert "a rule allows this, and at the level lockdown each run is asked for" in child.shown
    child.send("a\r")
    child.expect("none of the choices")
    child.expect(CODE_ONCE)
    text, status = answer(child, lockdown.code())
    assert status == 0 and "ruled [] []" in text
    assert decision(lockdown) == {"effect": "allow", "rules": ["ruled"], "by": "once", "level": "lockdown"}
    lockdown.vault.check()


def test_what_lockdown_never_permits(lockdown):
    for words in (KEPT, by_path(lockdown.vault), [*RULED[:3], "--no-shield", *RULED[3:]], [*RULED[:3], "--degrade", *RULED[3:]]):
        result = lockdown.vault.run(*words, status=125)
        assert "the level lockdown permits" in result.talk and "never" in result.talk
        child = lockdown.vault.spawn(*words)
        child.expect(PLAIN)
        child.send(PASSPHRASE + "\r")
        text, status = finish(child)
        assert status == 125 and "never" in text and QUESTION not in text


# ------------------------------------------------------------------------------------------------------------- findings


@pytest.fixture
def finding(vault):
    """One that is not as it should be, on this machine."""
    found = [row for row in vault.run("doctor", "--json").json()["findings"] if row["severity"] != "ok"]
    known = {row["id"] for row in vault.ok("security", "show", "--json").json()["findings"]}
    lasting = [row["id"] for row in found if row["id"] in known and row["category"] in ("process", "kernel", "memory")]
    if not lasting:
        pytest.skip("nothing is found here")
    return lasting[0]


def test_a_finding_that_denies(vault, finding):
    vault.ok("policy", "allow", "--dir", "any", *RULED[1:])
    vault.ok("security", "set", "--finding", f"{finding}=deny")
    for words in (RULED, UNRULED):
        result = vault.run(*words, status=125)
        assert f" {finding}: " in result.talk and "envseal doctor" in result.talk and not result.out
    kinds = [record["kind"] for record in vault.records() if record["kind"].startswith("run.")]
    assert kinds == ["run.denied"] * 2
    vault.ok("security", "set", "--finding", f"{finding}=level")
    vault.ok(*RULED)


def test_a_finding_that_asks(vault, finding):
    """Of a run that a rule allows too, and whoever answers has seen it."""
    vault.ok("policy", "allow", "--dir", "any", *RULED[1:])
    vault.ok(*RULED)
    vault.ok("security", "set", "--finding", f"{finding}=ask")
    for words in (RULED, UNRULED):
        assert "ruled" not in vault.run(*words, status=125).text
    child = vault.spawn(*RULED)
    child.expect(PLAIN)
    child.send(PASSPHRASE + "\r")
    child.expect("Passphrase to approve once: $")
    assert QUESTION in child.before and f"{finding}: " in child.before
    child.send("not the passphrase\r")
    text, status = finish(child)
    assert status == 125 and "ruled" not in text and vault.records()[-1]["kind"] == "unlock.failed"
    child = vault.spawn(*RULED)
    child.expect(PLAIN)
    child.send(PASSPHRASE + "\r")
    child.expect("Passphrase to approve once: $")
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0 and "ruled" in text
    run = [record for record in vault.records() if record["kind"] == "run.intent"][-1]
    assert (run["decision"]["effect"], run["decision"]["by"]) == ("allow", "once")
    vault.check()


def test_a_finding_that_warns(vault, finding):
    vault.ok("security", "set", "--finding", f"{finding}=warn")
    assert f"{finding}: " in vault.ok(*UNRULED).talk
