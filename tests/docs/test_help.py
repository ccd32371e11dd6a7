"""Help, manual and completion say the same: all three are held against the command table."""

import os
import re
import shutil
import subprocess

import pytest

from docs_support import MAN, ROOT, Help, Man, binary, command_names, man_file, run_envseal

COMMANDS = command_names()
SHELLS = ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", COMMANDS)
def test_synopsis_is_in_the_manual(command):
    assert Help(command).synopsis in Man(man_file(command)).synopses()


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_in_the_manual(command):
    page = Man(man_file(command)).options()
    for name, (short, value) in Help(command).options.items():
        assert name in page, f"--{name} is not described"
        assert page[name][:2] == (short, value), f"--{name}"
        assert len(page[name][2]) > 5, f"--{name} has no text"


@pytest.mark.parametrize("path", sorted(MAN.glob("envseal-*.1.scd")), ids=lambda path: path.name)
def test_manual_has_no_other_options_and_synopses(path):
    family = path.name.removeprefix("envseal-").removesuffix(".1.scd")
    helps = [Help(command) for command in COMMANDS if command == family or command.startswith(family + " ")]
    assert helps, f"{path.name} describes no command"
    assert Man(path).synopses() == [item.synopsis for item in helps]
    assert set(Man(path).options()) == {name for item in helps for name in item.options}


@pytest.mark.parametrize("command", [command for command in COMMANDS if " " not in command])
def test_name_line_is_the_summary(command):
    summary = Help(command).summary
    assert summary.endswith(".") and summary[0].isupper()
    assert Man(man_file(command)).name() == f"envseal-{command} - {summary[0].lower()}{summary[1:-1]}"


def test_direct_is_described_alike():
    texts = {Man(path).options()["direct"][2] for path in MAN.glob("envseal-*.1.scd") if "direct" in Man(path).options()}
    assert len(texts) == 1 and "envseal-broker*(7)" in texts.pop()


# What of a command a broker does, and by which sentence of envseal-broker(7) that is told.
BROKER_SENTENCES = {"BROKER_ASKS": "When you agreed to the whole command line.", "BROKER_DECIDES": "At once: they tell names and rules."}
# These have sentences of their own.
BROKER_RUNS = {"run", "pipe", "inject", "redact"}


@pytest.mark.parametrize("way", BROKER_SENTENCES)
def test_what_a_broker_does_is_told(way):
    """The command table and envseal-broker(7) have the same commands."""
    rows = (ROOT / "src/cli/command_table.c").read_text().split("command_rows[] = {", 1)[1].split("{.name = ")[1:]
    in_table = {re.match(r'"([^"]+)"', row)[1] for row in rows if f".broker = {way}" in row}
    head = re.search(rf"^(.*)\n\t{re.escape(BROKER_SENTENCES[way])}$", (MAN / "envseal-broker.7.scd").read_text(), re.MULTILINE)[1]
    told = {re.sub(r" --.*", "", name) for name in re.findall(r"\*([^*]+)\*", head)}
    assert told == in_table - BROKER_RUNS and len(told) >= 5


def test_overview_lists_every_command():
    for arguments in (["--help"], ["help"]):
        result = run_envseal(arguments)
        assert (result.returncode, result.stderr) == (0, "")
        listed = re.findall(r"^  (\w+(?: [\w-]+)?)  ", result.stdout, re.MULTILINE)
        assert listed == COMMANDS
    result = run_envseal([])
    assert (result.returncode, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def test_overview_page_names_every_page():
    text = Man(MAN / "envseal.1.scd").section("COMMANDS")
    named = set(re.findall(r"^\*envseal-(\w+)\*\(1\)$", text, re.MULTILINE))
    assert named == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_command_prints_the_same(command):
    result = run_envseal(["help", *command.split()])
    assert (result.returncode, result.stdout) == (0, Help(command).text)


# ------------------------------------------------------------------------------------------------------ completion


def completion(shell):
    result = run_envseal(["completion", shell])
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_has_every_command_and_option(shell):
    script = completion(shell)
    for command in COMMANDS:
        for word in command.split():
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", script), word
        for name in Help(command).options:
            pattern = rf"-l '?{name}(?![\w-])|--{name}(?![\w-])" if shell == "fish" else rf"--{name}(?![\w-])"
            assert re.search(pattern, script), name


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_a_sound_script(shell):
    need(shell)
    result = subprocess.run([shell, "-n"], input=completion(shell), capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def shell_run(shell, options, script, tmp_path):
    (tmp_path / "script").write_text(completion(shell))
    env = {"HOME": str(tmp_path), "PATH": f"{binary().parent}:{os.defpath}", "ENVSEAL_HOME": str(tmp_path / "vault"),
           "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    result = subprocess.run([shell, *options, "-c", script, shell, str(tmp_path / "script")], env=env, cwd=tmp_path,
                            capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.split("\n")


BASH_COMPLETE = r"""
. "$1"
set -- $(complete -p envseal)
while [ "$1" != -F ]; do shift; done
function_name=$2
COMP_WORDS=(envseal %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
"$function_name" envseal "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%%s\n' "${COMPREPLY[@]}"
"""


def bash_complete(words, tmp_path):
    lines = shell_run("bash", ["--norc"], BASH_COMPLETE % words, tmp_path)
    return {line.strip() for line in lines if line.strip()}


def test_bash_completes(tmp_path):
    need("bash")
    assert bash_complete("roll", tmp_path) == {"rollback"}
    assert "--passphrase-file" in bash_complete("set --pass", tmp_path)
    assert "--generate" not in bash_complete("list --", tmp_path)
    assert bash_complete("audit ver", tmp_path) == {"verify"}
    assert bash_complete("totp st", tmp_path) == {"status"}
    assert "--recovery" in bash_complete("totp rm --", tmp_path)
    assert bash_complete("policy ex", tmp_path) == {"export", "explain"}
    assert "--dry-run" in bash_complete("policy import --", tmp_path)
    assert bash_complete("grants r", tmp_path) == {"rm"}
    assert "--all" in bash_complete("grants rm --", tmp_path)
    assert bash_complete("grants --j", tmp_path) == {"--json"}
    assert bash_complete("completion f", tmp_path) == {"fish"}


def test_fish_completes(tmp_path):
    need("fish")
    for line, word in {"envseal roll": "rollback", "envseal set --pass": "--passphrase-file",
                       "envseal completion f": "fish", "envseal policy imp": "import", "envseal grants r": "rm"}.items():
        lines = shell_run("fish", ["--no-config"], f"source $argv[2]; complete -C '{line}'", tmp_path)
        assert word in {line.split("\t")[0] for line in lines}, line


def test_zsh_loads(tmp_path):
    need("zsh")
    shell_run("zsh", ["-f"], 'autoload -Uz compinit && compinit -u -d "$HOME/dump" && . "$1" && [[ -n $_comps[envseal] ]]',
              tmp_path)
