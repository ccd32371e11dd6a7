#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool wants_direct(const struct arguments *arguments)
{
	// A broker gets descriptors 0-2; any other number would mean one of its own.
	return arguments_has(arguments, OPTION_DIRECT) || arguments_has(arguments, OPTION_PASSPHRASE_FD) ||
	       arguments_has(arguments, OPTION_PASSPHRASE_FILE) || arguments_has(arguments, OPTION_EVENTS_FD);
}

// Of these commands the vault is not opened with every option.
static bool needs_open_vault(const struct arguments *arguments)
{
	static const struct {
		const char *command;
		enum option_id option;
		bool needs; // with the option, or without
	} rows[] = {
		{"list", OPTION_HEALTH, true},
		{"show", OPTION_HEALTH, true},
		{"run", OPTION_EXPLAIN, false},
		{"inject", OPTION_EXPLAIN, false},
		{"pipe", OPTION_EXPLAIN, false},
		{"audit verify", OPTION_CHAIN_ONLY, false},
	};
	if (arguments_has(arguments, OPTION_COVERAGE))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i].command, arguments->command->name) == 0)
			return arguments_has(arguments, rows[i].option) == rows[i].needs;
	return true;
}

// In a jail: what is read without a key elsewhere is asked for, too.
static bool is_vault_closed(const struct home *home)
{
	struct err ignored;
	struct stat st;
	_cleanup_free_ char *path = NULL;
	if (path_join(home->data_dir, "vault.db", &path, &ignored) < 0 || stat(path, &st) < 0 || st.st_uid != geteuid())
		return false;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 && errno == EACCES && (st.st_mode & S_IRUSR);
}

bool command_forward(struct context *context, const struct arguments *arguments, int *ret_status)
{
	struct broker_end end = {0};
	struct err err;
	if (arguments->command->broker == DIRECT_ONLY || wants_direct(arguments))
		return false;
	_cleanup_home_ struct home home = {0};
	struct broker_work work = {.words = context->words, .environment = context->environment, .inherited = context->inherited};
	// Without an engine, which a client has no use for. That there is no home is for the engine to say.
	int r = home_init(&home, &err) < 0 ? ERR_NOT_FOUND : 0;
	if (r == 0 && !needs_open_vault(arguments) && !is_vault_closed(&home))
		return false;
	if (r == 0)
		r = broker_forward(&home, &work, &end, &err);
	if (r == ERR_NOT_FOUND)
		return false;
	context->signal = r < 0 ? 0 : end.signal;
	*ret_status = r < 0 ? report(arguments, &err) : end.status;
	return true;
}

// ------------------------------------------------------------------------------------------------------------ in a worker

// The line as it was typed: what the human is asked to agree to.
static int command_permit(struct engine *engine, const struct arguments *arguments, char *const *words, struct err *err)
{
	if (arguments->command->broker != BROKER_ASKS || !needs_open_vault(arguments))
		return 0;
	return engine_permit(engine, words, err);
}

static int command_do(struct engine *engine, const struct broker_work *work, const struct command *command, size_t skipped,
		      int *ret_signal)
{
	struct arguments arguments = {.command = command};
	struct context context = {.engine = engine, .words = work->words, .environment = work->environment,
				  .inherited = work->inherited};
	struct err err;
	int r = arguments_parse(command, work->words + skipped, &arguments, &err);
	if (r == 0 && arguments.wants_help)
		return command_print_help(command);
	if (r == 0 && (command->broker == DIRECT_ONLY || wants_direct(&arguments)))
		r = err_set(&err, ERR_USAGE, "this is not done through the broker; use --direct");
	if (r == 0)
		r = command_permit(engine, &arguments, work->words, &err);
	if (r < 0)
		return report(&arguments, &err);
	int status = command->run(&context, &arguments);
	*ret_signal = context.signal;
	return status;
}

static int deposit_do(struct engine *engine, const struct broker_work *work)
{
	char *const words[] = {(char[]){"set"}, NULL};
	struct vault_entry entry;
	struct err err;
	size_t skipped;
	struct arguments arguments = {.command = command_find(words, &skipped)};
	int r = engine_take_deposit(engine, work->deposit, work->digest, &entry, &err);
	if (r < 0)
		return report(&arguments, &err);
	notice("%s is stored, version %u", entry.name, entry.version);
	return 0;
}

void command_serve(struct engine *engine, const struct broker_work *work, struct broker_end *out)
{
	size_t skipped = 0;
	const struct command *command = work->deposit ? NULL : command_find(work->words, &skipped);
	*out = (struct broker_end){.status = err_exit_status(ERR_USAGE)};
	if (work->deposit)
		out->status = deposit_do(engine, work);
	else if (command)
		out->status = command_do(engine, work, command, skipped, &out->signal);
}
