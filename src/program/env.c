// `#!/usr/bin/env X`: what env (GNU coreutils) would make of a line's argument.
#include "program/program_internal.h"

#include <stdlib.h>
#include <string.h>

bool program_path_is_env(const char *path)
{
	return strcmp(path_base(path), "env") == 0;
}

int words_split(const char *text, const char *separators, char ***out, struct err *err)
{
	size_t bytes = strlen(text) + 1, room = bytes / 2 + 2, count = 0;
	_cleanup_free_ char **words = calloc(1, room * sizeof(*words) + bytes);
	if (!words)
		return err_set(err, ERR_MEMORY, "out of memory");
	char *rest = memcpy(words + room, text, bytes), *word;
	while ((word = strsep(&rest, separators)))
		if (word[0])
			words[count++] = word;
	*out = count > 0 ? TAKE_PTR(words) : NULL;
	return 0;
}

// What -S reads as it stands: no quotes, escapes, variables, comments and other white space.
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (((uint8_t)*text < ' ' && *text != '\t') || strchr("\"'\\$#", *text))
			return false;
	return true;
}

// Neither an option of env nor an assignment, and looked up on the PATH.
static bool is_program_name(const char *word)
{
	return word[0] != '-' && !strpbrk(word, "=/");
}

int env_parse(const char *argument, char ***out, struct err *err)
{
	_cleanup_free_ char **words = NULL;
	// The kernel hands on the rest of the line as one argument, so this is "-Sthe rest".
	bool is_split = strncmp(argument, "-S", 2) == 0;
	int r = 0;
	if (!is_split)
		r = words_split(argument, "", &words, err);
	else if (is_plain(argument + 2))
		r = words_split(argument + 2, " \t", &words, err);
	if (r < 0)
		return r;
	*out = words && is_program_name(words[0]) ? TAKE_PTR(words) : NULL;
	return 0;
}
