"""Which sandbox a run gets: by options, by rules, at the question; as it is shown, and as it is recorded."""

import json
import subprocess

import pytest

from envseal_support import PASSPHRASE, direct_only, finish

pytestmark = [direct_only("the rules of this vault are what is tested; the broker has its own tests here"), pytest.mark.mechanism]

ONCE, ALWAYS = "Passphrase to approve once: $", "Passphrase to approve always: $"
SECRET = ("-s", "API_TOKEN")


def explain(vault, *words, status=0, **more):
    result = vault.run("run", *SECRET, "--explain", "--json", *words, "--", "true", passphrase=False, status=status, **more)
    return result.json()["sandbox"] if status == 0 else result.talk


def allow(vault, *words, program=("true",), **more):
    return vault.ok("policy", "allow", *SECRET, *words, "--", *program, **more)


def nearest(vault, *words):
    secret = vault.run("policy", "explain", "--json", *SECRET, *words, "--", "true", status=1).json()["secrets"][0]
    return (secret["nearest"]["id"], secret["nearest"]["reason"])


def is_allowed(vault, *words):
    return vault.run("policy", "explain", "--json", *SECRET, *words, "--", "true").json()["effect"] == "allow"


def last(vault, kind):
    return [record for record in vault.records() if record["kind"] == kind][-1]


@pytest.fixture
def folders(vault):
    """Two, and one in the first."""
    made = [vault.work / name for name in ("a", "b", "a/in")]
    for folder in made:
        folder.mkdir()
    return [str(folder) for folder in made]


# ------------------------------------------------------------------------------------------------------------ the words


@pytest.mark.parametrize("words, said", [
    (["--tier", "none"], "--tier wants standard, hardened or lockdown"),
    (["--net", "open", "--tier", "lockdown"], "--net wants none, loopback or allow"),
    (["--net", "loopback"], "only the tier lockdown has a network of its own"),
    (["--net", "none", "--tier", "hardened"], "only the tier lockdown has a network of its own"),
    (["--net", "allow", "--tier", "lockdown"], "name HOST:PORT before --"),
    (["example.com:443"], "takes no operand but endpoints, with --net allow"),
    (["--net", "loopback", "--tier", "lockdown", "example.com:443"], "takes no operand but endpoints, with --net allow"),
    (["--write", "nowhere"], "--write nowhere cannot be used: No such file or directory"),
    (["--read", "nowhere"], "--read nowhere cannot be used: No such file or directory"),
    (["--degrade=1"], "--degrade takes no value"),
    (["--write", "."] * 65, "--write is given 65 times, and 64 are the most"),
])
def test_words_that_are_none(vault, words, said):
    assert said in explain(vault, *words, status=125)


@pytest.mark.parametrize("words", [["--read", "."], ["--write", "."], ["--net", "none"], ["a:1"]])
def test_inject_opens_nothing(vault, words):
    vault.run("inject", *SECRET, *words, "--", "true", status=125)


@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
def test_inject_has_the_weakest_tier_alone(vault, tier):
    result = vault.run("inject", *SECRET, "--tier", tier, "--", "true", status=125)
    assert f"the tier {tier} needs a process of envseal's beside it; use `envseal run`" in result.talk
    assert last(vault, "inject.denied")["status"] == 125
    vault.ok("inject", *SECRET, "--tier", "standard", "--", "true")


def test_pipe_takes_endpoints_behind_its_name(vault):
    assert "and endpoints only with --net allow" in vault.run("pipe", "API_TOKEN", "example.com:443", "--", "cat", status=125).talk
    vault.run("pipe", "--", "cat", status=125)


# ------------------------------------------------------------------------------------------------------------- explained


