"""A kernel, or a sandbox around envseal, that lacks something: each tier is given in full, is refused by name (126), or with
--degrade is weaker by exactly what the record names. What the program really finds is compared with the record."""

import json
import os
import resource
import subprocess

import pytest

from degrade_support import LOOKER, TIERS, Scene, assert_record_is_true, assert_refused, deny_words
from envseal_support import binary
from tier_support import can_unshare

pytestmark = [pytest.mark.skipif(os.geteuid() == 0, reason="root has the privileges that namespaces would give"),
              pytest.mark.skipif(not can_unshare(), reason="this machine lets plain users make no namespaces"),
              pytest.mark.mechanism]

NEWUSER, NEWPID, NEWIPC, NEWNET = "0&0x10000000", "0&0x20000000", "0&0x8000000", "0&0x40000000"
SET_SECCOMP, SET_NO_NEW_PRIVS, CAPBSET_DROP, SET_DUMPABLE = "0=22", "0=38", "0=24", "0=4"

LACKS = "this kernel does not have it, or has it turned off; `envseal doctor` says what to change"
LAYERS = "inside as many Landlock domains as there may be (16); start envseal outside of some"
FORBIDDEN = "this system, or a sandbox around this one, forbids it; `envseal doctor` says what to change"
USED_UP = "the limit in /proc/sys/user is reached, or this runs inside another sandbox; `envseal doctor` says what to change"
NO_MOUNTS = "mounting is forbidden here, as AppArmor does for user namespaces; `envseal doctor` says what to change"
NO_FILE = "cannot make a memory file for envseal-trees (sysctl vm.memfd_noexec may refuse it)"
ASK = "`envseal doctor` says why"

IMAGE = "its image cannot be laid where no other process of this user can read it; `envseal doctor` says what to change"

# From Linux 6.3 on the shield is one only where its image lies in a mount of its own.
IS_PLACED = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 3)

# What a plain user has nothing of without a user namespace.
WITHOUT_USER = {"user-namespace", "pid-namespace", "ipc-namespace", "proc", "capabilities"}
WITHOUT_USER_IN_LOCKDOWN = WITHOUT_USER | {"network-namespace", "mounts"}


def denied(rules, advice, hardened, lockdown=None, preferred=False, errors=None):
    """`hardened`, `lockdown`: (mechanism that is named, all that are missing); None: nothing is. `preferred`: hardened does
    without. `errors`: where the errno of what is missing is not the one that was answered."""
    return rules, advice, {"hardened": hardened, "lockdown": lockdown or hardened}, preferred, errors or {}


def landlock(call, error, advice):
    return denied(f"{call}={error}", advice, ("landlock", {"landlock", "scope"}))


def user(rules, advice):
    return denied(rules, advice, ("user-namespace", WITHOUT_USER), ("user-namespace", WITHOUT_USER_IN_LOCKDOWN),
                  errors={"capabilities": "EPERM"})


def mounts(rules, advice):
    """Of which hardened has /proc alone, and does without."""
    return denied(rules, advice, ("proc", {"proc"}), ("mounts", {"mounts", "proc"}), preferred=True)


def placing(rules, hardened=frozenset()):
    return denied(rules, IMAGE, ("shield", {"shield"} | hardened), ("shield", {"shield", "mounts", "proc"}))


