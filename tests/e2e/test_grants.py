"""`grants`: rules that end by themselves are listed with what is left of them, and ended."""

import subprocess

import pytest

from envseal_support import binary, direct_only

pytestmark = direct_only("the rules of this vault are what is tested")


def allow(vault, *words, **more):
    return vault.ok("policy", "allow", "-s", "API_TOKEN", *words, "--", "true", **more)


def grants(vault):
    return {grant["id"]: grant for grant in vault.ok("grants", "--json").json()["grants"]}


@pytest.fixture
def granted(vault):
    allow(vault, "--id", "stays")
    allow(vault, "--for", "90m")
    allow(vault, "--uses", "2", "--dir", "/")
    allow(vault, "--boot", "--dir", "any")
    return vault


def test_only_what_ends_is_listed(granted):
    found = grants(granted)
    assert set(found) == {"grant-1", "grant-2", "grant-3"}
    assert {grant["state"] for grant in found.values()} == {"ok"}
    assert found["grant-1"]["expires"] - found["grant-1"]["created"] == 90 * 60
    assert found["grant-2"]["uses"] == 2 and "boot" in found["grant-3"]
    text = granted.ok("grants").text
    assert "stays" not in text and "after 2 more uses" in text and "when this machine is started again" in text
    assert "  left        1 h " in text and text.count("  state       ok\n") == 3


def test_uses_are_counted_and_end(granted):
    granted.ok("policy", "rm", "stays", "grant-1", "grant-3")
    granted.ok("run", "-s", "API_TOKEN", "--", "true")
    assert grants(granted)["grant-2"]["uses"] == 1
    granted.ok("run", "-s", "API_TOKEN", "--", "true")
    assert grants(granted).get("grant-2", {"state": "ended"})["state"] == "ended"
    assert granted.run("policy", "explain", "-s", "API_TOKEN", "--", "true", status=1)


def test_rm_ends_them(granted):
    assert "is no grant" in granted.run("grants", "rm", "grant-1", "stays", status=1).talk
    granted.run("grants", "rm", "nothing", status=1)
    granted.run("grants", "rm", status=2)
    granted.run("grants", "rm", "--all", "grant-1", status=2)
    assert len(grants(granted)) == 3
    assert granted.ok("grants", "rm", "grant-2").text == "removed grant-2\n"
    assert granted.ok("grants", "rm", "--all", "--json").json()["removed"] == ["grant-1", "grant-3"]
    assert grants(granted) == {}
    assert "there is no grant" in granted.ok("grants").talk
    assert granted.ok("grants", "rm", "--all").text == ""
    kinds = [record["kind"] for record in granted.records() if record["kind"].startswith("grant")]
    assert kinds == ["grant.rm", "grant.rm"]
    assert [rule["id"] for rule in granted.ok("policy", "list", "--json").json()["rules"]] == ["stays"]
    granted.check()


SCRIPT = '"$1" policy allow --passphrase-file "$2" -s API_TOKEN --session -- true >/dev/null && ' \
         '"$1" grants --passphrase-file "$2"'


def test_a_session_lives_or_is_gone(vault):
    words = ["/bin/sh", "-c", SCRIPT, "sh", binary(), str(vault.passphrase_file)]
    done = subprocess.run(words, env=vault.env, cwd=vault.work, capture_output=True, text=True, start_new_session=True, timeout=60)
    assert done.returncode == 0 and "  session     still there\n" in done.stdout, done
    found = grants(vault)["grant-1"]
    assert (found["session_alive"], found["state"]) == (False, "ended")
    assert "  session     gone\n" in vault.ok("grants").text


def test_they_need_the_passphrase(vault):
    vault.run("grants", passphrase=False, status=4)
    vault.run("grants", "rm", "--all", passphrase=False, status=4)
    vault.run("grants", "x", status=2)
