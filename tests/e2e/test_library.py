"""libenvseal as it is installed: what is there, what it exports, and that the example builds against it and works."""

import base64
import os
import pathlib
import re
import select
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "kX93-tulip-harbour"
MASK = b"[ENVSEAL:REDACTED TOKEN]"
# A library has no business with any of these.
FORBIDDEN = """
getenv secure_getenv setenv putenv unsetenv clearenv environ exit _exit _Exit quick_exit abort __assert_fail raise
kill signal sigaction sigprocmask pthread_sigmask pthread_create fork vfork clone execve prctl setrlimit
setrlimit64 umask chdir setuid setsid open open64 openat openat64 __open_2 __open64_2 socket write writev pwrite
printf fprintf vfprintf puts fputs putchar fwrite perror syslog __printf_chk __fprintf_chk __vfprintf_chk dprintf
__dprintf_chk stdout stderr setlocale dlopen atexit __cxa_atexit sleep nanosleep poll
""".split()


def command(*words, **more):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **more)
    assert result.returncode == 0, (words, result.stdout, result.stderr)
    return result.stdout


class Installed:
    def __init__(self, destdir):
        self.destdir = destdir
        self.pkgconfig = next(destdir.rglob("envseal.pc")).parent
        self.libdir = self.pkgconfig.parent
        self.header = next(destdir.rglob("include/envseal/redact.h"))
        self.shared = self.libdir / "libenvseal.so.0"
        self.archive = self.libdir / "libenvseal.a"
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
        binary = self.shared.read_bytes()
        self.sanitized = b"__asan_" in binary
        # A sanitizer's run-time library is that of the compiler.
        self.cc = "clang" if self.sanitized and b"clang version" in binary else "cc"

    def flags(self, *options):
        env = self.env | {"PKG_CONFIG_PATH": str(self.pkgconfig), "PKG_CONFIG_SYSROOT_DIR": str(self.destdir)}
        return command("pkg-config", *options, "envseal", env=env).split()

    def compile(self, out, *options, static=False):
        words = [self.cc, "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
        words += ["-fsanitize=address,undefined"] if self.sanitized else []
        flags = self.flags("--cflags", "--libs", *(["--static"] if static else []))
        command(*words, ROOT / "examples/redact.c", "-o", out, *options, *flags, env=self.env)
        return out


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """`make install` into a folder of its own. scripts/test has done it, as a staged build folder cannot install."""
    if "ENVSEAL_INSTALLED" in os.environ:
        return Installed(pathlib.Path(os.environ["ENVSEAL_INSTALLED"]))
    build = pathlib.Path(os.environ.get("ENVSEAL_BUILD", ROOT / "build")).resolve()
    destdir = tmp_path_factory.mktemp("installed")
    command("meson", "install", "--quiet", "--no-rebuild", "-C", build, "--destdir", destdir)
    return Installed(destdir)


@pytest.fixture(scope="session")
def example(installed, tmp_path_factory):
    return installed.compile(tmp_path_factory.mktemp("example") / "redact")


@pytest.fixture
def run(installed, example):
    def run_example(*arguments, text=b"", program=example, **more):
        sanitizers = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        env = installed.env | sanitizers | {"LD_LIBRARY_PATH": str(installed.libdir), "TOKEN": TOKEN}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        return subprocess.run([program, *arguments], input=text, env=env, timeout=60, **streams)

    return run_example


# ------------------------------------------------------------------------------------------------ what is installed


def test_files(installed):
    assert installed.header.read_bytes() == (ROOT / "include/envseal/redact.h").read_bytes()
    assert installed.archive.is_file()
    [version] = installed.flags("--modversion")
    assert installed.shared.readlink() == pathlib.Path(f"libenvseal.so.{version}")
    assert (installed.libdir / "libenvseal.so").resolve() == installed.shared.resolve()
    assert "Library soname: [libenvseal.so.0]" in command("readelf", "-d", installed.shared)
    if shutil.which("scdoc"):
        assert list(installed.destdir.rglob("man3/libenvseal.3"))


def test_flags(installed):
    """Who links the shared library does not link what it needs itself."""
    assert [flag for flag in installed.flags("--libs") if not flag.startswith("-L")] == ["-lenvseal"]
    assert "-lsodium" in installed.flags("--libs", "--static")


def prototypes(installed):
    text = re.sub(r"//.*", "", installed.header.read_text())
    return set(re.findall(r"^[a-z].*?[ *](envseal_\w+)\(", text, re.MULTILINE))


def symbols(*words):
    """name -> kind; the version behind an @ left out"""
    rows = [line.split() for line in command("nm", "-P", *words).splitlines()]
    return {row[0].split("@")[0]: row[1] for row in rows if len(row) > 1}


def test_exported_is_what_the_header_declares(installed):
    exported = symbols("-D", "--defined-only", installed.shared)
    assert exported.pop("ENVSEAL_0") == "A"
    assert set(exported) == prototypes(installed)
    assert set(exported.values()) == {"T"}


def test_archive_has_no_other_global_names(installed):
    """Nor does it lack anything: what is undefined comes from the C library and libsodium."""
    assert set(symbols("-g", "--defined-only", installed.archive)) == prototypes(installed)


@pytest.mark.usefixtures("unsanitized")
def test_the_process_is_left_alone(installed):
    used = set(symbols("-D", "--undefined-only", installed.shared))
    assert {"mmap64", "mmap"} & used and "calloc" in used
    assert used & set(FORBIDDEN) == set()
    used = set(symbols("-g", "--undefined-only", installed.archive))
    assert {"mmap64", "mmap"} & used and "calloc" in used
    assert used & set(FORBIDDEN) == set()


@pytest.mark.parametrize("standard", ["c99", "c11", "gnu17"])
def test_header_in_c(installed, standard, tmp_path):
    source = tmp_path / "header.c"
    source.write_text("#include <envseal/redact.h>\n#include <envseal/redact.h>\nstruct envseal_sink sink;\n")
    command("cc", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror",
            "-fsyntax-only", *installed.flags("--cflags"), source)


@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_header_in_cpp(installed, standard, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    source = tmp_path / "header.cpp"
    source.write_text(
        "#include <envseal/redact.h>\n"
        "static int write_output(void *, const void *, size_t) { return 0; }\n"
        "int main() {\n"
        "\tenvseal_sink sink = {sizeof(envseal_sink), write_output, nullptr, nullptr};\n"
        "\tenvseal_stream *stream = nullptr;\n"
        "\treturn envseal_stream_new(nullptr, &sink, &stream, nullptr);\n"
        "}\n")
    output = tmp_path / "header.o"
    command("g++", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-o", output,
            *installed.flags("--cflags"), source)
    # As in C: without extern "C" the name would be mangled.
    assert "envseal_stream_new" in symbols("--undefined-only", output)


# ----------------------------------------------------------------------------------------------------- the example


def encoded():
    return base64.b64encode(TOKEN.encode())


def test_example_masks_and_tells(run):
    text = b"a " + TOKEN.encode() + b"\n" + encoded() + b"\nkX93-tul"
    result = run("-e", "TOKEN", text=text)
    assert result.stdout == b"a " + MASK + b"\n[ENVSEAL:REDACTED TOKEN base64]\n" + MASK
    assert result.stderr.splitlines() == [
        b"leak: TOKEN as raw at byte 2, 18 bytes", b"leak: TOKEN as base64 at byte 21, 24 bytes",
        b"leak: TOKEN as raw at byte 46, 8 bytes, in part"]
    assert result.returncode == 0


def test_example_linked_statically(installed, unsanitized, run, tmp_path):
    program = installed.compile(tmp_path / "redact", "-static", static=True)
    assert "There is no dynamic section" in command("readelf", "-d", program)
    result = run("-e", "TOKEN", text=b"a " + encoded(), program=program)
    assert (result.returncode, result.stdout) == (0, b"a [ENVSEAL:REDACTED TOKEN base64]")


def test_example_takes_files(run, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"first line of it\nsecond line of it\n")
    text = path.read_bytes() + b"second line of it; " + TOKEN.encode() + b"\n"
    result = run("-e", "TOKEN", "-f", f"KEY={path}", text=text)
    assert result.stdout == b"[ENVSEAL:REDACTED KEY]\n[ENVSEAL:REDACTED KEY line]; " + MASK + b"\n"
    assert result.returncode == 0


def test_example_passes_everything_else(run):
    text = bytes(range(256)) * 1000
    for arguments in ([], ["-e", "TOKEN"]):
        result = run(*arguments, text=text)
        assert (result.returncode, result.stdout, result.stderr) == (0, text, b"")


def read_until(stream, expected):
    """Reads what comes until `expected` is there; it must come without more input."""
    got = b""
    while len(got) < len(expected):
        ready, _, _ = select.select([stream], [], [], 30)
        assert ready, f"only {got!r} has come"
        got += os.read(stream.fileno(), 4096)
    assert got == expected


def test_example_shows_prompts(installed, example):
    """A prompt that ends like a value begins appears when the program waits; what is longer does not."""
    env = installed.env | {"LD_LIBRARY_PATH": str(installed.libdir), "TOKEN": TOKEN}
    program = subprocess.Popen([example, "-e", "TOKEN"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    with program:
        os.write(program.stdin.fileno(), b"name? kX")
        read_until(program.stdout, b"name? kX")
        os.write(program.stdin.fileno(), b"93-tulip-harbour\n")
        read_until(program.stdout, MASK + b"\n")
        program.stdin.close()
        assert program.stdout.read() == b""
    assert program.returncode == 0


def refused(result, status, sentence):
    assert (result.returncode, result.stdout) == (status, b"")
    assert sentence in result.stderr


def test_example_refuses(run, tmp_path):
    empty, large = tmp_path / "empty", tmp_path / "large"
    empty.write_bytes(b"")
    large.write_bytes(b"x" * (1048576 + 1))
    refused(run("-e", "ABSENT", text=b"text"), 2, b"redact: ABSENT: there is no such variable")
    refused(run("-f", f"KEY={empty}"), 2, b"redact: KEY: an empty value")
    refused(run("-f", f"KEY={large}"), 2, b"redact: KEY: a value has more than")
    refused(run("-f", f"A B={empty}"), 2, b"redact: A B: the name of a value")
    refused(run("-f", f"KEY={tmp_path}"), 2, b"redact: KEY: its file cannot be read")


@pytest.mark.parametrize("arguments", [["-f", f"TOKEN={TOKEN}"], ["-f", TOKEN], [TOKEN]])
def test_example_never_repeats_what_may_be_a_value(run, arguments):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr and TOKEN.encode() not in result.stderr


def test_example_tells_of_a_full_disk(run):
    with open("/dev/full", "wb") as full:
        result = run("-e", "TOKEN", text=b"text\n", stdout=full)
    assert result.returncode == 1
    assert result.stderr == b"redact: standard output: No space left on device\n"
