"""Tiers in bad places: in another sandbox, without /proc, in a folder that is gone, with no standard descriptors."""

import os
import resource
import shutil
import subprocess

import pytest

from degrade_support import TIERS, Scene, assert_record_is_true, assert_refused, deny_words
from envseal_support import binary, copy_vault
from tier_support import can_unshare

pytestmark = [pytest.mark.skipif(not can_unshare(), reason="this machine lets plain users make no namespaces"),
              pytest.mark.mechanism]
plain_only = pytest.mark.skipif(os.geteuid() == 0, reason="root has the privileges that namespaces would give")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="what root has is given up; this is a plain user")

FORBIDDEN = "this system, or a sandbox around this one, forbids it"
# How many Landlock domains, what of files they handle, and of networks; what they handle they refuse.
LAYERS = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
for _ in range(int(sys.argv[1])):
    fd = libc.syscall(444, struct.pack("QQ", int(sys.argv[2]), int(sys.argv[3])), 16, 0)
    if fd < 0 or libc.syscall(446, fd, 0) != 0:
        sys.exit(99)
    os.close(fd)
os.execv(sys.argv[4], sys.argv[4:])
"""
MAKE_CHARACTER_DEVICES, BIND_TCP = 64, 1


def layers(count, files=0, networks=0):
    return ["/usr/bin/python3", "-I", "-S", "-c", LAYERS, str(count), str(files), str(networks)]


def shell(line):
    return ["/bin/sh", "-c", line, "sh"]


def mounted(line):
    """In a mount namespace in which that was done, without a privilege any more."""
    return ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount",
            *shell(line + ' && exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"')]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, original):
    scene = Scene(tmp_path_factory.mktemp("scene"), original)
    yield scene
    scene.done()


def assert_missing(ended, missing):
    assert ended.here is not None and (ended.status, ended.missing) == (0, missing), ended
    assert ended.applied == set(ended.plan) - set(missing), ended


# -------------------------------------------------------------------------------------------------- in another sandbox


def nested(scene, outer, *inner):
    """A run of another vault, which lies in the first one's working folder, in a run."""
    program, vault = scene.work / "envseal", scene.work / "inner"
    if not program.exists():
        shutil.copy(binary(), program)
        copy_vault(scene.vault, vault)
    words = ["/usr/bin/env", f"ENVSEAL_HOME={vault}/vault", f"HOME={vault}/home", str(program), "run", "--passphrase-file",
             str(vault / "passphrase"), "-s", "API_TOKEN", *inner, "--", "true"]
    return scene.vault.run("run", "--tier", outer, "-s", "API_TOKEN", "--", *words, cwd=scene.work)


@plain_only
@pytest.mark.parametrize("inner", TIERS)
def test_everything_runs_in_standard(scene, inner):
    result = nested(scene, "standard", "--tier", inner)
    assert (result.status, result.talk) == (0, ""), result


@plain_only
@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("outer", ["hardened", "lockdown"])
def test_standard_alone_runs_in_stronger_ones(scene, outer):
    result = nested(scene, outer, "--tier", "standard")
    assert (result.status, result.talk) == (0, ""), result
    for inner in ("hardened", "lockdown"):
        result = nested(scene, outer, "--tier", inner)
        assert result.status == 126 and "the sandbox cannot give user-namespace" in result.talk and FORBIDDEN in result.talk, result
        result = nested(scene, outer, "--tier", inner, "--degrade")
        assert result.status == 0 and "the kernel did not give all of the tier: without user-namespace" in result.talk, result


@plain_only
@pytest.mark.parametrize("tier", TIERS)
def test_fifteen_domains_leave_room(scene, tier):
    ended = scene.run("", tier, before=layers(15, networks=BIND_TCP))
    assert (ended.status, ended.missing, ended.talk) == (0, {}, ""), ended
    assert_record_is_true(scene, ended)


@plain_only
@pytest.mark.parametrize("tier", TIERS)
def test_sixteen_domains_leave_none(scene, tier):
    before = layers(16, networks=BIND_TCP)
    ended = scene.run("", tier, "--degrade", before=before)
    assert_missing(ended, {} if tier == "standard" else {"landlock": "E2BIG", "scope": "E2BIG"})
    assert_record_is_true(scene, ended)
    if tier != "standard":
        assert_refused(scene.run("", tier, before=before), "landlock", "inside as many Landlock domains as there may be (16)")


