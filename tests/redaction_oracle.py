"""What the filter must give out, from a look at the whole stream at once: written from the design alone."""

import base64
import hashlib
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
    found = [(text, "raw") for text in texts]
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


def occurrences(stream, needle, weak):
    at = stream.find(needle)
    while at >= 0:
        end = at + len(needle)
        word_before = weak and at > 0 and stream[at - 1] in WORD_BYTES
        word_after = weak and end < len(stream) and stream[end] in WORD_BYTES
        if not word_before and not word_after:
            yield at, end
        at = stream.find(needle, at + 1)


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


def oracle(stream, names, values=VALUES):
    needles = [(text, name, form, form == "raw" and is_weak(text)) for name in names for text, form in needles_of(values[name])]
    matches = [(at, end, name, form) for text, name, form, weak in needles for at,
               end in occurrences(stream, text, weak)]
    cut = cut_at_end(stream, needles)
    if cut:
        matches.append((cut[0], len(stream), cut[1], cut[2]))
    out, shown = [], 0
    matches.sort(key=lambda match: match[:2])
    while matches:
        start, end = matches[0][:2]
        group = []
        while matches and (not group or matches[0][0] < end):
            group.append(matches.pop(0))
            end = max(end, group[-1][1])
        out += [stream[shown:start], mask_of(group, names)]
        shown = end
    return b"".join(out) + stream[shown:]


def mask_of(group, names):
    order = ["raw", "base64", "base64url", "hex", "HEX"]
    parts = []
    for name in names:
        own = [(end - at, -order.index(form), form) for at, end, whose, form in group if whose == name]
        if own:
            form = max(own)[2]
            parts.append(name if form == "raw" else f"{name} {form}")
    return f"[ENVSEAL:REDACTED {', '.join(parts)}]".encode()
