#include "redact/gram.h"

void gram_choose(struct gram_filter *f)
{
	gram_choose_portable(f);
}
