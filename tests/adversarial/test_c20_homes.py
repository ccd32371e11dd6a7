"""C20: whose home is hidden is not the choice of who asks."""

import os
import pwd

import pytest

from envseal_support import direct_only

pytestmark = direct_only("what is hidden is looked at before anything is started")

SECRET = ("-s", "API_TOKEN", "--tier", "hardened")


def listed_home():
    home = pwd.getpwuid(os.geteuid()).pw_dir
    if home in ("", "/"):
        pytest.skip("this user has no home")
    return os.path.realpath(home)


def explain(vault, *words, status=0, **more):
    result = vault.run("run", *SECRET, "--explain", "--json", *words, "--", "true", passphrase=False, status=status, **more)
    return result.json()["sandbox"] if status == 0 else result.talk


@pytest.mark.parametrize("variable", [{"HOME": "/"}, {"HOME": "/nowhere"}, {"HOME": ""}])
def test_the_users_home_is_hidden_whatever_the_variable_says(vault, variable):
    hidden = explain(vault, env=variable)["hidden"]
    assert f"{listed_home()}/.ssh" in hidden and f"{listed_home()}/.aws" in hidden
