#include <linux/sched.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "attempt/attempt_internal.h"

const struct attempt attempt_table[] = {
	{"proc-environ", "read /proc/PID/environ", ATTEMPT_ON_PROCESS, try_proc_file, SCENE_VICTIM, "environ", 0},
	{"proc-mem", "read /proc/PID/mem", ATTEMPT_ON_PROCESS, try_proc_memory, SCENE_VICTIM, NULL, 0},
	{"proc-maps", "read /proc/PID/maps", ATTEMPT_ON_PROCESS, try_proc_file, SCENE_VICTIM, "maps", 0},
	{"proc-fd", "list /proc/PID/fd", ATTEMPT_ON_PROCESS, try_proc_folder, SCENE_VICTIM, "fd", 0},
	{"proc-cwd", "follow /proc/PID/cwd", ATTEMPT_ON_PROCESS, try_proc_link, SCENE_VICTIM, "cwd", 0},
	{"proc-root", "follow /proc/PID/root", ATTEMPT_ON_PROCESS, try_proc_link, SCENE_VICTIM, "root", 0},
	{"proc-exe", "follow /proc/PID/exe", ATTEMPT_ON_PROCESS, try_proc_link, SCENE_VICTIM, "exe", 0},
	{"proc-cmdline", "read /proc/PID/cmdline", ATTEMPT_ON_PROCESS, try_proc_file, SCENE_VICTIM, "cmdline", 0},
	{"ptrace-attach", "trace it: PTRACE_ATTACH", ATTEMPT_ON_PROCESS, try_ptrace, SCENE_VICTIM, NULL, PTRACE_ATTACH},
	{"ptrace-seize", "trace it: PTRACE_SEIZE", ATTEMPT_ON_PROCESS, try_ptrace, SCENE_VICTIM, NULL, PTRACE_SEIZE},
	{"gcore", "dump its memory, as gcore does", ATTEMPT_ON_PROCESS, try_dump, SCENE_VICTIM, NULL, 0},
	{"vm-read", "process_vm_readv", ATTEMPT_ON_PROCESS, try_memory_call, SCENE_VICTIM, NULL, 0},
	{"pidfd-getfd", "take a descriptor: pidfd_getfd",
	 ATTEMPT_ON_PROCESS, try_take_descriptor, SCENE_VICTIM, NULL, 0},
	{"kcmp", "compare descriptors: kcmp", ATTEMPT_ON_PROCESS, try_compare, SCENE_VICTIM, NULL, 0},
	{"signal", "send it a signal", ATTEMPT_ON_PROCESS, try_signal, SCENE_VICTIM, NULL, 0},
	{"signal-proc", "send it a signal through /proc/PID",
	 ATTEMPT_ON_PROCESS, try_signal_by_folder, SCENE_VICTIM, NULL, 0},
	{"stop", "stop it: SIGSTOP", ATTEMPT_ON_PROCESS, try_stop, SCENE_VICTIM, NULL, 0},
	{"setns", "enter its user namespace, and read from there",
	 ATTEMPT_ON_PROCESS, try_enter_namespace, SCENE_VICTIM, NULL, 0},
	{"child-environ", "read the environment of a program that it started",
	 ATTEMPT_ON_PROCESS, try_child_environment, SCENE_CHILD, NULL, 0},
	{"core", "a core file, by a signal", ATTEMPT_ALONE, try_core, SCENE_VICTIM, NULL, 0},
	{"preload", "start it with LD_PRELOAD", ATTEMPT_ALONE, try_preload, SCENE_NONE, NULL, 0},

	{"tty", "write to /dev/tty, the human's terminal", ATTEMPT_AROUND, try_tty, SCENE_NONE, NULL, 0},
	{"pts", "write to another terminal, /dev/pts/N", ATTEMPT_AROUND, try_pts, SCENE_PTS, NULL, 0},
	{"parent-stream", "write to /proc/PPID/fd/1", ATTEMPT_AROUND, try_parent_stream, SCENE_NONE, NULL, 0},
	{"parent-environ", "read /proc/PPID/environ", ATTEMPT_AROUND, try_parent_memory, SCENE_NONE, NULL, 0},
	{"tiocsti", "type into the human's terminal: TIOCSTI", ATTEMPT_AROUND, try_push, SCENE_NONE, NULL, 0},
	{"uinput", "type as a keyboard: /dev/uinput", ATTEMPT_AROUND, try_uinput, SCENE_NONE, "/dev/uinput", 0},

	{"home-read", "read a file in another folder of the home", ATTEMPT_AROUND, try_read, SCENE_FILE, NULL, 0},
	{"home-write", "change a file in another folder of the home", ATTEMPT_AROUND, try_write, SCENE_FILE, NULL, 0},
	{"home-make", "make a file in another folder of the home", ATTEMPT_AROUND, try_make, SCENE_PLACE, NULL, 0},
	{"home-chmod", "change the mode of a file in another folder of the home",
	 ATTEMPT_AROUND, try_mode, SCENE_FILE, NULL, 0},
	{"etc-read", "read /etc/passwd", ATTEMPT_AROUND, try_read, SCENE_NONE, "/etc/passwd", 0},
	{"ssh-key", "read a key in ~/.ssh", ATTEMPT_AROUND, try_read, SCENE_SSH_KEY, NULL, 0},
	{"ssh-make", "make a file in ~/.ssh", ATTEMPT_AROUND, try_make_beside, SCENE_SSH_KEY, NULL, 0},
	{"cloud-file", "read ~/.aws/credentials", ATTEMPT_AROUND, try_read, SCENE_CLOUD, NULL, 0},
	{"agent-file", "read ~/.claude/.credentials.json", ATTEMPT_AROUND, try_read, SCENE_AGENT, NULL, 0},
	{"keyring-file", "read ~/.local/share/keyrings", ATTEMPT_AROUND, try_read, SCENE_KEYRING, NULL, 0},
	{"history", "read the shell's history", ATTEMPT_AROUND, try_read, SCENE_HISTORY, NULL, 0},
	{"dotenv", "read .env in the working folder", ATTEMPT_AROUND, try_read, SCENE_DOTENV, NULL, 0},
	{"vault-read", "read envseal's vault", ATTEMPT_AROUND, try_read, SCENE_VAULT, NULL, 0},
	{"vault-write", "open envseal's vault for writing", ATTEMPT_AROUND, try_write, SCENE_VAULT, NULL, 0},
	{"log-read", "read envseal's audit log", ATTEMPT_AROUND, try_read, SCENE_LOG, NULL, 0},
	{"log-write", "open envseal's audit log for writing", ATTEMPT_AROUND, try_write, SCENE_LOG, NULL, 0},

	{"own-socket", "connect to a socket where envseal has its own",
	 ATTEMPT_AROUND, try_connect, SCENE_OWN_SOCKET, NULL, 0},
	{"bus", "connect to a socket in XDG_RUNTIME_DIR", ATTEMPT_AROUND, try_connect, SCENE_BUS, NULL, 0},
	{"tmp-socket", "connect to a socket in /tmp", ATTEMPT_AROUND, try_connect, SCENE_SOCKET, NULL, 0},
	{"home-socket", "connect to a socket in the home", ATTEMPT_AROUND, try_connect, SCENE_HOME_SOCKET, NULL, 0},
	{"abstract", "connect to an abstract socket", ATTEMPT_AROUND, try_abstract, SCENE_ABSTRACT, NULL, 0},
	{"abstract-send", "send to an abstract datagram socket",
	 ATTEMPT_AROUND, try_abstract_datagram, SCENE_ABSTRACT, NULL, 0},
	{"tcp", "connect to a TCP port of the machine", ATTEMPT_AROUND, try_tcp, SCENE_TCP, NULL, 0},
	{"tcp-listen", "be reached at a TCP port of the machine", ATTEMPT_AROUND, try_listen, SCENE_PORT, NULL, 0},
	{"udp", "send UDP to a port of the machine", ATTEMPT_AROUND, try_udp, SCENE_UDP, NULL, 0},
	{"dns", "ask a name server of the machine", ATTEMPT_AROUND, try_dns, SCENE_UDP, NULL, 0},
	{"raw", "a raw IP socket", ATTEMPT_AROUND, try_socket, SCENE_NONE, "AF_INET", SOCK_RAW},
	{"packet", "a packet socket: AF_PACKET", ATTEMPT_AROUND, try_socket, SCENE_NONE, "AF_PACKET", SOCK_RAW},
	{"netlink-route", "list network interfaces by netlink", ATTEMPT_AROUND, try_routes, SCENE_NONE, NULL, 0},
	{"netlink-other", "another netlink: kernel events", ATTEMPT_AROUND, try_events, SCENE_NONE, NULL, 0},
	{"vsock", "the hypervisor's sockets: AF_VSOCK",
	 ATTEMPT_AROUND, try_socket, SCENE_NONE, "AF_VSOCK", SOCK_STREAM},
	{"alg", "the kernel's ciphers: AF_ALG", ATTEMPT_AROUND, try_socket, SCENE_NONE, "AF_ALG", SOCK_SEQPACKET},

	{"keyring-read", "look up the session's keyring", ATTEMPT_AROUND, try_keyring_read, SCENE_NONE, NULL, 0},
	{"keyring-add", "put a key into a keyring", ATTEMPT_AROUND, try_keyring_add, SCENE_NONE, NULL, 0},
	{"io-uring", "io_uring_setup", ATTEMPT_AROUND, try_io_uring, SCENE_NONE, NULL, 0},
	{"perf", "perf_event_open", ATTEMPT_AROUND, try_perf, SCENE_NONE, NULL, 0},
	{"bpf", "bpf", ATTEMPT_AROUND, try_bpf, SCENE_NONE, NULL, 0},
	{"userfaultfd", "userfaultfd", ATTEMPT_AROUND, try_userfaultfd, SCENE_NONE, NULL, 0},
	{"x32", "an x32 system call", ATTEMPT_AROUND, try_x32, SCENE_NONE, NULL, 0},
	{"int80", "a 32-bit system call: int 0x80", ATTEMPT_AROUND, try_int80, SCENE_NONE, NULL, 0},
	{"set-id", "gain by a set-id program", ATTEMPT_AROUND, try_set_id, SCENE_NONE, NULL, 0},

	{"unshare-user", "a new user namespace: unshare", ATTEMPT_AROUND, try_unshare, SCENE_NONE, NULL, CLONE_NEWUSER},
	{"unshare-mount", "a new mount namespace: unshare", ATTEMPT_AROUND, try_unshare, SCENE_NONE, NULL, CLONE_NEWNS},
	{"unshare-net", "a new network namespace: unshare",
	 ATTEMPT_AROUND, try_unshare, SCENE_NONE, NULL, CLONE_NEWNET},
	{"clone-user", "new user and PID namespaces: clone",
	 ATTEMPT_AROUND, try_clone, SCENE_NONE, NULL, CLONE_NEWUSER | CLONE_NEWPID},
	{"clone-pid", "a new PID namespace: clone", ATTEMPT_AROUND, try_clone, SCENE_NONE, NULL, CLONE_NEWPID},
	{"clone3-user", "a new user namespace: clone3", ATTEMPT_AROUND, try_clone3, SCENE_NONE, NULL, CLONE_NEWUSER},
	{"mount", "mount a file system", ATTEMPT_AROUND, try_mount, SCENE_NONE, NULL, 0},
	{"fsopen", "mount by the newer calls: fsopen", ATTEMPT_AROUND, try_mount_new, SCENE_NONE, NULL, 0},
	{"chroot", "chroot", ATTEMPT_AROUND, try_chroot, SCENE_NONE, NULL, 0},

	{"outlive", "outlive the run: double fork and setsid", ATTEMPT_AROUND, try_outlive, SCENE_MARK, NULL, 0},
	{"memory", "take 1 GiB of memory", ATTEMPT_AROUND, try_memory, SCENE_NONE, NULL, 0},
	{"fill-tmp", "fill everybody's /tmp", ATTEMPT_AROUND, try_fill, SCENE_TEMPORARY, NULL, 0},
	{"fork-bomb", "start 5000 processes", ATTEMPT_ALONE, try_fork_bomb, SCENE_NONE, NULL, 0},
	{"self-stop", "stop itself: SIGSTOP", ATTEMPT_ALONE, try_self_stop, SCENE_NONE, NULL, 0},
};

size_t attempt_count(void)
{
	return ARRAY_COUNT(attempt_table);
}

const struct attempt *attempt_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_COUNT(attempt_table); i++)
		if (strcmp(attempt_table[i].id, id) == 0)
			return &attempt_table[i];
	return NULL;
}

const char *attempt_outcome_name(enum attempt_outcome outcome)
{
	static const char *const names[] = {"worked", "refused", "absent", "pending", "broken"};
	return names[outcome];
}

const char *attempt_group_name(enum attempt_group group)
{
	static const char *const names[] = {"process", "around", "alone"};
	return names[group];
}
