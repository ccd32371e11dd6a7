#include "engine/promises.h"

#include <stdlib.h>
#include <string.h>

// A finding that stands against a promise, from that severity on. What is not known is a note: where that is enough, the
// promise is not said to hold.
struct want {
	const char *finding;
	enum finding_severity least;
};

// Titles as in docs/threats.md. A promise that envseal keeps by itself, or by refusing to work, wants nothing.
static const struct row {
	const char *id;
	const char *title;
	struct want wants[ENGINE_PROMISE_FINDINGS_MAX + 1];
} rows[] = {
	{"C1", "No command prints a value", {{0}}},
	{"C2", "The vault is sealed at rest", {{0}}},
	{"C3", "No value lies around", {{"core-limit", FINDING_BAD}}},
	{"C4", "envseal's own process is closed",
	 {{"process-dumpable", FINDING_BAD}, {"core-limit", FINDING_BAD}, {"tracer", FINDING_NOTE}, {"user-namespace", FINDING_NOTE},
	  {"root", FINDING_WARN}}},
	{"C5", "Tampering with the vault is detected", {{0}}},
	{"C6", "Tampering with the audit log is detected", {{0}}},
	// In a user namespace of somebody's, other files can lie over those that only root can change.
	{"C7", "What was approved is what runs", {{"user-namespace", FINDING_NOTE}, {"root", FINDING_WARN}}},
	{"C8", "Steering variables do not reach the program", {{0}}},
	{"C9", "Output is redacted exactly, on every split", {{0}}},
	{"C10", "Unsafe files are refused", {{"vault-filesystem", FINDING_WARN}}},
	{"C11", "A manifest cannot widen anything", {{0}}},
	{"C12", "A program does not outlive its supervisor unnoticed", {{"pidfd", FINDING_WARN}}},
	{"C13", "Bad input ends in a defined error and loses nothing", {{"vault-filesystem", FINDING_WARN}}},
	{"C14", "Unconfirmed values are never injected", {{0}}},
	{"C15", "Guessing at envseal's prompt is slow, and the human hears of it", {{0}}},
	{"C16", "A rule allows what it says and nothing else",
	 {{"user-namespace", FINDING_NOTE}, {"configuration", FINDING_BAD}, {"root", FINDING_WARN}}},
	// Who sees what is typed has the factor.
	{"C17", "The question is answered by whoever has the factor",
	 {{"tracer", FINDING_NOTE}, {"terminal-multiplexer", FINDING_WARN}, {"display", FINDING_WARN}, {"input-events", FINDING_WARN},
	  {"root", FINDING_WARN}}},
	{"C18", "The broker does for an agent what rules or a human allow, and tells it names",
	 {{"process-dumpable", FINDING_BAD}, {"seccomp", FINDING_NOTE}, {"pidfd", FINDING_WARN}, {"user-namespace", FINDING_NOTE},
	  {"root", FINDING_WARN}}},
	{"C19", "A running program is closed to its own user, where it is shielded",
	 {{"proc", FINDING_WARN}, {"memfd-exec", FINDING_WARN}, {"execveat", FINDING_WARN}, {"shield", FINDING_NOTE},
	  {"user-namespace", FINDING_NOTE}, {"root", FINDING_WARN}}},
	{"C20", "What a tier refuses, the kernel refuses", {{0}}},
	{"standard", "The tier standard: no new privileges, no core dumps", {{"core-limit", FINDING_WARN}, {"execveat", FINDING_WARN}}},
	{"hardened", "The tier hardened can be had",
	 {{"proc", FINDING_WARN}, {"user-namespaces", FINDING_NOTE}, {"namespace-join", FINDING_NOTE}, {"shield", FINDING_WARN},
	  {"memfd-exec", FINDING_WARN}, {"execveat", FINDING_WARN}, {"landlock", FINDING_NOTE}, {"landlock-scope", FINDING_NOTE},
	  {"seccomp", FINDING_NOTE}}},
	{"lockdown", "The tier lockdown can be had",
	 {{"proc", FINDING_WARN}, {"user-namespaces", FINDING_NOTE}, {"network-namespaces", FINDING_NOTE}, {"mounts", FINDING_NOTE},
	  {"proc-mount", FINDING_NOTE}, {"namespace-join", FINDING_NOTE}, {"helper-namespaces", FINDING_NOTE},
	  {"shield", FINDING_WARN}, {"memfd-exec", FINDING_WARN}, {"execveat", FINDING_WARN},
	  {"landlock", FINDING_NOTE}, {"landlock-scope", FINDING_NOTE}, {"seccomp", FINDING_NOTE}}},
	{"C21", "An agent in the jail gets neither credentials nor out",
	 {{"landlock", FINDING_NOTE}, {"landlock-scope", FINDING_NOTE}, {"seccomp", FINDING_NOTE}}},
	{"jail-masks", "The jail hides single files and the sockets of other programs",
	 {{"proc", FINDING_WARN}, {"user-namespaces", FINDING_NOTE}, {"mounts", FINDING_NOTE}, {"namespace-join", FINDING_NOTE}}},
};

void promises_done(struct promises *promises)
{
	free(promises->findings);
	*promises = (struct promises){0};
}

int promises_note(struct promises *promises, const struct finding *finding, struct err *err)
{
	if (finding->severity == FINDING_OK)
		return 0;
	struct finding *grown = reallocarray(promises->findings, promises->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_MEMORY, "no memory for what was found");
	promises->findings = grown;
	promises->findings[promises->count++] = *finding;
	return 0;
}

static const struct finding *finding_against(const struct promises *promises, const struct want *want)
{
	for (size_t i = 0; i < promises->count; i++)
		if (strcmp(promises->findings[i].id, want->finding) == 0 && promises->findings[i].severity >= want->least)
			return &promises->findings[i];
	return NULL;
}

bool promises_has(const struct promises *promises, const char *finding)
{
	return finding_against(promises, &(struct want){finding, FINDING_NOTE}) != NULL;
}

int promises_tell(const struct promises *promises, int (*each)(void *context, const struct engine_promise *promise),
		  void *context)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(rows); i++) {
		struct engine_promise promise = {.id = rows[i].id, .title = rows[i].title};
		for (const struct want *want = rows[i].wants; want->finding; want++) {
			const struct finding *against = finding_against(promises, want);
			promise.depends[promise.depend_count++] = want->finding;
			if (against)
				promise.causes[promise.cause_count++] = against;
		}
		r = each(context, &promise);
	}
	return r;
}
