#include "seal/seal.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CALIBRATE_TARGET_US 500000u
// More memory than this would make opening the vault a burden for small machines that share it.
#define CALIBRATE_MEMORY_BYTES_MAX (256ull << 20)
#define CALIBRATE_PASSES_MIN 2u

_Static_assert(crypto_pwhash_MEMLIMIT_INTERACTIVE == PWHASH_MEMORY_BYTES_MIN, "the interactive preset is the minimum");
_Static_assert(crypto_pwhash_MEMLIMIT_SENSITIVE <= PWHASH_MEMORY_BYTES_MAX, "every preset is within the caps");
_Static_assert(crypto_pwhash_OPSLIMIT_SENSITIVE <= PWHASH_PASSES_MAX, "every preset is within the caps");

static const struct {
	const char *name; // NULL: not to be given by name
	struct pwhash_cost cost;
} presets[] = {
	[PWHASH_CALIBRATED] = {NULL, {0, 0}},
	[PWHASH_INTERACTIVE] = {"interactive", {crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE}},
	[PWHASH_MODERATE] = {"moderate", {crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE}},
	[PWHASH_SENSITIVE] = {"sensitive", {crypto_pwhash_OPSLIMIT_SENSITIVE, crypto_pwhash_MEMLIMIT_SENSITIVE}},
};

int pwhash_preset_parse(const char *name, enum pwhash_preset *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(presets); i++)
		if (presets[i].name && strcmp(presets[i].name, name) == 0) {
			*out = (enum pwhash_preset)i;
			return 0;
		}
	char brief[64];
	return err_set(err, ERR_USAGE, "there is no passphrase hash '%s'; give interactive, moderate or sensitive",
		       text_brief(span_text(name), brief, sizeof(brief)));
}

struct pwhash_cost pwhash_cost_choose(uint64_t elapsed_us, uint64_t available_bytes)
{
	const struct pwhash_cost least = presets[PWHASH_INTERACTIVE].cost;
	// Work is passes times memory, and time is proportional to it.
	if (elapsed_us == 0)
		elapsed_us = 1;
	uint64_t least_mib = least.passes * (least.memory_bytes >> 20);
	uint64_t work_mib = least_mib * CALIBRATE_TARGET_US / elapsed_us;
	uint64_t memory = CALIBRATE_MEMORY_BYTES_MAX;
	while (memory > PWHASH_MEMORY_BYTES_MIN &&
	       (memory > available_bytes / 4 || work_mib < CALIBRATE_PASSES_MIN * (memory >> 20)))
		memory /= 2;
	uint64_t memory_mib = memory >> 20;
	uint64_t passes = (work_mib + memory_mib / 2) / memory_mib;
	if (passes < CALIBRATE_PASSES_MIN)
		passes = CALIBRATE_PASSES_MIN;
	if (passes > PWHASH_PASSES_MAX)
		passes = PWHASH_PASSES_MAX;
	return (struct pwhash_cost){passes, memory};
}

// What can be had without swapping and within `ulimit -v`; 0, which leads to the least memory, when nothing says.
static uint64_t memory_available_bytes(void)
{
	struct err ignored;
	struct rlimit limit;
	uint64_t most = getrlimit(RLIMIT_AS, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	_cleanup_fd_ int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, &text, "/proc/meminfo", &ignored) < 0)
		return 0;
	const char *line = strstr(buf_text(&text), "MemAvailable:");
	uint64_t free_bytes = line ? (uint64_t)strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10 : 0;
	return free_bytes < most ? free_bytes : most;
}

static uint64_t processor_us(void)
{
	// Processor time, not wall time: what else runs meanwhile must not make the vault weaker.
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int pwhash_cost_of(enum pwhash_preset preset, struct pwhash_cost *out, struct err *err)
{
	if (preset != PWHASH_CALIBRATED) {
		*out = presets[preset].cost;
		return 0;
	}
	static const uint8_t salt[PWHASH_SALT_BYTES] = {0};
	const struct pwhash_cost least = presets[PWHASH_INTERACTIVE].cost;
	uint8_t unused[KEY_BYTES];
	uint64_t before = processor_us();
	int r = pwhash_derive(SPAN_LITERAL("calibration"), salt, least.passes, least.memory_bytes, unused, err);
	if (r < 0)
		return r;
	*out = pwhash_cost_choose(processor_us() - before, memory_available_bytes());
	return 0;
}