def test_explain_has_each_tier(vault):
    standard, hardened, lockdown = (explain(vault, "--tier", tier) for tier in ("standard", "hardened", "lockdown"))
    assert explain(vault) == standard
    assert [plan["network"] for plan in (standard, hardened, lockdown)] == ["host", "host", "none"]
    assert all(plan["shield"] and not plan["degrade"] for plan in (standard, hardened, lockdown))
    required = [{name for name, need in plan["mechanisms"].items() if need == "required"} for plan in (standard, hardened, lockdown)]
    assert required[0] == {"no-core", "no-new-privs"} and required[0] < required[1] < required[2]
    assert {"landlock", "filter", "pid-namespace"} <= required[1] and {"mounts", "network-namespace"} <= required[2]
    assert "shield" not in explain(vault, "--no-shield")["mechanisms"]


def test_explain_shows_what_is_open(vault, folders):
    (vault.work / "link").symlink_to("a/in")
    words = ("--tier", "hardened", "--read", "b/../link", "--read", folders[2], "--write", "b", "--no-shield", "--degrade")
    plan = explain(vault, *words)
    assert (plan["readable"], plan["shield"], plan["degrade"]) == ([folders[2]], False, True)
    text = vault.run("run", *SECRET, "--explain", *words, "--", "true", passphrase=False, status=0).text
    assert "tier          hardened, weaker where the kernel cannot give it in full\n" in text
    assert f"shown         {folders[2]}\n" in text and "shield        off\n" in text
    assert "requires      user-namespace" in text and "network       host\n" in text
    # Of what is hidden the vault's own folder is there.
    assert f"{vault.dir}\n" in text and " more places, should they come to be" in text


def test_a_temporary_folder_elsewhere_is_not_written_to(vault, folders):
    plan = explain(vault, "--tier", "hardened", cwd=folders[1], env={"TMPDIR": folders[0]})
    assert folders[0] not in plan["writable"]


# -------------------------------------------------------------------------------------------------------------- recorded


def test_the_plan_and_what_came_of_it_are_recorded(vault, folders):
    result = vault.ok("run", *SECRET, "--tier", "hardened", "--degrade", "--read", "a", "--", "true")
    intent, outcome = last(vault, "run.intent"), last(vault, "run.outcome")
    assert intent["tier"] == intent["sandbox"]["tier"] == "hardened"
    assert (intent["sandbox"]["readable"], intent["sandbox"]["degrade"]) == ([folders[0]], True)
    missing = {row["mechanism"]: row["error"] for row in outcome["sandbox"]["missing"]}
    required = {name for name, need in intent["sandbox"]["mechanisms"].items() if need == "required"}
    assert not set(missing) & set(outcome["sandbox"]["applied"])
    assert {"no-core", "no-new-privs"} <= set(outcome["sandbox"]["applied"])
    assert ("the kernel did not give all of the tier" in result.talk) == bool(required & set(missing))


def test_the_standard_tier_is_applied_in_full(vault):
    result = vault.ok("run", *SECRET, "--no-shield", "--", "true")
    assert last(vault, "run.outcome")["sandbox"] == {"applied": ["no-core", "no-new-privs"], "missing": []}
    assert result.talk == ""


# ----------------------------------------------------------------------------------------------------------------- rules


def test_a_rule_says_in_which_tier_a_run_is(vault):
    allow(vault, "--tier", "hardened", "--degrade", "--no-shield")
    vault.ok("run", *SECRET, "--", "true")
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["tier"], plan["degrade"], plan["shield"]) == ("hardened", True, False)
    assert last(vault, "run.intent")["decision"]["by"] == "rule"


def test_a_weaker_tier_is_not_what_the_rule_allows(vault):
    allow(vault, "--tier", "hardened")
    assert is_allowed(vault) and is_allowed(vault, "--tier", "hardened") and is_allowed(vault, "--tier", "lockdown")
    assert nearest(vault, "--tier", "standard") == ("rule-1", "weaker-tier")
    vault.run("run", *SECRET, "--no-wait", "--tier", "standard", "--", "true", status=125)


