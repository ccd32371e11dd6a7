"""An authenticator app: codes by RFC 6238 from the URI that is on the screen, and the dialogue of `envseal totp`."""

import base64
import hashlib
import hmac
import re
import struct
import time
import urllib.parse

from envseal_support import finish

WRITTEN = r"Is the recovery code written down\? \[y/N\] $"
PROOF = "Code that the app shows: $"
PRESENT = "Code of the present second factor: $"
RECOVERY = "Recovery code: $"


def step_now():
    return int(time.time()) // 30


class App:
    def __init__(self, uri):
        self.uri = uri
        parts = urllib.parse.urlsplit(uri)
        self.label = urllib.parse.unquote(parts.path.lstrip("/"))
        self.options = dict(urllib.parse.parse_qsl(parts.query))
        self.text = self.options["secret"]
        self.key = base64.b32decode(self.text)
        self.last = 0

    def code(self, step):
        digest = hmac.new(self.key, struct.pack(">Q", step), hashlib.sha1).digest()
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"

    def fresh(self):
        """A code that is taken now, and also where a step begins meanwhile: of this step, then of the next. A third would
        have to wait."""
        self.last = max(step_now(), self.last + 1)
        assert self.last <= step_now() + 1, "no third code without waiting"
        return self.code(self.last)

    def wrong(self, count=1):
        """Codes that no step near this one has."""
        near = {self.code(step_now() + step) for step in range(-5, 6)}
        return [text for text in (f"{number:06}" for number in range(20)) if text not in near][:count]


class Setup:
    """`envseal totp setup`, at the question for the proof."""

    def __init__(self, vault, present=None, **more):
        more.setdefault("env", {"TERM": "xterm-256color"})
        self.child = vault.spawn("totp", "setup", passphrase=True, **more)
        if present is not None:
            self.child.expect(PRESENT)
            self.child.send(present + "\r")
        self.child.expect(WRITTEN)
        self.seen = self.child.before
        self.app = App(re.search(r"otpauth://\S+", self.seen)[0])
        self.recovery = re.search(r"\b[A-Z2-7]{5}(?:-[A-Z2-7]{5}){3}\b", self.seen)[0]

    def written(self):
        self.child.send("y")
        self.child.expect(PROOF)
        self.picture = self.child.before
        return self

    def prove(self, code):
        """Types it. -> what came until the end, and the status"""
        self.child.send(code + "\r")
        return finish(self.child)

    def done(self):
        text, status = self.written().prove(self.app.fresh())
        assert status == 0, text
        self.end = text
        return self


def totp_rm(vault, answer, *options, env=None):
    child = vault.spawn("totp", "rm", *options, passphrase=True, env=env)
    child.expect(RECOVERY if options else PRESENT)
    child.send(answer + "\r")
    return finish(child)


def totp_status(vault):
    return vault.ok("totp", "status", "--json").json()


def kinds(vault):
    return [record["kind"] for record in vault.records(kind="totp")]
