"""What the running program writes, seen from outside: every watched form of every value of the run is masked."""

import base64

from envseal_support import SECRETS, assert_nowhere, leaks_of, masked

TOKEN = SECRETS["API_TOKEN"]


def test_the_plain_value(shared):
    result = shared.ok("run", "-s", "API_TOKEN", "--", "sh", "-c", 'echo "<$API_TOKEN>"')
    assert result.text == f"<{masked('API_TOKEN')}>\n"
    assert leaks_of(result) == (1, "API_TOKEN (stdout)")
    assert_nowhere([TOKEN], result.out + result.err)


def test_base64_of_the_value_between_neighbours(shared):
    for before in (b"", b"u", b"us"):
        text = base64.b64encode(before + TOKEN + b"more")
        result = shared.ok("run", "-s", "API_TOKEN", "--", "printf", "%s", text)
        assert masked("API_TOKEN", "base64") in result.text
