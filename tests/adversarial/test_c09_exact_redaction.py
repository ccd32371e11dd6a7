"""C9: the output is what a filter over the whole output at once would give, however it is cut into writes. Expected
outputs are put together from their parts, without any filter."""

import base64
import hashlib
import itertools
import os
import re
import select
import subprocess

import pytest

from attack_support import Sieve
from envseal_support import PYTHON, SECRETS, THROUGH_BROKER, assert_nowhere, copy_vault, masked

TOKEN = SECRETS["API_TOKEN"]
MASK = masked("API_TOKEN").encode()
MIB = 1 << 20
VALUES = {"API_TOKEN": TOKEN, "SHORT": b"Hx4!mQ9z", "PERIODIC": b"kl3kl3kl3kl3kl4", "SAME_ENDS": b"zz9-between-zz9",
          "HUGE": hashlib.shake_256(b"huge").digest(MIB).replace(b"\n", b"N"), "BYTES": b"\xff\xfe\x00\x80>>>???\xfb\xef\xbe"}


@pytest.fixture(scope="module")
def rich(tmp_path_factory, empty_original):
    """A vault that holds VALUES."""
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("rich"))
    for name, value in VALUES.items():
        vault.set(name, value)
    return vault


def budget(value):
    """How much of a value may be shown before it is known whether the rest comes."""
    return min(3, len(value) // 4)


def options(*names):
    return [word for name in names for word in ("-s", f"{name}=F_{name}:file")]


# What the programs below have in common. At a `pause` the program says so on the other stream, and goes on when the test has
# looked at what was shown by then.
PRELUDE = """
import base64, os, sys
def out(data, stream=1):
    data = memoryview(data)
    while data: data = data[os.write(stream, data):]
def value(name):
    with open(os.environ["F_" + name], "rb") as file: return file.read()
def pause():
    out(b".", 2)
    if not os.read(0, 1): os._exit(9)
"""


def emit(vault, names, program, stream=1, **more):
    result = vault.ok("run", "--quiet", *options(*names), "--", PYTHON, "-I", "-c", PRELUDE + program, **more)
    assert (result.err, result.out)[stream - 1] == b""
    return (result.out, result.err)[stream - 1]


class Dripping:
    """A run that stops at each `pause`. What was shown by then is in `out`."""

    def __init__(self, vault, names, program):
        self.out = b""
        self.process = vault.popen("run", "--quiet", *options(*names), "--", PYTHON, "-I", "-c", PRELUDE + program, bufsize=0,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def take(self):
        piece = os.read(self.process.stdout.fileno(), 65536)
        self.out += piece
        return piece

    def pauses(self):
        """Once for each pause. Between two of them the program stands still."""
        while True:
            ready, _, _ = select.select([self.process.stdout, self.process.stderr], [], [], 60)
            assert ready, "nothing comes"
            if self.process.stdout in ready:
                self.take()
            if self.process.stderr in ready:
                if os.read(self.process.stderr.fileno(), 1) == b"":
                    break
                yield self
                self.process.stdin.write(b"g")
        while self.take():
            pass
        assert self.process.wait(60) == 0

    def wait_for(self, text):
        """Waits for what must be shown without another byte from the program."""
        while not self.out.endswith(text):
            assert select.select([self.process.stdout], [], [], 60)[0] and self.take(), f"{text!r} is not shown"


def without_exposed(out, value, mask=MASK):
    """The output as it would be without the budget: what silence showed of a value stands right before its mask."""
    shown = b"|".join(re.escape(value[:count]) for count in range(budget(value), 0, -1))
    return re.sub(b"(?:" + shown + b")+" + re.escape(mask), mask, out)


# ------------------------------------------------------------------------------------------------------------- dripping


@pytest.mark.parametrize("name", ["API_TOKEN", "SHORT", "PERIODIC", "SAME_ENDS"])
def test_a_value_byte_by_byte(rich, name):
    """Silence after each byte: at no moment more than the budget is shown, and at the end nothing but that."""
    value = VALUES[name]
    run = Dripping(rich, [name], f"for byte in value('{name}'):\n    out(bytes([byte])); pause()\nout(b'\\n')\n")
    count = 0
    for count, _ in enumerate(run.pauses(), 1):
        if count < len(value):
            assert value.startswith(run.out) and len(run.out) <= budget(value)
    assert count == len(value)
    assert without_exposed(run.out, value, masked(name).encode()) == masked(name).encode() + b"\n"


def test_each_form_byte_by_byte(rich):
    """Also the forms that are longer than the value. All of them show less than their quarter."""
    forms = [TOKEN.hex().encode(), TOKEN.hex().upper().encode(), base64.b64encode(b"abc" + TOKEN)[4:]]
    program = f"for form in {forms!r}:\n    for byte in form:\n        out(bytes([byte])); pause()\n    out(b'|'); pause()\n"
    run = Dripping(rich, ["API_TOKEN"], program)
    for _ in run.pauses():
        for form in forms:
            for at in range(len(form) - 4):
                assert form[at:at + 4] not in run.out.replace(b"REDACTED", b"")
    shown = [part for part in run.out.split(b"|") if part]
    assert len(shown) == 3
    for part, form, how in zip(shown, forms, ("hex", "HEX", "base64")):
        left, mask, right = part.partition(masked("API_TOKEN", how).encode())
        assert mask and form.startswith(left) and len(left) <= 3 and len(right) <= 2 and form.endswith(right)


def test_time_releases_nothing(rich):
    """The stream has been quiet when three bytes show, and then again after each further byte: the other stream, quiet since
    later, tells when it was."""
    clock = VALUES["SHORT"][:2]
    program = (f"v = value('API_TOKEN')\nout(v[:3]); os.read(0, 1)\nfor byte in v[3:-1]:\n"
               f"    out(bytes([byte])); out({clock!r}, 2); os.read(0, 1); out(b'~', 2)\nout(v[-1:])\n")
    run = Dripping(rich, ["API_TOKEN", "SHORT"], program)
    run.wait_for(TOKEN[:3])
    run.process.stdin.write(b"g")
    for _ in range(len(TOKEN) - 4):
        told = b""
        while not told.endswith(clock):
            told += os.read(run.process.stderr.fileno(), 1)
        assert not select.select([run.process.stdout], [], [], 0)[0], "something was shown"
        run.process.stdin.write(b"g")
    while run.take():
        pass
    assert run.process.wait(60) == 0 and run.out == TOKEN[:3] + MASK


def test_games_around_the_budget(rich):
    """Beginnings that break off, again and again, with silence between: none adds up to more than the budget at a time."""
    lengths = [3, 2, 3, 1, 4, 3, 5, 3, 19, 3, 3, 20, 3, 6, 20, 4, 4, 19, 20]
    program = (f"v = value('API_TOKEN')\nfor n in {lengths!r}:\n    for i in range(0, n, 3): out(v[i:min(n, i + 3)]); pause()\n"
               "    if n < 20: out(b'!'); pause()\n    out(b'\\n'); pause()\n")
    run = Dripping(rich, ["API_TOKEN"], program)
    for _ in run.pauses():
        last = run.out.rpartition(b"\n")[2]
        # A beginning that has not broken off yet is shown up to the budget alone.
        assert not (len(last) > 3 and TOKEN.startswith(last)), last
    expected = [MASK if n == 20 else TOKEN[:n] + b"!" for n in lengths]
    assert [without_exposed(line, TOKEN) for line in run.out.splitlines()] == expected


def test_a_kill_in_the_middle_releases_nothing(rich):
    """Neither of the program nor of envseal."""
    for victim in ("os.getpid()", "os.getppid()"):
        program = f"out(value('API_TOKEN')[:15]); pause(); os.kill({victim}, 9); os.read(0, 1)\n"
        run = Dripping(rich, ["API_TOKEN"], program)
        assert os.read(run.process.stderr.fileno(), 1) == b"."
        run.process.stdin.write(b"g")
        while run.take():
            pass
        # Through a broker the program's parent is a worker, and the client lives to tell.
        assert run.process.wait(60) == (125 if THROUGH_BROKER and "ppid" in victim else -9)
        assert run.out in ((MASK,) if "ppid" not in victim else (b"", MASK)) or run.out == TOKEN[:3] + MASK


# ---------------------------------------------------------------------------------------------------------------- cuts


@pytest.mark.parametrize("stream", [1, 2])
def test_every_cut_into_three_writes(rich, stream):
    name, value = "SHORT", VALUES["SHORT"]
    cuts = list(itertools.combinations(range(len(value) + 1), 2))
    program = (f"v = value('{name}')\nfor i, j in {cuts!r}:\n    for part in (b'<' + v[:i], v[i:j], v[j:] + b'>'): out(part, {stream})\n")
    out = emit(rich, [name], program, stream)
    mask = masked(name).encode()
    assert without_exposed(out, value, mask) == (b"<" + mask + b">") * len(cuts)


def test_every_form_at_every_alignment(rich):
    """The characters that depend on the value alone are masked, and its neighbours stay."""
    names = ["API_TOKEN", "SHORT", "BYTES"]
    wholes, expected = [], []
    for name, before, behind in itertools.product(names, range(6), range(4)):
        data = b"ABCDEF"[:before] + VALUES[name] + b"xyz"[:behind]
        first, end = -(-8 * before // 6), 8 * (before + len(VALUES[name])) // 6
        for form, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(data)
            # Where both alphabets give the same characters, base64 is what it is called.
            called = "base64" if base64.b64encode(data)[first:end] == text[first:end] else form
            wholes.append(text)
            expected.append(text[:first] + masked(name, called).encode() + text[end:])
    for name, before in itertools.product(names, range(3)):
        for form, text in (("hex", VALUES[name].hex().encode()), ("HEX", VALUES[name].hex().upper().encode())):
            wholes.append(b"0af"[:before] + text + b"0af"[before:])
            expected.append(b"0af"[:before] + masked(name, form).encode() + b"0af"[before:])
    out = emit(rich, names, f"for text in {wholes!r}: out(text + b'\\n')")
    shown = out.splitlines()
    assert len(shown) == len(expected) > 150
    for text, got, want in zip(wholes, shown, expected):
        assert got == want or without_exposed(got, text, want[want.index(b"["):]) == want, (got, want)
    # All at once there is no silence, so this is exact.
    assert emit(rich, names, "out(sys.stdin.buffer.read())", input=b"\n".join(wholes) + b"\n") == b"\n".join(expected) + b"\n"


def test_two_streams_byte_by_byte_in_turn(rich):
    """One state for each stream: what one holds is nothing to the other."""
    program = ("a, b = value('API_TOKEN') * 20, value('SAME_ENDS') * 20\n"
               "for i in range(max(len(a), len(b))): out(a[i:i + 1]); out(b[i:i + 1], 2)\n")
    result = rich.ok("run", "--quiet", *options("API_TOKEN", "SAME_ENDS"), "--", PYTHON, "-I", "-c", PRELUDE + program)
    assert without_exposed(result.out, TOKEN) == MASK * 20
    assert without_exposed(result.err, VALUES["SAME_ENDS"], masked("SAME_ENDS").encode()) == masked("SAME_ENDS").encode() * 20


@pytest.mark.parametrize("pieces", [2, 5, 20])
def test_a_value_from_several_processes(rich, pieces):
    """Each writes a piece to the same pipe, and ends before the next one begins."""
    program = (f"v = value('API_TOKEN')\nsize = len(v) // {pieces}\nfor at in range(0, len(v), size):\n    pid = os.fork()\n"
               "    if pid == 0: out(v[at:at + size]); os._exit(0)\n    os.waitpid(pid, 0)\nout(b'\\n')\n")
    assert without_exposed(emit(rich, ["API_TOKEN"], program), TOKEN) == MASK + b"\n"


def test_a_value_from_a_program_and_its_survivor(rich):
    """What a child writes when the program itself has ended is the same stream."""
    program = ("v = value('API_TOKEN')\nready, go = os.pipe()\nif os.fork() == 0:\n    os.close(go); os.read(ready, 1)\n"
               "    out(v[9:] + b'\\n'); os._exit(0)\nout(v[:9])\n")
    assert without_exposed(emit(rich, ["API_TOKEN"], program), TOKEN) == MASK + b"\n"


def test_what_is_written_through_proc(rich):
    """The pipe opened anew is the same pipe."""
    program = ("v = value('API_TOKEN')\nagain = os.open('/proc/self/fd/1', os.O_WRONLY)\nout(v[:7]); out(v[7:13], again); out(v[13:])\n")
    assert without_exposed(emit(rich, ["API_TOKEN"], program), TOKEN) == MASK


# ------------------------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize("length", range(1, 21))
def test_the_end_in_the_middle_of_a_value(shared, length):
    """Six bytes or half of the value are masked; less is shown, as it may be anything."""
    held = TOKEN[:length]
    program = f"import os; os.write(1, b'a ' + {held!r}); os.write(2, b'b ' + {held!r})"
    result = shared.ok("run", "--quiet", "-s", "API_TOKEN", "--", PYTHON, "-I", "-c", program)
    for out, start in ((result.out, b"a "), (result.err, b"b ")):
        assert without_exposed(out, TOKEN) == start + (MASK if length >= 6 else held)


def test_the_end_without_a_newline(rich):
    program = "v = value('API_TOKEN')\nout(b'x' + v); out(b'y' + v.hex().encode(), 2)\n"
    result = rich.ok("run", "--quiet", *options("API_TOKEN"), "--", PYTHON, "-I", "-c", PRELUDE + program)
    assert (result.out, result.err) == (b"x" + MASK, b"y" + masked("API_TOKEN", "hex").encode())
    assert rich.ok("pipe", "API_TOKEN", "--quiet", "--", "cat").out == MASK
    assert rich.ok("pipe", "API_TOKEN", "--quiet", "--", "head", "-c", "12").out == MASK


# ------------------------------------------------------------------------------------------------------- many and large


def check_large(vault, names, program, expected, count):
    """Compares without keeping the whole output twice."""
    process = vault.popen("run", *options(*names), "--", PYTHON, "-I", "-c", PRELUDE + program, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    found, length = hashlib.sha256(), 0
    while piece := process.stdout.read1(1 << 20):
        found.update(piece)
        length += len(piece)
    talk = process.stderr.read()
    assert process.wait(60) == 0
    wanted = hashlib.sha256()
    wanted_length = 0
    for piece in expected:
        wanted.update(piece)
        wanted_length += len(piece)
    assert length == wanted_length and found.hexdigest() == wanted.hexdigest()
    told = re.search(rb"masked (\d+) time", talk)
    assert (int(told[1]) if told else 0) == count


@pytest.mark.parametrize("name, times", [("API_TOKEN", 20 * MIB // 19), ("PERIODIC", 20 * MIB // 14), ("HUGE", 20)])
def test_twenty_megabytes_of_almost_the_value(rich, name, times):
    """All that is missing is the last byte, each time. Nothing of it is masked, and nothing is lost."""
    start = VALUES[name][:-1]
    assert VALUES[name] not in start * 3
    check_large(rich, [name], f"out(value('{name}')[:-1] * {times} + b'.')\n", [start * times, b"."], 0)


def test_near_misses_with_hits_between(rich):
    names = ["API_TOKEN", "SHORT", "PERIODIC"]
    misses = [value[:n] + b"~" for value in (VALUES[name] for name in names) for n in range(1, len(value))]
    misses += [bytes([value[0] ^ 1]) + value[1:] for value in (VALUES[name] for name in names)]
    block = b"".join(misses)
    assert not any(VALUES[name] in block for name in names)
    program = f"block = {block!r}\nfor _ in range(300): out(block + value('SHORT') + b'~' + value('PERIODIC') + b'~' + value('API_TOKEN') + b'~')\n"
    shown = block + b"~".join(masked(name).encode() for name in ("SHORT", "PERIODIC", "API_TOKEN")) + b"~"
    check_large(rich, names, program, [shown * 300], 900)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_a_periodic_value_that_comes_late(rich, size):
    """Its beginning repeats, so that what is held moves along and never ends."""
    value, mask = VALUES["PERIODIC"], masked("PERIODIC").encode()
    text = b"kl3" * 400 + b"kl4" + b"kl3" * 4 + b"kl5" + b"kl3" * 5 + b"kl4."
    expected = b"kl3" * 396 + mask + b"kl3" * 4 + b"kl5" + b"kl3" + mask + b"."
    assert text.replace(value, mask) == expected
    out = emit(rich, ["PERIODIC"], f"text = {text!r}\nfor at in range(0, len(text), {size}): out(text[at:at + {size}])\n")
    assert without_exposed(out, value, mask) == without_exposed(expected, value, mask)
    assert size < len(text) or out == expected


def test_values_one_behind_the_other(rich):
    program = "v = value('API_TOKEN')\nout(v * 5000 + v[:-1] + v + v[1:] + v + b'\\n')\n"
    expected = MASK * 5000 + TOKEN[:-1] + MASK + TOKEN[1:] + MASK + b"\n"
    check_large(rich, ["API_TOKEN"], program, [expected], 5002)


def test_a_value_of_a_megabyte(rich):
    mask = masked("HUGE").encode()
    program = "v = value('HUGE')\nout(b'<' + v + b'>' + v[:-1] + b'!' + v)\nout(b'>' + v.hex().encode() + b'\\n')\n"
    expected = [b"<" + mask + b">", VALUES["HUGE"][:-1] + b"!" + mask + b">", masked("HUGE", "hex").encode() + b"\n"]
    check_large(rich, ["HUGE"], program, expected, 3)


def test_nothing_of_all_this_is_in_the_log(rich):
    """The records of all those runs tell where values were masked, and none of them."""
    log = rich.log.read_bytes()
    for name in VALUES.keys() - {"HUGE"}:
        Sieve([VALUES[name]], part=len(VALUES[name])).assert_clean(log, "the log")
    assert_nowhere([VALUES["HUGE"][:32], VALUES["HUGE"][:32].hex().encode()], log)