@pytest.mark.parametrize("has, asks, asks_more", [
    (["--write", "a"], ["--write", "a/in"], ["--write", "."]),
    (["--read", "a"], ["--read", "a"], ["--write", "a"]),
    (["--no-shield"], ["--no-shield"], ["--degrade"]),
    (["--degrade"], ["--degrade", "--tier", "lockdown"], ["--no-shield"]),
    (["--tier", "lockdown", "--net", "loopback"], ["--tier", "lockdown", "--net", "loopback"], ["--read", "a"]),
    (["--tier", "lockdown"], ["--tier", "lockdown", "--net", "none"], ["--tier", "lockdown", "--net", "loopback"]),
])
def test_who_asks_for_more_than_the_rule_opens_is_asked_about(vault, folders, has, asks, asks_more):
    allow(vault, *has)
    assert is_allowed(vault) and is_allowed(vault, *asks)
    assert nearest(vault, *asks_more) == ("rule-1", "other-sandbox")
    vault.run("run", *SECRET, "--no-wait", *asks_more, "--", "true", status=125)


def test_what_would_allow_it_has_the_options(vault, folders):
    words = ("--tier", "lockdown", "--read", "a", "--write", "b", "--no-shield", "--degrade", "--net", "loopback")
    found = vault.run("policy", "explain", "--json", *SECRET, *words, "--", "true", status=1).json()
    assert found["next"] == (f"envseal policy allow -s API_TOKEN --tier lockdown --read {folders[0]} --write {folders[1]} "
                             "--no-shield --degrade --net loopback -- true")
    vault.ok(*found["next"].split()[1:])
    assert is_allowed(vault, *words)


def test_a_deny_holds_whatever_is_asked_for(vault):
    vault.ok("policy", "deny", *SECRET)
    found = vault.run("policy", "explain", "--json", *SECRET, "--tier", "lockdown", "--", "true", status=1).json()
    assert found["effect"] == "deny"


def test_of_several_rules_the_strictest_tier_and_what_all_open(vault, folders):
    vault.ok("policy", "allow", "-s", "API_TOKEN", "--degrade", "--no-shield", "--read", "a", "--read", "b", "--", "true")
    vault.ok("policy", "allow", "-s", "DATABASE_URL", "--degrade", "--tier", "hardened", "--read", "a/in", "--", "true")
    vault.ok("run", "-s", "API_TOKEN", "-s", "DATABASE_URL", "--", "true")
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["tier"], plan["readable"], plan["degrade"], plan["shield"]) == ("hardened", [folders[2]], True, True)
    vault.ok("run", "-s", "API_TOKEN", "--", "true")
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["tier"], plan["readable"], plan["shield"]) == ("standard", folders[:2], False)


def test_what_no_rule_allows_a_rule_does_not_open(vault, folders):
    """Approved by the passphrase: one secret has no rule, so that nothing is common."""
    allow(vault, "--read", "a", "--degrade", "--tier", "hardened")
    vault.ok("run", *SECRET, "-s", "DATABASE_URL", "--degrade", "--", "true")
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["tier"], plan["readable"], plan["degrade"]) == ("hardened", [], True)


@pytest.mark.parametrize("option", ["--read", "--write"])
def test_a_link_in_the_place_of_a_path(vault, folders, option):
    allow(vault, option, "b")
    vault.ok("run", *SECRET, "--", "true")
    (vault.work / "b").rmdir()
    assert "cannot be used: No such file" in vault.run("run", *SECRET, "--", "true", status=125).talk
    (vault.work / "b").symlink_to("/")
    assert "leads elsewhere now" in vault.run("run", *SECRET, "--", "true", status=125).talk
    assert "leads elsewhere now" not in vault.run("run", *SECRET, "--explain", "--", "true", status=0).talk


def test_a_rule_shows_what_it_opens(vault, folders):
    allow(vault, "--tier", "lockdown", "--net", "loopback", "--read", "a", "--write", "b", "--no-shield", "--degrade")
    text = vault.ok("policy", "list").text
    for row in ("tier        lockdown, or a stronger one", f"may read    {folders[0]}", f"may write   {folders[1]}",
                "network     loopback", "shield      without it", "degrade     weaker where"):
        assert f"  {row}" in text
    rule = json.loads(vault.ok("policy", "export").out)["rules"][0]
    assert (rule["tier"], rule["network"], rule["read"], rule["write"], rule["shield"], rule["degrade"]) == (
        "lockdown", "loopback", [folders[0]], [folders[1]], False, True)
    recorded = last(vault, "policy.allow")["rules"][0]
    assert (recorded["tier"], recorded["network"], recorded["read"], recorded["write"], recorded["shield"]) == (
        "lockdown", "loopback", [folders[0]], [folders[1]], False)


