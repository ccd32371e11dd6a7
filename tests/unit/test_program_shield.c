// Which programs run from an image that may not be read, and what reading their files makes of any bytes.
#include "program_scene.h"

#include <elf.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "program/program_internal.h"

// --------------------------------------------------------------------------------------------------------- made files

// A file with a loader, one segment that holds it whole, and a dynamic section with one string.
struct made {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Dyn dynamic[4];
	char strings[64];
	char content[64];
};

static struct made made_with(uint64_t tag, const char *string)
{
	struct made made = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_DYN, .e_phoff = offsetof(struct made, segments), .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 3},
		.segments = {{.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof(struct made)},
			     {.p_type = PT_INTERP, .p_offset = offsetof(struct made, content)},
			     {.p_type = PT_DYNAMIC, .p_offset = offsetof(struct made, dynamic), .p_filesz = 4 * sizeof(Elf64_Dyn)}},
		.dynamic = {{(Elf64_Sxword)tag, {8}}, {DT_STRTAB, {0x1000 + offsetof(struct made, strings)}}},
	};
	snprintf(made.strings + 8, sizeof(made.strings) - 8, "%s", string);
	return made;
}

static int file_of(const void *data, size_t len)
{
	struct err err;
	int fd = memfd_create("made", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, span_of(data, len), "made", &err), 0);
	return fd;
}

static struct elf_traits look_at(const void *data, size_t len)
{
	_cleanup_fd_ int fd = file_of(data, len);
	return elf_look(fd);
}

static enum program_shield judge(const struct made *made, const char *path, bool has_place)
{
	_cleanup_fd_ int fd = file_of(made, sizeof(*made));
	return shield_judge_file(fd, sizeof(*made), path, has_place);
}

// ---------------------------------------------------------------------------------------------------------------- ELF

static void test_origin(void **state)
{
	(void)state;
	static const struct {
		uint64_t tag;
		const char *string;
		bool has_origin;
	} cases[] = {
		{DT_RUNPATH, "$ORIGIN/../lib", true},   {DT_RPATH, "/usr/lib:${ORIGIN}", true},
		{DT_NEEDED, "$ORIGIN/libx.so", true},   {DT_AUDIT, "$ORIGIN", true},
		{DT_RUNPATH, "/usr/lib", false},        {DT_NEEDED, "libORIGIN.so", false},
		{DT_SONAME, "$ORIGIN", false},          {DT_NEEDED, "", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct made made = made_with(cases[i].tag, cases[i].string);
		struct elf_traits traits = look_at(&made, sizeof(made));
		assert_true(traits.is_dynamic);
		assert_int_equal(traits.has_origin, cases[i].has_origin);
	}
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	struct made made = made_with(DT_RUNPATH, "$ORIGIN/lib");
	for (size_t len = 0; len < sizeof(made); len++) {
		// The string table reaches as far as the segment says, so the string alone decides.
		bool has_string = len >= offsetof(struct made, strings) + 8 + strlen("$ORIGIN");
		assert_int_equal(look_at(&made, len).has_origin, has_string);
	}
}

static void test_hostile_numbers(void **state)
{
	(void)state;
	static const uint64_t numbers[] = {0, 1, 0x7fffffff, 0xffffffff, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 7, UINT64_MAX};
	const struct made good = made_with(DT_RUNPATH, "$ORIGIN/lib");
	uint8_t bytes[sizeof(good)];
	for (size_t at = 0; at + 8 <= offsetof(struct made, strings); at += 2)
		for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
			memcpy(bytes, &good, sizeof(bytes));
			memcpy(bytes + at, &numbers[i], 8);
			look_at(bytes, sizeof(bytes));
		}
}

