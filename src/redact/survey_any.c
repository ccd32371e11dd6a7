#include "redact/survey.h"

bool survey_is_plain(struct span bytes, bool begins_line)
{
	return survey_is_plain_portable(bytes, begins_line);
}
