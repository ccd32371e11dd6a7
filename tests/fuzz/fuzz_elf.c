// Any bytes as a program's file have a judgement, and the words that decide it are in the file.
#include "program/program_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool has(const uint8_t *data, size_t len, const char *words)
{
	return memmem(data, len, words, strlen(words)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	_cleanup_fd_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && fd_write_all(fd, span_of(data, len), "the program", &err) == 0);
	struct elf_traits traits = elf_look(fd);
	if (traits.has_origin)
		require(has(data, len, "$ORIGIN") || has(data, len, "${ORIGIN}"));
	enum program_shield placed = shield_judge_file(fd, len, "/usr/bin/fuzz", true);
	enum program_shield copied = shield_judge_file(fd, len, "/usr/bin/fuzz", false);
	require((placed == PROGRAM_SHIELD_ORIGIN) == traits.has_origin);
	if (!traits.has_origin)
		require(placed == PROGRAM_SHIELD_SELF || !has(data, len, "/proc/self/exe"));
	// What keeps a copy from it, keeps the file itself.
	if (copied != PROGRAM_SHIELD_APPLIED)
		require(copied == PROGRAM_SHIELD_SELF && placed != PROGRAM_SHIELD_APPLIED);
	return 0;
}