static void test_what_is_not_understood(void **state)
{
	(void)state;
	struct made made = made_with(DT_RUNPATH, "$ORIGIN/lib");
	made.header.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_false(look_at(&made, sizeof(made)).has_origin);
	made = made_with(DT_RUNPATH, "$ORIGIN/lib");
	made.header.e_phnum = 65;
	assert_false(look_at(&made, sizeof(made)).is_dynamic);
	made = made_with(DT_RUNPATH, "$ORIGIN/lib");
	made.header.e_phentsize = sizeof(Elf32_Phdr);
	assert_false(look_at(&made, sizeof(made)).is_dynamic);
	made = made_with(DT_RUNPATH, "$ORIGIN/lib");
	made.dynamic[0].d_un.d_val = sizeof(made);
	assert_false(look_at(&made, sizeof(made)).has_origin);
	assert_false(look_at("#!/bin/sh\n", 10).is_dynamic);
}

// ------------------------------------------------------------------------------------------------------------ judging

static void test_judging(void **state)
{
	(void)state;
	struct made plain = made_with(DT_NEEDED, "libc.so.6");
	assert_int_equal(judge(&plain, "/usr/bin/x", true), PROGRAM_SHIELD_APPLIED);
	assert_int_equal(judge(&plain, "/usr/bin/node", true), PROGRAM_SHIELD_LISTED);
	assert_int_equal(judge(&plain, "/usr/bin/node", false), PROGRAM_SHIELD_APPLIED);
	assert_int_equal(judge(&plain, "/opt/chrome", true), PROGRAM_SHIELD_LISTED);
	struct made origin = made_with(DT_RUNPATH, "$ORIGIN/lib");
	assert_int_equal(judge(&origin, "/usr/bin/x", true), PROGRAM_SHIELD_ORIGIN);
	assert_int_equal(judge(&origin, "/usr/bin/x", false), PROGRAM_SHIELD_APPLIED);
	struct made self = plain;
	memcpy(self.content, "/proc/self/exe", 15);
	assert_int_equal(judge(&self, "/usr/bin/x", true), PROGRAM_SHIELD_SELF);
	assert_int_equal(judge(&self, "/usr/bin/x", false), PROGRAM_SHIELD_SELF);
	// A copy of a static program, and of one in Go: they ask for their name, which a copy has lost anyway.
	self.segments[1].p_type = PT_NOTE;
	assert_int_equal(judge(&self, "/usr/bin/x", true), PROGRAM_SHIELD_SELF);
	assert_int_equal(judge(&self, "/usr/bin/x", false), PROGRAM_SHIELD_APPLIED);
	self.segments[1].p_type = PT_INTERP;
	memcpy(self.content + 20, "\xff Go buildinf:", 14);
	assert_int_equal(judge(&self, "/usr/bin/x", false), PROGRAM_SHIELD_APPLIED);
}

static void test_packed(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		const char *magic;
	} cases[] = {{8, "AI\001"}, {8, "AI\002"}, {0xe0, "UPX!"}, {sizeof(struct made) - 20, "MEI\014\013\012\013\016"}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct made made = made_with(DT_NEEDED, "libc.so.6");
		memcpy((uint8_t *)&made + cases[i].at, cases[i].magic, strlen(cases[i].magic));
		assert_int_equal(judge(&made, "/usr/bin/x", true), PROGRAM_SHIELD_SELF);
		assert_int_equal(judge(&made, "/usr/bin/x", false), PROGRAM_SHIELD_SELF);
	}
}

