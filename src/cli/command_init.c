#include "cli/command.h"

int command_init(struct context *context, const struct arguments *arguments)
{
	struct engine_init request = {.pwhash = arguments_value(arguments, OPTION_PWHASH),
				      .allow_weak = arguments_has(arguments, OPTION_ALLOW_WEAK)};
	struct passphrase_score score = {0};
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_init(context->engine, &request, &score, &err);
	if (r < 0)
		return report(arguments, &err);
	notice("passphrase strength: %d of 4 (about 10^%.0f guesses)", score.score, score.guesses_log10);
	notice("the vault is made; without the passphrase nobody can open it, so keep it somewhere safe");
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(json_pack("{s:i, s:f}", "score", score.score, "guesses_log10", score.guesses_log10));
	return 0;
}
