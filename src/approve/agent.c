#include "approve/agent.h"

#include <string.h>

static const struct {
	const char *calls_itself, *agent;
} agents[] = {
	{"aider", "aider"}, {"aider-chat", "aider"}, {"amp", "amp"}, {"auggie", "auggie"}, {"claude", "claude"},
	{"claude-code", "claude"}, {"cline", "cline"}, {"codex", "codex"}, {"copilot", "copilot"},
	{"crush", "crush"}, {"cursor-agent", "cursor-agent"}, {"droid", "droid"}, {"gemini", "gemini"},
	{"gemini-cli", "gemini"}, {"goose", "goose"}, {"kiro-cli", "kiro"}, {"opencode", "opencode"},
	{"openhands", "openhands"}, {"qwen", "qwen"}, {"qwen-code", "qwen"},
};

static const char *agent_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_COUNT(agents); i++)
		if (span_is_equal(name, span_text(agents[i].calls_itself)))
			return agents[i].agent;
	return NULL;
}

// Newer releases of node name their main thread, and with it the process.
static bool is_interpreter(const char *process)
{
	static const char *const names[] = {"node", "nodejs", "node-MainThread", "MainThread", "bun", "deno"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(process, names[i]) == 0)
			return true;
	size_t len = strlen("python");
	return strncmp(process, "python", len) == 0 && process[len + strspn(process + len, "0123456789.")] == 0;
}

const char *agent_script(const char *process, const char *cmdline, size_t len)
{
	if (!is_interpreter(process))
		return NULL;
	for (const char *at = cmdline + strlen(cmdline) + 1; at < cmdline + len; at += strlen(at) + 1) {
		// Behind these stands a text to run, and no script.
		if (strcmp(at, "-c") == 0 || strcmp(at, "-e") == 0 || strcmp(at, "-p") == 0)
			return NULL;
		if (at[0] != '-' && at[0] != 0)
			return at;
	}
	return NULL;
}

// "@anthropic-ai/claude-code/cli.js" belongs to claude-code: a scope is no package.
static struct span package_of(const char *script)
{
	static const char *const folders[] = {"/node_modules/", "/site-packages/"};
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
		const char *at = strstr(script, folders[i]);
		if (!at)
			continue;
		at += strlen(folders[i]);
		if (*at == '@')
			at += strcspn(at, "/");
		at += *at == '/';
		return span_of(at, strcspn(at, "/"));
	}
	return span_of(NULL, 0);
}

const char *agent_name(const char *process, const char *script)
{
	const char *agent = agent_of(span_text(process));
	if (agent || !script)
		return agent;
	const char *base = path_base(script);
	agent = agent_of(span_of(base, strcspn(base, ".")));
	return agent ? agent : agent_of(package_of(script));
}
