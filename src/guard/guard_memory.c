// Whether secrets can be kept out of swap and out of other processes' reach.
#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

// Keys, a passphrase and a few values of ordinary size take 16 KiB and more, and the kernel's default before 5.16 was
// 64; the largest values, which exist more than once while they are decrypted, go well into its default since then, 8
// MiB.
#define MEMLOCK_LEAST_BYTES (64u << 10)
#define MEMLOCK_ENOUGH_BYTES (8u << 20)

#define STATUS_BYTES_MAX 65536

// Its pages are locked, so a limit or a filter may refuse them where the descriptor was given. 0 or errno.
static int memfd_secret_try(void)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_fd_ int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)len) < 0)
		return errno;
	void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return errno;
	munmap(page, len);
	return 0;
}

static void check_memfd_secret(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	int error = memfd_secret_try();
	if (error == 0)
		finding_set(finding, FINDING_OK, "", "secrets lie in memory that not even the kernel maps "
						     "(memfd_secret)");
	else
		finding_set(finding, FINDING_NOTE,
			    error == ENOSYS ? "boot a kernel from 5.14 on, before 6.5 with secretmem.enable=1" : "",
			    "memfd_secret cannot be had (%s); secrets lie in locked, guarded memory "
			    "instead", strerrordesc_np(error));
}

// CAP_IPC_LOCK (capabilities(7)) of the machine's own user namespace: elsewhere the kernel holds even root to the
// limit.
static bool has_lock_right(const struct guard_source *source)
{
	_cleanup_buf_ struct buf status = BUF_INIT(STATUS_BYTES_MAX), map = BUF_INIT(STATUS_BYTES_MAX);
	bool is_read = guard_read(source->proc, "self/status", &status);
	const char *line = is_read ? strstr(buf_text(&status), "\nCapEff:") : NULL;
	if (!line || !guard_read(source->proc, "self/uid_map", &map) || !strstr(buf_text(&map), " 4294967295"))
		return false;
	return (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> CAP_IPC_LOCK & 1) != 0;
}

static void check_memlock(const struct guard_source *source, struct finding *finding)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) {
		finding_unknown(finding, "RLIMIT_MEMLOCK");
		return;
	}
	bool is_unlimited = limit.rlim_cur == RLIM_INFINITY || has_lock_right(source);
	unsigned long long kib = limit.rlim_cur / 1024;
	const char *remedy = "raise it: ulimit -l 8192, or memlock in /etc/security/limits.conf";
	if (is_unlimited)
		finding_set(finding, FINDING_OK, "", "as much memory as needed can be kept out of swap");
	else if (limit.rlim_cur >= MEMLOCK_ENOUGH_BYTES)
		finding_set(finding, FINDING_OK, "", "%llu KiB of memory can be kept out of swap", kib);
	else if (limit.rlim_cur >= MEMLOCK_LEAST_BYTES)
		finding_set(finding, FINDING_WARN, remedy,
			    "only %llu KiB of memory can be kept out of swap: large values are refused, and redaction "
			    "tables of many secrets may be swapped", kib);
	else
		finding_set(finding, FINDING_BAD, remedy,
			    "only %llu KiB of memory can be kept out of swap: hardly enough for the keys, and without "
			    "it nothing is opened", kib);
}

enum swap_kind { SWAP_MEMORY, SWAP_ENCRYPTED, SWAP_OPEN };

// By the name of the device: zram is memory, and what dm-crypt made says so in its uuid. A file lies on who knows what.
static enum swap_kind swap_classify(const char *sys, struct span device)
{
	char path[256];
	if (span_has_prefix(device, SPAN_LITERAL("/dev/zram")))
		return SWAP_MEMORY;
	if (!span_has_prefix(device, SPAN_LITERAL("/dev/dm-")) || device.len > 64)
		return SWAP_OPEN;
	snprintf(path, sizeof(path), "block/%.*s/dm/uuid", (int)device.len - 5, (const char *)device.data + 5);
	_cleanup_buf_ struct buf uuid = BUF_INIT(4096);
	bool is_crypt = guard_read(sys, path, &uuid) && span_has_prefix(buf_span(&uuid), SPAN_LITERAL("CRYPT-"));
	return is_crypt ? SWAP_ENCRYPTED : SWAP_OPEN;
}

static void check_swap(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf swaps = BUF_INIT(65536);
	if (!guard_read(source->proc, "swaps", &swaps)) {
		finding_unknown(finding, "/proc/swaps");
		return;
	}
	size_t count = 0;
	enum swap_kind worst = SWAP_MEMORY;
	// The first line is a heading.
	const char *line = strchr(buf_text(&swaps), '\n');
	for (; line && line[1]; line = strchr(line + 1, '\n')) {
		enum swap_kind kind = swap_classify(source->sys, span_of(line + 1, strcspn(line + 1, " \t\n")));
		worst = kind > worst ? kind : worst;
		count++;
	}
	if (count == 0)
		finding_set(finding, FINDING_OK, "", "there is no swap");
	else if (worst != SWAP_OPEN)
		finding_set(finding, FINDING_OK, "", "swap is %s",
			    worst == SWAP_MEMORY ? "compressed memory (zram)" : "encrypted");
	else
		finding_set(finding, FINDING_WARN, "encrypt it (cryptsetup, with a random key at each boot), or use "
						   "zram",
			    "swap is not visibly encrypted: envseal's own secrets are kept out of it, but the memory "
			    "of a program that got one, and a secret handed over as a file, may be written to disk");
}

const struct guard_check guard_memory_checks[] = {
	{"memfd-secret", "memory", FINDING_NOTE, check_memfd_secret},
	{"memory-lock", "memory", FINDING_BAD, check_memlock},
	{"swap", "memory", FINDING_WARN, check_swap},
};
const size_t guard_memory_check_count = ARRAY_COUNT(guard_memory_checks);
