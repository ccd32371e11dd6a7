"""C7: the digest that the approval shows and the log keeps is that of the bytes that the kernel executes."""

import subprocess


def digest_of(path):
    return subprocess.run(["b2sum", "-l", "256", str(path)], capture_output=True, check=True, text=True).stdout.split()[0]


def test_the_recorded_digest_is_that_of_the_script(vault):
    script = vault.work / "tool"
    script.write_text("#!/bin/sh\necho old content\n")
    script.chmod(0o755)
    assert vault.ok("run", "-s", "API_TOKEN", "--", "./tool").text == "old content\n"
    assert vault.records(kind="run.intent")[-1]["program"]["digest"] == digest_of(script)
