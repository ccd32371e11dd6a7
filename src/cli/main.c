#include "cli/command.h"

#include <string.h>
#include <unistd.h>

static int fail(const char *command, const struct err *err, bool runs_program)
{
	fprintf(stderr, "envseal: %s%s%s\n", command, command[0] ? ": " : "", err->text);
	return runs_program ? err_run_status(err->code) : err_exit_status(err->code);
}

static int command_execute(const struct command *command, char *const *words, struct context *context)
{
	struct arguments arguments = {.command = command};
	struct err err;
	int r = arguments_parse(command, words, &arguments, &err);
	if (r < 0)
		return report(&arguments, &err);
	if (arguments.wants_help)
		return command_print_help(command);
	int status;
	if (command_forward(context, &arguments, &status))
		return status;
	_cleanup_engine_ struct engine *engine = NULL;
	if (!command->needs_no_engine)
		r = engine_new(notice_sentence, &engine, &err);
	if (r < 0)
		return report(&arguments, &err);
	context->engine = engine;
	return command->run(context, &arguments);
}

static int end(int status, const struct context *context)
{
	if (context->signal != 0)
		engine_end_like(&(struct exec_outcome){.status = status, .signal = context->signal});
	return status;
}

int main(int argc, char **argv)
{
	struct err err;
	struct exec_inherited inherited;
	size_t words = 0;
	bool has_command = argc > 1;
	const struct command *command = has_command ? command_find(argv + 1, &words) : NULL;
	bool runs_program = command && command->runs_program;
	if (engine_start(&inherited, &err) < 0)
		return fail("", &err, runs_program);
	if (!has_command) {
		overview_print(stderr);
		return err_exit_status(ERR_USAGE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		overview_print(stdout);
		return output_finish();
	}
	struct context context = {.words = argv + 1, .environment = environ, .inherited = &inherited};
	if (strcmp(argv[1], "--version") == 0) {
		char *const version[] = {(char[]){"version"}, NULL};
		command = command_find(version, &words);
	}
	if (command)
		return end(command_execute(command, argv + 1 + words, &context), &context);
	command_unknown(argv + 1, &err);
	return fail("", &err, false);
}
