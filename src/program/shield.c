// Whether a program runs from an image that may not be read, and that image.
#include "program/program_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 5.8.
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

#define IMAGE_MODE 0111

const char *program_shield_name(enum program_shield shield)
{
	static const char *const names[PROGRAM_SHIELD_COUNT] = {
		[PROGRAM_SHIELD_APPLIED] = "applied", [PROGRAM_SHIELD_TOO_LARGE] = "too-large",
		[PROGRAM_SHIELD_ORIGIN] = "origin",   [PROGRAM_SHIELD_SELF] = "self",
		[PROGRAM_SHIELD_LISTED] = "listed",   [PROGRAM_SHIELD_BY_PATH] = "by-path",
		[PROGRAM_SHIELD_OFF] = "off",         [PROGRAM_SHIELD_UNAVAILABLE] = "unavailable"};
	return names[shield];
}

// ------------------------------------------------------------------------------------------------------------- judging

// What its content does not tell. By the entry of the table in open_ended.c where it has one, else by its name.
//  - node is the same without the words "/proc/self/exe" in some builds, and always starts itself again.
//  - What makes user namespaces writes to its own files under /proc, which a closed process may not.
static const char *const listed[] = {
	"Xwayland", "brave", "buildah", "bun", "bwrap", "chrome", "chromium", "code", "codium", "cursor", "deno", "dotnet",
	"electron", "firefox", "firefox-esr", "flatpak", "google-chrome", "java", "msedge", "node", "nodejs", "podman", "qemu",
	"rootlesskit", "slack", "unshare",
};

static bool is_listed(const char *path)
{
	const char *entry = open_ended_entry(path);
	const char *name = entry ? entry : path_base(path);
	for (size_t i = 0; i < ARRAY_COUNT(listed); i++)
		if (strcmp(listed[i], name) == 0)
			return true;
	return false;
}

// pread blocks until the end of the file; each but the first begins with the end of the one before.
#define SCAN_BYTES 32768
static bool file_has(int fd, struct span needle)
{
	uint8_t block[SCAN_BYTES];
	size_t kept = 0;
	ssize_t len;
	for (off_t at = 0; (len = pread(fd, block + kept, sizeof(block) - kept, at)) > 0; at += len) {
		size_t filled = kept + (size_t)len;
		if (memmem(block, filled, needle.data, needle.len))
			return true;
		kept = filled < needle.len ? filled : needle.len - 1;
		memmove(block, block + filled - kept, kept);
	}
	return false;
}

#define PLACE_BYTES 4096
static bool place_has(int fd, off_t at, struct span needle)
{
	uint8_t block[PLACE_BYTES];
	ssize_t len = pread(fd, block, sizeof(block), at < 0 ? 0 : at);
	return len > 0 && memmem(block, (size_t)len, needle.data, needle.len);
}

// AppImage's magic, types 1 and 2, in the padding of the ELF identification.
static bool is_appimage(int fd)
{
	uint8_t magic[3];
	return pread(fd, magic, sizeof(magic), 8) == (ssize_t)sizeof(magic) && magic[0] == 'A' && magic[1] == 'I' &&
	       (magic[2] == 1 || magic[2] == 2);
}

// Reads its own file: a packed program, or an archive behind a starter (PyInstaller's cookie stands near the end).
static bool is_packed(int fd, uint64_t size)
{
	return is_appimage(fd) || place_has(fd, 0, SPAN_LITERAL("UPX!")) ||
	       place_has(fd, (off_t)size - PLACE_BYTES, SPAN_LITERAL("MEI\014\013\012\013\016"));
}

// A copy has no place of its own anyway; so what only asks for its name (Go's os.Executable, and libc in every static
// program) loses nothing more.
static bool only_asks_its_name(int fd, struct elf_traits traits)
{
	return !traits.is_dynamic || file_has(fd, SPAN_LITERAL("\xff Go buildinf:"));
}

enum program_shield shield_judge_file(int fd, uint64_t size, const char *path, bool has_place)
{
	struct elf_traits traits = elf_look(fd);
	if (has_place && is_listed(path))
		return PROGRAM_SHIELD_LISTED;
	if (has_place && traits.has_origin)
		return PROGRAM_SHIELD_ORIGIN;
	if (has_place && size > PROGRAM_SHIELD_BYTES_MAX)
		return PROGRAM_SHIELD_TOO_LARGE;
	bool names_itself = file_has(fd, SPAN_LITERAL("/proc/self/exe")) && (has_place || !only_asks_its_name(fd, traits));
	return names_itself || is_packed(fd, size) ? PROGRAM_SHIELD_SELF : PROGRAM_SHIELD_APPLIED;
}

