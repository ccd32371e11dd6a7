#include "policy/security.h"

#include <ini.h>
#include <string.h>

// The file on its way through inih, which asks for a line and then tells what is in it, so that the number is known.
// What it would pass over, or take for the rest of the line before, is refused before it sees it.
struct config {
	struct span rest;
	unsigned line;
	bool has_level;
	struct security_floor floor;
	const char *path;
	struct err *err;
	int r;
};

static void config_refuse(struct config *config, const char *what)
{
	char brief[200];
	config->r = err_set(config->err, ERR_INPUT, "%s line %u: %s; mend it as root, see envseal.conf(5)",
			    text_brief(span_text(config->path), brief, sizeof(brief)), config->line, what);
}

// --- what a line says

static void level_read(struct config *config, const char *value)
{
	if (config->has_level)
		config_refuse(config, "the level stands twice");
	else if (!security_level_parse(value, &config->floor.level))
		config_refuse(config, "the level is none of standard, hardened and lockdown");
	config->has_level = true;
}

static void pinentry_read(struct config *config, const char *value)
{
	if (config->floor.pinentry[0])
		config_refuse(config, "the pinentry stands twice");
	else if (value[0] != '/' || strlen(value) >= sizeof(config->floor.pinentry))
		config_refuse(config, "the pinentry is no absolute path");
	else
		memcpy(config->floor.pinentry, value, strlen(value) + 1);
}

static void finding_read(struct config *config, const char *id, const char *value)
{
	enum guard_action action;
	struct err why;
	if (!guard_action_parse(value, &action))
		config_refuse(config, "the action is none of note, warn, ask and deny");
	else if (security_override_find(&config->floor.findings, id))
		config_refuse(config, "the finding stands twice");
	else if (security_override_put(&config->floor.findings, span_text(id), action, &why) < 0)
		config_refuse(config, why.text);
}

static const char *const sections[] = {"security", "findings", "approval"};

// inih asks for a number other than 0 when all is well; but the end of the lines is what stops it.
static int entry_take(void *context, const char *section, const char *name, const char *value)
{
	struct config *config = context;
	if (config->r < 0)
		return 1;
	if (strcmp(section, "security") == 0 && strcmp(name, "level") == 0)
		level_read(config, value);
	else if (strcmp(section, "approval") == 0 && strcmp(name, "pinentry") == 0)
		pinentry_read(config, value);
	else if (strcmp(section, "findings") == 0)
		finding_read(config, name, value);
	else
		config_refuse(config, section[0] ? "there is no such key in this section"
						 : "it stands before the first section");
	return 1;
}

// --- lines

static bool line_is_section(struct span line)
{
	for (size_t i = 0; i < ARRAY_COUNT(sections); i++) {
		struct span name = span_text(sections[i]);
		if (line.len == name.len + 2 && line.data[line.len - 1] == ']' &&
		    span_is_equal(span_of(line.data + 1, name.len), name))
			return true;
	}
	return false;
}

static bool line_is_printable(struct span line, bool is_comment)
{
	for (size_t i = 0; i < line.len; i++) {
		uint8_t byte = line.data[i];
		if ((byte < ' ' && byte != '\t') || byte == 0x7f || (byte > 0x7f && !is_comment))
			return false;
	}
	return true;
}

// NULL when inih may see it.
static const char *line_judge(struct span line)
{
	size_t blanks = 0;
	while (blanks < line.len && (line.data[blanks] == ' ' || line.data[blanks] == '\t'))
		blanks++;
	bool is_empty = blanks == line.len;
	uint8_t first = is_empty ? '#' : line.data[blanks];
	bool is_comment = first == '#' || first == ';';
	while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
		line.len--;
	if (line.len > SECURITY_LINE_BYTES_MAX)
		return "it is too long";
	if (!line_is_printable(line, is_comment))
		return "it holds a byte that is no plain text, such as a carriage return of another system's line ends";
	if (blanks > 0 && !is_comment)
		return "it begins with a blank";
	if (first == '[' && !line_is_section(line))
		return "there is no such section, or something stands behind it";
	return NULL;
}

static char *line_next(char *into, int room, void *context)
{
	struct config *config = context;
	if (config->r < 0 || config->rest.len == 0)
		return NULL;
	const uint8_t *end = memchr(config->rest.data, '\n', config->rest.len);
	struct span line = span_of(config->rest.data, end ? (size_t)(end - config->rest.data) : config->rest.len);
	size_t used = line.len + (end != NULL);
	config->rest = span_of(config->rest.data + used, config->rest.len - used);
	config->line++;
	const char *wrong = line_judge(line);
	if (!wrong && line.len + 2 > (size_t)room)
		wrong = "it is too long";
	if (wrong) {
		config_refuse(config, wrong);
		return NULL;
	}
	memcpy(into, line.data, line.len);
	memcpy(into + line.len, "\n", 2);
	return into;
}

int security_floor_parse(struct span text, const char *path, struct security_floor *out, struct err *err)
{
	struct config config = {.rest = text, .path = path, .err = err};
	char brief[200];
	if (text.len > SECURITY_FILE_BYTES_MAX)
		return err_set(err, ERR_INPUT, "%s is too long (%u bytes at most); mend it as root, see "
			       "envseal.conf(5)", text_brief(span_text(path), brief, sizeof(brief)),
			       SECURITY_FILE_BYTES_MAX);
	int line = ini_parse_stream(line_next, &config, entry_take, &config);
	if (config.r == 0 && line != 0) {
		config.line = line > 0 ? (unsigned)line : config.line;
		config_refuse(&config, "it is neither [section] nor key = value");
	}
	if (config.r < 0)
		return config.r;
	*out = config.floor;
	return 0;
}
