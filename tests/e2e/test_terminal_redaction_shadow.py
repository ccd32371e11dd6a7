"""Masks on a terminal of values that escape sequences or line breaks cut apart."""

import pytest

from terminal_support import Ways
from test_terminal_redaction import MASK, TOKEN, seal


@pytest.fixture(scope="module")
def ways(shared):
    return Ways(shared, options=("--quiet", "-s", "API_TOKEN", "-s", "DATABASE_URL"))


def test_colours_between_the_letters(ways):
    program = ('for ((i = 0; i < ${#API_TOKEN}; i++)); do printf "\\033[3%dm%s" $((i % 8)) "${API_TOKEN:i:1}"; done; '
               'printf "\\033[0m|\\n"')
    run = seal(ways, program)
    shown = run["terminal"]
    assert shown.startswith(b"\x1b[30m" + MASK) and shown.endswith(b"\x1b[0m|\r\n")
    # The colours stay, so that what follows has the last one; the letters between them do not.
    colours = b"".join(b"\x1b[3%dm" % (number % 8) for number in range(1, len(TOKEN)))
    assert shown == b"\x1b[30m" + MASK + colours + b"\x1b[0m|\r\n"


@pytest.mark.parametrize("wrap", ["fold -w 7", "fold -w 7 | sed 's/$/\\r/'", "sed 's/....../&\\n    /'"])
def test_a_value_that_is_wrapped(ways, wrap):
    shown = seal(ways, f'echo "begin"; echo "$API_TOKEN" | {wrap}; echo end')["terminal"]
    assert MASK in shown and shown.startswith(b"begin\r\n") and shown.endswith(b"\nend\r\n")
    for start in range(0, len(TOKEN) - 7):
        assert TOKEN[start:start + 7].encode() not in shown