// The words may lie across the blocks in which a file is read.
static void test_words_at_every_place(void **state)
{
	(void)state;
	static uint8_t file[70000];
	for (size_t at = 32740; at < 32780; at++) {
		memset(file, 'x', sizeof(file));
		memcpy(file + at, "/proc/self/exe", 14);
		_cleanup_fd_ int fd = file_of(file, sizeof(file));
		assert_int_equal(shield_judge_file(fd, sizeof(file), "/usr/bin/x", true), PROGRAM_SHIELD_SELF);
	}
	memset(file, 'x', sizeof(file));
	_cleanup_fd_ int fd = file_of(file, sizeof(file));
	assert_int_equal(shield_judge_file(fd, sizeof(file), "/usr/bin/x", true), PROGRAM_SHIELD_APPLIED);
	assert_int_equal(shield_judge_file(fd, PROGRAM_SHIELD_BYTES_MAX, "/usr/bin/x", true), PROGRAM_SHIELD_APPLIED);
	assert_int_equal(shield_judge_file(fd, PROGRAM_SHIELD_BYTES_MAX + 1, "/usr/bin/x", true), PROGRAM_SHIELD_TOO_LARGE);
	assert_int_equal(shield_judge_file(fd, PROGRAM_SHIELD_BYTES_MAX + 1, "/usr/bin/x", false), PROGRAM_SHIELD_APPLIED);
}

// ---------------------------------------------------------------------------------------------------------- the image

static mode_t mode_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_mode & 07777;
}

static void test_image_of_a_system_program(void **state)
{
	(void)state;
	_cleanup_program_ struct program *program = resolve("true", SYSTEM_PATH);
	struct program_image image = program_image_make(program, true);
	assert_int_equal(image.shield, PROGRAM_SHIELD_APPLIED);
	assert_int_equal(image.fd, image.copy_fd);
	assert_int_equal(mode_of(image.fd), 0111);
	assert_int_equal(fcntl(image.fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_true(fcntl(image.fd, F_GETFD) & FD_CLOEXEC);
	uint8_t digest[DIGEST_BYTES];
	struct err err;
	assert_int_equal(digest_file(image.fd, "copy", digest, &err), 0);
	assert_memory_equal(digest, program->digest, DIGEST_BYTES);
	assert_int_equal(program_image_is_closed(&image), geteuid() != 0);
	program_image_done(&image);
	assert_int_equal(image.copy_fd, -1);
	image = program_image_make(program, false);
	assert_int_equal(image.shield, PROGRAM_SHIELD_OFF);
	assert_int_equal(image.fd, -1);
	assert_false(program_image_is_closed(&image));
}

static void test_image_of_a_script(void **state)
{
	(void)state;
	skip_under_valgrind();
	script_write("a/script", "#!/bin/sh\necho \"$1\"; read line < \"$0\"; echo \"$line\"\n");
	_cleanup_program_ struct program *program = resolve("script", scene_path("@/a"));
	assert_string_equal(run_image(program, true, STRINGS("script", "x"), 0), "x\n#!/bin/sh\n");
	assert_int_equal(mode_of(program->fd), 0555);
	struct program_image image = program_image_make(program, true);
	assert_int_equal(image.shield, PROGRAM_SHIELD_APPLIED);
	assert_int_not_equal(image.fd, program->fd);
	program_image_done(&image);
}

static void test_image_of_a_copy(void **state)
{
	(void)state;
	skip_under_valgrind();
	file_copy("/usr/bin/echo", "a/tool");
	_cleanup_program_ struct program *program = resolve("tool", scene_path("@/a"));
	struct program_image image = program_image_make(program, false);
	assert_int_equal(image.fd, program->fd);
	assert_int_equal(mode_of(program->fd), 0555);
	program_image_done(&image);
	assert_string_equal(run_image(program, true, STRINGS("tool", "x"), 0), "x\n");
	assert_int_equal(mode_of(program->fd), 0111);
	_cleanup_program_ struct program *by_path = resolve_by_path("./a/tool");
	assert_int_equal(program_shield_judge(by_path), PROGRAM_SHIELD_BY_PATH);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROGRAM_SHIELD_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(program_shield_name((enum program_shield)i), program_shield_name((enum program_shield)j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_hostile_numbers),
		cmocka_unit_test(test_what_is_not_understood),
		cmocka_unit_test(test_judging),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_words_at_every_place),
		scene_test(test_image_of_a_system_program),
		scene_test(test_image_of_a_script),
		scene_test(test_image_of_a_copy),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