static const struct program *executed(const struct program *program)
{
	return program->interpreter ? program->interpreter : program;
}

enum program_shield program_shield_judge(const struct program *program)
{
	const struct program *image = executed(program);
	if (image->is_by_path)
		return PROGRAM_SHIELD_BY_PATH;
	return shield_judge_file(image->fd, image->size, image->path, image->is_system);
}

// ------------------------------------------------------------------------------------------------------------ the image

// Of a system program there is no copy yet. Where none can be made, it runs as it is: its file is as good.
static int image_copy(const struct program *image)
{
	struct err ignored;
	int fd = -1;
	return program_seal(image->fd, image->path, &fd, &ignored) == 0 ? fd : -1;
}

int program_image_source(const struct program *program)
{
	return executed(program)->fd;
}

void program_image_copy(struct program_image *image, const struct program *program)
{
	const struct program *file = executed(program);
	bool is_shielded = image->shield == PROGRAM_SHIELD_APPLIED;
	if (is_shielded && file->is_system)
		image->copy_fd = image_copy(file);
	image->fd = program_is_copied(file) ? file->fd : image->copy_fd;
	if (is_shielded && (image->fd < 0 || fchmod(image->fd, IMAGE_MODE) < 0))
		image->shield = PROGRAM_SHIELD_UNAVAILABLE;
}

struct program_image program_image_make(const struct program *program, bool is_shielded)
{
	struct program_image image = PROGRAM_IMAGE_INIT;
	if (is_shielded)
		image.shield = program_shield_judge(program);
	program_image_copy(&image, program);
	return image;
}

void program_image_done(struct program_image *image)
{
	fd_close(&image->copy_fd);
	fd_close(&image->folder_fd);
	free(image->name);
	*image = PROGRAM_IMAGE_INIT;
}

// As the kernel would name it: a script by itself, and what env looks up by its own name.
const char *program_usual_name(const struct program *program)
{
	bool is_by_env = program->interpreter && !strchr(program->interpreter->asked, '/');
	return is_by_env ? program->interpreter->asked : path_base(program->name);
}

// What leads to which number is the same for all who use the folder, and may be there already.
void program_image_name(struct program_image *image, const struct program *program, int folder_fd)
{
	char target[32];
	_cleanup_free_ char *name = NULL;
	snprintf(target, sizeof(target), "/proc/self/fd/%d", image->fd);
	if (image->fd < 0 || asprintf(&name, "%d/%s", image->fd, program_usual_name(program)) < 0)
		return;
	char *slash = strchr(name, '/');
	*slash = 0;
	int r = mkdirat(folder_fd, name, 0700);
	*slash = '/';
	if ((r < 0 && errno != EEXIST) || (symlinkat(target, folder_fd, name) < 0 && errno != EEXIST))
		return;
	image->folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
	image->name = TAKE_PTR(name);
}

void program_image_place(struct program_image *image, const struct program *program, int folder_fd, int file_fd)
{
	image->fd = image->copy_fd = file_fd;
	image->folder_fd = folder_fd;
	image->name = strdup(program_usual_name(program));
}

// The kernel's own question (would_dump in fs/exec.c): root may read everything, unless it has given that up.
bool program_image_is_closed(const struct program_image *image)
{
	if (image->shield != PROGRAM_SHIELD_APPLIED)
		return false;
	long r = syscall(SYS_faccessat2, image->fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS);
	return r < 0 && (errno == EACCES || (errno == ENOSYS && geteuid() != 0));
}

void program_exec(const struct program *program, const struct program_image *image, const struct program_argv *argv,
		  char *const envp[])
{
	// By its path, where it has one: so its name in ps and its auxiliary vector are as always. Only root could swap a
	// system file, and a program run by path as asked for is one that wants to be found there.
	if (image->fd < 0)
		execve(executed(program)->path, argv->argv, envp);
	// Comes back where there is no /proc.
	if (image->folder_fd >= 0 && image->name)
		execveat(image->folder_fd, image->name, argv->argv, envp, 0);
	if (image->fd >= 0)
		execveat(image->fd, "", argv->argv, envp, AT_EMPTY_PATH);
}
