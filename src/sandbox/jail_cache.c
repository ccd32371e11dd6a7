// What of ~/.cache is the agent's. Not the folder itself: shells and prompts keep there what they run at their next start,
// outside, and look for it by names that may not be there yet. So it is the folders in it, one by one, but for theirs.
#include "sandbox/jail_internal.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Made where they are missing, for nothing can be made beside them from inside, and these tools fail without.
static const char *const made[] = {"deno", "go-build", "node-gyp", "pip", "pnpm", "pre-commit", "uv", "yarn"};

// Of shells, their plug-in managers, prompts and completions, and of what colours terminals.
static const char *const shells[] = {
	"antibody*", "antidote*", "bash*", "blesh*", "carapace*", "direnv*", "fish*", "gitstatus*", "nushell*", "oh-my-*", "p10k*",
	"powerl*", "prezto*", "sheldon*", "starship*", "wal", "wallust*", "z4h*", "zcomp*", "zgen*", "zi", "zim*", "zinit*", "znap*",
	"zoxide*", "zplug*", "zsh*",
};

static bool is_of_a_shell(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(shells); i++)
		if (fnmatch(shells[i], name, 0) == 0)
			return true;
	return false;
}

// Where one cannot be, it is the tool that says so.
static int folders_make(const char *cache, struct err *err)
{
	int r = 0;
	mkdir(cache, 0700);
	for (size_t i = 0; i < ARRAY_COUNT(made) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;
		r = path_join(cache, made[i], &path, err);
		if (r == 0)
			mkdir(path, 0700);
	}
	return r;
}

static int folders_find(const char *cache, struct text_list *out, struct err *err)
{
	DIR *dir = opendir(cache);
	const struct dirent *entry;
	int r = 0;
	while (dir && r == 0 && (entry = readdir(dir)) != NULL) {
		_cleanup_free_ char *path = NULL;
		if (entry->d_name[0] == '.' || is_of_a_shell(entry->d_name))
			continue;
		r = path_join(cache, entry->d_name, &path, err);
		// No link: it could lead to what a shell reads.
		if (r == 0 && path_is_folder(path))
			r = text_list_append(out, path, err);
	}
	if (dir)
		closedir(dir);
	return r;
}

int jail_cache_find(const char *home, bool make_folders, struct text_list *out, struct err *err)
{
	_cleanup_free_ char *cache = NULL;
	if (!home)
		return 0;
	int r = path_join(strcmp(home, "/") == 0 ? "" : home, ".cache", &cache, err);
	if (r == 0 && make_folders)
		r = folders_make(cache, err);
	_cleanup_free_ char *real = r == 0 ? realpath(cache, NULL) : NULL;
	return real ? folders_find(real, out, err) : r;
}
