"""Masks on a terminal: a value is masked whatever becomes of it on the way, and prompts show at once."""

import re

import pytest

from envseal_support import PYTHON, SECRETS, assert_nowhere, masked
from terminal_support import PIPE, Ways

TOKEN = SECRETS["API_TOKEN"].decode()
MASK = masked("API_TOKEN").encode()
CONTROL_D = "\x04"


@pytest.fixture(scope="module")
def ways(shared):
    return Ways(shared, options=("--quiet", "-s", "API_TOKEN", "-s", "DATABASE_URL"))


def seal(ways, program, dialogue=None, **more):
    """What the terminal shows of a run that ends well, and nothing of it a value."""
    if isinstance(program, str):
        program = ["bash", "-c", program]
    run = ways.play("sealed", program, dialogue, **more)
    assert run["status"] == ("exited", 0), run
    for name, shown in run.items():
        if isinstance(shown, bytes):
            assert_nowhere(SECRETS.values(), shown)
    return run


# -------------------------------------------------------------------------------------------------------------- printed


@pytest.mark.parametrize("script, shown", [
    ('echo "$API_TOKEN"', MASK + b"\r\n"),
    ('echo "$API_TOKEN" >&2', MASK + b"\r\n"),
    ('printf "<%s>" "$API_TOKEN"', b"<" + MASK + b">"),
    ('echo "$API_TOKEN$API_TOKEN"', MASK + MASK + b"\r\n"),
    ('echo "$API_TOKEN" > /dev/tty', MASK + b"\r\n"),
    ('echo "$API_TOKEN" >&0', MASK + b"\r\n"),
    ('echo "$API_TOKEN" > "$(tty)"', MASK + b"\r\n"),
    ('printf "%s" "${API_TOKEN:0:9}"; printf "%s\\n" "${API_TOKEN:9}" >&2', MASK + b"\r\n"),
    ('printf "a\\r\\n%s\\r\\nb\\n" "$API_TOKEN"', b"a\r\r\n" + MASK + b"\r\r\nb\r\n"),
    ('printf "\\033[1;31m%s\\033[0m\\n" "$API_TOKEN"', b"\x1b[1;31m" + MASK + b"\x1b[0m\r\n"),
    ('printf "%s" "$API_TOKEN" | base64', masked("API_TOKEN", "base64").encode() + b"U=\r\n"),
    ('printf "\\033]0;%s\\007\\n" "$API_TOKEN"', b"\x1b]0;" + MASK + b"\x07\r\n"),
], ids=["stdout", "stderr", "no-newline", "twice", "dev-tty", "stdin", "by-name", "two-streams", "cr-lf", "colour",
        "base64", "title"])
def test_a_value_that_is_printed(ways, script, shown):
    assert seal(ways, script)["terminal"] == shown


def test_a_value_letter_by_letter(ways):
    """However long the program takes between two letters: no more is shown than a prompt needs, three letters."""
    def dialogue(terminal):
        terminal.say("ready\r\n", "k" * len(TOKEN))
    program = ("import os, tty\ntty.setraw(0)\nos.write(1, b'ready\\r\\n')\nfor letter in os.environ['API_TOKEN']:\n"
               "    os.read(0, 1)\n    os.write(1, letter.encode())\n")
    shown = seal(ways, [PYTHON, "-c", program], dialogue)["terminal"]
    assert shown in [b"ready\r\n" + TOKEN[:count].encode() + MASK for count in range(4)]


def test_much_output_with_values_in_it(ways):
    lines = 3000
    run = seal(ways, f'for ((i = 0; i < {lines}; i++)); do echo "$i $API_TOKEN $DATABASE_URL"; done')
    second = masked("DATABASE_URL").encode()
    assert run["terminal"] == b"".join(b"%d %s %s\r\n" % (number, MASK, second) for number in range(lines))


# ---------------------------------------------------------------------------------------------------------------- typed


def test_a_value_that_is_typed_is_not_echoed(ways):
    """The terminal below envseal echoes, and the filter sees it."""
    def dialogue(terminal):
        terminal.say("Token: ", TOKEN + "\r")
        terminal.expect("length 20\r\n")
    run = seal(ways, 'read -r -p "Token: " x; echo "length ${#x}"', dialogue)
    assert run["terminal"].startswith(b"Token: " + MASK + b"\r\n")


