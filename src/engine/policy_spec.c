#include "engine/policy_spec.h"

#include <stdlib.h>
#include <string.h>

void policy_specs_done(struct policy_specs *specs)
{
	for (size_t i = 0; i < specs->count; i++) {
		free(specs->items[i].pattern);
		free(specs->items[i].variable);
	}
	specs->count = 0;
}

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory");
}

static bool is_family(const char *pattern)
{
	return rule_is_glob(pattern) || strncmp(pattern, RULE_TAG_PREFIX, strlen(RULE_TAG_PREFIX)) == 0;
}

static int variable_parse(const char *text, struct policy_spec *spec, struct err *err)
{
	static const char suffix[] = ":file";
	size_t len = strlen(text), behind = strlen(suffix);
	if (strcmp(text, "-") == 0) {
		spec->delivery = RULE_TO_STDIN;
		return 0;
	}
	if (len >= behind && strcmp(text + len - behind, suffix) == 0) {
		spec->delivery = RULE_TO_FILE;
		len -= behind;
	}
	if (len == 0)
		return err_set(err, ERR_USAGE, "-s wants NAME, NAME=VAR, NAME=VAR:file, or NAME=- for standard input");
	spec->variable = strndup(text, len);
	return spec->variable ? 0 : out_of_memory(err);
}

static int spec_parse(const char *text, bool deny, struct policy_spec *spec, struct err *err)
{
	char brief[80];
	const char *equals = strchr(text, '=');
	spec->text = text;
	spec->delivery = RULE_TO_VARIABLE;
	spec->pattern = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
	if (!spec->pattern)
		return out_of_memory(err);
	bool is_one = !is_family(spec->pattern);
	int r = is_one ? name_check(spec->pattern, err) : 0;
	if (r < 0)
		return r;
	text_brief(span_text(spec->pattern), brief, sizeof(brief));
	if (deny && equals)
		return err_set(err, ERR_USAGE, "a rule that denies is for every way to give a secret; say -s %s alone",
			       brief);
	if (!deny && !is_one && !equals)
		return err_set(err, ERR_USAGE, "to allow %s, say into which variables too, as in -s '%s=PREFIX_*'",
			       brief, brief);
	r = equals ? variable_parse(equals + 1, spec, err) : 0;
	spec->is_plain = is_one && spec->delivery != RULE_TO_STDIN && !(spec->variable && rule_is_glob(spec->variable));
	return r;
}

int policy_specs_parse(const char *const texts[], size_t count, bool deny, struct policy_specs *out, struct err *err)
{
	if (count == 0)
		return err_set(err, ERR_USAGE, "a rule is about secrets; name them with -s NAME");
	if (count > RULE_SECRETS_MAX)
		return err_set(err, ERR_LIMIT, "a rule has at most %d secrets; take a pattern such as 'db/*', or several "
					       "rules", RULE_SECRETS_MAX);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		out->items[i] = (struct policy_spec){0};
		out->count++;
		r = spec_parse(texts[i], deny, &out->items[i], err);
	}
	return r;
}

int policy_specs_check(const struct policy_specs *specs, struct vault *vault, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < specs->count; i++)
		if (!is_family(specs->items[i].pattern))
			r = secret_check_usable(vault, specs->items[i].pattern, err);
	return r;
}

void policy_specs_secrets(const struct policy_specs *specs, const struct plan *plan, struct rule_secret out[])
{
	size_t plain = 0;
	for (size_t i = 0; i < specs->count; i++) {
		const struct policy_spec *spec = &specs->items[i];
		out[i] = (struct rule_secret){.pattern = spec->pattern, .delivery = spec->delivery,
					      .variable = spec->variable};
		// A deny has no plan of its secrets.
		if (spec->is_plain && plain < plan->secret_count)
			out[i].variable = plan->secrets[plain++].variable;
	}
}
