#include "engine/promises.h"
#include "engine/security.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct doctor {
	struct engine *engine;
	const struct engine_doctor_report *report;
	struct promises promises;
	bool has_vault;
};

static int doctor_finding(void *context, const struct finding *finding)
{
	struct doctor *doctor = context;
	struct err ignored;
	int r = promises_note(&doctor->promises, finding, &ignored);
	return r < 0 ? r : doctor->report->finding(doctor->report->context, finding);
}

__attribute__((format(printf, 6, 7))) static int doctor_tell(struct doctor *doctor, const char *id,
							      enum finding_severity severity, const char *category,
							      const char *remedy, const char *format, ...)
{
	struct finding finding = {.id = id, .category = category, .severity = severity};
	va_list args;
	va_start(args, format);
	vsnprintf(finding.text, sizeof(finding.text), format, args);
	va_end(args);
	snprintf(finding.remedy, sizeof(finding.remedy), "%s", remedy);
	return doctor_finding(doctor, &finding);
}

const char *engine_severity_name(enum finding_severity severity)
{
	return finding_severity_name(severity);
}

struct tally {
	size_t secrets;
	size_t expired;
	size_t weak;
	size_t pending;
};

static int tally_each(void *context, const struct vault_entry *entry)
{
	struct tally *tally = context;
	tally->secrets++;
	tally->expired += entry_is_expired(entry);
	tally->weak += entry->is_weak;
	tally->pending += entry->is_pending;
	return 0;
}

static int doctor_entries(struct doctor *doctor, struct vault *vault)
{
	struct tally tally = {0};
	struct err err;
	if (vault_list(vault, tally_each, &tally, &err) < 0)
		return doctor_tell(doctor, "vault-list", FINDING_BAD, "files", "restore the vault from a copy", "%s", err.text);
	int r = 0;
	if (tally.expired > 0)
		r = doctor_tell(doctor, "secrets-expired", FINDING_WARN, "secrets",
				"see `envseal list`; store new values with `envseal set NAME --force`",
				"%zu of %zu secrets have expired", tally.expired, tally.secrets);
	if (r == 0 && tally.weak > 0)
		r = doctor_tell(doctor, "secrets-weak", FINDING_WARN, "secrets", "rotate them to longer values",
				"%zu of %zu secrets are so short or uniform that they are masked only as whole words", tally.weak,
				tally.secrets);
	if (r == 0 && tally.pending > 0)
		r = doctor_tell(doctor, "secrets-waiting", FINDING_WARN, "secrets", "look at them and run `envseal confirm`",
				"%zu values were stored while locked and wait to be confirmed", tally.pending);
	return r;
}

static int doctor_failures(struct doctor *doctor, struct vault *vault)
{
	struct vault_failures failures;
	struct err err;
	char since[CLOCK_TEXT_BYTES];
	const char *remedy = "see `envseal audit show --kind unlock`; the next unlock compares log and vault";
	if (vault_failures_get(vault, &failures, &err) < 0)
		return doctor_tell(doctor, "unlock-failures", FINDING_WARN, "files", remedy, "%s", err.text);
	if (failures.count == 0)
		return 0;
	clock_format(failures.first, since);
	return doctor_tell(doctor, "unlock-failures", FINDING_WARN, "files", remedy, "%u wrong passphrase%s since %s",
			   failures.count, failures.count == 1 ? "" : "s", since);
}

static int doctor_vault(struct doctor *doctor)
{
	_cleanup_vault_ struct vault *vault = NULL;
	struct err err;
	int r = vault_open(doctor->engine->home.data_dir, &vault, &err);
	if (r == ERR_NO_VAULT)
		return doctor_tell(doctor, "vault", FINDING_NOTE, "files", "make one with `envseal init`", "there is no vault yet");
	if (r < 0)
		return doctor_tell(doctor, "vault", FINDING_BAD, "files", "do what the sentence says, then run this again", "%s",
				   err.text);
	doctor->has_vault = true;
	r = doctor_tell(doctor, "vault", FINDING_OK, "files", "", "the vault's files belong to you and are closed to others");
	if (r == 0)
		r = doctor_failures(doctor, vault);
	return r == 0 ? doctor_entries(doctor, vault) : r;
}

static int doctor_log(struct doctor *doctor)
{
	struct engine_audit_report report;
	struct err err;
	int r = engine_audit_verify(doctor->engine, NULL, &report, &err);
	// Making a vault is itself recorded, so a vault has had a log.
	if (r == ERR_NOT_FOUND && !doctor->has_vault)
		return 0;
	if (r < 0)
		return doctor_tell(doctor, "audit-chain", FINDING_BAD, "files",
				   "find out who changed it; `envseal audit accept` goes on from it", "%s", err.text);
	return doctor_tell(doctor, "audit-chain", FINDING_OK, "files", "", "the audit log's chain of %llu records holds",
			   (unsigned long long)report.log.records);
}