@pytest.mark.parametrize("words", [["--net", "loopback"], ["--tier", "hardened", "--net", "none"], ["--write", "nowhere"],
                                   ["--tier", "lockdown", "--net", "allow"], ["--tier", "strong"]])
def test_rules_that_are_none(vault, words):
    assert vault.run("policy", "allow", *SECRET, *words, "--", "true").status in (1, 2)
    assert json.loads(vault.ok("policy", "export").out)["rules"] == []


# -------------------------------------------------------------------------------------------------------------- question


def test_the_question_shows_it_and_a_grant_carries_it(vault, folders):
    words = ["run", *SECRET, "--tier", "standard", "--write", "a", "--read", "b", "--no-shield", "--degrade", "--", "true"]
    child = vault.spawn(*words)
    child.expect(ONCE)
    for row in ("tier        standard", f"may read    {folders[1]}", f"may write   {folders[0]}",
                "shield      without it: other processes", "degrade     weaker where the kernel"):
        assert f"\n  {row}" in child.before.replace("\r", ""), child.before
    child.send("a\r")
    child.expect(ALWAYS)
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0, text
    rule = json.loads(vault.ok("policy", "export").out)["rules"][0]
    assert (rule["write"], rule["read"], rule["shield"], rule["degrade"]) == ([folders[0]], [folders[1]], False, True)
    assert is_allowed(vault, *words[3:-2])


def test_a_rule_that_makes_it_stricter_after_the_question_is_asked_about_again(vault):
    """Before the vault is open, nobody knows the rule; so the first question does not show its tier."""
    vault.ok("policy", "allow", *SECRET, "--tier", "hardened", "--degrade", "--", "true")
    child = vault.spawn("run", *SECRET, "-s", "DATABASE_URL", "--degrade", "--", "true")
    child.expect(ONCE)
    assert "tier        standard" in child.before
    child.send(PASSPHRASE + "\r")
    child.expect(ONCE)
    assert "tier        hardened" in child.before
    child.send(PASSPHRASE + "\r")
    text, status = finish(child)
    assert status == 0, text
    assert last(vault, "run.intent")["sandbox"]["tier"] == "hardened"


# ---------------------------------------------------------------------------------------------------------------- broker


def test_through_the_broker_it_is_the_callers_folder(vault, folders):
    """Paths are the caller's, the question at the console has the rows, and what was approved is what is recorded."""
    vault.unlock()
    console = vault.spawn("approve", "--once")
    console.expect("nothing waits for approval; waiting for requests")
    process = vault.popen("run", *SECRET, "--write", "in", "--no-shield", "--degrade", "--", "true", passphrase=False,
                          cwd=folders[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    console.expect("to approve once: ")
    shown = console.before.replace("\r", "")
    assert f"  may write   {folders[2]}\n" in shown and "  shield      without it" in shown and "  degrade     weaker" in shown, shown
    console.send(PASSPHRASE + "\r")
    finish(console)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["shield"], plan["degrade"]) == (False, True)


def test_through_the_broker_rules_open_as_directly(vault, folders):
    allow(vault, "--read", "a", "--degrade", "--tier", "hardened", "--dir", "any")
    vault.unlock()
    vault.ok("run", *SECRET, "--", "true", passphrase=False, cwd=folders[1])
    plan = last(vault, "run.intent")["sandbox"]
    assert (plan["tier"], plan["readable"], plan["degrade"]) == ("hardened", [folders[0]], True)
    vault.run("run", *SECRET, "--no-wait", "--write", "in", "--", "true", passphrase=False, cwd=folders[0], status=125)
