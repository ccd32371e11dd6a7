#include "redact/survey.h"

bool survey_has_dump(struct span bytes, bool begins_line)
{
	return survey_has_dump_portable(bytes, begins_line);
}
