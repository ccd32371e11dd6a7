#include "policy/decision.h"

static const struct {
	const char *name;
	const char *text;
} reasons[POLICY_REASON_COUNT] = {
	[POLICY_OTHER_SECRET] = {"other-secret", "it is for other secrets"},
	[POLICY_OTHER_DELIVERY] = {"other-delivery", "it is for another kind of delivery"},
	[POLICY_OTHER_VARIABLE] = {"other-variable", "it is for other variables"},
	[POLICY_STEERING_VARIABLE] = {"steering-variable", "the variable steers how programs run"},
	[POLICY_OTHER_PROGRAM] = {"other-program", "it is for another program"},
	[POLICY_OTHER_DIRECTORY] = {"other-directory", "it is for another folder"},
	[POLICY_OTHER_ARGUMENTS] = {"other-arguments", "it is for other arguments"},
	[POLICY_OTHER_SCRIPT] = {"other-script", "the program is told to run a file that it is not for"},
	[POLICY_KEPT_VARIABLE] = {"kept-variable", "a variable is kept that it does not name"},
	[POLICY_OPEN_ENDED] = {"open-ended", "the program runs whatever its arguments say, and they are not all given"},
	[POLICY_UNPINNED] = {"unpinned", "the program is run by its path and could be swapped"},
	[POLICY_INTERPRETER_BY_PATH] = {"interpreter-by-path", "the script's interpreter is looked up on PATH by env"},
	[POLICY_PROGRAM_CHANGED] = {"program-changed", "the program has changed since"},
	[POLICY_INTERPRETER_CHANGED] = {"interpreter-changed", "the script's interpreter has changed since"},
	[POLICY_SCRIPT_CHANGED] = {"script-changed", "the file that the program is told to run has changed since"},
	[POLICY_WEAKER_TIER] = {"weaker-tier", "it wants a stronger tier"},
	[POLICY_OTHER_SANDBOX] = {"other-sandbox", "it does not open what is asked for"},
	[POLICY_NO_REDACTION] = {"no-redaction", "it wants the output redacted"},
	[POLICY_CLOCK_BACK] = {"clock-back", "the clock stands before the time at which it was made"},
	[POLICY_EXPIRED] = {"expired", "it has expired"},
	[POLICY_USED_UP] = {"used-up", "its uses are spent"},
	[POLICY_OTHER_BOOT] = {"other-boot", "it was for an earlier boot"},
	[POLICY_OTHER_SESSION] = {"other-session", "it is for another session"},
	[POLICY_OVERRULED] = {"overruled", "it matches, and a rule that denies does too"},
	[POLICY_LESS_SPECIFIC] = {"less-specific", "it matches, and a more specific rule does too"},
	[POLICY_DECIDES] = {"decides", "it decides"},
};

const char *policy_reason_name(enum policy_reason reason)
{
	return reasons[reason].name;
}

const char *policy_reason_text(enum policy_reason reason)
{
	return reasons[reason].text;
}
