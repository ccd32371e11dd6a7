"""C20: whose home is hidden is not the choice of who asks."""

import os
import pathlib
import pwd
import shutil
import tempfile

import pytest

from envseal_support import direct_only
from tier_support import SHELLS_READ, can_unshare

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



@pytest.fixture
def folder(tmp_path):
    """A home in no place for temporary files, where the tests have one: what is in /tmp can be written anyway."""
    room = os.environ.get("ENVSEAL_TEST_ROOM")
    path = pathlib.Path(tempfile.mkdtemp(prefix="h", dir=room)) if room else tmp_path / "away"
    path.mkdir(exist_ok=True)
    yield path.resolve()
    shutil.rmtree(path)


def test_the_home_is_no_working_folder_to_write(vault, folder):
    """Or a shell's next start outside would run what was put there."""
    home, above = {"HOME": str(folder)}, folder.parent
    assert str(folder) not in explain(vault, cwd=folder, env=home)["writable"]
    assert str(above) not in explain(vault, cwd=above, env=home)["writable"]
    assert str(folder) in explain(vault, cwd=folder)["writable"]
    assert str(folder) in explain(vault, "--write", folder, cwd=folder, env=home)["writable"]


@pytest.mark.parametrize("variable", [{"HOME": "/"}, {"HOME": "/nowhere"}, {"HOME": ""}, {}])
def test_the_users_home_is_no_working_folder_whatever_the_variable_says(vault, variable):
    home = listed_home()
    if not os.path.isdir(home):
        pytest.skip("the home that this user has by /etc/passwd is not there")
    assert home not in explain(vault, cwd=home, env=variable)["writable"]


@pytest.mark.skipif(os.geteuid() == 0 or not can_unshare(), reason="there are no user namespaces, or root may write everywhere")
@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
def test_a_program_started_in_the_home_writes_nothing_there(vault, folder, tier):
    if str(folder).startswith("/tmp/") and tier == "hardened":
        pytest.skip("the home is in a folder for temporary files: set ENVSEAL_TEST_ROOM")
    words, env = ["run", "-s", "API_TOKEN", "--tier", tier], {"HOME": str(folder)}
    (folder / ".bashrc").write_text("# mine\n")
    for name in (".bashrc", f"{folder}/.bashrc", "new"):
        result = vault.run(*words, "--", "sh", "-c", f"pwd; echo evil >> {name}", cwd=folder, env=env)
        assert result.status == 2 and result.out.decode() == f"{folder}\n" and os.listdir(folder) == [".bashrc"], result
        assert (folder / ".bashrc").read_text() == "# mine\n"
    # By name it is still given.
    vault.run(*words, "--write", folder, "--", "sh", "-c", "echo asked >> .bashrc", cwd=folder, env=env, status=0)
    assert (folder / ".bashrc").read_text() == "# mine\nasked\n"


@pytest.mark.skipif(os.geteuid() == 0 or not can_unshare(), reason="there are no user namespaces, or root may write everywhere")
@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
def test_what_shells_read_is_not_written_from_a_project(vault, folder, tier):
    if str(folder).startswith("/tmp/") and tier == "hardened":
        pytest.skip("the home is in a folder for temporary files: set ENVSEAL_TEST_ROOM")
    for path in ("project/notes", ".cache/pip/x", ".config/fish/config.fish", ".cache/p10k-dump-me.zsh"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("# mine\n")
    before = {path: path.lstat().st_mode for path in folder.rglob("*")}
    script = """cd; for at in "$@"; do mkdir -p "${at%/*}"; echo x > "$at"; mv project/notes "$at"; ln -sf notes "$at"; rm -f "$at"; done
        echo made > project/made"""
    vault.run("run", "-s", "API_TOKEN", "--tier", tier, "--", "sh", "-c", script, "sh", *SHELLS_READ, cwd=folder / "project",
              env={"HOME": str(folder)}, status=0)
    made = folder / "project/made"
    assert made.read_text() == "made\n"
    assert {path: path.lstat().st_mode for path in folder.rglob("*") if path != made} == before
    assert all(path.read_text() == "# mine\n" for path in before if path.is_file())