static int doctor_unlocked(struct doctor *doctor, const struct engine_unlock *unlock)
{
	_cleanup_session_ struct session session = {0};
	struct err err;
	uint64_t rows = 0;
	int r = session_open_reading(doctor->engine, unlock, &session, &err);
	if (r == 0)
		r = session_begin(&session, &err);
	if (r == 0)
		r = vault_check(session.vault, &rows, &err);
	if (r < 0)
		return doctor_tell(doctor, "vault-verify", FINDING_BAD, "files", "restore the vault from a copy that verifies", "%s",
				   err.text);
	return doctor_tell(doctor, "vault-verify", FINDING_OK, "files", "",
			   "all %llu rows of the vault and the log's anchor verify", (unsigned long long)rows);
}

// In process 1: as a program is started behind the shield, but for the exec. Whether it would be.
static bool shield_hold(struct sandbox *sandbox)
{
	if (sandbox_settle(sandbox, -1).error != 0)
		return false;
	pid_t pid = fork();
	if (pid == 0)
		_exit(sandbox_hold(sandbox).error != 0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return true;
}

// Whether a program in a user namespace of its own is closed to the owner of that: by doing it. 0 or errno, and whether the
// program is not started then, or goes without.
static int shield_try(bool *ret_is_refused)
{
	int status;
	const struct sandbox_plan plan = {
		.tier = SANDBOX_HARDENED,
		.needs = {[SANDBOX_USER_NAMESPACE] = SANDBOX_REQUIRED, [SANDBOX_SHIELD] = SANDBOX_PREFERRED}};
	_cleanup_sandbox_ struct sandbox *sandbox = NULL;
	_cleanup_fd_ int source = open("/dev/null", O_RDONLY | O_CLOEXEC), folder = -1, file = -1;
	struct err err;
	pid_t pid;
	if (source < 0 || sandbox_prepare(&plan, &sandbox, &err) < 0)
		return EIO;
	int error = sandbox_image_open(sandbox, source, "envseal", &folder, &file);
	sandbox_note_shield(sandbox, true);
	*ret_is_refused = true;
	if (sandbox_fork(sandbox, &pid, &err) < 0)
		return error != 0 ? error : err.sys_errno;
	if (pid == 0)
		_exit(shield_hold(sandbox) ? 0 : 1);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_is_refused = status != 0;
	struct sandbox_record record = sandbox_record_get(sandbox);
	return !(record.missing & sandbox_bit(SANDBOX_SHIELD)) ? 0 : record.errors[SANDBOX_SHIELD] ? record.errors[SANDBOX_SHIELD] : error;
}

static int doctor_shield(struct doctor *doctor)
{
	bool is_refused = false;
	int error = promises_has(&doctor->promises, "user-namespaces") ? 0 : shield_try(&is_refused);
	if (error == 0)
		return doctor_tell(doctor, "shield", FINDING_OK, "kernel", "",
				   "a program in namespaces of its own, where it can have any, can be closed to whoever owns them");
	return doctor_tell(doctor, "shield", is_refused ? FINDING_WARN : FINDING_NOTE, "kernel",
			   "let fsopen(2), fsconfig(2), fsmount(2), mount_setattr(2), unshare(2) and setns(2) through the container or "
			   "filter around this; before Linux 6.3 ptrace(2)",
			   "a program in namespaces of its own cannot be closed to whoever owns them (%s): in the tiers hardened and "
			   "lockdown programs %s", strerrordesc_np(error),
			   is_refused ? "are refused that could have the shield" : "run without the shield");
}

static int doctor_configuration(struct doctor *doctor)
{
	struct security_floor floor;
	struct err err;
	if (security_floor_load(&floor, &err) < 0)
		return doctor_tell(doctor, "configuration", FINDING_BAD, "files", "do what the sentence says, as root", "%s",
				   err.text);
	return doctor_tell(doctor, "configuration", FINDING_OK, "files", "",
			   "the configuration file of this machine forces the level %s, and an action for %zu finding%s",
			   security_level_name(floor.level), floor.findings.count, floor.findings.count == 1 ? "" : "s");
}

int engine_doctor(struct engine *engine, const struct engine_unlock *unlock, const struct engine_doctor_report *report,
		  struct err *err)
{
	struct doctor doctor = {.engine = engine, .report = report};
	const struct guard_source source = engine_guard_source(engine);
	int r = guard_check(&source, doctor_finding, &doctor);
	if (r == 0)
		r = doctor_configuration(&doctor);
	if (r == 0)
		r = doctor_shield(&doctor);
	if (r == 0)
		r = doctor_vault(&doctor);
	if (r == 0)
		r = doctor_log(&doctor);
	if (r == 0 && unlock)
		r = doctor_unlocked(&doctor, unlock);
	if (r == 0)
		r = promises_tell(&doctor.promises, report->promise, report->context);
	promises_done(&doctor.promises);
	return r == 0 ? 0 : err_set(err, ERR_SYSTEM, "the findings could not be printed");
}
