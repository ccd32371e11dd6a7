"""Redaction of whole programs: two streams, floods, and the tools that print secrets in daily life."""

import hashlib
import http.server
import re
import subprocess
import threading

import pytest

from envseal_support import PYTHON, SECRETS, assert_nowhere, leaks_of, masked
from redaction_oracle import TOKEN, needles_of


# -------------------------------------------------------------------------------------------------------------- streams


def test_both_streams(shared):
    program = 'echo "o $API_TOKEN"; echo "e $API_TOKEN" >&2; echo "o2 $DATABASE_URL"\n'
    program += 'printf %s "$API_TOKEN" | base64 >&2'
    result = shared.ok("run", "-s", "API_TOKEN", "-s", "DATABASE_URL", "--", "sh", "-c", program)
    assert result.text == f"o {masked('API_TOKEN')}\no2 {masked('DATABASE_URL')}\n"
    lines = result.talk.splitlines()
    assert lines[0] == f"e {masked('API_TOKEN')}" and masked("API_TOKEN", "base64") in lines[1]
    count, where = leaks_of(result)
    assert count == 4 and set(where.split(", ")) == {part.strip() for part in (
        "API_TOKEN (raw on stdout", "1)", "API_TOKEN (raw on stderr", "DATABASE_URL (raw on stdout",
        "API_TOKEN (base64 on stderr")}
    assert_nowhere(SECRETS.values(), result.out + result.err)


def test_both_streams_into_one_pipe(shared):
    result = shared.ok("run", "-s", "API_TOKEN", "--quiet", "--", "sh", "-c",
                       'for i in 1 2 3; do echo "$API_TOKEN"; echo "$API_TOKEN" >&2; done', stderr=subprocess.STDOUT)
    assert result.out == f"{masked('API_TOKEN')}\n".encode() * 6


def test_halves_on_two_streams_are_not_joined(shared):
    """One state for each stream: this is a limit that is told, not a promise."""
    result = shared.ok("run", "-s", "API_TOKEN", "--quiet", "--", PYTHON, "-I", "-c",
                       "import os; v = os.environ['API_TOKEN']; os.write(1, v[:10].encode())\n"
                       "os.write(2, v[10:].encode())")
    assert result.text == masked("API_TOKEN") and result.err == TOKEN[10:]


def test_the_notice(shared):
    script = 'echo "$API_TOKEN"; echo "$API_TOKEN"; exit 7'
    result = shared.run("run", "-s", "API_TOKEN", "--", "sh", "-c", script, status=7)
    assert result.talk == "envseal: run: masked 2 times: API_TOKEN (raw on stdout, 2)\n"
    assert shared.run("run", "-s", "API_TOKEN", "--quiet", "--", "sh", "-c", script, status=7).err == b""
    assert shared.records()[-1]["leaks"] == [{"secret": "API_TOKEN", "form": "raw", "stream": "stdout", "offset": 0, "count": 2}]


def test_only_the_secrets_of_the_run(shared):
    """What the program was not given it cannot print; text that looks like another secret's value passes."""
    result = shared.ok("run", "-s", "DATABASE_URL", "--", "echo", TOKEN)
    assert result.out == TOKEN + b"\n" and result.err == b""


# --------------------------------------------------------------------------------------------------------------- volume


def test_clean_output_is_the_same_to_the_byte(shared):
    data = hashlib.shake_256(b"clean").digest(5_000_000)
    (shared.work / "clean").write_bytes(data)
    result = shared.ok("run", "-s", "API_TOKEN", "-s", "DATABASE_URL", "--", "cat", "clean")
    assert hashlib.sha256(result.out).digest() == hashlib.sha256(data).digest() and result.err == b""


def test_a_flood_of_values(shared):
    lines, rest = 100_000, 10
    result = shared.ok("run", "-s", "API_TOKEN", "--", "sh", "-c",
                       f'yes "$API_TOKEN" | head -c {lines * (len(TOKEN) + 1) + rest}')
    assert result.text == f"{masked('API_TOKEN')}\n" * lines + masked("API_TOKEN")
    assert leaks_of(result) == (lines + 1, f"API_TOKEN (raw on stdout, {lines + 1})")
    # Nobody wants the rest: the flood ends as it would without envseal.
    process = shared.popen("run", "-s", "API_TOKEN", "--", "sh", "-c", 'yes "$API_TOKEN"', stdout=subprocess.PIPE)
    assert process.stdout.read(len(masked("API_TOKEN"))).decode() == masked("API_TOKEN")
    process.stdout.close()
    assert process.wait(60) != 0


# -------------------------------------------------------------------------------------------------------- real programs


