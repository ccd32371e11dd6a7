"""What the running program writes, seen from outside: each watched form of each value is masked, on any cut.

Many cases share one run, since each run costs a passphrase hash."""

import base64
import os
import select
import subprocess

import pytest

from envseal_support import PYTHON, assert_nowhere, copy_vault, masked, seeded
from redaction_oracle import TOKEN, VALUES, is_weak, needles_of, oracle


def test_the_oracle_itself():
    assert oracle(b"a " + TOKEN + b" b", ["API_TOKEN"]) == b"a [ENVSEAL:REDACTED API_TOKEN] b"
    assert oracle(base64.b64encode(b"user:" + TOKEN), ["API_TOKEN"]) == b"dXNlcjp[ENVSEAL:REDACTED API_TOKEN base64]Q=="
    assert oracle(b"tok-4", ["API_TOKEN"]) == b"tok-4" and oracle(b"tok-4f",
                                                                  ["API_TOKEN"]) == masked("API_TOKEN").encode()
    assert oracle(b"xabcdefghijklmnopqrsty", ["LEFT", "RIGHT"]) == b"x[ENVSEAL:REDACTED LEFT, RIGHT]y"


# -------------------------------------------------------------------------------------------------------------- helpers


@pytest.fixture(scope="module")
def rich(tmp_path_factory, empty_original):
    """A vault that holds VALUES."""
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("rich"))
    for name, value in VALUES.items():
        vault.set(name, value, *(["--allow-weak"] if is_weak(value) else []))
    return vault


def options(names, as_file=False):
    return [word for name in names for word in ("-s", f"{name}={name}:file" if as_file else name)]


def emit(vault, names, pieces, stream=1):
    """One run in which a program writes these pieces, one write each. -> what arrived."""
    plan = b"".join(len(piece).to_bytes(8, "little") + piece for piece in pieces)
    program = ("import os, sys\nread = sys.stdin.buffer.read\nwhile head := read(8):\n"
               "    rest = memoryview(read(int.from_bytes(head, 'little')))\n"
               f"    while rest: rest = rest[os.write({stream}, rest):]\n")
    result = vault.ok("run", "--quiet", *options(names, as_file=True), "--", PYTHON, "-I", "-c", program, input=plan)
    assert (result.err, result.out)[stream - 1] == b"", "the other stream is empty"
    return (result.out, result.err)[stream - 1]


# The program's side of a dialogue: `wait` tells the test that everything so far is written, and waits for its answer.
DIALOGUE = """
import os
def say(text, stream=1):
    os.write(stream, text)
def wait():
    os.write(2, b".")
    os.read(0, 1)
"""


