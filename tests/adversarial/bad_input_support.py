"""What the attacks with bad input share: a call that must end as the table of statuses says, and a look at what is left."""

from attack_support import Sieve
from envseal_support import SECRETS

VALUE = b"value-8sGj3Vn6Ty1Kd0Xw"
SIEVE = Sieve([VALUE, *SECRETS.values()])
DEFINED = {0, 1, 2, 3, 4, 5, 6}
DEFINED_OF_RUN = {0, 125}
SET = ["set", "NEW", "--stdin", "--force"]
RUN = ["run", "-s", "API_TOKEN", "--", "/bin/echo", "started"]


def attempt(vault, words, statuses=None, **more):
    """Ends with a status of the table, with a sentence where it failed, and without a part of a value. -> the result"""
    result = vault.run(*words, input=VALUE, **more)
    assert result.status in (statuses or (DEFINED_OF_RUN if words[0] == "run" else DEFINED)), result
    assert result.status in (0, 1) or result.err.startswith(b"envseal: "), result
    assert words[0] != "run" or result.status == 0 or b"started" not in result.out, result
    SIEVE.assert_clean(result.out + result.err, words)
    return result


def entries(vault):
    return {entry["name"]: entry for entry in vault.ok("list", "--json").json()["secrets"]}


def assert_nothing_lost(vault, listed):
    """What was there is there; at most the one change that was asked for has come."""
    now = entries(vault)
    assert set(now) - {"NEW"} == set(listed) and all(now[name] == listed[name] for name in listed)
    assert vault.check()["ok"]
    assert vault.value("API_TOKEN") == SECRETS["API_TOKEN"]
