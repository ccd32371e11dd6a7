#include "base/base.h"

#include <stdlib.h>
#include <string.h>

bool text_list_has(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

int text_list_append(struct text_list *list, const char *text, struct err *err)
{
	char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	list->items = items;
	list->items[list->count] = strdup(text);
	if (!list->items[list->count])
		return err_set(err, ERR_MEMORY, "out of memory");
	list->count++;
	return 0;
}

int text_list_add(struct text_list *list, const char *text, struct err *err)
{
	return text_list_has(list, text) ? 0 : text_list_append(list, text, err);
}

void text_list_done(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){0};
}
