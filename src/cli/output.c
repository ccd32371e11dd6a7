#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int report(const struct arguments *arguments, const struct err *err)
{
	fprintf(stderr, "envseal: %s: %s\n", arguments->command->name, err->text);
	return arguments->command->runs_program ? err_run_status(err->code) : err_exit_status(err->code);
}

void notice(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("envseal: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

void notice_sentence(const char *sentence)
{
	notice("%s", sentence);
}

int output_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	notice("cannot write to standard output: %s", strerrordesc_np(errno));
	return 1;
}

int json_print(json_t *object)
{
	json_t *versioned = json_pack("{s:i}", "version", 1);
	if (!object || !versioned || json_object_update(versioned, object) < 0) {
		json_decref(object);
		json_decref(versioned);
		notice("out of memory");
		return 1;
	}
	json_dumpf(versioned, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', stdout);
	json_decref(object);
	json_decref(versioned);
	return output_finish();
}

int unlock_from_arguments(const struct arguments *arguments, struct engine_unlock *out, struct err *err)
{
	struct engine_unlock unlock = ENGINE_UNLOCK_TERMINAL;
	const char *fd = arguments_value(arguments, OPTION_PASSPHRASE_FD);
	unlock.passphrase_file = arguments_value(arguments, OPTION_PASSPHRASE_FILE);
	if (fd && unlock.passphrase_file)
		return err_set(err, ERR_USAGE, "--passphrase-fd and --passphrase-file: give one of them");
	uint64_t number = 0;
	int r = fd ? text_parse_u64(fd, "--passphrase-fd", 0, 1u << 20, &number, err) : 0;
	if (r < 0)
		return r;
	if (fd)
		unlock.passphrase_fd = (int)number;
	*out = unlock;
	return 0;
}