@plain_only
def test_in_a_domain_of_files_nothing_is_mounted(scene):
    before = layers(1, files=MAKE_CHARACTER_DEVICES)
    ended = scene.run("", "hardened", before=before)
    assert_missing(ended, {"proc": "EPERM"})
    assert_record_is_true(scene, ended)
    assert_refused(scene.run("", "lockdown", before=before), "mounts", "mounting is forbidden here")
    ended = scene.run("", "lockdown", "--degrade", before=before)
    assert_missing(ended, {"proc": "EPERM", "mounts": "EPERM"})
    assert_record_is_true(scene, ended)


@plain_only
def test_in_a_container_that_covers_parts_of_proc(scene):
    before = mounted("mount --bind /dev/null /proc/version")
    assert_missing(scene.run("", "standard", before=before), {})
    assert_missing(scene.run("", "hardened", before=before), {"proc": "EPERM"})
    assert_refused(scene.run("", "lockdown", before=before), "mounts", "mounting is forbidden here")
    assert_missing(scene.run("", "lockdown", "--degrade", before=before), {"proc": "EPERM", "mounts": "EPERM"})


# ------------------------------------------------------------------------------------------------------- what is not there


def without_proc(scene, tier, *options):
    words = scene.vault.words(["run", "--tier", tier, *options, "-s", "API_TOKEN", "--", "/bin/echo", "ran"])
    return subprocess.run([*mounted("mount -t tmpfs none /proc"), *words], env=scene.vault.env, cwd=scene.work, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, start_new_session=True)


@plain_only
@pytest.mark.usefixtures("unsanitized")
def test_without_proc(scene):
    done = without_proc(scene, "standard")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", ""), done
    for tier in ("hardened", "lockdown"):
        done = without_proc(scene, tier)
        assert (done.returncode, done.stdout) == (126, "") and "the sandbox cannot give" in done.stderr, done
        done = without_proc(scene, tier, "--degrade")
        assert (done.returncode, done.stdout) == (0, "ran\n"), done
        assert "the kernel did not give all of the tier: without user-namespace" in done.stderr, done


@plain_only
@pytest.mark.usefixtures("unsanitized")
def test_without_proc_a_program_gets_no_descriptor_that_it_is_not_given(scene):
    """Where there is no close_range(2) either; nor one that was opened before the limit of descriptors was lowered."""
    def descriptor_above_the_limit():
        os.dup2(os.open("/etc", os.O_RDONLY), 900)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    words = scene.vault.words(["run", "--tier", "standard", "-s", "API_TOKEN", "--", "bash", "-c", "{ : <&900; } 2>&- && exit 9; exit 3"])
    done = subprocess.run([*mounted("mount -t tmpfs none /proc"), *deny_words("close_range=ENOSYS"), *words], env=scene.vault.env,
                          cwd=scene.work, stdin=subprocess.DEVNULL, capture_output=True, text=True, close_fds=False, timeout=60,
                          preexec_fn=descriptor_above_the_limit, start_new_session=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", ""), done


@pytest.mark.parametrize("options", [[], ["--degrade"]])
@pytest.mark.parametrize("tier", TIERS)
def test_in_a_folder_that_is_gone(scene, tier, options):
    ended = scene.run("", tier, *options, before=shell('mkdir gone && cd gone && rmdir ../gone && exec "$@"'))
    assert (ended.status, ended.out, ended.here) == (125, "", None), ended
    assert "the working directory cannot be named; go to one that exists" in ended.talk, ended


@plain_only
@pytest.mark.parametrize("tier", TIERS)
def test_without_standard_descriptors(scene, tier):
    look = "for fd in 0 1 2; do test -e /proc/self/fd/$fd && exit 9; done; exit 3"
    words = scene.vault.words(["run", "--tier", tier, "-s", "API_TOKEN", "--", "/bin/sh", "-c", look])
    count = scene.count()
    done = subprocess.run([*shell('exec "$@" <&- >&- 2>&-'), *words], env=scene.vault.env, cwd=scene.work, timeout=60,
                          start_new_session=True)
    assert done.returncode == 3
    assert [record["sandbox"]["missing"] for record in scene.records(count) if record["kind"] == "run.outcome"] == [[]]


@root_only
@pytest.mark.parametrize("tier", TIERS)
def test_as_root(scene, tier):
    ended = scene.run("", tier)
    missing = {"shield": None} if tier == "standard" else {}
    assert_missing(ended, missing)
    privileges = int(ended.here["status"]["CapEff"], 16)
    assert (privileges == 0) == (tier != "standard") and ended.here["status"]["NoNewPrivs"] == "1", ended
