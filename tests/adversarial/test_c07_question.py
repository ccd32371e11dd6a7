"""C7: what is approved is what the question shows, so whoever starts envseal must not be able to hide or forge a part of it."""

import os
import re
import shutil

import pytest

from envseal_support import PASSPHRASE, finish, spawn

QUESTION = "Passphrase to approve once: "
MORE = "-- more: space shows the rest, q denies --"


def question(vault, *words, **more):
    """What a human sees before the passphrase is asked for, or the refusal. -> (text, whether it was asked)"""
    child = vault.spawn("run", *words, **more)
    text = ""
    while (found := child.expect([QUESTION, MORE, "\r\n.*envseal: run: .*", "^envseal: run: .*"])) == 1:
        text += child.before
        child.send(" ")
    asked = found == 0
    text += child.before + ("" if asked else child.after)
    child.close(force=True)
    return text, asked


def rows(text, columns):
    """The text as a terminal of that width shows it."""
    return [line[at:at + columns] for line in text.split("\r\n") for at in range(0, max(len(line), 1), columns)]


def test_variables_cannot_push_it_off_the_screen(vault):
    env = {f"LD_{number:04}_{'X' * 60}": "1" for number in range(3000)}
    text, asked = question(vault, "-s", "API_TOKEN", "--", "true", env=env)
    assert asked and len(text) < 4096
    assert "API_TOKEN" in text and re.search(r"and \d+ more", text)
    # All of them are named where there is room.
    found = vault.ok("run", "--explain", "--json", "-s", "API_TOKEN", "--", "true", passphrase=False, env=env).json()
    assert set(env) <= set(found["dropped"])


def test_too_many_secrets_are_refused_rather_than_scrolled(vault):
    words = [word for number in range(256) for word in ("-s", f"API_TOKEN=V{number:03}_{'X' * 80}")]
    text, asked = question(vault, *words, "--", "true")
    assert not asked and "more than can be read" in text


def test_a_command_that_is_too_long_is_refused(vault):
    text, asked = question(vault, "-s", "API_TOKEN", "--", "sh", "-c", ":" + "\n" * 9000 + "echo evil")
    assert not asked and "more than can be read" in text
    assert vault.records()[-1]["kind"] == "run.denied"


FORGED = "  program     /usr/bin/true  (a system file, only root can change it)"


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("where", ["an argument", "the folder", "the program", "a variable"])
def test_rows_cannot_be_forged(vault, where, columns):
    """By a text that is as long as it must be to wrap at the right place, or that moves the cursor."""
    moving = ["\r\n", "\r", "\x1b[2J\x1b[H", "\x1b[1A", "\x0b", "\x85", "\u2028", "\b" * 60] if columns == 80 else []
    texts = [" " * (columns // 2 + shift) + FORGED for shift in range(0, columns, 13)] + [move + FORGED for move in moving]
    for text in texts if where == "an argument" else [text.replace("/", "-")[:250] for text in texts]:
        words, more = ["-s", "API_TOKEN", "--", "true"], {}
        if where == "an argument":
            words.append(text)
        elif where == "the folder":
            more["cwd"] = vault.work / text
            more["cwd"].mkdir()
        elif where == "the program":
            program = vault.work / text
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
            words[-1] = f"./{text}"
        else:
            more["env"] = {f"LD_{text}": "x"}
        shown, asked = question(vault, *words, dimensions=(50, columns), **more)
        assert asked
        labels = [match[1] for row in rows(shown, columns) if (match := re.match(r"  ([a-z]+)(?: by)? {3,}", row))]
        assert {"secrets", "program", "command", "directory"} <= set(labels) and len(labels) == len(set(labels)), shown


def test_what_is_typed_ahead_is_thrown_away(vault):
    """Keys that were there before the question do not answer it, nor do they spoil the answer."""
    gate = vault.base / "gate"
    os.mkfifo(gate)
    words = vault.words(["run", "-s", "API_TOKEN", "--", "true"], passphrase=False)
    child = spawn(["/bin/sh", "-c", f"read line < '{gate}'; exec \"$@\"", "sh", *words], env=vault.env, cwd=vault.work)
    child.send("typed ahead")
    child.expect("typed ahead")
    gate.write_text("go\n")
    child.expect(QUESTION)
    child.sendline(PASSPHRASE)
    _, status = finish(child)
    assert status == 0


@pytest.mark.parametrize("answer", ["d\r", "\r", "yes\r", "\x03", "\x04", PASSPHRASE[:-1] + "\r", PASSPHRASE + "\rmore\r"],
                         ids=["d", "empty", "yes", "ctrl-c", "ctrl-d", "nearly", "two lines"])
def test_only_the_passphrase_approves(vault, answer):
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "/usr/bin/touch", "ran")
    child.expect(QUESTION)
    child.send(answer)
    _, status = finish(child)
    assert status == 125 and not (vault.work / "ran").exists()


@pytest.mark.parametrize("letter", ["y", "s", "t", "a", " "])
def test_a_letter_that_is_not_offered_widens_nothing(vault, letter):
    tool = vault.work / "tool"
    shutil.copy("/usr/bin/touch", tool)
    # What is not pinned can be approved once and no wider.
    child = vault.spawn("run", "--by-path", "-s", "API_TOKEN", "--", tool, "ran")
    child.expect(QUESTION)
    child.send(letter + "\r")
    child.expect("that is none of the choices\r\nd: deny\r\n" + QUESTION)
    child.send("\r")
    _, status = finish(child)
    assert status == 125 and not (vault.work / "ran").exists()
    assert vault.records()[-1]["kind"] == "run.denied"


def test_a_question_that_does_not_fit_is_read_to_its_end_first(vault):
    """The passphrase is asked for behind the last page, and keys that were typed ahead turn none."""
    child = vault.spawn("run", "-s", "API_TOKEN", "--", "true", "x" * 3000, dimensions=(24, 80))
    for _ in range(2):
        child.expect(MORE)
        assert "to approve" not in child.before and "directory" not in child.before
        child.send("  " + PASSPHRASE + "\r")
    child.expect(QUESTION)
    assert "directory" in child.before
    child.send(PASSPHRASE + "\r")
    _, status = finish(child)
    assert status == 0


@pytest.mark.parametrize("size", [(1, 1), (65535, 65535), (2, 65535), (65535, 2)], ids=str)
def test_absurd_windows(vault, size):
    """Whoever shares the terminal sets its size."""
    text, asked = question(vault, "-s", "API_TOKEN", "--", "true", "y" * 500, dimensions=size)
    assert asked and "y" * 30 in text
    assert all(label in text for label in ("  secrets ", "  program ", "  command ", "  directory "))


def test_the_passphrase_from_standard_input_is_none(vault):
    """An agent's pipe is no human, whatever comes through it."""
    result = vault.run("run", "-s", "API_TOKEN", "--", "/usr/bin/touch", "ran", passphrase=False, input=PASSPHRASE + "\n", status=125)
    assert "no terminal" in result.talk and not (vault.work / "ran").exists()