def test_a_value_that_is_typed_letter_by_letter(ways):
    def dialogue(terminal):
        terminal.expect("Token: ")
        for letter in TOKEN:
            terminal.send(letter)
        terminal.say("", "\r")
        terminal.expect("length 20\r\n")
    run = seal(ways, 'read -r -p "Token: " x; echo "length ${#x}"', dialogue)
    assert MASK in run["terminal"]


def test_a_value_typed_into_a_line_editor(ways):
    def dialogue(terminal):
        terminal.say("Token: ", TOKEN + "\r")
        terminal.expect("length 20\r\n")
    run = seal(ways, 'read -e -r -p "Token: " x; echo "length ${#x}"', dialogue)
    assert MASK in run["terminal"]


def test_a_shell_that_prints_it(ways):
    def dialogue(terminal):
        terminal.say(r"\$ $", 'echo "$API_TOKEN"\r')
        terminal.say(r"REDACTED.*\$ $", CONTROL_D)
    run = seal(ways, ["bash", "--norc", "--noprofile", "-i"], dialogue)
    assert run["terminal"].count(MASK) == 1


# -------------------------------------------------------------------------------------------------------------- at once


@pytest.mark.parametrize("prompt", [
    "Password: ", "> ", "$ ", "to", "tok", "p", "token? [y/N] ", "a\rb", "\x1b[1mName\x1b[0m: "], ids=repr)
def test_a_prompt_shows_at_once(ways, prompt):
    """Also one that a value begins with; otherwise the program would wait for an answer to a question nobody sees."""
    def dialogue(terminal):
        terminal.say("ready\r\n" + re.escape(prompt), "answer\r")
    program = f"import os; print('ready', flush=True); os.write(1, {prompt!r}.encode()); input()"
    run = seal(ways, [PYTHON, "-c", program], dialogue)
    assert run["terminal"] == b"ready\r\n" + prompt.encode() + b"answer\r\n"


def test_what_is_typed_shows_letter_by_letter(ways):
    def dialogue(terminal):
        terminal.expect("ready\r\n")
        for letter in "hello tools, pos":
            terminal.say("", letter)
            terminal.expect(letter)
        terminal.send("\r")
    assert seal(ways, "echo ready; read -r x", dialogue)["terminal"] == b"ready\r\nhello tools, pos\r\n"


def test_a_progress_bar(ways):
    def dialogue(terminal):
        for number in range(5):
            terminal.say(f"\r{number}0 %", "\r")
    program = ("import os, tty\ntty.setraw(0)\n"
               "for number in range(5):\n    os.write(1, b'\\r%d0 %%' % number)\n    os.read(0, 1)\n")
    shown = seal(ways, [PYTHON, "-c", program], dialogue)["terminal"]
    assert shown == b"".join(b"\r%d0 %%" % number for number in range(5))


# ------------------------------------------------------------------------------------------------------------- and kept


def test_a_leak_is_told_and_recorded_as_one_of_the_terminal(vault):
    run = Ways(vault).play("sealed", ["sh", "-c", 'echo "$API_TOKEN"; echo "$API_TOKEN" >&2'], None, stdout=PIPE)
    assert run["stdout"] == MASK + b"\n" and run["terminal"].startswith(MASK + b"\r\n")
    assert b"masked 2 times: API_TOKEN" in run["terminal"]
    leaks = vault.records()[-1]["leaks"]
    assert sorted((leak["stream"], leak["count"]) for leak in leaks) == [("stdout", 1), ("terminal", 1)]


def test_a_leak_ends_the_program(vault):
    """And the terminal, which the program has changed, is as before."""
    ways = Ways(vault, options=("--on-leak", "kill", "-s", "API_TOKEN"))
    program = 'stty raw -echo; sleep 1000 & printf "%s" "$API_TOKEN"; wait'
    run = ways.play("sealed", ["bash", "-c", program], None)
    assert run["status"] == ("exited", 125) and run["modes"] == run["modes_before"]
    assert run["terminal"].startswith(MASK) and b"--on-leak kill" in run["terminal"]
    assert vault.records()[-1]["killed_for_leak"] is True


def test_less_shows_a_mask(ways, tmp_path):
    def dialogue(terminal):
        terminal.say("REDACTED.*\\(END\\)", "q")
    run = seal(ways, 'printf "%s\\n" one "$API_TOKEN" two > kept; less kept', dialogue)
    (ways.vault.work / "kept").unlink()
    assert MASK in run["terminal"]
