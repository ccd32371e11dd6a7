#include "engine/refusal.h"

#include "engine/record.h"

#include <stdio.h>

// Of what was refused, by rules, level, findings or a human: anchored where the vault is open, and else only appended.
// Without the values the arguments cannot be masked, so they stay out.
static json_t *denial_json(const struct plan *plan, const struct err *denial, const struct consent *consent)
{
	struct err ignored;
	program_digest(plan->program, NULL, &ignored);
	json_t *fields = failure_json(plan, NULL, denial);
	if (fields && plan->request->reason)
		json_object_set_new(fields, "reason", plan_reason_json(plan, NULL));
	if (fields && consent && consent->is_shown)
		json_object_set_new(fields, "by_human", json_true());
	if (fields && consent && consent->cools_down)
		json_object_set_new(fields, "cool_down", json_true());
	return fields;
}

static void denial_untold(struct engine *engine, const struct err *err)
{
	engine_notice(engine, "the refusal could not be recorded in the audit log: %s", err->text);
}

void plan_record_denial(struct engine *engine, const struct plan *plan, const struct err *denial,
			       const struct consent *consent)
{
	char kind[32];
	struct err err;
	struct audit_head head;
	_cleanup_audit_ struct audit *audit = NULL;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	json_t *fields = denial_json(plan, denial, consent);
	int r = audit_open(engine->home.state_dir, &audit, &err);
	if (r == 0)
		r = audit_append(audit, kind, fields, &head, &err);
	json_decref(fields);
	if (r < 0)
		denial_untold(engine, &err);
}

void plan_record_refusal(const struct plan *plan, struct session *session, const struct decision *decision,
				const struct err *denial)
{
	char kind[32];
	struct err err;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	json_t *fields = denial_json(plan, denial, NULL);
	if (fields)
		json_object_set_new(fields, "decision", decision_json(plan, decision));
	if (session_commit(session, kind, fields, &err) < 0)
		denial_untold(session->engine, &err);
}