class Dialogue:
    """A run whose program stops at each `wait` until the test says `go`. What it wrote was read by envseal before."""

    def __init__(self, vault, names, program):
        self.process = vault.popen("run", "--quiet", *options(names), "--", PYTHON, "-I", "-c", DIALOGUE + program,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.out = b""

    def wait(self):
        """-> whether the program waits; False at its end."""
        while True:
            ready, _, _ = select.select([self.process.stdout, self.process.stderr], [], [], 60)
            assert ready, f"nothing comes after {self.out!r}"
            if self.process.stderr in ready:
                told = os.read(self.process.stderr.fileno(), 1)
                assert told in (b"", b".")
                return told == b"."
            self.out += os.read(self.process.stdout.fileno(), 65536)

    def read_until(self, text):
        """Waits for bytes that must come while the program stands still."""
        while text not in self.out:
            assert select.select([self.process.stdout], [], [], 60)[0], f"{text!r} does not show, only {self.out!r}"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, f"the end came before {text!r}"
            self.out += piece

    def is_silent(self):
        return not select.select([self.process.stdout], [], [], 0.15)[0]

    def go(self):
        self.process.stdin.write(b"g")

    def finish(self, status=0):
        while self.wait():
            self.go()
        self.out += self.process.stdout.read()
        assert self.process.wait(60) == status
        return self.out


# ---------------------------------------------------------------------------------------------------------------- forms


def test_all_forms_at_all_alignments(rich):
    names = ["API_TOKEN", "PLUSSES", "EIGHT"]
    lines = []
    for name in names:
        value = VALUES[name]
        for text in (value, value.rstrip(b"\n"), value + b"\n"):
            lines += [text, text.hex().encode(), text.hex().upper().encode(), base64.b64encode(text),
                      base64.urlsafe_b64encode(text)]
            for before in (b"u", b"us", b"use", b"user:"):
                for behind in (b"", b"\n", b"xy", b"more"):
                    lines.append(base64.b64encode(before + text + behind))
                    lines.append(base64.urlsafe_b64encode(before + text + behind).rstrip(b"="))
    stream = b"\n".join(lines) + b"\n"
    out = emit(rich, names, [stream])
    assert out == oracle(stream, names)
    for form in (None, "base64", "base64url", "hex", "HEX"):
        assert masked("PLUSSES", form).encode() in out, form
    for name in names:
        assert_nowhere([text for text, _ in needles_of(VALUES[name])], out)
    assert emit(rich, names, [stream], stream=2) == out


@pytest.mark.parametrize("name", ["BINARY", "LINES", "BIG"])
def test_any_bytes(rich, name):
    value = VALUES[name]
    tail = value[len(value.rstrip(b"\n")):]  # a mask never takes the newline behind a value
    stream = b"<" + value + b"|" + value.hex().encode() + b"|" + value.hex().upper().encode() + b">"
    masks = [masked(name).encode() + tail, masked(name, "hex").encode(), masked(name, "HEX").encode()]
    assert emit(rich, [name], [stream]) == b"<" + b"|".join(masks) + b">"
    out = emit(rich, [name], [base64.b64encode(b"x" + value)])
    assert masked(name, "base64").encode() in out and len(out) < 60


def test_a_trailing_newline_that_the_shell_takes_off(rich):
    result = rich.ok("run", "-s", "LINES", "--", "sh", "-c", 'printf "<%s>" "$(printf %s "$LINES")"')
    assert result.text == f"<{masked('LINES')}>"


def test_overlapping_nested_and_equal_values(rich):
    names = ["LEFT", "RIGHT", "INNER"]
    stream = b"~".join([b"abcdefghijklmnopqrst", b"abcdefghijkl", b"ijklmnopqrst", b"efghijkl", b"efghijklmnopqrst",
                        b"abcdefghijklabcdefghijkl", b"abcdefghijk", b"fghijklmnopqrst",
                        b"abcdefghijkl" + b"mnopqrs"]) + b"~\n"
    out = emit(rich, names, [stream])
    assert out == oracle(stream, names)
    assert out.startswith(b"[ENVSEAL:REDACTED LEFT, RIGHT, INNER]~[ENVSEAL:REDACTED LEFT, INNER]~")
    names = ["TWIN_B", "TWIN_A"]
    stream = VALUES["TWIN_A"] + b" " + base64.b64encode(VALUES["TWIN_A"]) + b"\n"
    assert emit(rich, names, [stream]) == oracle(stream, names)
    assert b"[ENVSEAL:REDACTED TWIN_B, TWIN_A] [ENVSEAL:REDACTED TWIN_B base64, TWIN_A base64]" in oracle(stream, names)


def test_a_value_that_is_the_text_of_a_mask(rich):
    """A mask that was written is not looked at again."""
    names = ["API_TOKEN", "MASK_TEXT"]
    stream = TOKEN + b" " + VALUES["MASK_TEXT"] + b" [ENVSEAL:REDACTED API_TOKEN"
    assert emit(rich, names, [stream]) == b" ".join([
        masked("API_TOKEN").encode(), masked("MASK_TEXT").encode(), masked("MASK_TEXT").encode()])


def test_periodic_and_self_overlapping_values(rich):
    names = ["PERIODIC", "SELF"]
    streams = [b"pqrs" * count + tail for count in range(1, 10) for tail in (b"!", b"pq!", b"pqr", b"qrs")]
    streams += [b"aab4aab4aab4aab5.", b"aaab4aab4aab5.", b"aab4aab4aab", b"aaaaaaaab4aab4aab5aab4"]
    stream = b"\n".join(streams)
    assert emit(rich, names, [stream]) == oracle(stream, names)
    assert emit(rich, names, [stream[i:i + 1] for i in range(len(stream))]) == oracle(stream, names)


def test_weak_values_count_between_word_boundaries(rich):
    lines = [b"dev42", b"(dev42)", b"dev42.", b"a=dev42;", b"xdev42", b"dev42x", b"dev42_", b"_dev42", b"dev420",
             b"dev42dev42",
             b"dev42-dev42", b"\xffdev42\xff", b"DEV42", b"ZGV2NDI=", b"6465763432", b"Dev42 dev42"]
    stream = b"\n".join(lines) + b"\n"
    out = emit(rich, ["WEAK", "API_TOKEN"], [stream])
    assert out == oracle(stream, ["WEAK", "API_TOKEN"])
    kept = {b"xdev42", b"dev42x", b"dev42_", b"_dev42", b"dev420", b"dev42dev42", b"DEV42", b"ZGV2NDI="}
    assert kept == set(lines) & set(out.split(b"\n"))
    # The neighbour decides, and it may come later; at the ends of the stream there is none.
    for stream in (b"dev42", b"xdev42", b"dev42 dev42"):
        pieces = [stream[i:i + 1] for i in range(len(stream))]
        assert emit(rich, ["WEAK"], pieces) == oracle(stream, ["WEAK"])


# ----------------------------------------------------------------------------------------------------------------- cuts


def without_shown(line, needle, mask):
    """Silence may have shown at most 3 bytes, and at most a quarter, of a needle whose rest was masked then."""
    for count in range(min(3, len(needle) // 4), 0, -1):
        line = line.replace(needle[:count] + mask, mask)
    return line


def test_every_cut_in_two_writes(rich):
    needles = {form: text for text, form in reversed(needles_of(TOKEN))}
    program = f"for needle in {list(needles.values())!r}:\n" + (
        "    for cut in range(len(needle) + 1):\n        say(b'<' + needle[:cut]); wait()\n"
        "        say(needle[cut:] + b'>\\n')\n")
    lines = Dialogue(rich, ["API_TOKEN"], program).finish().splitlines()
    for form, needle in needles.items():
        mask = masked("API_TOKEN", None if form == "raw" else form).encode()
        own, lines = lines[:len(needle) + 1], lines[len(needle) + 1:]
        assert {without_shown(line, needle, mask) for line in own} == {b"<" + mask + b">"}, form
    assert lines == []


def test_a_value_that_drips(rich):
    program = f"for byte in {TOKEN!r}:\n    say(bytes([byte])); wait()\nsay(b'\\n')\n"
    dialogue = Dialogue(rich, ["API_TOKEN"], program)
    seen = []
    while dialogue.wait():
        seen.append(dialogue.out)
        dialogue.go()
    assert len(seen) == len(TOKEN)
    out = dialogue.finish()
    assert without_shown(out, TOKEN, masked("API_TOKEN").encode()) == masked("API_TOKEN").encode() + b"\n"
    for out in seen[:-1]:
        assert out in (TOKEN[:3], TOKEN[:2], TOKEN[:1], b"")


def test_silence_shows_at_most_the_budget(rich):
    program = (f"say({TOKEN[:3]!r}); wait(); say({TOKEN[3:]!r} + b'|'); wait()\n"
               f"say({TOKEN[:4]!r}); wait(); say(b'-no|'); wait(); say({TOKEN[:-1]!r}); wait()\n"
               f"say({TOKEN[-1:]!r} + b'\\n')\n")
    dialogue = Dialogue(rich, ["API_TOKEN"], program)
    assert dialogue.wait()
    dialogue.read_until(TOKEN[:3])  # three bytes of twenty: a prompt could end like that
    dialogue.go()
    assert dialogue.wait()
    dialogue.read_until(TOKEN[:3] + masked("API_TOKEN").encode() + b"|")
    before = dialogue.out
    dialogue.go()
    assert dialogue.wait() and dialogue.is_silent() and dialogue.out == before
    dialogue.go()
    assert dialogue.wait()
    dialogue.read_until(TOKEN[:4] + b"-no|")
    before = dialogue.out
    dialogue.go()
    assert dialogue.wait() and dialogue.is_silent() and dialogue.out == before
    dialogue.go()
    assert dialogue.finish() == before + masked("API_TOKEN").encode() + b"\n"


def test_a_prompt_shows_at_once(rich):
    """Also one whose last bytes may be the first of a value, and with a value of a megabyte in the run."""
    program = ("say(b'Password: '); os.read(0, 1); say(b'\\nName of the to'); os.read(0, 1)\n"
               "say(b'\\rat 50%\\rat 99%'); os.read(0, 1); say(b'\\n')\n")
    vault = rich
    process = vault.popen("run", "-s", "API_TOKEN", "-s", "LEFT", "-s", "BIG=B:file", "--", PYTHON, "-I", "-c",
                          DIALOGUE + program,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    out = b""
    for prompt in (b"Password: ", b"\nName of the to", b"\rat 50%\rat 99%"):
        while not out.endswith(prompt):
            assert select.select([process.stdout], [], [], 60)[0], f"{prompt!r} is held back, after {out!r}"
            out += os.read(process.stdout.fileno(), 1000)
        process.stdin.write(b"y")
    assert process.stdout.read() == b"\n" and process.wait(60) == 0


def test_a_prompt_on_a_terminal(rich):
    child = rich.spawn("run", "-s", "API_TOKEN", "--", "sh", "-c", 'printf "Who: "; read who; echo "$who $API_TOKEN"',
                       passphrase=True)
    child.expect_exact("Who: ")
    child.sendline("me")
    child.expect_exact(f"me {masked('API_TOKEN')}")


@pytest.mark.parametrize("name, shown, hidden", [
    ("API_TOKEN", 5, 6), ("EIGHT", 3, 4), ("API_TOKEN", 1, 19), ("BIG", 5, 6), ("WEAK", 2, 3)])
def test_what_is_held_at_the_end(rich, name, shown, hidden):
    """Six bytes, or half of the value, are masked; less is shown. Each stream has its own end."""
    value = VALUES[name]
    program = "import os, sys; data = sys.stdin.buffer.read().split(b'SEP'); os.write(1, data[0]); os.write(2, data[1])"
    result = rich.ok("run", "--quiet", *options([name], as_file=True), "--", PYTHON, "-I", "-c", program,
                     input=b"." + value[:shown] + b"SEP." + value[:hidden])
    assert result.out == b"." + value[:shown] == oracle(b"." + value[:shown], [name])
    assert result.err == b"." + masked(name).encode() == oracle(b"." + value[:hidden], [name])


def test_random_streams_in_random_writes(rich):
    names = ["API_TOKEN", "LEFT", "RIGHT", "INNER", "TWIN_A", "TWIN_B", "PERIODIC", "SELF", "EIGHT", "WEAK", "PLUSSES"]
    random = seeded("random streams")
    needles = [text for name in names for text, _ in needles_of(VALUES[name])]
    parts = []
    for _ in range(6000):
        needle = random.choice(needles)
        cut = random.randrange(len(needle) + 1)
        # Neither white space nor escape sequences: tests/property has those.
        parts.append(random.choice([needle, needle[:cut], needle[cut:], needle[:cut] + needle, b"~", b".",
                                    bytes(random.randrange(128, 256) for _ in range(random.randrange(9)))]))
    stream = b"".join(parts)
    want = oracle(stream, names)
    pieces, at = [], 0
    while at < len(stream):
        size = random.choice([1, 1, 2, 3, random.randrange(1, 200), 65536])
        pieces.append(stream[at:at + size])
        at += size
    assert emit(rich, names, [stream]) == want
    # A pause between two writes may show what the budget allows; where the machine was quick, the outputs are equal.
    out = emit(rich, names, pieces)
    assert_nowhere([needle for needle in needles if len(needle) >= 8], want)
    if out != want:
        assert_nowhere([needle for needle in needles if len(needle) >= 8], out)


def test_values_across_the_blocks_of_reading(rich):
    pieces = []
    for shift in range(-22, 3):
        start = sum(map(len, pieces))
        pieces += [b"." * ((-start - len(TOKEN) - shift) % 65536 + 65536), TOKEN]
    stream = b"".join(pieces)
    assert emit(rich, ["API_TOKEN"], [stream]) == oracle(stream, ["API_TOKEN"])


def test_a_line_of_ten_megabytes(rich):
    names = ["API_TOKEN", "LEFT"]
    filler = b"\xff\xfe\x80tok-4f9Jc2LmQx81ZwP abcdefghijk " * 150_000
    stream = filler + TOKEN + filler + b"\xc3" + TOKEN + b"\xa9"
    out = emit(rich, names, [stream])
    mask = masked("API_TOKEN").encode()
    assert len(stream) > 10_000_000 and out == filler + mask + filler + b"\xc3" + mask + b"\xa9"