@pytest.mark.parametrize("script, forms", [
    ("env | grep ^API_TOKEN", [None]), ("printenv API_TOKEN; set | grep ^API_TOKEN", [None, None]),
    ("set -x; : $API_TOKEN", [None]), ("cat /proc/self/environ | tr '\\0' '\\n' | grep ^API", [None]),
    ("printf %s \"$API_TOKEN\" | base64", ["base64"]), ("echo \"user:$API_TOKEN\" | base64 -w 0", ["base64"]),
    ("printf %s \"$API_TOKEN\" | xxd -p", ["hex"]), ("printf %s \"$API_TOKEN\" | xxd -p -u", ["HEX"]),
    ("python3 -c 'import os; print(repr(os.environ[\"API_TOKEN\"]))'", [None]),
    ("python3 -c 'import os; raise SystemExit(os.environ[\"API_TOKEN\"])' || true", [None]),
    ("python3 -c 'import json, os; print(json.dumps(dict(os.environ)))' | grep -o '\"API_TOKEN[^,]*'", [None]),
    ("awk 'BEGIN { print ENVIRON[\"API_TOKEN\"] }'; echo $API_TOKEN | sed s/x/x/ | tee /dev/stderr",
     [None, None, None]),
    ("ls /$API_TOKEN || true", [None]), ("sort <<END\n$API_TOKEN\nEND", [None]),
    ("sh -c 'echo $0' \"$API_TOKEN\"; cat /proc/self/fd/0 < /dev/null; find /dev/null -printf \"$API_TOKEN\\n\"",
     [None, None]),
], ids=lambda value: value.split()[0] if isinstance(value, str) else "")
def test_tools(shared, script, forms):
    result = shared.ok("run", "-s", "API_TOKEN", "--quiet", "--", "sh", "-c", script)
    for form in set(forms):
        assert (result.out + result.err).count(masked("API_TOKEN", form).encode()) == forms.count(form), result
    assert_nowhere([text for text, _ in needles_of(TOKEN)], result.out + result.err)


@pytest.mark.parametrize("value, dump", [
    ("correct horse battery staple now", "printf 'abc%s' \"$DUMPED\" | xxd"),
    ("a value | of four > parts", "printf %s \"$DUMPED\" | od -A n -c"),
    ("a value | of four > parts", "printf %s \"$DUMPED\" | od -c"),
    ("a value | of four > parts", "printf %s \"$DUMPED\" | hexdump -c"),
    ("correct horse battery staple now", "printf 'abc%s' \"$DUMPED\" | xxd -c 8 -g 1"),
    ("correct horse battery staple now", "printf 'abc%s' \"$DUMPED\" | hexdump -C"),
    ("correct horse battery staple now", "printf 'abc%s' \"$DUMPED\" | od -A x -t x1z"),
    ("of 'four' \"parts\" <now>", "bash -xc ': $DUMPED' 2>&1"),
])
def test_dumps(vault, value, dump):
    """Nothing of the value is left in any column."""
    vault.set("DUMPED", value)
    result = vault.ok("run", "-s", "DUMPED", "--quiet", "--", "sh", "-c", dump)
    assert b"[ENVSEAL:REDACTED DUMPED" in result.out, result
    assert not re.findall("now|four|parts|Jd3G", re.sub(r"(?<=\S)   (?=\S)", "", result.text)), result


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"you sent {self.headers['Authorization']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_curl(shared):
    with http.server.HTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = (f'curl -sv -H "Authorization: Bearer $API_TOKEN" http://127.0.0.1:{server.server_port}/\n'
                  f'curl -sv -u "user:$API_TOKEN" http://127.0.0.1:{server.server_port}/')
        result = shared.ok("run", "-s", "API_TOKEN", "--quiet", "--", "sh", "-c", script, env={"no_proxy": "*"})
        server.shutdown()
    plain, encoded = result.text.splitlines()
    assert plain == f"you sent Bearer {masked('API_TOKEN')}"
    assert encoded.startswith("you sent Basic ") and masked("API_TOKEN", "base64") in encoded
    assert f"Authorization: Bearer {masked('API_TOKEN')}" in result.talk
    assert_nowhere([text for text, _ in needles_of(TOKEN)], result.out + result.err)


def test_git(shared):
    script = ('git init -q repo && cd repo && git config user.name me && git config user.email me@example.org\n'
              'git config http.extraheader "Authorization: $API_TOKEN"; echo "key = $API_TOKEN" > f; git add f\n'
              'git commit -q -m "use $API_TOKEN"; git log -p; git config -l; git grep key\n'
              'git show "HEAD:$API_TOKEN" || true')
    result = shared.ok("run", "-s", "API_TOKEN", "--quiet", "--", "sh", "-c", script)
    assert f"+key = {masked('API_TOKEN')}" in result.text and f"use {masked('API_TOKEN')}" in result.text
    assert f"f:key = {masked('API_TOKEN')}" in result.text and masked("API_TOKEN") in result.talk
    assert_nowhere([TOKEN], result.out + result.err)


def test_pipe_redacts_too(shared):
    result = shared.ok("pipe", "API_TOKEN", "--", "sh", "-c", "cat; echo; echo >&2 done")
    assert result.text == f"{masked('API_TOKEN')}\n"
    assert result.talk.startswith("done\nenvseal: pipe: masked 1 time: API_TOKEN")
