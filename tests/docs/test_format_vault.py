"""docs/format-vault.md is enough to read a vault: the independent reader agrees with the program's own tests on the golden
file and on every vector."""
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden" / "vault-1.db"
VECTORS = sorted((TESTS / "vectors" / "vault").glob("*.txt"))
STATUS = {"ok": 0, "wrong-passphrase": 5, "damaged": 6}


def read(path, passphrase="golden vault passphrase 1"):
    return subprocess.run([sys.executable, TESTS / "vectors" / "read_vault.py", path, passphrase], capture_output=True, text=True)


def test_golden_file_holds_what_its_readme_says():
    result = read(GOLDEN)
    assert result.returncode == 0, result.stderr
    vault = json.loads(result.stdout)
    values = {name: [bytes.fromhex(version["value"]) for version in secret["versions"]]
              for name, secret in vault["secrets"].items()}
    assert values == {
        "KEY.PEM": [b"line one\nline two\n"],
        "api/token": [b"first-token", b"second-token", b"first-token"],
        "binary": [bytes(range(256))],
        "large": [bytes(7 * i % 256 for i in range(5000))],
        "weak": [b"hunter2"],
    }
    token = vault["secrets"]["api/token"]
    assert (token["note"], token["tags"], token["expires"], token["weak"]) == ("for the build", ["ci", "prod"], 4102444800, True)
    waiting = {name: bytes.fromhex(deposit["value"]) for name, deposit in vault["deposits"].items()}
    assert waiting == {"ci/deploy-key": b"deposited", "weak": b"a much better value"}
    assert vault["settings"] == {"counter/verify": b"3".hex()}
    assert (vault["generation"], vault["anchor"]) == (3, {"count": 42, "hash": bytes(range(1, 33)).hex(), "file_offset": 12345})


def test_another_passphrase_is_refused():
    assert read(GOLDEN, "golden vault passphrase 2").returncode == 5


def apply(line, path):
    what, _, rest = line.partition(" ")
    if what == "sql":
        db = sqlite3.connect(path)
        db.executescript(rest)
        db.close()
    elif what == "truncate":
        with open(path, "r+b") as file:
            file.truncate(int(rest))
    elif what == "poke":
        offset, value = rest.split()
        with open(path, "r+b") as file:
            file.seek(int(offset))
            file.write(bytes.fromhex(value))
    else:
        raise ValueError(line)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_vector(vector, tmp_path):
    expect, *changes = vector.read_text().splitlines()
    copy = tmp_path / "vault.db"
    shutil.copyfile(GOLDEN, copy)
    for change in changes:
        apply(change, copy)
    result = read(copy)
    assert result.returncode == STATUS[expect.split()[1]], result.stderr
    assert "Traceback" not in result.stderr


def test_there_are_vectors():
    assert len(VECTORS) >= 60
