"""What the filter must give out, from a look at the whole stream at once: written from the design alone."""

import base64
import bisect
import hashlib
import itertools
import math
import re

from envseal_support import SECRETS

TOKEN = SECRETS["API_TOKEN"]
WORD_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

VALUES = {
    "API_TOKEN": TOKEN,
    "BINARY": b"\0\xff\xfe\nbin\x80\r\n\x1b[0m\0end",
    "LINES": b"first line 71\nsecond line 72\n",
    "BIG": hashlib.shake_256(b"big").digest(1 << 20).replace(b"\n", b"N"),
    "MASK_TEXT": b"[ENVSEAL:REDACTED API_TOKEN]",
    "LEFT": b"abcdefghijkl", "RIGHT": b"ijklmnopqrst", "INNER": b"efghijkl",
    "TWIN_A": b"the-same-value-19", "TWIN_B": b"the-same-value-19",
    "PERIODIC": b"pqrspqrspqrspqrs",
    "SELF": b"aab4aab4aab5",
    "EIGHT": b"Zq7#vKp2",
    "WEAK": b"dev42",
    "PLUSSES": b"\xfb\xef\xbe\xff\xff\xfe~~~???>>>\xfb\xf0",
}


def is_weak(value):
    return len(value) < 8 or len(set(value)) < 4


def core_of_base64(value, before, encode):
    """The characters of base64 that no neighbour of the value can change."""
    text = encode(b"\0" * before + value + b"\0\0\0")
    return text[math.ceil(8 * before / 6):8 * (before + len(value)) // 6]


def needles_of(value):
    """[(bytes, form)] in the order in which a shorter name wins: of values of one line, the forms of old."""
    trimmed = re.sub(rb"\r?\n\Z", b"", value)
    texts = [text for text in dict.fromkeys([value, trimmed]) if text]
    found = [(value.strip(b" \t\n\v\f\r") or value, "raw")]
    for form, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
        found += [(core_of_base64(text, before, encode),
                   form) for text in texts for before in range(3)]
    found += [(text.hex().encode(), "hex") for text in texts]
    found += [(text.hex().upper().encode(), "HEX") for text in texts]
    unique = {}
    for text, form in found:
        if form == "raw" or not is_weak(text):
            unique.setdefault(text, form)
    return list(unique.items())


# ---------------------------------------------------------------------------------------------------- views of a stream

GAP_MAX = 512


def sequence_end(stream, start):
    """Where the escape sequence that begins at `start` ends."""
    limit = min(start + GAP_MAX, len(stream))
    kind = stream[start + 1:start + 2]
    if kind == b"[":
        return re.compile(rb"[ -?]*[@-~]?").match(stream, start + 2, max(limit, start + 2)).end()
    if not kind or kind not in b"]PX^_":
        return re.compile(rb"[ -/]*[0-~]?").match(stream, start + 1, limit).end()
    at = start + 2
    while at < limit:
        if stream[at] in b"\x07\x18\x1a":
            return at + 1
        if stream[at] == 0x1b and at + 1 < limit and stream[at + 1] != 0x1b:
            return at + 2 if stream[at + 1] == ord("\\") else at
        at += 1
    return limit


def escapes_of(stream):
    """[(from, to)] of all escape sequences."""
    found, at = [], stream.find(b"\x1b")
    while at >= 0:
        found.append((at, sequence_end(stream, at)))
        at = stream.find(b"\x1b", found[-1][1])
    return found


def clean_of(stream):
    """[(from, to)] of what is no escape sequence."""
    edges = [0, *(edge for escape in escapes_of(stream) for edge in escape), len(stream)]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2]) if start < end]


def loose_of(stream):
    """[(from, to)] of what is neither that nor white space."""
    return [match.span() for run in clean_of(stream) for match in re.compile(rb"\S+").finditer(stream, *run)]


class View:
    """Parts of a stream as one text that knows where it comes from."""

    def __init__(self, stream, runs):
        self.text = b"".join(stream[start:end] for start, end in runs)
        self.starts = [0, *itertools.accumulate(end - start for start, end in runs)][:-1]
        self.runs = runs

    def place(self, at):
        run = bisect.bisect_right(self.starts, at) - 1
        return self.runs[run][0] + at - self.starts[run]


