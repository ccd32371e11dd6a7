#include "redact/gram.h"
#include "redact/words.h"

void gram_choose(struct gram_filter *f)
{
	gram_choose_portable(f);
}

void words_choose(struct words_filter *f)
{
	f->seek = words_seek_portable;
}