PLACING = [
    placing("mount_setattr=ENOSYS"), placing("fsopen=EPERM", {"proc"}), placing("fsopen=ENOSYS", {"proc"}),
    *(placing(f"unshare:{NEWUSER}={error}") for error in ("EPERM", "ENOSPC", "EINVAL")),
] if IS_PLACED else []
WEAKER = [
    *PLACING,
    *(landlock("landlock_create_ruleset", error, advice) for error, advice in (
        ("ENOSYS", LACKS), ("EOPNOTSUPP", LACKS), ("EPERM", ASK))),
    landlock("landlock_add_rule", "ENOSYS", LACKS),
    landlock("landlock_restrict_self", "E2BIG", LAYERS),
    landlock("landlock_restrict_self", "EPERM", ASK),
    user(f"clone:{NEWUSER}=EPERM", FORBIDDEN),
    user(f"clone:{NEWUSER}=ENOSPC", USED_UP),
    user(f"clone:{NEWUSER}=EINVAL", ASK),
    user(f"clone:{NEWUSER}=EPERM,unshare=EPERM,clone3=ENOSYS", FORBIDDEN),
    denied(f"clone:{NEWPID}=EPERM", FORBIDDEN, ("pid-namespace", {"pid-namespace", "proc"}),
           ("pid-namespace", {"pid-namespace", "proc", "mounts"})),
    denied(f"clone:{NEWIPC}=ENOSPC", USED_UP, ("ipc-namespace", {"ipc-namespace"})),
    *(mounts(f"{call}={error}", advice) for call, error, advice in (
        ("open_tree", "ENOSYS", ASK), ("move_mount", "EPERM", NO_MOUNTS))),
    *(denied(f"prctl:{SET_SECCOMP}={error}", ASK, ("filter", {"filter"})) for error in ("ENOSYS", "EINVAL", "EPERM")),
    denied(f"seccomp=ENOSYS,prctl:{SET_SECCOMP}=ENOSYS", ASK, ("filter", {"filter"})),
    denied(f"prctl:{CAPBSET_DROP}=EPERM", ASK, ("capabilities", {"capabilities"})),
]
# What lockdown alone needs.
WEAKER_LOCKDOWN = [
    *((f"mount={error}", advice, "mounts", {"mounts", "proc"}) for error, advice in (("EPERM", NO_MOUNTS), ("ENOSYS", ASK),
                                                                                 ("ENOSPC", ASK))),
    (f"clone:{NEWNET}=EPERM", FORBIDDEN, "network-namespace", {"network-namespace"}),
]
# What envseal has other ways for, or does not promise anything by.
AS_BEFORE = ["clone3", "openat2", "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "memfd_secret", "seccomp", "keyctl", "close_range"]
# What standard does without, besides.
NOT_OF_STANDARD = ["fsopen", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "unshare", "mount", "open_tree",
                   "move_mount", "mount_setattr", "ptrace", f"clone:{NEWUSER}", f"prctl:{SET_SECCOMP}"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, original):
    scene = Scene(tmp_path_factory.mktemp("scene"), original)
    yield scene
    scene.done()


def error_of(rules):
    return rules.rpartition("=")[2] if "," not in rules else rules.split(",")[0].rpartition("=")[2]


def assert_in_full(scene, ended):
    assert (ended.status, ended.missing, ended.talk) == (0, {}, ""), ended
    assert_record_is_true(scene, ended)


def assert_weaker(scene, ended, missing, is_told=True):
    assert (ended.status, ended.missing) == (0, missing), ended
    assert ("the kernel did not give all of the tier: without " in ended.talk) == is_told, ended
    assert all((mechanism in ended.talk) == is_told for mechanism in missing if ended.plan[mechanism] == "required"), ended
    assert_record_is_true(scene, ended)


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_is_denied(scene, tier):
    assert_in_full(scene, scene.run("", tier))


def all_denied(calls, error):
    return ",".join(f"{call}={error}" for call in calls)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_as_before(scene, error, tier):
    assert_in_full(scene, scene.run(all_denied(AS_BEFORE, error), tier))


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM", "EINVAL", "ENOSPC"])
def test_standard_needs_little(scene, error):
    calls = NOT_OF_STANDARD + (AS_BEFORE if error in ("ENOSYS", "EPERM") else [])
    assert_in_full(scene, scene.run(all_denied(calls, error), "standard"))


@pytest.mark.parametrize("tier", ["hardened", "lockdown"])
@pytest.mark.parametrize("rules, advice, expected, preferred, errors", WEAKER, ids=[row[0] for row in WEAKER])
def test_refused_or_weaker(scene, rules, advice, expected, preferred, errors, tier):
    named, missing = expected[tier]
    missing = {mechanism: errors.get(mechanism, error_of(rules)) for mechanism in missing}
    if preferred and tier == "hardened":
        assert_weaker(scene, scene.run(rules, tier), missing, is_told=False)
        return
    assert_refused(scene.run(rules, tier), named, advice, "--degrade")
    assert_weaker(scene, scene.run(rules, tier, "--degrade"), missing)


@pytest.mark.parametrize("rules, advice, named, missing", WEAKER_LOCKDOWN, ids=[row[0] for row in WEAKER_LOCKDOWN])
def test_of_lockdown_alone(scene, rules, advice, named, missing):
    assert_in_full(scene, scene.run(rules, "hardened"))
    assert_refused(scene.run(rules, "lockdown"), named, advice, "--degrade")
    assert_weaker(scene, scene.run(rules, "lockdown", "--degrade"), dict.fromkeys(missing, error_of(rules)))


# ------------------------------------------------------------------------------------------------------------ the shield


@pytest.mark.parametrize("tier", TIERS)
def test_an_image_in_its_place_needs_no_hold(scene, tier):
    assert_in_full(scene, scene.run("ptrace=EPERM", tier))


def test_what_looks_like_an_older_kernel_is_not_taken_for_one(scene):
    """By a filter of whoever starts it. There the shield is kept in another way, which is none where namespaces are open."""
    rules = "mount_setattr=EINVAL,open_by_handle_at=ENOSYS,uname=ENOSYS"
    assert_refused(scene.run(rules, "hardened"), "shield", IMAGE, "--degrade")
    assert_weaker(scene, scene.run(rules, "hardened", "--degrade"), {"shield": "EINVAL"})


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_without_memory_files(scene, error):
    """The shield is made of one, and so is what maps the user, and what makes lockdown's tree."""
    rules = f"memfd_create={error}"
    assert_weaker(scene, scene.run(rules, "standard"), {"shield": None}, is_told=False)
    for tier, named, advice, missing in (("hardened", "user-namespace", FORBIDDEN if error == "EPERM" else ASK, WITHOUT_USER),
                                         ("lockdown", "mounts", NO_FILE, WITHOUT_USER_IN_LOCKDOWN)):
        assert_refused(scene.run(rules, tier), named, advice, "--degrade")
        assert_weaker(scene, scene.run(rules, tier, "--degrade"),
                      dict.fromkeys(missing, error) | {"capabilities": "EPERM", "shield": None})


# ----------------------------------------------------------------------------------------------- what nothing runs without


@pytest.mark.parametrize("options", [[], ["--degrade"]])
@pytest.mark.parametrize("rules, tier, status, says", [
    ("setsid=EPERM", "standard", 125, "cannot prepare a session for /usr/bin/python3"),
    ("setsid=EPERM", "hardened", 125, "cannot make a session: Operation not permitted"),
    ("socketpair=EPERM", "hardened", 125, "cannot make a socket: Operation not permitted"),
    ("execveat=ENOSYS", "standard", 126, "a sandbox around envseal takes execveat(2) away"),
    ("execveat=EPERM", "hardened", 126, "/usr/bin/python3"),
    (f"prctl:{SET_DUMPABLE}=EPERM", "standard", 125, "cannot make this process undumpable"),
    ("prlimit64=EPERM,setrlimit=EPERM,getrlimit=EPERM", "standard", 125, "cannot read the core limit"),
    ("signalfd4=ENOSYS", "standard", 125, "cannot watch for signals"),
])
def test_nothing_runs(scene, rules, tier, status, says, options, request):
    if "getrlimit" in rules:
        request.getfixturevalue("unsanitized")
    ended = scene.run(rules, tier, *options)
    assert (ended.status, ended.out, ended.here) == (status, "", None), ended
    assert says in ended.talk, ended


def test_a_program_of_the_system_runs_without_execveat(scene):
    ended = scene.run("execveat=ENOSYS", "standard", "--no-shield")
    assert (ended.status, ended.missing, "shield" in ended.plan) == (0, {}, False), ended
    assert_record_is_true(scene, ended)


@pytest.mark.parametrize("options", [[], ["--degrade"]])
def test_new_privileges(scene, options):
    """Which each filter costs: that they are there again cannot be shown, but it is not said that they are gone."""
    rules = f"prctl:{SET_NO_NEW_PRIVS}=EPERM"
    for tier in TIERS:
        ended = scene.run(rules, tier, *options)
        if options:
            assert_weaker(scene, ended, {"no-new-privs": "EPERM"})
        else:
            assert_refused(ended, "no-new-privs", ASK, "--degrade")


# -------------------------------------------------------------------------------------------------- doctor and the broker


def envseal(scene, rules, *words):
    return subprocess.run([*deny_words(rules), binary(), *words], env=scene.vault.env, cwd=scene.work, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


# What doctor says of what is missing; {} is why.
SAYS = {
    "user-namespaces": "ordinary users cannot make user, PID and IPC namespaces ({}): the tiers hardened and lockdown are refused "
                       "here",
    "network-namespaces": "a program cannot have a network of its own ({}): the tier lockdown is refused here, and so is --net",
    "mounts": "nothing can be mounted in a namespace of one's own ({}): the tier lockdown is refused here, and in a jail single "
              "files of a folder cannot be hidden",
    "proc-mount": "a program cannot have a /proc of its own ({}): the tier lockdown is refused here, and in hardened ps shows "
                  "processes that are not there",
    "helper-namespaces": "no process can go over to namespaces of its own ({}): the tier lockdown is refused here, and so is --net "
                         "allow",
    "namespace-join": "no process can join namespaces that another one has made ({}): the tiers hardened and lockdown are refused "
                      "here, and a jail is without mounts",
    "shield": "a program in namespaces of its own cannot be closed to whoever owns them ({}): in the tiers hardened and lockdown "
              "programs " + ("are refused that could have the shield" if IS_PLACED else "run without the shield"),
    "memfd-exec": "memory files cannot be made (memfd_create: {}): programs and scripts that you can change are refused, no "
                  "program is shielded, and the tiers hardened and lockdown are refused here",
    "execveat": "programs cannot be started by a descriptor (execveat: {}): only one of the system's is run, in the tier standard, "
                "with --no-shield",
    "close-range": "inherited descriptors cannot be closed all at once (close_range: {}); envseal closes them one by one",
}
NO_CALL, NOT_PERMITTED, NO_SPACE = "Function not implemented", "Operation not permitted", "No space left on device"
NO_IMAGE = {"shield": NO_CALL} if IS_PLACED else {}
IMAGE_FORBIDDEN = {"shield": NOT_PERMITTED} if IS_PLACED else {}
IMAGE_PROMISES = {"C19", "hardened", "lockdown"} if IS_PLACED else set()
NAMESPACES = ("user-namespaces", "network-namespaces", "mounts", "proc-mount", "namespace-join")


def gone(call):
    return f"there is no {call}(2)"


@pytest.mark.parametrize("rules, findings, refused", [
    ("landlock_create_ruleset=ENOSYS", {"landlock": None, "landlock-scope": None}, {"hardened", "lockdown", "C21"}),
    ("landlock_create_ruleset=EOPNOTSUPP", {"landlock": None, "landlock-scope": None}, {"hardened", "lockdown", "C21"}),
    (f"clone:{NEWUSER}=EPERM", dict.fromkeys(NAMESPACES, f"clone: {NOT_PERMITTED}"), {"hardened", "lockdown", "jail-masks"}),
    (f"clone:{NEWUSER}=ENOSPC", dict.fromkeys(NAMESPACES, f"clone: {NO_SPACE}"), {"hardened", "lockdown", "jail-masks"}),
    (f"clone:{NEWNET}=EPERM", {"network-namespaces": f"clone: {NOT_PERMITTED}"}, {"lockdown"}),
    (f"unshare:{NEWUSER}=EPERM", {"helper-namespaces": f"unshare: {NOT_PERMITTED}", **IMAGE_FORBIDDEN},
     {"lockdown"} | IMAGE_PROMISES),
    ("mount=EPERM", dict.fromkeys(("mounts", "helper-namespaces"), f"mount: {NOT_PERMITTED}"), {"lockdown", "jail-masks"}),
    ("mount=ENOSYS", dict.fromkeys(("mounts", "helper-namespaces"), gone("mount")), {"lockdown", "jail-masks"}),
    ("open_tree=ENOSYS", dict.fromkeys(("mounts", "proc-mount"), gone("open_tree")), {"lockdown", "jail-masks"}),
    ("move_mount=EPERM", dict.fromkeys(("mounts", "proc-mount"), f"move_mount: {NOT_PERMITTED}"), {"lockdown", "jail-masks"}),
    ("mount_setattr=ENOSYS", {"mounts": gone("mount_setattr"), **NO_IMAGE}, {"lockdown", "jail-masks"} | IMAGE_PROMISES),
    ("fsopen=ENOSYS", {"proc-mount": gone("fsopen"), **NO_IMAGE}, {"lockdown"} | IMAGE_PROMISES),
    ("fsmount=EPERM", {"proc-mount": f"fsmount: {NOT_PERMITTED}", **IMAGE_FORBIDDEN}, {"lockdown"} | IMAGE_PROMISES),
    ("chroot=EPERM", {"proc-mount": f"chroot: {NOT_PERMITTED}"}, {"lockdown"}),
    ("setns=EPERM", {"namespace-join": f"setns: {NOT_PERMITTED}"}, {"hardened", "lockdown", "jail-masks"}),
    ("ptrace=EPERM", {}, set()) if IS_PLACED else ("ptrace=EPERM", {"shield": NOT_PERMITTED}, {"C19"}),
    ("memfd_create=ENOSYS", {"memfd-exec": NO_CALL, **NO_IMAGE}, {"C19", "hardened", "lockdown"}),
    ("memfd_create=EPERM", {"memfd-exec": NOT_PERMITTED, **IMAGE_FORBIDDEN}, {"C19", "hardened", "lockdown"}),
    ("execveat=ENOSYS", {"execveat": NO_CALL, **NO_IMAGE}, {"C19", "standard", "hardened", "lockdown"}),
    ("execveat=EPERM", {"execveat": NOT_PERMITTED, **IMAGE_FORBIDDEN}, {"C19", "standard", "hardened", "lockdown"}),
    ("close_range=ENOSYS", {"close-range": NO_CALL}, set()),
    (f"seccomp=ENOSYS,prctl:{SET_SECCOMP}=EINVAL", {"seccomp": None, "seccomp-notify": None},
     {"C18", "hardened", "lockdown", "C21"}),
    ("pidfd_open=ENOSYS", {"pidfd": None}, {"C12", "C18"}),
    ("memfd_secret=ENOSYS", {"memfd-secret": None}, set()),
    (all_denied(["clone3", "openat2", "keyctl"], "ENOSYS"), {}, set()),
])
def test_doctor_says_so(scene, rules, findings, refused):
    """What is missing is a finding, and what it takes along is a promise that does not hold; nothing else changes. And so it
    is, where it is tried."""
    (before, held), (after, holds) = doctor(scene, ""), doctor(scene, rules)
    assert {name for name in after if after[name] != before[name]} == set(findings)
    for name, why in findings.items():
        assert after[name]["severity"] != "ok" and (why is None or after[name]["text"] == SAYS[name].format(why)), after[name]
        assert name == "close-range" or after[name]["severity"] == "note" or after[name]["remedy"], after[name]
    assert {name for name in holds if holds[name] != held[name]} == refused
    assert not any(holds[name] for name in refused)
    assert_so_it_is(scene, rules, holds)


def assert_so_it_is(scene, rules, holds):
    ended = {tier: scene.run(rules, tier) for tier in TIERS}
    assert {tier: run.status for tier, run in ended.items()} == {tier: 0 if holds[tier] else 126 for tier in TIERS}, ended
    is_shielded = not any("shield" in run.missing or "cannot give shield" in run.talk for run in ended.values())
    assert holds["C19"] == is_shielded or "execveat" in rules
    status, _, _, missing = jailed(scene, rules)
    assert (status == 0) == holds["C21"]
    assert status != 0 or holds["jail-masks"] == ("mounts" not in missing), missing


def doctor(scene, rules):
    done = envseal(scene, rules, "doctor", "--json")
    assert done.returncode in (0, 1) and done.stderr == "", done
    found = json.loads(done.stdout)
    return {row["id"]: row for row in found["findings"]}, {row["id"]: row["holds"] for row in found["promises"]}


BROKER_CALLS = ["clone3", "openat2", "pidfd_getfd", "memfd_secret", "keyctl", "close_range", "landlock_create_ruleset",
                f"unshare:{NEWUSER}", f"clone:{NEWUSER}", "mount"]


def unlock(scene, rules):
    scene.vault.has_broker = True
    return envseal(scene, rules, "unlock", "--passphrase-file", str(scene.vault.passphrase_file))


def test_a_broker_does_what_a_run_does(scene):
    """Its workers have the filter that it was started under: standard in full, hardened refused by name."""
    vault, run = scene.vault, ["run", "--no-wait", "-s", "API_TOKEN", "--tier"]
    for tier in ("standard", "hardened"):
        vault.ok("policy", "allow", "-s", "API_TOKEN", "--tier", tier, "--", "true")
    for error in ("ENOSYS", "EPERM"):
        done = unlock(scene, all_denied(BROKER_CALLS, error))
        assert done.returncode == 0, done
        vault.ok(*run, "standard", "--", "true", passphrase=False)
        refused = vault.run(*run, "hardened", "--", "true", passphrase=False, status=126)
        assert "the sandbox cannot give user-namespace" in refused.talk, refused
        vault.lock()


@pytest.mark.parametrize("rules, says", [
    ("setsid=EPERM", "cannot leave the session"),
    (f"seccomp=ENOSYS,prctl:{SET_SECCOMP}=ENOSYS", "what was started has ended already"),
])
def test_a_broker_that_cannot_be(scene, rules, says):
    """Its front has a filter, or there is no broker."""
    done = unlock(scene, rules)
    assert done.returncode == 1 and says in done.stderr, done
    scene.vault.run("run", "--no-wait", "-s", "API_TOKEN", "--", "true", passphrase=False, status=125)
    scene.vault.has_broker = False


# -------------------------------------------------------------------------------------------------------------- the jail


def jailed(scene, rules, *options):
    """Status, what the program found, errors, and what its record says is missing; None: there is none."""
    count = scene.count()
    words = [*deny_words(rules), binary(), "jail", *options, "--", *LOOKER, scene.scene]
    status, here, _, talk = scene.look(words, env=scene.vault.env, cwd=scene.work)
    started = [record for record in scene.records(count) if record["kind"] == "jail.start"]
    return status, here, talk, {row["mechanism"]: row["error"] for row in started[0]["missing"]} if started else None


def is_closed(here):
    return {"landlock": "ok" not in (here["hidden"], here["vault"], here["outside"]), "scope": here["signal"] == "EPERM",
            "filter": here["keys"] == "EPERM", "no-new-privs": here["status"]["NoNewPrivs"] == "1"}


def assert_jail_is_true(here, missing):
    assert here is not None and here["work"] == "ok"
    assert {name for name, closed in is_closed(here).items() if not closed} <= set(missing), (here, missing)


@pytest.mark.parametrize("rules, named, missing", [
    ("landlock_create_ruleset=ENOSYS", "landlock", {"landlock", "scope"}),
    ("landlock_restrict_self=E2BIG", "landlock", {"landlock", "scope"}),
    (f"prctl:{SET_SECCOMP}=EINVAL", "filter", {"filter"}),
])
def test_a_jail_that_cannot_be(scene, rules, named, missing):
    status, here, talk, _ = jailed(scene, rules)
    assert (status, here) == (126, None) and f"cannot give {named}" in talk, talk
    status, here, talk, recorded = jailed(scene, rules, "--degrade")
    assert status == 0 and all(f"without {name}" in talk for name in missing), talk
    assert recorded is not None and missing <= set(recorded), recorded
    assert_jail_is_true(here, recorded)
    assert not any(is_closed(here)[name] for name in missing - {"landlock"}), here


@pytest.mark.parametrize("rules", ["", all_denied([f"unshare:{NEWUSER}", f"clone:{NEWUSER}"], "EPERM"), "mount=EPERM",
                                   all_denied(["open_tree", "move_mount", "mount_setattr"], "ENOSYS"), "memfd_create=ENOSYS",
                                   all_denied(AS_BEFORE, "ENOSYS")])
def test_a_jail_closes_what_it_must(scene, rules):
    """Namespaces are only preferred: without them files of the project stay readable, and it says which."""
    status, here, talk, recorded = jailed(scene, rules)
    assert status == 0 and recorded is not None, talk
    assert all(is_closed(here).values()), here
    assert ("no mount namespace is to be had here" in talk) == ("mounts" in recorded), (talk, recorded)
    assert (here["namespaces"]["mnt"] == scene.outside["namespaces"]["mnt"]) == ("mounts" in recorded), (talk, recorded)


def descriptor_above_the_limit():
    os.dup2(os.open("/etc", os.O_RDONLY), 900)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


LOOK_ABOVE = "test -e /proc/self/fd/2 || exit 8; test -e /proc/self/fd/900 && exit 9; exit 3"


@pytest.mark.parametrize("rules", ["", "close_range=ENOSYS", "close_range=EPERM"])
def test_a_program_gets_no_descriptor_that_it_is_not_given(scene, rules):
    """Nor one that was opened before the limit of descriptors was lowered."""
    words = scene.vault.words(["run", "--tier", "standard", "-s", "API_TOKEN", "--", "/bin/sh", "-c", LOOK_ABOVE])
    done = subprocess.run([*deny_words(rules), *words], env=scene.vault.env, cwd=scene.work, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, close_fds=False, preexec_fn=descriptor_above_the_limit, start_new_session=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", ""), done


@pytest.mark.parametrize("options", [[], ["--degrade"]])
@pytest.mark.parametrize("rules", ["", "close_range=ENOSYS", "close_range=EPERM"])
def test_a_jail_leaves_no_folder_open(scene, rules, options):
    """By which everything in it could be read: not one that was opened before the limit of descriptors was lowered, either."""
    words = [*deny_words(rules), binary(), "jail", *options, "--", "/bin/sh", "-c", LOOK_ABOVE]
    done = subprocess.run(words, env=scene.vault.env, cwd=scene.work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          close_fds=False, preexec_fn=descriptor_above_the_limit, start_new_session=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", ""), done