def views(stream, runs):
    """What no gap of more than GAP_MAX bytes divides, and whether the last part may go on behind the stream."""
    parts = []
    for run in runs:
        if not parts or run[0] - parts[-1][-1][1] > GAP_MAX:
            parts.append([])
        parts[-1].append(run)
    is_open = bool(runs) and len(stream) - runs[-1][1] <= GAP_MAX
    return [View(stream, part) for part in parts], is_open


# ----------------------------------------------------------------------------------------------------------- the oracle


def occurrences(text, needle, weak):
    at = text.find(needle)
    while at >= 0:
        end = at + len(needle)
        word_before = weak and at > 0 and text[at - 1] in WORD_BYTES
        word_after = weak and end < len(text) and text[end] in WORD_BYTES
        if not word_before and not word_after:
            yield at, end
        at = text.find(needle, at + 1)


def cut_at_end(stream, needles):
    """What the end rule masks: (from, name, form), or None."""
    lengths = {length for length in range(1, 6) if length <= len(stream)}
    for text, *_ in needles:
        tail_at = max(0, len(stream) - len(text))
        lengths |= {len(stream) - at for at,
                    _ in occurrences(stream[tail_at:], text[:6], False) for at in [at + tail_at]}
    for length in sorted(lengths, reverse=True):
        tail = stream[-length:]
        before = stream[-length - 1:-length]
        fits = [(text, name, form) for text, name, form, weak in needles if len(text) > length and text.startswith(tail)
                and not (weak and before and before in WORD_BYTES)]
        if fits and (length >= 6 or 2 * length >= min(len(text) for text, *_ in fits)):
            return len(stream) - length, fits[0][1], fits[0][2]
    return None


def matches_in(stream, runs, needles):
    """[(from, to, name, form, bytes of the needle)]"""
    parts, is_open = views(stream, runs)
    found = []
    for view in parts:
        for text, name, form, weak in needles:
            size = len(re.sub(rb"\s", b"", text))
            found += [(view.place(at), view.place(end - 1) + 1, name, form, size)
                      for at, end in occurrences(view.text, text, weak)]
    cut = cut_at_end(parts[-1].text, needles) if is_open else None
    if cut:
        last = parts[-1]
        size = len(re.sub(rb"\s", b"", last.text[cut[0]:]))
        found.append((last.place(cut[0]), last.place(len(last.text) - 1) + 1, cut[1], cut[2], size))
    return found


def kept_escapes(stream, escapes, start, end, plain):
    """The escapes in a masked stretch stay, but for those in a match of the stream itself. (At most 4096 bytes; no test
    here has as many.)"""
    places = [at for left, right in escapes if left < end and right > start for at in range(left, right)
              if start <= at < end]
    near = [match for match in plain if match[0] < end and match[1] > start] if places else []
    return b"".join(stream[at:at + 1] for at in places if not any(match[0] <= at < match[1] for match in near))


def oracle(stream, names, values=VALUES):
    """Not for values with white space in them, nor for streams with lines of dumps."""
    needles = [(text, name, form, form == "raw" and is_weak(text)) for name in names for text,
               form in needles_of(values[name])]
    strong = [needle for needle in needles if not needle[3]]
    weak = [needle for needle in needles if needle[3]]
    whole = [(0, len(stream))] if stream else []
    plain = matches_in(stream, whole, strong) + matches_in(stream, whole, weak)
    matches = plain + matches_in(stream, clean_of(stream), weak) + matches_in(stream, loose_of(stream), strong)
    escapes = escapes_of(stream)
    out, shown = [], 0
    matches.sort(key=lambda match: match[:2])
    while matches:
        start, end = matches[0][:2]
        group = []
        while matches and (not group or matches[0][0] < end):
            group.append(matches.pop(0))
            end = max(end, group[-1][1])
        out += [stream[shown:start], mask_of(group, names), kept_escapes(stream, escapes, start, end, plain)]
        shown = end
    return b"".join(out) + stream[shown:]


def mask_of(group, names):
    order = ["raw", "base64", "base64url", "hex", "HEX"]
    parts = []
    for name in names:
        own = [(size, -order.index(form), form) for _, _, whose, form, size in group if whose == name]
        if own:
            form = max(own)[2]
            parts.append(name if form == "raw" else f"{name} {form}")
    return f"[ENVSEAL:REDACTED {', '.join(parts)}]".encode()
