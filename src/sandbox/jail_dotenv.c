// The project's files of variables: .env, .env.local, .envrc.
#include "sandbox/jail_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 12
#define ENTRIES_MAX 50000

struct search {
	struct text_list *out;
	size_t entries;
	bool is_cut;
	char path[PATH_MAX];
};

static const char *const skipped[] = {".git", ".hg", ".svn", ".venv", "node_modules"};
static const char *const examples[] = {".dist", ".example", ".sample", ".template"};

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

// Copies by editors and file managers too: .env~, .env2, ".env (copy)", .envrc.bak; another word is another file: .envseal.
static bool name_is_dotenv(const char *name)
{
	if (strncmp(name, ".env", 4) != 0)
		return false;
	const char *rest = name + (strncmp(name, ".envrc", 6) == 0 ? 6 : 4);
	for (size_t i = 0; i < ARRAY_COUNT(examples); i++)
		if (ends_with(name, examples[i]))
			return false;
	return !((*rest >= 'a' && *rest <= 'z') || (*rest >= 'A' && *rest <= 'Z'));
}

static bool name_is_skipped(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(skipped); i++)
		if (strcmp(name, skipped[i]) == 0)
			return true;
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// The file itself, wherever a link leads. A folder of that name is a Python environment as a rule.
static int file_add(struct search *search, struct err *err)
{
	struct stat st;
	_cleanup_free_ char *real = realpath(search->path, NULL);
	if (!real || stat(real, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return text_list_add(search->out, real, err);
}

static bool path_push(struct search *search, size_t length, const char *name)
{
	size_t name_length = strlen(name);
	if (length + 1 + name_length >= sizeof(search->path))
		return false;
	search->path[length] = '/';
	memcpy(search->path + length + 1, name, name_length + 1);
	return true;
}

static unsigned char entry_type(int fd, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (unsigned char)IFTODT(st.st_mode) : DT_UNKNOWN;
}

// `depth` 0: this folder alone.
static int folder_search(struct search *search, int depth, struct err *err)
{
	size_t length = strlen(search->path);
	DIR *dir = opendir(length > 0 ? search->path : "/");
	int r = 0;
	const struct dirent *entry;
	while (dir && r == 0 && (entry = readdir(dir)) != NULL) {
		search->is_cut |= ++search->entries > ENTRIES_MAX;
		if (search->is_cut)
			break;
		bool is_folder = depth > 0 && !name_is_skipped(entry->d_name) && entry_type(dirfd(dir), entry) == DT_DIR;
		if (!is_folder && !name_is_dotenv(entry->d_name))
			continue;
		search->is_cut |= is_folder && depth == 1;
		if (!path_push(search, length, entry->d_name))
			continue;
		if (!is_folder)
			r = file_add(search, err);
		else if (depth > 1)
			r = folder_search(search, depth - 1, err);
		search->path[length] = 0;
	}
	if (dir)
		closedir(dir);
	return r;
}

static int above_search(struct search *search, const char *directory, const char *home, struct err *err)
{
	int r = 0;
	snprintf(search->path, sizeof(search->path), "%s", directory);
	for (char *slash; r == 0 && (slash = strrchr(search->path, '/')) != NULL;) {
		bool is_end = home && strcmp(search->path, home) == 0;
		*slash = 0;
		if (is_end || search->path[0] == 0)
			break;
		r = folder_search(search, 0, err);
	}
	return r;
}

int jail_dotenv_find(const char *directory, const char *home, struct text_list *out, bool *ret_cut, struct err *err)
{
	struct search *search = calloc(1, sizeof(*search));
	if (!search)
		return err_set(err, ERR_MEMORY, "out of memory");
	search->out = out;
	int r = above_search(search, directory, home, err);
	snprintf(search->path, sizeof(search->path), "%s", strcmp(directory, "/") == 0 ? "" : directory);
	if (r == 0)
		r = folder_search(search, DEPTH_MAX, err);
	*ret_cut = search->is_cut;
	free(search);
	return r;
}
