"""`envseal selftest`: the redaction of this build on this machine."""

import json
import re
import subprocess

import pytest

from envseal_support import base_environment, binary

SECONDS = 600  # of which 15 are processor time; the rest is for a busy machine


def selftest(*options, env=None, **more):
    return subprocess.run([binary(), "selftest", *options], env=env or base_environment("/nonexistent"),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, **more)


@pytest.fixture(scope="module")
def done():
    """Without a vault, a home that exists, or a terminal."""
    return selftest()


def test_everything_passes(done):
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_the_last_line_has_the_figure(done):
    lines = done.stdout.decode().splitlines()
    cases = int(re.fullmatch(r"selftest: (\d+) cases, 0 failed", lines[-1])[1])
    assert cases > 100_000
    assert re.fullmatch(r"clean text: \d+ MB/s through the filter, \d+ MB/s copied in memory", lines[-2])
    assert lines[0].split() == ["FORM", "CASES", "PASSED"]
    rows = [line.split() for line in lines[1:-2]]
    assert sum(int(row[1]) for row in rows) == cases and all(row[1] == row[2] for row in rows)


def test_every_form_has_cases(done):
    forms = {line.split()[0] for line in done.stdout.decode().splitlines()}
    assert {"raw", "line", "base64", "base64url", "base32", "hex", "HEX", "percent", "json", "c", "shell", "xml",
            "utf16le", "utf16be", "reversed", "octal", "words", "dump", "pem", "leaf", "url", "xxd", "hexdump",
            "process"} <= forms


def test_json():
    result = selftest("--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["ok"], found["failed"], found["version"]) == (0, True, 0, 1)
    assert sum(form["cases"] for form in found["forms"]) == found["cases"] > 100_000
    assert found["filter_mb_per_s"] > 0 and found["memcpy_mb_per_s"] > 0


def test_operands_are_refused():
    assert selftest("now").returncode == 2


def test_a_full_disk_is_an_error():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([binary(), "selftest"], env=base_environment("/nonexistent"), stdout=full,
                                stderr=subprocess.PIPE, timeout=SECONDS)
    assert result.returncode == 1 and b"No space left" in result.stderr
